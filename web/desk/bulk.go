package desk

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// What can be done to several claims at once.
const (
	bulkDecide = "decide"
	bulkPolicy = "policy"
	bulkMerge  = "merge"
	bulkClear  = "clear"
)

// bulkView shows what will happen to each of the claims that were ticked, and in sum.
type bulkView struct {
	Do       string
	Claims   []bulkRow
	Draft    claim.Verdict
	Ready    bool // everything that is needed is there: the button does it
	Changes  int
	Sum      int64 // of what would be paid
	Currency string
	Why      string
	Into     string
	Forms    []policy.Form
	Grounds  []policy.Ground
	Evidence []claim.Named
	FourEyes int64 // of the policy in force
	Typed    url.Values
	Wrong    string // why it cannot be done
}

// A bulkRow is what will happen to one claim.
type bulkRow struct {
	row

	What   string // pay, refuse, human, proposal, merge, into, clear, stay
	Amount int64
	Why    string
	Err    *problem // after it was done
}

// ticked reads the claims that were ticked, in the order of the list.
func (c *call) ticked() ([]claim.Claim, error) {
	var ids []string
	for _, id := range c.r.PostForm["id"] {
		if id = claim.NormalCode(id); !slices.Contains(ids, id) && len(ids) < mostRows {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, errNone
	}
	out := make([]claim.Claim, 0, len(ids))
	for _, id := range ids {
		one, err := c.s.o.Ledger.Claim(c.r.Context(), id)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 && one.Incident != out[0].Incident {
			return nil, fmt.Errorf("%w: the claims belong to different incidents; do them one after the other", errInput)
		}
		out = append(out, one)
	}
	return out, nil
}

// bulkPage shows what will happen; nothing happens yet.
func (c *call) bulkPage() error {
	v, _, err := c.bulk()
	if err != nil {
		return err
	}
	return c.show("bulk", v)
}

// bulk works out what an action does to the claims that were ticked.
func (c *call) bulk() (*bulkView, *claim.Verdict, error) {
	claims, err := c.ticked()
	if err != nil {
		return nil, nil, err
	}
	v := &bulkView{Do: c.form("do"), Forms: forms(), Grounds: grounds(), Currency: claims[0].Currency, Why: c.form("why"), Into: claim.NormalCode(c.form("into"))}
	if !slices.Contains([]string{bulkDecide, bulkPolicy, bulkMerge, bulkClear}, v.Do) {
		return nil, nil, errInput
	}
	rows := rowsOf(claims, c.s.o.Now())
	active, err := c.s.o.Office.Active(c.r.Context(), claims[0].Incident)
	switch {
	case errors.Is(err, claim.ErrNoPolicy), errors.Is(err, claim.ErrNotFound):
		if v.Do == bulkPolicy {
			return nil, nil, claim.ErrNoPolicy
		}
	case err != nil:
		return nil, nil, err
	default:
		v.FourEyes = active.FourEyes
	}
	var verdict *claim.Verdict
	switch v.Do {
	case bulkDecide:
		if verdict, err = c.bulkVerdict(v, rows); err != nil {
			return nil, nil, err
		}
	case bulkPolicy:
		for _, r := range rows {
			v.Claims = append(v.Claims, bulkRow{row: r})
			b := &v.Claims[len(v.Claims)-1]
			if !byPolicy(&r.Claim) || r.Proposal != nil {
				b.What = "stay"
				continue
			}
			x, err := c.s.o.Office.Case(c.r.Context(), &r.Claim)
			if err != nil {
				return nil, nil, err
			}
			d := active.Assess(&x)
			b.What, b.Amount = string(d.Outcome), d.Amount
			if len(d.Why) > 0 {
				b.Why = d.Why[len(d.Why)-1]
			}
		}
		v.Ready = true
	case bulkMerge:
		c.bulkMerge(v, rows)
	case bulkClear:
		for _, r := range rows {
			what := "stay"
			if r.Doubts > 0 {
				what = "clear"
			}
			v.Claims = append(v.Claims, bulkRow{row: r, What: what})
		}
		v.Ready = v.Why != ""
	}
	for _, b := range v.Claims {
		if b.What != "stay" {
			v.Changes++
		}
		if b.What == string(policy.Pay) || b.What == "proposal" {
			v.Sum += b.Amount
		}
	}
	return v, verdict, nil
}

// bulkVerdict is ready once the form of the verdict is whole.
func (c *call) bulkVerdict(v *bulkView, rows []row) (*claim.Verdict, error) {
	var got *claim.Verdict
	if c.r.PostForm.Has("outcome") {
		x, err := c.verdict(v.Currency)
		if err != nil {
			p := problemOf(err)
			v.Wrong = p.Code
			if c.problem == nil {
				c.problem, c.typed = p, c.r.PostForm
			}
		} else {
			got, v.Ready, v.Draft = &x, true, x
		}
	}
	if got == nil {
		v.Draft = claim.Verdict{Outcome: policy.Refuse, Form: policy.Money, Ground: policy.Goodwill, Reason: map[string]string{}}
	}
	all, err := c.windows()
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		if w.Incident == rows[0].Incident {
			v.Evidence = w.Evidence
		}
	}
	var sum int64
	for _, r := range rows {
		b := bulkRow{row: r, What: "stay"}
		if decidable(r.State) && r.Proposal == nil && (r.State != claim.Appealed || r.Decider != c.who) && got != nil {
			b.What, b.Amount = string(got.Outcome), got.Amount
			sum += got.Amount
		} else if got == nil && decidable(r.State) && r.Proposal == nil {
			b.What = "open"
		}
		v.Claims = append(v.Claims, b)
	}
	if got != nil && got.Outcome == policy.Pay && v.FourEyes > 0 && sum > v.FourEyes { // many small sums meet the same limit as one
		for i := range v.Claims {
			if v.Claims[i].What == string(policy.Pay) {
				v.Claims[i].What = "proposal"
			}
		}
	}
	return got, nil
}

func (*call) bulkMerge(v *bulkView, rows []row) {
	if !slices.ContainsFunc(rows, func(r row) bool { return r.ID == v.Into }) {
		oldest := rows[0]
		for _, r := range rows {
			if r.Filed.Before(oldest.Filed) {
				oldest = r
			}
		}
		v.Into = oldest.ID
	}
	for _, r := range rows {
		b := bulkRow{row: r, What: "merge"}
		switch {
		case r.ID == v.Into:
			b.What = "into"
		case over(r.State):
			b.What = "stay"
		}
		v.Claims = append(v.Claims, b)
	}
	v.Ready = v.Why != "" && len(rows) > 1
}

// bulkDo does what the page before showed, and says for each claim how it went.
func (c *call) bulkDo() error {
	v, verdict, err := c.bulk()
	if err != nil {
		return err
	}
	if !v.Ready {
		if v.Do != bulkPolicy && v.Why == "" {
			return errWhy
		}
		return errInput
	}
	ctx, o := c.r.Context(), c.s.o.Office
	// What has changed since the page was made is left alone: nobody has seen it.
	seen := c.r.PostForm["seen"]
	var ids []string
	for i := range v.Claims {
		b := &v.Claims[i]
		if !slices.Contains(seen, fmt.Sprintf("%s:%d", b.ID, b.Version)) {
			b.What, b.Err = "stay", problemOf(claim.ErrConflict)
			continue
		}
		if b.What != "stay" {
			ids = append(ids, b.ID)
		}
	}
	fill := func(errs []error) {
		for i, id := range ids {
			n := slices.IndexFunc(v.Claims, func(b bulkRow) bool { return b.ID == id })
			if i < len(errs) && errs[i] != nil {
				v.Claims[n].Err = problemOf(errs[i])
			}
		}
	}
	switch {
	case len(ids) == 0:
	case v.Do == bulkDecide:
		fill(o.Bulk(ctx, ids, *verdict, c.who))
	case v.Do == bulkMerge:
		if len(ids) < 2 || !slices.Contains(ids, v.Into) {
			return claim.ErrConflict
		}
		merged := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == v.Into })
		if err := o.Merge(ctx, merged, v.Into, c.who, v.Why); err != nil {
			return err
		}
	default:
		errs := make([]error, len(ids))
		for i, id := range ids {
			n := slices.IndexFunc(v.Claims, func(b bulkRow) bool { return b.ID == id })
			if v.Do == bulkPolicy {
				_, errs[i] = o.ByPolicy(ctx, id, v.Claims[n].Version, c.who)
			} else {
				_, errs[i] = o.ClearFlag(ctx, id, "", c.who, v.Why)
			}
		}
		fill(errs)
	}
	v.Changes, v.Sum = 0, 0
	for i := range v.Claims {
		b := &v.Claims[i]
		if b.What == "stay" || b.Err != nil {
			continue
		}
		v.Changes++
		now, err := c.s.o.Ledger.Claim(ctx, b.ID)
		if err != nil {
			return err
		}
		b.row = rowsOf([]claim.Claim{now}, c.s.o.Now())[0]
		if now.State == claim.Approved && now.Decision != nil {
			v.Sum += now.Decision.Amount
		}
	}
	return c.show("bulkdone", v)
}
