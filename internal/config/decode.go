package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// chooser is a string that has to be one of some.
type chooser interface{ choices() []string }

// decoder fills a value from YAML and collects all that is wrong.
type decoder struct {
	file string
	at   map[string]int
	errs []error
}

// decode fills *to, whose present content are the defaults, and returns the line of
// each path that was given.
func decode(file string, text []byte, to any) (map[string]int, error) {
	d := &decoder{file: file, at: map[string]int{}}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s is empty: bongsu init writes one, bongsu config describe explains it", file)
	case err != nil:
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: one document is expected, and there is another one", file)
	}
	d.value(doc.Content[0], reflect.ValueOf(to).Elem(), "")
	return d.at, errors.Join(d.errs...)
}

func (d *decoder) bad(n *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("%s:%d:%d: %s", d.file, n.Line, n.Column, fmt.Sprintf(format, args...)))
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	d.at[path] = n.Line
	if n.Kind == yaml.AliasNode {
		d.bad(n, "%s is an alias: write the value out", path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.fields(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.byName(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) expect(n *yaml.Node, kind yaml.Kind, path, what string) bool {
	if n.Kind != kind {
		d.bad(n, "%s must be %s", pathName(path), what)
		return false
	}
	return true
}

// pathName is how messages call a path.
func pathName(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func (d *decoder) fields(n *yaml.Node, v reflect.Value, path string) {
	if !d.expect(n, yaml.MappingNode, path, "a mapping of fields") {
		return
	}
	names, known := fieldsOf(v)
	d.pairs(n, path, func(key, value *yaml.Node, sub string) {
		field, ok := known[key.Value]
		if !ok {
			d.bad(key, "unknown field %q in %s%s", key.Value, pathName(path), didYouMean(key.Value, names))
			return
		}
		d.value(value, field, sub)
	})
}

// fieldsOf returns the settable fields of a struct by name, those of embedded structs
// among them.
func fieldsOf(v reflect.Value) (names []string, known map[string]reflect.Value) {
	known = map[string]reflect.Value{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.Anonymous {
			inner, fields := fieldsOf(v.Field(i))
			names = append(names, inner...)
			maps.Copy(known, fields)
			continue
		}
		if tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); tag != "" {
			names = append(names, tag)
			known[tag] = v.Field(i)
		}
	}
	return names, known
}

func (d *decoder) pairs(n *yaml.Node, path string, each func(key, value *yaml.Node, path string)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if seen[key.Value] {
			d.bad(key, "%q is given twice", key.Value)
			continue
		}
		seen[key.Value] = true
		each(key, n.Content[i+1], strings.TrimPrefix(path+"."+key.Value, "."))
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if !d.expect(n, yaml.SequenceNode, path, "a list") {
		return
	}
	made := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, made.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(made)
}

func (d *decoder) byName(n *yaml.Node, v reflect.Value, path string) {
	if !d.expect(n, yaml.MappingNode, path, "a mapping of names") {
		return
	}
	made := reflect.MakeMap(v.Type())
	d.pairs(n, path, func(key, value *yaml.Node, sub string) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(value, item, sub)
		made.SetMapIndex(reflect.ValueOf(key.Value), item)
	})
	v.Set(made)
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if !d.expect(n, yaml.ScalarNode, path, "a single value") {
		return
	}
	s := n.Value
	switch x := v.Interface().(type) {
	case time.Duration:
		t, err := time.ParseDuration(s)
		if err != nil {
			d.bad(n, "%s is %q, which is no duration: write a number with ms, s, m or h, such as 500ms", path, s)
			return
		}
		v.SetInt(int64(t))
	case Bytes:
		b, err := parseBytes(s)
		if err != nil {
			d.bad(n, "%s: %v", path, err)
			return
		}
		v.SetInt(int64(b))
	case chooser:
		if !slices.Contains(x.choices(), s) {
			d.bad(n, "%s is %q, which is none of %s%s", path, s, strings.Join(x.choices(), ", "), nearest(s, x.choices()))
			return
		}
		v.SetString(s)
	case bool:
		if s != "true" && s != "false" {
			d.bad(n, "%s is %q: must be true or false", path, s)
			return
		}
		v.SetBool(s == "true")
	case int:
		i, err := strconv.Atoi(s)
		if err != nil {
			d.bad(n, "%s is %q: must be a whole number", path, s)
			return
		}
		v.SetInt(int64(i))
	case string:
		if n.Tag == "!!null" {
			s = ""
		}
		v.SetString(s)
	default:
		panic(fmt.Sprintf("%s has type %T", path, x)) // unreachable: a test decodes every field
	}
}

// nearest is didYouMean where the choices were named already.
func nearest(got string, names []string) string {
	if s := didYouMean(got, names); strings.HasPrefix(s, ";") {
		return s
	}
	return ""
}
