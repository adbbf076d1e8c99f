package web

import (
	"cmp"
	"slices"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/recovery"
)

// An outcome is what becomes of one service or component, with the reason.
type outcome struct {
	Name, Title string
	State       State
	Tool        bool
	Users       int64
	Parts       []Part
	DataLost    *dataLost
	Because     [][]string
	Path        []string // the steps that bring it back, in an order that works
}

type dataLost struct {
	Known, All bool
	Seconds    float64
}

// A tallyRow counts what is in one state.
type tallyRow struct {
	State                State
	Services, Components int
}

const (
	mostReasons    = 3   // blocking sets shown of one thing
	mostPath       = 12  // steps shown of one derivation
	mostComponents = 200 // shown on the impact page
)

// serviceOutcomes returns every service, worst first; reasons are added only to
// those that are shown, since each costs a search.
func serviceOutcomes(im *impact.Impact) []outcome {
	snap := im.Snapshot
	out := make([]outcome, 0, len(snap.Services))
	for i := range snap.Services {
		doc, r := &snap.Services[i], &im.Services[i]
		o := outcome{Name: doc.Name, Title: doc.Title, State: State(r.State), Users: doc.Users, DataLost: lossOf(r)}
		for j, p := range doc.Parts {
			o.Parts = append(o.Parts, Part{Name: p.Name, Title: p.Title, State: State(r.Parts[j].State)})
		}
		out = append(out, o)
	}
	slices.SortStableFunc(out, func(a, b outcome) int {
		return cmp.Or(cmp.Compare(severity(a.State), severity(b.State)), -cmp.Compare(a.Users, b.Users), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// componentOutcomes returns the components that are not simply up, worst first
// and tools before the rest, at most as many as a page can bear.
func componentOutcomes(im *impact.Impact) (shown []outcome, all int) {
	snap := im.Snapshot
	for i := range snap.Components {
		doc, r := &snap.Components[i], &im.Components[i]
		if r.State == impact.Up {
			continue
		}
		shown = append(shown, outcome{Name: doc.Name, Title: doc.Title, State: State(r.State), Tool: doc.Tool, DataLost: lossOf(r)})
	}
	slices.SortStableFunc(shown, func(a, b outcome) int {
		tool := func(o outcome) int {
			if o.Tool {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(severity(a.State), severity(b.State)), cmp.Compare(tool(a), tool(b)), cmp.Compare(a.Name, b.Name))
	})
	all = len(shown)
	return shown[:min(all, mostComponents)], all
}

func lossOf(r *impact.Result) *dataLost {
	if r.State == impact.Up {
		return nil
	}
	return &dataLost{Known: r.DataLost.Known, All: r.DataLost.All, Seconds: r.DataLost.Lag.Seconds()}
}

// explain adds the reasons to what is shown.
func explain(im *impact.Impact, kind estate.Kind, shown []outcome) {
	for i := range shown {
		o := &shown[i]
		ref, ok := im.Snapshot.Lookup(kind, o.Name)
		if !ok {
			continue
		}
		if o.State == StateUnrecoverable {
			for _, set := range im.Because(ref, mostReasons) {
				o.Because = append(o.Because, im.Names(set))
			}
		}
		if o.State == StateRecoverable || o.State == StateReturns {
			steps := im.Derivation(ref)
			for _, a := range steps[:min(len(steps), mostPath)] {
				o.Path = append(o.Path, a.ID(im.Snapshot))
			}
			if len(steps) > mostPath {
				o.Path = append(o.Path, "…")
			}
		}
	}
}

func tally(services []outcome, im *impact.Impact) []tallyRow {
	rows := []tallyRow{{State: StateUnrecoverable}, {State: StateRecoverable}, {State: StateReturns}, {State: StateDegraded}, {State: StateUp}}
	for i := range rows {
		for _, s := range services {
			if s.State == rows[i].State {
				rows[i].Services++
			}
		}
		for j := range im.Components {
			if State(im.Components[j].State) == rows[i].State {
				rows[i].Components++
			}
		}
	}
	return rows
}

// A forecast is the plan for a loss that has not happened.
type forecast struct {
	Objective Objective
	Steps     []Step
	Services  []RunService
}

func forecastOf(s recovery.Spec) forecast {
	f := forecast{Objective: Objective(s.Objective)}
	for i := range s.Steps {
		p := &s.Steps[i]
		f.Steps = append(f.Steps, Step{
			ID: p.ID, Component: p.Component, Title: p.Title, Action: p.Action, Does: p.Does, At: p.At, Site: p.Site,
			Start: p.Start.Seconds(), Finish: p.Finish.Seconds(), Uses: usesOf(p.Uses), State: StatePending,
		})
	}
	return f
}
