package desk

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// unaskedView is where lists of accounts are handed in, which are given something that nobody asks for.
type unaskedView struct {
	Window  claim.Window
	Windows []claim.Window
	Policy  *policy.Policy
	Gives   bool // the policy has a rule for it
	Lists   []handoutRow
	Wrong   []*claim.RowError // of the table that was sent
	More    int               // wrong rows that are not listed
	Jobs    []jobRow
}

// A handoutRow is a list with what the reader may do about it.
type handoutRow struct {
	claim.Handout

	Mine bool // the reader handed it in
	Old  bool // it waits, and another policy is in force since
}

// May says whether the reader may approve of the list.
func (r *handoutRow) May() bool { return r.ApprovedBy == "" && !r.Mine && !r.Old }

func (c *call) unaskedPage() error { return c.unaskedWith(nil, 0) }

func (c *call) unaskedWith(wrong []*claim.RowError, more int) error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	v := unaskedView{Window: w, Windows: all, Wrong: wrong, More: more}
	if v.Policy, err = c.active(w.Incident); err != nil {
		return err
	}
	v.Gives = v.Policy != nil && claim.GivesUnasked(v.Policy)
	lists, err := c.s.o.Office.Handouts(c.r.Context(), w.Incident)
	if err != nil {
		return err
	}
	for _, h := range lists {
		v.Lists = append(v.Lists, handoutRow{h, strings.EqualFold(h.By, c.who), v.Policy == nil || v.Policy.ID != h.Policy})
	}
	if v.Jobs, err = c.jobsOf(w.Incident, "unasked-"); err != nil {
		return err
	}
	return c.show("unasked", v)
}

// A handout is what became of a list that somebody brought.
type handout struct {
	claim.Handout

	Currency string
	Waits    bool // another person handed the same list in: it is for the reader to approve
}

// list reads the table that was sent. Whether each of its rows can be used is known before anything is done.
func (c *call) list() (accounts iter.Seq2[policy.Account, error], key string, wrong []*claim.RowError, err error) {
	_, data, err := c.upload()
	if err != nil {
		return nil, "", nil, err
	}
	accounts = claim.AccountsIn(data)
	for _, err := range accounts {
		row, ok := errors.AsType[*claim.RowError](err)
		if err != nil && !ok {
			return nil, "", nil, err
		}
		if ok {
			wrong = append(wrong, row)
		}
	}
	return accounts, hashName(data), wrong, nil
}

// bring does something with a list that was sent, in the background.
func (c *call) bring(kind string, do func(ctx context.Context, w *claim.Window, l iter.Seq2[policy.Account, error], progress func(int)) (handout, error)) error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	accounts, key, wrong, err := c.list()
	if err != nil {
		return err
	}
	if n := len(wrong); n > 0 {
		c.problem = problemOf(errRows)
		return c.unaskedWith(wrong[:min(n, mostWrong)], max(0, n-mostWrong))
	}
	j, err := c.s.start(c.r.Context(), &job{
		Kind: kind, Key: strings.Join([]string{kind, w.Incident, key, c.who}, "/"), Incident: w.Incident, By: c.who, May: Decider,
		run: func(ctx context.Context, progress func(int)) (any, error) { return do(ctx, &w, accounts, progress) },
	})
	if err != nil {
		return err
	}
	return c.follow(j)
}

// tryUnasked tells what a list would come to. Nothing is kept.
func (c *call) tryUnasked() error {
	o, who := c.s.o.Office, c.who
	return c.bring("unasked-try", func(ctx context.Context, w *claim.Window, l iter.Seq2[policy.Account, error], _ func(int)) (handout, error) {
		h, err := o.WouldGive(ctx, w.Incident, l, who)
		return handout{Handout: h, Currency: w.Currency}, err
	})
}

// submitUnasked hands a list in. To hand in what waits is not to approve of it: that is another button.
func (c *call) submitUnasked() error {
	o, who := c.s.o.Office, c.who
	return c.bring("unasked-submit", func(ctx context.Context, w *claim.Window, l iter.Seq2[policy.Account, error], progress func(int)) (handout, error) {
		h, err := o.WouldGive(ctx, w.Incident, l, who)
		if waits := h.By != "" && h.ApprovedBy == "" && !strings.EqualFold(h.By, who); err != nil || waits {
			return handout{h, w.Currency, waits}, err
		}
		h, err = o.Unasked(ctx, w.Incident, l, who, progress)
		return handout{Handout: h, Currency: w.Currency}, err
	})
}

// approveUnasked gives what a list says that another person handed in. Who approves brings the list once more: it is
// not kept, and who does not have it does not know what it says.
func (c *call) approveUnasked() error {
	o, who, digest := c.s.o.Office, c.who, c.form("digest")
	return c.bring("unasked-approve", func(ctx context.Context, w *claim.Window, l iter.Seq2[policy.Account, error], progress func(int)) (handout, error) {
		h, err := o.WouldGive(ctx, w.Incident, l, who)
		switch {
		case err != nil:
		case h.Digest != digest || h.By == "":
			err = errOther
		case h.ApprovedBy == "" && strings.EqualFold(h.By, who):
			err = claim.ErrSame
		default:
			h, err = o.Unasked(ctx, w.Incident, l, who, progress)
		}
		return handout{Handout: h, Currency: w.Currency}, err
	})
}

func unaskedPath(incident string) string { return "/unasked?incident=" + url.QueryEscape(incident) }
