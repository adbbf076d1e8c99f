package audit

import (
	"slices"
	"strings"

	"bongsu/estate"
	"bongsu/impact"
)

// A Graph is a proof as a picture: what waits for what. It is small: a proof that
// needs more is told in words.
type Graph struct {
	Nodes  []Node  `json:"nodes"` // the subject of the finding first
	Arrows []Arrow `json:"arrows"`
}

// A Node is one thing in a proof.
type Node struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Kind  string `json:"kind"` // service, component, tool, crew, domain or action
	Lost  bool   `json:"lost,omitempty"`
	Level int    `json:"level"` // how far from the subject
}

// Why one node of a graph leads to another.
const (
	WhyNeeds  = "needs"  // to run
	WhyStart  = "start"  // to start from cold
	WhyAction = "action" // an action of the first needs the second
	WhyIn     = "in"     // the first stands in the second
	WhyThen   = "then"   // the first is back, or done, before the second can begin
)

// An Arrow leads from what waits to what it waits for; both are indexes of nodes.
type Arrow struct {
	From   int    `json:"from"`
	To     int    `json:"to"`
	Why    string `json:"why"`
	Action string `json:"action,omitempty"` // of [WhyAction]
}

// mostNodes is how many nodes a graph may have.
const mostNodes = 12

func (g *Graph) node(n Node) int {
	if i := slices.IndexFunc(g.Nodes, func(x Node) bool { return x.Name == n.Name && x.Kind == n.Kind }); i >= 0 {
		return i
	}
	if len(g.Nodes) == mostNodes {
		return -1
	}
	g.Nodes = append(g.Nodes, n)
	return len(g.Nodes) - 1
}

func (g *Graph) arrow(a Arrow) {
	if a.From >= 0 && a.To >= 0 && a.From != a.To && !slices.Contains(g.Arrows, a) {
		g.Arrows = append(g.Arrows, a)
	}
}

// draw gives findings the graphs of their proofs. Findings of one loss are drawn
// together, for what the loss does has to be worked out once.
func draw(s *estate.Snapshot, list []Held) {
	if s == nil {
		return
	}
	d := &drawer{a: &auditor{s: s}, s: s}
	waiting := map[string][]*Held{}
	var losses []string
	for i := range list {
		h := &list[i]
		switch p := &h.Proof; {
		case len(p.Cycle) > 0:
			h.Graph = d.cycle(p.Cycle)
		case len(p.Blocking) > 0 && len(p.Blocking[0]) > 0 && (h.Loss != NoLoss || len(p.Domains) == 0):
			if waiting[h.Loss] == nil {
				losses = append(losses, h.Loss)
			}
			waiting[h.Loss] = append(waiting[h.Loss], h)
		case len(p.Path) > 0:
			h.Graph = d.path(h)
		case len(p.Domains) > 0:
			h.Graph = d.standsIn(h)
		}
	}
	if len(losses) == 0 {
		return
	}
	sweep := impact.NewEngine(s).NewSweep()
	for _, name := range losses {
		lost, ok := d.domains(name)
		if !ok {
			continue
		}
		sweep.Visit(lost, func(v *impact.View) {
			t := &trial{View: v, loss: loss{name: name, domains: lost}}
			for _, h := range waiting[name] {
				h.Graph = d.blocked(t, h)
			}
		})
	}
}

// A drawer draws graphs of one estate.
type drawer struct {
	a      *auditor // only its estate is looked at
	s      *estate.Snapshot
	places map[string]place // by the names in findings, once asked for
}

func (d *drawer) domains(name string) ([]int, bool) {
	if name == NoLoss {
		return nil, true
	}
	var out []int
	for n := range strings.SplitSeq(name, "+") {
		r, ok := d.s.Lookup(estate.KindDomain, n)
		if !ok {
			return nil, false
		}
		out = append(out, r.Index)
	}
	return out, true
}

// named finds what a finding names: a document as [estate.Snapshot.NameOf] writes it,
// or a part of a service.
func (d *drawer) named(name string) (place, bool) {
	if d.places == nil {
		d.places = map[string]place{}
		for r := range docs(d.s) {
			d.places[d.s.NameOf(r)] = whole(r)
		}
	}
	if p, ok := d.places[name]; ok {
		return p, true
	}
	service, part, _ := strings.Cut(name, "/")
	if r, ok := d.s.Lookup(estate.KindService, service); ok {
		for i := range d.s.Services[r.Index].Parts {
			if d.s.Services[r.Index].Parts[i].Name == part {
				return place{r.Kind, r.Index, i}, true
			}
		}
	}
	return place{}, false
}

// nodeOf describes a place.
func (d *drawer) nodeOf(p place) Node {
	r := d.a.ref(p.kind, p.index)
	n := Node{Name: d.s.NameOf(r), Title: d.s.Doc(r).Title, Kind: strings.ToLower(p.kind.String())}
	switch {
	case p.part >= 0:
		part := &d.s.Services[p.index].Parts[p.part]
		n.Name, n.Title = r.Name+"/"+part.Name, part.Title
	case p.kind == estate.KindComponent && d.s.Components[p.index].Tool:
		n.Kind = "tool"
	}
	return n
}

// known is the node of a name; of one that is no document, a node as it is written.
func (d *drawer) known(name, kind string) Node {
	if p, ok := d.named(name); ok {
		return d.nodeOf(p)
	}
	return Node{Name: name, Kind: kind}
}

func (d *drawer) cycle(names []string) *Graph {
	g := &Graph{}
	if len(names) > mostNodes {
		return nil
	}
	for i, name := range names {
		n := d.known(name, "component")
		n.Level = i
		g.node(n)
	}
	for i := range g.Nodes {
		g.arrow(Arrow{From: i, To: (i + 1) % len(g.Nodes), Why: WhyNeeds})
	}
	return g
}

// path is the actions that a thing waits for, the last one next to it.
func (d *drawer) path(h *Held) *Graph {
	g := &Graph{}
	at := g.node(d.known(h.Subject, "service"))
	for i, st := range slices.Backward(h.Proof.Path) {
		to := g.node(Node{Name: st.ID, Kind: "action", Level: len(h.Proof.Path) - i})
		g.arrow(Arrow{From: at, To: to, Why: WhyThen})
		at = to
	}
	return g
}

// standsIn is where a thing stands.
func (d *drawer) standsIn(h *Held) *Graph {
	g := &Graph{}
	at := g.node(d.known(h.Subject, "component"))
	for _, name := range h.Proof.Domains {
		n := d.known(name, "domain")
		n.Level = 1
		g.arrow(Arrow{From: at, To: g.node(n), Why: WhyIn})
	}
	if len(g.Arrows) == 0 {
		return nil
	}
	return g
}

// blocked is the shortest ways from the subject to what is in its way, and from there
// to the places that were lost.
func (d *drawer) blocked(t *trial, h *Held) *Graph {
	subject, ok := d.named(h.Subject)
	if !ok {
		return nil
	}
	target := map[place]bool{}
	for _, name := range h.Proof.Blocking[0] {
		if p, ok := d.named(name); ok {
			target[p] = true
		}
	}
	before, depth := map[place]edge{}, map[place]int{subject: 0}
	queue := []place{subject}
	var ends []place
	for len(queue) > 0 && len(ends) < len(target) {
		p := queue[0]
		queue = queue[1:]
		if target[p] {
			ends = append(ends, p)
			if p != subject {
				continue
			}
		}
		for _, e := range d.a.waits(t, p) {
			if _, seen := depth[e.to]; !seen {
				before[e.to], depth[e.to] = e, depth[p]+1
				queue = append(queue, e.to)
			}
		}
	}
	g := &Graph{}
	put := func(p place) int {
		n := d.nodeOf(p)
		n.Level = depth[p]
		n.Lost = p.kind == estate.KindDomain && !t.Alive(p.index)
		return g.node(n)
	}
	put(subject)
	for _, end := range ends {
		var way []edge
		for p := end; p != subject; p = before[p].from {
			way = append(way, before[p])
		}
		for _, e := range slices.Backward(way) {
			arrow := Arrow{From: put(e.from), To: put(e.to), Why: WhyNeeds}
			switch {
			case e.start:
				arrow.Why = WhyStart
			case e.action >= 0:
				arrow.Why, arrow.Action = WhyAction, d.s.Components[e.from.index].Actions[e.action].Name
			}
			g.arrow(arrow)
		}
		if end.kind != estate.KindComponent || t.Holds(end.index) {
			continue
		}
		for _, name := range d.a.lostPlaces(t, &d.s.Components[end.index]) {
			n := d.known(name, "domain")
			n.Lost, n.Level = true, depth[end]+1
			g.arrow(Arrow{From: put(end), To: g.node(n), Why: WhyIn})
		}
	}
	if len(g.Arrows) == 0 {
		return nil
	}
	return g
}
