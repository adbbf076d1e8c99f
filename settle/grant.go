package settle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// grantPrefix is where it is kept what of a claim was granted: + incident/claim.
const grantPrefix = "settle/grant/"

// A grant is what was posted of the decision on a claim. Before anything is posted, what
// is about to be stands in Pending, so that whoever finds it after a crash posts the same
// and nothing else; nothing else is granted to the claim before that is done.
type grant struct {
	V       int     `json:"v"`
	N       int     `json:"n"` // the n-th decision of this claim: each has an entry of its own
	Digest  string  `json:"digest"`
	Entry   string  `json:"entry,omitempty"` // empty: nothing to post, as for time that costs nothing
	Amount  int64   `json:"amount,omitempty"`
	Undone  bool    `json:"undone,omitempty"`  // reversed: nothing is granted now
	Pending []Entry `json:"pending,omitempty"` // to be posted; none: all is
}

// stands reports whether what the claim was decided to get was granted and posted.
func (g *grant) stands(digest string) bool {
	return g != nil && g.Digest == digest && !g.Undone && len(g.Pending) == 0
}

// A kept grant, with the revision that it was read at.
type kept struct {
	grant
	modified int64
}

// grants returns what was granted of an incident, by claim.
func (c *Cashier) grants(ctx context.Context, incident string) (map[string]*kept, error) {
	prefix := grantPrefix + incident + "/"
	all, _, err := c.Store.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	out := make(map[string]*kept, len(all))
	for _, e := range all {
		k := &kept{modified: e.Modified}
		if err := decode(e, &k.grant, &k.V); err != nil {
			return nil, err
		}
		out[strings.TrimPrefix(e.Key, prefix)] = k
	}
	return out, nil
}

// Granted says what [Cashier.Grant] did.
type Granted struct {
	Claims   int      `json:"claims"`   // whose decision was posted now
	Amount   int64    `json:"amount"`   // face value of that
	Reversed int      `json:"reversed"` // decisions that stand no more, and were undone
	Logged   int      `json:"logged"`   // commitments appended to the log
	Odd      []string `json:"odd"`      // a sentence for each claim that a person has to look at
}

// How many claims are written together: of those that are granted something for the first
// time, and of those with a reversal, which are looked at one by one.
const (
	grantStep   = 4 * mostEntries
	reverseStep = mostEntries / 2
)

// Grant posts what was decided to the book, once for each decision, and the commitment to each decision
// to the log. A decision that was changed since is reversed and posted anew, one that stands no more is reversed
// while its amount is still owed. It may be repeated. Time that is given costs what its rule says and is
// booked at that, against bank/extension; where the rule says nothing it costs nothing and has no entry.
func (c *Cashier) Grant(ctx context.Context, incident, by string, progress func(done int)) (Granted, error) {
	if incident == "" || by == "" {
		return Granted{}, errors.New("grant: which incident, and who does it, are missing")
	}
	done := Granted{Odd: []string{}}
	if err := c.publish(ctx, incident, &done); err != nil {
		return done, err
	}
	said := len(done.Odd)
	for {
		err := c.grantAll(ctx, incident, by, &done, progress)
		if errors.Is(err, kv.ErrConflict) && ctx.Err() == nil {
			done.Odd = done.Odd[:said]
			continue // another process grants too: what it did is left alone
		}
		return done, err
	}
}

// publish appends the commitments that the log does not have.
func (c *Cashier) publish(ctx context.Context, incident string, done *Granted) error {
	if c.Log == nil {
		return nil
	}
	v, err := c.vault()
	if err != nil {
		return err
	}
	there, err := c.Log.all(ctx)
	if err != nil {
		return err
	}
	about, texts := map[string]string{}, map[string][]byte{}
	var ids []string
	if err := c.Ledger.Each(ctx, incident, func(x claim.Claim) error {
		if !final(&x) {
			return nil
		}
		d, err := decisionOf(&x)
		if err != nil {
			return err
		}
		if a := d.about(x.ID); !there[a] {
			about[x.ID], texts[x.ID] = a, d.text
			ids = append(ids, x.ID)
		}
		return nil
	}); err != nil {
		return err
	}
	lost := 0
	for chunk := range slices.Chunk(ids, mostLeaves) {
		some := map[string]string{}
		for _, id := range chunk {
			some[id] = about[id]
		}
		salts, err := v.Salts(ctx, some)
		if err != nil {
			return err
		}
		var list []Commitment
		for _, id := range chunk {
			if salts[id] == nil {
				lost++
				continue
			}
			list = append(list, CommitWith(about[id], salts[id], texts[id]))
		}
		if err := c.Log.Append(ctx, list); err != nil {
			return err
		}
		done.Logged += len(list)
	}
	if lost > 0 {
		done.Odd = append(done.Odd, fmt.Sprintf("%d decisions are not in the log: the keys of their claims were destroyed before they got there", lost))
	}
	return nil
}

// A granting is a claim whose decision is to be posted, or taken back.
type granting struct {
	claim claim.Claim
	have  *kept // nil: nothing yet
	want  grant
	undo  bool
}

func (c *Cashier) grantAll(ctx context.Context, incident, by string, done *Granted, progress func(int)) error {
	have, err := c.grants(ctx, incident)
	if err != nil {
		return err
	}
	if err := c.resume(ctx, incident, have, done); err != nil {
		return err
	}
	now := c.now()
	say := posting{by, now, c.setting(incident)}
	var first, again []granting
	if err := c.Ledger.Each(ctx, incident, func(x claim.Claim) error {
		g, err := say.granting(&x, have[x.ID])
		switch {
		case err != nil || g == nil:
			return err
		case g.have == nil:
			first = append(first, *g)
		default:
			again = append(again, *g)
		}
		return nil
	}); err != nil {
		return err
	}
	if again, err = c.remembered(ctx, again); err != nil {
		return err
	}
	n := 0
	for _, part := range []struct {
		list []granting
		step int
	}{{first, grantStep}, {again, reverseStep}} {
		for chunk := range slices.Chunk(part.list, part.step) {
			if err := c.post(ctx, incident, by, now, chunk, done); err != nil {
				return err
			}
			if n += len(chunk); progress != nil {
				progress(n)
			}
		}
	}
	return c.even(ctx, incident, by)
}

// remembered leaves out what was granted to claims that were erased while they were looked at once more: nobody took it back.
func (c *Cashier) remembered(ctx context.Context, again []granting) ([]granting, error) {
	kept := again[:0]
	for i := range again {
		forgotten, err := c.forgotten(ctx, &again[i].claim)
		if err != nil {
			return nil, err
		}
		if !forgotten {
			kept = append(kept, again[i])
		}
	}
	return kept, nil
}

// forgotten says whether a claim ended because it was erased, and not at the word of its claimant: what it was granted before stays.
func (c *Cashier) forgotten(ctx context.Context, x *claim.Claim) (bool, error) {
	if x.State != claim.Withdrawn || x.Erased.IsZero() {
		return false, nil
	}
	history, err := c.Ledger.History(ctx, x.ID)
	return !slices.ContainsFunc(history, func(e claim.Event) bool { return e.What == claim.DidWithdraw }), err
}

// even brings on approved claims that were paid before and are owed nothing more: those
// that were decided anew, to the same.
func (c *Cashier) even(ctx context.Context, incident, by string) error {
	held, err := c.holders(ctx)
	if err != nil || len(held) == 0 {
		return err
	}
	var ids []string
	if err := c.Ledger.Each(ctx, incident, func(x claim.Claim) error {
		if x.State == claim.Approved && held[x.ID] != "" {
			ids = append(ids, x.ID)
		}
		return nil
	}); err != nil {
		return err
	}
	_, err = c.follow(ctx, ids, by)
	return err
}

// resume ends what another process began and did not end.
func (c *Cashier) resume(ctx context.Context, incident string, have map[string]*kept, done *Granted) error {
	var list []granting
	for _, id := range slices.Sorted(maps.Keys(have)) {
		if k := have[id]; len(k.Pending) > 0 {
			list = append(list, granting{claim: claim.Claim{ID: id, Incident: incident}, have: k, want: k.grant})
		}
	}
	for chunk := range slices.Chunk(list, grantStep) {
		if err := c.settleGrants(ctx, incident, chunk, done); err != nil {
			return err
		}
	}
	return nil
}

// A posting is who grants, when, and what the book says of why.
type posting struct {
	by  string
	now time.Time
	setting
}

// granting is what is to be done about one claim; nil: nothing. It decides by what it is given alone.
func (p *posting) granting(x *claim.Claim, have *kept) (*granting, error) {
	live := have != nil && !have.Undone
	g := &granting{claim: *x, have: have}
	switch {
	case have != nil && len(have.Pending) > 0: // said by who tried to post it
		return nil, nil //nolint:nilnil // nothing can be done
	case final(x) && x.Decision.Outcome == policy.Pay && x.State != claim.Decided:
		d, err := decisionOf(x)
		if err != nil || live && have.Digest == d.digest {
			return nil, err
		}
		g.want = grant{V: 1, N: 1, Digest: d.digest}
		if have != nil {
			g.want.N = have.N + 1
		}
		if e, ok := p.entry(x, &g.want); ok {
			g.want.Entry, g.want.Amount, g.want.Pending = e.ID, x.Decision.Amount, []Entry{e}
		}
		return g, nil
	case live && (x.State == claim.Withdrawn || x.State == claim.Merged || final(x)):
		g.undo, g.want = true, have.grant
		g.want.Undone = true
		return g, nil
	}
	return nil, nil //nolint:nilnil // nothing is to be done
}

// entry is what a decision is posted as; none for what neither gives nor costs money.
func (p *posting) entry(x *claim.Claim, g *grant) (Entry, bool) {
	d := x.Decision
	amount, to := d.Amount, Claimant(x.ID)
	if d.Form == policy.Extension {
		amount, to = d.Cost, Bank(string(policy.Extension))
	}
	if amount <= 0 {
		return Entry{}, false
	}
	return Entry{
		ID: fmt.Sprintf("grant.%s.%s.%d", x.ID, g.Digest, g.N), At: p.now, By: p.by, Currency: currencyOf(x),
		Why:   strings.TrimSpace("decided by " + cmp.Or(x.Decider, d.Policy) + " " + d.Rule),
		Lines: []Line{{Expense(x.Incident, cmp.Or(d.Ground, policy.Goodwill)), amount}, {to, -amount}},
		About: p.about(x),
	}, true
}

// A setting is what is recorded of an incident, for its ledger lines.
type setting struct {
	domain  string
	outages *claim.Outages // nil: not known
}

func (c *Cashier) setting(incident string) setting {
	s := setting{domain: domains(c.faults(incident))}
	if c.Outages != nil {
		if all, ok := c.Outages(incident); ok {
			s.outages = &all
		}
	}
	return s
}

// ByHand stands on ledger lines in the place of the rule where a person decided, and no rule brought it there.
const ByHand = "by hand"

// about says what recourse asks of a ledger line.
func (s *setting) about(x *claim.Claim) About {
	d := x.Decision
	a := About{
		Incident: x.Incident, Claim: x.ID, Service: x.Report.Service, Ground: cmp.Or(d.Ground, policy.Goodwill), Policy: d.Policy, Rule: cmp.Or(d.Rule, ByHand),
		Form: d.Form, Face: d.Amount, Cost: d.Cost,
	}
	if d.Form == policy.Extension {
		a.Face = 0
	}
	a.Domain = s.domain
	if s.outages != nil {
		o := s.outages.Of(x.Report.Service, x.Report.Part)
		a.Hours = (o.Minutes + 59) / 60
	}
	return a
}

// post writes down what is about to be posted for some claims, and then does it.
func (c *Cashier) post(ctx context.Context, incident, by string, now time.Time, list []granting, done *Granted) error {
	var goes []granting
	var t kv.Txn
	for i := range list {
		g := list[i]
		if why, err := c.turn(ctx, &g, by, now); err != nil {
			return err
		} else if why != "" {
			done.Odd = append(done.Odd, why)
			continue
		}
		op, err := g.want.op(incident, g.claim.ID)
		if err != nil {
			return err
		}
		cond := kv.Cond{Key: op.Key}
		if g.have != nil {
			cond.Modified = g.have.modified
		}
		t.If, t.Do = append(t.If, cond), append(t.Do, op)
		goes = append(goes, g)
	}
	if len(goes) == 0 {
		return nil
	}
	rev, err := c.Store.Commit(ctx, t)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	for i := range goes {
		goes[i].have = &kept{goes[i].want, rev}
	}
	return c.settleGrants(ctx, incident, goes, done)
}

func (g *grant) op(incident, id string) (kv.Op, error) {
	g.V = 1
	value, err := json.Marshal(g)
	if err != nil {
		return kv.Op{}, fmt.Errorf("grant %s: %w", id, err)
	}
	return kv.Op{Key: grantPrefix + incident + "/" + id, Value: value}, nil
}

// turn adds the reversal of what was granted before, or says why it cannot be reversed.
func (c *Cashier) turn(ctx context.Context, g *granting, by string, now time.Time) (string, error) {
	if g.have == nil || g.have.Undone {
		return "", nil
	}
	before, id := &g.have.grant, g.claim.ID
	held, ok, err := c.Store.Get(ctx, holderPrefix+id)
	if err != nil {
		return "", fmt.Errorf("grant %s: %w", id, err)
	}
	given := false
	if ok {
		it, _, err := c.payout().item(ctx, string(held.Value), id)
		if err != nil {
			return "", err
		}
		if it.State != Posted {
			return fmt.Sprintf("claim %s is %s and was decided otherwise, while batch %s pays it: drop the batch, or wait for the bank", id, g.claim.State, held.Value), nil
		}
		given = it.Hours > 0
	}
	if given {
		return fmt.Sprintf("claim %s is %s, and the time that it was given before cannot be taken back", id, g.claim.State), nil
	}
	if before.Entry == "" {
		return "", nil
	}
	e, err := c.Book.Entry(ctx, before.Entry)
	if err != nil {
		return "", err
	}
	owed, err := c.Book.Balance(ctx, Claimant(id), e.Currency)
	if err != nil {
		return "", err
	}
	for _, l := range e.Lines {
		if l.Account == Claimant(id) {
			owed -= l.Amount // which is less than zero
		}
	}
	if !g.undo && g.claim.Decision.Form != policy.Extension {
		owed -= g.claim.Decision.Amount
	}
	if owed > 0 {
		return fmt.Sprintf("claim %s is %s, and was paid %d more than it is due now: nothing was reversed, a person has to ask for it back", id, g.claim.State, owed), nil
	}
	g.want.Pending = append([]Entry{e.Reversal(now, by, cmp.Or(why(&g.claim), "decided anew"))}, g.want.Pending...)
	return "", nil
}

// why says why what was granted stands no more.
func why(x *claim.Claim) string {
	switch x.State {
	case claim.Withdrawn:
		return "withdrawn by its claimant"
	case claim.Merged:
		return "merged into " + x.Into
	case claim.Decided:
		return "refused"
	case claim.Received, claim.Review, claim.Asked, claim.Approved, claim.Paying, claim.Paid, claim.Returned, claim.Appealed:
	}
	return ""
}

// settleGrants posts what stands in the pending entries, and then that nothing does.
func (c *Cashier) settleGrants(ctx context.Context, incident string, list []granting, done *Granted) error {
	var t kv.Txn
	var posted []*granting
	for at := 0; at < len(list); {
		n, entries := 0, []Entry(nil)
		for at+n < len(list) && len(entries)+len(list[at+n].want.Pending) <= mostEntries {
			entries = append(entries, list[at+n].want.Pending...)
			n++
		}
		ok, err := c.together(ctx, list[at:at+n], entries, done)
		if err != nil {
			return err
		}
		posted = append(posted, ok...)
		at += n
	}
	for _, g := range posted {
		now := g.want
		now.Pending = nil
		op, err := now.op(incident, g.claim.ID)
		if err != nil {
			return err
		}
		t.If = append(t.If, kv.Cond{Key: op.Key, Modified: g.have.modified})
		t.Do = append(t.Do, op)
	}
	if len(t.Do) == 0 {
		return nil
	}
	rev, err := c.Store.Commit(ctx, t)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	for _, g := range posted {
		if len(g.want.Pending) > 1 || g.want.Undone {
			done.Reversed++
		}
		if !g.want.Undone {
			done.Claims++
			done.Amount += g.want.Amount
		}
		g.have.grant, g.have.modified = g.want, rev
		g.have.Pending = nil
	}
	return nil
}

// together posts the entries of some grants; one by one where a payment in the meantime
// keeps one of them from being reversed. It returns those that are posted.
func (c *Cashier) together(ctx context.Context, list []granting, entries []Entry, done *Granted) ([]*granting, error) {
	var err error
	if len(entries) > 0 {
		err = c.Book.Post(ctx, entries...)
	}
	switch {
	case err == nil:
		all := make([]*granting, len(list))
		for i := range list {
			all[i] = &list[i]
		}
		return all, nil
	case !errors.Is(err, ErrOverdrawn):
		return nil, err
	case len(list) == 1:
		done.Odd = append(done.Odd, fmt.Sprintf("claim %s was paid, or is being paid, what it was decided to get before: that is not reversed before its payment has come back", list[0].claim.ID))
		return nil, nil
	}
	var some []*granting
	for i := range list {
		ok, err := c.together(ctx, list[i:i+1], list[i].want.Pending, done)
		if err != nil {
			return nil, err
		}
		some = append(some, ok...)
	}
	return some, nil
}
