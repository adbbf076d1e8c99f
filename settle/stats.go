package settle

import (
	"cmp"
	"maps"
	"slices"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// Statistics are told to everybody, every day.
type Statistics struct {
	Day    string  `json:"day"`    // on which they were counted, where the company is
	Claims int     `json:"claims"` // 0 also for fewer than [claim.Smallest]
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

// factColumns are what the statistics split claims by, in the order in which they are given up where too few claims share them.
func factColumns() []string { return []string{"state", "kind", "use", "service"} }

// fact is what a claim adds to the statistics.
func fact(x *claim.Claim) claim.Group {
	g := claim.Group{Of: []string{string(x.State), x.Report.Kind, x.Report.Use, x.Report.Service}, Claims: 1}
	if final(x) && x.Decision.Outcome == policy.Pay {
		g.Given, g.Amount = 1, x.Decision.Amount
	}
	return g
}

// statistics adds groups up. All tables and the total are sums of the same groups: no figure
// can be held against another to learn of a smaller one.
func statistics(t claim.Told) Statistics {
	s := Statistics{Day: t.Day, Tables: []Table{}}
	for _, g := range t.Groups {
		s.Claims += g.Claims
		s.Amount += g.Amount
	}
	if s.Claims == 0 {
		return s
	}
	for column, by := range slices.Backward(factColumns()) {
		s.Tables = append(s.Tables, Table{by, rows(t.Groups, column)})
	}
	return s
}

func rows(groups []claim.Group, column int) []Row {
	sums := map[string]Row{}
	for _, g := range groups {
		name := g.Of[column]
		if name == claim.Anything {
			name = Other
		}
		r := sums[name]
		sums[name] = Row{name, r.Claims + g.Claims, r.Amount + g.Amount}
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Row) int {
		switch Other {
		case a.Name:
			return 1
		case b.Name:
			return -1
		}
		return cmp.Or(cmp.Compare(b.Claims, a.Claims), cmp.Compare(a.Name, b.Name))
	})
}
