package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/audit"
	"bongsu/estate"
)

// TestCheckerIsCheck makes random edits of random estates, one after another, and
// compares every report with one from nothing, byte for byte: documents of every
// kind changed, added and removed, sites among them and names of two kinds, and time
// going on.
func TestCheckerIsCheck(t *testing.T) { t.Parallel(); checkerIsCheck(t, 8, 10, 2) }

func checkerIsCheck(t *testing.T, seeds, steps, edits int) {
	t.Helper()
	const components = 24
	follow, whole, spared, moved, under, sites, called := 0, 0, 0, 0, 0, 0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 12))
		docs := variant(r, components)
		now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		o := audit.Options{Implied: true}
		switch seed % 8 {
		case 1:
			o.Lose = [][]string{{"a", "b"}, {"c-h1"}}
		case 2:
			o.Sites, o.Rules = true, []string{"unrecoverable", "capacity", "tool-tier", "deadlock"}
		case 3:
			o.Sites, o.MinSeverity = true, audit.Warning
		case 4:
			o.Sites, o.Every = true, true
		}
		c := audit.NewChecker(audit.Shared(o))
		var l estate.Loader
		var (
			before []string
			last   *estate.Snapshot
		)
		for step := range steps {
			files := []estate.File{{Name: "estate.yaml", Data: []byte(strings.Join(toldApart(docs), "---\n"))}}
			s, err := l.Parse(files)
			if err != nil {
				docs = before // somebody takes the mistake back
			} else {
				o.Now = now
				want, wantErr := audit.Check(s, o)
				got, gotErr := c.Check(s, now)
				if fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
					t.Fatalf("seed %d, step %d: error %v, want %v", seed, step, gotErr, wantErr)
				}
				if wantErr == nil {
					compareReports(t, seed, step, want, got)
				}
				if j := c.Judged(); last != nil && !j.Whole {
					changes := estate.Diff(last, s)
					if slices.ContainsFunc(changes, func(c estate.Change) bool { return c.What != estate.Changed }) {
						moved++
					}
					if slices.ContainsFunc(changes, func(c estate.Change) bool {
						return c.Kind == estate.KindDomain && slices.ContainsFunc(c.Fields, func(f estate.FieldChange) bool { return f.Path == "needs" })
					}) {
						under++
					}
					if slices.ContainsFunc(changes, func(c estate.Change) bool {
						was, is := siteOf(last, c), siteOf(s, c)
						return was != is
					}) {
						sites++
					}
					if slices.ContainsFunc(changes, func(c estate.Change) bool {
						return c.What != estate.Changed && (twins(last, c.Name) || twins(s, c.Name))
					}) {
						called++
					}
				}
				switch j := c.Judged(); {
				case j.Whole:
					if whole++; last != nil && !o.Every {
						t.Errorf("seed %d, step %d: everything is judged:\n%v", seed, step, estate.Diff(last, s))
					}
				case j.Reached < components/2:
					spared++
					fallthrough
				default:
					follow++
				}
				last = s
			}
			// Somebody edits some documents, or takes the last edit back.
			if before != nil && r.IntN(5) == 0 {
				docs, before = before, nil
			} else {
				before, docs = docs, slices.Clone(docs)
				for range 1 + r.IntN(edits) {
					edit(r, &docs, variant(r, components), components)
				}
			}
			if r.IntN(4) == 0 {
				now = now.Add(time.Duration(r.IntN(40*24)) * time.Hour)
			}
		}
	}
	t.Logf("%d checks by what changed, %d of them of less than half, %d with documents that came or went, %d with a domain that needs others, %d with other sites, %d with names of two kinds; %d whole", follow, spared, moved, under, sites, called, whole)
	if spared < seeds*steps/5 || moved < seeds*steps/20 || under < seeds*steps/50 || sites < seeds*steps/20 || called < seeds*steps/20 {
		t.Errorf("only %d checks were spared anything: the edits do not try what they should", spared)
	}
}

func siteOf(s *estate.Snapshot, c estate.Change) bool {
	r, ok := s.Lookup(c.Kind, c.Name)
	return ok && c.Kind == estate.KindDomain && s.Domains[r.Index].Type == estate.TypeSite
}

// twins reports whether documents of two kinds have a name.
func twins(s *estate.Snapshot, name string) bool {
	n := 0
	for _, k := range estate.Kinds() {
		if _, ok := s.Lookup(k, name); ok {
			n++
		}
	}
	return n > 1
}

func compareReports(t *testing.T, seed uint64, step int, want, got *audit.Report) {
	t.Helper()
	text := func(r *audit.Report) []byte {
		data, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		return append(data, audit.Matrix(r)...)
	}
	if a, b := text(want), text(got); !bytes.Equal(a, b) {
		t.Fatalf("seed %d, step %d: the reports differ:\n%s", seed, step, cmp.Diff(string(a), string(b)))
	}
}

// variant is a random estate, document by document, with all that rules look at.
func variant(r *rand.Rand, components int) []string {
	docs := strings.Split(randomEstate(r, components), "---\n")
	day := func() string { return fmt.Sprintf("2025-%02d-%02d", 1+r.IntN(12), 1+r.IntN(28)) }
	for i, d := range docs {
		if strings.HasPrefix(d, "{") {
			d = strings.TrimSuffix(strings.TrimSpace(d), "}")
			more := ""
			if r.IntN(3) == 0 {
				more += ", source: {from: a friend, at: " + day() + "}"
			}
			if strings.Contains(d, "kind: Service") {
				for j := range r.IntN(3) {
					more += fmt.Sprintf("%s{name: p%d, share: 0.%d, needs: [c%02d]}", []string{", parts: [", ", "}[min(j, 1)], j, 1+r.IntN(4), r.IntN(components))
				}
				if strings.Contains(more, "parts") {
					more += "]"
				}
			}
			docs[i] = d + more + "}\n"
			continue
		}
		if r.IntN(8) == 0 {
			d += fmt.Sprintf("waive: [{rule: %s, owner: me, reason: because, until: %s}]\n", []string{"unrecoverable", "data-untested", "tool-single-site"}[r.IntN(3)], strings.Replace(day(), "2025", "2026", 1))
		}
		if r.IntN(3) == 0 {
			d += "source: {at: " + day() + "}\n"
		}
		d = strings.Replace(d, "how: async", "how: async, tested: "+day(), r.IntN(2))
		docs[i] = d
	}
	for i, d := range docs {
		if strings.Contains(d, "actions: [") && r.IntN(3) == 0 {
			docs[i] = strings.Replace(d, "name: act, ", fmt.Sprintf("name: act, uses: {slots: %d}, ", 1+r.IntN(3)), 1)
		}
	}
	pick := func() string { return fmt.Sprintf("c%02d", r.IntN(components)) }
	docs[len(docs)-1] = strings.TrimSuffix(docs[len(docs)-1], "\n") + "\n"
	docs = append(docs, fmt.Sprintf("{kind: Service, name: page, needs: [%s], page: {dns: %s, host: %s, certificate: %s}}\n", pick(), pick(), pick(), pick()))
	return append(docs, fmt.Sprintf("{kind: Limit, name: slots, slots: %d}\n", 1+r.IntN(3)), fmt.Sprintf("{kind: Option, name: more, cost: %d}\n", r.IntN(9)))
}

// named finds the name of a document.
func named(doc string) string {
	return regexp.MustCompile(`kind: \w+(\n|, )name: [\w-]+`).FindString(strings.ReplaceAll(doc, "\n", ", "))
}

// edit changes one of the documents, mostly to what it is in another estate.
func edit(r *rand.Rand, docs *[]string, other []string, components int) {
	list := *docs
	i := r.IntN(len(list))
	if r.IntN(4) > 0 { // mostly what is edited most
		for strings.Contains(list[i], "kind: Domain") {
			i = r.IntN(len(list))
		}
	}
	d := list[i]
	field := func(name, value string) {
		d = strings.TrimSuffix(d, "\n")
		if strings.HasPrefix(d, "{") {
			d = strings.TrimSuffix(d, "}") + ", " + name + ": " + value + "}\n"
		} else {
			d += "\n" + name + ": " + value + "\n"
		}
	}
	numbers := regexp.MustCompile(`(users|tier|cost|people|slots|cpu|atLeast|count|lag|rto|takes|share|ops): (0\.)?\d+`)
	words := regexp.MustCompile(`(tool|auto|sync): (true|false)`)
	needs := regexp.MustCompile(`needs: \[[a-z0-9-]+(, ([a-z0-9-]+|\{anyOf: \[[^\]]*\]\}))?\]`)
	switch r.IntN(31) {
	case 23, 24: // a site that was none, or the other way round
		for !strings.Contains(list[i], "kind: Domain") {
			i = r.IntN(len(list))
		}
		if d = strings.Replace(list[i], "type: site", "type: campus", 1); d == list[i] {
			d = regexp.MustCompile(`type: \w+`).ReplaceAllString(d, "type: site")
		}
	case 25, 26:
		*docs = newSite(r, list, components)
		return
	case 27, 28:
		*docs = newTwin(r, list, components)
		return
	case 29, 30: // one of these less, with all that is in it
		gone := regexp.MustCompile(`title: (twin|new in \S+)`).FindString(d)
		for ; gone == "" && strings.Contains(strings.Join(list, ""), "title: twin"); gone = regexp.MustCompile(`title: (twin|new in \S+)`).FindString(d) {
			i = r.IntN(len(list))
			d = list[i]
		}
		*docs = slices.DeleteFunc(slices.Clone(list), func(o string) bool {
			return gone != "" && (o == d || gone != "title: twin" && strings.Contains(o, gone))
		})
		return
	case 20, 21: // what stands in it stands on something else
		for !regexp.MustCompile(`type: (rack|site|campus), .*needs: \[`).MatchString(list[i]) {
			i = r.IntN(len(list))
		}
		site := []string{"a", "b", "c"}[r.IntN(3)]
		other := []string{"", ", " + site + "-f1", ", {anyOf: [" + site + "-f1, " + site + "-f2]}"}[r.IntN(3)]
		d = needs.ReplaceAllString(list[i], "needs: ["+site+other+"]")
	case 22:
		d = strings.Replace(d, "type: rack", "type: hall", 1)
	case 16, 17: // one more
		*docs = newcomer(r, list, other, components)
		return
	case 18: // one less, and what needed it needs something else
		*docs = leaver(r, list)
		return
	case 19: // who came is needed
		if i := slices.IndexFunc(list, func(d string) bool { return strings.Contains(d, "name: n1") }); i >= 0 {
			d = regexp.MustCompile(`c\d\d(,|\])`).ReplaceAllString(d, "n1$1")
		}
	case 12, 13: // one number is another
		if all := numbers.FindAllStringIndex(d, -1); all != nil {
			at := all[r.IntN(len(all))]
			d = d[:at[1]-1] + fmt.Sprint(r.IntN(10)) + d[at[1]:]
		}
	case 14:
		if all := words.FindAllStringIndex(d, -1); all != nil {
			at := all[r.IntN(len(all))]
			if text := d[at[0]:at[1]]; strings.HasSuffix(text, "true") {
				d = d[:at[0]] + strings.Replace(text, "true", "false", 1) + d[at[1]:]
			} else {
				d = d[:at[0]] + strings.Replace(text, "false", "true", 1) + d[at[1]:]
			}
		}
	case 15: // a number of a domain: its room
		for !strings.Contains(list[i], "cpu: ") {
			i = r.IntN(len(list))
		}
		d = regexp.MustCompile(`cpu: \d+`).ReplaceAllString(list[i], fmt.Sprintf("cpu: %d", r.IntN(15)))
	case 0:
		if !strings.Contains(d, "title:") {
			field("title", "새 이름")
		}
	case 1:
		if !strings.Contains(d, "cost:") {
			field("cost", fmt.Sprint(r.IntN(9)))
		}
	case 2:
		d = regexp.MustCompile(`users: \d+`).ReplaceAllString(d, fmt.Sprintf("users: %d", r.IntN(2000)))
	case 3:
		d = regexp.MustCompile(`rto: \d+m`).ReplaceAllString(d, fmt.Sprintf("rto: %dm", r.IntN(90)))
	case 4:
		d = regexp.MustCompile(`takes: \d+m`).ReplaceAllString(d, fmt.Sprintf("takes: %dm", r.IntN(90)))
	case 5:
		d = "# moved\n\n" + d
	case 6:
		d = regexp.MustCompile(`c\d\d(,|\])`).ReplaceAllStringFunc(d, func(m string) string {
			if r.IntN(2) == 0 {
				return fmt.Sprintf("c%02d", r.IntN(components)) + m[3:]
			}
			return m
		})
	case 7:
		if r.IntN(3) == 0 { // gone, if nothing needs it; else it comes with the next
			*docs = slices.Delete(list, i, i+1)
			return
		}
	case 8:
		for _, o := range other { // come
			if !slices.ContainsFunc(list, func(d string) bool { return named(d) == named(o) }) {
				*docs = append(list, o)
				return
			}
		}
		fallthrough
	default:
		for _, o := range other {
			if named(o) == named(d) {
				d = o
			}
		}
	}
	list[i] = d
}

// newcomer adds a document of any kind, of which some come before all others of
// their kind and some after.
func newcomer(r *rand.Rand, list, other []string, components int) []string {
	var (
		n     = r.IntN(8)
		c     = func() string { return fmt.Sprintf("c%02d", r.IntN(components)) }
		place = []string{"a-h1", "b-h2", "c-h1", "a"}[r.IntN(4)]
		doc   string
	)
	switch n {
	case 0:
		doc = fmt.Sprintf("{kind: Domain, name: a-a0, type: rack, needs: [a], capacity: {cpu: %d, mem: 3}}\n", r.IntN(9))
	case 1, 2:
		doc = strings.Replace(other[slices.IndexFunc(other, func(d string) bool {
			return strings.Contains(d, "name: "+c()) || strings.Contains(d, "kind: Component")
		})], "name: c", fmt.Sprintf("name: n%d\ntitle: c", n), 1)
	case 3:
		if !slices.ContainsFunc(list, func(d string) bool { return strings.Contains(d, "name: a-a0") }) {
			return list
		}
		doc = fmt.Sprintf("{kind: Component, name: a3, tool: true, replicas: [{in: a-a0, uses: {cpu: 1, mem: 2}}, {in: %s}], needs: [%s], actions: [{name: s, does: start, at: b, takes: 3m, needs: [%s], crew: {ops: 1}}]}\n", place, c(), c())
	case 4:
		doc = fmt.Sprintf("{kind: Service, name: a4, users: %d, needs: [%s], wants: [%s], parts: [{name: p, share: 0.5, needs: [%s]}], objectives: {rto: 5m}}\n", 1+r.IntN(500), c(), c(), c())
	case 5:
		doc = fmt.Sprintf("{kind: Crew, name: z5, people: 2, needs: [%s]}\n", c())
	case 6:
		doc = "{kind: Limit, name: a6, slots: 2}\n"
	default:
		doc = fmt.Sprintf("{kind: Domain, name: zz, type: feed, needs: [{anyOf: [a, %s]}]}\n", place)
	}
	if slices.ContainsFunc(list, func(d string) bool { return named(d) == named(doc) }) {
		return list
	}
	return slices.Insert(slices.Clone(list), r.IntN(len(list)), doc)
}

// newSite adds a site before, among or after the others, or adds to what is in one: a
// rack, what stands there, or a rack that stood elsewhere.
func newSite(r *rand.Rand, list []string, components int) []string {
	var (
		name  = []string{"0-site", "aa", "z-site"}[r.IntN(3)]
		title = "title: new in " + name
		needs = []string{"", ", needs: [a]", ", needs: [b-f1]"}[r.IntN(3)]
		docs  = []string{fmt.Sprintf("{kind: Domain, name: %s, type: site, %s%s, capacity: {cpu: %d}}\n", name, title, needs, r.IntN(9))}
		c     = func() string { return fmt.Sprintf("c%02d", r.IntN(components)) }
	)
	if r.IntN(2) == 0 {
		docs = append(docs, fmt.Sprintf("{kind: Domain, name: %s-r, type: rack, %s, needs: [%s]}\n", name, title, name))
		if r.IntN(2) == 0 {
			docs = append(docs, fmt.Sprintf("{kind: Component, name: %s-c, %s, mode: quorum, replicas: [{in: %s-r}, {in: b-h1}, {in: %s}], needs: [%s]}\n", name, title, name, name, c()))
		}
	}
	list = slices.Clone(list)
	if r.IntN(3) == 0 {
		for i, d := range list {
			if strings.Contains(d, "name: c-h1,") {
				list[i] = regexp.MustCompile(`needs: \[c`).ReplaceAllString(d, title+", needs: ["+name)
			}
		}
	}
	for _, doc := range docs {
		if !slices.ContainsFunc(list, func(d string) bool { return named(d) == named(doc) }) {
			list = slices.Insert(list, r.IntN(len(list)), doc)
		}
	}
	return list
}

// newTwin adds a document by the name of one of another kind.
func newTwin(r *rand.Rand, list []string, components int) []string {
	var (
		c    = func() string { return fmt.Sprintf("c%02d", r.IntN(components)) }
		name = func(names ...string) string { return names[r.IntN(len(names))] }
		doc  string
	)
	switch r.IntN(6) {
	case 0:
		doc = fmt.Sprintf("{kind: Service, name: %s, title: twin, users: 7, needs: [%s], wants: [component/%s]}\n", c(), c(), c())
	case 1:
		doc = fmt.Sprintf("{kind: Crew, name: %s, title: twin, needs: [%s]}\n", name("s0", c(), c()), c())
	case 2:
		place := name("a-h1", "b-h2", "c")
		doc = fmt.Sprintf("{kind: Component, name: %s, title: twin, replicas: [{in: %s}], needs: [%s, domain/%s, service/%s], actions: [{name: x, does: start, at: a, takes: 1m, needs: [domain/%s, %s]}]}\n",
			name("s0", "s1", "ops", place), place, c(), place, name("s0", "s1"), name("a-h2", place), c())
	case 3:
		doc = fmt.Sprintf("{kind: Domain, name: %s, title: twin, type: %s}\n", name("s1", c(), c()), name("site", "rack"))
	case 4:
		doc = fmt.Sprintf("{kind: Limit, name: %s, title: twin, slots: 1}\n", name("ops", c()))
	default:
		doc = fmt.Sprintf("{kind: Component, name: %s, title: twin, replicas: [{in: a-h1}], startNeeds: [crew/ops, %s]}\n", name("slots", "more", "ops"), c())
	}
	if slices.ContainsFunc(list, func(d string) bool { return named(d) == named(doc) }) {
		return list
	}
	return slices.Insert(slices.Clone(list), r.IntN(len(list)), doc)
}

// toldApart returns the documents with the kind of each component that is named in a
// list, where another kind has the name too.
func toldApart(docs []string) []string {
	all := strings.Join(docs, "")
	for i := range 100 {
		c := fmt.Sprintf("c%02d", i)
		if strings.Count(all, "name: "+c) < 2 {
			continue
		}
		docs = slices.Clone(docs)
		in := regexp.MustCompile(`([\[ ])` + c + `([,\]])`)
		for j, d := range docs {
			docs[j] = strings.Replace(in.ReplaceAllString(in.ReplaceAllString(d, "${1}component/"+c+"${2}"), "${1}component/"+c+"${2}"), "name: component/"+c, "name: "+c, 1)
		}
	}
	return docs
}

// leaver takes a component, a service or a domain away, and names another one where
// it was named.
func leaver(r *rand.Rand, list []string) []string {
	i := r.IntN(len(list))
	name := regexp.MustCompile(`name: (c\d\d|n\d|a3|a4|s\d|z5|a6|zz|a-a0)\b`).FindStringSubmatch(list[i])
	if name == nil {
		return list
	}
	list = slices.Delete(slices.Clone(list), i, i+1)
	instead := map[byte]string{'c': "c01", 'n': "c02", 'a': "b-h1"}[name[1][0]]
	for j, d := range list {
		if instead != name[1] && instead != "" {
			list[j] = regexp.MustCompile(`\b`+name[1]+`\b`).ReplaceAllString(d, instead)
		}
	}
	return list
}

// TestCheckerForgetsWhatAFindingHungOn edits a component that only a former
// finding hung on: the tool and what still waits for it are not reached.
func TestCheckerForgetsWhatAFindingHungOn(t *testing.T) {
	t.Parallel()
	text := func(where string) string {
		return `{kind: Domain, name: a, type: site}
---
{kind: Domain, name: b, type: site}
---
{kind: Component, name: tool, tool: true, replicas: [{in: a}]}
---
{kind: Component, name: way, replicas: [{in: ` + where + `}]}
---
{kind: Component, name: x, replicas: [{in: a}], actions: [{name: start, does: start, at: b, takes: 1m, needs: [tool]}]}
---
{kind: Component, name: z, replicas: [{in: a}], actions: [{name: start, does: start, at: b, takes: 1m, needs: [{anyOf: [tool, way]}]}]}
---
{kind: Service, name: s, users: 5, needs: [z]}
`
	}
	tier := func(r *audit.Report) string {
		for _, f := range r.Findings {
			if f.ID == "tool-tier/a/tool" {
				return f.Proof.Words[0]
			}
		}
		return ""
	}
	c := audit.NewChecker(audit.Options{})
	for _, x := range []struct{ where, want string }{
		{"a", "2 components could come back elsewhere: x and z"},
		{"b", "1 component could come back elsewhere: x"},
	} {
		s := parse(t, text(x.where))
		want, err := audit.Check(s, audit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Check(s, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if tier(want) != x.want {
			t.Errorf("way in %s: %q, want %q", x.where, tier(want), x.want)
		}
		compareReports(t, 0, 0, want, got)
	}
	if c.Judged().Whole {
		t.Error("everything was judged anew: nothing was tried")
	}
}

// TestCheckerEmptiesADomain takes the last thing out of a domain that states room of
// two sorts.
func TestCheckerEmptiesADomain(t *testing.T) {
	t.Parallel()
	c := audit.NewChecker(audit.Options{})
	for _, in := range []string{"r1", "r2"} {
		s := parse(t, `{kind: Domain, name: a, type: site}
---
{kind: Domain, name: r1, type: rack, needs: [a], capacity: {cpu: 1, mem: 1}}
---
{kind: Domain, name: r2, type: rack, needs: [a], capacity: {cpu: 1, mem: 1}}
---
{kind: Component, name: x, replicas: [{in: `+in+`, uses: {cpu: 2, mem: 2}}]}
---
{kind: Service, name: s, users: 5, needs: [x]}
`)
		want, err := audit.Check(s, audit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Check(s, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		compareReports(t, 0, 0, want, got)
	}
	if c.Judged().Whole {
		t.Error("everything was judged anew: nothing was tried")
	}
}

// TestCheckerFollowsSites takes all sites away, changes the numbers of everything
// meanwhile, and brings them back.
func TestCheckerFollowsSites(t *testing.T) {
	t.Parallel()
	text := func(kind, more string) string {
		return `{kind: Domain, name: m, type: ` + kind + `}
---
{kind: Domain, name: n, type: ` + kind + `, needs: [domain/grid]}
---
{kind: Domain, name: grid}
---
{kind: Component, name: x, replicas: [{in: m}], wants: [y], actions: [{name: start, does: start, at: n, takes: 1m}]}
---
{kind: Component, name: y, replicas: [{in: m}], wants: [x], actions: [{name: start, does: start, at: n, takes: 1m}]}
---
{kind: Service, name: s, users: 5, needs: [x], wants: [y]}
` + more
	}
	c := audit.NewChecker(audit.Options{})
	for i, x := range []struct {
		kind, more string
		losses     int
	}{
		{"site", "", 2},
		{"region", "", 0},
		{"region", "---\n{kind: Component, name: grid, replicas: [{in: m}]}\n", 0},
		{"site", "---\n{kind: Component, name: a, replicas: [{in: n}], needs: [x]}\n---\n{kind: Domain, name: a, type: site}\n", 3},
		{"site", "---\n{kind: Domain, name: z, type: site, needs: [m]}\n", 3},
	} {
		s := parse(t, text(x.kind, x.more))
		want, err := audit.Check(s, audit.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Check(s, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if len(want.Losses) != x.losses || c.Judged().Whole != (i == 0) {
			t.Errorf("step %d: %d losses, want %d; %+v", i, len(want.Losses), x.losses, c.Judged())
		}
		compareReports(t, 0, i, want, got)
	}
}

// TestCheckerFindsWhatNothingReaches changes something that no need leads from to
// what is found: what is down anyway loses data with a site that came, too, and what
// waits for each other waits for what one of them only wants.
func TestCheckerFindsWhatNothingReaches(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ text, from, to, want string }{
		{`{kind: Domain, name: a, type: site}
---
{kind: Domain, name: b, type: site}
---
{kind: Domain, name: feed, type: feed}
---
{kind: Component, name: db, atLeast: 2, replicas: [{in: a}], data: {copies: [{in: b, how: async}]}, actions: [{name: up, does: promote, at: b, takes: 1m}]}
---
{kind: Component, name: other, replicas: [{in: b}]}
---
{kind: Service, name: s, users: 5, needs: [{anyOf: [db, other]}], objectives: {rpo: 5s}}
`, "type: feed", "type: site", `"outage/feed/s"`},
		{`{kind: Domain, name: a, type: site}
---
{kind: Domain, name: b, type: site}
---
{kind: Component, name: x, replicas: [{in: a}], wants: [y, z], actions: [{name: start, does: start, at: b, takes: 1m}]}
---
{kind: Component, name: y, cost: 5, replicas: [{in: a}], actions: [{name: start, does: start, at: b, takes: 1m, needs: [x]}]}
---
{kind: Component, name: z, replicas: [{in: b}], needs: [w]}
---
{kind: Component, name: w, replicas: [{in: b}]}
`, "name: w, replicas: [{in: b}]", "name: w, replicas: [{in: a}]", `"a way to run x without y, z"`},
	} {
		c := audit.NewChecker(audit.Options{})
		for i, text := range []string{x.text, strings.Replace(x.text, x.from, x.to, 1)} {
			s := parse(t, text)
			want, err := audit.Check(s, audit.Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Check(s, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte(x.want)) != (i == 1) || c.Judged().Whole != (i == 0) {
				t.Errorf("step %d does not try what it should: %s: %+v", i, data, c.Judged())
			}
			compareReports(t, 0, i, want, got)
		}
	}
}
