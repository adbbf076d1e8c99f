package estate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// content compares snapshots by what they say, not by where it is written.
func content() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(Pos, Pos) bool { return true }),
		cmp.Transformer("snapshot", func(s Snapshot) []any {
			return []any{s.Rev, s.Domains, s.Components, s.Services, s.Crews, s.Limits, s.Probes, s.Options}
		}),
	}
}

func mustParse(tb testing.TB, text string) *Snapshot {
	tb.Helper()
	s, err := Parse([]File{{"a.yaml", []byte(text)}})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func good(tb testing.TB) map[string]string {
	tb.Helper()
	out := map[string]string{}
	for _, name := range []string{"full.yaml", "design.yaml"} {
		b, err := os.ReadFile("testdata/good/" + name)
		if err != nil {
			tb.Fatal(err)
		}
		out[name] = string(b)
	}
	return out
}

func TestLoadFolder(t *testing.T) {
	s, err := Load(fstest.MapFS{
		"b.yaml":          {Data: []byte("kind: Domain\nname: b\nneeds: [a]\n")},
		"deep/er/a.yml":   {Data: []byte("\ufeff---\r\nkind: Domain\r\nname: a\r\n...\r\n")},
		"notes.txt":       {Data: []byte("not YAML: [")},
		".git/x.yaml":     {Data: []byte("not YAML: [")},
		"deep/.hid.yaml":  {Data: []byte("not YAML: [")},
		"empty.yaml":      {},
		"comment.yaml":    {Data: []byte("# nothing\n---\n---\n# here\n")},
		"directives.yaml": {Data: []byte("%YAML 1.1\n---\nkind: Domain\nname: c\n...\n%YAML 1.1\n---\nkind: Domain\nname: d\n")},
		"dots.yaml":       {Data: []byte("kind: Domain\nname: e\n...\nkind: Domain\nname: f\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range s.Domains {
		got = append(got, fmt.Sprintf("%s %s:%d:%d", d.Name, d.Pos.File, d.Pos.Line, d.Pos.Col))
	}
	want := []string{"a deep/er/a.yml:2:1", "b b.yaml:1:1", "c directives.yaml:3:1", "d directives.yaml:8:1", "e dots.yaml:1:1", "f dots.yaml:4:1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("domains (-want +got):\n%s", diff)
	}
	if r, ok := s.Lookup(KindDomain, "b"); !ok || r != (Ref{KindDomain, 1, "b"}) || s.Domains[1].Needs.Ref.Index != 0 {
		t.Errorf("b is %v, %v", r, ok)
	}
	if _, ok := s.Lookup(KindService, "b"); ok {
		t.Error("there is a service b")
	}
}

func TestLoadRefusesAFolderWithoutEstate(t *testing.T) {
	_, err := Load(fstest.MapFS{"readme.md": {}})
	want := "the folder holds no estate; expected at least one file named *.yaml or *.yml"
	var es Errors
	if !errors.As(err, &es) || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
	if s, err := Load(fstest.MapFS{"a.yaml": {}}); err != nil || len(s.Domains) != 0 || s.Rev == "" {
		t.Errorf("an empty file: %v, %v", s, err)
	}
	if _, err := Load(os.DirFS("testdata/nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// All errors of all files come at once, in the order of the files.
func TestAllErrorsAtOnce(t *testing.T) {
	_, err := Load(fstest.MapFS{
		"b.yaml": {Data: []byte("kind: Domain\nname: b\ntpye: x\nneeds: [c]\n---\nkind: Domain\nname: [\n---\nkind: Service\nname: s\nusers: -1\n")},
		"a.yaml": {Data: []byte("kind: Domain\nname: a\nneeds: [bb]\n---\nkind: Domain\nname: a\n")},
	})
	want := `a.yaml:3:9: needs: unknown name "bb"; expected a domain; did you mean "b"?
a.yaml:5:1: duplicate Domain "a"; the first is at a.yaml:1:1; expected each name once within its kind
b.yaml:3:1: Domain: unknown field "tpye"; expected kind, name, title, type, operator, capacity, needs, rate, outage, growth, source, cost or waive; did you mean "type"?
b.yaml:4:9: needs: unknown name "c"; expected a domain; did you mean "a"?
b.yaml:8:1: the YAML cannot be read: did not find expected node content; expected valid YAML
b.yaml:11:8: users is -1; expected a whole number of at least 0`
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	var one *Error
	if !errors.As(err, &one) || one.Line != 3 || one.Nearest != "b" {
		t.Errorf("the first error is %+v", one)
	}
}

func TestDefaults(t *testing.T) {
	s := mustParse(t, `
{kind: Domain, name: d}
---
{kind: Component, name: c, replicas: [{in: d}], actions: [{name: a, does: start}]}
---
{kind: Service, name: s}
---
{kind: Crew, name: w}
---
{kind: Limit, name: l}
---
{kind: Probe, name: p, in: d, tcp: "a:1"}
---
{kind: Option, name: o}
`)
	doc := func(name string) Doc { return Doc{Name: name, Cost: 1} }
	want := Snapshot{
		Rev:     s.Rev,
		Domains: []Domain{{Doc: doc("d"), Site: -1}},
		Components: []Component{{
			Doc: doc("c"), Mode: ModeAny, AtLeast: 1, Replicas: []Replica{{In: 0, Count: 1}},
			Actions: []Action{{Name: "a", Does: DoesStart}},
		}},
		Services: []Service{{Doc: doc("s"), Weight: 1}},
		Crews:    []Crew{{Doc: doc("w"), People: -1}},
		Limits:   []Limit{{Doc: doc("l"), Slots: -1}},
		Probes:   []Probe{{Doc: doc("p"), TCP: "a:1", Every: time.Second, Timeout: time.Second}},
		Options:  []Option{{Doc: doc("o"), In: -1}},
	}
	if diff := cmp.Diff(want, *s, content()); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(s.Rev, "sha256:") || len(s.Rev) != len("sha256:")+16 {
		t.Errorf("rev %q", s.Rev)
	}
}

// What the design writes means what the design says.
func TestDesignExample(t *testing.T) {
	s := mustParse(t, good(t)["design.yaml"])
	index := func(k Kind, name string) int {
		r, ok := s.Lookup(k, name)
		if !ok {
			t.Fatalf("no %s %s", k, name)
		}
		return r.Index
	}
	c := s.Components[index(KindComponent, "talk-msg")]
	anyang := index(KindDomain, "anyang")
	if c.AtLeast != 6000 || c.Replicas[1].In != anyang || c.Replicas[1].Count != 4000 {
		t.Errorf("talk-msg: %+v", c.Replicas)
	}
	if n := c.Needs; n.K != 3 || len(n.Of) != 3 || n.Of[0].Ref.String() != "component/auth" || n.Of[1].K != 1 || n.Of[1].Gate != GateAny || n.Of[2].K != 2 || len(n.Of[2].Of) != 3 {
		t.Errorf("needs of talk-msg: %+v", n)
	}
	if c.Wants.Ref == nil || c.Wants.Ref.Name != "recommend" {
		t.Errorf("wants of talk-msg: %+v", c.Wants)
	}
	if c.Data.Size != 40<<40 || *c.Data.Copies[0].Lag != (Span{5 * time.Second, 5 * time.Second}) || !c.Data.Copies[1].Tested.Equal(time.Date(2022, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("data of talk-msg: %+v", c.Data)
	}
	a := c.Actions[0]
	if a.Adds != 4000 || a.Takes != (Span{12 * time.Minute, 12 * time.Minute}) || len(a.At) != 1 || a.At[0] != anyang ||
		s.Crews[a.Crew[0].Index].Name != "platform" || a.Crew[0].Count != 2 || s.Limits[a.Uses[0].Index].Name != "image-pull" || a.Run.Driver != "exec" {
		t.Errorf("grow: %+v", a)
	}
	v := s.Services[0]
	if v.Users != 47637000 || v.Weight != 3 || v.Core() != 0.8 || *v.Objectives.RTO != 20*time.Minute || *v.Objectives.RPO != 0 {
		t.Errorf("kakaotalk: %+v", v)
	}
	rack := s.Domains[index(KindDomain, "pangyo-r101")]
	if pangyo := index(KindDomain, "pangyo"); rack.Site != pangyo || !cmp.Equal(rack.Ancestors, []int{pangyo}) {
		t.Errorf("the rack is in %d below %v", rack.Site, rack.Ancestors)
	}
	if got := string(s.EncodeDoc(Ref{KindLimit, 0, "image-pull"})); got != "kind: Limit\nname: image-pull\nslots: 40\n" {
		t.Errorf("image-pull is\n%s", got)
	}
}

func TestAncestorsAndSite(t *testing.T) {
	s := mustParse(t, `
{kind: Domain, name: a-site, type: site}
---
{kind: Domain, name: z-site, type: site, needs: [region]}
---
{kind: Domain, name: region}
---
{kind: Domain, name: hall, needs: [z-site]}
---
{kind: Domain, name: rack, needs: [[hall, feed], {anyOf: [a-site]}, {atLeast: 1, of: [other]}]}
---
{kind: Domain, name: feed}
---
{kind: Domain, name: other}
---
{kind: Domain, name: between, needs: [rack, a-site]}
---
{kind: Domain, name: tie, needs: [z-site, a-site]}
---
{kind: Domain, name: in-site, type: site, needs: [a-site]}
`)
	got := map[string]string{}
	for _, d := range s.Domains {
		site := "-"
		if d.Site >= 0 {
			site = s.Domains[d.Site].Name
		}
		var names []string
		for _, i := range d.Ancestors {
			names = append(names, s.Domains[i].Name)
		}
		got[d.Name] = site + ": " + strings.Join(names, " ")
	}
	want := map[string]string{
		"a-site": "a-site: ", "z-site": "z-site: region", "region": "-: ", "feed": "-: ", "other": "-: ",
		"hall": "z-site: region z-site", "rack": "z-site: feed hall region z-site",
		"between": "a-site: a-site feed hall rack region z-site", "tie": "a-site: a-site region z-site", "in-site": "in-site: a-site",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("site and ancestors (-want +got):\n%s", diff)
	}
}

// The same content has the same revision, whatever the files look like, and
// other content another.
func TestRevision(t *testing.T) {
	a := mustParse(t, "kind: Domain\nname: a\ntype: site\n---\nkind: Component\nname: c\nneeds: [a]\nreplicas: [{in: a, count: 1}]\n")
	b, err := Parse([]File{
		{"1.yaml", []byte("# about c\nneeds: a\nmode: any\nname: \"c\"\nreplicas:\n- in: a\nkind: Component\n")},
		{"2.yaml", []byte("{type: site, kind: Domain, cost: 1.0, name: 'a'}")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.Rev != b.Rev {
		t.Errorf("%s and %s", a.Rev, b.Rev)
	}
	c := mustParse(t, "kind: Domain\nname: a\ntype: site\n---\nkind: Component\nname: c\nneeds: [a]\nreplicas: [{in: a, count: 2}]\n")
	if a.Rev == c.Rev {
		t.Error("other content has the same revision")
	}
}

func TestAliases(t *testing.T) {
	s := mustParse(t, `
kind: Component
name: a
actions:
  - {name: one, does: start, takes: &t {likely: 1m, worst: 2m}, run: &r {exec: {argv: [x]}}}
  - {name: two, does: scale, takes: *t, run: *r}
`)
	x, y := s.Components[0].Actions[0], s.Components[0].Actions[1]
	if x.Takes != y.Takes || !cmp.Equal(x.Run.Args, y.Run.Args) {
		t.Errorf("%+v and %+v differ", x, y)
	}
	// An anchor does not reach into the next document.
	_, err := Parse([]File{{"a.yaml", []byte("kind: Domain\nname: a\ntitle: &t x\n---\nkind: Domain\nname: b\ntitle: *t\n")}})
	if want := "a.yaml:7:8: the YAML cannot be read: unknown anchor 't' referenced; expected an anchor (&name) before the alias, in the same document"; err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

// Aliases of aliases cost an error, not the memory of the machine.
func TestBillionLaughs(t *testing.T) {
	var b strings.Builder
	b.WriteString("kind: Component\nname: a\nactions:\n- name: x\n  does: start\n  run:\n    exec:\n      a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "      a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10))
	}
	_, err := Parse([]File{{"a.yaml", []byte(b.String())}})
	if err == nil || !strings.Contains(err.Error(), "aliases make this document too large; expected fewer aliases") || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("got %v", err)
	}
}

// Nearest names are sought for the first errors only, so that a file full of
// unknown names cannot take for ever.
func TestManyUnknownNames(t *testing.T) {
	t.Parallel()
	const n = 2 * maxNearest
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "kind: Component\nname: component-%d\nneeds: [compnent-%d]\n---\n", i, i)
	}
	_, err := Parse([]File{{"a.yaml", []byte(b.String())}})
	var es Errors
	if !errors.As(err, &es) || len(es) != n {
		t.Fatalf("%d errors", len(es))
	}
	if es[0].Nearest != "component-0" || es[maxNearest].Nearest != "" {
		t.Errorf("nearest of the first %q, of a late one %q", es[0].Nearest, es[maxNearest].Nearest)
	}
}

// Lines are right in a file that is read in several batches.
func TestLinesOfALargeFile(t *testing.T) {
	var b bytes.Buffer
	line := 1
	for i := 0; b.Len() < 3*batchBytes; i++ {
		fmt.Fprintf(&b, "---\nkind: Domain\nname: d%d\ntitle: >-\n  some\n\n  text\n", i)
		line += 7
	}
	fmt.Fprintf(&b, "--- # last\nkind: Domain\nname: last\nneeds: [dd1]\n")
	_, err := Parse([]File{{"a.yaml", b.Bytes()}})
	want := fmt.Sprintf("a.yaml:%d:9: needs: unknown name \"dd1\"; expected a domain; did you mean \"d1\"?", line+3)
	if err == nil || err.Error() != want {
		t.Errorf("got %v; want %s", err, want)
	}
}

// The canonical form loads back to an equal snapshot and is its own canonical form.
func TestRoundTrip(t *testing.T) {
	texts := good(t)
	for i := range 8 {
		texts[fmt.Sprintf("random %d", i)] = randomEstate(rand.New(rand.NewPCG(uint64(i), 2)))
	}
	for name, text := range texts {
		roundTrip(t, name, []File{{name, []byte(text)}})
	}
}

func roundTrip(t *testing.T, name string, files []File) {
	t.Helper()
	a, err := Parse(files)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, files[0].Data)
	}
	text := a.Encode()
	b, err := Parse([]File{{"canonical", text}})
	if err != nil {
		t.Fatalf("%s: the canonical form does not load: %v\n%s", name, err, text)
	}
	if diff := cmp.Diff(*a, *b, content()); diff != "" {
		t.Fatalf("%s: the canonical form means something else (-want +got):\n%s\n%s", name, diff, text)
	}
	if again := b.Encode(); !bytes.Equal(text, again) {
		t.Fatalf("%s: two canonical forms:\n%s\n%s", name, text, again)
	}
	if d := Diff(a, b); len(d) != 0 {
		t.Fatalf("%s: a difference to itself: %v", name, d)
	}
}

// randomEstate writes an estate that uses the whole format, with names that
// clash between kinds.
func randomEstate(r *rand.Rand) string {
	var b strings.Builder
	names := []string{"a", "null", "1", "2e3", "x-1.y", "on"}
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	maybe := func(format string, args ...any) {
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, format, args...)
		}
	}
	quoted := func(s string) string { return `"` + s + `"` }
	title := func() string {
		return one(`판교`, `"a: b"`, `'it''s'`, `"tab\tline\nend"`, `yes`, `"5"`, `" lead"`, `"\U0001F525"`, `"#x"`, `"\uFEFF"`)
	}
	duration := func() string {
		return one("0s", "1s", "90m", "1h30m", "7d", "1.5s", "0.25h", "250ms", "{likely: 1m, worst: 90s}", "{likely: 2m}")
	}
	var need func(kinds []string, depth int) string
	need = func(kinds []string, depth int) string {
		list := func() string {
			var items []string
			for range 1 + r.IntN(3) {
				items = append(items, need(kinds, depth+1))
			}
			return "[" + strings.Join(items, ", ") + "]"
		}
		switch k := r.IntN(5); {
		case depth < 3 && k == 0:
			return list()
		case depth < 3 && k == 1:
			return "{anyOf: " + list() + "}"
		case depth < 3 && k == 2:
			return "{atLeast: 1, of: " + list() + "}"
		}
		return quoted(one(kinds...) + "/" + one(names...))
	}
	all := []string{"domain", "component", "service", "crew"}
	common := func() {
		maybe("title: %s\n", title())
		maybe("source: {from: %s, at: %s}\n", title(), one("2022-03-01", "2022-10-15T15:27:00+09:00", "2022-10-15T15:27:00.5Z"))
		maybe("cost: %s\n", one("0", "1", "2.5", "1e15", "0.000001"))
		maybe("waive: [{rule: %s, owner: kim, reason: %s, until: 2027-01-01}]\n", title(), title())
	}
	for i, name := range names {
		fmt.Fprintf(&b, "---\nkind: Domain\nname: %s\n", quoted(name))
		if i > 0 {
			earlier := names[:i]
			maybe("needs: [%s, {anyOf: [%s]}]\n", quoted(one(earlier...)), quoted("domain/"+one(earlier...)))
		}
		maybe("type: %s\n", one("site", "rack", `""`))
		maybe("capacity: {servers: %s, disk: %s}\n", one("0", "36000", "0.5"), one("40TiB", "5GB", "1.5 kB", "3e3"))
		maybe("rate: 0.5\n")
		maybe("growth: %s\n", one("-0.5", "0", "0.125"))
		maybe("outage: %s\n", duration())
		common()
		fmt.Fprintf(&b, "---\nkind: Component\nname: %s\n", quoted(name))
		if r.IntN(2) == 0 {
			fmt.Fprintf(&b, "mode: primary\nauto: %s\nreplicas: [{in: %s, role: primary}, {in: %s, role: standby, count: %d, lag: %s}]\n", one("true", "false"), quoted(one(names...)), quoted(one(names...)), r.IntN(3), duration())
		} else {
			fmt.Fprintf(&b, "mode: any\natLeast: %d\nreplicas: [{in: %s, count: %d, uses: {servers: 0.5, ram: 1GiB}}]\n", 1+r.IntN(3), quoted(one(names...)), r.IntN(5))
		}
		maybe("needs: %s\n", need(all, 0))
		maybe("wants: %s\n", need(all, 0))
		maybe("startNeeds: %s\n", need(all, 0))
		maybe("data: {size: 5GB, copies: [{in: %s, how: backup, lag: %s}]}\n", quoted(one(names...)), duration())
		maybe("spread: {over: %s, max: 2}\n", one("hall", `"a b"`))
		maybe("actions:\n- {name: %s, does: start, at: %s, takes: %s, needs: %s, crew: {%s: 2}, uses: {%s: 0}, run: {exec: {arg: %s, %s: [1, 1.0, x, null, {}]}}}\n- {name: other, does: shrink, removes: {count: 3}}\n",
			quoted(one(names...)), quoted(one(names...)), duration(), need(all, 0), quoted(one(names...)), quoted(one(names...)), title(), quoted(one(names...)))
		common()
		fmt.Fprintf(&b, "---\nkind: Service\nname: %s\nneeds: %s\n", quoted(name), need(all, 0))
		maybe("users: %d\n", r.IntN(1e9))
		maybe("weight: %s\n", one("0", "1", "2.5"))
		maybe("tier: 2\npaid: true\n")
		maybe("parts: [{name: p, share: 0.3, title: %s, needs: %s}, {name: q}]\n", title(), need(all, 0))
		maybe("objectives: {rto: %s}\n", one("0s", "5m"))
		common()
		fmt.Fprintf(&b, "---\nkind: Crew\nname: %s\n", quoted(name))
		maybe("people: %d\n", r.IntN(3))
		maybe("needs: %s\n", need(all, 0))
		fmt.Fprintf(&b, "---\nkind: Limit\nname: %s\n", quoted(name))
		maybe("slots: %d\n", r.IntN(3))
		fmt.Fprintf(&b, "---\nkind: Probe\nname: %s\nin: %s\n%s\n", quoted(name), quoted(one(names...)), one("tcp: a:1", "http: http://a/"))
		maybe("of: %s\nevery: 90s\n", quoted(one("component", "service")+"/"+one(names...)))
		fmt.Fprintf(&b, "---\nkind: Option\nname: %s\n", quoted(name))
		maybe("in: %s\nlead: %s\nyearly: 7\n", quoted(one(names...)), duration())
	}
	return b.String()
}

// TestTooLargeIsNotRead: what is too large is refused by its size. The file takes no room on the
// disk, and would in memory.
func TestTooLargeIsNotRead(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 1<<40); err != nil {
		t.Fatal(err)
	}
	_, err := Load(os.DirFS(dir))
	if err == nil || !strings.Contains(err.Error(), "large.yaml: the estate is too large; expected at most 512 MiB in all files") {
		t.Errorf("error %v", err)
	}
}
