package policy

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"
)

// A Comparison is several drafts over the same cases.
type Comparison struct {
	Cases  int      `json:"cases"`
	Drafts []Result `json:"drafts"` // in the order given; the first is what others are compared with
}

// A Result is what one draft would give.
type Result struct {
	Policy     string    `json:"policy"`
	Digest     string    `json:"digest"`
	Total      Sums      `json:"total"`
	ByRule     []Segment `json:"byRule"`
	ByKind     []Segment `json:"byKind"`    // who claims
	ByUse      []Segment `json:"byUse"`     // what for
	ByService  []Segment `json:"byService"` // most money first
	Spread     []int64   `json:"spread"`    // amounts that are paid at 0, 10, …, 100 % of the payments; empty: none
	Budget     int64     `json:"budget"`
	OverBudget int64     `json:"overBudget"` // by how much cost and what persons may still grant exceed the budget
	Borders    []Border  `json:"borders"`
	plain      []brief   // by case
}

// Sums add up decisions. Amounts are face value, minor units.
type Sums struct {
	Cases   int   `json:"cases"`
	Paid    int   `json:"paid"`
	Refused int   `json:"refused"`
	Human   int   `json:"human"`
	Amount  int64 `json:"amount"`  // of what is paid
	Cost    int64 `json:"cost"`    // of what is paid
	Pending int64 `json:"pending"` // what rules would give to those whom persons decide
	Hours   int64 `json:"hours"`   // of extensions
	More    int   `json:"more"`    // cases that get more than by the first draft
	Less    int   `json:"less"`
	Delta   int64 `json:"delta"` // amount against the first draft
}

// A Segment is the sums of some of the cases.
type Segment struct {
	Name string `json:"name"`
	Sums
}

// A Border is what would come out if claimed figures were a little different: many
// cases just below a limit, or above it, make a policy fragile and invite another story.
type Border struct {
	Percent int   `json:"percent"` // by which every loss is changed
	Changed int   `json:"changed"` // cases that get another amount, or another outcome
	Amount  int64 `json:"amount"`  // of what would be paid
}

// Compare runs every draft over the cases. It gives the same for the same input,
// whatever the number of cores.
func Compare(cases []Case, drafts []*Policy) Comparison {
	c := Comparison{Cases: len(cases), Drafts: []Result{}}
	for _, p := range drafts {
		r := p.over(cases)
		if len(c.Drafts) > 0 {
			r.against(&c.Drafts[0], cases)
		}
		c.Drafts = append(c.Drafts, r)
	}
	return c
}

// Borders adds to each draft what a change of all losses by so many percent does.
// It decides every case that has a loss again for each.
func (c *Comparison) Borders(cases []Case, drafts []*Policy, percents ...int) {
	for i, p := range drafts {
		c.Drafts[i].Borders = []Border{}
		plain := c.Drafts[i].plain
		for _, percent := range percents {
			b := Border{Percent: percent}
			for n, d := range p.all(cases, percent, plain) {
				if d.outcome != plain[n].outcome || d.amount != plain[n].amount {
					b.Changed++
				}
				if d.outcome == Pay {
					b.Amount += d.amount
				}
			}
			c.Drafts[i].Borders = append(c.Drafts[i].Borders, b)
		}
	}
}

// brief is what a comparison keeps of a decision.
type brief struct {
	rule                string
	outcome             Outcome
	amount, cost, hours int64
}

// paid is what a case gets.
func (d *brief) paid() int64 {
	if d.outcome == Pay {
		return d.amount
	}
	return 0
}

// all decides every case, on every core. Plain is what they come to with no change of the losses: cases without
// a loss are not decided once more.
func (p *Policy) all(cases []Case, percent int, plain []brief) []brief {
	out := make([]brief, len(cases))
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			var changed Case
			for i := w * len(cases) / workers; i < (w+1)*len(cases)/workers; i++ {
				c := &cases[i]
				if percent != 0 {
					// The loss of sales is best less week: change the loss and leave the week.
					loss, proven, best := shifted(c.Claim.Loss, percent), shifted(c.Claim.Proven, percent), c.Claim.Week+shifted(c.Claim.Best-c.Claim.Week, percent)
					if loss == c.Claim.Loss && proven == c.Claim.Proven && best == c.Claim.Best {
						out[i] = plain[i]
						continue
					}
					changed = *c
					changed.Claim.Loss, changed.Claim.Proven, changed.Claim.Best = loss, proven, best
					c = &changed
				}
				d := p.decide(c, "claim", false)
				out[i] = brief{d.Rule, d.Outcome, d.Amount, d.Cost, d.Hours}
			}
		})
	}
	wg.Wait()
	return out
}

func (p *Policy) over(cases []Case) Result {
	r := Result{Policy: p.ID, Digest: p.Digest, Budget: p.Budget, Spread: []int64{}, Borders: []Border{}, plain: p.all(cases, 0, nil)}
	rules, kinds, uses, services := map[string]*Sums{}, map[string]*Sums{}, map[string]*Sums{}, map[string]*Sums{}
	var paid []int64
	for i, d := range r.plain {
		c, one := &cases[i].Claim, d.sums()
		for _, s := range []*Sums{&r.Total, in(rules, d.rule), in(kinds, c.Kind), in(uses, c.Use), in(services, c.Service)} {
			s.plus(&one)
		}
		if d.outcome == Pay && d.amount > 0 {
			paid = append(paid, d.amount)
		}
	}
	slices.Sort(paid)
	if len(paid) > 0 {
		for q := range 11 {
			r.Spread = append(r.Spread, paid[(len(paid)-1)*q/10])
		}
	}
	r.ByRule, r.ByKind, r.ByUse, r.ByService = segments(rules), segments(kinds), segments(uses), segments(services)
	if r.Budget > 0 {
		r.OverBudget = max(0, r.Total.Cost+r.Total.Pending-r.Budget)
	}
	return r
}

func in(m map[string]*Sums, name string) *Sums {
	s := m[name]
	if s == nil {
		s = &Sums{}
		m[name] = s
	}
	return s
}

// sums are those of one decision.
func (d *brief) sums() Sums {
	switch d.outcome {
	case Pay:
		return Sums{Cases: 1, Paid: 1, Amount: d.amount, Cost: d.cost, Hours: d.hours}
	case Human:
		return Sums{Cases: 1, Human: 1, Pending: d.amount}
	case Refuse:
	}
	return Sums{Cases: 1, Refused: 1}
}

// plus adds other decisions.
func (s *Sums) plus(o *Sums) {
	s.Cases += o.Cases
	s.Paid += o.Paid
	s.Refused += o.Refused
	s.Human += o.Human
	s.Amount += o.Amount
	s.Cost += o.Cost
	s.Pending += o.Pending
	s.Hours += o.Hours
	s.More += o.More
	s.Less += o.Less
	s.Delta += o.Delta
}

// segments lists sums, most money first, then by name.
func segments(m map[string]*Sums) []Segment {
	out := make([]Segment, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Segment{name, *m[name]})
	}
	slices.SortStableFunc(out, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), cmp.Compare(b.Pending, a.Pending), cmp.Compare(b.Cases, a.Cases))
	})
	return out
}

// against counts who wins and who loses by this draft against another.
func (r *Result) against(base *Result, cases []Case) {
	at := func(list []Segment) map[string]*Sums {
		m := map[string]*Sums{}
		for i := range list {
			m[list[i].Name] = &list[i].Sums
		}
		return m
	}
	kinds, uses, services := at(r.ByKind), at(r.ByUse), at(r.ByService)
	for i := range cases {
		delta := r.plain[i].paid() - base.plain[i].paid()
		c := &cases[i].Claim
		for _, s := range []*Sums{&r.Total, kinds[c.Kind], uses[c.Use], services[c.Service]} {
			s.Delta += delta
			switch {
			case delta > 0:
				s.More++
			case delta < 0:
				s.Less++
			}
		}
	}
}

// shifted is n changed by so many percent; what would not fit is left as it is.
func shifted(n int64, percent int) int64 {
	if n <= 0 || n > mostShifted {
		return n
	}
	return n + n*int64(percent)/100
}

// mostShifted is the largest amount that can be changed by up to 100 percent.
const mostShifted = 1 << 55

// Coarse is the comparison for those who may not learn of single persons: groups of fewer
// cases than least stand together as "other", and how single amounts spread is left out.
func (c *Comparison) Coarse(least int) Comparison {
	out := Comparison{Cases: c.Cases, Drafts: slices.Clone(c.Drafts)}
	for i := range out.Drafts {
		d := &out.Drafts[i]
		d.Spread = []int64{}
		for _, list := range []*[]Segment{&d.ByRule, &d.ByKind, &d.ByUse, &d.ByService} {
			*list = coarse(*list, least)
		}
	}
	return out
}

// coarse puts small groups together, and the next smallest with them while they are too few.
func coarse(list []Segment, least int) []Segment {
	all := slices.SortedStableFunc(slices.Values(list), func(a, b Segment) int { return cmp.Compare(b.Cases, a.Cases) })
	other := Segment{Name: "other"}
	for len(all) > 0 && (all[len(all)-1].Cases < least || other.Cases > 0 && other.Cases < least) {
		other.plus(&all[len(all)-1].Sums)
		all = all[:len(all)-1]
	}
	if other.Cases > 0 {
		all = append(all, other)
	}
	return all
}
