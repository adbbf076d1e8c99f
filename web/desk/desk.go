package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"bongsu/claim"
	"bongsu/claim/paper"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/internal/lang"
	"bongsu/settle"
	"bongsu/status"
	"bongsu/web"
)

// Options are what a desk is made of. Without an Office it has no tabs for claims,
// without a Cashier none for payment.
type Options struct {
	Accounts  Accounts
	Key       []byte // signs sessions and form tokens
	Questions Questions
	Office    Office
	Ledger    claim.Ledger
	Cashier   Cashier
	// Services are what reports are taken on where a window names none; nil: any word is taken.
	Services func(incident string) []claim.Service
	Template claim.Template // of windows that are opened here; zero: the one that is built in
	// Intervals are what control signed of an incident, for the picture of its outage.
	Intervals func(incident string) []status.Interval
	// Faults are the domains that failed, and who operates them; nil: not known.
	Faults func(id string) []incident.Fault
	Banks  []string // names of the company's own accounts, which money leaves from
	// Recourse writes the pack for a counterparty; nil: none is made here.
	Recourse func(ctx context.Context, p settle.Pack, who string) (name string, data []byte, err error)
	// Store tells the other nodes of work that is done here; nil: nobody is told.
	Store kv.Store
	Zone  *time.Location   // nil: Seoul
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger
}

// A Server is the desk.
type Server struct {
	o     Options
	mux   *http.ServeMux
	cross *http.CrossOriginProtection
	pages *renderer
	guard *guard
	jobs  jobs
}

// New makes a desk.
func New(o Options) (*Server, error) {
	if o.Accounts == nil || len(o.Key) < sha256.Size {
		return nil, errors.New("a desk needs accounts, and a key of 32 bytes")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Template.For == 0 {
		o.Template = claim.DefaultTemplate()
	}
	if o.Zone == nil {
		o.Zone = time.FixedZone("KST", 9*3600)
	}
	pages, err := newRenderer(o.Zone)
	if err != nil {
		return nil, err
	}
	s := &Server{
		o: o, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(), pages: pages,
		guard: newGuard(), jobs: newJobs(),
	}
	for _, rt := range routes() {
		if rt.has == nil || rt.has(&s.o) {
			s.mux.HandleFunc(rt.pattern, s.serve(rt))
		}
	}
	s.mux.HandleFunc("/", s.serve(route{pattern: "/", may: access{known: true}, do: func(*call) error { return errNoPage }}))
	s.mux.HandleFunc("GET /desk.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(pages.css)
	})
	return s, nil
}

// Configure sets the time limits of a server of this desk.
func (s *Server) Configure(srv *http.Server) {
	srv.Handler = s
	srv.ReadHeaderTimeout, srv.ReadTimeout, srv.WriteTimeout, srv.IdleTimeout = 5*time.Second, 2*time.Minute, 2*time.Minute, time.Minute
	srv.MaxHeaderBytes = 16 << 10
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if err := s.cross.Check(r); err != nil {
		http.Error(w, "this comes from another site; open the desk itself and do it there: nothing was changed", http.StatusForbidden)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// Sizes of what is sent.
const (
	mostForm   = 256 << 10
	mostPolicy = 3 << 20  // a policy has 1 MiB, three times that when it is pasted and encoded
	mostPaper  = 11 << 20 // a paper has 10 MiB
	mostTable  = 32 << 20
)

// A route is one address. A new one has to say who may use it.
type route struct {
	pattern string // method and path, as [http.ServeMux] has it
	may     access
	do      func(*call) error
	back    func(*call) error // shows the page of a form again, with what was typed
	most    int64             // bytes of a body; 0: mostForm
	has     func(*Options) bool
}

func questions(o *Options) bool { return o.Questions != nil }
func office(o *Options) bool    { return o.Office != nil && o.Ledger != nil }
func cashier(o *Options) bool   { return office(o) && o.Cashier != nil }

// routes is the one table of addresses and of who may use them.
func routes() []route {
	seer := access{duties: Agent | Decider}
	agent, dec, payer, privacy := access{duties: Agent}, access{duties: Decider}, access{duties: Payer}, access{duties: Privacy}
	rules := access{duties: Decider | Body}
	member := access{duties: Body}
	return []route{
		{pattern: "GET /{$}", may: access{known: true}, do: (*call).home},
		{pattern: "GET /login", may: access{anyone: true}, do: (*call).loginPage},
		{pattern: "POST /login", may: access{anyone: true}, do: func(c *call) error { return c.s.login(c) }, back: (*call).loginPage},
		{pattern: "POST /logout", may: access{known: true}, do: func(c *call) error { return c.s.logout(c) }},
		{pattern: "POST /language", may: access{anyone: true}, do: func(c *call) error { return c.s.language(c) }},

		{pattern: "GET /questions", may: access{role: web.Viewer}, do: (*call).questionsPage, has: questions},
		{pattern: "POST /answer", may: access{role: web.Operator}, do: (*call).answer, back: (*call).questionsPage, has: questions},
		{pattern: "POST /approve", may: access{role: web.Approver}, do: (*call).approveAnswer, back: (*call).questionsPage, has: questions},
		{pattern: "POST /drop", may: access{role: web.Operator}, do: (*call).dropQuestion, back: (*call).questionsPage, has: questions},

		{pattern: "GET /claims", may: seer, do: (*call).queuePage, has: office},
		{pattern: "POST /claims/find", may: seer, do: (*call).findPage, back: (*call).queuePage, has: office},
		{pattern: "POST /claims/bulk", may: dec, do: (*call).bulkPage, back: (*call).queuePage, has: office},
		{pattern: "POST /claims/bulk/do", may: dec, do: (*call).bulkDo, back: (*call).bulkPage, has: office},
		{pattern: "GET /claims/{id}", may: access{duties: Agent | Decider | Payer}, do: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/decide", may: dec, do: (*call).decide, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/confirm", may: dec, do: (*call).confirm, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/reject", may: dec, do: (*call).reject, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/policy", may: dec, do: (*call).byPolicy, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/clear", may: dec, do: (*call).clearFlag, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/figures", may: dec, do: (*call).figures, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/look", may: seer, do: (*call).look, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/paper", may: seer, do: (*call).openPaper, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/coupon", may: payer, do: (*call).showCoupons, back: (*call).claimPage, has: cashier},
		{pattern: "POST /claims/{id}/amend", may: agent, do: (*call).amend, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/bank", may: agent, do: (*call).setBank, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/add", may: agent, do: (*call).addPaper, back: (*call).claimPage, most: mostPaper, has: office},
		{pattern: "POST /claims/{id}/withdraw", may: agent, do: (*call).withdraw, back: (*call).claimPage, has: office},
		{pattern: "POST /claims/{id}/appeal", may: agent, do: (*call).appeal, back: (*call).claimPage, has: office},
		{pattern: "GET /enter", may: agent, do: (*call).enterPage, has: office},
		{pattern: "POST /enter", may: agent, do: (*call).enter, back: (*call).enterPage, has: office},
		{pattern: "GET /import", may: agent, do: (*call).importPage, has: office},
		{pattern: "POST /import", may: agent, do: (*call).importTable, back: (*call).importPage, most: mostTable, has: office},

		{pattern: "GET /windows", may: dec, do: (*call).windowsPage, has: office},
		{pattern: "POST /windows/open", may: dec, do: (*call).openWindow, back: (*call).windowsPage, has: office},
		{pattern: "POST /windows/extend", may: dec, do: (*call).extendWindow, back: (*call).windowsPage, has: office},
		{pattern: "POST /windows/close", may: dec, do: (*call).closeWindow, back: (*call).windowsPage, has: office},

		{pattern: "GET /policies", may: rules, do: (*call).policiesPage, has: office},
		{pattern: "GET /policies/{id}", may: rules, do: (*call).policyPage, has: office},
		{pattern: "POST /policies/check", may: dec, do: (*call).checkPolicy, back: (*call).policiesPage, most: mostPolicy, has: office},
		{pattern: "POST /policies/submit", may: dec, do: (*call).submitPolicy, back: (*call).policiesPage, most: mostPolicy, has: office},
		{pattern: "POST /policies/{id}/approve", may: dec, do: (*call).approvePolicy, back: (*call).policyPage, has: office},

		{pattern: "GET /whatif", may: rules, do: (*call).whatIfPage, has: office},
		{pattern: "POST /whatif", may: rules, do: (*call).whatIf, back: (*call).whatIfPage, most: mostPolicy, has: office},
		{pattern: "GET /jobs/{id}", may: access{duties: Decider | Body | Payer | Agent | Privacy}, do: (*call).jobPage, has: office},
		{pattern: "GET /jobs/{id}/table.xlsx", may: rules, do: (*call).whatIfTable, has: office},

		{pattern: "GET /run", may: dec, do: (*call).runPage, has: office},
		{pattern: "POST /run/preview", may: dec, do: (*call).previewAll, back: (*call).runPage, has: office},
		{pattern: "POST /run/decide", may: dec, do: (*call).decideAll, back: (*call).runPage, has: office},
		{pattern: "POST /run/flag", may: dec, do: (*call).flagAll, back: (*call).runPage, has: office},

		{pattern: "GET /unasked", may: dec, do: (*call).unaskedPage, has: office},
		{pattern: "POST /unasked/try", may: dec, do: (*call).tryUnasked, back: (*call).unaskedPage, most: mostTable, has: office},
		{pattern: "POST /unasked/submit", may: dec, do: (*call).submitUnasked, back: (*call).unaskedPage, most: mostTable, has: office},
		{pattern: "POST /unasked/approve", may: dec, do: (*call).approveUnasked, back: (*call).unaskedPage, most: mostTable, has: office},

		{pattern: "GET /body", may: rules, do: (*call).bodyPage, has: office},
		{pattern: "GET /body/data.csv", may: member, do: (*call).dataset, has: office},
		{pattern: "GET /body/{session}", may: rules, do: (*call).sessionPage, has: office},
		{pattern: "POST /body/open", may: rules, do: (*call).openSession, back: (*call).bodyPage, has: office},
		{pattern: "POST /body/{session}/save", may: rules, do: (*call).saveSession, back: (*call).sessionPage, has: office},
		{pattern: "POST /body/{session}/ask", may: rules, do: (*call).askBody, back: (*call).sessionPage, has: office},
		{pattern: "POST /body/{session}/comment", may: member, do: (*call).comment, back: (*call).sessionPage, has: office},
		{pattern: "POST /body/{session}/vote", may: member, do: (*call).vote, back: (*call).sessionPage, has: office},
		{pattern: "POST /body/{session}/publish", may: rules, do: (*call).publish, back: (*call).sessionPage, has: office},

		{pattern: "GET /payout", may: payer, do: (*call).payoutPage, has: cashier},
		{pattern: "GET /payout/reconcile", may: payer, do: (*call).reconcilePage, has: cashier},
		{pattern: "GET /payout/missing", may: payer, do: (*call).missingPage, has: cashier},
		{pattern: "GET /payout/batch/{batch}", may: payer, do: (*call).batchPage, has: cashier},
		{pattern: "POST /payout/again", may: payer, do: (*call).again, back: (*call).payoutPage, has: cashier},
		{pattern: "POST /payout/mend", may: payer, do: (*call).mend, back: (*call).reconcilePage, has: cashier},
		{pattern: "POST /payout/grant", may: payer, do: (*call).grant, back: (*call).payoutPage, has: cashier},
		{pattern: "POST /payout/draft", may: payer, do: (*call).draftBatch, back: (*call).payoutPage, has: cashier},
		{pattern: "POST /payout/approve", may: payer, do: (*call).approveBatch, back: (*call).payoutPage, has: cashier},
		{pattern: "POST /payout/file", may: payer, do: (*call).batchFile, back: (*call).payoutPage, has: cashier},
		{pattern: "POST /payout/sent", may: payer, do: (*call).sentBatch, back: (*call).payoutPage, has: cashier},
		{pattern: "POST /payout/drop", may: payer, do: (*call).dropBatch, back: (*call).payoutPage, has: cashier},
		{pattern: "POST /payout/results", may: payer, do: (*call).results, back: (*call).payoutPage, most: mostTable, has: cashier},
		{pattern: "POST /payout/recourse", may: payer, do: (*call).recourse, back: (*call).payoutPage, most: mostTable, has: func(o *Options) bool { return cashier(o) && o.Recourse != nil }},

		{pattern: "GET /privacy", may: privacy, do: (*call).privacyPage, has: office},
		{pattern: "POST /privacy/erase", may: privacy, do: (*call).erase, back: (*call).privacyPage, has: office},
		{pattern: "POST /privacy/retain", may: privacy, do: (*call).retain, back: (*call).privacyPage, has: office},
	}
}

// A call is one request.
type call struct {
	s       *Server
	w       http.ResponseWriter
	r       *http.Request
	lang    lang.Lang
	who     string
	rights  Rights
	problem *problem // shown on top of the page
	fields  claim.FieldErrors
	typed   url.Values // what was sent and could not be taken
	alarm   bool       // the page shows personal data: it is not to be kept
}

func (s *Server) serve(rt route) http.HandlerFunc {
	most := rt.most
	if most == 0 {
		most = mostForm
	}
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{s: s, w: w, r: r, lang: s.langOf(r)}
		c.who, c.rights = s.who(r)
		if c.who == "" && !rt.may.anyone {
			if r.Method == http.MethodGet {
				http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
				return
			}
			c.fail(errLogin, nil)
			return
		}
		if !rt.may.anyone && !rt.may.allows(c.rights) {
			c.fail(errRights, nil)
			return
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, most)
			// All of it stays in memory: nothing personal is to lie in temporary files.
			if err := r.ParseMultipartForm(most + 1<<20); err != nil && !errors.Is(err, http.ErrNotMultipart) { //nolint:gosec // the body is bounded above
				c.fail(fmt.Errorf("%w: %w", errInput, err), nil)
				return
			}
			if !s.tokenOK(r, c.who) {
				c.fail(errForm, rt.back)
				return
			}
		}
		if err := rt.do(c); err != nil {
			c.fail(err, rt.back)
		}
	}
}

// fail says what went wrong: on the page that the form was on, with what was typed,
// where there is one.
func (c *call) fail(err error, back func(*call) error) {
	c.problem = problemOf(err)
	c.fields, _ = errors.AsType[claim.FieldErrors](err)
	if refused, ok := errors.AsType[*paper.Refusal](err); ok {
		c.problem.Detail = refused.Text[string(c.lang)]
	}
	if c.problem.Status >= http.StatusInternalServerError {
		c.s.o.Log.Warn("the desk could not do it", "path", c.r.URL.Path, "err", err)
	}
	if back != nil && c.r.Method == http.MethodPost {
		c.typed = c.r.PostForm
		if back(c) == nil {
			return
		}
	}
	if errors.Is(err, errLogin) {
		_ = c.loginPage() // it needs nothing
		return
	}
	if perr := c.show("problem", nil); perr != nil {
		c.s.o.Log.Error("the desk's page broke", "err", perr)
		http.Error(c.w, "the page broke while it was made", http.StatusInternalServerError)
	}
}

// home leads to the first tab of whoever is here.
func (c *call) home() error {
	if c.who == "" {
		return c.loginPage()
	}
	tabs := c.tabs()
	if len(tabs) == 0 {
		return c.show("problem", nil)
	}
	http.Redirect(c.w, c.r, tabs[0].Path, http.StatusSeeOther)
	return nil
}

func (c *call) loginPage() error {
	next := c.r.FormValue("next")
	if !inside(next) {
		next = ""
	}
	return c.show("login", next)
}

// to sends the browser on after a change: going back or reloading then repeats nothing.
func (c *call) to(path, said string) error {
	u, err := url.Parse(path)
	if err != nil {
		return err
	}
	if said != "" {
		q := u.Query()
		q.Set("said", said)
		u.RawQuery = q.Encode()
	}
	http.Redirect(c.w, c.r, u.String(), http.StatusSeeOther)
	return nil
}

// form is what was sent in a field, without space around it.
func (c *call) form(name string) string { return trimmed(c.r.PostFormValue(name)) }

// send gives a file to the browser, which must not show it as a page of ours.
func (c *call) send(name, mediaType string, data []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", attachment(name))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, err := c.w.Write(data)
	if err != nil {
		c.s.o.Log.Debug("a reader went away", "err", err)
	}
	return nil
}

func hashName(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
