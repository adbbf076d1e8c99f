package estate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compile(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// documents decodes a stream as an editor does: to what JSON can say.
func documents(t *testing.T, text []byte) []any {
	t.Helper()
	var out []any
	for in := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		if err := in.Decode(&n); err != nil {
			return out
		}
		out = append(out, asJSON(t, n.Content[0]))
	}
}

func asJSON(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = asJSON(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, asJSON(t, c))
		}
		return l
	case yaml.AliasNode:
		return asJSON(t, n.Alias)
	case yaml.ScalarNode, yaml.DocumentNode:
	}
	d := &decoder{}
	switch v := d.value(n, "").(type) {
	case int:
		return json.Number(fmt.Sprint(v))
	case float64:
		return json.Number(fmt.Sprint(v))
	default:
		return v
	}
}

// A text that loads satisfies the schemas of its kinds and of the stream.
func TestSchemaAccepts(t *testing.T) {
	texts := map[string]string{"base": base}
	for name, text := range good(t) {
		texts[name] = text
		texts["canonical "+name] = string(mustParse(t, text).Encode())
	}
	for i := range 8 {
		texts[fmt.Sprintf("random %d", i)] = randomEstate(rand.New(rand.NewPCG(uint64(i), 3)))
	}
	files, err := Generate(GenerateOptions{Sites: 3, Servers: 15, Components: 50, Services: 10, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		texts["generated "+f.Name] = string(f.Data)
	}
	stream := compile(t, StreamSchema())
	byKind := map[string]*jsonschema.Schema{}
	for _, k := range Kinds() {
		byKind[k.Title()] = compile(t, Schema(k))
	}
	for name, text := range texts {
		for _, d := range documents(t, []byte(text)) {
			if err := stream.Validate(d); err != nil {
				t.Fatalf("%s: the stream schema refuses %v: %v", name, d, err)
			}
			kind, _ := d.(map[string]any)["kind"].(string)
			for k, s := range byKind {
				if err := s.Validate(d); (err == nil) != (k == kind) {
					t.Fatalf("%s: the schema of %s says %v to %v", name, k, err, d)
				}
			}
		}
	}
}

// A text whose mistake shows within one document is refused by the schema too.
func TestSchemaRefuses(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	s := compile(t, StreamSchema())
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.ContainsFunc(documents(t, text), func(d any) bool { return s.Validate(d) != nil })
		if !bad {
			t.Errorf("%s: the schema accepts it", name)
		}
		if _, err := Parse([]File{{"base.yaml", []byte(base)}, {name, text}}); err == nil {
			t.Errorf("%s: it loads", name)
		}
	}
}

// Every field says what it is for.
func TestSchemaDescribes(t *testing.T) {
	for _, k := range Kinds() {
		var s struct {
			Properties map[string]struct {
				Description string `json:"description"`
			} `json:"properties"`
			Required []string `json:"required"`
		}
		if err := json.Unmarshal(Schema(k), &s); err != nil {
			t.Fatal(err)
		}
		for name, p := range s.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s has no description", k.Title(), name)
			}
		}
		if !slices.Contains(s.Required, "kind") || !slices.Contains(s.Required, "name") {
			t.Errorf("%s requires %v", k.Title(), s.Required)
		}
	}
}
