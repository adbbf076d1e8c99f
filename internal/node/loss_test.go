package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/config"
	"bongsu/web"
)

var three = []string{"north", "south", "east"}

// code is the stable code of an error that the API answered with.
func code(err error) string {
	if e, ok := errors.AsType[*web.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// The whole of it: a site is lost, the two others agree on that, declare it, and
// bring the shop back, each step once.
func TestALostSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, three, fenced)
	w.start(three...)
	w.ready(three...)
	w.push(w.shop())

	// The node first, which may take a while to stop: it is not to learn of its loss.
	if err := w.stop("north"); err != nil {
		t.Fatalf("a node that is told to stop says %v", err)
	}
	w.setDark("north")
	south, east := w.client("south"), w.client("east")
	var inc web.Incident
	eventually(t, "the loss is declared", func(ctx context.Context) error {
		n, err := south.Now(ctx)
		if err != nil {
			return err
		}
		if n.Incident == nil {
			return fmt.Errorf("no incident; sites %+v", n.Sites)
		}
		inc = *n.Incident
		return nil
	})
	if diff := cmp.Diff([]string{"north"}, inc.Lost); diff != "" || inc.State != web.StateDeclared {
		t.Fatalf("incident %+v\n%s", inc, diff)
	}
	run := w.run(south, inc.ID, web.StateDone)
	if want := []string{run.ID + "/shop-app/grow@east#1", run.ID + "/shop-db/promote@south#1"}; !sameSet(w.acts(), want) {
		t.Errorf("done %q, want each once: %q", w.acts(), want)
	}
	for _, s := range run.Steps {
		if s.Node != s.Site {
			t.Errorf("%s takes effect in %s and was done by the node of %s", s.ID, s.Site, s.Node)
		}
	}
	eventually(t, "both others agree", func(ctx context.Context) error {
		a, err := south.Now(ctx)
		if err != nil {
			return err
		}
		b, err := east.Now(ctx)
		if err != nil {
			return err
		}
		for _, n := range []web.Now{a, b} {
			if !n.Quorum.OK || n.Leader == "" || n.Run == nil || n.Run.State != web.StateDone || n.Totals.Down != 0 {
				return fmt.Errorf("as %s sees it: %+v", n.Site, n)
			}
			if i := slices.IndexFunc(n.Sites, func(s web.Site) bool { return s.Name == "north" }); n.Sites[i].State != web.StateLost {
				return fmt.Errorf("%s holds north for %s", n.Site, n.Sites[i].State)
			}
		}
		if diff := cmp.Diff(a.Incident, b.Incident); diff != "" || a.Leader != b.Leader {
			return fmt.Errorf("they differ: leaders %s and %s\n%s", a.Leader, b.Leader, diff)
		}
		return nil
	})

	// What north's node last knew is of before its loss. Alone, it says so, shows
	// that, and changes nothing; and as it cannot know what became of the lease that
	// it held, it fences. Its first start and its orderly stop fenced nothing.
	if slices.Contains(w.done(), "fence:north") {
		t.Errorf("the writers of north were fenced: %q", w.done())
	}
	for _, site := range []string{"south", "east"} {
		if err := w.stop(site); err != nil {
			t.Fatal(err)
		}
	}
	w.start("north")
	north := w.client("north")
	var alone web.Now
	eventually(t, "north shows what it last knew", func(ctx context.Context) (err error) {
		if alone, err = north.Now(ctx); err == nil && alone.Estate.Rev == "" {
			err = errors.New("it knows no estate")
		}
		return err
	})
	if alone.Quorum.OK || alone.Leader != "" || alone.Incident != nil || len(alone.Services) != 1 {
		t.Errorf("alone, north says %+v", alone)
	}
	for _, s := range alone.Sites {
		if s.State != web.StateUnknown {
			t.Errorf("alone, north holds %s for %s: %s", s.Name, s.State, s.Why)
		}
	}
	_, declare := north.Declare(t.Context(), []string{"south"}, "a mistake")
	_, push := north.Push(t.Context(), map[string][]byte{"estate.yaml": []byte(w.shop())}, "a mistake")
	for what, err := range map[string]error{"ping": north.Ping(t.Context()), "declare": declare, "push": push} {
		if code(err) != "no-quorum" {
			t.Errorf("%s without quorum: %v", what, err)
		}
	}

	w.logged("fence:north")

	// One other is a majority again, and north learns what it missed.
	w.start("east")
	eventually(t, "north learns of its own loss", func(ctx context.Context) error {
		n, err := north.Now(ctx)
		if err == nil && (!n.Quorum.OK || n.Incident == nil || n.Incident.ID != inc.ID) {
			err = fmt.Errorf("it says %+v", n)
		}
		return err
	})
	if got := len(w.acts()); got != 2 || slices.Contains(w.done(), "release:north") {
		t.Errorf("after the return: %q, want the 2 acts of before, and north still fenced", w.done())
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// Where the policy wants a person, nothing is declared and nothing runs without one.
func TestAPersonDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t, three, func(_ *world, _ string, c *config.Config) {
		c.Policy.Declare, c.Policy.Approve = config.Confirm, config.Confirm
	})
	w.start(three...)
	w.ready(three...)
	w.push(w.shop())
	w.setDark("north")
	if err := w.stop("north"); err != nil {
		t.Fatal(err)
	}
	c := w.client("south")
	var inc web.Incident
	eventually(t, "the loss is proposed", func(ctx context.Context) error {
		n, err := c.Now(ctx)
		if err == nil && n.Incident == nil {
			err = errors.New("no incident")
		}
		if err == nil {
			inc = *n.Incident
		}
		return err
	})
	if inc.State != web.StateProposed || !slices.Equal(inc.Proposed, []string{"north"}) || inc.Run != "" {
		t.Fatalf("proposed: %+v", inc)
	}
	if _, err := w.client("south", "cli-operator").Do(t.Context(), web.Command{Verb: web.Confirm, Incident: inc.ID, Why: "not mine to say"}); code(err) != "role" {
		t.Errorf("an operator confirms: %v", err)
	}
	if _, err := c.Do(t.Context(), web.Command{Verb: web.Confirm, Incident: inc.ID, Why: "I see the smoke"}); err != nil {
		t.Fatal(err)
	}
	run := w.run(c, inc.ID, web.StateWaiting)
	if n := run.Progress.Running + run.Progress.Done; n != 0 || len(w.acts()) != 0 {
		t.Fatalf("before it was approved: %+v, %q", run.Progress, w.acts())
	}
	if _, err := w.client("east").Do(t.Context(), web.Command{Verb: web.Approve, Run: run.ID, Why: "go"}); err != nil {
		t.Fatal(err)
	}
	run = w.run(c, inc.ID, web.StateDone)
	if len(w.acts()) != 2 {
		t.Errorf("done: %q", w.acts())
	}
	i := slices.IndexFunc(run.Journal, func(e web.Entry) bool { return e.What == "approved" })
	if i < 0 || run.Journal[i].Who != "cli-approver" || run.Journal[i].Why != "go" {
		t.Errorf("journal: %+v", run.Journal)
	}
	for _, e := range run.Journal {
		if i >= 0 && e.Step != "" && e.Rev < run.Journal[i].Rev {
			t.Errorf("before it was approved: %+v", e)
		}
	}
	if _, err := c.Do(t.Context(), web.Command{Verb: web.Close, Incident: inc.ID, Why: "over"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), web.Command{Verb: web.Close, Incident: inc.ID, Why: "again"}); code(err) != "refused" {
		t.Errorf("closed twice: %v", err)
	}
	_, err := c.Declare(t.Context(), []string{"nroth"}, "a slip")
	e, ok := errors.AsType[*web.Error](err)
	if !ok || e.Status != http.StatusUnprocessableEntity || !strings.Contains(e.Message+e.Hint, "north") {
		t.Errorf("an unknown domain is declared: %v", err)
	}
}
