package config

import (
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Describe writes a file with every field, its default and what it means. It can be
// read back.
func Describe(w io.Writer) error {
	c := DefaultConfig()
	c.Cluster, c.Site = "example", "north"
	c.Nodes = []Node{{
		Site: "north", Role: Member,
		Peer: "127.0.0.1:7400", Client: "127.0.0.1:7401", Console: "http://127.0.0.1:7402",
	}}
	var b strings.Builder
	b.WriteString("# bongsu.yaml: what one node runs by. Every field is here with its default;\n# cluster, site and nodes are examples.\n")
	describe(&b, reflect.ValueOf(c), "")
	_, err := io.WriteString(w, b.String())
	return err
}

// describe writes the fields of a struct, each with its doc tag.
func describe(b *strings.Builder, v reflect.Value, indent string) {
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		if f.Anonymous {
			describe(b, field, indent)
			continue
		}
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		doc := f.Tag.Get("doc")
		if doc != "" {
			doc = "  # " + doc
		}
		switch field.Kind() {
		case reflect.Struct:
			fmt.Fprintf(b, "%s%s:%s\n", indent, name, doc)
			describe(b, field, indent+"  ")
		case reflect.Slice:
			if field.Len() == 0 || field.Type().Elem().Kind() != reflect.Struct {
				items := make([]string, field.Len())
				for j := range items {
					items[j] = text(field.Index(j))
				}
				fmt.Fprintf(b, "%s%s: [%s]%s\n", indent, name, strings.Join(items, ", "), doc)
				continue
			}
			fmt.Fprintf(b, "%s%s:%s\n", indent, name, doc)
			for j := range field.Len() {
				var item strings.Builder
				describe(&item, field.Index(j), indent+"    ")
				fmt.Fprintf(b, "%s  - %s", indent, strings.TrimPrefix(item.String(), indent+"    "))
			}
		case reflect.Map:
			fmt.Fprintf(b, "%s%s: {}%s\n", indent, name, doc)
		default:
			fmt.Fprintf(b, "%s%s: %s%s\n", indent, name, text(field), doc)
		}
	}
}

func text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case Bytes:
		return x.String()
	case string:
		if x == "" {
			return `""`
		}
		if strings.ContainsAny(x[:1], "{[\"'&*!|>%@`#,") {
			return "'" + strings.ReplaceAll(x, "'", "''") + "'"
		}
		return x
	case bool:
		return strconv.FormatBool(x)
	default:
		return fmt.Sprint(x)
	}
}
