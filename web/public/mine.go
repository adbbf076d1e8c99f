package public

import (
	"cmp"
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/lang"
	"bongsu/settle"
	"bongsu/status"
)

// Mine is what is known of the claim that a reader holds the receipt of.
type mine struct {
	claim   claim.Claim
	history []claim.Event
	said    *claim.Personal // shown when it is asked for: every look is written down
	proof   *settle.Proof
	coupons []settle.Coupon // with their codes when they were asked for, which is written down too
}

// signForm asks for a receipt.
type signForm struct {
	form

	Code, Secret field
	Kept         []hidden // what was typed into another form when the session had ended
	Report       string
	Contact      string
	Summary      []wrongLine
}

type hidden struct{ Name, Value string }

// keptFields are what a form of the claim page keeps over a session that ended.
func keptFields() []string { return []string{"text", "appeal", "bank", "number", "holder"} }

func (v *view) sign(t *typed) *signForm {
	f := &signForm{form: v.form("claim", "claim", t), Code: v.field("code", t), Secret: v.field("secret", t), Report: v.out.root() + "report.html", Contact: v.phonePost()}
	f.Open = v.site.takes
	f.Token = t.token
	for _, name := range keptFields() {
		if s := t.get(name); s != "" {
			f.Kept = append(f.Kept, hidden{name, s})
		}
	}
	for _, name := range []string{"code", "secret"} {
		if w := v.field(name, t).Wrong; w != "" {
			f.Summary = append(f.Summary, wrongLine{name, v.text("receipt." + name), w})
		}
	}
	return f
}

// A minePage tells a claimant how it stands.
type minePage struct {
	form

	ID, Sealed   string
	State        string // of a sentence
	What         string // in plain words
	Next         moment
	Papers       bool // by then
	Amount       string
	Form         string
	Reason       words
	Ground       string
	By           string // policy alone, or a person
	Policy       string
	Appeal       moment // until when
	Asked        []option
	Filed        moment
	Service, Use string
	Kind         string
	Loss         string
	Sales        []anySum
	Period       template.HTML
	Late         bool
	Files        []fileLine
	History      []historyLine
	Said         *saidLine
	Coupons      []couponLine
	Proof        *settle.Proof
	ProofFile    string
	Done         string
	DonePapers   []takenLine
	Into         string

	MayAdd, MayPaper, MayBank, MayAppeal, MayWithdraw, BankFirst, NoBank bool

	Evidence []option
	Fields   map[string]field
	Summary  []wrongLine
	Leave    string
	Erased   bool
}

type fileLine struct {
	Kind words
	Size string
	At   moment
}

// An anySum is an amount and what it is.
type anySum struct{ Name, Amount string }

// A couponLine is one coupon.
type couponLine struct {
	Code, Amount string
	Hidden       bool
	At           moment
}

type historyLine struct {
	At   moment
	What string
	Who  string
}

type saidLine struct {
	Name, Email, Phone, Business, Bank, Text string
	Added                                    []addedLine
}

type addedLine struct {
	At   moment
	What string
	Text string
}

func (v *view) mine(t *typed) *minePage {
	m, c := t.mine, &t.mine.claim
	p := &minePage{
		form: v.form("claim", "claim", t), ID: c.ID, Sealed: t.sealed, Fields: map[string]field{},
		State: v.text("mine.state." + stateOf(c, m.history)), What: v.text("mine.what." + whatOf(c, m.history)), Filed: v.day(c.Filed), Late: c.Late != "",
		Use: v.text("report.use." + cmp.Or(known(c.Report.Use, "paid", "free", "none"), "none")), Kind: v.text("report.kind." + cmp.Or(known(c.Report.Kind, "person", "small-business", "company"), "person")),
		Leave: v.out.root() + "claim/leave", ProofFile: v.out.root() + "claim-proof.json", Into: c.Into, Erased: !c.Erased.IsZero(),
	}
	p.Token = t.token
	s, _ := v.named(c.Report.Service)
	p.Service = s.Text
	if part := v.partOf(c.Report.Service, c.Report.Part); part.Text != "" {
		p.Service += " – " + part.Text
	}
	if c.Report.Loss > 0 {
		p.Loss = v.money(c.Report.Loss, c.Currency)
	}
	p.Sales = v.sales(c, m.history)
	if !c.Report.From.IsZero() {
		key, times := "service.since", []any{v.day(c.Report.From)}
		if !c.Report.To.IsZero() {
			key, times = "work.when", append(times, v.day(c.Report.To))
		}
		if h, err := v.say(v.out.lang, key, times...); err == nil {
			p.Period = h
		}
	}
	if !c.NextAt.IsZero() && !ended(c) && c.Erased.IsZero() {
		p.Next, p.Papers = v.day(c.NextAt), c.State == claim.Asked
	}
	until := c.AppealUntil(m.history)
	v.decided(p, c, until)
	w := v.site.claims.window(c.Incident)
	kinds := map[string]words{}
	if w != nil {
		for _, n := range w.Evidence {
			if kinds[n.Name] = v.titleOf(n); n.Name == otherKind {
				continue // stands last
			}
			p.Evidence = append(p.Evidence, option{Value: n.Name, Title: v.titleOf(n), Selected: t.get("evidence") == n.Name})
		}
	}
	kind := func(name string) words {
		if k, ok := kinds[name]; ok {
			return k
		}
		if v.messages.Has("evidence." + name) {
			return words{Text: v.text("evidence." + name)}
		}
		return words{Text: name}
	}
	if c.State == claim.Asked && c.Decision != nil {
		for _, name := range c.Decision.Evidence {
			p.Asked = append(p.Asked, option{Value: name, Title: kind(name)})
			p.BankFirst = p.BankFirst || name == "bank-account"
		}
	}
	for _, f := range c.Files {
		p.Files = append(p.Files, fileLine{kind(f.Kind), v.size(f.Size), v.day(f.At)})
	}
	for _, e := range m.history {
		if line, ok := v.happened(&e, inMoney(c)); ok {
			p.History = append(p.History, line)
		}
	}
	if m.said != nil {
		p.Said = v.said(m.said)
	}
	p.Proof = m.proof
	for _, x := range m.coupons {
		p.Coupons = append(p.Coupons, couponLine{x.Code, v.money(x.Amount, x.Currency), x.Hidden, v.day(x.Issued)})
	}
	open := c.Erased.IsZero() && !slices.Contains([]claim.State{claim.Paying, claim.Paid, claim.Withdrawn, claim.Merged}, c.State)
	p.MayAdd, p.MayPaper, p.MayWithdraw, p.MayBank = !ended(c) && c.Erased.IsZero(), open, open && !c.Contested(), open && c.Report.Use != "none"
	if p.NoBank = strings.HasPrefix(whatOf(c, m.history), "approved.") && open; p.NoBank {
		p.MayBank = true // whatever it was used for: it goes nowhere else
	}
	p.MayAppeal = c.MayAppeal(m.history, v.site.now)
	for _, name := range append(keptFields(), "files", "sure") {
		p.Fields[name] = v.field(name, t)
		if p.Fields[name].Wrong != "" {
			key := map[string]string{"text": "mine.words.text", "appeal": "mine.appeal.text", "bank": "mine.bank.name", "number": "mine.bank.number", "holder": "mine.bank.holder", "files": "report.files", "sure": "mine.withdraw"}[name]
			p.Summary = append(p.Summary, wrongLine{name, v.text(key), p.Fields[name].Wrong})
		}
	}
	if known(t.done, "words", "papers", "bank", "withdraw", "appeal") != "" {
		p.Done = v.text("mine.done." + t.done)
	}
	if t.session != nil && (t.done == "papers" || !t.ok()) {
		p.DonePapers = v.taken(t.session.Papers)
	}
	return p
}

// decided tells the decision and why, and until when it may be appealed against.
func (v *view) decided(p *minePage, c *claim.Claim, until time.Time) {
	d := decisionOf(c)
	if d == nil {
		return
	}
	p.Policy = d.Policy
	p.By = v.text("mine.by.policy")
	if c.Decider != "" {
		p.By = v.text("mine.by.person")
	}
	told := c.State != claim.Review && !ended(c) // until a second person has agreed nothing is promised, and what ended gives nothing
	if told && d.Outcome == policy.Pay {
		switch {
		case d.Form == policy.Extension:
			p.Amount = v.text("mine.hours", d.Hours)
		case d.Amount > 0:
			p.Amount = v.money(d.Amount, cmp.Or(d.Currency, c.Currency))
		}
		if f := known(string(d.Form), "money", "credit", "points", "coupon", "extension"); f != "" {
			p.Form = v.text("form." + f)
		}
		if g := known(string(d.Ground), "contract", "statute", "goodwill"); g != "" {
			p.Ground = v.text("ground." + g)
		}
	}
	if told {
		p.Reason = v.of(status.Text(d.Reason))
	}
	if until.After(v.site.now) && c.State != claim.Paying && !ended(c) {
		p.Appeal = v.day(until)
	}
}

// known returns s if it is one of the words, else nothing.
func known(s string, words ...string) string {
	if slices.Contains(words, s) {
		return s
	}
	return ""
}

// decisionOf is what was decided; nil: nothing. What waits for a person was not, but for the papers that a person asks for.
func decisionOf(c *claim.Claim) *policy.Decision {
	if d := c.Decision; d != nil && (d.Outcome != policy.Human || c.State == claim.Asked) {
		return d
	}
	return nil
}

// stateOf is how a claim stands, as its claimant is told.
func stateOf(c *claim.Claim, history []claim.Event) string {
	if c.State == claim.Withdrawn && !c.Erased.IsZero() && !happenedTo(history, "withdrawn") {
		return "erased" // its claimant withdrew nothing
	}
	s := known(string(c.State), "received", "review", "asked", "decided", "approved", "paying", "paid", "returned", "appealed", "withdrawn", "merged")
	return cmp.Or(s, "review")
}

// whatOf is which words say how a claim stands: those of its state, and of what is given.
func whatOf(c *claim.Claim, history []claim.Event) string {
	s := stateOf(c, history)
	switch {
	case s == "approved" && inMoney(c) && !c.Erased.IsZero():
		return s + ".erased"
	case s == "approved" && inMoney(c) && !happenedTo(history, "bank account given"):
		if c.Channel == claim.ByWeb || c.Channel == claim.ByAPI {
			return s + ".account"
		}
		return s + ".whether" // what others filed may have come with an account
	case s == "asked" && c.Decision != nil && c.Decision.Outcome == policy.Human:
		return s + ".person"
	case s == "paid" && !inMoney(c):
		return s + "." + string(c.Decision.Form)
	case s == "returned" && !inMoney(c):
		return s + ".other"
	}
	return s
}

// inMoney says that what is given goes by a bank, as far as it is known.
func inMoney(c *claim.Claim) bool {
	return c.Decision == nil || known(string(c.Decision.Form), "credit", "points", "coupon", "extension") == ""
}

func happenedTo(history []claim.Event, what string) bool {
	return slices.ContainsFunc(history, func(e claim.Event) bool { return e.What == what })
}

// sales are the sales that were sent; when the desk wrote down what papers prove, that, and it says so.
func (v *view) sales(c *claim.Claim, history []claim.Event) []anySum {
	var all []anySum
	proven := happenedTo(history, "figures")
	add := func(name string, n int64) {
		if n <= 0 {
			return
		}
		if proven {
			name = v.text("mine.proven", name)
		}
		all = append(all, anySum{name, v.money(n, c.Currency)})
	}
	add(v.label("best", c.Currency), c.Report.Best)
	add(v.label("week", c.Currency), c.Report.Week)
	if proven {
		add(v.text("mine.loss"), c.Report.Proven)
	}
	return all
}

func ended(c *claim.Claim) bool { return c.State == claim.Withdrawn || c.State == claim.Merged }

// happened tells one thing that happened, without names and notes of the desk. What the
// desk asks itself (doubts, a verdict that waits for a second person) is not told.
func (v *view) happened(e *claim.Event, money bool) (historyLine, bool) {
	what, rest, _ := strings.Cut(e.What, ": ")
	key := "event.changed"
	var args []any
	switch {
	case e.Look():
		key = "event.looked"
	case what == "proposed", what == "sent back", what == "flagged", what == "cleared doubts":
		return historyLine{}, false
	case what == "decided", what == "confirmed":
		if key = "event.decided"; v.messages.Has("mine.state." + rest) {
			key, args = "event.decided.to", []any{v.text("mine.state." + rest)}
		}
	case strings.HasPrefix(what, "merged into"):
		key = "event.merged"
	case strings.HasPrefix(what, "took in"):
		key = "event.took-in"
	default:
		if k := "event." + strings.ReplaceAll(what, " ", "-"); v.messages.Has(k) {
			key = k
		}
	}
	return historyLine{v.day(e.At), v.text(key, args...), v.who(e.Who, money)}, true
}

// who tells who it was, and never a name of the desk. What is no money is given by no bank.
func (v *view) who(s string, money bool) string {
	switch s = known(s, "claimant", "policy", "bank"); {
	case s == "":
		s = "desk"
	case s == "bank" && !money:
		s = "system"
	}
	return v.text("who." + s)
}

func (v *view) said(p *claim.Personal) *saidLine {
	s := &saidLine{Name: p.Name, Email: p.Email, Phone: p.Phone, Business: p.Business, Text: p.Text}
	if p.Number != "" {
		s.Bank = p.Bank + " …" + p.Number[max(0, len(p.Number)-4):]
	}
	for _, a := range p.Added {
		s.Added = append(s.Added, addedLine{v.day(a.At), v.text("added." + cmp.Or(known(a.What, "more", "appeal", "bank"), "more")), a.Text})
	}
	return s
}

func (v *view) size(n int64) string {
	if n >= 1<<20 {
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MB"
	}
	return strconv.FormatInt((n+1023)>>10, 10) + " kB"
}

// minePage shows the claim of the session, or asks for a receipt.
func (s *Server) minePage(w http.ResponseWriter, r *http.Request, o out) {
	if o.path == "claim" {
		http.Redirect(w, r, s.base+"/"+prefixOf(o)+"claim.html", http.StatusFound)
		return
	}
	probe(w, r)
	x := s.session(r, "")
	if x == nil {
		s.fresh(w, r, target{kind: "sign"}, o, &typed{token: s.tokens.make("claim", time.Now())}, http.StatusOK)
		return
	}
	t := &typed{values: url.Values{}, session: x, done: r.URL.Query().Get("done")}
	s.showMine(w, r, o, t, http.StatusOK)
}

// showMine shows the claim of t's session.
func (s *Server) showMine(w http.ResponseWriter, r *http.Request, o out, t *typed, code int) {
	x := t.session
	c, err := s.claims.Asker.Check(r.Context(), x.ID, x.Secret)
	switch {
	case errors.Is(err, claim.ErrSecret), errors.Is(err, claim.ErrNotFound):
		s.end(w)
		t.problem, t.token = "mine.receipt", s.tokens.make("claim", time.Now())
		s.fresh(w, r, target{kind: "sign"}, o, t, http.StatusForbidden)
		return
	case err != nil:
		s.mineDown(w, r, o, t, err)
		return
	}
	if t.mine == nil {
		t.mine = &mine{}
	}
	t.mine.claim = c
	if t.mine.history, err = s.claims.Asker.History(r.Context(), c.ID); err != nil {
		s.mineDown(w, r, o, t, err)
		return
	}
	t.mine.proof = s.proved(r.Context(), c.ID)
	if s.claims.Issuer != nil && t.mine.coupons == nil && c.Decision != nil {
		if t.mine.coupons, err = s.claims.Issuer.Issued(r.Context(), c.ID); err != nil {
			s.mineDown(w, r, o, t, err)
			return
		}
	}
	t.token = s.tokens.make("claim", time.Now())
	if t.sealed == "" && keepsCookies(r) {
		s.begin(w, x)
	} else {
		x.Until = time.Now().Add(sessionLife)
		t.sealed = s.claims.seal.seal(x)
	}
	s.fresh(w, r, target{kind: "mine"}, o, t, code)
}

// mineDown says that the claim cannot be read now.
func (s *Server) mineDown(w http.ResponseWriter, r *http.Request, o out, t *typed, err error) {
	if !errors.Is(err, claim.ErrUnavailable) && r.Context().Err() == nil {
		s.log.Error("a claim was not shown", "error", err.Error())
	}
	w.Header().Set("Retry-After", "60")
	t.problem, t.token = "mine.unavailable", s.tokens.make("claim", time.Now())
	s.fresh(w, r, target{kind: "sign"}, o, t, http.StatusServiceUnavailable)
}

// proved is the proof that the decision is in the log; nil: there is none yet.
func (s *Server) proved(ctx context.Context, id string) *settle.Proof {
	if s.claims.Prover == nil {
		return nil
	}
	p, _, err := s.claims.Prover.Prove(ctx, id)
	if err != nil {
		return nil // not decided or not in the log yet; the page says so
	}
	return &p
}

// proofFile is the proof and what it is about, for who holds the receipt.
func (s *Server) proofFile(w http.ResponseWriter, r *http.Request, o out) {
	x := s.session(r, "")
	if x == nil || s.claims.Prover == nil {
		s.fail(w, r, o.lang, http.StatusForbidden, "mine.signed-out")
		return
	}
	if _, err := s.claims.Asker.Check(r.Context(), x.ID, x.Secret); err != nil {
		s.fail(w, r, o.lang, http.StatusForbidden, "mine.signed-out")
		return
	}
	p, decision, err := s.claims.Prover.Prove(r.Context(), x.ID)
	if err != nil {
		s.fail(w, r, o.lang, http.StatusNotFound, "not-found")
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="bongsu-proof.json"`)
	s.json(w, http.StatusOK, settle.NewProofFile(p, decision)) // as bongsu verify reads it
}

// signIn takes code and secret of a receipt.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, l lang.Lang) {
	o := out{lang: l, path: "claim"}
	r.Body = http.MaxBytesReader(w, r.Body, mostWords)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, l, http.StatusRequestEntityTooLarge, "large")
		return
	}
	t := &typed{values: r.PostForm}
	t.token = s.tokens.make("claim", time.Now())
	again := func(code int) {
		t.values.Del("secret")
		probe(w, r)
		s.fresh(w, r, target{kind: "sign"}, o, t, code)
	}
	if !s.tokens.valid("claim", t.get("form"), time.Now()) {
		t.problem = "stale"
		again(http.StatusForbidden)
		return
	}
	code, secret := claim.NormalCode(clean(t.get("code"))), claim.NormalCode(clean(t.get("secret")))
	if code == "" {
		t.refuse("code", "mine.code")
	}
	if secret == "" {
		t.refuse("secret", "mine.secret")
	}
	if !t.ok() {
		again(http.StatusUnprocessableEntity)
		return
	}
	c, err := s.check(r, code, secret)
	switch {
	case errors.Is(err, ErrTooMany):
		t.problem = "mine.many"
		w.Header().Set("Retry-After", "10")
		again(http.StatusTooManyRequests)
		return
	case errors.Is(err, claim.ErrSecret):
		t.problem = "mine.receipt"
		again(http.StatusForbidden)
		return
	case err != nil:
		s.mineDown(w, r, o, t, err)
		return
	}
	x := &session{ID: c.ID, Secret: secret}
	kept := false
	for _, name := range keptFields() {
		kept = kept || t.get(name) != ""
	}
	if keepsCookies(r) && !kept {
		s.begin(w, x)
		http.Redirect(w, r, s.base+"/"+string(l)+"/claim.html", http.StatusSeeOther) //nolint:gosec // G710: l is one of two languages
		return
	}
	t.values.Del("secret")
	t.session = x
	s.showMine(w, r, o, t, http.StatusOK)
}

// check says whether code and secret belong together, slowly for who guesses. What is
// wrong looks the same whether or not there is such a code.
func (s *Server) check(r *http.Request, code, secret string) (claim.Claim, error) {
	network := s.prefix(r)
	if len(code) > 40 || len(secret) > 60 {
		code, secret = "", ""
	}
	if !s.claims.guesses.before(r.Context(), network, code) {
		return claim.Claim{}, ErrTooMany
	}
	c, err := s.claims.Asker.Check(r.Context(), code, secret)
	if errors.Is(err, claim.ErrSecret) || errors.Is(err, claim.ErrNotFound) {
		s.claims.guesses.wrong(network, code)
		return claim.Claim{}, claim.ErrSecret
	}
	return c, err
}

// act does what a claimant asks of the own claim.
func (s *Server) act(w http.ResponseWriter, r *http.Request, path string, l lang.Lang) {
	o, what := out{lang: l, path: path}, strings.TrimPrefix(path, "claim/")
	network := s.prefix(r)
	f, err := s.read(w, r, network)
	defer f.done()
	t := f.typed
	if what == "leave" && err == nil {
		s.end(w)
		http.Redirect(w, r, s.base+"/"+string(l)+"/left.html", http.StatusSeeOther) //nolint:gosec // G710: l is one of two languages
		return
	}
	x := s.session(r, t.get("session"))
	if x == nil || !s.tokens.valid("claim", t.get("form"), time.Now()) {
		t.problem, t.token = "mine.signed-out", s.tokens.make("claim", time.Now())
		probe(w, r)
		s.fresh(w, r, target{kind: "sign"}, o, t, http.StatusForbidden)
		return
	}
	t.session = x
	x.New, x.Papers = false, nil
	if t.get("session") != "" && !keepsCookies(r) {
		t.sealed = "again"
	}
	switch {
	case errors.Is(err, errLarge):
		t.refuse("files", "files.large")
	case errors.Is(err, errBusy):
		t.refuse("files", "files.busy")
	case err != nil:
		t.refuse("files", "files.broken")
	}
	if wait, ok := s.claims.uploads.take(network, time.Now()); !ok {
		t.problem = "many"
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		s.showMine(w, r, o, t, http.StatusTooManyRequests)
		return
	}
	if t.ok() {
		if err = s.does(r.Context(), what, f, x); t.blame(err) {
			err = nil
		}
	}
	switch {
	case !t.ok():
		s.showMine(w, r, o, t, http.StatusUnprocessableEntity)
	case err == nil && (what == "shown" || what == "coupon"):
		s.showMine(w, r, o, t, http.StatusOK)
	case err == nil && keepsCookies(r):
		s.begin(w, x)
		http.Redirect(w, r, s.base+"/"+string(l)+"/claim.html?done="+what, http.StatusSeeOther) //nolint:gosec // G710: l is one of two languages, what one of five words
	case err == nil:
		t.values, t.done = url.Values{}, what
		s.showMine(w, r, o, t, http.StatusOK)
	case errors.Is(err, claim.ErrState):
		t.problem = "mine.state"
		s.showMine(w, r, o, t, http.StatusConflict)
	case errors.Is(err, claim.ErrErased):
		t.problem = "mine.erased"
		s.showMine(w, r, o, t, http.StatusGone)
	case errors.Is(err, claim.ErrInput):
		t.problem = "report.input"
		s.showMine(w, r, o, t, http.StatusUnprocessableEntity)
	case errors.Is(err, claim.ErrConflict):
		t.problem = "mine.conflict"
		s.showMine(w, r, o, t, http.StatusConflict)
	default:
		s.mineDown(w, r, o, t, err)
	}
}

// does one act; what is wrong with what was typed is in the form.
func (s *Server) does(ctx context.Context, what string, f *sent, x *session) error {
	t := f.typed
	text := func(field string) string {
		s := clean(t.get(field))
		switch {
		case s == "":
			t.refuse(field, "mine."+field)
		case utf8.RuneCountInString(s) > mostText:
			t.refuse(field, "long", mostText)
		}
		return s
	}
	var err error
	switch what {
	case "words":
		if said := text("text"); t.ok() {
			_, err = s.claims.Giver.Amend(ctx, x.ID, x.Secret, said, "")
		}
	case "appeal":
		if said := text("appeal"); t.ok() {
			_, err = s.claims.Ender.Appeal(ctx, x.ID, x.Secret, said, "")
		}
	case "bank":
		bank, number, holder := text("bank"), accountNumber(t.get("number")), text("holder")
		if number == "" {
			t.refuse("number", "mine.number")
		}
		if t.ok() {
			_, err = s.claims.Giver.SetBank(ctx, x.ID, x.Secret, bank, number, holder, "")
		}
	case "withdraw":
		if t.get("sure") == "" {
			t.refuse("sure", "mine.sure")
			return nil
		}
		_, err = s.claims.Ender.Withdraw(ctx, x.ID, x.Secret, "")
	case "papers":
		bank := t.get("bank")+t.get("number")+t.get("holder") != ""
		if len(f.papers) == 0 && !bank {
			t.refuse("files", "file.none")
			return nil
		}
		if bank { // asked for together with the papers, so that it is one step
			if err = s.does(ctx, "bank", f, x); err != nil || t.blame(err) {
				return err
			}
		}
		c, err := s.claims.Asker.Check(ctx, x.ID, x.Secret)
		if err != nil {
			return err
		}
		for _, p := range f.papers {
			got := s.addPaper(ctx, p, x, s.kindOf(c.Incident, cmp.Or(p.kind, t.get("evidence"))))
			x.Papers = append(x.Papers, got)
			if got.Wrong != "" {
				t.refuse("files", got.Wrong, got.Name)
			}
		}
	case "shown":
		var p claim.Personal
		if p, err = s.claims.Asker.Open(ctx, x.ID, "claimant", "the claimant looks at the own claim"); err == nil {
			t.mine = &mine{said: &p}
		}
	case "coupon":
		if s.claims.Issuer != nil {
			t.mine = &mine{}
			t.mine.coupons, err = s.claims.Issuer.Codes(ctx, x.ID, claim.Claimant, "the claimant looks at the own coupon")
		}
	}
	return err
}

// accountNumber reads a bank account as people write it; empty: it is none.
func accountNumber(s string) string {
	s = strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '.':
			return -1
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		}
		return r
	}, clean(s)), "-")
	n := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			n++
		case r != '-':
			return ""
		}
	}
	if n < 6 || len(s) > 40 {
		return ""
	}
	return s
}
