package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/detect"
	"bongsu/estate"
)

// A Target is one thing to look at. Exactly one of HTTP and TCP is set.
type Target struct {
	Name    string
	Domain  string // that it stands in
	HTTP    string // URL
	TCP     string // host:port
	Expect  int    // HTTP status; 0 accepts any below 400
	Every   time.Duration
	Timeout time.Duration
	TLS     *tls.Config // nil: the system's authorities
}

// Targets returns the targets that an estate names in its probes, by name.
func Targets(s *estate.Snapshot) []Target {
	targets := make([]Target, len(s.Probes))
	for i := range s.Probes {
		p := &s.Probes[i]
		targets[i] = Target{
			Name: p.Name, Domain: s.Domains[p.In].Name, HTTP: p.HTTP, TCP: p.TCP,
			Expect: p.Expect, Every: p.Every, Timeout: p.Timeout,
		}
	}
	return targets
}

// The defaults of a target.
const (
	defaultEvery   = time.Second
	defaultTimeout = time.Second
)

// maxBody is how much of an answer is read, so that the connection ends in order.
const maxBody = 64 << 10

// A Looker looks at many targets.
type Looker struct {
	Targets []Target
	// Parallel is how many looks go on at once; 0 means 64.
	Parallel int
	// Log is told when a target changes its state; nil is nobody.
	Log *slog.Logger
}

// Run looks at every target until ctx ends. It calls see with what all targets
// were last seen as, by name, whenever one changed and at least as often as the
// target that is looked at most rarely; a target counts from its first look on.
// Calls of see do not overlap.
func (l *Looker) Run(ctx context.Context, see func([]detect.Sight)) {
	log := cmp.Or(l.Log, slog.New(slog.DiscardHandler))
	b := &board{sights: make([]sight, len(l.Targets)), told: make(chan struct{}, 1)}
	slots := make(chan struct{}, cmp.Or(l.Parallel, 64))
	var wg sync.WaitGroup
	for i := range l.Targets {
		wg.Go(func() {
			watch(ctx, &l.Targets[i], slots, func(ok bool, detail string) {
				if b.set(i, ok, detail) {
					log.Debug("target changed", "target", l.Targets[i].Name, "domain", l.Targets[i].Domain, "ok", ok, "detail", detail)
				}
			})
		})
	}
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.told:
			see(b.get(l.Targets))
		}
	}
}

// A board is what was last seen of every target.
type board struct {
	mu     sync.Mutex
	sights []sight
	told   chan struct{}
}

type sight struct {
	looked bool
	ok     bool
	detail string
	since  time.Time // with its monotonic reading
}

// set notes a look and reports whether the target changed its state.
func (b *board) set(i int, ok bool, detail string) (changed bool) {
	b.mu.Lock()
	s := &b.sights[i]
	if changed = !s.looked || s.ok != ok; changed {
		s.since = time.Now()
	}
	s.looked, s.ok, s.detail = true, ok, detail
	b.mu.Unlock()
	select {
	case b.told <- struct{}{}:
	default:
	}
	return changed
}

func (b *board) get(targets []Target) []detect.Sight {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []detect.Sight
	for i, s := range b.sights {
		if s.looked {
			out = append(out, detect.Sight{
				Target: targets[i].Name, Domain: targets[i].Domain, OK: s.ok, For: time.Since(s.since), Detail: s.detail,
			})
		}
	}
	slices.SortFunc(out, func(a, b detect.Sight) int {
		return cmp.Or(strings.Compare(a.Target, b.Target), strings.Compare(a.Domain, b.Domain))
	})
	return out
}

// watch looks at one target again and again until ctx ends.
func watch(ctx context.Context, t *Target, slots chan struct{}, tell func(ok bool, detail string)) {
	tick := time.NewTicker(cmp.Or(t.Every, defaultEvery))
	defer tick.Stop()
	client := httpClient(t)
	defer client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		err := look(ctx, client, t)
		<-slots
		if ctx.Err() != nil {
			return // what was cut short by our own end says nothing of the target
		}
		if err != nil {
			tell(false, err.Error())
		} else {
			tell(true, "")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// httpClient makes a new connection for each look: one that is kept would answer
// for a host that takes no new ones.
func httpClient(t *Target) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DisableKeepAlives: true, TLSClientConfig: t.TLS,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// look looks once, and says what is wrong.
func look(ctx context.Context, client *http.Client, t *Target) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Timeout, defaultTimeout))
	defer cancel()
	var err error
	if t.TCP != "" {
		err = dial(ctx, t)
	} else {
		err = request(ctx, client, t)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", cmp.Or(t.Timeout, defaultTimeout))
	}
	return err
}

func dial(ctx context.Context, t *Target) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", t.TCP)
	if err != nil {
		return err
	}
	return c.Close()
}

func request(ctx context.Context, client *http.Client, t *Target) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.HTTP, http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxBody)); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if t.Expect != 0 && res.StatusCode != t.Expect || t.Expect == 0 && res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("answered %s", res.Status)
	}
	return nil
}
