package deskapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"bongsu/claim"
	"bongsu/settle"
	"bongsu/web"
)

// Accounts knows whose a token is, and its duties with claims: agent, decider, payer, body, privacy. Two tokens, or a token
// and an account, of one person have one name: where two have to agree, names are persons.
type Accounts interface {
	Token(token string) (name string, duties []string, ok bool)
}

// An Imported says what became of the rows of a table.
type Imported struct {
	Rows  int        `json:"rows"`
	Filed int        `json:"filed"` // or would be, in a dry run
	Again int        `json:"again"` // had been filed before
	Dry   bool       `json:"dry"`
	Wrong []RowError `json:"wrong"`
}

// A RowError says what is wrong with a row.
type RowError struct {
	Row int    `json:"row"`
	Msg string `json:"msg"`
}

// Options are what the API is made of.
type Options struct {
	Office   *claim.Office
	Cashier  *settle.Cashier
	Ledger   claim.Ledger
	Accounts Accounts
	// Import takes the table of an office in; nil: no tables are taken in here.
	Import func(ctx context.Context, incident, name string, data []byte, dry bool, by string) (Imported, error)
	// Template is what a window is opened with that nobody prepared.
	Template claim.Template
	Log      *slog.Logger
}

// A server answers.
type server struct{ o Options }

// A call is one request of one account.
type call struct {
	*server

	ctx    context.Context //nolint:containedctx // of the request, for as long as it lasts
	w      http.ResponseWriter
	r      *http.Request
	who    string
	duties []string
}

// A route is one address, and which duties may use it.
type route struct {
	pattern string
	duties  []string // any of them; empty: any duty
	most    int64    // bytes of a body; 0: mostBody
	do      func(*call) (any, error)
}

// Sizes of what is sent.
const (
	mostBody  = 1 << 20
	mostTable = 64 << 20
	mostFile  = 256 << 20
)

// The duties, as the configuration names them.
const (
	agent   = "agent"
	decider = "decider"
	payer   = "payer"
	body    = "body"
	privacy = "privacy"
)

// routes is the one table of addresses.
func routes() []route {
	return []route{
		{"GET /api/v1/claims/windows", nil, 0, (*call).windows},
		{"POST /api/v1/claims/windows/{incident}/{verb}", []string{decider}, 0, (*call).window},
		{"GET /api/v1/claims/policies", nil, 0, (*call).drafts},
		{"POST /api/v1/claims/policies", []string{decider}, 3 * mostBody, (*call).submit},
		{"POST /api/v1/claims/policies/approve", []string{decider}, 0, (*call).approvePolicy},
		{"GET /api/v1/claims", []string{agent, decider, payer, privacy}, 0, (*call).list},
		{"POST /api/v1/claims/flag", []string{decider}, 0, (*call).flag},
		{"POST /api/v1/claims/decide", []string{decider}, 0, (*call).decide},
		{"POST /api/v1/claims/unasked", []string{decider}, mostFile, (*call).unasked},
		{"POST /api/v1/claims/import", []string{agent}, mostTable, (*call).take},
		{"POST /api/v1/claims/what-if", []string{decider}, 8 * mostBody, (*call).whatIf},
		{"POST /api/v1/claims/erase", []string{privacy}, 0, (*call).erase},
		{"GET /api/v1/claims/statistics", nil, 0, (*call).statistics},

		{"POST /api/v1/payout/grant", []string{payer}, 0, (*call).grant},
		{"GET /api/v1/payout/batches", []string{payer, decider}, 0, (*call).batches},
		{"GET /api/v1/payout/missing", []string{payer, agent, decider}, 0, (*call).missing},
		{"POST /api/v1/payout/draft", []string{payer}, 0, (*call).draft},
		{"POST /api/v1/payout/batches/{id}/file", []string{payer}, 0, (*call).file},
		{"POST /api/v1/payout/batches/{id}/{verb}", []string{payer}, 0, (*call).batch},
		{"POST /api/v1/payout/results", []string{payer}, mostFile, (*call).results},
		{"POST /api/v1/payout/resume", []string{payer}, 0, (*call).resume},
		{"POST /api/v1/payout/again", []string{payer, decider}, 0, (*call).again},
		{"GET /api/v1/payout/reconciliation", []string{payer, decider}, 0, (*call).reconciliation},
		{"POST /api/v1/payout/mend", []string{payer}, 0, (*call).mend},
		{"POST /api/v1/payout/recourse", []string{payer}, mostFile, (*call).recourse},
	}
}

// New makes the handler.
func New(o Options) (http.Handler, error) {
	if o.Accounts == nil || o.Office == nil || o.Cashier == nil || o.Ledger == nil {
		return nil, errors.New("the API of the desk needs accounts, an office, a ledger and a cashier")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{o}
	mux := http.NewServeMux()
	for _, rt := range routes() {
		mux.HandleFunc(rt.pattern, s.serve(rt))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fail(w, problem(errNoAddress)) })
	return mux, nil
}

func (s *server) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		x := &call{server: s, ctx: r.Context(), w: w, r: r}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if ok {
			x.who, x.duties, ok = s.o.Accounts.Token(token)
		}
		switch {
		case !ok:
			fail(w, problem(errToken))
			return
		case len(x.duties) == 0, len(rt.duties) > 0 && !slices.ContainsFunc(rt.duties, func(d string) bool { return slices.Contains(x.duties, d) }):
			fail(w, problem(fmt.Errorf("%w: it takes %s", errDuty, strings.Join(rt.duties, " or "))))
			return
		}
		// Work on a hundred thousand claims, or the file of a bank, takes longer than a page; strangers have no such time.
		c := http.NewResponseController(w)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Minute))  // a recorder in a test has none
		_ = c.SetWriteDeadline(time.Now().Add(30 * time.Minute)) // the same
		most := rt.most
		if most == 0 {
			most = mostBody
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		out, err := rt.do(x)
		switch {
		case errors.Is(err, errSent):
		case err != nil:
			p := problem(err)
			if p.Status >= http.StatusInternalServerError {
				s.o.Log.Warn("the desk's API cannot do it", "path", r.URL.Path, "who", x.who, "err", err)
			}
			fail(w, p)
		default:
			answer(w, out)
		}
	}
}

// errSent says that the answer is on its way already.
var errSent = errors.New("sent")

func answer(w http.ResponseWriter, out any) {
	b, err := json.Marshal(out)
	if err != nil {
		fail(w, problem(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // who left does not read it
}

func fail(w http.ResponseWriter, p *web.Error) {
	b, err := json.Marshal(map[string]*web.Error{"error": p})
	if err != nil {
		b = []byte(`{"error":{"code":"internal"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // who left does not read it
}

// read reads a body of JSON into a struct of known fields.
func (c *call) read(into any) error {
	d := json.NewDecoder(c.r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errInput, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows after the JSON", errInput)
	}
	return nil
}

// bytes reads a body that is a file.
func (c *call) bytes() ([]byte, error) {
	b, err := io.ReadAll(c.r.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInput, err)
	}
	return b, nil
}

// query returns a parameter that has to be there.
func (c *call) query(name string) (string, error) {
	v := c.r.URL.Query().Get(name)
	if v == "" {
		return "", fmt.Errorf("%w: %s is missing", errInput, name)
	}
	return v, nil
}

// A line is one line of the answer of long work.
type line struct {
	Done   *int       `json:"done,omitempty"`
	Result any        `json:"result,omitempty"`
	Error  *web.Error `json:"error,omitempty"`
}

// long does work that tells how far it is, at most twice a second.
func (c *call) long(do func(progress func(done int)) (any, error)) (any, error) {
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(c.w)
	flush := http.NewResponseController(c.w)
	var told time.Time
	result, err := do(func(done int) {
		if now := time.Now(); now.Sub(told) > 500*time.Millisecond {
			told = now
			_ = out.Encode(line{Done: &done}) // who left does not read it, and the context ends the work
			_ = flush.Flush()                 // the same
		}
	})
	last := line{Result: result}
	if err != nil {
		last = line{Error: problem(err)}
		c.o.Log.Warn("the desk's API cannot do it", "path", c.r.URL.Path, "who", c.who, "err", err)
	}
	if err := out.Encode(last); err != nil {
		c.o.Log.Debug("nobody waits for the answer any more", "path", c.r.URL.Path, "err", err)
	}
	return nil, errSent
}
