package claim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"bongsu/claim/paper"
)

// Claimant is the name under which whoever holds the receipt does things.
const Claimant = "claimant"

// appealed is what the event of an appeal says; who decided before it does not decide after it.
const appealed = "appealed"

// holder says who acts on a claim: who holds its secret, or an agent, who gives a name and no secret.
func (o *Office) holder(ctx context.Context, id, secret, by string) (string, error) {
	if secret != "" {
		_, err := o.Ledger.Check(ctx, id, secret)
		return Claimant, err
	}
	for _, name := range []string{"", Claimant, "policy", "bank"} {
		if same(by, name) {
			return "", ErrSecret // an empty secret is no agent
		}
	}
	return by, who(by)
}

// mostAdded is how often words are added to one claim.
const mostAdded = 100

// add keeps words that were said later.
func (p *Personal) add(now time.Time, by, what, text string) error {
	if len(p.Added) >= mostAdded {
		return FieldErrors{"text": "long"}
	}
	p.Added = append(p.Added, Added{At: now, By: by, What: what, Text: text})
	return nil
}

// said reads what people type into a claim later.
func said(text string, needed bool) (string, error) {
	text, _ = paper.MaskNumbers(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")))
	f := FieldErrors{}
	f.set(needed && text == "", "text", "missing")
	f.set(utf8.RuneCountInString(text) > longText, "text", "long")
	f.set(!textual(text, longText), "text", "text")
	return text, f.err()
}

// Amend adds words to a claim; its claimant holds the secret ([ErrSecret], also where there is no such claim), an agent gives a
// name as by and no secret.
func (o *Office) Amend(ctx context.Context, id, secret, text, by string) (Claim, error) {
	by, err := o.holder(ctx, id, secret, by)
	if err != nil {
		return Claim{}, err
	}
	if text, err = said(text, true); err != nil {
		return Claim{}, err
	}
	return o.Ledger.Amend(ctx, id, func(c *Claim, p *Personal) (Event, error) {
		if c.State == Withdrawn || c.State == Merged {
			return Event{}, c.not("add to")
		}
		return Event{Who: by, What: "added words"}, p.add(o.now(), by, "more", text)
	})
}

// SetBank says where money goes, until it is on its way. What was approved and is changed by an agent, who does not hold the
// secret, goes back to the desk: a person looks before it is paid to another account. Claims that share an account are found by
// the next [Office.Flag], which is at the latest when a batch is drafted.
func (o *Office) SetBank(ctx context.Context, id, secret, bank, number, holder, by string) (Claim, error) {
	by, err := o.holder(ctx, id, secret, by)
	if err != nil {
		return Claim{}, err
	}
	for _, s := range []*string{&bank, &number, &holder} {
		*s = strings.TrimSpace(*s)
	}
	holder, _ = paper.MaskNumbers(holder)
	f := FieldErrors{}
	f.bank(bank, number, holder)
	if err := f.err(); err != nil {
		return Claim{}, err
	}
	return o.Ledger.Amend(ctx, id, func(c *Claim, p *Personal) (Event, error) {
		if !c.open() {
			return Event{}, c.not("set the bank account of")
		}
		now := o.now()
		ev := Event{Who: by, What: "bank account given"}
		if digits(p.Bank) == digits(bank) && digits(p.Number) == digits(number) && p.Bank == bank && p.Holder == holder {
			ev.Why = "as it was"
		} else if c.State == Approved && by != Claimant {
			c.stop("an agent changed its bank account", now)
			ev.Why = "by an agent, after it was approved: a person looks before it is paid"
		}
		p.Bank, p.Number, p.Holder = bank, number, holder
		return ev, p.add(now, by, "bank", "")
	})
}

// takesPaper says whether papers of a kind may be sent in; a window that names none takes any.
func (w *Window) takesPaper(kind string) bool {
	return words.MatchString(kind) && (len(w.Evidence) == 0 || slices.ContainsFunc(w.Evidence, func(n Named) bool { return n.Name == kind }))
}

// mostFiles is how many papers one claim has.
const mostFiles = 30

// AddPaper cleans a file ([bongsu/claim/paper]) and adds it to a claim; its name is not kept. What cannot be cleaned is
// refused with the errors of that package. What the desk should look at is a [Flag] of kind paper.
func (o *Office) AddPaper(ctx context.Context, id, secret, kind, name string, data []byte, by string) (File, error) {
	by, err := o.holder(ctx, id, secret, by)
	if err != nil {
		return File{}, err
	}
	c, err := o.Ledger.Claim(ctx, id)
	if err != nil {
		return File{}, err
	}
	w, err := o.recent(ctx, c.Incident)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return File{}, err
	}
	switch {
	case !c.open():
		return File{}, c.not("add a paper to")
	case !w.takesPaper(kind):
		return File{}, FieldErrors{"kind": "unknown"}
	case len(c.Files) >= mostFiles:
		return File{}, fmt.Errorf("%w: %d papers were sent already", paper.ErrLarge, len(c.Files))
	}
	p, err := o.cleaned(ctx, name, data)
	if err != nil {
		return File{}, err
	}
	if err := c.room(int64(len(p.Data))); err != nil {
		return File{}, err
	}
	// The doubt comes first: after a crash it may be about nothing, but no paper comes without its doubt.
	if len(p.Doubts) > 0 {
		if _, err := o.change(ctx, c.ID, func(c *Claim) (Event, error) { return c.doubtful(kind, p.Doubts, o.now()) }); err != nil {
			return File{}, err
		}
	}
	return o.Ledger.AddFile(ctx, c.ID, kind, p.Type, p.Data, by)
}

// cleanedAtOnce is how many papers are cleaned at a time: a picture of ten megabytes may need half a
// gigabyte and some seconds, and whoever reads the status page needs this machine too.
const cleanedAtOnce = 2

// A queue lets so many do something at a time; the others wait. Its zero value lets in [cleanedAtOnce].
type queue struct {
	once sync.Once
	room chan struct{}
}

func (q *queue) enter(ctx context.Context) error {
	q.once.Do(func() { q.room = make(chan struct{}, cleanedAtOnce) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case q.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) leave() { <-q.room }

// cleaned is [paper.Clean], when it is this paper's turn.
func (o *Office) cleaned(ctx context.Context, name string, data []byte) (paper.Paper, error) {
	if err := o.cleaning.enter(ctx); err != nil {
		return paper.Paper{}, err
	}
	defer o.cleaning.leave()
	return paper.Clean(name, data)
}

// doubtful flags a paper; each doubt is a flag, with the words of the paper package as its note.
func (c *Claim) doubtful(kind string, doubts []string, now time.Time) (Event, error) {
	flags := slices.Clone(c.Flags)
	for _, d := range doubts {
		if !slices.ContainsFunc(flags, func(f Flag) bool { return f.Kind == "paper" && f.Clear == "" && f.Note == d }) {
			flags = append(flags, Flag{Kind: "paper", Others: []string{}, Score: paperDoubt, At: now, Note: d})
		}
	}
	if len(flags) == len(c.Flags) {
		return Event{}, errSame
	}
	c.doubts(flags)
	return Event{Who: "policy", What: "flagged", Why: kind + ": " + strings.Join(doubts, "; ")}, nil
}

// paperDoubt is how much a paper that cannot be cleaned wholly counts among doubts.
const paperDoubt = 0.5

// Withdraw ends a claim at the word of its claimant, before it is paid. Again it does nothing. What was given and appealed against may be paid
// already, so that it cannot be withdrawn ([ErrState]).
func (o *Office) Withdraw(ctx context.Context, id, secret, by string) (Claim, error) {
	by, err := o.holder(ctx, id, secret, by)
	if err != nil {
		return Claim{}, err
	}
	return o.change(ctx, id, func(c *Claim) (Event, error) {
		if c.State == Withdrawn {
			return Event{}, errSame
		}
		if !c.open() {
			return Event{}, c.not("withdraw")
		}
		if c.Contested() {
			return Event{}, fmt.Errorf("withdraw %s: what was given is under appeal, and may be paid already: it stays on record, and the appeal is decided first: %w", c.ID, ErrState)
		}
		c.State, c.Proposal = Withdrawn, nil
		c.NextAt, c.Appeal = time.Time{}, time.Time{}
		return Event{Who: by, What: DidWithdraw}, nil
	})
}

// MayAppeal says whether the claimant of a claim with this history may appeal now: once, against what was decided, in time.
func (c *Claim) MayAppeal(history []Event, now time.Time) bool {
	return c.Erased.IsZero() && c.appealable() && c.Appealed.IsZero() && !c.Appeal.IsZero() && !now.After(c.AppealUntil(history))
}

// appealable says whether there is a decision that is in force, with no money on its way.
func (c *Claim) appealable() bool {
	return c.Decision != nil && (c.State == Decided || c.State == Approved || c.State == Paid)
}

// AppealUntil is until when the claimant of a claim with this history may appeal; zero: the decision is the last, or there is none. The clock
// stands still while money is on its way, as nobody can appeal then.
func (c *Claim) AppealUntil(history []Event) time.Time {
	until := c.Appeal
	var left time.Time // when money went on its way
	for _, e := range history {
		switch e.What {
		case "to be paid", "to be paid again":
			if left.IsZero() {
				left = e.At
			}
		case "paid", "returned", "not paid yet":
			if !left.Before(c.Appeal.Add(-AppealTime)) && left.Before(until) { // since this decision, and in its time
				until = until.Add(e.At.Sub(left))
			}
			left = time.Time{}
		}
	}
	return until
}

// Appeal asks that another person decides, once, within [AppealTime] of the decision, also one of a claim that was paid; after an
// automatic decision it is the claimant's right to have a person decide (PIPA art. 37-2). Words may be left out.
func (o *Office) Appeal(ctx context.Context, id, secret, text, by string) (Claim, error) {
	by, err := o.holder(ctx, id, secret, by)
	if err != nil {
		return Claim{}, err
	}
	if text, err = said(text, false); err != nil {
		return Claim{}, err
	}
	history, err := o.Ledger.History(ctx, id)
	if err != nil {
		return Claim{}, err
	}
	return o.Ledger.Amend(ctx, id, func(c *Claim, p *Personal) (Event, error) {
		now := o.now()
		switch until := c.AppealUntil(history); {
		case !c.appealable():
			return Event{}, c.not("appeal against the decision on")
		case !c.Appealed.IsZero() || c.Appeal.IsZero():
			return Event{}, fmt.Errorf("the decision on %s is the last: %w", c.ID, ErrState)
		case now.After(until):
			return Event{}, fmt.Errorf("the time to appeal for %s ended at %s: %w", c.ID, until.Format(time.RFC3339), ErrState)
		}
		c.State, c.Appealed, c.Proposal = Appealed, now, nil
		c.NextAt, c.Appeal = now.Add(ReviewTime), time.Time{}
		return Event{Who: by, What: appealed}, p.add(now, by, "appeal", text)
	})
}
