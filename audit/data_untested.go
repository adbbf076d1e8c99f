package audit

import (
	"fmt"

	"bongsu/estate"
)

// dataUntested finds data with copies none of which has been restored from lately.
func dataUntested(a *auditor) {
	for i := range a.judged(estate.KindComponent) {
		c := &a.s.Components[i]
		if c.Data == nil || len(c.Data.Copies) == 0 {
			continue
		}
		var last estate.Copy
		good := false
		for _, k := range c.Data.Copies {
			future := !a.o.Now.IsZero() && k.Tested.After(a.o.Now)
			if k.Tested.IsZero() || future {
				continue // a date to come proves nothing
			}
			if k.Tested.After(last.Tested) {
				last = k
			}
			good = good || a.o.Now.IsZero() || a.o.Now.Sub(k.Tested) <= a.o.MaxUntested
		}
		if good {
			continue
		}
		r := a.component(i)
		touched := a.touchedBy(i)
		f := Finding{
			Severity: Warning, Users: touched.users, about: []estate.Ref{r}, spot: spot{copy: true},
			Proof: Proof{Services: touched.names(a.s)},
			Fix:   a.advice(r, "restore %s from a copy, and note the day in tested", c.Name),
		}
		if last.Tested.IsZero() {
			f.Sentence = "no restore of " + c.Name + " from a copy has ever been proven"
		} else {
			f.Sentence = fmt.Sprintf("a restore of %s from a copy was last proven on %s", c.Name, last.Tested.Format("2006-01-02"))
			f.Proof.Words = append(f.Proof.Words, "that was longer ago than "+lasting(a.o.MaxUntested))
		}
		for _, k := range c.Data.Copies {
			tested := "never restored from"
			if !k.Tested.IsZero() {
				tested = "restored from on " + k.Tested.Format("2006-01-02")
			}
			f.Proof.Words = append(f.Proof.Words, fmt.Sprintf("the copy (%s) in %s: %s", k.How, a.s.Domains[k.In].Name, tested))
		}
		a.add(f, NoLoss, r)
	}
}
