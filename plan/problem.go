package plan

import (
	"cmp"
	"math"
	"slices"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// never is a time that does not come.
const never = time.Duration(math.MaxInt64)

// A lit is what a gate counts: a node, another gate, or a constant.
type lit int32

const (
	yes lit = -1
	no  lit = -2
)

func nodeLit(n int32) lit    { return lit(n << 1) }
func gateLit(g int32) lit    { return lit(g<<1 | 1) }
func (l lit) isGate() bool   { return l&1 == 1 }
func (l lit) index() int32   { return int32(l) >> 1 }
func (l lit) constant() bool { return l < 0 }

// A gate is true once k of its kids are. Its owner is the one thing that it
// enables: another gate, a node (its needs) or an act (what it waits for).
type gate struct {
	k         int32
	kids, end int32 // range of problem.kids
	owner     int32
	owns      ownerKind
	node      int32 // the node whose needs it is part of, or none
}

type ownerKind uint8

const (
	ownerGate ownerKind = iota
	ownerNode
	ownerAct
)

const none int32 = -1

// A node is a component, service core, part or crew that is down and can come
// back. Everything else is a constant, folded away while the needs are compiled.
type node struct {
	need      int32 // gate, or none
	acts, end int32 // ways to make it hold, a range of problem.acts; empty: it holds
	short     int   // of mode any: replicas that are missing
	loop      int32 // index of the cycle of run-time needs that it is on, or none
	dead      bool  // it does not hold, and no act is left that could change that
	ref       estate.Ref
	part      int // of a part: its position, else -1
}

// An act is an action that can run, at one of its places.
type act struct {
	component, action int
	node              int32
	need              int32 // gate, or none
	takes             time.Duration
	adds              int // replicas that count towards node.short; 0 when the act is enough by itself
	uses              []share
	places            []place
}

// A share is an amount of one renewable resource: people or slots.
type share struct {
	resource int32
	amount   int
}

// A place is where an act can take effect, and the room that it takes there.
type place struct {
	at   int // index of the domain, or -1
	room []draw
}

// A draw is an amount of one row of room.
type draw struct {
	row    int32
	amount float64
}

// A row is the room for one resource in one domain of stated capacity.
type row struct {
	free     float64 // what the living leave
	capacity float64
}

// A target is a service core or a part that counts until it is up.
type target struct {
	node   int32
	weight float64 // users x weight x share
}

// A fixed act is one that has run or is running: the plan builds on it.
type fixed struct {
	act           int32
	start, finish time.Duration
}

// A problem is an estate after a loss, compiled to what a schedule needs.
type problem struct {
	snapshot *estate.Snapshot
	horizon  time.Duration
	now      time.Duration
	nodes    []node
	gates    []gate
	kids     []lit
	acts     []act
	loops    int
	capacity []int // of each renewable resource
	rows     []row
	targets  []target
	fixed    []fixed
	fixedUp  []time.Duration // of a node: up by what is fixed alone, else never
	busy     []reservation   // what running steps keep busy
	releases []freeing       // room that the chosen shrinks give back, by time
	crewRes  []int32         // crew -> resource, or none
	limitRes []int32
	rowOf    map[rowKey]int32
	shrunk   []shrink
	downAt   map[downKey]time.Duration // what the shrinks take down, and when
	penalty  float64                   // what that costs, in weighted user-minutes
}

// A downKey names a component, service or crew, or a part of a service.
type downKey struct {
	kind        estate.Kind
	index, part int
}

// A reservation keeps an amount of a renewable resource busy.
type reservation struct {
	share
	start, finish time.Duration
}

// A freeing is room that a shrink gives back when it finishes.
type freeing struct {
	draw
	at time.Duration
}

type builder struct {
	problem
	s      *estate.Snapshot
	im     *impact.Impact
	opts   *Options
	lost   []bool
	node   [4][]lit // by table: components, services, parts (flat), crews
	parts  []int32  // service -> first part in the flat table
	barred map[impact.ActionRef]bool
	ran    map[[2]int]int // component and action of what has begun -> where
}

type rowKey struct {
	domain   int
	resource string
}

const (
	tableComponent = iota
	tableService
	tablePart
	tableCrew
)

// compile turns what impact found into a problem, with the shrinks given.
func compile(s *estate.Snapshot, im *impact.Impact, opts *Options, shrinks []shrink) *problem {
	b := &builder{s: s, im: im, opts: opts, barred: map[impact.ActionRef]bool{}}
	b.rowOf, b.shrunk, b.downAt = map[rowKey]int32{}, shrinks, map[downKey]time.Duration{}
	b.snapshot, b.horizon, b.now = s, opts.Horizon, opts.Now
	b.lost = make([]bool, len(s.Domains))
	for _, d := range im.LostDomains {
		b.lost[d] = true
	}
	for _, f := range opts.Forbidden {
		b.barred[f] = true
	}
	b.ran = map[[2]int]int{}
	for _, d := range opts.Done {
		b.ran[[2]int{d.Ref.Component, d.Ref.Action}] = d.Ref.At
	}
	for i := range opts.Running {
		r := opts.Running[i].Ref
		b.ran[[2]int{r.Component, r.Action}] = r.At
	}
	b.resources()
	b.fell()
	b.number()
	b.room()
	b.compileNodes()
	b.findLoops()
	b.fix()
	return &b.problem
}

func (b *builder) resources() {
	add := func(n int) int32 {
		if n < 0 {
			return none
		}
		b.capacity = append(b.capacity, n)
		return int32(len(b.capacity) - 1)
	}
	for i := range b.s.Crews {
		b.crewRes = append(b.crewRes, add(b.s.Crews[i].People))
	}
	for i := range b.s.Limits {
		b.limitRes = append(b.limitRes, add(b.s.Limits[i].Slots))
	}
}

// fell notes what the shrinks take down, when, and what that costs.
func (b *builder) fell() {
	for _, s := range b.shrunk {
		for _, d := range s.down {
			b.downAt[downKey{d.Ref.Kind, d.Ref.Index, d.Part}] = s.start
		}
		b.penalty += b.weigh(s.down) * max(b.horizon-s.start, 0).Minutes()
	}
}

// literal says what a state is to a need: true, false, or a node to come.
func (b *builder) literal(st impact.State, ref estate.Ref, part int) lit {
	if _, down := b.downAt[downKey{ref.Kind, ref.Index, part}]; down {
		return no
	}
	switch st {
	case impact.Up, impact.Degraded:
		return yes
	case impact.Returns, impact.Recoverable:
		b.nodes = append(b.nodes, node{need: none, loop: none, ref: ref, part: part})
		return nodeLit(int32(len(b.nodes) - 1))
	case impact.Unrecoverable:
	}
	return no
}

func (b *builder) number() {
	b.node[tableComponent] = make([]lit, len(b.s.Components))
	for _, r := range b.im.Components {
		b.node[tableComponent][r.Ref.Index] = b.literal(r.State, r.Ref, -1)
	}
	b.node[tableCrew] = make([]lit, len(b.s.Crews))
	for _, r := range b.im.Crews {
		b.node[tableCrew][r.Ref.Index] = b.literal(r.State, r.Ref, -1)
	}
	b.parts = make([]int32, len(b.s.Services))
	n := 0
	for i := range b.s.Services {
		b.parts[i] = int32(n)
		n += len(b.s.Services[i].Parts)
	}
	b.node[tableService] = make([]lit, len(b.s.Services))
	b.node[tablePart] = make([]lit, n)
	for _, r := range b.im.Services {
		sv := &b.s.Services[r.Ref.Index]
		all := float64(sv.Users) * sv.Weight
		l := b.literal(r.State, r.Ref, -1)
		b.node[tableService][r.Ref.Index] = l
		if !l.constant() {
			b.targets = append(b.targets, target{node: l.index(), weight: all * sv.Core()})
		}
		for i := range r.Parts {
			l := b.literal(r.Parts[i].State, r.Ref, i)
			b.node[tablePart][int(b.parts[r.Ref.Index])+i] = l
			if !l.constant() {
				b.targets = append(b.targets, target{node: l.index(), weight: all * sv.Parts[i].Share})
			}
		}
	}
}

// room finds the rows and what the living leave of them.
func (b *builder) room() {
	for d := range b.s.Domains {
		if b.lost[d] {
			continue
		}
		for _, a := range b.s.Domains[d].Capacity {
			b.rowOf[rowKey{d, a.Resource}] = int32(len(b.rows))
			b.rows = append(b.rows, row{free: a.Amount, capacity: a.Amount})
		}
	}
	for c := range b.s.Components {
		for _, r := range b.s.Components[c].Replicas {
			if b.lost[r.In] {
				continue
			}
			for _, d := range b.draws(r.In, r.Uses, r.Count) {
				b.rows[d.row].free -= d.amount
			}
		}
	}
}

// draws lists what count replicas that use uses take in domain d and in all
// its ancestors, where a capacity is stated.
func (p *problem) draws(d int, uses estate.Resources, count int) []draw {
	var out []draw
	take := func(d int) {
		for _, u := range uses {
			if i, ok := p.rowOf[rowKey{d, u.Resource}]; ok && u.Amount > 0 && count > 0 {
				out = append(out, draw{i, u.Amount * float64(count)})
			}
		}
	}
	take(d)
	for _, a := range p.snapshot.Domains[d].Ancestors {
		take(a)
	}
	return out
}

// usesAt returns what one replica of c added at domain d takes: what the entry
// in the same site uses, else the first entry.
func usesAt(s *estate.Snapshot, c *estate.Component, d int) estate.Resources {
	if len(c.Replicas) == 0 {
		return nil
	}
	if d >= 0 {
		site := s.Domains[d].Site
		for i := range c.Replicas {
			if in := c.Replicas[i].In; in == d || site >= 0 && s.Domains[in].Site == site {
				return c.Replicas[i].Uses
			}
		}
	}
	return c.Replicas[0].Uses
}

// within reports whether domain d is domain outer or needs it outright.
func within(s *estate.Snapshot, d, outer int) bool {
	return d == outer || slices.Contains(s.Domains[d].Ancestors, outer)
}

func (b *builder) compileNodes() {
	for n := range b.nodes {
		nd := &b.nodes[n]
		switch {
		case nd.ref.Kind == estate.KindComponent:
			b.compileComponent(int32(n))
		case nd.ref.Kind == estate.KindCrew:
			b.setNeed(int32(n), b.need(b.s.Crews[nd.ref.Index].Needs))
		case nd.part >= 0:
			core := b.node[tableService][nd.ref.Index]
			own := b.need(b.s.Services[nd.ref.Index].Parts[nd.part].Needs)
			b.setNeed(int32(n), b.gate(2, []lit{core, own}))
		default:
			b.setNeed(int32(n), b.need(b.s.Services[nd.ref.Index].Needs))
		}
	}
	for g := range b.gates {
		b.gates[g].node = b.ownerNode(int32(g))
	}
}

func (b *builder) ownerNode(g int32) int32 {
	for b.gates[g].owns == ownerGate {
		if g = b.gates[g].owner; g == none {
			return none // folded away by what it was part of
		}
	}
	if b.gates[g].owns == ownerNode {
		return b.gates[g].owner
	}
	return none
}

func (b *builder) compileComponent(n int32) {
	ci := b.nodes[n].ref.Index
	c := &b.s.Components[ci]
	b.setNeed(n, b.need(c.Needs))
	b.nodes[n].acts = int32(len(b.acts))
	b.nodes[n].end = b.nodes[n].acts
	if b.result(ci).Holds {
		return
	}
	defer func() {
		b.nodes[n].end = int32(len(b.acts))
		b.nodes[n].dead = b.nodes[n].end == b.nodes[n].acts
	}()
	if c.Mode == estate.ModeAny {
		b.nodes[n].short = c.AtLeast
		for i := range c.Replicas {
			if !b.lost[c.Replicas[i].In] {
				b.nodes[n].short -= c.Replicas[i].Count
			}
		}
	}
	for i := range c.Actions {
		a := &c.Actions[i]
		x := act{component: ci, action: i, node: n, need: none, takes: a.Takes.Likely}
		if c.Mode == estate.ModeAny {
			x.adds = a.Adds
		}
		if at, ok := b.ran[[2]int{ci, i}]; ok {
			// It has begun, so nothing is asked of it any more.
			x.places = []place{{at: at}}
			b.acts = append(b.acts, x)
			continue
		}
		if a.Does == estate.DoesShrink || !b.places(&x, c, a) || !b.shares(&x, a) {
			continue
		}
		wait := []lit{b.need(a.Needs), b.need(c.StartNeeds)}
		for _, u := range a.Crew {
			wait = append(wait, b.node[tableCrew][u.Index])
		}
		l := b.gate(int32(len(wait)), wait)
		if l == no {
			continue
		}
		x.need = b.root(l, ownerAct, int32(len(b.acts)))
		b.acts = append(b.acts, x)
	}
}

func (b *builder) result(component int) *impact.Result {
	r := &b.im.Components[component]
	if r.Ref.Index != component {
		// unreachable: impact keeps the order of the snapshot.
		panic("plan: impact results out of order")
	}
	return r
}

// places fills in where the act can take effect, and reports whether anywhere.
func (b *builder) places(x *act, c *estate.Component, a *estate.Action) bool {
	ats := a.At
	if len(ats) == 0 {
		ats = []int{-1}
	}
	for _, at := range ats {
		ref := impact.ActionRef{Component: x.component, Action: x.action, At: at}
		anywhere := ref
		anywhere.At = -1
		if at >= 0 && b.lost[at] || b.barred[ref] || b.barred[anywhere] || !b.sourceLives(c, a, at) {
			continue
		}
		p := place{at: at}
		if at >= 0 {
			p.room = b.draws(at, usesAt(b.s, c, at), a.Adds)
		}
		x.places = append(x.places, p)
	}
	return len(x.places) > 0
}

// sourceLives reports whether what the action starts from is alive: the
// standby of a promotion, the copy of a restore.
func (b *builder) sourceLives(c *estate.Component, a *estate.Action, at int) bool {
	switch a.Does {
	case estate.DoesPromote:
		return slices.ContainsFunc(c.Replicas, func(r estate.Replica) bool {
			return r.Role == estate.RoleStandby && !b.lost[r.In] && (at < 0 || within(b.s, r.In, at))
		})
	case estate.DoesRestore:
		return c.Data != nil && slices.ContainsFunc(c.Data.Copies, func(k estate.Copy) bool { return !b.lost[k.In] }) ||
			slices.ContainsFunc(c.Replicas, func(r estate.Replica) bool {
				return r.Role == estate.RoleStandby && !b.lost[r.In]
			})
	case estate.DoesStart, estate.DoesScale, estate.DoesRebuild, estate.DoesSwitch, estate.DoesShrink:
	}
	return true
}

// shares fills in what the act keeps busy, and reports whether there is enough.
func (b *builder) shares(x *act, a *estate.Action) bool {
	add := func(res int32, n int) bool {
		if res != none && n > 0 {
			x.uses = append(x.uses, share{res, n})
			return n <= b.capacity[res]
		}
		return true
	}
	for _, u := range a.Crew {
		if !add(b.crewRes[u.Index], u.Count) {
			return false
		}
	}
	for _, u := range a.Uses {
		if !add(b.limitRes[u.Index], u.Count) {
			return false
		}
	}
	return true
}

func (b *builder) setNeed(n int32, l lit) {
	b.nodes[n].need = b.root(l, ownerNode, n)
}

// root makes a literal the gate that an owner waits for. A constant false
// cannot be waited for: it becomes a gate that nothing opens.
func (b *builder) root(l lit, owns ownerKind, owner int32) int32 {
	if l == yes {
		return none
	}
	if l == no || !l.isGate() {
		g := gate{k: 1, kids: int32(len(b.kids)), owner: none, node: none}
		if l != no {
			b.kids = append(b.kids, l)
		}
		g.end = int32(len(b.kids))
		b.gates = append(b.gates, g)
		l = gateLit(int32(len(b.gates) - 1))
	}
	g := &b.gates[l.index()]
	g.owns, g.owner = owns, owner
	return l.index()
}

// need compiles a need of the estate.
func (b *builder) need(n estate.Need) lit {
	if n.Ref != nil {
		switch n.Ref.Kind {
		case estate.KindDomain:
			if b.lost[n.Ref.Index] {
				return no
			}
			return yes
		case estate.KindComponent:
			return b.node[tableComponent][n.Ref.Index]
		case estate.KindService:
			return b.node[tableService][n.Ref.Index]
		case estate.KindCrew:
			return b.node[tableCrew][n.Ref.Index]
		case estate.KindLimit, estate.KindProbe, estate.KindOption:
			// unreachable: no need can name one.
		}
		return no
	}
	of := make([]lit, len(n.Of))
	for i := range n.Of {
		of[i] = b.need(n.Of[i])
	}
	return b.gate(int32(n.K), of)
}

// gate builds a gate that is true once k of the literals are, with constants
// folded away.
func (b *builder) gate(k int32, of []lit) lit {
	kept := of[:0:0]
	for _, l := range of {
		switch l {
		case yes:
			k--
		case no:
		default:
			kept = append(kept, l)
		}
	}
	switch {
	case k <= 0:
		return yes
	case int(k) > len(kept):
		return no
	case len(kept) == 1:
		return kept[0]
	}
	g := int32(len(b.gates))
	b.gates = append(b.gates, gate{k: k, kids: int32(len(b.kids)), end: int32(len(b.kids) + len(kept)), owner: none, node: none})
	b.kids = append(b.kids, kept...)
	for _, l := range kept {
		if l.isGate() {
			b.gates[l.index()].owner = g
			b.gates[l.index()].owns = ownerGate
		}
	}
	return gateLit(g)
}

// findLoops numbers the cycles of run-time needs. Things on one come up
// together (design §3.3 asks for the greatest set), everything else comes up
// when its needs have.
func (b *builder) findLoops() {
	// Tarjan with a stack of its own, so that a long chain of needs is no
	// deep recursion.
	n := len(b.nodes)
	out := make([][]int32, n)
	self := make([]bool, n)
	for g := range b.gates {
		from := b.gates[g].node
		if from == none {
			continue
		}
		for _, l := range b.kids[b.gates[g].kids:b.gates[g].end] {
			if !l.isGate() {
				out[from] = append(out[from], l.index())
				self[from] = self[from] || l.index() == from
			}
		}
	}
	order := make([]int32, n) // 0: not seen
	low := make([]int32, n)
	done := make([]bool, n)
	var stack []int32
	type frame struct {
		v int32
		i int
	}
	var next int32 = 1
	for root := range n {
		if order[root] != 0 {
			continue
		}
		frames := []frame{{int32(root), 0}}
		order[root], low[root] = next, next
		next++
		stack = append(stack, int32(root))
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			v := f.v
			if f.i < len(out[v]) {
				w := out[v][f.i]
				f.i++
				if order[w] == 0 {
					order[w], low[w] = next, next
					next++
					stack = append(stack, w)
					frames = append(frames, frame{w, 0})
				} else if !done[w] {
					low[v] = min(low[v], order[w])
				}
				continue
			}
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				p := frames[len(frames)-1].v
				low[p] = min(low[p], low[v])
			}
			if low[v] != order[v] {
				continue
			}
			i := len(stack) - 1
			for stack[i] != v {
				i--
			}
			for _, w := range stack[i:] {
				done[w] = true
				if len(stack)-i > 1 || self[w] {
					b.nodes[w].loop = int32(b.loops)
				}
			}
			if len(stack)-i > 1 || self[v] {
				b.loops++
			}
			stack = stack[:i]
		}
	}
}

// fix enters what has run and what is running.
func (b *builder) fix() {
	byRef := map[[2]int]int32{}
	for i := range b.acts {
		byRef[[2]int{b.acts[i].component, b.acts[i].action}] = int32(i)
	}
	enter := func(ref impact.ActionRef, start, finish time.Duration, running bool) {
		c := &b.s.Components[ref.Component]
		a := &c.Actions[ref.Action]
		if ref.At >= 0 && !b.lost[ref.At] {
			for _, d := range b.draws(ref.At, usesAt(b.s, c, ref.At), a.Adds) {
				b.rows[d.row].free -= d.amount
			}
		}
		if running {
			for _, u := range a.Crew {
				if r := b.crewRes[u.Index]; r != none {
					b.busy = append(b.busy, reservation{share{r, u.Count}, start, finish})
				}
			}
			for _, u := range a.Uses {
				if r := b.limitRes[u.Index]; r != none {
					b.busy = append(b.busy, reservation{share{r, u.Count}, start, finish})
				}
			}
		}
		if i, ok := byRef[[2]int{ref.Component, ref.Action}]; ok {
			b.fixed = append(b.fixed, fixed{act: i, start: start, finish: finish})
		}
	}
	for _, d := range b.opts.Done {
		enter(d.Ref, d.Finish, d.Finish, false)
	}
	for i := range b.opts.Running {
		r := &b.opts.Running[i]
		enter(r.Ref, r.Start, max(r.Finish, b.now), true)
	}
	for _, s := range b.shrunk {
		for _, d := range b.freed(s.ref) {
			b.releases = append(b.releases, freeing{d, s.finish})
		}
		if s.began {
			continue
		}
		for _, u := range b.sharesOf(actionOf(b.s, s.ref)) {
			b.busy = append(b.busy, reservation{u, s.start, s.finish})
		}
	}
	slices.SortStableFunc(b.releases, func(x, y freeing) int { return cmp.Compare(x.at, y.at) })
}
