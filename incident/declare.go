package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/detect"
	"bongsu/internal/kv"
)

// Propose says that domains look lost. What is already proposed or declared is not
// said again: then the open incident is returned as it is.
func Propose(ctx context.Context, s kv.Store, r Request) (Incident, error) {
	return record(ctx, s, r, ActPropose, Proposed)
}

// Declare says that domains are lost, so that everything after it starts. There is
// one open incident at a time (and one drill): a further loss extends it, and
// declaring what is declared already changes nothing.
func Declare(ctx context.Context, s kv.Store, r Request) (Incident, error) {
	return record(ctx, s, r, ActDeclare, Declared)
}

func record(ctx context.Context, s kv.Store, r Request, act Act, to State) (Incident, error) {
	domains := slices.Clone(r.Domains)
	slices.Sort(domains)
	domains = slices.Compact(domains)
	switch {
	case len(domains) == 0:
		return Incident{}, errors.New("an incident needs at least one lost domain; name it, for example: bongsu incident declare pangyo")
	case slices.Contains(domains, ""):
		return Incident{}, errors.New("a lost domain has an empty name")
	case strings.TrimSpace(r.By) == "":
		return Incident{}, errors.New("say who: an incident is declared by a person or by policy")
	}
	return retry(ctx, func() (Incident, error) {
		now := time.Now().UTC().Round(0)
		i, mark, ok, err := standing(ctx, s, r.Drill)
		if err != nil {
			return Incident{}, err
		}
		missing := domains
		if ok {
			missing = slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return i.stands(d, to) })
			if len(missing) == 0 {
				return i, nil
			}
		} else {
			i = Incident{}
			all, err := List(ctx, s)
			if err != nil {
				return Incident{}, err
			}
			i.ID = newID(now, missing, func(id string) bool {
				return slices.ContainsFunc(all, func(o Incident) bool { return o.ID == id })
			})
		}
		lostAt := r.LostAt.UTC().Round(0)
		if r.LostAt.IsZero() || lostAt.After(now) {
			lostAt = now
		}
		return write(ctx, s, i, mark, Entry{
			At: now, By: r.By, Act: act, Domains: missing, LostAt: lostAt,
			Why: r.Why, Verdict: r.Verdict, Estate: r.Estate, Drill: r.Drill,
		})
	})
}

// Withdraw takes back a proposal or declaration of the domains, or of all when
// none is named: they were not lost after all.
func Withdraw(ctx context.Context, s kv.Store, id string, domains []string, by, why string) (Incident, error) {
	return change(ctx, s, id, by, func(i Incident) (Entry, error) {
		if len(domains) == 0 {
			domains = slices.Concat(i.Lost, i.Proposed)
		}
		for _, d := range domains {
			if !i.stands(d, Proposed) {
				return Entry{}, fmt.Errorf("%w: %s is not lost in %s; it names %s", ErrState, d, id, strings.Join(slices.Concat(i.Lost, i.Proposed), ", "))
			}
		}
		return Entry{Act: ActWithdraw, Domains: domains, Why: why}, nil
	})
}

// Close says that the work on an incident is over. It says nothing of services: what is
// down by the record ([Record.Down]) stays so until somebody records that it is back.
func Close(ctx context.Context, s kv.Store, id, by, why string) (Incident, error) {
	return change(ctx, s, id, by, func(i Incident) (Entry, error) {
		if i.State != Declared {
			return Entry{}, fmt.Errorf("%w: %s is only proposed; declare it or withdraw it", ErrState, id)
		}
		return Entry{Act: ActClose, Why: why}, nil
	})
}

// AttachRun notes the run that answers an incident.
func AttachRun(ctx context.Context, s kv.Store, id, run, by string) (Incident, error) {
	return change(ctx, s, id, by, func(Incident) (Entry, error) {
		return Entry{Act: ActRun, Run: run}, nil
	})
}

// Note adds a remark of a person.
func Note(ctx context.Context, s kv.Store, id, by, text string) (Incident, error) {
	return change(ctx, s, id, by, func(Incident) (Entry, error) {
		return Entry{Act: ActNote, Why: text}, nil
	})
}

// change appends what decide says to an open incident.
func change(ctx context.Context, s kv.Store, id, by string, decide func(Incident) (Entry, error)) (Incident, error) {
	if strings.TrimSpace(by) == "" {
		return Incident{}, errors.New("say who changes the incident")
	}
	return retry(ctx, func() (Incident, error) {
		known, err := load(ctx, s, id)
		if err != nil {
			return Incident{}, err
		}
		i, mark, ok, err := standing(ctx, s, known.Drill)
		if err != nil {
			return Incident{}, err
		}
		if !ok || i.ID != id {
			return Incident{}, fmt.Errorf("%w: %s is %s", ErrState, id, known.State)
		}
		e, err := decide(i)
		if err != nil {
			return Incident{}, err
		}
		e.At, e.By = time.Now().UTC().Round(0), by
		return write(ctx, s, i, mark, e)
	})
}

// write appends one entry and returns the incident that results.
func write(ctx context.Context, s kv.Store, i Incident, mark kv.Entry, e Entry) (Incident, error) {
	next := fold(i.ID, append(slices.Clone(i.Entries), e))
	openID := ""
	if next.Open() {
		openID = i.ID
	}
	t, err := appendEntry(i.ID, len(i.Entries), e, mark, openID)
	if err != nil {
		return Incident{}, err
	}
	if _, err := s.Commit(ctx, t); err != nil {
		return Incident{}, fmt.Errorf("write incident %s: %w", i.ID, err)
	}
	return next, nil
}

// Rule says what [Reconcile] may do by itself.
type Rule struct {
	Auto   bool   // declare at once; otherwise a person confirms the proposal
	Estate string // revision in force
}

// Reconcile brings the proposals in line with a verdict: what looks lost is proposed
// (or declared, where the rule says so), and a proposal of policy whose domain is
// seen again is withdrawn. What is declared stays so until a person withdraws it. It
// returns the open incident and false when there is none.
func Reconcile(ctx context.Context, s kv.Store, v detect.Verdict, rule Rule) (Incident, bool, error) {
	i, _, open, err := standing(ctx, s, false)
	if err != nil {
		return Incident{}, false, err
	}
	for _, d := range stale(i, v) {
		if i, err = Withdraw(ctx, s, i.ID, []string{d}, ByPolicy, "it is seen again"); err != nil {
			return Incident{}, false, err
		}
		open = i.Open()
	}
	act, to := Propose, Proposed
	if rule.Auto {
		act, to = Declare, Declared
	}
	for _, l := range v.Losses {
		if open && i.stands(l.Domain, to) {
			continue
		}
		all, err := List(ctx, s)
		if err != nil {
			return Incident{}, false, err
		}
		if settled(all, l) {
			continue
		}
		i, err = act(ctx, s, Request{
			Domains: []string{l.Domain}, By: ByPolicy, Why: "the verdict of detection",
			Verdict: l.Sentence, LostAt: l.Since, Estate: rule.Estate,
		})
		if err != nil {
			return Incident{}, false, err
		}
		open = true
	}
	return i, open, nil
}

// settled reports whether a person has already withdrawn or closed this very loss:
// whoever looked had lost the domain from sight before, and has not seen it since.
func settled(newestFirst []Incident, l detect.Loss) bool {
	for _, i := range newestFirst {
		if i.Drill || !slices.ContainsFunc(i.Losses, func(o Loss) bool { return o.Domain == l.Domain }) {
			continue
		}
		for _, e := range slices.Backward(i.Entries) {
			named := slices.Contains(e.Domains, l.Domain)
			if e.Act == ActClose || e.Act == ActWithdraw && named {
				return e.By != ByPolicy && l.First.Before(e.At)
			}
			if named {
				return false
			}
		}
	}
	return false
}

// stale are the domains that policy proposed, that the verdict does not hold for
// lost any more, and in which something is seen to answer. Unknown withdraws nothing.
func stale(i Incident, v detect.Verdict) []string {
	var out []string
	for _, d := range i.Proposed {
		held := slices.ContainsFunc(v.Losses, func(l detect.Loss) bool { return l.Domain == d })
		seen := slices.Contains(v.Alive, d)
		if site, ok := v.Site(d); ok {
			seen = len(site.SeenBy) > 0 // its own node alone does not count
		}
		if i.proposedBy(d) == ByPolicy && !held && seen {
			out = append(out, d)
		}
	}
	return out
}

// proposedBy returns who proposed a domain last.
func (i *Incident) proposedBy(domain string) string {
	for _, e := range slices.Backward(i.Entries) {
		if e.Act == ActPropose && slices.Contains(e.Domains, domain) {
			return e.By
		}
	}
	return ""
}
