package node_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"bongsu/internal/config"
	"bongsu/web"
)

// fenced gives every site a switch for its writers.
func fenced(w *world, site string, c *config.Config) {
	c.Fence.HTTP, c.Fence.Release.HTTP = w.wards[site]+"/fence", w.wards[site]+"/release"
}

// logged waits until a line is in the log.
func (w *world) logged(line string) {
	w.t.Helper()
	eventually(w.t, line, func(context.Context) error {
		if got := w.done(); !slices.Contains(got, line) {
			return fmt.Errorf("the log has %q", got)
		}
		return nil
	})
}

// A person declares a site lost that is not. Its writers are fenced before its lease
// is given back, and so before anything is promoted; when the declaration is taken
// back they are released.
func TestALivingSiteIsDeclaredLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, three, fenced)
	w.start(three...)
	w.ready(three...)
	w.push(w.shop())
	c := w.client("east")
	id, err := c.Declare(t.Context(), []string{"north"}, "it will be without power in an hour")
	if err != nil {
		t.Fatal(err)
	}
	w.run(c, id, web.StateDone)
	got := w.done()
	if len(got) < 3 || got[0] != "fence:north" || slices.Contains(got, "fence:south") || slices.Contains(got, "release:north") {
		t.Fatalf("the log has %q, want the fence of north alone, first", got)
	}
	if _, err := c.Do(t.Context(), web.Command{Verb: web.Withdraw, Incident: id, Why: "the power stays"}); err != nil {
		t.Fatal(err)
	}
	w.logged("release:north")
}
