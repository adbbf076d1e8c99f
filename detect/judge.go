package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
)

// Judge says of every site what the observations together show. It is pure, and
// monotone in the safe direction: one more observer that sees a site can never make
// it lost, and no observers at all make it unknown, never lost.
func Judge(in Input) Verdict {
	j := newJudge(in)
	v := Verdict{Sites: []Site{}, Losses: []Loss{}}
	for _, site := range j.sites() {
		s, losses := j.site(site)
		v.Sites = append(v.Sites, s)
		v.Losses = append(v.Losses, losses...)
	}
	v.Alive = j.alive()
	return v
}

// alive are the domains that an answering target stands in or needs outright.
func (j *judge) alive() []string {
	out := []string{}
	for i := range j.targets {
		if t := &j.targets[i]; t.answers() {
			out = append(out, t.domain)
			if d, ok := j.lookup(t.domain); ok {
				for _, a := range j.Snapshot.Domains[d].Ancestors {
					out = append(out, j.Snapshot.Domains[a].Name)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Site returns what the verdict says of one site.
func (v Verdict) Site(name string) (Site, bool) {
	i, ok := slices.BinarySearchFunc(v.Sites, name, func(s Site, name string) int { return strings.Compare(s.Site, name) })
	if !ok {
		return Site{}, false
	}
	return v.Sites[i], true
}

// A judge is the observations put in order.
type judge struct {
	Input
	targets []target            // by name, then domain
	bySite  map[string][]int    // site -> positions in targets
	looks   map[string]struct{} // observers that told anything at all
}

// A target is everything that was told about one target.
type target struct {
	name, domain string
	seen         []Observation // by observer, the newest of each
}

// answers reports whether anybody sees the target, its own site included.
func (t *target) answers() bool {
	return slices.ContainsFunc(t.seen, func(o Observation) bool { return o.OK })
}

func newJudge(in Input) *judge {
	// A policy that was never validated must not make anything lost sooner.
	in.Policy.Hold = max(in.Policy.Hold, in.Policy.Lease+Margin)
	in.Policy.Observers = max(in.Policy.Observers, 2)
	j := &judge{Input: in, bySite: map[string][]int{}, looks: map[string]struct{}{}}
	type id struct{ name, domain, observer string }
	newest := map[id]Observation{}
	for _, o := range in.Observations {
		k := id{o.Target, o.Domain, o.Observer}
		old, ok := newest[k]
		// Of two, the younger state counts; of two as young, the one that saw it.
		if !ok || o.Since.After(old.Since) || o.Since.Equal(old.Since) && o.OK {
			newest[k] = o
		}
	}
	all := slices.SortedFunc(maps.Values(newest), func(a, b Observation) int {
		for _, c := range []int{strings.Compare(a.Target, b.Target), strings.Compare(a.Domain, b.Domain)} {
			if c != 0 {
				return c
			}
		}
		return strings.Compare(a.Observer, b.Observer)
	})
	for _, o := range all {
		j.looks[o.Observer] = struct{}{}
		n := len(j.targets)
		if n == 0 || j.targets[n-1].name != o.Target || j.targets[n-1].domain != o.Domain {
			j.targets = append(j.targets, target{name: o.Target, domain: o.Domain})
			site := j.siteOf(o.Domain)
			j.bySite[site] = append(j.bySite[site], n)
			n++
		}
		t := &j.targets[n-1]
		t.seen = append(t.seen, o)
	}
	return j
}

// siteOf returns the site that a domain is in. A domain that the estate does not
// know, or that is in no site, stands for itself.
func (j *judge) siteOf(domain string) string {
	if d, ok := j.lookup(domain); ok {
		if s := j.Snapshot.Domains[d].Site; s >= 0 {
			return j.Snapshot.Domains[s].Name
		}
	}
	return domain
}

func (j *judge) lookup(domain string) (int, bool) {
	if j.Snapshot == nil {
		return 0, false
	}
	r, ok := j.Snapshot.Lookup(estate.KindDomain, domain)
	return r.Index, ok
}

// sites are those of the estate and those that targets stand in, by name.
func (j *judge) sites() []string {
	names := slices.Collect(maps.Keys(j.bySite))
	if j.Snapshot != nil {
		for i := range j.Snapshot.Domains {
			if j.Snapshot.Domains[i].Type == "site" {
				names = append(names, j.Snapshot.Domains[i].Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// age is for how long an observation has stood.
func (j *judge) age(o Observation) time.Duration { return max(0, j.Now.Sub(o.Since)) }

// site judges one site.
func (j *judge) site(name string) (Site, []Loss) {
	s := Site{Site: name, Observers: []string{}, SeenBy: []string{}, NotSeenBy: []string{}, Failing: []string{}}
	_, s.OwnNode = j.looks[name]

	// What each other site sees of it: anything at all is enough to see it, and
	// it has been blind only since it lost the last target from sight.
	blind := map[string]time.Duration{}
	sees := map[string]bool{}
	contradicted := map[string]bool{} // it misses a target that another sees
	var silent []int                  // targets that nobody sees
	for _, i := range j.bySite[name] {
		t := &j.targets[i]
		if !t.answers() {
			silent = append(silent, i)
			s.Failing = append(s.Failing, t.name)
		}
		for _, o := range t.seen {
			if o.Observer == name {
				continue
			}
			if age, ok := blind[o.Observer]; ok {
				blind[o.Observer] = min(age, j.age(o))
			} else {
				blind[o.Observer] = j.age(o)
			}
			sees[o.Observer] = sees[o.Observer] || o.OK
			contradicted[o.Observer] = contradicted[o.Observer] || !o.OK && t.answers()
		}
	}
	s.Observers = append(s.Observers, slices.Sorted(maps.Keys(blind))...)
	unseen := time.Duration(-1) // nobody has seen it for so long
	var longest time.Duration   // one of them has not for so long
	for _, o := range s.Observers {
		if sees[o] {
			s.SeenBy = append(s.SeenBy, o)
			continue
		}
		s.NotSeenBy = append(s.NotSeenBy, o)
		longest = max(longest, blind[o])
		if unseen < 0 || blind[o] < unseen {
			unseen = blind[o]
		}
	}
	smallest := j.explain(silent)
	if len(s.SeenBy) > 0 { // who misses only what everybody misses is not cut off from it
		s.NotSeenBy = slices.DeleteFunc(s.NotSeenBy, func(o string) bool { return !contradicted[o] })
	}
	if smallest >= 0 {
		s.Smallest = j.Snapshot.Domains[smallest].Name
	}

	switch enough := len(s.Observers) >= j.Policy.Observers; {
	case len(s.Observers) == 0:
		s.State = Unknown
	case len(s.SeenBy) > 0 && len(s.NotSeenBy) > 0:
		s.State = Partial
	case len(s.SeenBy) > 0:
		s.State = Seen
	case !enough:
		s.State = Unknown
	case unseen < j.Policy.Hold:
		s.State = Suspect
	default:
		s.State = Lost
	}
	if len(s.SeenBy) == 0 && len(s.Observers) > 0 {
		s.For = unseen.Seconds()
	}
	s.Sentence = j.sentence(s)

	switch {
	case s.State == Lost:
		return s, []Loss{{Domain: name, Since: j.Now.Add(-unseen), First: j.Now.Add(-longest), Sentence: s.Sentence}}
	case len(s.SeenBy) > 0 && s.Smallest != "" && s.Smallest != name:
		if l, ok := j.part(name, s.Smallest, silent); ok {
			return s, []Loss{l}
		}
	}
	return s, nil
}

// part says whether a domain inside a site that lives is to be held for lost: its
// targets have been silent for the hold time, asked from enough sites.
func (j *judge) part(site, domain string, silent []int) (Loss, bool) {
	from := map[string]struct{}{}
	held := time.Duration(-1)
	var longest time.Duration
	var names []string
	for _, i := range silent {
		t := &j.targets[i]
		names = append(names, t.name)
		for _, o := range t.seen {
			if o.Observer != site { // it takes as many other sites as for a whole site
				from[o.Observer] = struct{}{}
			}
			age := j.age(o)
			longest = max(longest, age)
			if held < 0 || age < held {
				held = age
			}
		}
	}
	if held < j.Policy.Hold || len(from) < j.Policy.Observers {
		return Loss{}, false
	}
	return Loss{
		Domain: domain,
		Since:  j.Now.Add(-held),
		First:  j.Now.Add(-longest),
		Sentence: fmt.Sprintf("%s in %s: no answer from %s for %s, while the rest of %s answers; asked from %s",
			domain, site, strings.Join(names, ", "), seconds(held), site, strings.Join(slices.Sorted(maps.Keys(from)), ", ")),
	}, true
}

// sentence tells what is known of a site, for people.
func (j *judge) sentence(s Site) string {
	targets := fmt.Sprintf("%d targets", len(j.bySite[s.Site]))
	if len(j.bySite[s.Site]) == 1 {
		targets = "1 target"
	}
	var b strings.Builder
	b.WriteString(s.Site + ": ")
	switch s.State {
	case Seen:
		fmt.Fprintf(&b, "seen by %s", strings.Join(s.SeenBy, ", "))
	case Partial:
		fmt.Fprintf(&b, "partial partition, not lost: seen by %s, not by %s", strings.Join(s.SeenBy, ", "), strings.Join(s.NotSeenBy, ", "))
	case Unknown:
		if len(s.Observers) == 0 {
			b.WriteString("unknown: no other site looks at it")
			return b.String()
		}
		fmt.Fprintf(&b, "unknown: no answer from %s for %s, asked from %s alone, which may itself be cut off; it takes %d other sites to tell",
			targets, seconds(secondsOf(s.For)), strings.Join(s.Observers, ", "), j.Policy.Observers)
	case Suspect, Lost:
		fmt.Fprintf(&b, "no answer from %s for %s, seen by nobody; asked from %s", targets, seconds(secondsOf(s.For)), strings.Join(s.Observers, ", "))
		if s.State == Suspect {
			fmt.Fprintf(&b, "; not judged lost before %s", seconds(j.Policy.Hold))
		}
		if s.OwnNode {
			b.WriteString("; its own node still reports to the quorum")
		}
	}
	if len(s.Failing) > 0 {
		if len(s.SeenBy) > 0 {
			fmt.Fprintf(&b, "; no answer from %s", strings.Join(s.Failing, ", "))
		}
		if s.Smallest != "" && s.Smallest != s.Site {
			fmt.Fprintf(&b, "; the loss of %s would explain it", s.Smallest)
		}
	}
	return b.String()
}

func secondsOf(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
