package verify

// A world is what is up at one moment, and what to take back to return to an
// earlier one. It is small and slow next to the engines, on purpose: a thing whose surroundings
// change is looked at again as a whole.
type world struct {
	m    *model
	up   []bool
	gone []bool // lost by itself: a domain in the loss, a component in a cut set
	g    []gains
	ran  []bool
	held []bool // of each component: it held at the loss, so that its actions do not count

	within []bool // only these are looked at; nil: all
	trail  []change
}

// A change is taken back by undo.
type change struct {
	what  uint8
	index int
	was   gains
}

const (
	rose uint8 = iota
	fell
	lost
	gained
	acted
)

func (w *world) isUp(v int) bool { return w.up[v] }

// settled returns the world before any loss: the greatest in which everything
// that is up has what it needs.
func settled(m *model) *world {
	w := &world{
		m: m, up: make([]bool, m.n), gone: make([]bool, m.n),
		g: make([]gains, len(m.s.Components)), ran: make([]bool, len(m.acts)), held: make([]bool, len(m.s.Components)),
	}
	all := make([]int, m.n)
	for v := range all {
		all[v], w.up[v] = v, true
	}
	w.check(all)
	w.trail = nil
	return w
}

// check takes down what cannot be up, and then what cannot be up without it.
func (w *world) check(queue []int) {
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if !w.up[v] || w.within != nil && !w.within[v] || !w.gone[v] && w.m.stands(v, w.isUp, w.g) {
			continue
		}
		w.up[v] = false
		w.trail = append(w.trail, change{what: fell, index: v})
		queue = append(queue, w.m.users[v]...)
		if v < w.m.comp {
			queue = append(queue, w.m.hosts[v]...)
		}
	}
}

// lose takes things away for good.
func (w *world) lose(things []int) {
	for _, v := range things {
		if !w.gone[v] {
			w.gone[v] = true
			w.trail = append(w.trail, change{what: lost, index: v})
		}
	}
	w.check(append([]int{}, things...))
}

// rise brings up a thing, if it can be, and all that can be up with it.
func (w *world) rise(from int, force bool) []int {
	if w.up[from] || w.within != nil && !w.within[from] {
		return nil
	}
	// All that may gain is taken as up, and what cannot be is taken down again.
	cone := []int{from}
	w.up[from] = true
	for i := 0; i < len(cone); i++ {
		for _, u := range w.m.users[cone[i]] {
			if !w.up[u] && u >= w.m.comp && (w.within == nil || w.within[u]) {
				w.up[u] = true
				cone = append(cone, u)
			}
		}
	}
	tried := make(map[int]bool, len(cone))
	for _, v := range cone {
		tried[v] = true
	}
	queue := append([]int{}, cone...)
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if !w.up[v] || v == from && force || w.m.stands(v, w.isUp, w.g) {
			continue
		}
		w.up[v] = false
		for _, u := range w.m.users[v] {
			if tried[u] {
				queue = append(queue, u)
			}
		}
	}
	var up []int
	for _, v := range cone {
		if w.up[v] {
			up = append(up, v)
			w.trail = append(w.trail, change{what: rose, index: v})
		}
	}
	return up
}

// run makes the effect of an action happen and returns what rises.
func (w *world) run(a int) []int {
	c := w.m.acts[a].comp
	w.trail = append(w.trail, change{what: acted, index: a}, change{what: gained, index: c, was: w.g[c]})
	w.ran[a] = true
	w.m.effect(a, w.g)
	return w.rise(w.m.comp+c, false)
}

// useful reports whether it can matter that an action runs: it has not, and its
// component did not hold at the loss and does not hold now.
func (w *world) useful(a int) bool {
	c := w.m.acts[a].comp
	return !w.ran[a] && !w.held[c] && !w.m.holds(c, w.isUp, w.g[c])
}

// recover runs whatever can run once these are up, and what can run then.
func (w *world) recover(from []int) {
	for i := 0; i < len(from); i++ {
		for _, a := range w.m.wakes[from[i]] {
			if (w.within == nil || w.within[w.m.comp+w.m.acts[a].comp]) && w.useful(a) && w.m.ableSomewhere(a, w.isUp) {
				from = append(from, w.run(a)...)
			}
		}
	}
}

// undo takes back everything on the trail.
func (w *world) undo() {
	for len(w.trail) > 0 {
		c := w.trail[len(w.trail)-1]
		w.trail = w.trail[:len(w.trail)-1]
		switch c.what {
		case rose:
			w.up[c.index] = false
		case fell:
			w.up[c.index] = true
		case lost:
			w.gone[c.index] = false
		case gained:
			w.g[c.index] = c.was
		case acted:
			w.ran[c.index] = false
		}
	}
}
