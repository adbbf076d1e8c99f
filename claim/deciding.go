package claim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// A Verdict is what a person at the desk decides.
type Verdict struct {
	Outcome  policy.Outcome    `json:"outcome"` // Pay, Refuse; Human: papers are asked for
	Form     policy.Form       `json:"form,omitempty"`
	Amount   int64             `json:"amount"`
	Cost     int64             `json:"cost"` // 0: the amount
	Hours    int64             `json:"hours,omitempty"`
	Ground   policy.Ground     `json:"ground,omitempty"`
	Reason   map[string]string `json:"reason"` // what the claimant reads, by language
	Evidence []string          `json:"evidence,omitempty"`
	Why      string            `json:"why"` // for the record
}

// A Proposal is a verdict that waits for a second person.
type Proposal struct {
	Verdict

	By   string    `json:"by"`
	At   time.Time `json:"at"`
	From State     `json:"from,omitempty"` // what the claim was before
}

// What events say of who decided; the state that it led to follows.
const (
	didDecide  = "decided: "
	didPropose = "proposed: "
	didConfirm = "confirmed: "
	didReject  = "sent back"
	didFigure  = "figures"
)

// open says whether a person may decide the claim now: not what the bank has, nor what ended otherwise.
func (c *Claim) open() bool {
	switch c.State {
	case Received, Review, Asked, Decided, Approved, Returned, Appealed:
		return c.Erased.IsZero()
	case Paying, Paid, Withdrawn, Merged:
	}
	return false
}

func (c *Claim) not(what string) error {
	if !c.Erased.IsZero() {
		return fmt.Errorf("%s %s: %w", what, c.ID, ErrErased)
	}
	return fmt.Errorf("%s %s, which is %s: %w", what, c.ID, c.State, ErrState)
}

// Case is what a decision on the claim rests on: for the desk's screen.
func (o *Office) Case(_ context.Context, c *Claim) (policy.Case, error) {
	d := Decider{Accounts: o.Accounts}
	d.Outages, _ = o.outages(c.Incident)
	return d.Case(c), nil
}

// read returns a claim that was read at this version, if by may decide it.
func (o *Office) readFor(ctx context.Context, id string, version int64, by string) (Claim, error) {
	c, err := o.Ledger.Claim(ctx, id)
	switch {
	case err != nil:
		return c, err
	case version != 0 && c.Version != version:
		return c, fmt.Errorf("%w: %s", ErrConflict, c.ID)
	case !c.open():
		return c, c.not("decide")
	}
	return c, o.another(ctx, &c, by)
}

// another says whether by is another person than those who decided before the claimant appealed.
func (o *Office) another(ctx context.Context, c *Claim, by string) error {
	if c.Appealed.IsZero() {
		return nil
	}
	history, err := o.Ledger.History(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, e := range history {
		if e.What == appealed {
			break // those who decide the appeal may go on with it
		}
		took := strings.HasPrefix(e.What, didDecide) || strings.HasPrefix(e.What, didPropose) || strings.HasPrefix(e.What, didConfirm)
		if took && same(e.Who, by) {
			return fmt.Errorf("%w: %s took part in the decision that the claimant of %s appeals against", ErrSame, by, c.ID)
		}
	}
	return nil
}

// policyOf is the policy in force; nil where none is and the verdict gives nothing.
func (o *Office) policyOf(ctx context.Context, incident string, v *Verdict) (*policy.Policy, error) {
	p, err := o.Active(ctx, incident)
	if errors.Is(err, ErrNoPolicy) && v.Outcome != policy.Pay {
		return nil, nil //nolint:nilnil // what gives nothing needs no policy
	}
	return p, err
}

// complete checks a verdict, and fills in what follows from the rest.
func (o *Office) complete(ctx context.Context, c *Claim, v *Verdict, p *policy.Policy) error {
	f := FieldErrors{}
	f.set(strings.TrimSpace(v.Why) == "", "why", "missing")
	f.set(!textual(v.Why, longText), "why", "text")
	f.set(!bilingual(v.Reason, longText), "reason", "language")
	for _, text := range v.Reason { // only a policy fills them in; a claimant would read them as they stand
		for _, blank := range []string{"{amount}", "{hours}", "{service}", "{outage}"} {
			f.set(strings.Contains(text, blank), "reason", "blank")
		}
	}
	switch v.Outcome {
	case policy.Pay:
		v.Evidence = nil
		f.pays(v, p)
	case policy.Refuse:
		v.Form, v.Amount, v.Cost, v.Hours, v.Ground, v.Evidence = policy.Nothing, 0, 0, 0, "", nil
	case policy.Human:
		f.set(len(v.Evidence) == 0, "evidence", "missing")
		w, err := o.recent(ctx, c.Incident)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		for _, kind := range v.Evidence {
			f.set(!w.takesPaper(kind), "evidence", "unknown")
		}
		f.set(v.Amount < 0 || v.Amount > mostAmount, "amount", "amount")
	default:
		f.set(true, "outcome", "unknown")
	}
	return f.err()
}

// pays checks what is given.
func (f FieldErrors) pays(v *Verdict, p *policy.Policy) {
	switch v.Form {
	case policy.Money, policy.Credit, policy.Points, policy.Coupon:
		f.set(v.Amount <= 0 || v.Amount > mostAmount, "amount", "amount")
		f.set(v.Hours != 0, "hours", "unknown")
		if v.Cost == 0 || v.Form == policy.Money {
			v.Cost = v.Amount
		}
	case policy.Extension:
		f.set(v.Amount != 0, "amount", "amount")
		f.set(v.Hours <= 0 || v.Hours > mostHours, "hours", "amount")
	case policy.Nothing:
		f.set(true, "form", "unknown")
	default:
		f.set(true, "form", "unknown")
	}
	f.set(v.Cost < 0 || v.Cost > mostAmount, "cost", "amount")
	f.set(!slices.Contains([]policy.Ground{policy.Contract, policy.Statute, policy.Goodwill}, v.Ground), "ground", "unknown")
	f.set(p != nil && p.Cap > 0 && v.Amount > p.Cap, "amount", "cap")
}

// mostHours is the longest extension that a person gives: ten years.
const mostHours = 10 * 366 * 24

// worth is what a verdict gives away, for the limit above which two people decide.
func (v *Verdict) worth() int64 {
	if v.Outcome != policy.Pay {
		return 0
	}
	return max(v.Amount, v.Cost)
}

// costs is what a verdict takes out of the budget.
func (v *Verdict) costs() int64 {
	if v.Outcome != policy.Pay {
		return 0
	}
	return v.Cost
}

// allowancePrefix + incident/person: what each gave alone of late.
const allowancePrefix = "claim/g/"

type storedAllowance struct {
	Given []givenAlone `json:"given"`
}

type givenAlone struct {
	Hour   time.Time `json:"hour"`
	Amount int64     `json:"amount"`
}

// allowanceTime is how long what a person gave alone counts.
const allowanceTime = 24 * time.Hour

func allowanceKey(incident, by string) string {
	h := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(by))))
	return allowancePrefix + incident + "/" + hex.EncodeToString(h[:12])
}

// alone says whether a person may give so much without a second one. Above the limit of the policy a second person
// looks, at one claim or at many: all that one person gives alone within a day is added up, so that a sum that is cut
// into small verdicts or small batches meets the same limit. What is allowed is written down before it is given.
func (o *Office) alone(ctx context.Context, incident, by string, worth int64, p *policy.Policy) (bool, error) {
	if p == nil || p.FourEyes <= 0 || worth == 0 {
		return true, nil
	}
	if worth > p.FourEyes {
		return false, nil
	}
	ok := false
	now := o.now()
	_, err := update(ctx, o.Store, allowanceKey(incident, by), func(a *storedAllowance, _ bool) (kv.Txn, error) {
		a.Given = slices.DeleteFunc(a.Given, func(g givenAlone) bool { return g.Hour.Add(time.Hour).Before(now.Add(-allowanceTime)) })
		sum := worth
		for _, g := range a.Given {
			sum += g.Amount
		}
		if ok = sum <= p.FourEyes; !ok {
			return kv.Txn{}, errSame
		}
		a.add(now, worth)
		return kv.Txn{}, nil
	})
	return ok && err == nil, err
}

func (a *storedAllowance) add(now time.Time, amount int64) {
	hour := now.Truncate(time.Hour)
	if n := len(a.Given); n > 0 && a.Given[n-1].Hour.Equal(hour) {
		a.Given[n-1].Amount += amount
		return
	}
	a.Given = append(a.Given, givenAlone{hour, amount})
}

// take takes an amount off, the newest first: what was allowed in one hour and is taken back in the next
// does not count against what is given after the first is forgotten.
func (a *storedAllowance) take(amount int64) {
	for i := len(a.Given) - 1; i >= 0 && amount > 0; i-- {
		less := min(amount, a.Given[i].Amount)
		a.Given[i].Amount -= less
		amount -= less
	}
}

// unwritten says whether a change is known not to have been made: one of which that is not known may
// have given what it was to give.
func unwritten(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrErased) || errors.Is(err, ErrInput) || errors.Is(err, ErrBudget)
}

// giveBack takes back what was allowed and not given. When that fails, less is allowed than could be: nothing worse.
func (o *Office) giveBack(ctx context.Context, incident, by string, worth int64, p *policy.Policy) {
	if p == nil || p.FourEyes <= 0 || worth == 0 {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	if _, err := update(ctx, o.Store, allowanceKey(incident, by), func(a *storedAllowance, _ bool) (kv.Txn, error) {
		a.take(worth)
		return kv.Txn{}, nil
	}); err != nil {
		o.log().WarnContext(ctx, "what a person may give alone is less than it could be for a day", "incident", incident, "person", by, "amount", worth, "error", err)
	}
}

// unpriced says whether a verdict gives more time than the policy does. What an extension is worth is what the person who gives it says
// that it costs, which is no limit, so a second one looks.
func (o *Office) unpriced(c *Claim, v *Verdict, p *policy.Policy) bool {
	if p == nil || p.FourEyes <= 0 || v.Outcome != policy.Pay || v.Form != policy.Extension {
		return false
	}
	d := Decider{Accounts: o.Accounts}
	d.Outages, _ = o.outages(c.Incident)
	x := d.Case(c)
	got := p.Assess(&x)
	return got.Outcome == policy.Refuse || got.Form != policy.Extension || v.Hours > got.Hours
}

// Decide decides one claim that was read at this version. Above the limit of the policy, for the claim or for all that
// this person gave alone within a day, the verdict becomes a [Proposal]; an appeal is decided by another
// person than who decided before ([ErrSame]). Nothing is given that the budget has no money for ([ErrBudget]).
func (o *Office) Decide(ctx context.Context, id string, version int64, v Verdict, by string) (Claim, error) {
	if err := who(by); err != nil {
		return Claim{}, err
	}
	c, err := o.readFor(ctx, id, version, by)
	if err != nil {
		return Claim{}, err
	}
	p, err := o.policyOf(ctx, c.Incident, &v)
	if err != nil {
		return Claim{}, err
	}
	if err := o.complete(ctx, &c, &v, p); err != nil {
		return Claim{}, err
	}
	alone := false
	if err := o.affordable(ctx, c, v, p, by, func() (bool, error) {
		alone, err = o.alone(ctx, c.Incident, by, v.worth(), p)
		return alone, err
	}); err != nil {
		if alone && unwritten(err) {
			o.giveBack(ctx, c.Incident, by, v.worth(), p)
		}
		return Claim{}, err
	}
	return o.Ledger.Claim(ctx, c.ID)
}

// affordable writes a verdict that the budget has money for: as a decision, or as a proposal, for which none is kept.
// allowed says whether by gives it alone; it is asked when there is money, and not about what gives more time than the policy does.
func (o *Office) affordable(ctx context.Context, c Claim, v Verdict, p *policy.Policy, by string, allowed func() (bool, error)) error {
	returned, err := o.afford(ctx, &c, v.costs(), p, false)
	if err != nil {
		return err
	}
	alone := !o.unpriced(&c, &v, p)
	if alone {
		alone, err = allowed()
	}
	if err == nil {
		err = o.ruled(ctx, c, v, p, by, alone)
	}
	if err != nil || !alone {
		returned()
	}
	return err
}

// ruled writes a verdict: as a decision, or as a proposal.
func (o *Office) ruled(ctx context.Context, c Claim, v Verdict, p *policy.Policy, by string, alone bool) error {
	now := o.now()
	ev := Event{Who: by, Why: v.Why}
	if alone {
		c.settle(&v, p, by, now)
		ev.What = didDecide + string(c.State)
	} else {
		c.propose(v, by, now)
		ev.What = fmt.Sprintf("%s%s %d", didPropose, v.Form, v.Amount)
	}
	return o.Ledger.Change(ctx, []Claim{c}, []Event{ev})
}

// propose keeps a verdict until a second person has seen it.
func (c *Claim) propose(v Verdict, by string, now time.Time) {
	from := c.State
	if c.Proposal != nil && c.Proposal.From != "" {
		from = c.Proposal.From
	}
	c.Proposal = &Proposal{Verdict: v, By: by, At: now, From: from}
	c.State, c.Appeal = Review, time.Time{}
	if c.NextAt.Before(now) {
		c.NextAt = now.Add(ReviewTime)
	}
}

// settle makes a verdict the decision.
func (c *Claim) settle(v *Verdict, p *policy.Policy, by string, now time.Time) {
	d := policy.Decision{
		Claim: c.ID, Outcome: v.Outcome, Form: v.Form, Amount: v.Amount, Cost: v.Cost, Hours: v.Hours, Currency: c.Currency, Ground: v.Ground,
		Reason: v.Reason, Evidence: []string{}, Why: []string{"a person decided"},
	}
	if p != nil {
		d.Policy, d.Digest = p.ID, p.Digest
		if c.Decision != nil && c.Decision.Policy == p.ID {
			d.Rule = c.Decision.Rule // the one that brought it before a person
		}
	}
	for _, e := range v.Evidence {
		if !slices.Contains(d.Evidence, e) {
			d.Evidence = append(d.Evidence, e)
		}
	}
	if v.Outcome == policy.Human && d.Amount == 0 && c.Decision != nil { // what it may come to stays known
		d.Form, d.Amount, d.Cost, d.Hours, d.Ground = c.Decision.Form, c.Decision.Amount, c.Decision.Cost, c.Decision.Hours, c.Decision.Ground
	}
	c.Decision, c.Decider, c.Proposal = &d, by, nil
	c.NextAt, c.Appeal = time.Time{}, time.Time{}
	appeal := now.Add(AppealTime)
	if !c.Appealed.IsZero() {
		appeal = time.Time{} // a person has looked once more: this decision is the last
	}
	switch v.Outcome {
	case policy.Pay:
		c.State, c.Appeal = Approved, appeal
	case policy.Refuse:
		c.State, c.Appeal = Decided, appeal
	case policy.Human:
		c.State, c.NextAt = Asked, now.Add(PapersTime)
	}
}

// Confirm makes a proposal the decision; by is another person ([ErrSame]). It has to be what the policy that is
// active now allows.
func (o *Office) Confirm(ctx context.Context, id string, version int64, by string) (Claim, error) {
	if err := who(by); err != nil {
		return Claim{}, err
	}
	c, err := o.readFor(ctx, id, version, by)
	if err != nil {
		return Claim{}, err
	}
	if c.Proposal == nil {
		return Claim{}, fmt.Errorf("nothing is proposed for %s: %w", c.ID, ErrState)
	}
	if same(c.Proposal.By, by) {
		return Claim{}, fmt.Errorf("%w: %s proposed it", ErrSame, by)
	}
	v, proposer := c.Proposal.Verdict, c.Proposal.By
	p, err := o.policyOf(ctx, c.Incident, &v)
	if err != nil {
		return Claim{}, err
	}
	if err := o.complete(ctx, &c, &v, p); err != nil {
		return Claim{}, err
	}
	returned, err := o.afford(ctx, &c, v.costs(), p, false)
	if err != nil {
		return Claim{}, err
	}
	c.settle(&v, p, proposer, o.now())
	if err := o.Ledger.Change(ctx, []Claim{c}, []Event{{Who: by, What: didConfirm + string(c.State), Why: "proposed by " + proposer + ": " + v.Why}}); err != nil {
		returned()
		return Claim{}, err
	}
	return o.Ledger.Claim(ctx, c.ID)
}

// Reject sends a proposal back to the desk; who made it may take it back so.
func (o *Office) Reject(ctx context.Context, id string, version int64, by, why string) (Claim, error) {
	if err := who(by, why); err != nil {
		return Claim{}, err
	}
	c, err := o.Ledger.Claim(ctx, id)
	switch {
	case err != nil:
		return Claim{}, err
	case version != 0 && c.Version != version:
		return Claim{}, fmt.Errorf("%w: %s", ErrConflict, c.ID)
	case c.Proposal == nil || !c.open():
		return Claim{}, fmt.Errorf("nothing is proposed for %s: %w", c.ID, ErrState)
	}
	c.State = Review
	if from := c.Proposal.From; from == Appealed || from == Returned {
		c.State = from
	}
	c.Proposal = nil
	if err := o.Ledger.Change(ctx, []Claim{c}, []Event{{Who: by, What: didReject, Why: why}}); err != nil {
		return Claim{}, err
	}
	return o.Ledger.Claim(ctx, c.ID)
}

// mostBulk is how many claims are decided alike at once.
const mostBulk = 500

// Bulk decides several claims alike; the errors answer the IDs. Their sum is held against the limit above which a second
// person has to look, as that of all that this person gave alone within a day: above it each becomes a [Proposal].
func (o *Office) Bulk(ctx context.Context, ids []string, v Verdict, by string) []error {
	errs := make([]error, len(ids))
	fail := who(by)
	if len(ids) > mostBulk {
		fail = cmp.Or(fail, error(FieldErrors{"ids": "long"}))
	}
	if fail != nil {
		for i := range errs {
			errs[i] = fail
		}
		return errs
	}
	type item struct {
		at int
		c  Claim
		v  Verdict
	}
	var incidents []string
	todo := map[string][]item{}
	policies := map[string]*policy.Policy{}
	seen := map[string]bool{}
	for i, id := range ids {
		c, err := o.readFor(ctx, id, 0, by)
		if err == nil && seen[c.ID] {
			err = FieldErrors{"ids": "twice"}
		}
		if err != nil {
			errs[i] = err
			continue
		}
		seen[c.ID] = true
		p, ok := policies[c.Incident]
		if !ok {
			if p, err = o.policyOf(ctx, c.Incident, &v); err != nil {
				errs[i] = err
				continue
			}
			policies[c.Incident] = p
			incidents = append(incidents, c.Incident)
		}
		mine := v
		if errs[i] = o.complete(ctx, &c, &mine, p); errs[i] == nil {
			todo[c.Incident] = append(todo[c.Incident], item{i, c, mine})
		}
	}
	for _, incident := range incidents {
		p := policies[incident]
		var sum int64
		for _, x := range todo[incident] {
			sum += x.v.worth()
		}
		alone, err := o.alone(ctx, incident, by, sum, p)
		var unused int64
		for _, x := range todo[incident] {
			if errs[x.at] = err; err == nil {
				errs[x.at] = o.affordable(ctx, x.c, x.v, p, by, func() (bool, error) { return alone, nil })
			}
			if unwritten(errs[x.at]) {
				unused += x.v.worth()
			}
		}
		if alone {
			o.giveBack(ctx, incident, by, unused, p)
		}
	}
	return errs
}

// ByPolicy applies the active policy to one claim again, after papers came in: by has looked at them. What was decided
// stays as it is, and an appeal is for a person to decide ([ErrState]). Above the limit it becomes a [Proposal]; where the budget has no money
// for it, or had none for one that came before, it is for a person, with that reason.
func (o *Office) ByPolicy(ctx context.Context, id string, version int64, by string) (Claim, error) {
	if err := who(by); err != nil {
		return Claim{}, err
	}
	c, err := o.readFor(ctx, id, version, by)
	if err != nil {
		return Claim{}, err
	}
	if c.State == Decided || c.State == Approved || !c.Appealed.IsZero() || c.Channel == Unasked {
		return Claim{}, c.not("decide by policy again")
	}
	d, err := o.decider(ctx, c.Incident, by)
	if err != nil {
		return Claim{}, err
	}
	x := d.Case(&c)
	got := d.Policy.Assess(&x)
	now, ev := d.settled(c, false)
	returned := func() {}
	if now.State == Approved {
		switch returned, err = o.afford(ctx, &c, got.Cost, d.Policy, true); {
		case errors.Is(err, ErrBudget):
			now, ev = d.settled(c, true)
		case err != nil:
			return Claim{}, err
		}
	}
	now.Proposal = nil
	second, worth := d.wantsSecond(&got), int64(0)
	if now.State == Approved {
		// Who says what papers prove says what is paid: that is given by this person.
		own, err := o.figured(ctx, c.ID, by)
		if err != nil {
			return Claim{}, err
		}
		if own {
			worth = max(got.Amount, got.Cost)
			ok, err := o.alone(ctx, c.Incident, by, worth, d.Policy)
			if err != nil {
				returned()
				return Claim{}, err
			}
			second = !ok
		}
	}
	switch {
	case second:
		if now.State == Approved {
			toPerson(now.Decision, "what one person may give alone within a day is given")
		}
		now.propose(Verdict{
			Outcome: policy.Pay, Form: got.Form, Amount: got.Amount, Cost: got.Cost, Hours: got.Hours, Ground: got.Ground, Reason: got.Reason,
			Why: "by " + got.Policy + " " + got.Rule,
		}, by, d.Now)
		now.Proposal.From = c.State
		ev.What = fmt.Sprintf("%s%s %d", didPropose, got.Form, got.Amount)
	case now.State == Approved || now.State == Decided:
		now.Decider = by
	}
	ev.Who = by
	err = o.Ledger.Change(ctx, []Claim{now}, []Event{ev})
	if err != nil || second {
		returned()
	}
	if err != nil {
		if !second && unwritten(err) {
			o.giveBack(ctx, c.Incident, by, worth, d.Policy)
		}
		return Claim{}, err
	}
	return o.Ledger.Claim(ctx, c.ID)
}

// figured says whether a person wrote down what the papers of a claim prove.
func (o *Office) figured(ctx context.Context, id, by string) (bool, error) {
	history, err := o.Ledger.History(ctx, id)
	return slices.ContainsFunc(history, func(e Event) bool { return e.What == didFigure && same(e.Who, by) }), err
}

// decider decides by what is in force and recorded now.
func (o *Office) decider(ctx context.Context, incident, by string) (*Decider, error) {
	p, err := o.Active(ctx, incident)
	if err != nil {
		return nil, err
	}
	all, ok := o.outages(incident)
	if !ok {
		return nil, fmt.Errorf("decide claims of %s: %w", incident, ErrNoRecord)
	}
	return &Decider{Ledger: o.Ledger, Policy: p, Outages: all, Accounts: o.Accounts, Who: "policy", By: by, Now: o.now()}, nil
}

// DecideAll decides every claim that nobody decided, by the active policy, the oldest first; claims are
// looked through for duplicates before ([Office.Flag]). When the next payment would be more than the budget of the policy is left, it
// and those after it are for a person. It may be repeated after a crash, and gives what it would have given without one.
func (o *Office) DecideAll(ctx context.Context, incident, by string, progress func(done int)) (Tally, error) {
	if err := who(by); err != nil {
		return Tally{}, err
	}
	d, err := o.decider(ctx, incident, by)
	if err != nil {
		return Tally{}, err
	}
	if _, err := o.Flag(ctx, incident); err != nil {
		return Tally{}, err
	}
	defer o.purses.forget(incident)
	return d.All(ctx, incident, progress)
}

// Preview is what [Office.DecideAll] would come to as things are now, without a look for duplicates. Nothing is written.
func (o *Office) Preview(ctx context.Context, incident string, progress func(done int)) (Tally, error) {
	d, err := o.decider(ctx, incident, "")
	if err != nil {
		return Tally{}, err
	}
	return d.Preview(ctx, incident, progress)
}

// Figures are what papers prove, of a claim's own figures.
type Figures struct {
	Proven int64 `json:"proven"`
	Best   int64 `json:"best"`
	Week   int64 `json:"week"`
}

// Figures writes down what the papers of a claim prove, for the rules to go by: by has looked at them. What the
// claimant wrote stands in the history.
func (o *Office) Figures(ctx context.Context, id string, version int64, n Figures, by, why string) (Claim, error) {
	f := FieldErrors{}
	for field, amount := range map[string]int64{"proven": n.Proven, "best": n.Best, "week": n.Week} {
		f.set(amount < 0 || amount > mostAmount, field, "amount")
	}
	if err := errors.Join(who(by, why), f.err()); err != nil {
		return Claim{}, err
	}
	c, err := o.readFor(ctx, id, version, by)
	if err != nil {
		return Claim{}, err
	}
	if c.State == Decided || c.State == Approved {
		return Claim{}, c.not("change the figures of")
	}
	r := &c.Report
	ev := Event{Who: by, What: didFigure, Why: fmt.Sprintf("%s; proven %d, best week %d, week of the outage %d; before %d, %d, %d", why, n.Proven, n.Best, n.Week, r.Proven, r.Best, r.Week)}
	r.Proven, r.Best, r.Week = n.Proven, n.Best, n.Week
	if err := o.Ledger.Change(ctx, []Claim{c}, []Event{ev}); err != nil {
		return Claim{}, err
	}
	return o.Ledger.Claim(ctx, c.ID)
}

// Compare runs drafts over the claims received, with the borders at ±10 %. Claims that were withdrawn or merged,
// and what was given unasked, are none of them.
func (o *Office) Compare(ctx context.Context, incident string, drafts []*policy.Policy) (policy.Comparison, error) {
	d := Decider{Accounts: o.Accounts}
	all, ok := o.outages(incident)
	if !ok {
		return policy.Comparison{}, fmt.Errorf("compare drafts for %s: %w", incident, ErrNoRecord)
	}
	d.Outages = all
	var parts [][]policy.Case // a slice that grows would be copied again and again
	if err := o.Ledger.Each(ctx, incident, func(c Claim) error {
		if c.State != Withdrawn && c.State != Merged && c.Channel != Unasked {
			n := len(parts) - 1
			if n < 0 || len(parts[n]) == cap(parts[n]) {
				n++
				parts = append(parts, make([]policy.Case, 0, 4096))
			}
			parts[n] = append(parts[n], d.Case(&c))
		}
		return nil
	}); err != nil {
		return policy.Comparison{}, err
	}
	cases := slices.Concat(parts...)
	out := policy.Compare(cases, drafts)
	out.Borders(cases, drafts, -10, 10)
	return out, nil
}
