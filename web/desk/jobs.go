package desk

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds on work in the background.
const (
	jobsAtOnce = 2
	jobsKept   = 50 // with their results, the newest
	jobsWait   = 20
)

// A job is work that takes longer than a page. It lives in this process, which tells the others how far it is: all that is
// started here can be repeated, so one that a restart cut off is started again.
type job struct {
	ID       string
	Kind     string // decide, flag, grant, whatif
	Key      string // one job of a key at a time
	Incident string
	By       string
	May      Duties // who may look at it
	Begun    time.Time
	Total    int // 0: not known

	run  func(ctx context.Context, progress func(done int)) (any, error)
	done chan struct{}

	mu     sync.Mutex
	count  int
	ended  time.Time
	result any
	err    error
}

// jobs are those of this process, the newest first.
type jobs struct {
	mu    sync.Mutex
	list  []*job
	queue chan *job
}

func newJobs() jobs { return jobs{queue: make(chan *job, jobsWait)} }

// Run does the work that pages start, until ctx ends, and waits for what it began.
func (s *Server) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range jobsAtOnce {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case j := <-s.jobs.queue:
					s.work(ctx, j)
				}
			}
		})
	}
	wg.Wait()
	return nil
}

func (s *Server) work(ctx context.Context, j *job) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.beat(context.WithoutCancel(ctx), j) })
	defer close(j.done)
	var result any
	err := func() (err error) {
		defer func() { // one page's work must not end the node
			if p := recover(); p != nil {
				err = fmt.Errorf("the work broke: %v", p)
			}
		}()
		result, err = j.run(ctx, func(done int) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.count = max(j.count, done)
		})
		return err
	}()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended, j.result, j.err = s.o.Now(), result, err
	if err != nil {
		s.o.Log.Warn("work of the desk failed", "kind", j.Kind, "incident", j.Incident, "err", err)
	}
}

// start begins a job, or returns the one of the same key that has not ended.
func (s *Server) start(ctx context.Context, j *job) (*job, error) {
	began, err := s.queue(j)
	if err == nil && began == j {
		s.keep(ctx, j, true)
		if err := s.forget(ctx); err != nil {
			s.o.Log.Warn("what came of old work is not forgotten", "err", err)
		}
	}
	return began, err
}

func (s *Server) queue(j *job) (*job, error) {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	for _, old := range s.jobs.list {
		if old.Key == j.Key && !old.over() {
			return old, nil
		}
	}
	j.ID, j.Begun, j.done = rand.Text(), s.o.Now(), make(chan struct{})
	select {
	case s.jobs.queue <- j:
	default:
		return nil, errBusy
	}
	s.jobs.list = slices.Insert(s.jobs.list, 0, j)
	for i := len(s.jobs.list) - 1; i > 0 && len(s.jobs.list) > jobsKept; i-- {
		if s.jobs.list[i].over() {
			s.jobs.list = slices.Delete(s.jobs.list, i, i+1)
		}
	}
	return j, nil
}

// here are the jobs of this process, the newest first.
func (s *Server) here() []*job {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	return slices.Clone(s.jobs.list)
}

// job returns a job that the account may look at, as it is now, wherever it is done.
func (c *call) job() (jobRow, error) {
	id, list := c.r.PathValue("id"), c.s.here()
	var row jobRow
	if i := slices.IndexFunc(list, func(j *job) bool { return j.ID == id }); i >= 0 {
		row = jobRow{list[i], list[i].At(c.s.o.Now())}
	} else {
		var err error
		if row, err = c.s.elsewhere(c.r.Context(), id); err != nil {
			return row, err
		}
	}
	if row.May&c.rights.Claims == 0 {
		return jobRow{}, errRights
	}
	return row, nil
}

// mostJobs is how many jobs a page lists.
const mostJobs = 10

// jobsOf are those of the last jobs whose kind begins so.
func (c *call) jobsOf(incident, kind string) ([]jobRow, error) {
	rows, err := c.rowsOfJobs(incident)
	return slices.DeleteFunc(rows, func(r jobRow) bool { return !strings.HasPrefix(r.Kind, kind) }), err
}

// rowsOfJobs are the last jobs of an incident that the account may look at.
func (c *call) rowsOfJobs(incident string) ([]jobRow, error) {
	now := c.s.o.Now()
	var out []jobRow
	for _, j := range c.s.here() {
		out = append(out, jobRow{j, j.At(now)})
	}
	kept, err := c.s.kept(c.r.Context())
	if err != nil {
		return nil, err
	}
	for i := range kept {
		if slices.ContainsFunc(out, func(r jobRow) bool { return r.ID == kept[i].ID }) {
			continue
		}
		row, err := kept[i].row(now, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	out = slices.DeleteFunc(out, func(r jobRow) bool { return r.Incident != incident || r.May&c.rights.Claims == 0 })
	slices.SortStableFunc(out, func(a, b jobRow) int { return b.Begun.Compare(a.Begun) })
	return out[:min(len(out), mostJobs)], nil
}

func (j *job) over() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// A progress is how far a job is, at one moment.
type progress struct {
	Done    int
	Over    bool
	Took    time.Duration
	Result  any
	Problem *problem
}

// At says how far the job is.
func (j *job) At(now time.Time) progress {
	over := j.over()
	j.mu.Lock()
	defer j.mu.Unlock()
	p := progress{Done: j.count, Over: over, Took: now.Sub(j.Begun)}
	if over {
		p.Took = j.ended.Sub(j.Begun)
		p.Result = j.result
		if j.err != nil {
			p.Problem = problemOf(j.err)
		}
	}
	return p
}

// follow leads to a job: to its result at once, if it is there within a moment.
func (c *call) follow(j *job) error {
	t := time.NewTimer(soon)
	defer t.Stop()
	select {
	case <-j.done:
	case <-t.C:
	case <-c.r.Context().Done():
	}
	return c.to("/jobs/"+j.ID, "")
}

// soon is how long a page waits for its work before it shows how far it is.
const soon = 1500 * time.Millisecond
