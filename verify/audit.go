package verify

import (
	"slices"
	"strings"
)

// audit checks the impact of each loss, and what findings say follows from it.
func (m *model) audit(r *Report, a *Audit) {
	type outcome struct {
		lost  []string
		check *impactCheck
		data  []dataLoss
	}
	var losses []outcome
	for i := range a.Losses {
		im := &a.Losses[i]
		k := &impactCheck{m: m, r: r, im: im}
		if !k.fall() || !k.recovery() || !k.stay() {
			return
		}
		if k.claims(); len(r.Wrong) > 0 {
			return
		}
		lost := slices.Sorted(slices.Values(im.Claim.Lost))
		losses = append(losses, outcome{lost, k, k.dataLost()})
		r.proved("the impact of the loss of %s, as bongsu impact answers it, on every thing in the estate, with all deadlocks", listed(lost))
	}
	unrecoverable, down, waiting := 0, 0, 0
	known := map[string]bool{}
	for _, f := range a.Findings {
		if id := f.id(); f.ID != id || known[id] {
			r.wrong("a finding is called %q; what it says is called %s, and each is listed once", f.ID, id)
			continue
		}
		known[f.ID] = true
		i := slices.IndexFunc(losses, func(o outcome) bool {
			return slices.Equal(o.lost, slices.Sorted(slices.Values(f.Lost)))
		})
		if i < 0 {
			r.wrong("%s is about a loss that the certificate does not replay", f.ID)
			continue
		}
		k := losses[i].check
		if f.Rule == "deadlock" {
			if waiting++; !slices.ContainsFunc(k.im.Claim.Deadlocks, func(d Deadlock) bool { return strings.Join(d.Cycle, ">") == f.Subject }) {
				r.wrong("%s is no deadlock of that loss", f.ID)
			}
			continue
		}
		v, ok := m.named(f.Subject)
		if !ok {
			v, ok = m.thing("service/" + f.Subject)
		}
		switch {
		case !ok || v < m.comp:
			r.wrong("%s is about %q, which can be neither up nor down", f.ID, f.Subject)
		case f.Rule == "unrecoverable" && k.back.up[v]:
			r.wrong("%s: %s comes back", f.ID, f.Subject)
		case f.Rule == "unrecoverable":
			unrecoverable++
		case f.Rule == "outage" && k.fallen.up[v] && losses[i].data[v] == (dataLoss{}):
			r.wrong("%s: %s neither goes down nor loses data", f.ID, f.Subject)
		case f.Rule == "outage":
			down++
		default:
			r.wrong("%s: the rule %q cannot be proved by an impact", f.ID, f.Rule)
		}
	}
	if len(r.Wrong) > 0 {
		return
	}
	if unrecoverable > 0 {
		r.proved("findings that something cannot come back (%d in all)", unrecoverable)
	}
	if waiting > 0 {
		r.proved("findings of a deadlock (%d in all)", waiting)
	}
	if down > 0 {
		r.proved("findings of an outage (%d in all): the service goes down or loses data", down)
		r.unproved("how long an outage lasts, and what was promised")
	}
	r.unproved("findings of other rules, and that there are no others")
}

// id is what a finding is called: rule/loss/subject.
func (f *Finding) id() string {
	loss := "-"
	if len(f.Lost) > 0 {
		loss = strings.Join(slices.Sorted(slices.Values(f.Lost)), "+")
	}
	return f.Rule + "/" + loss + "/" + f.Subject
}

// listed names what is lost.
func listed(lost []string) string {
	if len(lost) == 0 {
		return "nothing"
	}
	return strings.Join(lost, ", ")
}
