package audit

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"bongsu/estate"
)

// dataSingleCopy finds data of which one loss takes every copy. It is a warning
// where an action can make the data anew.
func dataSingleCopy(a *auditor) {
	for i := range a.judged(estate.KindComponent) {
		c := &a.s.Components[i]
		if c.Data == nil && (c.Tool || c.Mode == estate.ModeAny) {
			continue
		}
		var in []int
		for _, r := range c.Replicas {
			if r.Count > 0 {
				in = append(in, r.In)
			}
		}
		if c.Data != nil {
			for _, k := range c.Data.Copies {
				in = append(in, k.In)
			}
		}
		slices.Sort(in)
		in = slices.Compact(in)
		common := shared(a.fates, in)
		if len(common) == 0 {
			continue
		}
		r := a.component(i)
		touched := a.touchedBy(i)
		shown := lowest(a.fates, common)[0]
		low := a.domainNames(lowest(a.fates, common))
		size := ""
		if c.Data != nil && c.Data.Size > 0 {
			size = " (" + sized(c.Data.Size) + ")"
		}
		f := Finding{
			Severity: Error, Users: touched.users, about: []estate.Ref{r},
			Sentence: fmt.Sprintf("every copy of the data of %s%s is gone with %s", c.Name, size, orJoin(low)),
			Proof:    Proof{Domains: low, Services: touched.names(a.s)},
			Fix:      a.advice(r, "a copy of %s that does without %s, and a proven restore from it", c.Name, orJoin(low)),
		}
		if len(in) == 1 {
			f.Proof.Words = append(f.Proof.Words, "its data is in "+a.s.Domains[in[0]].Name+" and nowhere else")
		} else {
			for _, d := range in {
				f.Proof.Words = append(f.Proof.Words, a.howShared(d, shown))
			}
		}
		for j := range c.Actions {
			if c.Actions[j].Does == estate.DoesRebuild {
				f.Severity = Warning
				f.Proof.Words = append(f.Proof.Words, "its action "+c.Actions[j].Name+" makes the data anew, it says")
				break
			}
		}
		a.add(f, NoLoss, r)
	}
}

// sized is a size for people, in the unit that leaves the fewest digits.
func sized(bytes float64) string {
	best := estate.FormatSize(bytes)
	for i, unit := range []string{"kB", "MB", "GB", "TB", "PB"} {
		v := bytes / math.Pow(1000, float64(i+1))
		if text := strconv.FormatFloat(v, 'f', -1, 64) + unit; v >= 1 && len(text) < len(best) {
			best = text
		}
	}
	return best
}
