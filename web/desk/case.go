package desk

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/settle"
)

// claimView is one claim with all that is known of it, but for who the claimant is.
type claimView struct {
	row

	Window    claim.Window
	Case      policy.Case
	Line      *timeLine
	Policy    *policy.Policy  // in force; nil: none
	Says      policy.Decision // of the claim as it is now
	Papers    []paperRow
	Doubted   []claim.Flag
	Cleared   []claim.Flag
	Others    []row
	History   []claim.Event
	Draft     claim.Verdict // what the form begins with
	Deciding  bool          // the form is shown
	Mine      bool          // the proposal is the reader's own
	ByPolicy  bool          // the policy may decide it again
	Before    bool          // the reader decided it before an appeal
	Personal  *claim.Personal
	Coupons   []settle.Coupon // with their codes once a payer has said why
	Evidence  []claim.Named
	Forms     []policy.Form
	Grounds   []policy.Ground
	CanAppeal bool
	Movable   bool // it may still be withdrawn
}

// A paperRow is one paper that was sent, or that is missing.
type paperRow struct {
	claim.File

	Missing bool
}

func forms() []policy.Form {
	return []policy.Form{policy.Money, policy.Credit, policy.Points, policy.Coupon, policy.Extension}
}

func outcomes() []policy.Outcome {
	return []policy.Outcome{policy.Pay, policy.Refuse, policy.Human}
}

func grounds() []policy.Ground {
	return []policy.Ground{policy.Contract, policy.Statute, policy.Goodwill}
}

// decidable are the states in which a person may decide.
func decidable(s claim.State) bool {
	return slices.Contains([]claim.State{claim.Received, claim.Review, claim.Asked, claim.Appealed, claim.Returned, claim.Decided, claim.Approved}, s)
}

// byPolicy says whether the policy may decide a claim once more: not what was decided,
// nor what somebody appealed against.
func byPolicy(c *claim.Claim) bool {
	return slices.Contains([]claim.State{claim.Received, claim.Review, claim.Asked, claim.Returned}, c.State) && c.Appealed.IsZero() && c.Channel != claim.Unasked
}

// over says that nothing more happens to a claim.
func over(s claim.State) bool {
	return slices.Contains([]claim.State{claim.Paying, claim.Paid, claim.Withdrawn, claim.Merged}, s)
}

func (c *call) claimPage() error { return c.claimWith(nil, nil) }

// claimWith shows a claim, with what is personal, or the codes of its coupons, when somebody has said why.
func (c *call) claimWith(personal *claim.Personal, coupons []settle.Coupon) error {
	ctx, o := c.r.Context(), &c.s.o
	id := claim.NormalCode(c.r.PathValue("id"))
	one, err := o.Ledger.Claim(ctx, id)
	if err != nil {
		return err
	}
	now := o.Now()
	v := claimView{row: rowsOf([]claim.Claim{one}, now)[0], Personal: personal, Coupons: coupons, Forms: forms(), Grounds: grounds()}
	all, err := c.windows()
	if err != nil {
		return err
	}
	for _, w := range all {
		if w.Incident == one.Incident {
			v.Window = w
		}
	}
	if v.Case, err = o.Office.Case(ctx, &one); err != nil {
		return err
	}
	var intervals []interval
	if o.Intervals != nil {
		intervals = concerned(o.Intervals(one.Incident), one.Report.Service, one.Report.Part, now)
	}
	v.Line = newTimeLine(intervals, &v.Case, c.s.pages, c.lang)
	switch v.Policy, err = o.Office.Active(ctx, one.Incident); {
	case errors.Is(err, claim.ErrNoPolicy), errors.Is(err, claim.ErrNotFound):
		v.Policy = nil
	case err != nil:
		return err
	default:
		v.Says = v.Policy.Assess(&v.Case)
	}
	if v.Others, err = c.others(ctx, &one); err != nil {
		return err
	}
	if v.History, err = o.Ledger.History(ctx, one.ID); err != nil {
		return err
	}
	for _, f := range one.Flags {
		if f.Clear == "" {
			v.Doubted = append(v.Doubted, f)
		} else {
			v.Cleared = append(v.Cleared, f)
		}
	}
	v.papers()
	v.Evidence = v.kindsOfPapers()
	v.Deciding = decidable(one.State) && one.Proposal == nil && c.rights.Claims&Decider != 0
	v.ByPolicy = v.Deciding && byPolicy(&one)
	v.Mine = one.Proposal != nil && one.Proposal.By == c.who
	v.Before = one.State == claim.Appealed && one.Decider == c.who && one.Decider != ""
	v.CanAppeal = one.MayAppeal(v.History, now)
	v.Movable = !over(one.State)
	v.Draft = v.draft()
	if c.alarm = personal != nil || coupons != nil; coupons == nil && o.Cashier != nil && one.Decision != nil {
		if v.Coupons, err = o.Cashier.Issued(ctx, one.ID); err != nil {
			return err
		}
	}
	return c.show("claim", v)
}

// papers lists what was sent, then what the decision or the policy asks for and is not there.
func (v *claimView) papers() {
	for _, f := range v.Files {
		v.Papers = append(v.Papers, paperRow{File: f})
	}
	missing := v.Says.Evidence
	if v.Decision != nil {
		missing = append(slices.Clone(v.Decision.Evidence), missing...)
	}
	for i, kind := range missing {
		if !slices.Contains(v.Report.Evidence, kind) && !slices.Contains(missing[:i], kind) {
			v.Papers = append(v.Papers, paperRow{File: claim.File{Kind: kind}, Missing: true})
		}
	}
}

// kindsOfPapers are those that may be asked for: of the window, and what the policy names.
func (v *claimView) kindsOfPapers() []claim.Named {
	out := slices.Clone(v.Window.Evidence)
	for _, kind := range append(slices.Clone(v.Says.Evidence), v.Report.Evidence...) {
		if !slices.ContainsFunc(out, func(n claim.Named) bool { return n.Name == kind }) {
			out = append(out, claim.Named{Name: kind})
		}
	}
	return out
}

// draft is what the form of a decision begins with: what the policy says now, or what
// was decided before.
func (v *claimView) draft() claim.Verdict {
	d := &v.Says
	if v.Policy == nil {
		if v.Decision == nil {
			return claim.Verdict{Outcome: policy.Refuse, Form: policy.Money, Reason: map[string]string{}}
		}
		d = v.Decision
	}
	out := claim.Verdict{
		Outcome: d.Outcome, Form: d.Form, Amount: d.Amount, Cost: d.Cost, Hours: d.Hours, Ground: d.Ground, Reason: d.Reason, Evidence: d.Evidence,
	}
	if out.Outcome == policy.Pay && len(out.Evidence) > 0 { // it is paid when the papers are there
		out.Outcome = policy.Human
	}
	if out.Outcome == policy.Human && len(out.Evidence) == 0 { // it is for this person to say yes or no
		out.Outcome = policy.Refuse
		if out.Amount > 0 {
			out.Outcome = policy.Pay
		}
	}
	if out.Form == policy.Nothing || out.Form == "" {
		out.Form = policy.Money
	}
	if out.Reason == nil {
		out.Reason = map[string]string{}
	}
	return out
}

// verdict reads what a person decided.
func (c *call) verdict(currency string) (claim.Verdict, error) {
	v := claim.Verdict{
		Outcome: policy.Outcome(c.form("outcome")), Form: policy.Form(c.form("form")), Ground: policy.Ground(c.form("ground")),
		Reason: map[string]string{"ko": c.form("ko"), "en": c.form("en")}, Why: c.form("why"),
	}
	for _, e := range c.r.PostForm["evidence"] {
		if e != "" && len(e) <= mostWord && !slices.Contains(v.Evidence, e) && len(v.Evidence) < 32 {
			v.Evidence = append(v.Evidence, e)
		}
	}
	number := func(name string) (int64, error) {
		s := c.form(name)
		if s == "" {
			return 0, nil
		}
		n, err := settle.ParseAmount(s, currency)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errInput, err)
		}
		return n, nil
	}
	var err error
	if v.Amount, err = number("amount"); err != nil {
		return v, err
	}
	if v.Cost, err = number("cost"); err != nil {
		return v, err
	}
	if c.form("cost") == "" {
		v.Cost = v.Amount
	}
	if s := c.form("hours"); s != "" {
		if v.Hours, err = strconv.ParseInt(s, 10, 64); err != nil || v.Hours < 0 || v.Hours > 1_000_000 {
			return v, fmt.Errorf("%w: hours %q: expected a whole number", errInput, s)
		}
	}
	switch {
	case v.Why == "":
		return v, errWhy
	case v.Reason["ko"] == "" || v.Reason["en"] == "":
		return v, fmt.Errorf("%w: the reason is missing in Korean or in English", errInput)
	case !slices.Contains([]policy.Outcome{policy.Pay, policy.Refuse, policy.Human}, v.Outcome):
		return v, fmt.Errorf("%w: outcome %q", errInput, v.Outcome)
	}
	if v.Outcome != policy.Pay { // what the form was filled with for another outcome
		v.Form, v.Amount, v.Cost, v.Hours, v.Ground = policy.Nothing, 0, 0, 0, ""
	}
	if v.Outcome != policy.Human {
		v.Evidence = nil
	}
	switch {
	case v.Outcome == policy.Human && len(v.Evidence) == 0:
		return v, fmt.Errorf("%w: say which papers are asked for", errInput)
	case v.Outcome != policy.Pay:
		return v, nil
	case !slices.Contains(forms(), v.Form) || !slices.Contains(grounds(), v.Ground):
		return v, fmt.Errorf("%w: say what is given, and on what ground", errInput)
	case v.Form == policy.Extension:
		v.Amount = 0
		if v.Hours == 0 {
			return v, fmt.Errorf("%w: an extension needs hours", errInput)
		}
	case v.Amount == 0:
		return v, fmt.Errorf("%w: an amount above zero is needed; to give nothing, refuse", errInput)
	default:
		v.Hours = 0
	}
	return v, nil
}

// version is that which the form was made of: if the claim has changed since, whoever
// decides has not seen what they decide on.
func (c *call) version() (int64, error) {
	n, err := strconv.ParseInt(c.form("version"), 10, 64)
	if err != nil {
		return 0, errInput
	}
	return n, nil
}

// claimOf reads the claim that the address names.
func (c *call) claimOf() (claim.Claim, error) {
	return c.s.o.Ledger.Claim(c.r.Context(), claim.NormalCode(c.r.PathValue("id")))
}

// reasoned is the claim that the address names, and the reason that the form gives.
func (c *call) reasoned() (one claim.Claim, why string, err error) {
	if one, err = c.claimOf(); err == nil {
		why, err = c.why()
	}
	return one, why, err
}

func claimPath(id string) string { return "/claims/" + url.PathEscape(id) }

func (c *call) decide() error {
	one, err := c.claimOf()
	if err != nil {
		return err
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	v, err := c.verdict(one.Currency)
	if err != nil {
		return err
	}
	got, err := c.s.o.Office.Decide(c.r.Context(), one.ID, version, v, c.who)
	if err != nil {
		return err
	}
	if got.Proposal != nil {
		return c.to(claimPath(one.ID), "proposed")
	}
	return c.to(claimPath(one.ID), "decided")
}

// versioned does something to the claim that the form showed.
func (c *call) versioned(said string, do func(id string, version int64) error) error {
	one, err := c.claimOf()
	if err != nil {
		return err
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	if err := do(one.ID, version); err != nil {
		return err
	}
	return c.to(claimPath(one.ID), said)
}

func (c *call) confirm() error {
	return c.versioned("confirmed", func(id string, version int64) error {
		_, err := c.s.o.Office.Confirm(c.r.Context(), id, version, c.who)
		return err
	})
}

func (c *call) reject() error {
	return c.versioned("rejected", func(id string, version int64) error {
		why, err := c.why()
		if err != nil {
			return err
		}
		_, err = c.s.o.Office.Reject(c.r.Context(), id, version, c.who, why)
		return err
	})
}

func (c *call) byPolicy() error {
	return c.versioned("decided", func(id string, version int64) error {
		_, err := c.s.o.Office.ByPolicy(c.r.Context(), id, version, c.who)
		return err
	})
}

// figures writes down what papers prove, for the policy to go by.
func (c *call) figures() error {
	one, why, err := c.reasoned()
	if err != nil {
		return err
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	var f claim.Figures
	for name, to := range map[string]*int64{"proven": &f.Proven, "best": &f.Best, "week": &f.Week} {
		if s := c.form(name); s != "" {
			if *to, err = settle.ParseAmount(s, one.Currency); err != nil {
				return claim.FieldErrors{name: "amount"}
			}
		}
	}
	if _, err := c.s.o.Office.Figures(c.r.Context(), one.ID, version, f, c.who, why); err != nil {
		return err
	}
	return c.to(claimPath(one.ID), "saved")
}

func (c *call) clearFlag() error {
	one, why, err := c.reasoned()
	if err != nil {
		return err
	}
	if _, err := c.s.o.Office.ClearFlag(c.r.Context(), one.ID, c.form("kind"), c.who, why); err != nil {
		return err
	}
	return c.to(claimPath(one.ID), "cleared")
}

// why is the reason that a form asks for.
func (c *call) why() (string, error) {
	why := c.form("why")
	if why == "" {
		return "", errWhy
	}
	if len(why) > mostText {
		return "", fmt.Errorf("%w: the reason is longer than %d bytes", errInput, mostText)
	}
	return why, nil
}

// mostText bounds what is written by hand at the desk, in bytes: 2,000 letters of Hangul.
const mostText = 6000

// look shows what is personal, on this one answer, after the look was written down.
func (c *call) look() error {
	one, why, err := c.reasoned()
	if err != nil {
		return err
	}
	p, err := c.s.o.Ledger.Open(c.r.Context(), one.ID, c.who, why)
	if err != nil {
		return err
	}
	return c.claimWith(&p, nil)
}

// showCoupons shows the codes of a claim's coupons to who pays, after the look was written down.
func (c *call) showCoupons() error {
	one, why, err := c.reasoned()
	if err != nil {
		return err
	}
	all, err := c.s.o.Cashier.Codes(c.r.Context(), one.ID, c.who, why)
	if err != nil {
		return err
	}
	return c.claimWith(nil, all)
}

// openPaper gives a paper to the browser to keep, after the look was written down.
func (c *call) openPaper() error {
	one, why, err := c.reasoned()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(one.Files, func(f claim.File) bool { return f.ID == c.form("file") })
	if i < 0 {
		return claim.ErrNotFound
	}
	f := one.Files[i]
	data, err := c.s.o.Ledger.OpenFile(c.r.Context(), one.ID, f.ID, c.who, why)
	if err != nil {
		return err
	}
	return c.send(fmt.Sprintf("%s-%s-%d%s", one.ID, f.Kind, i+1, extension(f.Type)), "application/octet-stream", data)
}

// extension is what a file of this type is called by, for those that are taken in.
func extension(mediaType string) string {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	for _, t := range [][2]string{
		{"image/png", ".png"},
		{"image/jpeg", ".jpg"},
		{"application/pdf", ".pdf"},
		{"text/plain", ".txt"},
		{"text/csv", ".csv"},
		{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"},
	} {
		if t[0] == mediaType {
			return t[1]
		}
	}
	return ".bin"
}

// What an agent does for a claimant who called or wrote.

func (c *call) forClaimant(said string, do func(id string) error) error {
	one, err := c.claimOf()
	if err != nil {
		return err
	}
	if err := do(one.ID); err != nil {
		return err
	}
	return c.to(claimPath(one.ID), said)
}

func (c *call) words() (string, error) {
	text := c.form("text")
	if text == "" || len(text) > mostText {
		return "", fmt.Errorf("%w: the text is empty or longer than 2,000 letters", errInput)
	}
	return text, nil
}

func (c *call) amend() error {
	return c.forClaimant("amended", func(id string) error {
		text, err := c.words()
		if err != nil {
			return err
		}
		_, err = c.s.o.Office.Amend(c.r.Context(), id, "", text, c.who)
		return err
	})
}

func (c *call) setBank() error {
	return c.forClaimant("amended", func(id string) error {
		_, err := c.s.o.Office.SetBank(c.r.Context(), id, "", c.form("bank"), c.form("number"), c.form("holder"), c.who)
		return err
	})
}

func (c *call) withdraw() error {
	return c.forClaimant("withdrawn", func(id string) error {
		_, err := c.s.o.Office.Withdraw(c.r.Context(), id, "", c.who)
		return err
	})
}

func (c *call) appeal() error {
	return c.forClaimant("appealed", func(id string) error {
		text, err := c.words()
		if err != nil {
			return err
		}
		_, err = c.s.o.Office.Appeal(c.r.Context(), id, "", text, c.who)
		return err
	})
}

func (c *call) addPaper() error {
	return c.forClaimant("paper", func(id string) error {
		name, data, err := c.upload()
		if err != nil {
			return err
		}
		_, err = c.s.o.Office.AddPaper(c.r.Context(), id, "", c.form("kind"), name, data, c.who)
		return err
	})
}

// An interval is a stretch of the outage, for the picture.
type interval struct {
	From, To time.Time
	Level    string
	Lasts    bool // it has not ended
}
