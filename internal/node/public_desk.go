package node

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"bongsu/internal/config"
	"bongsu/settle"
	"bongsu/web"
	"bongsu/web/desk"
	"bongsu/web/deskapi"
)

// serveDesk serves the desk of agents and deciders, and does the work that its pages start.
func (p *Public) serveDesk(ctx context.Context, ln net.Listener) error {
	d, err := desk.New(p.deskOptions())
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.Run(ctx) }) // it ends with ctx
	defer wg.Wait()
	srv := &http.Server{} //nolint:gosec // Configure sets the time limits
	d.Configure(srv)
	if p.claims != nil {
		programs, err := p.deskAPI()
		if err != nil {
			return err
		}
		mux := http.NewServeMux()
		mux.Handle("/api/", programs)
		mux.Handle("/", srv.Handler)
		srv.Handler = mux
	}
	return serveHTTP(ctx, p.log, ln, srv, p.o.DeskCert, p.o.DeskKey)
}

func (p *Public) deskOptions() desk.Options {
	o := desk.Options{Accounts: p.o.Accounts, Key: p.o.SessionKey, Questions: p.desk, Log: p.log}
	if c := p.claims; c != nil {
		o.Store, o.Office, o.Ledger, o.Cashier = p.store, c.office, c.office.Ledger, c.cashier
		o.Intervals, o.Faults, o.Services, o.Template = c.seen.intervals, c.seen.faults, c.services, c.o.Template
		o.Banks = slices.Sorted(maps.Keys(c.o.Banks))
		o.Recourse = func(ctx context.Context, pack settle.Pack, _ string) (string, []byte, error) {
			var zip bytes.Buffer
			_, err := c.cashier.Recourse(ctx, pack, nil, &zip)
			return "recourse-" + pack.Incident + ".zip", zip.Bytes(), err
		}
	}
	return o
}

// deskAPI is what programs do at the desk.
func (p *Public) deskAPI() (http.Handler, error) {
	o := deskapi.Options{Office: p.claims.office, Cashier: p.claims.cashier, Ledger: p.claims.office.Ledger, Template: p.claims.o.Template, Log: p.log}
	o.Import = p.claims.importTable
	tokens, ok := p.o.Accounts.(deskapi.Accounts)
	if !ok {
		tokens = noTokens{}
	}
	o.Accounts = tokens
	return deskapi.New(o)
}

// noTokens lets no program in.
type noTokens struct{}

func (noTokens) Token(string) (string, []string, bool) { return "", nil, false }

// deskAccounts are those of a file, which is read again when it changes: who was
// taken out of it is out at once.
type deskAccounts struct {
	file string
	log  *slog.Logger

	mu     sync.Mutex
	list   *config.Accounts
	stamp  time.Time
	size   int64
	looked time.Time
}

func newDeskAccounts(file string, log *slog.Logger) (*deskAccounts, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &deskAccounts{file: file, log: log}
	if info, err := os.Stat(file); err == nil {
		a.stamp, a.size = info.ModTime(), info.Size()
	}
	var err error
	if a.list, err = config.LoadAccounts(file); err == nil {
		a.complain()
	}
	return a, err
}

// complain says which tokens can do less than their file says.
func (a *deskAccounts) complain() {
	if bare := a.list.Bare(); len(bare) > 0 {
		a.log.Warn("tokens that do not say whose they are decide, pay and vote on nothing: name an account beside each", "tokens", bare, "file", a.file)
	}
}

// now are the accounts as the file has them. A file that cannot be read leaves the
// last ones, and is complained of.
func (a *deskAccounts) now() *config.Accounts {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.looked) < time.Second {
		return a.list
	}
	a.looked = time.Now()
	info, err := os.Stat(a.file)
	if err == nil && info.ModTime().Equal(a.stamp) && info.Size() == a.size {
		return a.list
	}
	var next *config.Accounts
	if err == nil {
		next, err = config.LoadAccounts(a.file)
	}
	if err != nil {
		a.log.Warn("the accounts of the desk cannot be read; those that were read before stay", "file", a.file, "err", err)
		return a.list
	}
	a.list, a.stamp, a.size = next, info.ModTime(), info.Size()
	a.complain()
	return a.list
}

// Password implements [desk.Accounts].
func (a *deskAccounts) Password(ctx context.Context, name, password string) (desk.Rights, bool) {
	list := a.now()
	if _, ok := list.Password(ctx, name, password); !ok {
		return desk.Rights{}, false
	}
	return rightsOf(list, name)
}

// Current implements [desk.Accounts].
func (a *deskAccounts) Current(name string) (desk.Rights, bool) { return rightsOf(a.now(), name) }

// Token implements [deskapi.Accounts].
func (a *deskAccounts) Token(text string) (string, []string, bool) {
	list := a.now()
	name, _, ok := list.Token(text)
	if !ok {
		return "", nil, false
	}
	var duties []string
	for _, d := range list.TokenClaims(text) {
		duties = append(duties, string(d))
	}
	return name, duties, true
}

func rightsOf(list *config.Accounts, name string) (desk.Rights, bool) {
	r, ok := list.Current(name)
	if !ok {
		return desk.Rights{}, false
	}
	var rights desk.Rights
	if parsed, err := web.ParseRole(string(r)); err == nil {
		rights.Questions = parsed
	}
	var duties []config.ClaimDuty
	duties, rights.Version = list.Claims(name)
	names := make([]string, len(duties))
	for i, d := range duties {
		names[i] = string(d)
	}
	var err error
	rights.Claims, err = desk.ParseDuties(names)
	return rights, err == nil
}
