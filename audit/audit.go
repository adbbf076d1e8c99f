package audit

import (
	"cmp"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bongsu/estate"
	"bongsu/impact"
)

// A Severity says how much a finding matters.
type Severity string

// The severities, from the least to the gravest.
const (
	Info    Severity = "info"    // good to know
	Warning Severity = "warning" // a weakness, or a fact that nobody has proven
	Error   Severity = "error"   // in some loss something promised would not hold
)

// Rank orders severities; a graver one is higher, an unknown one is 0.
func (s Severity) Rank() int { return slices.Index([]Severity{Info, Warning, Error}, s) + 1 }

// Options say what to check. The zero value checks all rules against the loss of
// each site.
type Options struct {
	Lose  [][]string // losses asked for, each the names of domains lost together
	Sites bool       // each site; also what is checked when nothing else is asked for
	Pairs bool       // each pair of sites, feeds and racks: what exceeds the two alone
	// PairTypes are the types of domain that Pairs pairs instead; [AnyType] is all.
	PairTypes []string
	// MostPairs and MostFindings are how many pairs are run, and how many findings
	// they may give, before Check gives up with a [*LimitError]; 0 is 5 and 1 million.
	MostPairs, MostFindings int
	Every                   bool // each domain

	Now         time.Time     // for what ages; zero: nothing is too old
	Rules       []string      // only these; nil is all
	MinSeverity Severity      // only findings at least as grave; empty is all
	MaxAge      time.Duration // of a fact, before it is stale; 0 is 365 days
	MaxUntested time.Duration // of a proven restore; 0 is 365 days
	Implied     bool          // list what is [Report.Implied], so that [Compare] knows of it

	brute     bool // try every pair: for tests of what is left out
	manyAsked int  // for tests of what is shared
}

const year = 365 * 24 * time.Hour

// NoLoss stands in an ID and in [Finding.Loss] where a rule looks at no loss.
const NoLoss = "-"

// Version is the version of the JSON of a [Report].
const Version = 1

// A Report is what an audit found.
type Report struct {
	Version  int       `json:"version"`
	Estate   string    `json:"estate"` // revision of the estate
	Now      string    `json:"now,omitempty"`
	Losses   []string  `json:"losses"` // each site, and those asked for by name
	Swept    []Swept   `json:"swept,omitempty"`
	Findings []Finding `json:"findings"`

	// WaivesNothing are the waivers in force that no finding needed, of those whose rule
	// and loss were judged.
	WaivesNothing []IdleWaiver `json:"waivesNothing,omitempty"`

	// Implied are the components that cannot come back and have no finding of their own, as
	// one of a service that needs them says it, and nobody waived that: with nothing lost, in
	// each of Losses, and in what was swept. Only where it was asked for.
	Implied []Implied `json:"implied,omitempty"`

	snap   *estate.Snapshot
	matrix []column
	asked  *Options // nil of a report that was read back
}

// Implied says which components cannot come back in a loss, without a finding each.
type Implied struct {
	Loss       string   `json:"loss"`
	Components []string `json:"components"`
}

// Swept counts the losses of one sort that were tried beyond the named ones.
type Swept struct {
	What   string `json:"what"` // "every domain" or "pairs of sites, feeds and racks"
	Losses int    `json:"losses"`
	Run    int    `json:"run"` // of these, how many had to be run; the rest do provably no more than their parts
}

// A column is what one loss does to every service.
type column struct {
	loss   string
	states []impact.State
	upAt   []time.Duration // where recoverable
}

// A Finding is one thing that the audit holds against the estate.
type Finding struct {
	ID       string   `json:"id"` // rule/loss/subject
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Loss     string   `json:"loss"` // names of the domains, sorted and joined by "+"; or "-"
	Subject  string   `json:"subject"`
	Sentence string   `json:"sentence"`
	Proof    Proof    `json:"proof"`
	Users    int64    `json:"users"` // of the services that it touches
	Fix      *Measure `json:"fix"`
	File     string   `json:"file,omitempty"` // of the subject's document
	Line     int      `json:"line,omitempty"`
	Waived   *Waived  `json:"waived,omitempty"`

	pos   estate.Pos
	about []estate.Ref // what it hangs on, with all that these need and all that needs them; for [Checker]
	spot  spot
}

// A Proof says why a finding is true. Words is for people; the rest is what
// applies to the rule.
type Proof struct {
	Words    []string      `json:"words"`
	Blocking [][]string    `json:"blocking,omitempty"` // minimal sets that are in the way
	Cycle    []string      `json:"cycle,omitempty"`    // each waits for the next
	Path     []Step        `json:"path,omitempty"`     // the actions on the critical path
	Domains  []string      `json:"domains,omitempty"`  // the domains that it hangs on
	Services []string      `json:"services,omitempty"` // that it touches, by users; at most ten
	Quorum   *QuorumPlan   `json:"quorum,omitempty"`
	Room     *RoomShortage `json:"room,omitempty"`
}

// A Step is one action on a critical path, in seconds from the loss.
type Step struct {
	ID     string  `json:"id"`
	Start  float64 `json:"start"`
	Finish float64 `json:"finish"`
}

// A Measure is what would put an end to a finding.
type Measure struct {
	Words  string        `json:"words"`
	Cost   float64       `json:"cost"` // in the units of the estate's cost fields
	Things []MeasureItem `json:"things,omitempty"`
}

// A MeasureItem is one part of a measure.
type MeasureItem struct {
	Subject string  `json:"subject"`
	Words   string  `json:"words"`
	Cost    float64 `json:"cost"`
}

// Waived says who took responsibility for leaving a finding as it is.
type Waived struct {
	Owner  string `json:"owner"`
	Reason string `json:"reason"`
	Until  string `json:"until"`
}

// A RuleError says that there is no rule of that name.
type RuleError struct {
	Name, Nearest string
	Pos           estate.Pos // of the waiver that names it; zero: the caller did
}

func (e *RuleError) Error() string {
	at, near := "", ""
	if e.Pos.File != "" {
		at = fmt.Sprintf("%s:%d:%d: a waiver names a rule that does not exist: ", e.Pos.File, e.Pos.Line, e.Pos.Col)
	}
	if e.Nearest != "" {
		near = fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return fmt.Sprintf("%sthere is no rule %q%s", at, e.Name, near)
}

// Check holds the rules against the estate and against the losses asked for. The
// findings are sorted by the users they touch, then by severity, then by ID. The
// error is a [*RuleError], a [*TypeError], an [*impact.UnknownDomainError] or a [*LimitError].
func Check(s *estate.Snapshot, o Options) (*Report, error) {
	a, err := newAuditor(s, o)
	if err != nil {
		return nil, err
	}
	if a.run(); a.err != nil {
		return nil, a.err
	}
	return a.report(), nil
}

func (a *auditor) run() {
	a.implied = nil
	join := a.prepareStrictly()
	for _, r := range a.rules {
		if r.estate != nil {
			a.rule = r
			r.estate(a)
		}
	}
	a.asItStands()
	a.judgeNamed()
	if a.o.Every {
		a.everyDomain()
	}
	if a.o.Pairs {
		a.everyPair()
	}
	join()
	a.wantsAsNeeds()
	a.coldStart()
}

// An auditor collects findings.
type auditor struct {
	s      *estate.Snapshot
	o      Options
	rules  []rule
	rule   rule // whose turn it is
	engine *impact.Engine
	sweep  *impact.Sweep // once asked for
	graph  *graph
	fates  [][]int // of each domain: the single domains whose loss takes it, sorted
	hosts  [][]int // of each domain: the components with a replica or a copy in it

	channels map[string][]int // to staff and to users, once asked for
	outright *outright        // what things cannot do without, as it is written
	must     []bool           // of each component: some service cannot do without it
	touches  map[int]reach    // of components asked for before
	dates    dates            // how many documents say since when they are true
	waivers  []estate.Ref     // the documents with exceptions
	ledger   *ledger          // of a Checker: who takes which room
	used     usage
	tight    bool       // something takes stated room
	subjects [][]string // by kind: how findings name the documents
	needed   []int      // of each domain: how often something other than a domain names it

	named []loss
	down  downCount
	base  found   // what is so with nothing lost
	skip  []found // what is not to be repeated

	column int // of the named loss that is being judged
	list   []Finding
	matrix []column
	cycles [][]impact.Deadlock // of each named loss
	wanted [][]impact.Deadlock // of each named loss: those that appear only with wants as needs
	cutter *cutter             // once asked for
	frozen bool                // a start from cold may meet a deadlock
	wants  bool                // deadlocks are sought with wants as needs, too
	strict *strictly           // once asked for
	behind []estate.Ref        // what changed since strict was asked for

	recounted []estate.Ref // and of which crews and limits the number did
	moves     moves        // of a check that follows another
	known     *known       // of a check that follows another; else nil

	places   *estate.Snapshot // where documents are in files, if not s
	standing *impact.Standing // of a Checker: with nothing lost, then each named loss; else nil
	swept    []Swept
	implied  []Implied
	idle     int // swept losses that touch nothing
	err      error
}

// A loss is a set of domains that are lost together.
type loss struct {
	name    string
	domains []int
}

func newAuditor(s *estate.Snapshot, o Options) (*auditor, error) {
	o.MaxAge, o.MaxUntested = cmp.Or(o.MaxAge, year), cmp.Or(o.MaxUntested, year)
	a := &auditor{s: s, o: o, base: found{}}
	names := ruleNames()
	for _, name := range o.Rules {
		if !slices.Contains(names, name) {
			return nil, &RuleError{Name: name, Nearest: estate.Nearest(name, names)}
		}
	}
	for _, r := range rules() {
		if o.Rules == nil || slices.Contains(o.Rules, r.name) {
			a.rules = append(a.rules, r)
		}
	}
	if err := checkWaivers(s, names, slices.Collect(docs(s))); err != nil {
		return nil, err
	}
	if err := a.choose(); err != nil {
		return nil, err
	}
	a.engine = impact.NewEngine(s)
	a.graph = newGraph(s)
	a.fates = fates(s)
	a.hosts = hosts(s)
	a.outright = newOutright(s)
	a.must = a.outright.musts()
	a.touches = map[int]reach{}
	a.dates.note(s)
	for r := range docs(s) {
		if len(s.Doc(r).Waive) > 0 {
			a.waivers = append(a.waivers, r)
		}
	}
	a.subjects = make([][]string, len(estate.Kinds()))
	for r := range docs(s) {
		a.subjects[r.Kind] = append(a.subjects[r.Kind], s.NameOf(r))
	}
	a.noteNeeded()
	for _, k := range channelKinds() {
		a.channelsTo(k.whom) // so that auditors that work at the same time only read
	}
	return a, nil
}

// noteNeeded notes how often what is no domain names each domain.
func (a *auditor) noteNeeded() {
	a.needed = make([]int, len(a.s.Domains))
	for r := range docs(a.s) {
		eachDomain(a.s, r, func(d int) { a.needed[d]++ })
	}
}

// eachDomain calls f for every domain that a document, no domain itself, names in
// a need or as the place of an action.
func eachDomain(s *estate.Snapshot, r estate.Ref, f func(d int)) {
	eachNeed(s, r, func(n estate.Need) {
		eachRef(n, func(r estate.Ref) {
			if r.Kind == estate.KindDomain {
				f(r.Index)
			}
		})
	})
	if r.Kind == estate.KindComponent {
		for j := range s.Components[r.Index].Actions {
			for _, d := range s.Components[r.Index].Actions[j].At {
				f(d)
			}
		}
	}
}

// eachNeed calls f for all that a document, no domain, needs or wants.
func eachNeed(s *estate.Snapshot, r estate.Ref, f func(n estate.Need)) {
	switch r.Kind {
	case estate.KindComponent:
		c := &s.Components[r.Index]
		f(c.Needs)
		f(c.Wants)
		f(c.StartNeeds)
		for j := range c.Actions {
			f(c.Actions[j].Needs)
		}
	case estate.KindService:
		svc := &s.Services[r.Index]
		f(svc.Needs)
		f(svc.Wants)
		for j := range svc.Parts {
			f(svc.Parts[j].Needs)
		}
	case estate.KindCrew:
		f(s.Crews[r.Index].Needs)
	case estate.KindDomain, estate.KindLimit, estate.KindProbe, estate.KindOption:
	}
}

// hosts returns, for each domain, the components with a replica or a copy in it.
func hosts(s *estate.Snapshot) [][]int {
	out := make([][]int, len(s.Domains))
	for i := range s.Components {
		eachHost(&s.Components[i], func(d int) {
			if h := out[d]; len(h) == 0 || h[len(h)-1] != i {
				out[d] = append(h, i)
			}
		})
	}
	return out
}

// eachHost calls f for every domain with a replica or a copy of the component.
func eachHost(c *estate.Component, f func(d int)) {
	for i := range c.Replicas {
		f(c.Replicas[i].In)
	}
	if c.Data != nil {
		for i := range c.Data.Copies {
			f(c.Data.Copies[i].In)
		}
	}
}

// rehost brings hosts up to date with changed documents. old is where they were,
// and those that went.
func rehost(hosts [][]int, before, after *estate.Snapshot, v moves, old, changed []estate.Ref) {
	for _, r := range old {
		if r.Kind != estate.KindComponent {
			continue
		}
		now := v.Now(r.Kind, r.Index)
		eachHost(&before.Components[r.Index], func(d int) {
			if d = v.Now(estate.KindDomain, d); d >= 0 {
				hosts[d] = slices.DeleteFunc(hosts[d], func(c int) bool { return c == now })
			}
		})
	}
	for _, r := range changed {
		if r.Kind != estate.KindComponent {
			continue
		}
		eachHost(&after.Components[r.Index], func(d int) {
			if at, found := slices.BinarySearch(hosts[d], r.Index); !found {
				hosts[d] = slices.Insert(hosts[d], at, r.Index)
			}
		})
	}
}

// docs yields every document, or those of some kinds.
func docs(s *estate.Snapshot, kinds ...estate.Kind) iter.Seq[estate.Ref] {
	if kinds == nil {
		kinds = estate.Kinds()
	}
	return func(yield func(estate.Ref) bool) {
		for _, k := range kinds {
			for i := range s.Count(k) {
				r := estate.Ref{Kind: k, Index: i}
				r.Name = s.Doc(r).Name
				if !yield(r) {
					return
				}
			}
		}
	}
}

// A TypeError says that the estate has no domain of a type to make pairs of.
type TypeError struct{ Name, Nearest string }

func (e *TypeError) Error() string {
	near := ""
	if e.Nearest != "" {
		near = fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return fmt.Sprintf("the estate has no domain of type %q to make pairs of%s", e.Name, near)
}

// choose finds the losses that are asked for by name, each once.
func (a *auditor) choose() error {
	if err := a.checkPairTypes(); err != nil {
		return err
	}
	var err error
	a.named, err = namedLosses(a.s, &a.o)
	return err
}

// namedLosses lists the losses that are asked for by name, each once.
func namedLosses(s *estate.Snapshot, o *Options) ([]loss, error) {
	var out []loss
	seen := map[string]bool{}
	add := func(domains []int) {
		slices.Sort(domains)
		domains = slices.Compact(domains)
		if l := (loss{LossName(s, domains), domains}); !seen[l.name] {
			seen[l.name] = true
			out = append(out, l)
		}
	}
	for _, names := range o.Lose {
		var domains []int
		for _, name := range names {
			r, ok := s.Lookup(estate.KindDomain, name)
			if !ok {
				return nil, &impact.UnknownDomainError{Name: name, Nearest: s.Nearest(estate.KindDomain, name)}
			}
			domains = append(domains, r.Index)
		}
		add(domains)
	}
	if o.Sites || len(o.Lose) == 0 && !o.Pairs && !o.Every {
		for d := range s.Domains {
			if s.Domains[d].Type == estate.TypeSite {
				add([]int{d})
			}
		}
	}
	return out, nil
}

// LossName is the name of a loss in an ID: the domains sorted by name, joined by "+".
func LossName(s *estate.Snapshot, domains []int) string {
	if len(domains) == 0 {
		return NoLoss
	}
	names := make([]string, len(domains))
	for i, d := range domains {
		names[i] = s.Domains[d].Name
	}
	slices.Sort(names)
	return strings.Join(names, "+")
}

// A trial is one loss that rules look at.
type trial struct {
	*impact.View
	loss  loss
	named bool  // asked for by name: it has a column in the matrix
	half  *half // of a further loss: what the first one does; the view lists only what differs

	down   []estate.Ref  // scratch of waits
	stops  map[int]*stop // of proofs about it, by number of the place
	search int           // how often a way was looked for
}

// judgeNamed judges each named loss, on as many processors as there are.
func (a *auditor) judgeNamed() {
	a.matrix = make([]column, len(a.named))
	a.cycles = make([][]impact.Deadlock, len(a.named))
	a.inParallel(len(a.named), func(b *auditor, i int) {
		b.column = i
		b.judge(a.named[i], true)
	})
}

// inParallel calls f for the numbers below n, on as many processors as there are,
// each with an auditor of its own, and collects what they find. Findings are
// sorted in the end, so the order of the calls does not show.
func (a *auditor) inParallel(n int, f func(b *auditor, i int)) {
	var (
		workers = make([]*auditor, min(runtime.GOMAXPROCS(0), n))
		wait    sync.WaitGroup
		next    atomic.Int64
	)
	for k := range workers {
		b := *a
		b.list, b.implied, b.idle = nil, nil, 0
		if k > 0 { // before anybody works: asking a graph writes what cloning it reads
			b.graph = a.graph.clone()
		}
		workers[k] = &b
	}
	for k, b := range workers {
		wait.Go(func() {
			if k > 0 {
				b.sweep = nil
			}
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(b, i)
			}
		})
	}
	wait.Wait()
	for _, b := range workers {
		a.list, a.implied = append(a.list, b.list...), append(a.implied, b.implied...)
		a.idle += b.idle
	}
}

// manyAsked is from how many questions about a loss on they are worth a copy of it for
// each further processor.
const manyAsked = 256

// share calls f for the numbers below n, each a question about a loss: many of them on
// as many processors as there are, like [auditor.inParallel].
func (a *auditor) share(t *trial, n int, f func(b *auditor, t *trial, i int)) {
	trials := []*trial{t}
	if n >= cmp.Or(a.o.manyAsked, manyAsked) && t.half == nil {
		for range runtime.GOMAXPROCS(0) - 1 {
			trials = append(trials, &trial{View: t.Twin(), loss: t.loss, named: t.named})
		}
	}
	if len(trials) == 1 {
		for i := range n {
			f(a, t, i)
		}
		return
	}
	var next atomic.Int64
	a.inParallel(len(trials), func(b *auditor, k int) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			f(b, trials[k], i)
		}
	})
}

// visit hands f the view of a loss.
func (a *auditor) visit(domains []int, f func(*impact.View)) {
	if a.standing != nil {
		if len(domains) == 0 {
			a.standing.Visit(0, f)
			return
		}
		for i, l := range a.named {
			if slices.Equal(l.domains, domains) {
				a.standing.Visit(1+i, f)
				return
			}
		}
	}
	a.sweeper().Visit(domains, f)
}

// sweeper is the sweep of this auditor.
func (a *auditor) sweeper() *impact.Sweep {
	if a.sweep == nil {
		a.sweep = a.engine.NewSweep()
	}
	return a.sweep
}

// judge holds the rules against one loss.
func (a *auditor) judge(l loss, named bool) {
	a.visit(l.domains, func(v *impact.View) {
		t := &trial{View: v, loss: l, named: named}
		a.hold(t)
		if named {
			a.matrix[a.column] = a.columnOf(t)
		}
	})
}

// downCount is how much is down or degraded with nothing lost.
type downCount struct{ components, services, crews int }

// once reports whether a rule says what is so with nothing lost once, and not for each loss.
func once(rule string) bool { return rule == "unrecoverable" || rule == "deadlock" }

// asItStands holds the rules about what cannot come back against the estate with
// nothing lost, so that what is down anyway is said once and not for each loss.
func (a *auditor) asItStands() {
	a.visit(nil, func(v *impact.View) {
		t := &trial{View: v, loss: loss{name: NoLoss}}
		before := len(a.list)
		a.down = downCount{len(v.Components), len(v.Services), len(v.Crews)}
		for _, r := range a.rules {
			if once(r.name) {
				a.rule = r
				r.loss(a, t)
			}
		}
		a.base.note(a.list[before:])
		if a.known == nil {
			return
		}
		for _, f := range a.known.over { // nor what is taken over
			if f.Rule == "unrecoverable" && f.Loss == NoLoss {
				a.base.note([]Finding{*f})
			}
		}
	})
}

func (a *auditor) columnOf(t *trial) column {
	c := column{loss: t.loss.name, states: make([]impact.State, len(a.s.Services)), upAt: make([]time.Duration, len(a.s.Services))}
	for i := range c.states {
		c.states[i] = impact.Up
	}
	for _, x := range t.Services {
		c.states[x.Index] = x.State
		c.upAt[x.Index], _ = t.UpAt(a.ref(estate.KindService, x.Index))
	}
	return c
}

// ref names a document.
func (a *auditor) ref(k estate.Kind, i int) estate.Ref {
	r := estate.Ref{Kind: k, Index: i}
	r.Name = a.s.Doc(r).Name
	return r
}

func (a *auditor) component(i int) estate.Ref { return a.ref(estate.KindComponent, i) }

// found says how grave the findings of each rule on each subject are, as ranks.
type found map[string]map[string]int

// note remembers findings.
func (k found) note(list []Finding) found {
	for _, f := range list {
		if k[f.Rule] == nil {
			k[f.Rule] = map[string]int{}
		}
		k[f.Rule][f.Subject] = max(k[f.Rule][f.Subject], f.Severity.Rank())
	}
	return k
}

// imply remembers components that are without a finding, as if they had one.
func (k found) imply(list []Implied) found {
	for _, x := range list {
		for _, name := range x.Components {
			k = k.with(found{"unrecoverable": {name: Warning.Rank()}})
		}
	}
	return k
}

// name is how a finding names a document as its subject.
func (a *auditor) name(r estate.Ref) string { return a.subjects[r.Kind][r.Index] }

// fresh reports whether a finding of the rule whose turn it is on the subject is
// not one to leave out: found elsewhere already, or less grave than asked for. A
// rule asks before it looks for a costly proof.
func (a *auditor) fresh(subject string, sev Severity) bool {
	rank := sev.Rank()
	if rank < a.o.MinSeverity.Rank() || a.base[a.rule.name][subject] > 0 {
		return false
	}
	for _, known := range a.skip {
		if known[a.rule.name][subject] >= rank {
			return false
		}
	}
	return true
}

// add notes a finding of the rule whose turn it is. The subject is a document
// or, when words is given, what words says.
func (a *auditor) add(f Finding, l string, subject estate.Ref, words ...string) {
	f.Rule, f.Loss = a.rule.name, l
	if len(words) > 0 {
		f.Subject = words[0]
	} else {
		f.Subject = a.name(subject)
	}
	if !a.fresh(f.Subject, f.Severity) {
		return
	}
	f.ID = f.Rule + "/" + f.Loss + "/" + f.Subject
	if subject.Name != "" {
		doc := a.s.Doc(subject)
		if f.pos.File == "" {
			f.pos = a.posOf(subject, f.spot)
		}
		f.Waived = a.waiver(doc, f.Rule, f.Loss)
	}
	f.File, f.Line = f.pos.File, f.pos.Line
	if f.Proof.Words == nil {
		f.Proof.Words = []string{}
	}
	a.list = append(a.list, f)
}

// report sorts what was found.
func (a *auditor) report() *Report {
	order := func(x, y *Finding) int {
		return cmp.Or(cmp.Compare(y.Users, x.Users), cmp.Compare(y.Severity.Rank(), x.Severity.Rank()), strings.Compare(x.ID, y.ID))
	}
	slices.SortFunc(a.list, func(x, y Finding) int { return order(&x, &y) })
	if a.known != nil { // what was taken over is sorted already
		all := make([]Finding, 0, len(a.list)+len(a.known.over))
		i := 0
		for _, f := range a.known.over {
			for ; i < len(a.list) && order(&a.list[i], f) < 0; i++ {
				all = append(all, a.list[i])
			}
			all = append(all, a.moved(f))
		}
		a.list = append(all, a.list[i:]...)
	}
	// A loss can be asked for by name and be one of a sweep too.
	a.list = slices.CompactFunc(a.list, func(x, y Finding) bool { return x.ID == y.ID })
	r := &Report{Version: Version, Estate: a.s.Rev, Losses: []string{}, Findings: a.list, Swept: a.swept, snap: a.s, matrix: a.matrix, asked: &a.o}
	if !a.o.Now.IsZero() {
		r.Now = a.o.Now.UTC().Format(time.RFC3339)
	}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	for _, l := range a.named {
		r.Losses = append(r.Losses, l.name)
	}
	r.WaivesNothing = a.idleWaivers(r)
	r.imply(a.implied)
	return r
}

// imply lists what is implied: with nothing lost, in the named losses, and in the others. Of
// a loss that was asked for by name and is one of a sweep, too, the former says all.
func (r *Report) imply(list []Implied) {
	rank := map[string]int{NoLoss: -len(r.Losses) - 1}
	for i, loss := range r.Losses {
		rank[loss] = i - len(r.Losses)
	}
	slices.SortFunc(list, func(x, y Implied) int {
		return cmp.Or(cmp.Compare(rank[x.Loss], rank[y.Loss]), strings.Compare(x.Loss, y.Loss), cmp.Compare(len(y.Components), len(x.Components)))
	})
	r.Implied = slices.CompactFunc(list, func(x, y Implied) bool { return x.Loss == y.Loss })
}

// Tallied is how many findings of one severity there are.
type Tallied struct {
	Severity Severity
	N        int
}

// Tally counts the findings that nobody waived by severity, the gravest first, and those
// that somebody did.
func (r *Report) Tally() (counts []Tallied, waived int) {
	counts = []Tallied{{Error, 0}, {Warning, 0}, {Info, 0}}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Waived != nil {
			waived++
		} else {
			counts[Error.Rank()-f.Severity.Rank()].N++
		}
	}
	return counts, waived
}

// Gravest returns at most so many findings of a list, in its order. Where not all fit, none
// that is left out is graver than one that stays; what somebody waived is the least grave.
func Gravest(list []Finding, most int) []Finding {
	if len(list) <= most {
		return list
	}
	at := make([]int, len(list))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(i, j int) int { return graver(&list[i], &list[j]) })
	at = at[:most]
	slices.Sort(at)
	some := make([]Finding, 0, most)
	for _, i := range at {
		some = append(some, list[i])
	}
	return some
}

// Count returns how many findings that nobody waived are at least as grave.
func (r *Report) Count(least Severity) int {
	n := 0
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Waived == nil && f.Severity.Rank() >= least.Rank() {
			n++
		}
	}
	return n
}
