package verify

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"bongsu/estate"
)

// maxTries bounds the brute force that proves a list of cut sets complete.
const maxTries = 200_000

// A subject is what fails, or does not, with a set of leaves.
type subject interface {
	leaf(name string) (int, bool)
	leaves() []int // all that can be lost
	fails(set []int) bool
	name(leaf int) string
}

func checkCutsets(r *Report, s *estate.Snapshot, c *Cutsets) {
	claim := &c.Claim
	var x subject
	if c.Tree != nil {
		if claim.Of != c.Tree.Gates[0].Name {
			r.wrong("the top of the tree is %q, not %q", c.Tree.Gates[0].Name, claim.Of)
			return
		}
		x = newFaults(c.Tree)
	} else {
		ref, ok := s.Lookup(estate.KindService, claim.Of)
		switch {
		case !ok:
			r.wrong("the estate has no service %q", claim.Of)
			return
		case claim.Estate != s.Rev:
			r.wrong("the claim is about revision %q, not about the estate in the certificate", claim.Estate)
			return
		case claim.Leaves != "domains" && claim.Leaves != "components":
			r.wrong("sets of %q; there are sets of domains, or of components", claim.Leaves)
			return
		}
		x = newService(s, ref.Index, claim.Leaves == "components")
	}
	sets, ok := readSets(r, x, claim)
	if !ok {
		return
	}
	for i, set := range sets {
		if !x.fails(set) {
			r.wrong("%s does not fail with %s", claim.Of, strings.Join(claim.Sets[i], ", "))
			return
		}
		for j := range set {
			if x.fails(slices.Delete(slices.Clone(set), j, j+1)) {
				r.wrong("%s fails without %s, so %s is not minimal", claim.Of, x.name(set[j]), strings.Join(claim.Sets[i], ", "))
				return
			}
		}
	}
	if checkCounts(r, claim, sets) {
		if len(sets) > 0 {
			r.proved("each set in the list (%d in all) takes %s down, and without any one member it does not", len(sets), claim.Of)
		}
		if c.Proof != nil {
			covered(r, x, claim, sets, c.Proof)
		} else {
			exhaust(r, x, claim, sets)
		}
	}
	if c.Tree != nil {
		r.unproved("that the tree in the certificate is the model that it was read from")
	}
}

// readSets turns names into leaves: no set twice, no member twice.
func readSets(r *Report, x subject, claim *CutsetsClaim) ([][]int, bool) {
	sets := make([][]int, len(claim.Sets))
	seen := map[string]bool{}
	for i, names := range claim.Sets {
		set := make([]int, len(names))
		for j, name := range names {
			l, ok := x.leaf(name)
			if !ok {
				r.wrong("%q is nothing that can be lost", name)
				return nil, false
			}
			set[j] = l
		}
		slices.Sort(set)
		if len(slices.Compact(slices.Clone(set))) != len(set) {
			r.wrong("%s names something twice", strings.Join(names, ", "))
			return nil, false
		}
		key := fmt.Sprint(set)
		if seen[key] {
			r.wrong("%s is listed twice", strings.Join(names, ", "))
			return nil, false
		}
		seen[key] = true
		sets[i] = set
	}
	return sets, true
}

// checkCounts holds the counts against each other and against the list.
func checkCounts(r *Report, claim *CutsetsClaim, sets [][]int) bool {
	listed := map[int]int64{}
	for _, set := range sets {
		listed[len(set)]++
	}
	sum := new(big.Int)
	counts := map[int]*big.Int{}
	for order, text := range claim.ByOrder {
		k, err := strconv.Atoi(order)
		n, ok := new(big.Int).SetString(text, 10)
		if err != nil || !ok || k < 0 || n.Sign() < 0 {
			r.wrong("%q sets of %q members is no count", text, order)
			return false
		}
		if claim.Order > 0 && k > claim.Order || !claim.Complete && k > claim.UpTo {
			r.wrong("it counts sets of %d members, beyond what it covers", k)
			return false
		}
		counts[k] = n
		sum.Add(sum, n)
	}
	if sum.String() != claim.Count {
		r.wrong("the counts by order sum to %v, not to %s", sum, claim.Count)
		return false
	}
	for k, n := range listed {
		if claim.Ranked && !claim.Complete && k > claim.UpTo {
			continue // the first by rank, of orders that were not counted
		}
		have := counts[k]
		if have == nil || have.Cmp(big.NewInt(n)) < 0 {
			r.wrong("it lists %d sets of %d members and counts fewer", n, k)
			return false
		}
		if !claim.Ranked && have.Cmp(big.NewInt(n)) != 0 {
			r.wrong("it lists %d sets of %d members and counts %v", n, k, have)
			return false
		}
	}
	return true
}

// reach is the order that a claim covers.
func reach(x subject, claim *CutsetsClaim) int {
	most := claim.UpTo
	if claim.Complete && claim.Order == 0 {
		most = len(x.leaves())
	}
	if claim.Order > 0 {
		most = min(most, claim.Order)
	}
	return min(most, len(x.leaves()))
}

// covered holds a claim against the proof that comes with it.
func covered(r *Report, x subject, claim *CutsetsClaim, sets [][]int, proof *Completeness) {
	if !complete(r, x, claim, sets, proof) {
		return
	}
	// What the proof covers is all there is of these orders: the counts may not say more.
	listed := map[string]int64{}
	for _, set := range sets {
		listed[strconv.Itoa(len(set))]++
	}
	for order, n := range claim.ByOrder {
		if k, _ := strconv.Atoi(order); (proof.UpTo == 0 || k <= proof.UpTo) && n != strconv.FormatInt(listed[order], 10) {
			r.wrong("it counts %s sets of %s members, and the proof shows that there are %d", n, order, listed[order])
			return
		}
	}
	if proof.UpTo == 0 || proof.UpTo >= reach(x, claim) {
		r.proved("no set is missing: %d sets of what suffices and %d steps leave no other", len(proof.Paths), len(proof.Clauses))
		return
	}
	r.proved("no set of up to %d members is missing: %d sets of what suffices and %d steps leave no other", proof.UpTo, len(proof.Paths), len(proof.Clauses))
	r.open("the number of sets of more than %d members", proof.UpTo)
}

// exhaust proves that no minimal set is missing, where trying all sets is cheap.
func exhaust(r *Report, x subject, claim *CutsetsClaim, sets [][]int) {
	all := x.leaves()
	most := reach(x, claim)
	full := big.NewInt(int64(len(sets))).String() == claim.Count
	if claim.Ranked {
		r.open("that no other set ranks before those in the list")
	}
	if claim.Ranked || !full {
		r.open("that there are %s sets: only the %d in the list were replayed", claim.Count, len(sets))
		return
	}
	covered, tries := -1, 0
	for k := 0; k <= most; k++ {
		n := new(big.Int).Binomial(int64(len(all)), int64(k))
		if !n.IsInt64() || n.Int64() > int64(maxTries-tries) {
			break
		}
		tries += int(n.Int64())
		if set := missing(x, all, k, sets); set != nil {
			names := make([]string, len(set))
			for i, l := range set {
				names[i] = x.name(l)
			}
			r.wrong("%s fails with %s, and no set in the list is among these", claim.Of, strings.Join(names, ", "))
			return
		}
		covered = k
	}
	if covered == most {
		r.proved("no set is missing: all %d sets of what can be lost were tried, up to %d members", tries, covered)
		return
	}
	if covered >= 0 {
		r.proved("no set of up to %d members is missing: all %d were tried", covered, tries)
	}
	r.open("that no set of more than %d members was left out", max(covered, 0))
}

// missing returns a set of k leaves that fails and holds none of the sets.
func missing(x subject, all []int, k int, sets [][]int) []int {
	pick := make([]int, k)
	for i := range pick {
		pick[i] = i
	}
	small := slices.DeleteFunc(slices.Clone(sets), func(s []int) bool { return len(s) > k })
	for {
		set := make([]int, k)
		for i, p := range pick {
			set[i] = all[p]
		}
		if x.fails(set) && !slices.ContainsFunc(small, func(s []int) bool { return subset(s, set) }) {
			return set
		}
		i := k - 1
		for i >= 0 && pick[i] == len(all)-k+i {
			i--
		}
		if i < 0 {
			return nil
		}
		pick[i]++
		for j := i + 1; j < k; j++ {
			pick[j] = pick[j-1] + 1
		}
	}
}

// subset reports whether all of a, sorted, is in b, sorted.
func subset(a, b []int) bool {
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); !ok {
			return false
		}
	}
	return true
}

// A service is the subject that an estate has.
type service struct {
	m   *model
	w   *world
	of  int
	all []int
}

func newService(s *estate.Snapshot, index int, components bool) *service {
	m := newModel(s)
	x := &service{m: m, w: settled(m), of: m.svc + index}
	// Only what the service stands on can matter.
	in := make([]bool, m.n)
	in[x.of] = true
	for stack := []int{x.of}; len(stack) > 0; {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		push := func(w int) {
			if !in[w] {
				in[w] = true
				stack = append(stack, w)
			}
		}
		m.names(v, push)
		if v >= m.comp && v < m.svc {
			for _, r := range s.Components[v-m.comp].Replicas {
				push(r.In)
			}
		}
	}
	x.w.within = in
	for v := range m.svc {
		if in[v] && (v < m.comp || components) {
			x.all = append(x.all, v)
		}
	}
	return x
}

func (x *service) leaf(name string) (int, bool) {
	v, ok := x.m.named(name)
	_, found := slices.BinarySearch(x.all, v)
	if ok && found {
		return v, true
	}
	return 0, false
}

func (x *service) leaves() []int        { return x.all }
func (x *service) name(leaf int) string { return x.m.name(leaf) }

func (x *service) fails(set []int) bool {
	x.w.lose(set)
	down := !x.w.up[x.of]
	x.w.undo()
	return down
}

// faults is the subject that a fault tree is.
type faults struct {
	t     *Tree
	index map[string]int
	users [][]use // of each leaf, then of each gate
	all   []int
}

type use struct{ gate, weight int }

var errTree = errors.New("its tree does not hold together")

func (t *Tree) check() error {
	if len(t.Gates) == 0 {
		return fmt.Errorf("%w: it has no top", errTree)
	}
	seen := map[string]bool{}
	for _, l := range t.Leaves {
		if seen[l] {
			return fmt.Errorf("%w: leaf %q comes twice", errTree, l)
		}
		seen[l] = true
	}
	for _, g := range t.Gates {
		if g.Weights != nil && len(g.Weights) != len(g.In) {
			return fmt.Errorf("%w: gate %q has %d inputs and %d weights", errTree, g.Name, len(g.In), len(g.Weights))
		}
		for _, i := range g.In {
			if i >= len(t.Leaves) || i < -len(t.Gates) {
				return fmt.Errorf("%w: gate %q has the input %d", errTree, g.Name, i)
			}
		}
		for _, w := range g.Weights {
			if w < 0 {
				return fmt.Errorf("%w: gate %q has the weight %d", errTree, g.Name, w)
			}
		}
	}
	return nil
}

func newFaults(t *Tree) *faults {
	x := &faults{t: t, index: make(map[string]int, len(t.Leaves)), users: make([][]use, len(t.Leaves)+len(t.Gates))}
	for i, l := range t.Leaves {
		x.index[l] = i
		x.all = append(x.all, i)
	}
	for i, g := range t.Gates {
		for j, in := range g.In {
			if in < 0 {
				in = len(t.Leaves) - in - 1
			}
			u := use{i, 1}
			if g.Weights != nil {
				u.weight = g.Weights[j]
			}
			x.users[in] = append(x.users[in], u)
		}
	}
	return x
}

func (x *faults) leaf(name string) (int, bool) {
	i, ok := x.index[name]
	return i, ok
}

func (x *faults) leaves() []int        { return x.all }
func (x *faults) name(leaf int) string { return x.t.Leaves[leaf] }

func (x *faults) fails(set []int) bool {
	sum := make([]int, len(x.t.Gates))
	failed := make([]bool, len(x.users))
	queue := slices.Clone(set)
	for _, l := range set {
		failed[l] = true
	}
	for i, g := range x.t.Gates {
		if g.K <= 0 {
			failed[len(x.t.Leaves)+i] = true
			queue = append(queue, len(x.t.Leaves)+i)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, u := range x.users[queue[0]] {
			sum[u.gate] += u.weight
			if v := len(x.t.Leaves) + u.gate; !failed[v] && sum[u.gate] >= x.t.Gates[u.gate].K {
				failed[v] = true
				queue = append(queue, v)
			}
		}
	}
	return failed[len(x.t.Leaves)]
}
