package verify

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"bongsu/estate"
)

// impact checks a whole claim about one loss.
func (m *model) impact(r *Report, im *Impact) {
	k := &impactCheck{m: m, r: r, im: im}
	if !k.fall() || !k.recovery() || !k.stay() {
		return
	}
	k.claims()
	if len(r.Wrong) > 0 {
		return
	}
	p, c := &im.Proof, &im.Claim
	runs := 0
	for _, round := range p.Rounds {
		runs += len(round.Run)
	}
	r.proved("what the loss of %s takes down: what is said to go down (%d in all) lacks something that is down by then, and all else has what it needs", listed(c.Lost), len(p.Fall))
	r.proved("what comes back: actions (%d in all) can run one after another, and what is said to rise then has what it needs", runs)
	r.proved("what does not: no other action can run in the end, and what is said to stay down (%d in all) lacks something", len(p.Stay))
	r.proved("the state of everything, and the data that it loses (components: %d, services: %d, crews: %d)", len(c.Components), len(c.Services), len(c.Crews))
	if k.derivations > 0 {
		r.proved("each derivation, replayed by itself (%d in all)", k.derivations)
	}
	if k.blockings > 0 {
		r.proved("each blocking set (%d in all): with all of it up the thing comes back, without any one member it does not", k.blockings)
	}
	r.proved("the list of deadlocks (%d in all): it is whole, and none of it is invented", len(c.Deadlocks))
	r.unproved("that no other blocking set would do")
}

type impactCheck struct {
	m  *model
	r  *Report
	im *Impact

	loss   []bool // domains asked for
	fallen *world // right after the loss
	back   *world // in the end

	derivations, blockings int
	ample                  *world // with every component and crew up
}

// downs checks that each thing in a list lacks something that is down by then,
// and returns what is down. Only what it is said to lack is taken as down.
func (k *impactCheck) downs(list []Down, down []bool, g []gains) bool {
	m := k.m
	lacks := map[int]bool{}
	up := func(v int) bool { return !lacks[v] }
	for _, d := range list {
		v, ok := m.thing(d.Thing)
		if !ok {
			k.r.wrong("the estate has no %s, which is said to be down", d.Thing)
			return false
		}
		if down[v] {
			k.r.wrong("%s is said to go down twice", d.Thing)
			return false
		}
		clear(lacks)
		for _, name := range d.Lacks {
			x, ok := m.thing(name)
			if !ok || !down[x] {
				k.r.wrong("%s is said to lack %s, which is not down by then", d.Thing, name)
				return false
			}
			lacks[x] = true
		}
		if (v >= m.comp || !k.loss[v]) && m.stands(v, up, g) {
			k.r.wrong("%s is said to be down, but what it is said to lack is not enough for that", d.Thing)
			return false
		}
		down[v] = true
	}
	return true
}

// fall checks what the loss takes down.
func (k *impactCheck) fall() bool {
	m := k.m
	k.loss = make([]bool, m.comp)
	for _, name := range k.im.Claim.Lost {
		ref, ok := m.s.Lookup(estate.KindDomain, name)
		if !ok {
			k.r.wrong("the estate has no domain %q, which is said to be lost", name)
			return false
		}
		k.loss[ref.Index] = true
	}
	w := &world{
		m: m, up: make([]bool, m.n), gone: make([]bool, m.n),
		g: make([]gains, len(m.s.Components)), ran: make([]bool, len(m.acts)), held: make([]bool, len(m.s.Components)),
	}
	down := make([]bool, m.n)
	if !k.downs(k.im.Proof.Fall, down, w.g) {
		return false
	}
	for v := range down {
		w.up[v] = !down[v]
	}
	for v := range down {
		if w.up[v] && (v < m.comp && k.loss[v] || !m.stands(v, w.isUp, w.g)) {
			k.r.wrong("%s is not said to go down, but it does not have what it needs", m.name(v))
			return false
		}
	}
	for c := range w.held {
		w.held[c] = m.holds(c, w.isUp, gains{})
	}
	k.fallen = w
	return true
}

func (w *world) clone() *world {
	c := *w
	c.up, c.gone, c.g = slices.Clone(w.up), slices.Clone(w.gone), slices.Clone(w.g)
	c.ran, c.trail = slices.Clone(w.ran), nil
	return &c
}

// start checks that an action run is one that can happen now.
func (k *impactCheck) start(w *world, step string) (a int, ok bool) {
	a, at, ok := k.m.step(step)
	switch {
	case !ok:
		k.r.wrong("the estate has no action run %s", step)
	case w.ran[a]:
		k.r.wrong("%s is said to run, but that action has run before", step)
	case w.held[k.m.acts[a].comp]:
		k.r.wrong("%s is said to run, but its component held all along", step)
	case !k.m.able(a, at, w.isUp):
		k.r.wrong("%s is said to run, but it cannot by then", step)
	default:
		return a, true
	}
	return 0, false
}

// recovery checks the rounds of actions and what rises with each.
func (k *impactCheck) recovery() bool {
	m, w := k.m, k.fallen.clone()
	for _, round := range k.im.Proof.Rounds {
		var runs []int
		for _, step := range round.Run {
			a, ok := k.start(w, step)
			if !ok {
				return false
			}
			if slices.Contains(runs, a) {
				k.r.wrong("%s is said to run twice", step)
				return false
			}
			runs = append(runs, a)
		}
		for _, a := range runs {
			w.ran[a] = true
			m.effect(a, w.g)
		}
		var up []int
		for _, name := range round.Rise {
			v, ok := m.thing(name)
			if !ok || v < m.comp || w.up[v] {
				k.r.wrong("%s is said to rise, but it is not something that is down and can", name)
				return false
			}
			w.up[v] = true
			up = append(up, v)
		}
		for _, v := range up {
			if !m.stands(v, w.isUp, w.g) {
				k.r.wrong("%s is said to rise, but it does not have what it needs by then", m.name(v))
				return false
			}
		}
	}
	k.back = w
	return true
}

// stay checks that nothing more can run or rise.
func (k *impactCheck) stay() bool {
	m, w := k.m, k.back
	down := make([]bool, m.n)
	for d := range m.comp {
		down[d] = !w.up[d]
	}
	if !k.downs(k.im.Proof.Stay, down, w.g) {
		return false
	}
	for v := range down {
		if down[v] == w.up[v] {
			k.r.wrong("%s is said both to be back and to stay down, or neither", m.name(v))
			return false
		}
	}
	for a := range m.acts {
		if w.useful(a) && m.ableSomewhere(a, w.isUp) {
			c, action := m.action(a)
			k.r.wrong("%s/%s is not said to run, but in the end it can", c.Name, action.Name)
			return false
		}
	}
	return true
}

// claims checks what is claimed of every single thing.
func (k *impactCheck) claims() {
	m, c := k.m, &k.im.Claim
	var lost []string
	for d := range m.comp {
		if !k.fallen.up[d] {
			lost = append(lost, m.s.Domains[d].Name)
		}
	}
	if !slices.Equal(lost, c.LostDomains) {
		k.r.wrong("the lost domains are %s, not %s", strings.Join(lost, ", "), strings.Join(c.LostDomains, ", "))
	}
	losses := k.dataLost()
	k.list(c.Components, m.comp, m.svc, losses)
	k.list(c.Services, m.svc, m.crew, losses)
	k.list(c.Crews, m.crew, m.part, nil)
	if len(k.r.Wrong) == 0 {
		k.deadlocks(c.Deadlocks)
	}
}

func (k *impactCheck) list(claims []Thing, from, to int, losses []dataLoss) {
	if len(claims) != to-from {
		k.r.wrong("the claim has %d things where the estate has %d, from %s on", len(claims), to-from, nameAt(k.m, from, to))
		return
	}
	for i := range claims {
		v := from + i
		if want := k.m.name(v); !strings.HasSuffix(want, "/"+claims[i].Name) {
			k.r.wrong("the claim has %q where the estate has %s", claims[i].Name, want)
			return
		}
		k.thing(&claims[i], v, losses)
		if v < k.m.svc || v >= k.m.crew {
			if len(claims[i].Parts) > 0 {
				k.r.wrong("%s has no parts", k.m.name(v))
			}
			continue
		}
		parts := k.m.partOf[i]
		if len(parts) != len(claims[i].Parts) {
			k.r.wrong("%s has %d parts, not %d", k.m.name(v), len(parts), len(claims[i].Parts))
			continue
		}
		for j, p := range parts {
			if !strings.HasSuffix(k.m.name(p), "/"+claims[i].Parts[j].Name) || len(claims[i].Parts[j].Parts) > 0 {
				k.r.wrong("the claim has the part %q where the estate has %s", claims[i].Parts[j].Name, k.m.name(p))
				continue
			}
			k.thing(&claims[i].Parts[j], p, losses)
		}
	}
}

func nameAt(m *model, from, to int) string {
	if from < to {
		return m.name(from)
	}
	return "none"
}

// state says what becomes of a thing (design §3.5).
func (k *impactCheck) state(v int) string {
	m := k.m
	switch {
	case !k.back.up[v]:
		return "unrecoverable"
	case !k.fallen.up[v] && (v >= m.comp && v < m.svc && k.fallen.held[v-m.comp] || v >= m.crew && v < m.part):
		return "returns"
	case !k.fallen.up[v]:
		return "recoverable"
	}
	degraded := false
	switch {
	case v >= m.comp && v < m.svc:
		degraded = !m.met(m.s.Components[v-m.comp].Wants, k.fallen.isUp)
	case v >= m.svc && v < m.crew:
		degraded = !m.met(m.s.Services[v-m.svc].Wants, k.fallen.isUp) ||
			slices.ContainsFunc(m.partOf[v-m.svc], func(p int) bool { return !k.fallen.up[p] })
	}
	if degraded {
		return "degraded"
	}
	return "up"
}

func (k *impactCheck) thing(t *Thing, v int, losses []dataLoss) {
	name, state := k.m.name(v), k.state(v)
	if t.State != state {
		k.r.wrong("%s is %s, not %s", name, state, t.State)
		return
	}
	if losses == nil {
		if t.DataLost != nil {
			k.r.wrong("%s has no data to lose", name)
		}
	} else if want := losses[v].json(); !sameJSON(want, t.DataLost) {
		k.r.wrong("%s loses %s of its data, not %s", name, want, t.DataLost)
	}
	back := state == "recoverable" || state == "returns"
	switch {
	case back:
		k.derivation(v, t.Derivation)
	case len(t.Derivation) > 0:
		k.r.wrong("%s is %s and has a derivation", name, state)
	}
	switch {
	case state == "unrecoverable":
		k.blocking(v, t.Blocking)
	case len(t.Blocking) > 0:
		k.r.wrong("%s is %s and has a blocking set", name, state)
	}
}

// sameJSON compares values as JSON does, so that 5 and 5.0 are one.
func sameJSON(want string, got json.RawMessage) bool {
	var a, b any
	return json.Unmarshal([]byte(want), &a) == nil && json.Unmarshal(got, &b) == nil && a == b
}

// cone returns everything that whether v comes back can hang on: what it needs,
// and of components that did not hold what their actions ask for.
func (k *impactCheck) cone(v int, actions func(c int) []int) []bool {
	m := k.m
	in := make([]bool, m.n)
	var stack []int
	push := func(w int) {
		if !in[w] {
			in[w] = true
			stack = append(stack, w)
		}
	}
	push(v)
	for len(stack) > 0 {
		x := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if k.fallen.up[x] || x < m.comp {
			continue
		}
		m.names(x, push)
		if x >= m.comp && x < m.svc && !k.fallen.held[x-m.comp] {
			for _, a := range actions(x - m.comp) {
				m.asks(a, push)
			}
		}
	}
	return in
}

// derivation replays the actions that are said to bring a thing back: they
// alone, from right after the loss.
func (k *impactCheck) derivation(v int, steps []string) {
	m, w := k.m, k.fallen
	chosen := map[int][]int{}
	for _, step := range steps {
		if a, _, ok := m.step(step); ok {
			chosen[m.acts[a].comp] = append(chosen[m.acts[a].comp], a)
		}
	}
	w.within = k.cone(v, func(c int) []int { return chosen[c] })
	defer func() {
		w.undo()
		w.within = nil
	}()
	for _, step := range steps {
		a, ok := k.start(w, step)
		if !ok {
			k.r.wrong("the derivation of %s does not run", m.name(v))
			return
		}
		w.run(a)
	}
	if !w.up[v] {
		k.r.wrong("the derivation of %s does not bring it back", m.name(v))
		return
	}
	k.derivations++
}

// blocking checks that a set is in the way of a thing, and that none of it can
// be left out.
func (k *impactCheck) blocking(v int, set []string) {
	m, name := k.m, k.m.name(v)
	if len(set) == 0 {
		k.r.wrong("%s is unrecoverable and has no blocking set", name)
		return
	}
	var members []int
	domains := 0
	if x, ok := m.named(set[0]); ok && len(set) == 1 && x == m.core(v) {
		k.alone(v, nil) // nothing was lost: it could not run before either
		return
	}
	for _, text := range set {
		x, ok := m.named(text)
		if !ok || x == v || slices.Contains(members, x) || x >= m.svc && x < m.crew || x >= m.part {
			k.r.wrong("%q cannot be in a blocking set of %s", text, name)
			return
		}
		if x < m.comp {
			domains++
		}
		members = append(members, x)
	}
	if domains == len(members) {
		k.alone(v, members)
		return
	}
	if domains > 0 {
		k.r.wrong("the blocking set of %s mixes domains with other things", name)
		return
	}
	w := k.back
	w.within = k.cone(v, func(c int) []int { return m.actsOf[c] })
	defer func() { w.within = nil }()
	if !k.backWith(v, members, -1) {
		k.r.wrong("%s does not come back with all of %s up", name, strings.Join(set, ", "))
		return
	}
	for i := range members {
		if k.backWith(v, members, i) {
			k.r.wrong("%s comes back without %s, which is said to be in its way", name, set[i])
			return
		}
	}
	k.blockings++
}

// backWith reports whether v comes back with the members up, all but one.
func (k *impactCheck) backWith(v int, members []int, without int) bool {
	w := k.back
	defer w.undo()
	for i, x := range members {
		if i != without {
			w.recover(w.rise(x, true))
		}
	}
	return w.up[v]
}

// core returns the service of a part, and any other thing itself.
func (m *model) core(v int) int {
	if v < m.part {
		return v
	}
	return m.svc + m.parts[v-m.part].service
}

// alone checks that nothing but a thing's own lost domains, or what it could not
// run without before, is in its way: it does not come back with every other component and crew up.
func (k *impactCheck) alone(v int, domains []int) {
	m, name := k.m, k.m.name(v)
	if len(domains) > 0 {
		own := k.ownLost(v)
		for _, d := range domains {
			if !own[d] {
				k.r.wrong("%s is said to be in the way of %s, but it is no lost domain of its own", m.name(d), name)
				return
			}
		}
		if len(own) != len(domains) {
			k.r.wrong("%d lost domains are said to be in the way of %s, and it has %d of its own", len(domains), name, len(own))
			return
		}
	} else if len(k.ownLost(v)) > 0 {
		k.r.wrong("%s is said to be in its own way, but lost domains of its own are", name)
		return
	}
	if k.ample == nil {
		k.ample = k.plenty(-1)
	}
	if k.possible(k.ample, v) {
		if w := k.plenty(v); w.up[v] {
			k.r.wrong("%s comes back with all other components and crews up, so more than its own domains is in its way", name)
			return
		}
	}
	k.blockings++
}

// ownLost returns the lost domains that a thing names in needs that are not met, and
// those that held a component that did not hold.
func (k *impactCheck) ownLost(v int) map[int]bool {
	m := k.m
	own := map[int]bool{}
	add := func(d int) {
		if !k.fallen.up[d] {
			own[d] = true
		}
	}
	var walk func(n estate.Need)
	walk = func(n estate.Need) {
		if m.met(n, k.back.isUp) {
			return
		}
		if n.Ref != nil {
			if d := m.of(*n.Ref); d < m.comp {
				add(d)
			}
		}
		for _, o := range n.Of {
			walk(o)
		}
	}
	walk(m.needs(v))
	if core := m.core(v); core != v {
		walk(m.needs(core))
	}
	if v >= m.comp && v < m.svc && !k.fallen.held[v-m.comp] {
		c := &m.s.Components[v-m.comp]
		for _, r := range c.Replicas {
			add(r.In)
		}
		if c.Data != nil {
			for _, d := range c.Data.Copies {
				add(d.In)
			}
		}
	}
	return own
}

// plenty returns the world in which every component and crew but one is up, and
// all that can be with them.
func (k *impactCheck) plenty(but int) *world {
	m, w := k.m, k.back.clone()
	var rest []int
	for v := m.comp; v < m.n; v++ {
		if v < m.svc || v >= m.crew && v < m.part {
			w.up[v] = w.up[v] || v != but
		} else if !w.up[v] {
			w.up[v] = true
			rest = append(rest, v)
		}
	}
	for i := 0; i < len(rest); i++ {
		v := rest[i]
		if !w.up[v] || m.stands(v, w.isUp, w.g) {
			continue
		}
		w.up[v] = false
		for _, u := range m.users[v] {
			if u >= m.svc && u < m.crew || u >= m.part {
				rest = append(rest, u)
			}
		}
	}
	if but < 0 {
		return w
	}
	w.rise(but, false)
	if but < m.svc {
		for again := true; again; {
			again = false
			for _, a := range m.actsOf[but-m.comp] {
				if w.useful(a) && m.ableSomewhere(a, w.isUp) {
					w.run(a)
					again = true
				}
			}
		}
	}
	return w
}

// possible reports whether a thing could be up in a world that is taken as the
// most there can be.
func (k *impactCheck) possible(w *world, v int) bool {
	m := k.m
	g := w.g
	if v >= m.comp && v < m.svc && !k.fallen.held[v-m.comp] {
		g = slices.Clone(w.g)
		for _, a := range m.actsOf[v-m.comp] {
			if !w.ran[a] && m.ableSomewhere(a, w.isUp) {
				m.effect(a, g)
			}
		}
	}
	return m.stands(v, w.isUp, g)
}

// A dataLoss is how much of the newest data is gone: all of it (class 2), an unknown
// part (1), or so many nanoseconds (0).
type dataLoss struct {
	class int
	lag   float64 // seconds
}

func (d dataLoss) json() string {
	switch d.class {
	case 2:
		return `"all"`
	case 1:
		return `"unknown"`
	}
	b, err := json.Marshal(d.lag)
	if err != nil {
		// unreachable: a duration is a finite number of seconds.
		panic(err)
	}
	return string(b)
}

func compareLoss(a, b dataLoss) int {
	return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.lag, b.lag))
}

// dataLost works out what each component, service and part loses (design §3.7).
func (k *impactCheck) dataLost() []dataLoss {
	m := k.m
	losses := make([]dataLoss, m.n)
	order := make([]int, 0, m.svc-m.comp)
	for c := range m.s.Components {
		losses[m.comp+c] = k.ownLoss(c)
		order = append(order, m.comp+c)
	}
	// From the greatest loss on: whoever is reached first needs nothing worse.
	slices.SortStableFunc(order, func(a, b int) int { return compareLoss(losses[b], losses[a]) })
	seen := make([]bool, m.n)
	for _, from := range order {
		stack := []int{from}
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[v] {
				continue
			}
			seen[v] = true
			if v >= m.svc {
				losses[v] = losses[from]
			}
			stack = append(stack, m.users[v]...)
		}
	}
	return losses
}

func (k *impactCheck) ownLoss(c int) dataLoss {
	comp, up := &k.m.s.Components[c], k.fallen.up
	if k.fallen.held[c] || comp.Data == nil && comp.Mode == estate.ModeAny {
		return dataLoss{}
	}
	// A living copy with a known lag is better than one with an unknown lag,
	// and that is better than none.
	best := dataLoss{class: 2}
	offer := func(lag *estate.Span) {
		d := dataLoss{class: 1}
		if lag != nil {
			d = dataLoss{lag: lag.Likely.Seconds()}
		}
		if compareLoss(d, best) < 0 {
			best = d
		}
	}
	for _, r := range comp.Replicas {
		switch {
		case r.Count == 0 || !up[r.In]:
		case r.Role == estate.RoleStandby && r.Sync:
			return dataLoss{}
		case r.Role == estate.RoleStandby:
			offer(r.Lag)
		case comp.Mode == estate.ModeQuorum:
			offer(nil)
		}
	}
	if comp.Data != nil {
		for _, d := range comp.Data.Copies {
			switch {
			case !up[d.In]:
			case d.How == "sync" && d.Lag == nil:
				return dataLoss{}
			default:
				offer(d.Lag)
			}
		}
	}
	return best
}
