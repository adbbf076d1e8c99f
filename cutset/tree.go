package cutset

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Op is the kind of a gate.
type Op uint8

// The gates that a coherent tree is made of.
const (
	Or      Op = iota // fails when any input fails
	And               // fails when every input fails
	AtLeast           // fails when inputs of a total weight of at least K fail
)

// String returns the name that Open-PSA gives the operator.
func (o Op) String() string {
	switch o {
	case Or:
		return "or"
	case And:
		return "and"
	case AtLeast:
		return "atleast"
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// Ref points from a gate, or from the top, to what feeds it: a leaf, a gate or
// a constant. Refs are made by [LeafRef] and [GateRef], and by the Add methods of [Tree].
type Ref int32

// The constants: a house event that is never, or always, on.
const (
	False Ref = 0
	True  Ref = 1
)

// LeafRef refers to the i-th leaf of a tree.
func LeafRef(i int) Ref { return Ref(narrow(2 + 2*i)) }

// GateRef refers to the i-th gate of a tree.
func GateRef(i int) Ref { return Ref(narrow(3 + 2*i)) }

// Leaf reports which leaf the reference points to, if it points to one.
func (r Ref) Leaf() (int, bool) { return int(r-2) / 2, r >= 2 && r%2 == 0 }

// Gate reports which gate the reference points to, if it points to one.
func (r Ref) Gate() (int, bool) { return int(r-3) / 2, r >= 3 && r%2 == 1 }

// A Leaf is a basic event: something that can fail by itself.
type Leaf struct {
	Name        string
	Cost        float64  // what it takes to make it fail, which may be nothing
	Probability *float64 // nil where it is not known
}

// A Gate fails when enough of its inputs fail.
type Gate struct {
	Name    string
	Op      Op
	K       int   // the threshold of AtLeast; other gates ignore it
	In      []Ref // an input named twice counts once, in AtLeast as often as it is named
	Weights []int // of AtLeast, one for each input; nil stands for 1 each
}

// A Tree is a coherent fault tree: a graph of gates over leaves in which more
// failures never mean less failure. Gates and leaves may be shared. A tree
// with run-time cycles sets Cyclic: its gates then have the values of the least
// fixpoint, that is, failure spreads from leaves that failed and things that
// need each other do not fail by themselves.
type Tree struct {
	Name   string
	Leaves []Leaf
	Gates  []Gate
	Top    Ref
	Cyclic bool
}

// AddLeaf appends a leaf and returns the reference to it.
func (t *Tree) AddLeaf(l Leaf) Ref {
	t.Leaves = append(t.Leaves, l)
	return LeafRef(len(t.Leaves) - 1)
}

// AddGate appends a gate and returns the reference to it.
func (t *Tree) AddGate(g Gate) Ref {
	t.Gates = append(t.Gates, g)
	return GateRef(len(t.Gates) - 1)
}

// A CycleError says that a tree which must not have cycles has one. Gates holds
// their names, each fed by the next and the last by the first.
type CycleError struct{ Gates []string }

// Error shows the cycle.
func (e *CycleError) Error() string {
	const most = 8
	shown := e.Gates
	if left := len(shown) - most; left > 0 {
		shown = append(slices.Clone(shown[:most]), fmt.Sprintf("(%d more)", left))
	}
	return "the tree has a cycle: " + strings.Join(shown, " <- ") + " <- " + e.Gates[0] +
		"; remove one of these references"
}

// ErrInput is wrapped by every error about a tree or an option that cannot be used as given.
var ErrInput = errors.New("bad input")

// maxNodes keeps references, node numbers and weight bounds well inside 32 bits.
const maxNodes = 1 << 22

// Check returns the first thing that is wrong with the tree: a reference to
// nothing, a threshold that is no threshold, a cost or probability out of range, a
// cycle where none is allowed.
func (t *Tree) Check() error {
	if len(t.Gates)+len(t.Leaves) > maxNodes {
		return fmt.Errorf("%w: %d gates and leaves; at most %d are handled", ErrInput, len(t.Gates)+len(t.Leaves), maxNodes)
	}
	if !t.valid(t.Top) {
		return fmt.Errorf("%w: the top refers to nothing (%d)", ErrInput, t.Top)
	}
	for i := range t.Leaves {
		l := &t.Leaves[i]
		if math.IsNaN(l.Cost) || math.IsInf(l.Cost, 0) || l.Cost < 0 {
			return fmt.Errorf("%w: leaf %q costs %v; a cost is a number of at least 0", ErrInput, l.Name, l.Cost)
		}
		if p := l.Probability; p != nil && !(*p >= 0 && *p <= 1) {
			return fmt.Errorf("%w: leaf %q has probability %v; it lies between 0 and 1", ErrInput, l.Name, *p)
		}
	}
	for i := range t.Gates {
		if err := t.checkGate(i); err != nil {
			return err
		}
	}
	if t.Cyclic {
		return nil
	}
	if c := t.cycle(); c != nil {
		return fmt.Errorf("%w: %w", ErrInput, &CycleError{Gates: c})
	}
	return nil
}

func (t *Tree) checkGate(i int) error {
	g := &t.Gates[i]
	for _, r := range g.In {
		if !t.valid(r) {
			return fmt.Errorf("%w: gate %q refers to nothing (%d)", ErrInput, g.Name, r)
		}
	}
	switch g.Op {
	case Or, And:
		if g.Weights != nil {
			return fmt.Errorf("%w: gate %q is %v and has weights; only atleast has", ErrInput, g.Name, g.Op)
		}
	case AtLeast:
		if g.Weights != nil && len(g.Weights) != len(g.In) {
			return fmt.Errorf("%w: gate %q has %d inputs and %d weights", ErrInput, g.Name, len(g.In), len(g.Weights))
		}
		total := 0
		for _, w := range g.Weights {
			if w < 0 || w > math.MaxInt32-total {
				return fmt.Errorf("%w: gate %q has weight %d; weights are at least 0 and their sum is below 2^31", ErrInput, g.Name, w)
			}
			total += w
		}
		if g.K < 0 || g.K > math.MaxInt32 {
			return fmt.Errorf("%w: gate %q has threshold %d", ErrInput, g.Name, g.K)
		}
	default:
		return fmt.Errorf("%w: gate %q has the unknown kind %d", ErrInput, g.Name, g.Op)
	}
	return nil
}

func (t *Tree) valid(r Ref) bool {
	if i, ok := r.Leaf(); ok {
		return i < len(t.Leaves)
	}
	if i, ok := r.Gate(); ok {
		return i < len(t.Gates)
	}
	return r == False || r == True
}

// cycle returns the names of the gates of some cycle, or nil.
func (t *Tree) cycle() []string {
	const (
		unseen = iota
		open
		done
	)
	state := make([]uint8, len(t.Gates))
	next := make([]int, len(t.Gates))
	var path []int
	for root := range t.Gates {
		if state[root] != unseen {
			continue
		}
		path = append(path[:0], root)
		state[root] = open
		for len(path) > 0 {
			g := path[len(path)-1]
			if next[g] == len(t.Gates[g].In) {
				state[g] = done
				path = path[:len(path)-1]
				continue
			}
			c, ok := t.Gates[g].In[next[g]].Gate()
			next[g]++
			if !ok || state[c] == done {
				continue
			}
			if state[c] == unseen {
				state[c] = open
				path = append(path, c)
				continue
			}
			var names []string
			for _, x := range path[slices.Index(path, c):] {
				names = append(names, t.Gates[x].Name)
			}
			return names
		}
	}
	return nil
}

// Fails reports whether the top fails when exactly the given leaves have
// failed. It simulates the tree as it was given, by counting failed inputs, without anything that [Solve]
// rewrites or builds.
func (t *Tree) Fails(failed []int) bool {
	return newSimulation(t).fails(failed)
}

// A simulation counts the weight of failed inputs of each gate and visits every
// edge at most once per run; stamps spare clearing between runs.
type simulation struct {
	t      *Tree
	start  []int32 // outputs of node n are out[start[n]:start[n+1]]
	out    []int32 // gate of an edge
	weight []int32
	need   []int64
	at     []int32 // gates whose threshold is met from the start
	sum    []int64
	stamp  []int32
	run    int32
	queue  []Ref
}

func newSimulation(t *Tree) *simulation {
	n := max(len(t.Leaves)*2+2, len(t.Gates)*2+3) + 2
	s := &simulation{
		t: t, start: make([]int32, n+1), need: make([]int64, len(t.Gates)),
		sum: make([]int64, len(t.Gates)), stamp: make([]int32, n),
	}
	type edge struct {
		from Ref
		to   int32
		w    int32
	}
	var edges []edge
	for i := range t.Gates {
		g := &t.Gates[i]
		in := make([]edge, 0, len(g.In))
		for j, r := range g.In {
			w := int32(1)
			if g.Op == AtLeast && g.Weights != nil {
				w = narrow(g.Weights[j])
			}
			in = append(in, edge{r, narrow(i), w})
		}
		if g.Op != AtLeast {
			slices.SortFunc(in, func(a, b edge) int { return cmp.Compare(a.from, b.from) })
			in = slices.CompactFunc(in, func(a, b edge) bool { return a.from == b.from })
		}
		switch g.Op {
		case Or:
			s.need[i] = 1
		case And:
			s.need[i] = int64(len(in))
		case AtLeast:
			s.need[i] = int64(g.K)
		}
		if s.need[i] == 0 {
			s.at = append(s.at, narrow(i))
		}
		edges = append(edges, in...)
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Compare(a.from, b.from) })
	s.out = make([]int32, len(edges))
	s.weight = make([]int32, len(edges))
	for i, e := range edges {
		s.out[i], s.weight[i] = e.to, e.w
		s.start[e.from+1]++
	}
	for i := range n {
		s.start[i+1] += s.start[i]
	}
	return s
}

func (s *simulation) fails(failed []int) bool {
	s.run++
	clear(s.sum)
	s.queue = s.queue[:0]
	s.fail(True)
	for _, l := range failed {
		s.fail(LeafRef(l))
	}
	for _, g := range s.at {
		s.fail(GateRef(int(g)))
	}
	for len(s.queue) > 0 {
		r := s.queue[len(s.queue)-1]
		s.queue = s.queue[:len(s.queue)-1]
		for e := s.start[r]; e < s.start[r+1]; e++ {
			g := s.out[e]
			s.sum[g] += int64(s.weight[e])
			if s.sum[g] >= s.need[g] {
				s.fail(GateRef(int(g)))
			}
		}
	}
	return s.stamp[s.t.Top] == s.run
}

func (s *simulation) fail(r Ref) {
	if s.stamp[r] != s.run {
		s.stamp[r] = s.run
		s.queue = append(s.queue, r)
	}
}
