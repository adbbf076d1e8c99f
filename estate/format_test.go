package estate

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the tables of docs/format.md")

const formatDoc = "../docs/format.md"

// The tables of docs/format.md are those of the code.
func TestFormatTables(t *testing.T) {
	f := newFormat()
	tables := map[string]string{
		"Domain": markdown(f.domain), "Component": markdown(f.component), "Service": markdown(f.service), "Crew": markdown(f.crew),
		"Limit": markdown(f.limit), "Probe": markdown(f.probe), "Option": markdown(f.option),
		"replica": markdown(replicaTable()), "data": markdown(dataTable()), "copy": markdown(copyTable()), "action": markdown(actionTable()),
		"ramp": markdown(rampTable()), "part": markdown(partTable()), "objectives": markdown(objectivesTable()),
		"spread": markdown(spreadTable()), "page": markdown(pageTable()), "source": markdown(sourceTable()), "waiver": markdown(waiverTable()),
	}
	text, err := os.ReadFile(formatDoc)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	marked := regexp.MustCompile(`(?s)<!-- fields of (\w+) -->\n.*?<!-- end -->`)
	want := marked.ReplaceAllStringFunc(string(text), func(m string) string {
		name := marked.FindStringSubmatch(m)[1]
		seen[name] = true
		if tables[name] == "" {
			t.Errorf("there is no table %s", name)
		}
		return "<!-- fields of " + name + " -->\n" + tables[name] + "<!-- end -->"
	})
	for name := range tables {
		if !seen[name] {
			t.Errorf("%s has no table of %s", formatDoc, name)
		}
	}
	if *update {
		if err := os.WriteFile(formatDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("run go test ./estate -run TestFormatTables -update (-want +got):\n%s", diff)
	}
}

// markdown writes the fields of a table that are its own; those of every
// document stand in a table of theirs.
func markdown[T any](t *table[T]) string {
	var b strings.Builder
	b.WriteString("| field | value | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range t.fields {
		if slices.Contains([]string{"kind", "title", "source", "cost", "waive"}, f.name) && f.name != "title" || f.name == "title" && slices.Contains(t.names, "kind") || f.name == "name" && slices.Contains(t.names, "kind") {
			continue
		}
		fallback := "–"
		if d, ok := f.schema["default"]; ok {
			fallback = fmt.Sprintf("`%v`", d)
		}
		if f.required {
			fallback = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, value(f.name, f.schema), fallback, strings.ReplaceAll(f.doc, "|", "\\|"))
	}
	return b.String()
}

// value says for people what a schema says for programs.
func value(name string, s schema) string {
	text, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	same := func(o schema) bool {
		for k, v := range o {
			a, _ := json.Marshal(s[k])
			b, _ := json.Marshal(v)
			if !bytes.Equal(a, b) {
				return false
			}
		}
		return true
	}
	switch {
	case s["$ref"] != nil:
		return "[needs](#needs)"
	case s["enum"] != nil:
		words, _ := s["enum"].([]string)
		return "`" + strings.Join(words, "`, `") + "`"
	case same(schemaSpan()):
		return "duration, or `{likely, worst}`"
	case same(schemaDuration()):
		return "duration"
	case same(schemaDate()):
		return "date"
	case same(schemaSize()):
		return "size"
	case same(schemaName()):
		return "name"
	case same(schemaRef()):
		return "name"
	case same(schemaResources()):
		return "resource: size"
	case same(schemaUses()):
		return "name: count"
	case name == "at":
		return "domain, or list of domains"
	case s["type"] == "array":
		return "list, see below"
	case name == "run":
		return "`{driver: {…}}`"
	case name == "adds", name == "removes":
		return "`{count: n}`"
	case s["type"] == "object":
		return "mapping, see below"
	case s["type"] == "boolean":
		return "`true`, `false`"
	case s["type"] == "string":
		return "text"
	case s["type"] == "integer":
		return rangeOf("whole number", s)
	case s["type"] == "number":
		return rangeOf("number", s)
	}
	return string(text)
}

func rangeOf(what string, s schema) string {
	switch {
	case s["maximum"] != nil && s["exclusiveMinimum"] != nil:
		return fmt.Sprintf("%s above %v, at most %v", what, s["exclusiveMinimum"], s["maximum"])
	case s["maximum"] != nil:
		return fmt.Sprintf("%s from %v to %v", what, s["minimum"], s["maximum"])
	case s["exclusiveMinimum"] != nil:
		return fmt.Sprintf("%s above %v", what, s["exclusiveMinimum"])
	}
	return fmt.Sprintf("%s, at least %v", what, s["minimum"])
}

// The examples of docs/format.md are one estate that loads.
func TestFormatExamples(t *testing.T) {
	text, err := os.ReadFile(formatDoc)
	if err != nil {
		t.Fatal(err)
	}
	var files []File
	for i, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		files = append(files, File{fmt.Sprintf("example-%02d.yaml", i+1), m[1]})
	}
	if len(files) < 8 {
		t.Fatalf("%d examples", len(files))
	}
	s, err := Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Kinds() {
		if s.Count(k) == 0 {
			t.Errorf("no example of a %s", k.Title())
		}
	}
	roundTrip(t, formatDoc, files)
}

// The errors that docs/format.md shows are what the program says.
func TestFormatErrors(t *testing.T) {
	text, err := os.ReadFile(formatDoc)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```text bad\n(.*?)```.*?```text errors\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatal("no example of errors")
	}
	_, err = Parse([]File{{"shop.yaml", m[1]}})
	if err == nil {
		t.Fatal("it loads")
	}
	if diff := cmp.Diff(strings.TrimSpace(string(m[2])), err.Error()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
