package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"bongsu/estate"
)

// A WorkloadConfig is what one site's workload is told. It says nothing of plans.
type WorkloadConfig struct {
	Site   string            `json:"site"`
	Listen string            `json:"listen"`
	Peers  map[string]string `json:"peers"` // base URL of every site's workload, its own included
	Estate string            `json:"estate"`
}

// A Fact is what one site's workload knows of its own copies of one component.
type Fact struct {
	Count   int  `json:"count,omitempty"`   // replicas that live here
	Primary bool `json:"primary,omitempty"` // one of them takes writes
	Standby bool `json:"standby,omitempty"` // one of them could
	Started bool `json:"started,omitempty"` // an action brought it up here as a whole
}

// Facts is what one site tells the others about itself, ten times a second.
type Facts struct {
	Fenced bool            `json:"fenced"`
	Lost   []string        `json:"lost"` // domains in it that lost power
	Facts  map[string]Fact `json:"facts"`
}

const (
	gossipEvery  = 100 * time.Millisecond
	gossipExpiry = 500 * time.Millisecond // a site not heard of for so long is gone

	// patienceOfAct is how long an action puts up with a need that does not answer:
	// what another action has just brought up takes a moment to be heard of.
	patienceOfAct = time.Second
)

// A Workload stands for every server of one site. It hosts the site's replicas of
// every component, and each answers only while the replicas that are reachable
// are enough and everything it needs answers too.
type Workload struct {
	cfg    WorkloadConfig
	snap   *estate.Snapshot
	log    *slog.Logger
	client *http.Client

	mu     sync.Mutex
	own    Facts
	heard  map[string]heard
	up     map[estate.Ref]bool // as of the last round
	parts  map[[2]int]bool
	acts   map[string]*act // by idempotency key
	doing  sync.WaitGroup
	broken map[string]bool // domains that lost power here
}

type heard struct {
	at    time.Time
	facts Facts
}

// An act is one action that was asked for.
type act struct {
	done chan struct{}
	err  error
}

// RunWorkload serves one site until ctx ends. ready is called with the address.
func RunWorkload(ctx context.Context, cfg WorkloadConfig, snap *estate.Snapshot, log *slog.Logger) error {
	w := &Workload{
		cfg: cfg, snap: snap, log: log,
		client: &http.Client{Timeout: gossipExpiry},
		heard:  map[string]heard{}, up: map[estate.Ref]bool{}, parts: map[[2]int]bool{},
		acts: map[string]*act{}, broken: map[string]bool{},
	}
	w.own.Facts = w.born()
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("workload of %s: %w", cfg.Site, err)
	}
	srv := &http.Server{Handler: w.handler(ctx), ReadHeaderTimeout: 5 * time.Second}
	var wg sync.WaitGroup
	wg.Go(func() { w.gossip(ctx) })
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	err = srv.Serve(ln)
	wg.Wait()
	w.doing.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// born returns what stands in the site when it is healthy.
func (w *Workload) born() map[string]Fact {
	facts := map[string]Fact{}
	for i := range w.snap.Components {
		c := &w.snap.Components[i]
		var f Fact
		for _, r := range c.Replicas {
			if w.siteOf(r.In) != w.cfg.Site || w.dark(r.In) {
				continue
			}
			f.Count += r.Count
			f.Primary = f.Primary || r.Role == estate.RolePrimary
			f.Standby = f.Standby || r.Role == estate.RoleStandby
		}
		if f != (Fact{}) {
			facts[c.Name] = f
		}
	}
	return facts
}

func (w *Workload) siteOf(domain int) string {
	if s := w.snap.Domains[domain].Site; s >= 0 {
		return w.snap.Domains[s].Name
	}
	return ""
}

// dark reports whether a domain of this site has lost power.
func (w *Workload) dark(domain int) bool {
	if w.broken[w.snap.Domains[domain].Name] {
		return true
	}
	return !w.met(w.snap.Domains[domain].Needs, func(r estate.Ref) bool { return !w.dark(r.Index) })
}

func (w *Workload) met(n estate.Need, up func(estate.Ref) bool) bool {
	if n.Empty() {
		return true
	}
	if n.Ref != nil {
		return up(*n.Ref)
	}
	got := 0
	for _, o := range n.Of {
		if w.met(o, up) {
			got++
		}
	}
	return got >= n.K
}

// gossip asks the other sites what lives there, and works out what answers here.
func (w *Workload) gossip(ctx context.Context) {
	tick := time.NewTicker(gossipEvery)
	defer tick.Stop()
	for {
		var wg sync.WaitGroup
		for site, url := range w.cfg.Peers {
			if site == w.cfg.Site {
				continue
			}
			wg.Go(func() {
				facts, err := w.ask(ctx, url)
				if err != nil {
					return
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				w.heard[site] = heard{time.Now(), facts}
			})
		}
		wg.Wait()
		w.mu.Lock()
		w.judge(time.Now())
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Workload) ask(ctx context.Context, url string) (Facts, error) {
	var f Facts
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/facts", http.NoBody)
	if err != nil {
		return f, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return f, err
	}
	defer func() { _ = res.Body.Close() }()
	return f, json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&f)
}

// judge works out what answers: all is taken as answering, then whatever cannot
// is taken away until nothing changes.
func (w *Workload) judge(now time.Time) {
	sites := map[string]Facts{w.cfg.Site: w.own}
	for site, h := range w.heard {
		if now.Sub(h.at) < gossipExpiry {
			sites[site] = h.facts
		}
	}
	alive := func(domain int) bool {
		site := w.siteOf(domain)
		f, ok := sites[site]
		if site != "" && !ok {
			return false
		}
		return !w.darkIn(domain, f.Lost)
	}
	up := map[estate.Ref]bool{}
	set := func(k estate.Kind, i int, name string, ok bool) { up[estate.Ref{Kind: k, Index: i, Name: name}] = ok }
	for i := range w.snap.Components {
		c := &w.snap.Components[i]
		set(estate.KindComponent, i, c.Name, w.holds(c, sites))
	}
	for i := range w.snap.Services {
		set(estate.KindService, i, w.snap.Services[i].Name, true)
	}
	for i := range w.snap.Crews {
		set(estate.KindCrew, i, w.snap.Crews[i].Name, true)
	}
	ask := func(r estate.Ref) bool {
		if r.Kind == estate.KindDomain {
			return alive(r.Index)
		}
		return up[r]
	}
	for changed := true; changed; {
		changed = false
		for r, ok := range up {
			if ok && !w.met(w.needOf(r), ask) {
				up[r] = false
				changed = true
			}
		}
	}
	for i := range w.snap.Services {
		s := &w.snap.Services[i]
		core := up[estate.Ref{Kind: estate.KindService, Index: i, Name: s.Name}]
		for j := range s.Parts {
			w.parts[[2]int{i, j}] = core && w.met(s.Parts[j].Needs, ask)
		}
	}
	w.up = up
}

// darkIn reports whether a domain is among lost ones, or needs what is.
func (w *Workload) darkIn(domain int, lost []string) bool {
	if slices.Contains(lost, w.snap.Domains[domain].Name) {
		return true
	}
	return !w.met(w.snap.Domains[domain].Needs, func(r estate.Ref) bool { return !w.darkIn(r.Index, lost) })
}

func (w *Workload) needOf(r estate.Ref) estate.Need {
	switch r.Kind {
	case estate.KindComponent:
		return w.snap.Components[r.Index].Needs
	case estate.KindService:
		return w.snap.Services[r.Index].Needs
	default:
		return w.snap.Crews[r.Index].Needs
	}
}

// holds reports whether the replicas that the sites speak of are enough. What
// stands outside all sites, a carrier or a vendor, is hosted by nobody here: it
// lives unless its domain is lost.
func (w *Workload) holds(c *estate.Component, sites map[string]Facts) bool {
	if len(c.Replicas) == 0 {
		return true
	}
	count, total, writer, standby, started := 0, 0, false, false, false
	for _, r := range c.Replicas {
		total += r.Count
		if w.siteOf(r.In) == "" && !w.dark(r.In) {
			count += r.Count
			writer = writer || r.Role == estate.RolePrimary
			standby = standby || r.Role == estate.RoleStandby
		}
	}
	for _, f := range sites {
		k := f.Facts[c.Name]
		if f.Fenced {
			k.Primary = false
		}
		count += k.Count
		writer = writer || k.Primary
		standby = standby || k.Standby
		started = started || k.Started
	}
	switch {
	case started:
		return true
	case c.Mode == estate.ModeQuorum:
		return 2*count > total
	case c.Mode == estate.ModePrimary:
		return writer || c.Auto && standby
	default:
		return count >= c.AtLeast
	}
}

func (w *Workload) handler(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "ok\n") })
	mux.HandleFunc("GET /facts", func(rw http.ResponseWriter, _ *http.Request) {
		w.mu.Lock()
		f := Facts{Fenced: w.own.Fenced, Lost: slices.Clone(w.own.Lost), Facts: maps.Clone(w.own.Facts)}
		w.mu.Unlock()
		writeJSON(rw, http.StatusOK, f)
	})
	mux.HandleFunc("GET /domain/{domain}", w.serveDomain)
	mux.HandleFunc("GET /component/{name}", func(rw http.ResponseWriter, r *http.Request) {
		w.answer(rw, estate.KindComponent, r.PathValue("name"))
	})
	mux.HandleFunc("GET /service/{name}", func(rw http.ResponseWriter, r *http.Request) {
		w.answer(rw, estate.KindService, r.PathValue("name"))
	})
	mux.HandleFunc("GET /service/{name}/{part}", w.servePart)
	mux.HandleFunc("POST /act/{component}/{action}", func(rw http.ResponseWriter, r *http.Request) { w.serveAct(ctx, rw, r) })
	mux.HandleFunc("GET /act", w.serveCheck)
	mux.HandleFunc("POST /fence", func(rw http.ResponseWriter, _ *http.Request) { w.fence(true); rw.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /release", func(rw http.ResponseWriter, _ *http.Request) { w.fence(false); rw.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /lose/{domain}", w.serveLose)
	return mux
}

func (w *Workload) fence(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.own.Fenced = on
}

// serveLose cuts the power of a domain inside the site.
func (w *Workload) serveLose(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken[r.PathValue("domain")] = true
	w.own.Lost = slices.Sorted(maps.Keys(w.broken))
	w.own.Facts = w.born()
	rw.WriteHeader(http.StatusNoContent)
}

// serveDomain answers for the servers of one domain of the site, as a probe asks.
func (w *Workload) serveDomain(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ref, ok := w.snap.Lookup(estate.KindDomain, r.PathValue("domain"))
	if !ok || w.dark(ref.Index) {
		writeJSON(rw, http.StatusServiceUnavailable, "dark")
		return
	}
	writeJSON(rw, http.StatusOK, "lit")
}

func (w *Workload) answer(rw http.ResponseWriter, k estate.Kind, name string) {
	ref, ok := w.snap.Lookup(k, name)
	if !ok {
		writeJSON(rw, http.StatusNotFound, "no such "+k.String())
		return
	}
	w.mu.Lock()
	up := w.up[ref]
	w.mu.Unlock()
	if !up {
		writeJSON(rw, http.StatusServiceUnavailable, "down")
		return
	}
	writeJSON(rw, http.StatusOK, "up")
}

func (w *Workload) servePart(rw http.ResponseWriter, r *http.Request) {
	ref, ok := w.snap.Lookup(estate.KindService, r.PathValue("name"))
	if !ok {
		writeJSON(rw, http.StatusNotFound, "no such service")
		return
	}
	j := slices.IndexFunc(w.snap.Services[ref.Index].Parts, func(p estate.Part) bool { return p.Name == r.PathValue("part") })
	w.mu.Lock()
	up := w.parts[[2]int{ref.Index, j}]
	w.mu.Unlock()
	if !up {
		writeJSON(rw, http.StatusServiceUnavailable, "down")
		return
	}
	writeJSON(rw, http.StatusOK, "up")
}

// serveAct does an action: it keeps busy for as long as the action takes, and
// then its effect is there. Its needs must answer all the time. The same key is
// the same act, however often it is asked for.
func (w *Workload) serveAct(ctx context.Context, rw http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Idempotency-Key")
	ref, ok := w.snap.Lookup(estate.KindComponent, r.PathValue("component"))
	if !ok || key == "" {
		writeJSON(rw, http.StatusBadRequest, "an act needs a known component and an Idempotency-Key")
		return
	}
	c := &w.snap.Components[ref.Index]
	i := slices.IndexFunc(c.Actions, func(a estate.Action) bool { return a.Name == r.PathValue("action") })
	if i < 0 {
		writeJSON(rw, http.StatusNotFound, "no such action")
		return
	}
	w.mu.Lock()
	a, running := w.acts[key]
	if !running {
		a = &act{done: make(chan struct{})}
		w.acts[key] = a
		w.doing.Go(func() { // goes on when the caller hangs up, as a real act would
			defer close(a.done)
			a.err = w.do(ctx, c, &c.Actions[i])
		})
	}
	w.mu.Unlock()
	select {
	case <-r.Context().Done():
	case <-a.done:
		if a.err != nil {
			writeJSON(rw, http.StatusConflict, a.err.Error())
			return
		}
		writeJSON(rw, http.StatusOK, "done")
	}
}

func (w *Workload) do(ctx context.Context, c *estate.Component, a *estate.Action) error {
	over := time.NewTimer(a.Takes.Likely)
	defer over.Stop()
	tick := time.NewTicker(gossipEvery)
	defer tick.Stop()
	seen := time.Now() // when everything it needs last answered
	for {
		missing := w.missing(c, a)
		switch {
		case missing == "":
			seen = time.Now()
		case time.Since(seen) > patienceOfAct:
			return fmt.Errorf("%s of %s stopped: %s does not answer", a.Name, c.Name, missing)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-over.C:
			w.apply(c, a)
			return nil
		}
	}
}

// missing names something that an action needs and that does not answer.
func (w *Workload) missing(c *estate.Component, a *estate.Action) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := ""
	ask := func(r estate.Ref) bool {
		ok := r.Kind == estate.KindDomain || w.up[r]
		if !ok {
			name = r.Name
		}
		return ok
	}
	if !w.met(a.Needs, ask) || !w.met(c.StartNeeds, ask) {
		return name
	}
	return ""
}

func (w *Workload) apply(c *estate.Component, a *estate.Action) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.own.Facts[c.Name]
	switch {
	case a.Does == estate.DoesPromote && f.Standby:
		f.Primary, f.Standby = true, false
	case c.Mode == estate.ModeAny && a.Adds > 0:
		f.Count += a.Adds
	default:
		f.Started = true
	}
	w.own.Facts[c.Name] = f
}

func (w *Workload) serveCheck(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	a, ok := w.acts[r.Header.Get("Idempotency-Key")]
	w.mu.Unlock()
	if !ok {
		writeJSON(rw, http.StatusNotFound, "not done")
		return
	}
	select {
	case <-a.done:
		if a.err != nil {
			writeJSON(rw, http.StatusNotFound, a.err.Error())
			return
		}
		writeJSON(rw, http.StatusOK, "done")
	default:
		writeJSON(rw, http.StatusAccepted, "running")
	}
}

func writeJSON(rw http.ResponseWriter, code int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	_ = json.NewEncoder(rw).Encode(v)
}
