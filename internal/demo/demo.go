package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/plan"
	"bongsu/web"
)

// Options are what a demo shows.
type Options struct {
	Name   string // of the estate, for people
	Estate *estate.Snapshot
	Lose   []string
	Speed  float64       // how many times faster than life; 0 picks one
	After  time.Duration // how long everything runs before the loss
	Keep   bool          // stay until ctx ends, for the browser
	Self   string        // the bongsu binary
	Out    io.Writer     // results
	Talk   io.Writer     // progress
	Colour bool
}

// An Outcome is how a demo ended.
type Outcome int

// The outcomes of a demo.
const (
	AllBack           Outcome = iota
	SomeUnrecoverable         // all that is recoverable is back, something is not recoverable
	NotTold                   // all that is recoverable is back, and the public was told otherwise or nothing
	NotBack                   // something recoverable did not come back
)

const (
	probeEvery  = 20 * time.Millisecond  // of the first accepted write
	userEvery   = 100 * time.Millisecond // between two requests to one service
	aim         = 18 * time.Second       // how long the recovery should take at automatic speed
	patience    = 90 * time.Second       // after which a demo that hangs is called failed
	settleAfter = 1500 * time.Millisecond
)

// A demo is one running demonstration.
type demo struct {
	o        Options
	speed    float64
	dir      string
	sites    []string
	lostSite map[string]bool
	urls     map[string]string // workloads by site
	consoles map[string]string // nodes by site
	pages    map[string]string // public nodes by site
	nodes    map[string]*group
	loads    map[string]*group
	publics  map[string]*group
	token    string
	voters   []string
	leader   string // before the loss
	asked    map[string]bool
	user     string
	password string
	http     *http.Client
	screen   *screen
	titles   map[string]*estate.Service
	users    *Users
	lostAt   time.Time
	release  []func() // the ports
}

// Run shows one loss and the recovery from it, on this machine, with real
// processes. It leaves no process and no file behind, whatever happens.
func Run(ctx context.Context, o Options) (Outcome, error) {
	im, err := impact.Of(o.Estate, o.Lose)
	if err != nil {
		return NotBack, err
	}
	p := plan.For(im, plan.Options{})
	if len(o.Lose) == 0 {
		return NotBack, errors.New("nothing is to be lost: name at least one domain")
	}
	d := &demo{
		o: o, speed: o.Speed, lostSite: map[string]bool{}, titles: map[string]*estate.Service{},
		urls: map[string]string{}, consoles: map[string]string{}, nodes: map[string]*group{}, loads: map[string]*group{}, publics: map[string]*group{},
		http: &http.Client{Timeout: 2 * time.Second}, asked: map[string]bool{},
	}
	if d.speed <= 0 {
		d.speed = AutoSpeed(p, aim)
	}
	for i := range o.Estate.Services {
		d.titles[o.Estate.Services[i].Name] = &o.Estate.Services[i]
	}
	for i := range o.Estate.Domains {
		if o.Estate.Domains[i].Site == i {
			d.sites = append(d.sites, o.Estate.Domains[i].Name)
			d.lostSite[o.Estate.Domains[i].Name] = slices.Contains(im.LostDomains, i)
		}
	}
	if len(d.sites) < 3 {
		return NotBack, fmt.Errorf("a demo needs an estate of three sites or more, this one has %d: two cannot tell which of them is cut off", len(d.sites))
	}
	d.screen = newScreen(o, d.titles)
	if d.dir, err = os.MkdirTemp("", "bongsu-demo-"); err != nil {
		return NotBack, err
	}
	defer d.clean()
	return d.run(ctx, im)
}

// clean ends every process, removes every file, and gives the ports back.
func (d *demo) clean() {
	var wg sync.WaitGroup
	for _, g := range d.all() {
		wg.Go(g.kill)
	}
	wg.Wait()
	for _, release := range d.release {
		release()
	}
	if err := os.RemoveAll(d.dir); err != nil {
		fmt.Fprintf(d.o.Talk, "bongsu: warning: %v\n", err)
	}
}

func (d *demo) all() []*group {
	var all []*group
	for _, site := range d.sites {
		for _, g := range []*group{d.nodes[site], d.loads[site], d.publics[site]} {
			if g != nil {
				all = append(all, g)
			}
		}
	}
	return all
}

// living are the processes of the sites that are not to be lost.
func (d *demo) living() []*group {
	var all []*group
	for _, site := range d.sites {
		if !d.lostSite[site] {
			all = append(all, d.nodes[site], d.loads[site], d.publics[site])
		}
	}
	return all
}

func (d *demo) run(ctx context.Context, im *impact.Impact) (Outcome, error) {
	began := time.Now()
	if err := d.start(ctx); err != nil {
		return NotBack, err
	}
	d.screen.ready(d, time.Since(began))

	usersCtx, stopUsers := context.WithCancel(ctx)
	defer stopUsers()
	var sites []string
	for _, s := range d.sites {
		sites = append(sites, d.urls[s])
	}
	d.users = NewUsers(d.o.Estate, sites, d.screen.changed)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopUsers()
	wg.Go(func() { d.users.Run(usersCtx, userEvery) })

	if !sleep(ctx, d.o.After) {
		return NotBack, ctx.Err()
	}
	d.lose(ctx)
	var firstWrite time.Duration
	wg.Go(func() { firstWrite = d.firstWrite(usersCtx) })
	var seen told
	wg.Go(func() { seen = d.readPages(usersCtx) })
	run, err := d.follow(ctx, im)
	if err != nil {
		return NotBack, err
	}
	wrong, silent := "", ""
	if d.screen.declared() {
		wrong = d.agree(ctx)
	} else {
		silent = d.unknown(ctx)
	}
	if ctx.Err() != nil {
		return NotBack, ctx.Err()
	}
	stopUsers()
	wg.Wait()
	seen.wrong = wrong
	outcome := d.report(im, run, firstWrite, seen, silent)
	if d.o.Keep {
		d.screen.keep(d)
		<-ctx.Done()
	}
	return outcome, nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// lose kills what is in the lost domains, as hard as a fire does.
func (d *demo) lose(ctx context.Context) {
	d.lostAt = time.Now()
	killed := slices.ContainsFunc(d.sites, func(site string) bool { return d.lostSite[site] })
	d.screen.lost(d.o.Lose, killed, d.lostAt)
	for _, site := range d.sites {
		if d.lostSite[site] {
			d.nodes[site].kill()
			d.loads[site].kill()
			d.publics[site].kill()
		}
	}
	for _, name := range d.o.Lose { // a hall, a feed, a carrier: the sites live on without it
		for _, site := range d.sites {
			if !d.lostSite[site] {
				if err := d.post(ctx, d.urls[site]+"/lose/"+name); err != nil && ctx.Err() == nil {
					fmt.Fprintf(d.o.Talk, "bongsu: warning: %v\n", err)
				}
			}
		}
	}
}

func (d *demo) post(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := d.http.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// firstWrite tries writes on every surviving node until one is accepted, and
// returns how long after the loss it was.
func (d *demo) firstWrite(ctx context.Context) time.Duration {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first time.Duration
	)
	for _, site := range d.sites {
		if d.lostSite[site] {
			continue
		}
		wg.Go(func() {
			c, err := d.client(site)
			if err != nil {
				return
			}
			for ctx.Err() == nil {
				try, done := context.WithTimeout(ctx, 250*time.Millisecond)
				err := c.Ping(try)
				done()
				if err == nil {
					mu.Lock()
					if first == 0 {
						first = time.Since(d.lostAt)
						d.screen.wrote(site, first)
					}
					mu.Unlock()
					cancel()
					return
				}
				sleep(ctx, probeEvery)
			}
		})
	}
	wg.Wait()
	return first
}

// client speaks to the node of a site.
func (d *demo) client(site string) (*web.Client, error) {
	return web.NewClient(web.ClientOptions{URL: d.consoles[site], Token: d.token})
}

// now asks the surviving nodes in turn for the whole picture.
func (d *demo) now(ctx context.Context) (web.Now, *web.Client, error) {
	var last error
	for _, site := range d.sites {
		if d.lostSite[site] && !d.lostAt.IsZero() {
			continue
		}
		c, err := d.client(site)
		if err != nil {
			return web.Now{}, nil, err
		}
		n, err := c.Now(ctx)
		if err == nil {
			return n, c, nil
		}
		last = err
	}
	return web.Now{}, nil, last
}

// follow watches until nothing more can come back, and shows what happens.
func (d *demo) follow(ctx context.Context, im *impact.Impact) (*web.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	expected := map[Subject]bool{}
	for i, s := range im.Services {
		if s.State != impact.Unrecoverable {
			expected[Subject{Service: s.Ref.Name}] = true
		}
		for j, p := range s.Parts {
			if p.State != impact.Unrecoverable {
				expected[Subject{s.Ref.Name, d.o.Estate.Services[i].Parts[j].Name}] = true
			}
		}
	}
	var run *web.Run
	var quietSince time.Time
	for {
		n, c, err := d.now(ctx)
		if err == nil {
			d.screen.follow(n)
			d.answer(ctx, n, c)
			if n.Run != nil {
				if r, err := c.Run(ctx, n.Run.ID); err == nil {
					run = &r
					d.screen.run(&r)
				}
			}
		}
		for _, g := range d.living() {
			if err := g.died(); err != nil {
				return run, err
			}
		}
		over := run != nil && (run.State == web.StateDone || run.State == web.StateFailed || run.State == web.StateAborted)
		missing := slices.ContainsFunc(d.users.Down(), func(s Subject) bool { return expected[s] })
		nothing := len(im.Runnable()) == 0 && time.Since(d.lostAt) > 10*time.Second
		switch {
		case !over && !nothing:
			quietSince = time.Time{}
		case quietSince.IsZero():
			quietSince = time.Now()
		case !missing && time.Since(quietSince) > settleAfter, time.Since(quietSince) > 3*settleAfter:
			return run, nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return run, nil // the table says what is missing
			}
			return run, ctx.Err()
		}
	}
}

// answer stands in for the people whom a recovery asks: those who do a step by
// hand, and those who decide where bongsu must not.
func (d *demo) answer(ctx context.Context, n web.Now, c *web.Client) {
	for _, w := range n.Waiting {
		if w.Step == "" || d.asked[w.Step] || !slices.Contains(w.Can, web.Confirm) {
			continue
		}
		d.asked[w.Step] = true
		if _, err := c.Do(ctx, web.Command{Verb: web.Confirm, Run: w.Run, Step: w.Step, Why: "the demo stands in for the person on duty"}); err == nil {
			d.screen.answered(w)
		}
	}
}

// writeWorkload writes what one site's workload is told.
func (d *demo) writeWorkload(site, estateDir string) (string, error) {
	cfg := WorkloadConfig{Site: site, Listen: strings.TrimPrefix(d.urls[site], "http://"), Peers: d.urls, Estate: estateDir}
	text, err := json.Marshal(cfg)
	if err != nil {
		return "", err
	}
	path := filepath.Join(d.dir, "workload-"+site+".json")
	return path, os.WriteFile(path, text, 0o600)
}
