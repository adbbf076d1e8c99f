package demo

import (
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bongsu/estate"
)

// A Subject is a service, or one part of one, as users see it.
type Subject struct {
	Service string
	Part    string // empty: the service itself, its core
}

// A Change is a subject that stopped or began to answer.
type Change struct {
	Subject
	Up bool
	At time.Time // of the first request that was answered otherwise than before
}

// A Tally counts what users asked of one subject.
type Tally struct {
	Asked, Failed int
	Changes       []Change
	Up            bool

	other int       // answers in a row that were otherwise than Up
	since time.Time // the first of them
}

// steady is how many answers in a row make a change: for a moment two sites may
// see a third one differently.
const steady = 3

// Users ask every service and every part all the time, at every site in turn, as
// people behind a load balancer do: a request fails when no site answers it.
type Users struct {
	sites   []string // base URLs
	client  *http.Client
	changed func(Change)

	mu      sync.Mutex
	tallies map[Subject]*Tally
}

// NewUsers makes the users of an estate. changed is called, one call at a time,
// for every subject that stops or begins to answer.
func NewUsers(snap *estate.Snapshot, sites []string, changed func(Change)) *Users {
	u := &Users{
		sites: sites, changed: changed, tallies: map[Subject]*Tally{},
		client: &http.Client{Timeout: time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	for i := range snap.Services {
		s := &snap.Services[i]
		u.tallies[Subject{Service: s.Name}] = &Tally{Up: true}
		for _, p := range s.Parts {
			u.tallies[Subject{s.Name, p.Name}] = &Tally{Up: true}
		}
	}
	return u
}

// Run asks until ctx ends, each subject every so often.
func (u *Users) Run(ctx context.Context, every time.Duration) {
	var wg sync.WaitGroup
	for subject := range u.tallies {
		wg.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for n := 0; ; n++ {
				u.ask(ctx, subject, n)
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	wg.Wait()
	u.client.CloseIdleConnections()
}

// ask sends one request, beginning at site n and going on to the next ones while
// it cannot be reached: a site that answers "down" has answered.
func (u *Users) ask(ctx context.Context, s Subject, n int) {
	path := "/service/" + s.Service
	if s.Part != "" {
		path += "/" + s.Part
	}
	at := time.Now()
	up := false
	for i := range u.sites {
		code, err := u.send(ctx, u.sites[(n+i)%len(u.sites)]+path)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			up = code == http.StatusOK
			break
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.tallies[s]
	t.Asked++
	if !up {
		t.Failed++
	}
	if t.Up == up {
		t.other = 0
		return
	}
	if t.other++; t.other == 1 {
		t.since = at
	}
	if t.other == steady {
		t.Up, t.other = up, 0
		c := Change{Subject: s, Up: up, At: t.since}
		t.Changes = append(t.Changes, c)
		u.changed(c)
	}
}

func (u *Users) send(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := u.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
	return res.StatusCode, res.Body.Close()
}

// Subjects returns all that users ask for, in order.
func (u *Users) Subjects() []Subject {
	return slices.SortedFunc(maps.Keys(u.tallies), bySubject) // the keys never change
}

func bySubject(a, b Subject) int {
	return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Part, b.Part))
}

// Tally returns what was counted for a subject so far.
func (u *Users) Tally(s Subject) Tally {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := *u.tallies[s]
	t.Changes = slices.Clone(t.Changes)
	return t
}

// Down returns the subjects that do not answer now.
func (u *Users) Down() []Subject {
	u.mu.Lock()
	defer u.mu.Unlock()
	var down []Subject
	for s, t := range u.tallies {
		if !t.Up {
			down = append(down, s)
		}
	}
	slices.SortFunc(down, bySubject)
	return down
}
