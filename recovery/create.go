package recovery

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/internal/kv"
)

// NewRun is what [Create] needs.
type NewRun struct {
	ID       string // empty picks one; creating the same ID twice is a kv.ErrConflict
	Spec     Spec
	Incident string
	LostAt   time.Time // time zero of the plan
	Scope    Scope     // empty means real
	By       By
	Approved bool // it starts at once; otherwise it waits for [Approve]
}

// Create writes a new run. Nothing is done before the leader's [Conductor] sees it.
func Create(ctx context.Context, s kv.Store, n NewRun) (Run, error) {
	if err := n.Spec.Check(nil); err != nil {
		return Run{}, err
	}
	if strings.TrimSpace(n.By.Who) == "" {
		return Run{}, errors.New("say who starts the run")
	}
	now := time.Now().UTC().Round(0)
	if n.LostAt.IsZero() || n.LostAt.After(now) {
		n.LostAt = now
	}
	r := Run{
		ID:    cmp.Or(n.ID, now.Format("20060102-150405")+"-"+strings.ToLower(rand.Text()[:4])),
		State: RunWaiting, Scope: n.Scope, Incident: n.Incident,
		Estate: n.Spec.Estate, Lost: n.Spec.Lost, LostAt: n.LostAt.UTC().Round(0),
		Created: now, By: n.By, Plan: 1,
		Plans: []Made{{At: now, Why: "the first plan", Steps: len(n.Spec.Steps), Objective: n.Spec.Objective}},
	}
	if r.Scope == "" {
		r.Scope = ScopeReal
	}
	entries := []Entry{{At: now, Who: n.By.Who, What: "created", Why: n.By.Why}}
	if n.Approved {
		r.State, r.Started = RunRunning, now
		entries = append(entries, Entry{At: now, Who: n.By.Who, What: "approved", Why: n.By.Why})
	}
	ops, err := planOps(r.ID, 1, n.Spec)
	if err != nil {
		return Run{}, err
	}
	// Nothing is written over the plan of a run that exists, and the run begins only
	// with the plan that was written for it.
	t := kv.Txn{If: []kv.Cond{{Key: runKey(r.ID)}}}
	for _, op := range ops {
		rev, err := s.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: runKey(r.ID)}}, Do: []kv.Op{op}})
		if err != nil {
			return Run{}, fmt.Errorf("write the plan of run %s: %w", r.ID, err)
		}
		t.If = append(t.If, kv.Cond{Key: op.Key, Modified: rev})
	}
	head, err := put(runKey(r.ID), storedRun{V: 1, Run: r})
	if err != nil {
		return Run{}, err
	}
	log, err := newScribe(n.By.Who).op(r.ID, entries)
	if err != nil {
		return Run{}, err
	}
	t.Do = []kv.Op{head, log}
	if _, err := s.Commit(ctx, t); err != nil {
		return Run{}, fmt.Errorf("write run %s: %w", r.ID, err)
	}
	return r, nil
}

// Check says what is wrong with a plan: it must be possible to carry it out to its
// end. known are steps of earlier plans that its steps may come after.
func (s *Spec) Check(known map[string]bool) error {
	if len(s.Steps) == 0 && known == nil {
		return errors.New("the plan has no steps: there is nothing to run")
	}
	capacity := map[string]int{}
	for _, c := range s.Capacity {
		capacity[c.Name] = c.Count
	}
	byID := map[string]*Step{}
	for i := range s.Steps {
		st := &s.Steps[i]
		if st.ID == "" {
			return errors.New("the plan has a step without an ID")
		}
		if byID[st.ID] != nil {
			return fmt.Errorf("the plan has two steps %q", st.ID)
		}
		byID[st.ID] = st
		if args, err := json.Marshal(st.Args); err != nil || len(args) > maxChunk {
			return fmt.Errorf("the arguments of step %s do not fit into a record of %d bytes (%d bytes, %v): keep large content in a file of the node", st.ID, maxChunk, len(args), err)
		}
		for _, u := range st.Uses {
			if have, limited := capacity[u.Name]; limited && u.Count > have {
				return fmt.Errorf("step %s can never start: it takes %d of %s, which has %d", st.ID, u.Count, u.Name, have)
			}
		}
	}
	const visiting, fine = 1, 2
	mark := map[string]int{}
	var visit func(st *Step, path []string) error
	visit = func(st *Step, path []string) error {
		path = append(path, st.ID)
		if mark[st.ID] == visiting {
			return fmt.Errorf("steps wait for each other: %s", strings.Join(path[slices.Index(path, st.ID):], " waits for "))
		}
		if mark[st.ID] == fine {
			return nil
		}
		mark[st.ID] = visiting
		for _, id := range st.After {
			next := byID[id]
			if next == nil {
				if known[id] {
					continue
				}
				return fmt.Errorf("step %s comes after %q, which the plan does not have", st.ID, id)
			}
			if err := visit(next, path); err != nil {
				return err
			}
		}
		mark[st.ID] = fine
		return nil
	}
	for i := range s.Steps {
		if err := visit(&s.Steps[i], nil); err != nil {
			return err
		}
	}
	return nil
}
