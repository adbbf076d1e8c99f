package audit

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// A Checker audits an estate again and again as it changes, and judges anew only
// what a change reaches: documents that changed, all that they need, and all that
// needs them. What it returns is what [Check] returns, always. It is not safe for
// concurrent use.
type Checker struct {
	o      Options
	last   *auditor
	list   []Finding // what the last check found
	judged Judged
}

// Judged says what the last check of a [Checker] had to judge.
type Judged struct {
	Whole     bool // everything: the first time, and where a change reaches too far
	Documents int  // that changed, came or went
	Reached   int  // documents that the change reaches, themselves among them
	Losses    int  // that were not judged before
}

// NewChecker returns a checker with the options, whose Now is not looked at.
func NewChecker(o Options) *Checker { return &Checker{o: o} }

// Judged says what the last check had to judge.
func (c *Checker) Judged() Judged { return c.judged }

// Check is like the function [Check] at the time now.
func (c *Checker) Check(s *estate.Snapshot, now time.Time) (*Report, error) {
	o := c.o
	o.Now = now
	c.judged = Judged{}
	a, err := c.follow(s, now)
	if a == nil && err == nil {
		c.judged.Whole, c.last = true, nil
		if a, err = newAuditor(s, o); err == nil {
			a.stand()
		}
	}
	if err != nil {
		return nil, err
	}
	c.last = nil // what it kept is on its way to this check
	if a.run(); a.err != nil {
		return nil, a.err
	}
	r := a.report()
	c.last, c.list = a, slices.Clone(r.Findings) // the report is the caller's
	return r, nil
}

// follow returns an auditor that takes over from the last one what the changes
// since then do not reach, or nil where everything is to be judged: time ran
// backwards, losses are swept, or a field changed that nobody knows. It changes the
// last one on the way.
func (c *Checker) follow(s *estate.Snapshot, now time.Time) (*auditor, error) {
	last := c.last
	if last == nil || last.standing == nil {
		return nil, nil //nolint:nilnil // everything is to be judged
	}
	changes := estate.Diff(last.s, s)
	c.judged.Documents = len(changes)
	if c.o.Every || c.o.Pairs || len(c.o.PairTypes) > 0 || c.o.brute {
		return nil, nil //nolint:nilnil // everything is to be judged
	}
	k := &known{at: map[estate.Ref]int{}}
	for _, x := range changes {
		if x.What == estate.Changed {
			r, _ := s.Lookup(x.Kind, x.Name)
			was, _ := last.s.Lookup(x.Kind, x.Name)
			k.count(r, last.s, s, was)
			if k.note(r, x.Fields)&swaysAll != 0 {
				return nil, nil //nolint:nilnil // everything is to be judged
			}
		} else {
			k.comeOrGo(x, last.s, s)
		}
	}
	if k.sways&swaysUnder != 0 {
		k.spread(s)
	}
	if len(k.called) > 0 {
		k.callAnew(s)
	}
	turned, ok := last.turns(s, last.o.Now, now)
	if !ok {
		return nil, nil //nolint:nilnil // everything is to be judged
	}
	for _, r := range turned {
		if _, noted := k.at[r]; !noted {
			k.note(r, nil)
		}
	}
	v := moves{}
	if k.comes || len(k.gone) > 0 {
		v.Moves = impact.MovesOf(last.s, s)
	}
	waivers := k.waivers(s, v.now(last.waivers))
	if err := checkWaivers(s, ruleNames(), waivers); err != nil {
		return nil, err
	}
	named, err := namedLosses(s, &c.o)
	if err != nil {
		return nil, err
	}
	old := v.before(k.changed, k.gone)
	a := *last
	a.s, a.o.Now, a.moves, a.named, a.waivers = s, now, v, named, waivers
	if a.tooManyToStand() {
		return nil, nil //nolint:nilnil // everything is to be judged
	}
	if v.any() {
		a.renumber(v)
	}
	for _, r := range k.called {
		a.subjects[r.Kind][r.Index] = s.NameOf(r)
	}
	if k.under != nil {
		for d, is := range k.under {
			if is {
				a.fates[d] = nil
			}
		}
		a.fates = furtherFates(s, a.fates)
	}
	if last.cutter != nil {
		a.cutter, k.sites = last.cutter.follow(s, v, k.under, k.changed)
	}
	a.behind = slices.Concat(v.now(last.behind), k.changed)
	a.recounted = slices.Concat(v.now(last.recounted), k.recounted)
	a.base, a.list, a.swept, a.idle, a.skip, a.sweep = found{}, nil, nil, 0, nil, nil
	a.known = k
	var ties []tie // that documents made before
	if k.sways&swaysGraph != 0 {
		var sways []estate.Ref
		for i, r := range k.documents {
			if k.of[i]&swaysDown != 0 {
				sways = append(sways, r)
			}
		}
		for _, t := range a.graph.ties(v.before(sways, k.gone)) {
			k.needed = append(k.needed, t.from)
		}
		ties = a.graph.ties(old)
		if v.Has(estate.KindComponent, estate.KindService, estate.KindCrew) || a.graph.reshaped(s, old) {
			ties, k.needed = a.graph.renumber(s, v, ties, k.needed)
		}
		a.graph.renew(s, k.changed, ties)
		for _, r := range old {
			eachDomain(last.s, r, func(d int) {
				if d = v.Now(estate.KindDomain, d); d >= 0 {
					a.needed[d]--
				}
			})
		}
		for _, r := range k.changed {
			eachDomain(s, r, func(d int) { a.needed[d]++ })
		}
		a.outright.follow(s, k.changed)
		must := a.outright.musts()
		k.musts = !slices.Equal(a.must, must)
		a.must = must
	}
	a.graph.s = s
	if k.sways&swaysPlaces != 0 {
		rehost(a.hosts, last.s, s, v, old, k.changed)
	}
	if k.sways&swaysRoom != 0 {
		k.room = a.ledger.follow(&a, last, v, old, k.changed)
	}
	a.dates.follow(last.s, s, v.before(k.documents, k.gone), k.documents)
	if k.sways&(swaysGraph|swaysTools) != 0 {
		a.channels = nil
	}
	for _, kind := range channelKinds() {
		a.channelsTo(kind.whom)
	}
	if k.sways&swaysImpact == 0 {
		var stirring []estate.Ref
		for i, r := range k.documents {
			if k.of[i]&swaysUp != 0 {
				stirring = append(stirring, r)
			}
		}
		a.standing.Renew(s, k.documents, stirring)
	} else {
		a.standing.Follow(s, v.Moves, k.changed, k.recounted)
		a.standing.Lose(a.losses())
	}
	a.engine = a.standing.Engine()
	k.reach(a.graph, ties)
	if v.any() {
		a.touches = map[int]reach{}
	}
	maps.DeleteFunc(a.touches, func(c int, _ reach) bool { return k.below[c] })
	k.lossAt, k.first = map[string]int{NoLoss: 0}, map[string]bool{}
	for i, l := range a.named {
		k.lossAt[l.name] = 1 + i
		if !slices.ContainsFunc(last.named, func(was loss) bool { return was.name == l.name }) {
			k.first[l.name] = true
		}
	}
	c.judged.Losses = len(k.first)
	for i := range s.Services {
		o := &s.Services[i].Objectives
		k.promised = k.promised || k.reached[estate.KindService][i] && (o.RTO != nil || o.RPO != nil)
	}
	a.takeOver(v.findings(c.list, k))
	c.judged.Reached = k.far
	return &a, nil
}

// turns lists the documents of which something is too old, or has run out, at one of
// the two moments and not at the other; ok is false where time does not go on.
func (a *auditor) turns(s *estate.Snapshot, from, to time.Time) (out []estate.Ref, ok bool) {
	if from.Equal(to) {
		return nil, true
	}
	if from.IsZero() || to.IsZero() || to.Before(from) {
		return nil, false
	}
	// What is so after a moment, or from it on, changes where it is passed or met.
	passed := func(t time.Time) bool { return !t.Before(from) && !t.After(to) }
	for r := range docs(s) {
		d := s.Doc(r)
		turns := !d.Source.At.IsZero() && passed(d.Source.At.Add(a.o.MaxAge)) ||
			slices.ContainsFunc(d.Waive, func(w estate.Waiver) bool { return passed(w.Until.Add(24 * time.Hour)) })
		if r.Kind == estate.KindComponent && s.Components[r.Index].Data != nil {
			turns = turns || slices.ContainsFunc(s.Components[r.Index].Data.Copies, func(k estate.Copy) bool {
				return !k.Tested.IsZero() && (passed(k.Tested) || passed(k.Tested.Add(a.o.MaxUntested)))
			})
		}
		if turns {
			out = append(out, r)
		}
	}
	return out, true
}

// known is what the check before found, and what the change since then reaches.
type known struct {
	documents []estate.Ref // that changed or came, or are told otherwise
	at        map[estate.Ref]int
	gone      []estate.Ref // what went, where it was
	comes     bool         // something came
	changed   []estate.Ref // of the documents, but for those that follow
	called    []estate.Ref // that findings name otherwise, since another kind has the name too, or no more
	recounted []estate.Ref // crews and limits of which only the number changed
	of        []sways      // what the change of each of documents sways
	sways     sways        // all of it
	under     []bool       // of each domain: what it needs is not what it was; nil: of none
	flips     bool         // there are enough people or slots for another set of actions
	room      bool         // there is more or less room than before, or some is taken by others
	musts     bool         // other components than before are such that a service cannot do without
	sites     bool         // consensus groups could have voters in other sites

	over     []*Finding          // what was found and is taken over as it is, sorted
	findings map[string]*Finding // by ID: what else was found
	had      map[[2]string]bool  // what else was found, by rule and loss
	lossAt   map[string]int      // of each loss: its place in what is standing
	first    map[string]bool     // the losses that were not judged before
	below    []bool              // of each component: something that changed needs it, directly or not
	promised bool                // a service with an objective is reached
	reached  [4][]bool           // of each component, service and crew, by kind
	local    [4][]bool           // of these: those that rules that look at one thing by itself have to judge
	far      int                 // how many are reached
	needed   []int               // what the documents that changed or went needed before, where that matters

	numbers map[estate.Ref][2]int // the people of each crew that changed, and the slots of each limit: before and now
}

// A sways is a set of things that the change of a document may sway.
type sways uint16

const (
	swaysImpact sways = 1 << iota // what impact says
	swaysGraph                    // who needs whom
	swaysPlaces                   // what stands where
	swaysRoom                     // how much room there is, and is taken
	swaysTools                    // what is a tool
	swaysUp                       // what is said of those that need the document
	swaysDown                     // what is said of those that it needs
	swaysUnder                    // where everything stands that is in the document, a domain
	swaysAll                      // anything
)

// note says what the change of fields of a document sways.
func (k *known) note(r estate.Ref, fields []estate.FieldChange) sways {
	var all sways
	counts := len(fields) > 0
	for _, f := range fields {
		x := swaysOf(r.Kind, f)
		all |= x
		counts = counts && (f.Path == "people" || f.Path == "slots")
	}
	k.sway(r, all)
	if counts {
		k.recounted = append(k.recounted, r)
	} else {
		k.changed = append(k.changed, r)
	}
	return all
}

// sway notes that a document sways something.
func (k *known) sway(r estate.Ref, x sways) {
	i, noted := k.at[r]
	if !noted {
		i = len(k.documents)
		k.at[r], k.documents, k.of = i, append(k.documents, r), append(k.of, 0)
	}
	k.of[i] |= x
	k.sways |= x
}

// change is sway of a document that counts as changed, though it may not be.
func (k *known) change(r estate.Ref, x sways) {
	if _, noted := k.at[r]; !noted {
		k.changed = append(k.changed, r)
	} else if i := slices.Index(k.recounted, r); i >= 0 {
		k.recounted, k.changed = slices.Delete(k.recounted, i, i+1), append(k.changed, r)
	}
	k.sway(r, x)
}

// swaysWhole says what a document sways that comes or goes. With a domain came or
// went what is in it, too.
func swaysWhole(k estate.Kind) sways {
	switch k {
	case estate.KindDomain, estate.KindLimit:
		return swaysImpact
	case estate.KindComponent, estate.KindService, estate.KindCrew:
		return swaysImpact | swaysGraph | swaysPlaces | swaysRoom | swaysTools | swaysUp | swaysDown
	case estate.KindProbe, estate.KindOption:
	}
	return 0
}

// comeOrGo notes that a document came or went, and which ones of that name findings
// name otherwise now.
func (k *known) comeOrGo(x estate.Change, before, after *estate.Snapshot) {
	if x.What == estate.Removed {
		r, _ := before.Lookup(x.Kind, x.Name)
		k.gone, k.sways = append(k.gone, r), k.sways|swaysWhole(x.Kind)
	} else {
		r, _ := after.Lookup(x.Kind, x.Name)
		k.comes = true
		k.change(r, swaysWhole(x.Kind))
	}
	for _, kind := range estate.Kinds() {
		was, had := before.Lookup(kind, x.Name)
		r, has := after.Lookup(kind, x.Name)
		if had && has && before.NameOf(was) != after.NameOf(r) {
			k.called = append(k.called, r)
		}
	}
}

// waivers lists the documents with exceptions, of which these were known before.
func (k *known) waivers(s *estate.Snapshot, before []estate.Ref) []estate.Ref {
	var out []estate.Ref
	for _, r := range before {
		if _, noted := k.at[r]; !noted {
			out = append(out, r)
		}
	}
	for _, r := range k.documents {
		if len(s.Doc(r).Waive) > 0 {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(x, y estate.Ref) int { return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Index, y.Index)) })
	return out
}

// callAnew notes what findings name otherwise, and what may be told to need it or
// to stand in it.
func (k *known) callAnew(s *estate.Snapshot) {
	called := make([][]bool, len(estate.Kinds()))
	for _, kind := range estate.Kinds() {
		called[kind] = make([]bool, s.Count(kind))
	}
	for _, r := range k.called {
		called[r.Kind][r.Index] = true
		if r.Kind == estate.KindDomain {
			k.sway(r, 0)
		} else {
			k.change(r, swaysUp|swaysDown)
		}
	}
	for r := range docs(s, estate.KindComponent, estate.KindService, estate.KindCrew) {
		names := false
		eachNeed(s, r, func(n estate.Need) {
			eachRef(n, func(r estate.Ref) { names = names || called[r.Kind][r.Index] })
		})
		if r.Kind == estate.KindComponent {
			eachHost(&s.Components[r.Index], func(d int) { names = names || called[estate.KindDomain][d] })
		}
		if names {
			k.change(r, swaysUp)
		}
	}
}

// count notes how many people a crew had that changed, and slots a limit.
func (k *known) count(r estate.Ref, before, after *estate.Snapshot, was estate.Ref) {
	key := estate.Ref{Kind: r.Kind, Index: r.Index}
	if k.numbers == nil {
		k.numbers = map[estate.Ref][2]int{}
	}
	switch r.Kind {
	case estate.KindCrew:
		k.numbers[key] = [2]int{before.Crews[was.Index].People, after.Crews[r.Index].People}
	case estate.KindLimit:
		k.numbers[key] = [2]int{before.Limits[was.Index].Slots, after.Limits[r.Index].Slots}
	case estate.KindDomain, estate.KindComponent, estate.KindService, estate.KindProbe, estate.KindOption:
	}
}

// spread notes what names a domain that needs something else than before, directly
// or not, or has anything in it, as changed, too.
func (k *known) spread(s *estate.Snapshot) {
	const (
		unknown = iota
		no
		yes
	)
	state := make([]uint8, len(s.Domains))
	for i, r := range k.documents {
		if r.Kind == estate.KindDomain && k.of[i]&swaysUnder != 0 {
			state[r.Index] = yes
		}
	}
	var hangs func(d int) bool
	hangs = func(d int) bool {
		if state[d] == unknown {
			state[d] = no // domains need each other in no circle
			if anyRef(&s.Domains[d].Needs, hangs) {
				state[d] = yes
			}
		}
		return state[d] == yes
	}
	k.under = make([]bool, len(s.Domains))
	for d := range s.Domains {
		k.under[d] = hangs(d)
	}
	for r := range docs(s, estate.KindComponent, estate.KindService, estate.KindCrew) {
		hit := false
		note := func(d int) { hit = hit || k.under[d] }
		eachDomain(s, r, note)
		if r.Kind == estate.KindComponent {
			eachHost(&s.Components[r.Index], note)
		}
		if hit {
			k.change(r, swaysImpact|swaysPlaces|swaysRoom|swaysUp)
		}
	}
	k.sways |= swaysImpact | swaysPlaces | swaysRoom | swaysUp
}

// swaysOf says what the change of a field sways.
func swaysOf(kind estate.Kind, f estate.FieldChange) sways {
	path := f.Path
	field, rest := path, ""
	if i := strings.IndexAny(path, ".[ "); i >= 0 {
		field, rest = path[:i], path[i:]
	}
	switch field {
	case "title", "source", "waive", "objectives", "page", "weight", "paid":
		return 0 // what is said of the document itself
	}
	const needs = swaysImpact | swaysGraph | swaysUp | swaysDown
	switch kind {
	case estate.KindDomain:
		switch field {
		case "cost", "operator", "rate", "outage", "growth":
			return 0
		case "capacity":
			return swaysRoom
		case "needs":
			return swaysUnder
		case "type":
			if f.Old != estate.TypeSite && f.New != estate.TypeSite {
				return 0
			}
			return swaysUnder
		}
	case estate.KindProbe, estate.KindOption:
		return 0
	case estate.KindLimit:
		if field == "cost" || field == "slots" {
			return swaysImpact
		}
	case estate.KindComponent, estate.KindService, estate.KindCrew:
		switch field {
		case "cost":
			return swaysUp
		case "users", "tier":
			return swaysDown
		case "tool":
			return swaysTools | swaysUp | swaysDown
		case "needs", "wants", "startNeeds", "parts":
			return needs
		case "actions":
			switch {
			case strings.Contains(rest, "].takes"):
				return swaysImpact | swaysUp
			case strings.Contains(rest, "].run"), strings.Contains(rest, "].ramp"):
				return 0
			}
			return needs | swaysPlaces
		case "replicas":
			return swaysImpact | swaysPlaces | swaysRoom | swaysUp
		case "data":
			if strings.HasSuffix(rest, "].tested") {
				return 0
			}
			return swaysImpact | swaysPlaces | swaysUp
		case "mode", "atLeast", "auto":
			return swaysImpact | swaysUp | swaysPlaces
		case "people":
			return swaysImpact
		}
	}
	return swaysAll
}

// reach finds what the change reaches, by the needs after it and
// the ties that there were before.
func (k *known) reach(after *graph, old []tie) {
	s := after.s
	n := after.first[3]
	up, down := make([]bool, n), make([]bool, n)
	var ups, downs []int
	push := func(seen []bool, list *[]int, i int) {
		if !seen[i] {
			seen[i] = true
			*list = append(*list, i)
		}
	}
	var own []int
	for j, r := range k.documents {
		switch r.Kind {
		case estate.KindComponent, estate.KindService, estate.KindCrew:
			i := after.id(r)
			own = append(own, i)
			if k.of[j]&swaysUp != 0 {
				push(up, &ups, i)
			}
			if k.of[j]&swaysDown != 0 {
				push(down, &downs, i)
			}
		case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
		}
	}
	for _, i := range k.needed {
		push(down, &downs, i)
	}
	flipped := k.flipped(s)
	k.flips = len(flipped) > 0
	for _, c := range flipped {
		push(up, &ups, c)
	}
	climb := func(to int) {
		if to >= n {
			to = after.first[1] + after.parts[to-n].Index
		}
		push(up, &ups, to)
	}
	was := map[int][]int{}
	for _, t := range old {
		if t.of != toWant {
			was[t.from] = append(was[t.from], t.to)
		}
	}
	for len(ups) > 0 {
		i := ups[len(ups)-1]
		ups = ups[:len(ups)-1]
		for _, edges := range [3][]int{after.run[i], after.repair[i], was[i]} {
			for _, to := range edges {
				climb(to)
			}
		}
	}
	for len(downs) > 0 {
		i := downs[len(downs)-1]
		downs = downs[:len(downs)-1]
		after.edges(after.ref(i), func(_ bond, from, _ int) { push(down, &downs, from) })
	}
	for _, kind := range []estate.Kind{estate.KindComponent, estate.KindService, estate.KindCrew} {
		k.reached[kind], k.local[kind] = make([]bool, s.Count(kind)), make([]bool, s.Count(kind))
	}
	k.below = down[:after.first[1]]
	for i := range n {
		if r := after.ref(i); up[i] && r.Kind == estate.KindComponent { // of these it matters how they come back
			k.local[r.Kind][r.Index] = s.Components[r.Index].Tool || s.Components[r.Index].Mode == estate.ModeQuorum
		}
	}
	for _, i := range own {
		up[i] = true
		r := after.ref(i)
		k.local[r.Kind][r.Index] = true
	}
	for i := range n {
		if up[i] || down[i] {
			r := after.ref(i)
			k.reached[r.Kind][r.Index] = true
			k.local[r.Kind][r.Index] = k.local[r.Kind][r.Index] || down[i]
			k.far++
		}
	}
}

// flipped lists the components with actions that there were enough people or slots
// for, and are not any more, or the other way round.
func (k *known) flipped(after *estate.Snapshot) []int {
	if len(k.numbers) == 0 {
		return nil
	}
	enough := func(have, asked int) bool { return have < 0 || asked <= have }
	flips := func(kind estate.Kind, uses []estate.Use) bool {
		return slices.ContainsFunc(uses, func(u estate.Use) bool {
			x, ok := k.numbers[estate.Ref{Kind: kind, Index: u.Index}]
			return ok && enough(x[0], u.Count) != enough(x[1], u.Count)
		})
	}
	var out []int
	for i := range after.Components {
		if slices.ContainsFunc(after.Components[i].Actions, func(act estate.Action) bool {
			return flips(estate.KindCrew, act.Crew) || flips(estate.KindLimit, act.Uses)
		}) {
			out = append(out, i)
		}
	}
	return out
}

func (k *known) reaches(r estate.Ref) bool {
	return int(r.Kind) < len(k.reached) && k.reached[r.Kind] != nil && k.reached[r.Kind][r.Index]
}

// judged yields the documents of a kind that the rule whose turn it is, a local
// one, has to judge.
func (a *auditor) judged(kind estate.Kind) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range a.s.Count(kind) {
			if a.known != nil && !a.known.judges(a.rule.name, kind, i) {
				continue
			}
			if !yield(i) {
				return
			}
		}
	}
}

// judges reports whether a local rule has to judge a document.
func (k *known) judges(rule string, kind estate.Kind, i int) bool {
	return k.local[kind][i] || k.sites && rule == "quorum"
}

// judges reports whether a rule that looks at a thing by itself in each loss has
// to judge it. What is down anyway is lost with a site that came, too, though
// nothing reaches it.
func (a *auditor) judges(loss string, r estate.Ref) bool {
	return a.known == nil || a.known.first[loss] || a.known.reaches(r)
}

// stirred reports whether it may be news that a thing, or a part of it, is
// unrecoverable in a loss, news no more, or other news.
func (a *auditor) stirred(loss string, r estate.Ref, part int) bool {
	k := a.known
	if k == nil {
		return true
	}
	st, i := a.standing, k.lossAt[loss]
	switch {
	case part >= 0:
		return st.PartStirred(i, r.Index, part) || st.PartStirred(0, r.Index, part)
	case r.Kind == estate.KindComponent && (k.below[r.Index] || st.Turned(i) || st.Turned(0)):
		return true
	}
	return st.Stirred(i, r) || st.Stirred(0, r)
}

// takeOver takes over what the check before found on what the change does not
// reach, where a rule judges that by itself. Of the rest it notes what it was.
func (a *auditor) takeOver(list []Finding) {
	local := map[string]bool{}
	for _, r := range a.rules {
		local[r.name] = r.local
	}
	k := a.known
	for i := range list {
		f := &list[i]
		var anew bool
		_, stays := k.lossAt[f.Loss]
		switch {
		case !stays:
			anew = true // if it is one of another loss that a rule tries
		case local[f.Rule]:
			anew = k.judges(f.Rule, f.about[0].Kind, f.about[0].Index)
		case f.Rule == "outage":
			anew = k.reaches(f.about[0])
		case f.Rule == "stale":
			anew = len(f.about) == 0 || a.dates.anew(f.about[0].Kind) || slices.Contains(k.documents, f.about[0])
		case f.spot.part > 0 && f.spot.part > len(a.s.Services[f.about[0].Index].Parts):
			anew = true // that part went
		case f.Rule == "unrecoverable":
			if anew = a.stirred(f.Loss, f.about[0], f.spot.part-1); anew {
				k.findings[f.ID] = f
			}
		default:
			k.findings[f.ID] = f
			anew = true
		}
		if !anew {
			k.over = append(k.over, f)
		} else {
			k.had[[2]string{f.Rule, f.Loss}] = true
		}
	}
}

// mostStood is how many things of the estate times losses a check keeps, so that
// the next one can follow: some 40 bytes each.
const mostStood = 16 << 20

// stand keeps what the losses do, for the next check, where there are not too many.
func (a *auditor) stand() {
	if a.o.Every || a.o.Pairs || a.tooManyToStand() {
		return
	}
	a.standing = a.engine.Stand(a.losses())
	a.engine = a.standing.Engine()
	a.ledger = newLedger(a)
}

func (a *auditor) tooManyToStand() bool { return a.engine.Nodes()*(1+len(a.named)) > mostStood }

// losses lists what is kept: nothing lost, then each named loss.
func (a *auditor) losses() [][]int {
	out := [][]int{nil}
	for _, l := range a.named {
		out = append(out, l.domains)
	}
	return out
}

// kept takes over the finding of the rule whose turn it is on a subject in a
// loss, if there was one, it hung on the same things, and the change reaches none
// of them.
func (a *auditor) kept(t *trial, subject string, about ...estate.Ref) bool {
	if a.known == nil {
		return false
	}
	f := a.known.findings[a.rule.name+"/"+t.loss.name+"/"+subject]
	if f == nil || !slices.Equal(f.about, about) || slices.ContainsFunc(about, a.known.reaches) {
		return false
	}
	if a.fresh(subject, f.Severity) {
		a.again(f)
	}
	return true
}

// again notes a finding of the check before.
func (a *auditor) again(f *Finding) { a.list = append(a.list, a.moved(f)) }

// moved returns a finding of the check before, whose document may have moved.
func (a *auditor) moved(f *Finding) Finding {
	g := *f
	g.pos = a.posOf(f.about[0], f.spot)
	g.File, g.Line = g.pos.File, g.pos.Line
	return g
}

// A spot is the place in a document that a finding points to; zero: its beginning.
type spot struct {
	copy bool // the first copy of the data
	part int  // a part of the service, counted from 1
}

func (a *auditor) posOf(r estate.Ref, at spot) estate.Pos {
	s := cmp.Or(a.places, a.s)
	switch {
	case at.copy:
		return s.Components[r.Index].Data.Copies[0].Pos
	case at.part > 0:
		return s.Services[r.Index].Parts[at.part-1].Pos
	}
	return s.Doc(r).Pos
}
