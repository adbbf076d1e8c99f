package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/internal/lang"
)

func impactCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "impact DIR --lose DOMAIN[,DOMAIN...]",
		Short: "Say what a loss takes down, what can come back, and why not",
		Long: `Say what losing domains does to the estate in DIR: what goes down, what can come
back and with which actions, and what cannot and why.

"Needs" after an unrecoverable thing is the smallest set that is in its way:
with all of it back it could come back, with any of it missing it cannot.

With --format json: {lost, lostDomains, components, services, crews, deadlocks}.
Each component, service and crew is {name, state, derivation, blocking,
dataLost}; the state is up, degraded, returns, recoverable or unrecoverable, the
derivation lists actions in an order in which they can run, and dataLost is in
seconds, "unknown" or "all". Services list their parts in the same way.`,
		Example: `  bongsu impact examples/two-sites --lose north
  bongsu impact examples/kakao-2022 --lose pangyo --format json
  bongsu impact examples/two-sites --lose north --certificate north.json`,
		Args:              exactly("DIR"),
		ValidArgsFunction: folders,
	}
	lost := loseFlag(cmd)
	all := cmd.Flags().Bool("all", false, "print long lists in full")
	certificate := cmd.Flags().String("certificate", "", "also write a `file` that bongsu verify checks")
	f := formatFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		im, err := a.impactOf(cmd.Context(), args[0], *lost)
		if err != nil {
			return err
		}
		if *certificate != "" {
			if err := certifyImpact(*certificate, im); err != nil {
				return err
			}
		}
		if *f == formatJSON {
			return a.printJSON(im)
		}
		r := impactReport{app: a, im: im, p: a.palette(), most: 20}
		if *all {
			r.most = len(im.Components) + len(im.Services) + len(im.LostDomains)
		}
		r.print()
		return nil
	}
	return cmd
}

// An impactReport prints an impact for people: services by users first, then
// what of the components needs somebody's attention.
type impactReport struct {
	*app
	im   *impact.Impact
	p    palette
	most int // rows of a list
}

func (r *impactReport) print() {
	names := make([]string, len(r.im.LostDomains))
	for i, d := range r.im.LostDomains {
		names[i] = titled(r.im.Snapshot.Domains[d].Name, r.im.Snapshot.Domains[d].Title)
	}
	r.heading(counted(len(names), "domain", "domains")+" lost", listed(names, r.most))
	r.services()
	r.components()
	r.crews()
	r.deadlocks()
}

// stateCount is how many of a list are in each state.
type stateCount map[impact.State]int

func count(results []impact.Result) stateCount {
	n := stateCount{}
	for _, r := range results {
		n[r.State]++
	}
	return n
}

func (n stateCount) String() string {
	var parts []string
	for _, part := range []struct {
		state impact.State
		words string
	}{
		{impact.Up, "up"},
		{impact.Degraded, "degraded"},
		{impact.Returns, "down until what they need returns"},
		{impact.Recoverable, "down and recoverable"},
		{impact.Unrecoverable, "down and unrecoverable"},
	} {
		if k := n[part.state]; k > 0 {
			parts = append(parts, lang.Number(int64(k))+" "+part.words)
		}
	}
	return strings.Join(parts, ", ")
}

// state is the cell of a state: the word always, colour where there is any.
func (p palette) state(s impact.State) cell {
	paint := map[impact.State]func(string) string{
		impact.Up: p.good, impact.Degraded: p.warn, impact.Returns: p.warn, impact.Recoverable: p.warn, impact.Unrecoverable: p.bad,
	}[s]
	return cell{string(s), paint}
}

func (r *impactReport) services() {
	s, im := r.im.Snapshot, r.im
	r.section(counted(len(im.Services), "service", "services"), count(im.Services).String())
	hit := slices.DeleteFunc(slices.Clone(im.Services), func(res impact.Result) bool {
		return res.State == impact.Up && !lossy(res.DataLost)
	})
	slices.SortStableFunc(hit, func(x, y impact.Result) int {
		return cmp.Compare(s.Services[y.Ref.Index].Users, s.Services[x.Ref.Index].Users)
	})
	t := table{right: []bool{true, false}}
	if len(hit) > 0 {
		t.add("SERVICE", cell{text: "USERS"}, cell{text: "STATE"})
	}
	for _, res := range hit[:min(len(hit), r.most)] {
		service := &s.Services[res.Ref.Index]
		core := im.Derivation(res.Ref)
		lines := []string{titled(service.Name, service.Title)}
		lines = append(lines, r.why(res.State, core, im.Because(res.Ref, 1))...)
		if gone := r.gone(service.Wants); len(gone) > 0 {
			lines = append(lines, "without "+listed(gone, r.most))
		}
		for i, part := range res.Parts {
			if part.State == impact.Up {
				continue
			}
			// What its core takes is said already.
			steps := slices.DeleteFunc(im.PartDerivation(res.Ref.Index, i), func(step impact.ActionRef) bool {
				return slices.Contains(core, step)
			})
			why := r.why(part.State, steps, im.PartBecause(res.Ref.Index, i, 1))
			title := titled(part.Name, service.Parts[i].Title)
			lines = append(lines, fmt.Sprintf("part %s: %s", title, strings.Join(append([]string{string(part.State)}, why...), ", ")))
		}
		lines = append(lines, dataLost(res.DataLost)...)
		t.add(strings.Join(lines, "\n"), cell{text: lang.Number(service.Users)}, r.p.state(res.State))
	}
	t.print(r.out)
	r.more(len(hit))
}

func (r *impactReport) components() {
	s, im := r.im.Snapshot, r.im
	r.section(counted(len(im.Components), "component", "components"), count(im.Components).String())
	hit := slices.DeleteFunc(slices.Clone(im.Components), func(res impact.Result) bool {
		return res.State != impact.Unrecoverable && res.State != impact.Recoverable && !lossy(res.DataLost)
	})
	rank := func(res impact.Result) int {
		tool := 1
		if s.Components[res.Ref.Index].Tool {
			tool = 0
		}
		if res.State == impact.Unrecoverable {
			return tool
		}
		return 2 + tool
	}
	slices.SortStableFunc(hit, func(x, y impact.Result) int { return cmp.Compare(rank(x), rank(y)) })
	t := table{right: []bool{false}}
	for _, res := range hit[:min(len(hit), r.most)] {
		component := &s.Components[res.Ref.Index]
		head := titled(component.Name, component.Title)
		if component.Tool {
			head += ", a tool"
		}
		lines := append([]string{head}, r.why(res.State, im.Derivation(res.Ref), im.Because(res.Ref, 1))...)
		if gone := r.gone(component.Wants); len(gone) > 0 {
			lines = append(lines, "without "+listed(gone, r.most))
		}
		lines = append(lines, dataLost(res.DataLost)...)
		t.add(strings.Join(lines, "\n"), r.p.state(res.State))
	}
	t.print(r.out)
	r.more(len(hit))
}

func (r *impactReport) crews() {
	s, im := r.im.Snapshot, r.im
	t := table{right: []bool{false}}
	for _, res := range im.Crews {
		if res.State == impact.Up {
			continue
		}
		crew := &s.Crews[res.Ref.Index]
		lines := append([]string{titled(crew.Name, crew.Title)}, r.why(res.State, im.Derivation(res.Ref), im.Because(res.Ref, 1))...)
		t.add(strings.Join(lines, "\n"), r.p.state(res.State))
	}
	if len(t.rows) > 0 {
		r.section(counted(len(im.Crews), "crew", "crews"), count(im.Crews).String())
		t.print(r.out)
	}
}

func (r *impactReport) deadlocks() {
	if len(r.im.Deadlocks) == 0 {
		return
	}
	r.section(counted(len(r.im.Deadlocks), "deadlock", "deadlocks"), "each waits for the next to come back")
	for _, d := range r.im.Deadlocks {
		names := r.im.Names(d.Cycle)
		r.paragraph(strings.Join(append(names, names[0]), " -> "))
	}
}

// more says what a list left out.
func (r *impactReport) more(n int) {
	if left := n - r.most; left > 0 {
		fmt.Fprintf(r.out, "... and %s more: --all prints them.\n", lang.Number(int64(left)))
	}
}

// gone names what of wants is not up right after the loss.
func (r *impactReport) gone(wants estate.Need) []string {
	if wants.Ref == nil {
		var names []string
		for _, w := range wants.Of {
			names = append(names, r.gone(w)...)
		}
		return names
	}
	if wants.Ref.Kind == estate.KindDomain {
		if r.im.Alive(wants.Ref.Index) {
			return nil
		}
	} else if state := r.im.Of(*wants.Ref).State; state == impact.Up || state == impact.Degraded {
		return nil
	}
	return r.im.Names([]estate.Ref{*wants.Ref})
}

// why says in one line what a thing that is down takes to come back.
func (r *impactReport) why(state impact.State, steps []impact.ActionRef, because [][]estate.Ref) []string {
	if state == impact.Unrecoverable && len(because) > 0 {
		return []string{"needs " + listed(r.im.Names(because[0]), r.most)}
	}
	if len(steps) == 0 {
		return nil
	}
	ids := make([]string, len(steps))
	for i, step := range steps {
		ids[i] = step.ID(r.im.Snapshot)
	}
	return []string{"by " + listed(ids, min(r.most, 5))}
}

func lossy(d impact.DataLoss) bool { return d.All || !d.Known || d.Lag > 0 }

// dataLost says in one line what of the data is gone; nothing if nothing is.
func dataLost(d impact.DataLoss) []string {
	switch {
	case d.All:
		return []string{"loses all of its data"}
	case !d.Known:
		return []string{"loses an unknown part of its data: a copy has no lag stated"}
	case d.Lag > 0:
		return []string{"loses the last " + estate.FormatDuration(d.Lag) + " of its data"}
	}
	return nil
}
