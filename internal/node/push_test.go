package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bongsu/incident"
	"bongsu/internal/config"
	"bongsu/internal/kv"
	"bongsu/status"
	"bongsu/web"
)

// publicOf is the public side of the same sites as a world of control nodes.
func publicOf(w *world) *square {
	s := &square{
		t: w.t, sites: w.sites, made: w.made, push: map[string]string{}, pages: w.made.Pages, desks: map[string]string{},
		nodes: map[string]*running{}, sent: &sink{},
	}
	for i, site := range w.sites {
		s.push[site] = w.pushes[i]
	}
	s.client = s.as(filepath.Join(filepath.Dir(w.made.Files[w.sites[0]]), "tls"))
	w.t.Cleanup(func() {
		for _, r := range s.nodes {
			r.cancel()
		}
		for _, r := range s.nodes {
			<-r.ended
		}
	})
	return s
}

// incidentAt waits until the page of a site tells of an incident that ok accepts.
func (s *square) incidentAt(site string, limit time.Duration, what string, ok func(*status.Incident) error) {
	s.t.Helper()
	within(s.t, limit, what, func(ctx context.Context) error {
		st, err := s.state(ctx, site)
		switch {
		case err != nil:
			return err
		case st.State.Stale(time.Now()):
			return fmt.Errorf("what it knows is stale: as of %s for %s", st.State.AsOf, st.State.GoodFor)
		case len(st.State.Incidents) == 0:
			return errors.New("it tells of no incident")
		}
		return ok(&st.State.Incidents[0])
	})
}

// A site is lost with its control node and its public node. Nobody does anything: the
// page of another site says so within a minute, and in the end that it is back. The
// leader is stopped as well, and another one goes on.
func TestTheFirstWordNeedsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, three, func(w *world, _ string, c *config.Config) {
		c.Public.Nodes, c.Public.FirstWord, c.Public.Pulse, c.Public.GoodFor = w.pushes, config.Auto, 500*time.Millisecond, 20*time.Second
	})
	s := publicOf(w)
	s.start(three...)
	w.start(three...)
	w.ready(three...)
	w.push(w.shop())
	within(t, patience, "the page shows the services", func(ctx context.Context) error {
		st, err := s.state(ctx, "south")
		if err == nil && (st.State.Stale(time.Now()) || len(st.State.Catalog.Services) == 0) {
			err = fmt.Errorf("it knows %+v", st.State.Catalog)
		}
		return err
	})

	lost := time.Now()
	if err := w.stop("north"); err != nil {
		t.Fatal(err)
	}
	s.stop("north")
	w.setDark("north")
	s.incidentAt("south", time.Minute, "the first word", func(i *status.Incident) error {
		if len(i.Updates) == 0 {
			return errors.New("it says nothing about it")
		}
		return nil
	})
	t.Logf("from the loss to the first public word: %v", time.Since(lost).Round(100*time.Millisecond))
	s.incidentAt("east", 20*time.Second, "the other site says it too", func(i *status.Incident) error {
		if len(i.Updates) != 1 || !strings.Contains(i.Updates[0].Body["ko"], "문제가 확인되어") {
			return fmt.Errorf("it says %+v", i.Updates)
		}
		return nil
	})
	inc := status.Incident{}
	s.incidentAt("south", patience, "it is back", func(i *status.Incident) error {
		inc = *i
		if len(i.Board) == 0 || slices.ContainsFunc(i.Board, func(l status.Line) bool { return l.Level != status.Operational }) {
			return fmt.Errorf("the board: %+v", i.Board)
		}
		return nil
	})
	if inc.Progress == nil || inc.Progress.Back != inc.Progress.Of || inc.Progress.Of == 0 {
		t.Errorf("progress %+v", inc.Progress)
	}

	// A person's word, by two. How soon is BenchmarkPublish's question.
	id := inc.ID
	store := w.store("south", "east")
	u, err := incident.Draft(t.Context(), store, id, incident.Update{Phase: "monitoring", Body: map[string]string{"ko": "돌아왔습니다"}}, "kim")
	if err != nil {
		t.Fatal(err)
	}
	if err := incident.Publish(t.Context(), store, id, u.ID, "kim", ""); !errors.Is(err, incident.ErrApproval) {
		t.Errorf("who drafted published: %v", err)
	}
	if err := incident.Publish(t.Context(), store, id, u.ID, "lee", ""); err != nil {
		t.Fatal(err)
	}
	s.says(20*time.Second, 2, "south", "east")

	// The public side has seen later revisions than control, as after a restore.
	if _, err := store.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: "status/base", Value: []byte(`{"v":1,"base":1000000}`)}}}); err != nil {
		t.Fatal(err)
	}
	s.pushedFrom(1_000_000)
	if _, err := store.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: "status/base", Delete: true}}}); err != nil {
		t.Fatal(err)
	}
	if u, err = incident.Draft(t.Context(), store, id, incident.Update{Phase: "resolved", Body: map[string]string{"ko": "끝"}}, "kim"); err != nil {
		t.Fatal(err)
	}
	if err := incident.Publish(t.Context(), store, id, u.ID, "lee", ""); err != nil {
		t.Fatal(err)
	}
	s.says(20*time.Second, 3, "south", "east")
}

// says waits until sites tell of so many updates.
func (s *square) says(limit time.Duration, updates int, sites ...string) {
	s.t.Helper()
	for _, site := range sites {
		s.incidentAt(site, limit, fmt.Sprintf("%s says %d things", site, updates), func(i *status.Incident) error {
			if len(i.Updates) != updates {
				return fmt.Errorf("it says %d", len(i.Updates))
			}
			return nil
		})
	}
}

// pushedFrom waits until the public side has documents beyond a revision.
func (s *square) pushedFrom(rev int64) {
	s.t.Helper()
	within(s.t, 20*time.Second, "later revisions", func(ctx context.Context) error {
		st, err := s.state(ctx, "south")
		if err == nil && st.State.Rev < rev {
			err = fmt.Errorf("its revision is %d", st.State.Rev)
		}
		return err
	})
}

// Where policy wants a person, the word is drafted by the time that the loss is known.
func TestADraftOfTheFirstWordWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, three, func(w *world, _ string, c *config.Config) {
		c.Public.Nodes, c.Policy.Declare = w.pushes, config.Confirm
	})
	w.start(three...)
	w.ready(three...)
	w.push(w.shop())
	if err := w.stop("east"); err != nil {
		t.Fatal(err)
	}
	w.setDark("east")
	lost := time.Now()
	south := w.client("south")
	eventually(t, "the loss is proposed", func(ctx context.Context) error {
		n, err := south.Now(ctx)
		if err == nil && (n.Incident == nil || n.Incident.State != web.State(incident.Proposed)) {
			err = errors.New("nothing is proposed")
		}
		return err
	})
	store := w.store("south", "north")
	within(t, patience, "a draft", func(ctx context.Context) error {
		all, err := incident.List(ctx, store)
		if err != nil || len(all) == 0 {
			return errors.Join(err, errors.New("there is no incident"))
		}
		r := incident.RecordOf(all[0])
		if len(r.Updates) != 1 || r.Updates[0].DraftedBy != incident.ByPolicy || !r.Updates[0].SentAt.IsZero() {
			return fmt.Errorf("updates: %+v", r.Updates)
		}
		return nil
	})
	all, err := incident.List(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	// By the entries themselves: a busy machine makes the test slow to look.
	entries := all[0].Entries
	drafted := slices.IndexFunc(entries, func(e incident.Entry) bool { return e.Act == incident.ActDraft })
	took := entries[drafted].At.Sub(entries[0].At)
	t.Logf("proposed %v after the loss, drafted %v later", entries[0].At.Sub(lost).Round(100*time.Millisecond), took.Round(10*time.Millisecond))
	if took > 10*time.Second {
		t.Errorf("a draft was ready %v after the loss was known, want 10 s", took)
	}
}
