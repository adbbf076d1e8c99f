package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"bongsu/audit"
	"bongsu/internal/config"
	"bongsu/web"
)

// audited waits until a node shows the audit of a revision.
func (w *world) audited(c *web.Client, number int64) *audit.History {
	w.t.Helper()
	var h *audit.History
	eventually(w.t, fmt.Sprintf("revision %d is audited", number), func(ctx context.Context) error {
		var err error
		if h, err = c.Audit(ctx, audit.Choice{}); err != nil {
			return err
		}
		if last, ok := h.Last(); !ok || last.Number < number {
			return fmt.Errorf("the last audit is of revision %d", last.Number)
		}
		return nil
	})
	return h
}

// After each push the leader audits the estate: the history says which revision opened
// and which fixed what. A leader that is stopped in between is followed by one that
// goes on where it was, and no revision is audited twice.
func TestPushIsAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, three, func(_ *world, _ string, c *config.Config) {
		c.Policy.Declare = config.Confirm // a node that is stopped is no site that is lost
	})
	w.start(three...)
	w.ready(three...)
	const tool = "tool-single-site/-/dc-switch"
	whole := "{kind: Component, name: dc-switch, tool: true, replicas: [{in: south}, {in: east}]}\n---\n" + w.shop()
	apart := strings.Replace(whole, "[{in: south}, {in: east}]", "[{in: north}]", 1)
	client := w.client("south")
	push := func(c *web.Client, text, why string) int64 {
		t.Helper()
		var r web.Revision
		eventually(t, "the estate is pushed", func(ctx context.Context) (err error) { // a push that is repeated makes no second revision
			r, err = c.Push(ctx, map[string][]byte{"estate.yaml": []byte(text)}, why)
			return err
		})
		return r.Number
	}
	push(client, whole, "the test begins")
	first := w.audited(client, 1)
	if len(first.Audits) != 1 || first.Audits[0].Who != "cli-approver" || len(first.Losses) != 3 || len(first.Services) != 1 {
		t.Fatalf("audits %+v, losses %v, %d services", first.Audits, first.Losses, len(first.Services))
	}
	if slices.ContainsFunc(first.Standing, func(f audit.Held) bool { return f.ID == tool }) {
		t.Fatalf("%s stands before it is so", tool)
	}
	second := push(client, apart, "the tool moves to the north")
	h := w.audited(client, second)
	i := slices.IndexFunc(h.Standing, func(f audit.Held) bool { return f.ID == tool })
	if i < 0 || h.Standing[i].Opened.Number != second || h.Standing[i].Opened.Who != "cli-approver" || h.Audits[1].Opened == 0 {
		t.Fatalf("%s is not opened by revision %d: %+v", tool, second, h.Audits)
	}

	// The leader stops as soon as the next one is pushed: the audit is under way, or
	// not begun, or just written.
	var leader string
	eventually(t, "somebody leads", func(ctx context.Context) error {
		now, err := client.Now(ctx)
		if leader = now.Leader; err == nil && leader == "" {
			err = errors.New("nobody")
		}
		return err
	})
	others := slices.DeleteFunc(slices.Clone(three), func(s string) bool { return s == leader })
	client = w.client(others[0])
	third := push(client, whole, "the tool is in two sites again")
	if err := w.stop(leader); err != nil {
		t.Fatal(err)
	}
	h = w.audited(client, third)
	i = slices.IndexFunc(h.Fixed, func(f audit.Held) bool { return f.ID == tool })
	if i < 0 || h.Fixed[i].Opened.Number != second || h.Fixed[i].Fixed.Number != third {
		t.Fatalf("%s is not fixed by revision %d: %+v", tool, third, h.Fixed)
	}
	var numbers []int64
	for _, a := range h.Audits {
		numbers = append(numbers, a.Number)
	}
	if !slices.Equal(numbers, []int64{1, second, third}) {
		t.Errorf("revisions %v were audited", numbers)
	}
	for _, f := range h.Standing {
		if f.Opened.Number != 1 {
			t.Errorf("%s stood from the beginning, and is said to be opened by revision %d", f.ID, f.Opened.Number)
		}
	}
}
