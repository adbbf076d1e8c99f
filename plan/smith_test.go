package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// jobs writes an estate in which one person does one action for each service,
// and nothing needs anything else.
func jobs(users, weight, minutes []int) string {
	var b strings.Builder
	b.WriteString("{kind: Domain, name: a, type: site}\n---\n{kind: Domain, name: b, type: site}\n---\n{kind: Crew, name: one, people: 1}\n")
	for i := range users {
		fmt.Fprintf(&b, "---\n{kind: Component, name: c%d, replicas: [{in: a}], actions: [{name: go, does: start, at: b, takes: %dm, crew: {one: 1}}]}\n", i, minutes[i])
		fmt.Fprintf(&b, "---\n{kind: Service, name: s%d, users: %d, weight: %d, needs: [c%d]}\n", i, users[i], weight[i], i)
	}
	return b.String()
}

// With no needs and one person the order is Smith's rule, which no order of all
// permutations beats, and the bound proves it.
func TestSmithsRule(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 4))
		n := 2 + rng.IntN(6)
		if seed%10 == 0 {
			n = 60
		}
		users, weight, minutes := make([]int, n), make([]int, n), make([]int, n)
		for i := range n {
			users[i], weight[i], minutes[i] = 1+rng.IntN(1000), 1+rng.IntN(3), 1+rng.IntN(20)
		}
		p, err := Make(parse(t, jobs(users, weight, minutes)), []string{"a"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Steps) != n {
			t.Fatalf("seed %d: %d steps for %d services", seed, len(p.Steps), n)
		}
		ratio := func(i int) float64 { return float64(users[i]*weight[i]) / float64(minutes[i]) }
		job := func(s *Step) int {
			var i int
			if _, err := fmt.Sscanf(s.ID, "c%d/", &i); err != nil {
				t.Fatal(err)
			}
			return i
		}
		for k := 1; k < n; k++ {
			a, b := job(&p.Steps[k-1]), job(&p.Steps[k])
			if ratio(a) < ratio(b) || p.Steps[k].Start != p.Steps[k-1].Finish {
				t.Errorf("seed %d: %s at %v is followed by %s at %v", seed, p.Steps[k-1].ID, p.Steps[k-1].Start, p.Steps[k].ID, p.Steps[k].Start)
			}
		}
		if n <= 7 {
			order := make([]int, n)
			for i := range order {
				order[i] = i
			}
			least := math.Inf(1)
			permute(order, 0, func() {
				end, sum := 0, 0
				for _, i := range order {
					end += minutes[i]
					sum += end * users[i] * weight[i]
				}
				least = min(least, float64(sum))
			})
			if math.Abs(p.Objective.UserMinutes-least) > 1e-6*least {
				t.Errorf("seed %d: costs %v, the best permutation %v", seed, p.Objective.UserMinutes, least)
			}
		}
		if g := p.Objective.Gap(); g < 0 || g > 1e-6 {
			t.Errorf("seed %d: gap %v", seed, g)
		}
	}
}

func permute(s []int, k int, yield func()) {
	if k == len(s) {
		yield()
		return
	}
	for i := k; i < len(s); i++ {
		s[k], s[i] = s[i], s[k]
		permute(s, k+1, yield)
		s[k], s[i] = s[i], s[k]
	}
}

// With equal durations, the order is most weighted users first.
func TestEqualDurationsMostUsersFirst(t *testing.T) {
	users, weight, minutes := []int{50, 900, 20, 300, 70}, []int{1, 1, 9, 1, 3}, []int{5, 5, 5, 5, 5}
	p, err := Make(parse(t, jobs(users, weight, minutes)), []string{"a"}, Options{Rounds: -1})
	if err != nil {
		t.Fatal(err)
	}
	order := []int{0, 1, 2, 3, 4}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(users[b]*weight[b], users[a]*weight[a]) })
	for k, i := range order {
		if want := fmt.Sprintf("c%d/go@b", i); p.Steps[k].ID != want {
			t.Errorf("step %d is %s; want %s", k+1, p.Steps[k].ID, want)
		}
	}
}

// The same input gives the same bytes, on one core and on several.
func TestSameInputSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 5))
		text := random(rng, 12, seed%2 == 0)
		var first []byte
		for _, cores := range []int{1, 2, 3} {
			runtime.GOMAXPROCS(cores)
			p, err := Make(parse(t, text), []string{"a"}, Options{Rounds: 20})
			if err != nil {
				t.Fatal(err)
			}
			out, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = out
			}
			if !bytes.Equal(first, out) {
				t.Fatalf("seed %d: %d cores give another plan:\n%s\n%s", seed, cores, first, out)
			}
		}
	}
}

// A time limit is kept, roughly, and said in the plan.
func TestTimeLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	s := parse(t, random(rng, 40, false))
	began := time.Now()
	p, err := Make(s, []string{"a"}, Options{Time: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Partial {
		t.Error("a plan made with a time limit does not say so")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if err := check(s, []string{"a"}, p, nil); err != nil {
		t.Error(err)
	}
}

func TestUnknownLossNamesTheNearest(t *testing.T) {
	_, err := Make(parse(t, twoServices), []string{"nort"}, Options{})
	if err == nil || !strings.Contains(err.Error(), `"north"`) {
		t.Errorf("error is %v; want it to name north", err)
	}
}
