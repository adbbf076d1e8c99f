package estate

import (
	"math"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// A field is one field of the format: how it is read, written, and described
// in a schema. One table of fields is the whole truth about a kind, so that the
// reader, the writer, the schema and the known names cannot drift apart.
type field[T any] struct {
	name     string
	doc      string // one sentence for people, shown by editors
	required bool
	schema   schema
	read     func(d *decoder, n *yaml.Node, v *T)
	write    func(e *encoder, v *T) // writes nothing when the field is at its default
}

// A table is the fields of one mapping of the format, in canonical order.
type table[T any] struct {
	what   string // for messages: "Domain", "a replica"
	doc    string
	fields []field[T]
	names  []string
	init   func(v *T)                           // sets defaults before a read; may be nil
	done   func(d *decoder, n *yaml.Node, v *T) // checks what was read as a whole; may be nil
}

func newTable[T any](what, doc string, fields ...field[T]) *table[T] {
	t := &table[T]{what: what, doc: doc, fields: fields}
	for i := range fields {
		t.names = append(t.names, fields[i].name)
	}
	return t
}

// read decodes the mapping n into v and reports whether it was one.
func (t *table[T]) read(d *decoder, n *yaml.Node, v *T) bool {
	if t.init != nil {
		t.init(v)
	}
	m := d.mapping(n, t.what, "a mapping")
	if m == nil {
		return false
	}
	var seen uint64
	d.pairs(m, t.what, func(key string, k, val *yaml.Node) {
		for i := range t.fields {
			if t.fields[i].name == key {
				seen |= 1 << i
				t.fields[i].read(d, val, v)
				return
			}
		}
		d.unknownField(k, key, t.what, t.names)
	})
	for i := range t.fields {
		if f := &t.fields[i]; f.required && seen&(1<<i) == 0 && d.left >= 0 {
			d.fail(m, "the field "+f.name, "", "%s has no %s", t.what, f.name)
		}
	}
	if t.done != nil && d.left >= 0 {
		t.done(d, m, v)
	}
	return true
}

// listOf is a field that is a list of mappings, each of table t.
func listOf[T, E any](name, doc string, t *table[E], at func(*T) *[]E) field[T] {
	return field[T]{
		name: name, doc: doc, schema: schema{"type": "array", "items": t.schema()},
		read: func(d *decoder, n *yaml.Node, v *T) {
			items := d.list(n, name, "a list of mappings")
			if len(items) == 0 {
				return
			}
			out := make([]E, len(items))
			for i, c := range items {
				if d.left < 0 {
					return
				}
				t.read(d, c, &out[i])
			}
			*at(v) = out
		},
		write: func(e *encoder, v *T) { writeList(e, t, *at(v)) },
	}
}

func textField[T any](name, doc string, at func(*T) *string) field[T] {
	return field[T]{
		name: name, doc: doc, schema: schema{"type": "string"},
		read:  func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.text(n, name) },
		write: func(e *encoder, v *T) { e.textIf(*at(v)) },
	}
}

// requiredText is a text that must be given and not be empty.
func requiredText[T any](name, doc string, at func(*T) *string) field[T] {
	return field[T]{
		name: name, doc: doc, required: true, schema: schema{"type": "string", "minLength": 1},
		read: func(d *decoder, n *yaml.Node, v *T) {
			before := len(d.errs)
			if *at(v) = d.text(n, name); *at(v) == "" && len(d.errs) == before && d.left >= 0 {
				d.fail(n, "text", "", "%s is empty", name)
			}
		},
		write: func(e *encoder, v *T) { e.text(*at(v)) },
	}
}

func nameField[T any](what string, at func(*T) *string) field[T] {
	return field[T]{
		name: "name", doc: "The name that others refer to.", required: true, schema: schemaName(),
		read:  func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.name(n, what) },
		write: func(e *encoder, v *T) { e.text(*at(v)) },
	}
}

func boolField[T any](name, doc string, at func(*T) *bool) field[T] {
	return field[T]{
		name: name, doc: doc, schema: schema{"type": "boolean", "default": false},
		read: func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.boolean(n, name) },
		write: func(e *encoder, v *T) {
			if *at(v) {
				e.raw("true")
			}
		},
	}
}

// wholeField is a whole number from least to most; what is not given is def.
func wholeField[T any, I int | int64](name, doc string, least, most, def I, at func(*T) *I) field[T] {
	s := schema{"type": "integer", "minimum": least}
	if def >= least {
		s["default"] = def
	}
	if most != maxCount {
		s["maximum"] = most
	}
	return field[T]{
		name: name, doc: doc, schema: s,
		read: func(d *decoder, n *yaml.Node, v *T) { *at(v) = I(d.whole(n, name, int64(least), int64(most))) },
		write: func(e *encoder, v *T) {
			if *at(v) != def {
				e.whole(int64(*at(v)))
			}
		},
	}
}

func numberField[T any](name, doc string, least, most, def float64, at func(*T) *float64) field[T] {
	s := schema{"type": "number", "minimum": least, "default": def}
	if least < 0 {
		delete(s, "minimum")
		s["exclusiveMinimum"] = least
	}
	if most < math.MaxFloat64 {
		s["maximum"] = most
	}
	return field[T]{
		name: name, doc: doc, schema: s,
		read: func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.number(n, name, least, most) },
		write: func(e *encoder, v *T) {
			if *at(v) != def {
				e.number(*at(v))
			}
		},
	}
}

func choiceField[T any, S ~string](name, doc string, required bool, def S, valid []string, at func(*T) *S) field[T] {
	s := schema{"enum": valid}
	if def != "" {
		s["default"] = def
	}
	return field[T]{
		name: name, doc: doc, required: required, schema: s,
		read: func(d *decoder, n *yaml.Node, v *T) { *at(v) = S(d.choice(n, name, valid)) },
		write: func(e *encoder, v *T) {
			if *at(v) != def {
				e.text(string(*at(v)))
			}
		},
	}
}

func dateField[T any](name, doc string, required bool, at func(*T) *time.Time) field[T] {
	return field[T]{
		name: name, doc: doc, required: required, schema: schemaDate(),
		read: func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.date(n, name) },
		write: func(e *encoder, v *T) {
			if required || !at(v).IsZero() {
				e.date(*at(v))
			}
		},
	}
}

func durationField[T any](name, doc string, def time.Duration, at func(*T) *time.Duration) field[T] {
	s := schemaDuration()
	if def > 0 {
		s["default"] = FormatDuration(def)
	}
	return field[T]{
		name: name, doc: doc, schema: s,
		read: func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.duration(n, name, def > 0) },
		write: func(e *encoder, v *T) {
			if *at(v) != def {
				e.duration(*at(v))
			}
		},
	}
}

// promiseField is a duration that need not be given at all.
func promiseField[T any](name, doc string, at func(*T) **time.Duration) field[T] {
	return field[T]{
		name: name, doc: doc, schema: schemaDuration(),
		read: func(d *decoder, n *yaml.Node, v *T) {
			p := d.duration(n, name, false)
			*at(v) = &p
		},
		write: func(e *encoder, v *T) {
			if p := *at(v); p != nil {
				e.duration(*p)
			}
		},
	}
}

func spanField[T any](name, doc string, at func(*T) *Span) field[T] {
	return field[T]{
		name: name, doc: doc, schema: schemaSpan(),
		read: func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.span(n, name) },
		write: func(e *encoder, v *T) {
			if s := *at(v); s != (Span{}) {
				e.span(s)
			}
		},
	}
}

// lagField is a span that need not be known.
func lagField[T any](at func(*T) **Span) field[T] {
	return field[T]{
		name: "lag", doc: "How far it is behind; unknown when not given.", schema: schemaSpan(),
		read: func(d *decoder, n *yaml.Node, v *T) {
			s := d.span(n, "lag")
			*at(v) = &s
		},
		write: func(e *encoder, v *T) {
			if s := *at(v); s != nil {
				e.span(*s)
			}
		},
	}
}

func needField[T any](name, doc string, kinds kindSet, at func(*T) *Need) field[T] {
	return field[T]{
		name: name, doc: doc, schema: schema{"$ref": "#/$defs/need"},
		read:  func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.need(n, name, kinds) },
		write: func(e *encoder, v *T) { e.need(*at(v)) },
	}
}

func resourcesField[T any](name, doc string, at func(*T) *Resources) field[T] {
	return field[T]{
		name: name, doc: doc, schema: schemaResources(),
		read:  func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.resources(n, name) },
		write: func(e *encoder, v *T) { e.resources(*at(v)) },
	}
}

func usesField[T any](name, doc string, kind Kind, at func(*T) *[]Use) field[T] {
	return field[T]{
		name: name, doc: doc, schema: schemaUses(),
		read:  func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.uses(n, name, 1<<kind) },
		write: func(e *encoder, v *T) { e.uses(*at(v), kind) },
	}
}

// domainField is the name of one domain.
func domainField[T any](name, doc string, required bool, at func(*T) *int) field[T] {
	return field[T]{
		name: name, doc: doc, required: required, schema: schemaRef(),
		read: func(d *decoder, n *yaml.Node, v *T) { d.refIndex(n, name, onlyDomain, at(v)) },
		write: func(e *encoder, v *T) {
			if i := *at(v); i >= 0 {
				e.domain(i)
			}
		},
	}
}

// countIn is a mapping of one count, such as {count: 4000}.
func countIn[T any](name, doc string, at func(*T) *int) field[T] {
	t := newTable(name, doc, field[int]{
		name: "count", doc: "How many replicas.", required: true, schema: schema{"type": "integer", "minimum": 1, "maximum": maxReplicas},
		read:  func(d *decoder, n *yaml.Node, v *int) { *v = int(d.whole(n, name+" count", 1, maxReplicas)) },
		write: func(e *encoder, v *int) { e.whole(int64(*v)) },
	})
	return field[T]{
		name: name, doc: doc, schema: t.schema(),
		read: func(d *decoder, n *yaml.Node, v *T) { t.read(d, n, at(v)) },
		write: func(e *encoder, v *T) {
			if *at(v) > 0 {
				writeObject(e, t, at(v))
			}
		},
	}
}

// objectField is a mapping of table t that is left out while it is zero.
func objectField[T, E any](name, doc string, t *table[E], at func(*T) *E, zero func(*E) bool) field[T] {
	return field[T]{
		name: name, doc: doc, schema: t.schema(),
		read: func(d *decoder, n *yaml.Node, v *T) { t.read(d, n, at(v)) },
		write: func(e *encoder, v *T) {
			if !zero(at(v)) {
				writeObject(e, t, at(v))
			}
		},
	}
}

// pointerField is a mapping of table t that need not be given.
func pointerField[T, E any](name, doc string, t *table[E], at func(*T) **E) field[T] {
	return field[T]{
		name: name, doc: doc, schema: t.schema(),
		read: func(d *decoder, n *yaml.Node, v *T) {
			e := new(E)
			if t.read(d, n, e) {
				*at(v) = e
			}
		},
		write: func(e *encoder, v *T) {
			if p := *at(v); p != nil {
				writeObject(e, t, p)
			}
		},
	}
}

// placesField is one domain or a list of domains.
func placesField[T any](name, doc string, at func(*T) *[]int) field[T] {
	return field[T]{
		name: name, doc: doc,
		schema: schema{"anyOf": []schema{schemaRef(), {"type": "array", "minItems": 1, "uniqueItems": true, "items": schemaRef()}}},
		read:   func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.places(n, name) },
		write:  func(e *encoder, v *T) { e.places(*at(v)) },
	}
}

// drivers are the ways to carry out an action.
func drivers() []string {
	return []string{"exec", "http", "ssh", "postgres", "redis", "mysql", "dns", "haproxy", "kubernetes", "manual"}
}

func runField[T any](at func(*T) **Run) field[T] {
	props := schema{}
	for _, name := range drivers() {
		props[name] = schema{"type": []string{"object", "null"}, "description": "Arguments of the driver " + name + "."}
	}
	const doc = "How it is really done: one driver and its arguments. Without it a person does it and confirms."
	return field[T]{
		name: "run", doc: doc,
		schema: schema{"type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1, "properties": props},
		read:   func(d *decoder, n *yaml.Node, v *T) { *at(v) = d.run(n) },
		write: func(e *encoder, v *T) {
			if r := *at(v); r != nil {
				e.raw("{" + r.Driver + ": ")
				e.args(r.Args)
				e.raw("}")
			}
		},
	}
}

// run reads {driver: {arguments}}.
func (d *decoder) run(n *yaml.Node) *Run {
	m := d.mapping(n, "run", "a mapping such as {exec: {…}}")
	if m == nil {
		return nil
	}
	valid := drivers()
	var out *Run
	count := 0
	d.pairs(m, "run", func(key string, k, v *yaml.Node) {
		count++
		if !slices.Contains(valid, key) {
			d.unknownField(k, key, "run", valid)
			return
		}
		if count > 1 {
			d.fail(k, "exactly one driver", "", "run has a second driver %s", short(key))
			return
		}
		out = &Run{Driver: key, Args: map[string]any{}, Pos: d.pos(k)}
		if r := d.real(v); r == nil || isNull(r) {
			return
		}
		if r := d.mapping(v, key, "a mapping of arguments"); r != nil {
			if args, ok := d.args(r, key, 0).(map[string]any); ok {
				out.Args = args
			}
		}
	})
	if count == 0 && d.left >= 0 {
		d.fail(m, "one of "+orList(valid), "", "run has no driver")
	}
	return out
}

// A format is the tables of every kind, built once a load.
type format struct {
	domain    *table[Domain]
	component *table[Component]
	service   *table[Service]
	crew      *table[Crew]
	limit     *table[Limit]
	probe     *table[Probe]
	option    *table[Option]
}

const maxUsers = 1_000_000_000_000

func newFormat() *format {
	f := &format{}
	f.domain = newTable("Domain", "A failure domain: losing it loses what is in it.", docFields(KindDomain, func(v *Domain) *Doc { return &v.Doc },
		textField("type", "Free text such as rack, hall, feed, carrier or vendor; site has a meaning: a data centre.", func(v *Domain) *string { return &v.Type }),
		textField("operator", "Who runs it: whom recourse goes to.", func(v *Domain) *string { return &v.Operator }),
		resourcesField("capacity", "What it holds in all, by resource; a resource that is not stated has no limit.", func(v *Domain) *Resources { return &v.Capacity }),
		needField("needs", "Domains that it is in, or that feed it.", onlyDomain, func(v *Domain) *Need { return &v.Needs }),
		numberField("rate", "How often it is lost, in losses a year.", 0, math.MaxFloat64, 0, func(v *Domain) *float64 { return &v.Rate }),
		spanField("outage", "How long a loss of it lasts.", func(v *Domain) *Span { return &v.Outage }),
		numberField("growth", "Yearly growth of what it must hold, as a fraction: 0.2 is 20 %.", -1, math.MaxFloat64, 0, func(v *Domain) *float64 { return &v.Growth }),
	)...)
	f.component = newTable("Component", "What runs: an application, a data store, a tool.", docFields(KindComponent, func(v *Component) *Doc { return &v.Doc },
		boolField("tool", "Whether operators or automation need it to work on the estate.", func(v *Component) *bool { return &v.Tool }),
		choiceField("mode", "When the living replicas are enough: any (at least atLeast), quorum (more than half of all), primary (the primary lives).", false, ModeAny, []string{"any", "quorum", "primary"}, func(v *Component) *Mode { return &v.Mode }),
		wholeField("atLeast", "In mode any: how many replicas must live.", 1, maxReplicas, 1, func(v *Component) *int { return &v.AtLeast }),
		boolField("auto", "In mode primary: it fails over by itself to a living standby.", func(v *Component) *bool { return &v.Auto }),
		listOf("replicas", "Where it runs. Without replicas it is a grouping that always holds.", replicaTable(), func(v *Component) *[]Replica { return &v.Replicas }),
		needField("needs", "What it needs to run.", anyNeedable, func(v *Component) *Need { return &v.Needs }),
		needField("wants", "What it runs worse without.", anyNeedable, func(v *Component) *Need { return &v.Wants }),
		needField("startNeeds", "What it needs only to start from cold.", anyNeedable, func(v *Component) *Need { return &v.StartNeeds }),
		pointerField("data", "The state that it keeps.", dataTable(), func(v *Component) **Data { return &v.Data }),
		listOf("actions", "The ways to bring it back.", actionTable(), func(v *Component) *[]Action { return &v.Actions }),
		pointerField("spread", "How many replicas may share one domain of a type.", spreadTable(), func(v *Component) **Spread { return &v.Spread }),
	)...)
	f.service = newTable("Service", "What users use.", docFields(KindService, func(v *Service) *Doc { return &v.Doc },
		wholeField("users", "How many people use it.", 0, maxUsers, 0, func(v *Service) *int64 { return &v.Users }),
		numberField("weight", "Its closeness to daily life, at most a million.", 0, 1e6, 1, func(v *Service) *float64 { return &v.Weight }),
		boolField("paid", "Whether users pay for it.", func(v *Service) *bool { return &v.Paid }),
		field[Service]{
			name: "tier", doc: "Its rank; 1 is highest.", schema: schema{"type": "integer", "minimum": 1},
			read: func(d *decoder, n *yaml.Node, v *Service) { v.Tier = int(d.whole(n, "tier", 1, maxCount)) },
			write: func(e *encoder, v *Service) {
				if v.Tier != 0 {
					e.whole(int64(v.Tier))
				}
			},
		},
		needField("needs", "What its core needs.", anyNeedable, func(v *Service) *Need { return &v.Needs }),
		needField("wants", "What it is worse without.", anyNeedable, func(v *Service) *Need { return &v.Wants }),
		listOf("parts", "Features that come back on their own; their shares sum to at most 1, the rest is the core.", partTable(), func(v *Service) *[]Part { return &v.Parts }),
		objectField("objectives", "What was promised.", objectivesTable(), func(v *Service) *Objectives { return &v.Objectives }, func(o *Objectives) bool { return o.RTO == nil && o.RPO == nil }),
		pointerField("page", "It is a status page: what that rests on, which must not go down with any other service.", pageTable(), func(v *Service) **Page { return &v.Page }),
	)...)
	f.crew = newTable("Crew", "People who carry out actions.", docFields(KindCrew, func(v *Crew) *Doc { return &v.Doc },
		wholeField("people", "How many they are; not given means no limit.", 0, maxCount, -1, func(v *Crew) *int { return &v.People }),
		needField("needs", "How they are reached and get in.", anyNeedable, func(v *Crew) *Need { return &v.Needs }),
	)...)
	f.limit = newTable("Limit", "A number of slots that actions share.", docFields(KindLimit, func(v *Limit) *Doc { return &v.Doc },
		wholeField("slots", "How many there are; not given means no limit.", 0, maxCount, -1, func(v *Limit) *int { return &v.Slots }),
	)...)
	f.probe = newTable("Probe", "What to watch where.", docFields(KindProbe, func(v *Probe) *Doc { return &v.Doc },
		domainField("in", "The domain that its target stands in.", true, func(v *Probe) *int { return &v.In }),
		field[Probe]{
			name: "of", doc: "The component or service that the target shows; not given: the domain itself.", schema: schemaRef(),
			read: func(d *decoder, n *yaml.Node, v *Probe) {
				if s, n, ok := d.scalar(n, "of", anyProbed.String()); ok {
					v.Of = &Ref{Name: s, Index: -1}
					d.links = append(d.links, link{name: s, ref: v.Of, kinds: anyProbed, owner: "of", pos: d.pos(n)})
				}
			},
			write: func(e *encoder, v *Probe) {
				if v.Of != nil {
					e.ref(*v.Of, anyProbed)
				}
			},
		},
		urlField(func(v *Probe) *string { return &v.HTTP }),
		addressField(func(v *Probe) *string { return &v.TCP }),
		field[Probe]{
			name: "expect", doc: "The HTTP status to expect; not given: any below 400.", schema: schema{"type": "integer", "minimum": 100, "maximum": 599},
			read: func(d *decoder, n *yaml.Node, v *Probe) { v.Expect = int(d.whole(n, "expect", 100, 599)) },
			write: func(e *encoder, v *Probe) {
				if v.Expect != 0 {
					e.whole(int64(v.Expect))
				}
			},
		},
		durationField("every", "How often.", defaultEvery, func(v *Probe) *time.Duration { return &v.Every }),
		durationField("timeout", "How long an answer may take.", defaultTimeout, func(v *Probe) *time.Duration { return &v.Timeout }),
	)...)
	f.option = newTable("Option", "Capacity that could be built.", docFields(KindOption, func(v *Option) *Doc { return &v.Doc },
		domainField("in", "The domain that it would enlarge; not given: a new one.", false, func(v *Option) *int { return &v.In }),
		textField("type", "The type of the new domain.", func(v *Option) *string { return &v.Type }),
		textField("operator", "Who would run it.", func(v *Option) *string { return &v.Operator }),
		resourcesField("capacity", "What it would hold.", func(v *Option) *Resources { return &v.Capacity }),
		spanField("lead", "How long it takes to build.", func(v *Option) *Span { return &v.Lead }),
		numberField("yearly", "What it costs to run a year.", 0, maxCost, 0, func(v *Option) *float64 { return &v.Yearly }),
	)...)
	f.domain.init = func(v *Domain) { v.Cost, v.Site = 1, -1 }
	f.component.init = func(v *Component) { v.Cost, v.Mode, v.AtLeast = 1, ModeAny, 1 }
	f.service.init = func(v *Service) { v.Cost, v.Weight = 1, 1 }
	f.crew.init = func(v *Crew) { v.Cost, v.People = 1, -1 }
	f.limit.init = func(v *Limit) { v.Cost, v.Slots = 1, -1 }
	f.probe.init = func(v *Probe) { v.Cost, v.Every, v.Timeout = 1, defaultEvery, defaultTimeout }
	f.option.init = func(v *Option) { v.Cost, v.In = 1, -1 }
	f.component.done = checkComponent
	f.service.done = checkService
	f.probe.done = checkProbe
	return f
}

const (
	defaultEvery   = time.Second
	defaultTimeout = time.Second
)

// docFields returns the fields of a kind between those that every document has.
func docFields[T any](k Kind, doc func(*T) *Doc, own ...field[T]) []field[T] {
	fields := []field[T]{
		{
			name: "kind", doc: "What the document describes.", required: true, schema: schema{"const": k.Title()},
			read:  func(*decoder, *yaml.Node, *T) {},
			write: func(e *encoder, _ *T) { e.raw(k.Title()) },
		},
		nameField("name", func(v *T) *string { return &doc(v).Name }),
		textField("title", "For people, in any language.", func(v *T) *string { return &doc(v).Title }),
	}
	fields = append(fields, own...)
	return append(fields,
		objectField("source", "Where the fact comes from and how old it is.", sourceTable(), func(v *T) *Source { return &doc(v).Source }, func(s *Source) bool { return *s == Source{} }),
		numberField("cost", "What a measure on this costs.", 0, maxCost, 1, func(v *T) *float64 { return &doc(v).Cost }),
		listOf("waive", "Exceptions from audit rules.", waiverTable(), func(v *T) *[]Waiver { return &doc(v).Waive }),
	)
}

func sourceTable() *table[Source] {
	return newTable("source", "Where the fact comes from and how old it is.",
		textField("from", "Who or what says so; assumed marks a figure of one's own.", func(v *Source) *string { return &v.From }),
		dateField("at", "When it was so.", false, func(v *Source) *time.Time { return &v.At }),
	)
}

func objectivesTable() *table[Objectives] {
	return newTable("objectives", "What was promised.",
		promiseField("rto", "How long it may be down.", func(v *Objectives) **time.Duration { return &v.RTO }),
		promiseField("rpo", "How much of the newest data may be lost, as a time.", func(v *Objectives) **time.Duration { return &v.RPO }),
	)
}

func pageTable() *table[Page] {
	return newTable("page", "What a status page rests on.",
		needField("dns", "Who answers for its name.", anyNeedable, func(v *Page) *Need { return &v.DNS }),
		needField("certificate", "What renews its certificate.", anyNeedable, func(v *Page) *Need { return &v.Certificate }),
		needField("host", "What serves it.", anyNeedable, func(v *Page) *Need { return &v.Host }),
		needField("mail", "What carries its letters to subscribers.", anyNeedable, func(v *Page) *Need { return &v.Mail }),
	)
}

func waiverTable() *table[Waiver] {
	t := newTable("a waiver", "An exception from an audit rule, by a named owner, until a date.",
		requiredText("rule", "The rule that does not apply.", func(v *Waiver) *string { return &v.Rule }),
		textField("loss", "The loss that it is about; not given: every loss.", func(v *Waiver) *string { return &v.Loss }),
		requiredText("owner", "Who answers for it.", func(v *Waiver) *string { return &v.Owner }),
		requiredText("reason", "Why.", func(v *Waiver) *string { return &v.Reason }),
		dateField("until", "When it ends.", true, func(v *Waiver) *time.Time { return &v.Until }),
	)
	t.done = func(d *decoder, n *yaml.Node, v *Waiver) { v.Pos = d.pos(n) }
	return t
}

func replicaTable() *table[Replica] {
	t := newTable("a replica", "Equal replicas in one domain.",
		domainField("in", "The domain that they stand in.", true, func(v *Replica) *int { return &v.In }),
		wholeField("count", "How many.", 0, maxReplicas, 1, func(v *Replica) *int { return &v.Count }),
		resourcesField("uses", "Room that one replica takes in its domain.", func(v *Replica) *Resources { return &v.Uses }),
		choiceField("role", "In mode primary: its part.", false, RoleNone, []string{"primary", "standby"}, func(v *Replica) *Role { return &v.Role }),
		boolField("sync", "Of a standby: it has every acknowledged write.", func(v *Replica) *bool { return &v.Sync }),
		lagField(func(v *Replica) **Span { return &v.Lag }),
	)
	t.init = func(v *Replica) { v.Count = 1 }
	t.done = checkReplica
	return t
}

func copyTable() *table[Copy] {
	t := newTable("a copy", "A second copy of the data.",
		domainField("in", "The domain that it stands in.", true, func(v *Copy) *int { return &v.In }),
		choiceField("how", "How it is kept.", true, "", []string{"sync", "async", "snapshot", "backup"}, func(v *Copy) *string { return &v.How }),
		lagField(func(v *Copy) **Span { return &v.Lag }),
		dateField("tested", "When a restore from it was last proven; never, when not given.", false, func(v *Copy) *time.Time { return &v.Tested }),
	)
	t.done = func(d *decoder, n *yaml.Node, v *Copy) { v.Pos = d.pos(n) }
	return t
}

func dataTable() *table[Data] {
	return newTable("data", "The state that it keeps.",
		field[Data]{
			name: "size", doc: "How much.", schema: schemaSize(),
			read: func(d *decoder, n *yaml.Node, v *Data) { v.Size = d.size(n, "size") },
			write: func(e *encoder, v *Data) {
				if v.Size != 0 {
					e.size(v.Size)
				}
			},
		},
		listOf("copies", "Copies besides the living replicas.", copyTable(), func(v *Data) *[]Copy { return &v.Copies }),
	)
}

func actionTable() *table[Action] {
	does := []string{"promote", "start", "scale", "restore", "rebuild", "switch", "shrink"}
	t := newTable("an action", "A way to bring the component back.",
		nameField("action name", func(v *Action) *string { return &v.Name }),
		choiceField("does", "What it does.", true, "", does, func(v *Action) *Does { return &v.Does }),
		placesField("at", "Where it takes effect: a domain, or a list of which any one serves.", func(v *Action) *[]int { return &v.At }),
		countIn("adds", "Replicas that it adds there.", func(v *Action) *int { return &v.Adds }),
		countIn("removes", "Of shrink: replicas that it removes there.", func(v *Action) *int { return &v.Removes }),
		spanField("takes", "How long it takes.", func(v *Action) *Span { return &v.Takes }),
		needField("needs", "Tools, and anything else, that must be up while it runs.", anyNeedable, func(v *Action) *Need { return &v.Needs }),
		usesField("crew", "People that it keeps busy, by crew.", KindCrew, func(v *Action) *[]Use { return &v.Crew }),
		usesField("uses", "Slots that it keeps busy, by limit.", KindLimit, func(v *Action) *[]Use { return &v.Uses }),
		listOf("ramp", "Stages of a gradual switch.", rampTable(), func(v *Action) *[]Ramp { return &v.Ramp }),
		runField(func(v *Action) **Run { return &v.Run }),
	)
	t.done = checkAction
	return t
}

func rampTable() *table[Ramp] {
	return newTable("a ramp", "One stage of a gradual switch.",
		field[Ramp]{
			name: "share", doc: "The share of the traffic that is switched.", required: true, schema: schema{"type": "number", "exclusiveMinimum": 0, "maximum": 1},
			read: func(d *decoder, n *yaml.Node, v *Ramp) {
				before := len(d.errs)
				if v.Share = d.number(n, "share", 0, 1); v.Share == 0 && len(d.errs) == before && d.left >= 0 {
					d.fail(n, "more than 0", "", "share is 0")
				}
			},
			write: func(e *encoder, v *Ramp) { e.number(v.Share) },
		},
		field[Ramp]{
			name: "for", doc: "How long it stays so.", required: true, schema: schemaDuration(),
			read:  func(d *decoder, n *yaml.Node, v *Ramp) { v.For = d.duration(n, "for", false) },
			write: func(e *encoder, v *Ramp) { e.duration(v.For) },
		},
	)
}

func partTable() *table[Part] {
	t := newTable("a part", "A feature that comes back on its own.",
		nameField("part name", func(v *Part) *string { return &v.Name }),
		textField("title", "For people.", func(v *Part) *string { return &v.Title }),
		numberField("share", "Its share of the service.", 0, 1, 0, func(v *Part) *float64 { return &v.Share }),
		needField("needs", "What it needs besides the core.", anyNeedable, func(v *Part) *Need { return &v.Needs }),
	)
	t.done = func(d *decoder, n *yaml.Node, v *Part) { v.Pos = d.pos(n) }
	return t
}

func spreadTable() *table[Spread] {
	over := requiredText("over", "The type of the domains.", func(v *Spread) *string { return &v.Over })
	return newTable("spread", "How many replicas may share one domain of a type.", over,
		field[Spread]{
			name: "max", doc: "The most that one domain may hold.", required: true, schema: schema{"type": "integer", "minimum": 1},
			read:  func(d *decoder, n *yaml.Node, v *Spread) { v.Max = int(d.whole(n, "max", 1, maxCount)) },
			write: func(e *encoder, v *Spread) { e.whole(int64(v.Max)) },
		},
	)
}
