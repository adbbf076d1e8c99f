package plan

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// A shrink is an action that gives room back at the price of what it takes
// down. What goes down with it counts as down for all of the plan, so that no
// step can lean on it and no step undoes another.
type shrink struct {
	ref           impact.ActionRef
	start, finish time.Duration
	began         bool // it has run or is running
	down          []impact.Change
}

// shrinkLimit bounds how many shrinks are considered for one plan.
const shrinkLimit = 24

// begun returns the shrinks that have run or are running.
func begun(im *impact.Impact, opts *Options) []shrink {
	var out []shrink
	for _, d := range opts.Done {
		if ac := actionOf(im.Snapshot, d.Ref); ac.Does == estate.DoesShrink {
			out = append(out, shrink{ref: d.Ref, start: d.Finish - ac.Takes.Likely, finish: d.Finish, began: true})
		}
	}
	for i := range opts.Running {
		if r := &opts.Running[i]; actionOf(im.Snapshot, r.Ref).Does == estate.DoesShrink {
			out = append(out, shrink{ref: r.Ref, start: r.Start, finish: max(r.Finish, opts.Now), began: true})
		}
	}
	return fell(im, out)
}

func actionOf(s *estate.Snapshot, r impact.ActionRef) *estate.Action {
	return &s.Components[r.Component].Actions[r.Action]
}

// fell orders shrinks by their start and fills in what each takes down.
func fell(im *impact.Impact, of []shrink) []shrink {
	slices.SortStableFunc(of, func(a, b shrink) int { return cmp.Compare(a.start, b.start) })
	ev := im.Evaluator()
	for i := range of {
		of[i].down = ev.Shrink(of[i].ref)
	}
	return of
}

// shrinks lists the shrinks that could start at once, the cheapest first: what
// they act on, need and are done by is up right after the loss.
func (p *problem) shrinks(im *impact.Impact, opts *Options, wanted []float64) []shrink {
	s := p.snapshot
	type offer struct {
		shrink
		price float64 // users and weight that go down, for the room that it frees
	}
	var out []offer
	ev := im.Evaluator()
	for c := range s.Components {
		if st := im.Components[c].State; st != impact.Up && st != impact.Degraded {
			continue
		}
		for a := range s.Components[c].Actions {
			ac := &s.Components[c].Actions[a]
			if ac.Does != estate.DoesShrink || ac.Removes <= 0 {
				continue
			}
			for _, at := range ac.At {
				ref := impact.ActionRef{Component: c, Action: a, At: at}
				if p.barred(opts, ref) || !im.Alive(at) || !ev.CanRun(ref) || !p.enough(ac) || living(im, c, at) < ac.Removes {
					continue
				}
				var gain float64
				for _, d := range p.freed(ref) {
					if wanted[d.row] > 0 {
						gain += wanted[d.row] * d.amount
					}
				}
				if gain <= 0 {
					continue
				}
				down := ev.Clone().Shrink(ref)
				if len(down) > 0 && len(opts.Running) > 0 {
					continue // a running step may lean on it
				}
				out = append(out, offer{shrink{ref: ref, down: down}, p.weigh(down) / gain})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b offer) int {
		return cmp.Or(cmp.Compare(a.price, b.price), strings.Compare(a.ref.ID(s), b.ref.ID(s)))
	})
	// An action runs at one place only; the better one came first.
	var of []shrink
	once := map[[2]int]bool{}
	for _, o := range out {
		if k := [2]int{o.ref.Component, o.ref.Action}; !once[k] && len(of) < shrinkLimit {
			once[k] = true
			of = append(of, o.shrink)
		}
	}
	return of
}

func (p *problem) barred(opts *Options, ref impact.ActionRef) bool {
	anywhere := ref
	anywhere.At = -1
	same := func(r impact.ActionRef) bool { return r.Component == ref.Component && r.Action == ref.Action }
	return slices.Contains(opts.Forbidden, ref) || slices.Contains(opts.Forbidden, anywhere) ||
		slices.ContainsFunc(opts.Done, func(d Finished) bool { return same(d.Ref) }) ||
		slices.ContainsFunc(opts.Running, func(r Step) bool { return same(r.Ref) })
}

// enough reports whether the people and slots that an action asks for exist.
func (p *problem) enough(ac *estate.Action) bool {
	for _, u := range p.sharesOf(ac) {
		if u.amount > p.capacity[u.resource] {
			return false
		}
	}
	return true
}

func (p *problem) sharesOf(ac *estate.Action) []share {
	var out []share
	for _, u := range ac.Crew {
		if r := p.crewRes[u.Index]; r != none {
			out = append(out, share{r, u.Count})
		}
	}
	for _, u := range ac.Uses {
		if r := p.limitRes[u.Index]; r != none {
			out = append(out, share{r, u.Count})
		}
	}
	return out
}

// living counts the replicas of a component that live inside a domain.
func living(im *impact.Impact, c, at int) int {
	n := 0
	for _, r := range im.Snapshot.Components[c].Replicas {
		if im.Alive(r.In) && within(im.Snapshot, r.In, at) {
			n += r.Count
		}
	}
	return n
}

// freed returns the room that a shrink gives back.
func (p *problem) freed(ref impact.ActionRef) []draw {
	c := &p.snapshot.Components[ref.Component]
	return p.draws(ref.At, usesAt(p.snapshot, c, ref.At), c.Actions[ref.Action].Removes)
}

// weigh sums users and weights of the services and parts among the changes.
func (p *problem) weigh(down []impact.Change) float64 {
	var sum float64
	for _, d := range down {
		if d.Ref.Kind != estate.KindService {
			continue
		}
		sv := &p.snapshot.Services[d.Ref.Index]
		share := sv.Core()
		if d.Part >= 0 {
			share = sv.Parts[d.Part].Share
		}
		sum += float64(sv.Users) * sv.Weight * share
	}
	return sum
}

// time gives each chosen shrink the earliest start that people and slots allow,
// after those that have begun.
func (p *problem) time(of []shrink) []shrink {
	st := newSchedule(p)
	out := slices.Clone(of)
	for i := range out {
		if out[i].began {
			continue
		}
		x := act{takes: actionOf(p.snapshot, out[i].ref).Takes.Likely, uses: p.sharesOf(actionOf(p.snapshot, out[i].ref))}
		out[i].start = st.slot(&x, p.now)
		out[i].finish = out[i].start + x.takes
		for _, u := range x.uses {
			st.crews[u.resource].reserve(out[i].start, out[i].finish, u.amount)
		}
	}
	return out
}

// makeRoom looks for shrinks that let the plan bring back more than they take
// down. It starts from what the plan without them leaves down, adds shrinks
// from the cheapest on as long as that may help, and drops those that turn out
// to be needless.
func (t *task) makeRoom(cost float64) []shrink {
	wanted := t.sv.wanted()
	if wanted == nil {
		return t.begun
	}
	offers := t.p.shrinks(t.im, t.opts, wanted)
	if len(offers) == 0 {
		return t.begun
	}
	try := func(of []shrink) float64 {
		q, _ := t.with(of)
		return q.quick()
	}
	best, least := t.begun, cost
	set := slices.Clone(t.begun)
	for _, o := range offers {
		set = append(slices.Clip(set), o)
		if c := try(set); c < least*(1-1e-9) {
			best, least = set, c
		}
	}
	for _, k := range slices.Backward(best) {
		if k.began {
			continue
		}
		fewer := slices.DeleteFunc(slices.Clone(best), func(s shrink) bool { return s.ref == k.ref })
		if c := try(fewer); c <= least {
			best, least = fewer, c
		}
	}
	return best
}

// quick is what the rankings alone reach.
func (t *task) quick() float64 {
	pl := newPlanner(t.p)
	least := t.p.cost(t.sv.heads)
	for i, o := range t.sv.rankings() {
		if c := pl.decode(candidate{order: o}); i == 0 || c < least {
			least = c
		}
	}
	return least
}
