package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/internal/kv"
	"bongsu/settle"
)

// jobPrefix + ID: what every node of the public side knows of a piece of work, wherever it is done.
const jobPrefix = "desk/job/"

// resultPrefix + ID: what came of it. Pages list work without it.
const resultPrefix = "desk/result/"

// Bounds on what is kept of work.
const (
	jobBeat    = 2 * time.Second    // how often a node says how far its work is
	jobSilent  = 30 * time.Second   // after so long without a word it was cut off
	jobAge     = 7 * 24 * time.Hour // how long it is known what came of it
	mostResult = 512 << 10          // bytes of a result; a larger one is known to the node that has it
)

// A storedJob is a piece of work as it is kept, version 1.
type storedJob struct {
	V        int       `json:"v"`
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Incident string    `json:"incident,omitempty"`
	By       string    `json:"by"`
	May      Duties    `json:"may"`
	Begun    time.Time `json:"begun"`
	Total    int       `json:"total,omitempty"`
	Done     int       `json:"done"`
	Beat     time.Time `json:"beat"` // when its node last said so
	Ended    time.Time `json:"ended,omitzero"`
	Large    bool      `json:"large,omitempty"` // what came of it is too large to be kept
	Problem  *problem  `json:"problem,omitempty"`
}

// record is what is known of a job now, and what came of it; nil: nothing yet, or nothing that is kept.
func (j *job) record(now time.Time) (r storedJob, result []byte, err error) {
	p := j.At(now)
	r = storedJob{1, j.ID, j.Kind, j.Incident, j.By, j.May, j.Begun, j.Total, p.Done, now, time.Time{}, false, p.Problem}
	if !p.Over {
		return r, nil, nil
	}
	r.Ended = j.Begun.Add(p.Took)
	if p.Problem != nil {
		return r, nil, nil
	}
	if result, err = json.Marshal(p.Result); len(result) > mostResult {
		r.Large, result = true, nil
	}
	return r, result, err
}

// row is a kept piece of work as pages show it, with what came of it where that is given.
func (r *storedJob) row(now time.Time, result []byte) (jobRow, error) {
	j := &job{ID: r.ID, Kind: r.Kind, Incident: r.Incident, By: r.By, May: r.May, Begun: r.Begun, Total: r.Total}
	p := progress{Done: r.Done, Over: !r.Ended.IsZero(), Took: now.Sub(r.Begun), Problem: r.Problem}
	var err error
	switch {
	case p.Over && r.Large:
		p.Problem = problemOf(errElsewhere)
	case p.Over:
		p.Took = r.Ended.Sub(r.Begun)
		if result != nil {
			p.Result, err = resultOf(r.Kind, result)
		}
	case now.Sub(r.Beat) > jobSilent:
		p.Over, p.Took, p.Problem = true, r.Beat.Sub(r.Begun), problemOf(errCutOff)
	}
	return jobRow{j, p}, err
}

// resultOf reads what came of work of a kind.
func resultOf(kind string, text []byte) (any, error) {
	switch {
	case kind == "whatif":
		return read[*compared](text)
	case kind == "preview", kind == "decide":
		return read[preview](text)
	case kind == "grant":
		return read[settle.Granted](text)
	case kind == "draft":
		return read[settle.Batch](text)
	case strings.HasPrefix(kind, "unasked-"):
		return read[handout](text)
	}
	return read[int](text)
}

func read[T any](text []byte) (any, error) {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("read what came of work: %w", err)
	}
	return v, nil
}

// keep writes down how far a job is, for the other nodes. Where that fails the work goes on: it is known here. fresh is when it
// is about to begin: what is known by then is newer.
func (s *Server) keep(ctx context.Context, j *job, fresh bool) {
	if s.o.Store == nil {
		return
	}
	r, result, err := j.record(s.o.Now())
	if err == nil {
		var value []byte
		if value, err = json.Marshal(r); err == nil {
			t := kv.Txn{Do: []kv.Op{{Key: jobPrefix + j.ID, Value: value}}}
			if result != nil {
				t.Do = append(t.Do, kv.Op{Key: resultPrefix + j.ID, Value: result})
			}
			if fresh {
				t.If = []kv.Cond{{Key: jobPrefix + j.ID}}
			}
			_, err = s.o.Store.Commit(ctx, t)
		}
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, kv.ErrConflict) {
		s.o.Log.Warn("other nodes do not know how far work is", "kind", j.Kind, "err", err)
	}
}

// beat keeps a job until it is over.
func (s *Server) beat(ctx context.Context, j *job) {
	t := time.NewTicker(jobBeat)
	defer t.Stop()
	for {
		select {
		case <-j.done:
			s.keep(ctx, j, false)
			return
		case <-t.C:
			s.keep(ctx, j, false)
		}
	}
}

// kept are the pieces of work that nodes have told of, the newest first.
func (s *Server) kept(ctx context.Context) ([]storedJob, error) {
	if s.o.Store == nil {
		return nil, nil
	}
	all, _, err := s.o.Store.List(ctx, jobPrefix)
	if err != nil {
		return nil, fmt.Errorf("list work: %w", err)
	}
	out := make([]storedJob, 0, len(all))
	for _, e := range all {
		r, err := storedJobOf(e)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b storedJob) int { return b.Begun.Compare(a.Begun) })
	return out, nil
}

func storedJobOf(e kv.Entry) (storedJob, error) {
	var r storedJob
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", e.Key, err)
	}
	if r.V != 1 {
		return r, fmt.Errorf("read %s: version %d is not known, update this program", e.Key, r.V)
	}
	return r, nil
}

// forget drops what is known of work that is long over, and of more than is kept.
func (s *Server) forget(ctx context.Context) error {
	all, err := s.kept(ctx)
	var t kv.Txn
	for i := range all {
		if i >= jobsKept || s.o.Now().Sub(all[i].Begun) > jobAge {
			t.Do = append(t.Do, kv.Op{Key: jobPrefix + all[i].ID, Delete: true}, kv.Op{Key: resultPrefix + all[i].ID, Delete: true})
		}
	}
	if err != nil || len(t.Do) == 0 {
		return err
	}
	_, err = s.o.Store.Commit(ctx, t)
	return err
}

// elsewhere is a job of another node, or of this one before it was started anew.
func (s *Server) elsewhere(ctx context.Context, id string) (jobRow, error) {
	if s.o.Store == nil {
		return jobRow{}, errJobGone
	}
	e, ok, err := s.o.Store.Get(ctx, jobPrefix+id)
	switch {
	case err != nil:
		return jobRow{}, err
	case !ok:
		return jobRow{}, errJobGone
	}
	r, err := storedJobOf(e)
	if err != nil {
		return jobRow{}, errors.Join(errJobGone, err)
	}
	if r.Ended.IsZero() || r.Large || r.Problem != nil {
		return r.row(s.o.Now(), nil)
	}
	switch e, ok, err = s.o.Store.Get(ctx, resultPrefix+id); {
	case err != nil:
		return jobRow{}, err
	case !ok: // forgotten meanwhile
		return jobRow{}, errJobGone
	}
	return r.row(s.o.Now(), e.Value)
}
