package settle

import (
	"cmp"
	"maps"
	"slices"
)

// Smallest is the smallest group that the public is told of: of fewer, somebody who
// knows one of them learns about the others.
const Smallest = 10

// A Fact is what one claim adds to the statistics.
type Fact struct {
	Service, Use, Kind, State string
	Amount                    int64 // paid or granted
}

// Statistics are told to everybody, every day.
type Statistics struct {
	Claims int     `json:"claims"` // 0 also for fewer than Smallest
	Amount int64   `json:"amount"`
	Tables []Table `json:"tables"`
}

// A Table splits all claims by one thing.
type Table struct {
	By   string `json:"by"`
	Rows []Row  `json:"rows"` // largest first; "other" last
}

// A Row is one group.
type Row struct {
	Name   string `json:"name"`
	Claims int    `json:"claims"`
	Amount int64  `json:"amount"`
}

// Other is the row of groups too small to be told.
const Other = "other"

// Count makes statistics in which no group is smaller than [Smallest], neither as a row
// nor as what is left when the other rows are taken from the total.
func Count(facts []Fact) Statistics {
	s := Statistics{Tables: []Table{}}
	if len(facts) < Smallest {
		return s
	}
	s.Claims = len(facts)
	for _, f := range facts {
		s.Amount += f.Amount
	}
	for _, by := range []struct {
		name string
		of   func(*Fact) string
	}{
		{"service", func(f *Fact) string { return f.Service }},
		{"use", func(f *Fact) string { return f.Use }},
		{"kind", func(f *Fact) string { return f.Kind }},
		{"state", func(f *Fact) string { return f.State }},
	} {
		s.Tables = append(s.Tables, Table{by.name, rows(facts, by.of)})
	}
	return s
}

func rows(facts []Fact, of func(*Fact) string) []Row {
	groups := map[string]Row{}
	for i := range facts {
		name := of(&facts[i])
		r := groups[name]
		r.Name = name
		r.Claims++
		r.Amount += facts[i].Amount
		groups[name] = r
	}
	all := make([]Row, 0, len(groups))
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		all = append(all, groups[name])
	}
	slices.SortStableFunc(all, func(a, b Row) int { return cmp.Compare(b.Claims, a.Claims) })
	other := Row{Name: Other}
	// Too small groups go together; when they are still too few, the next one joins them.
	for len(all) > 0 && (all[len(all)-1].Claims < Smallest || other.Claims > 0 && other.Claims < Smallest) {
		last := all[len(all)-1]
		other.Claims += last.Claims
		other.Amount += last.Amount
		all = all[:len(all)-1]
	}
	if other.Claims > 0 {
		all = append(all, other)
	}
	return all
}
