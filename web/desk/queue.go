package desk

import (
	"context"
	"net/url"
	"slices"
	"time"

	"bongsu/claim"
)

// queueView is a page of claims.
type queueView struct {
	Filter   filter
	Windows  []claim.Window
	Services []claim.Named
	Claims   []row
	Total    int // -1: not counted
	Next     string
	First    string // address of the first page, when this is another
	All      string // the same page with every claim ticked
	Ticked   bool
	Order    string // the same with the other order
	States   []claim.State
	Uses     []string
	Kinds    []string
	Channels []string
	Rows     []int
}

// A row is one claim of a list.
type row struct {
	claim.Claim

	Doubts int           // open flags
	Age    time.Duration // since it was filed
	Due    bool          // its claimant should have heard by now
}

func rowsOf(claims []claim.Claim, now time.Time) []row {
	out := make([]row, len(claims))
	for i, c := range claims {
		out[i] = row{Claim: c, Doubts: open(c.Flags), Age: age(now.Sub(c.Filed)), Due: !c.NextAt.IsZero() && c.NextAt.Before(now)}
	}
	return out
}

// age is how long ago something was, to the minute from the first one on.
func age(d time.Duration) time.Duration {
	if d < time.Minute {
		return max(0, d.Truncate(time.Second))
	}
	return d.Truncate(time.Minute)
}

// open is how many doubts nobody has cleared.
func open(flags []claim.Flag) int {
	n := 0
	for _, f := range flags {
		if f.Clear == "" {
			n++
		}
	}
	return n
}

// windows are all of them, the newest first.
func (c *call) windows() ([]claim.Window, error) { return c.s.o.Office.Windows(c.r.Context()) }

// window is the one that the page is about: of the incident that was named, else the newest.
func (c *call) window() (claim.Window, []claim.Window, error) {
	all, err := c.windows()
	if err != nil {
		return claim.Window{}, nil, err
	}
	name := trimmed(c.r.FormValue("incident"))
	for _, w := range all {
		if name == "" || w.Incident == name {
			return w, all, nil
		}
	}
	if name != "" {
		return claim.Window{}, all, claim.ErrNotFound
	}
	return claim.Window{}, all, errNoWindow
}

// currency is that of an incident's window; won where none is known.
func currencyOf(all []claim.Window, incident string) string {
	for _, w := range all {
		if (incident == "" || w.Incident == incident) && w.Currency != "" {
			return w.Currency
		}
	}
	return "KRW"
}

func (c *call) queuePage() error {
	all, err := c.windows()
	if err != nil {
		return err
	}
	q := c.r.URL.Query()
	if len(q) == 0 || len(q) == 1 && q.Has("said") { // what waits for somebody here
		for _, s := range openStates() {
			q.Add("state", string(s))
		}
		if len(all) > 0 {
			q.Set("incident", all[0].Incident)
		}
	}
	v := queueView{
		Windows: all, Filter: parseFilter(q, currencyOf(all, q.Get("incident")), c.s.o.Zone), Ticked: q.Get("all") == "1",
		States: states(), Uses: uses(), Kinds: kinds(), Channels: channels(), Rows: []int{usualRows, 100, 200, mostRows},
	}
	for _, w := range all {
		if v.Filter.Incident == "" || w.Incident == v.Filter.Incident {
			for _, s := range w.Services {
				if !slices.ContainsFunc(v.Services, func(n claim.Named) bool { return n.Name == s.Name }) {
					v.Services = append(v.Services, s.Named)
				}
			}
		}
	}
	got, err := c.s.o.Ledger.List(c.r.Context(), v.Filter.Query)
	if err != nil {
		return err
	}
	v.Claims, v.Total = rowsOf(got.Claims, c.s.o.Now()), got.Total
	address := func(change func(url.Values)) string {
		u := v.Filter.values(c.s.o.Zone)
		if len(u) == 0 {
			u.Set("incident", "") // not the page that nobody asked anything of
		}
		change(u)
		return "/claims?" + u.Encode()
	}
	if got.Next != "" {
		v.Next = address(func(u url.Values) { u.Set("after", got.Next) })
	}
	if v.Filter.After != "" {
		v.First = address(func(u url.Values) { u.Del("after") })
	}
	v.All = address(func(u url.Values) { u.Set("all", "1") })
	v.Order = address(func(u url.Values) {
		u.Del("after")
		if u.Get("order") == "amount" {
			u.Del("order")
		} else {
			u.Set("order", "amount")
		}
	})
	return c.show("queue", v)
}

// findPage looks for claims by a contact or an account. It is a POST because what
// tells who somebody is has no place in an address, which browsers and proxies keep.
func (c *call) findPage() error {
	what := c.form("find")
	if what == "" || len(what) > mostWord {
		return errInput
	}
	if id := claim.NormalCode(what); len(id) == 14 {
		if _, err := c.s.o.Ledger.Claim(c.r.Context(), id); err == nil {
			return c.to("/claims/"+url.PathEscape(id), "")
		}
	}
	mark := markOf(what)
	if mark == "" {
		return errInput
	}
	all, err := c.windows()
	if err != nil {
		return err
	}
	got, err := c.s.o.Ledger.List(c.r.Context(), claim.Query{MarkedAs: mark, OldestFirst: true, Limit: mostRows})
	if err != nil {
		return err
	}
	c.s.o.Log.Info("somebody looked for claims by a mark", "who", c.who, "found", len(got.Claims))
	return c.show("found", queueView{Windows: all, Claims: rowsOf(got.Claims, c.s.o.Now()), Total: len(got.Claims)})
}

// others reads the claims that a doubt names, at most a few.
func (c *call) others(ctx context.Context, of *claim.Claim) ([]row, error) {
	var ids []string
	for _, f := range of.Flags {
		for _, id := range f.Others {
			if !slices.Contains(ids, id) && id != of.ID && len(ids) < 8 {
				ids = append(ids, id)
			}
		}
	}
	var out []claim.Claim
	for _, id := range ids {
		other, err := c.s.o.Ledger.Claim(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, other)
	}
	return rowsOf(out, c.s.o.Now()), nil
}
