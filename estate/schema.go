package estate

import (
	"encoding/json"
	"maps"
)

// A schema is a fragment of JSON Schema draft 2020-12.
type schema map[string]any

const draft = "https://json-schema.org/draft/2020-12/schema"

// schema describes the mapping of a table.
func (t *table[T]) schema() schema {
	props := make(schema, len(t.fields))
	var need []string
	for i := range t.fields {
		f := &t.fields[i]
		p := schema{"description": f.doc}
		maps.Copy(p, f.schema)
		props[f.name] = p
		if f.required {
			need = append(need, f.name)
		}
	}
	s := schema{"type": "object", "description": t.doc, "properties": props, "additionalProperties": false}
	if need != nil {
		s["required"] = need
	}
	return s
}

const (
	patternName     = `^[a-z0-9][a-z0-9.-]*$`
	patternRef      = `^((domain|component|service|crew)/)?[a-z0-9][a-z0-9.-]*$`
	patternDuration = `^([0-9]+(\.[0-9]*)?d)?([0-9]+(\.[0-9]*)?h)?([0-9]+(\.[0-9]*)?m)?([0-9]+(\.[0-9]*)?s)?([0-9]+(\.[0-9]*)?ms)?([0-9]+(\.[0-9]*)?us)?([0-9]+(\.[0-9]*)?ns)?$`
	patternSize     = `^[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)? ?(EiB|PiB|TiB|GiB|MiB|KiB|EB|PB|TB|GB|MB|kB|KB|B)?$`
	patternDate     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?$`
)

// An unquoted name of digits is a number to a YAML reader.
func schemaName() schema {
	return schema{"type": []string{"string", "integer"}, "pattern": patternName, "maxLength": maxName}
}

func schemaRef() schema {
	return schema{"type": []string{"string", "integer"}, "pattern": patternRef}
}

func schemaDuration() schema {
	return schema{"type": "string", "pattern": patternDuration, "minLength": 1, "examples": []string{"12m", "1h30m", "7d", "0s"}}
}

func schemaSpan() schema {
	return schema{"anyOf": []schema{schemaDuration(), {
		"type": "object", "additionalProperties": false, "required": []string{"likely"},
		"properties": schema{"likely": schemaDuration(), "worst": schemaDuration()},
	}}}
}

func schemaSize() schema {
	return schema{"anyOf": []schema{{"type": "number", "minimum": 0}, {"type": "string", "pattern": patternSize}}}
}

func schemaDate() schema {
	return schema{"type": "string", "pattern": patternDate}
}

func schemaResources() schema {
	return schema{"type": "object", "propertyNames": schema{"pattern": patternName}, "additionalProperties": schemaSize()}
}

func schemaUses() schema {
	return schema{"type": "object", "propertyNames": schema{"pattern": patternRef}, "additionalProperties": schema{"type": "integer", "minimum": 0}}
}

// schemaNeed describes the grammar of needs, which refers to itself.
func schemaNeed() schema {
	self := schema{"$ref": "#/$defs/need"}
	items := schema{"type": "array", "minItems": 1, "items": self}
	return schema{
		"description": "A name, a list (all of it), {anyOf: […]} or {atLeast: k, of: […]}; they nest.",
		"anyOf": []schema{
			schemaRef(),
			{"type": "array", "items": self},
			{"type": "object", "required": []string{"anyOf"}, "additionalProperties": false, "properties": schema{"anyOf": items}},
			{"type": "object", "required": []string{"atLeast", "of"}, "additionalProperties": false, "properties": schema{"atLeast": schema{"type": "integer", "minimum": 1}, "of": items}},
		},
	}
}

// kindSchema describes the documents of one kind.
func (f *format) kindSchema(k Kind) schema {
	switch k {
	case KindDomain:
		return f.domain.schema()
	case KindComponent:
		return f.component.schema()
	case KindService:
		return f.service.schema()
	case KindCrew:
		return f.crew.schema()
	case KindLimit:
		return f.limit.schema()
	case KindProbe:
		return f.probe.schema()
	case KindOption:
		return f.option.schema()
	case kinds:
	}
	return schema{}
}

// Schema returns the JSON Schema (draft 2020-12) of the documents of one kind,
// with which editors complete and check them.
func Schema(k Kind) []byte {
	s := newFormat().kindSchema(k)
	s["$schema"] = draft
	s["title"] = k.Title()
	s["$defs"] = schema{"need": schemaNeed()}
	return marshal(s)
}

// StreamSchema returns the JSON Schema of any document of an estate: what an
// editor is told to use for every *.yaml file of the folder.
func StreamSchema() []byte {
	f := newFormat()
	defs := schema{"need": schemaNeed()}
	var titles []string
	var choose []schema
	for _, k := range Kinds() {
		titles = append(titles, k.Title())
		defs[k.Title()] = f.kindSchema(k)
		choose = append(choose, schema{
			"if":   schema{"properties": schema{"kind": schema{"const": k.Title()}}, "required": []string{"kind"}},
			"then": schema{"$ref": "#/$defs/" + k.Title()},
		})
	}
	return marshal(schema{
		"$schema": draft, "title": "bongsu estate, format v1", "type": "object",
		"properties": schema{"kind": schema{"enum": titles, "description": "What the document describes."}},
		"required":   []string{"kind", "name"},
		"allOf":      choose,
		"$defs":      defs,
	})
}

func marshal(s schema) []byte {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic(err) // unreachable: a schema holds maps, slices, strings and finite numbers only
	}
	return append(b, '\n')
}
