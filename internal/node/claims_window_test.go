package node

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/internal/kv"
	"bongsu/status"
)

// The window of an incident that is taken back closes by itself, whether something was said about it or not; that of one
// that ended, and left the page as it was old, runs on, and so does one while control cannot be heard.
func TestWindowsOfWithdrawnIncidents(t *testing.T) {
	ctx := t.Context()
	s := kv.NewMemory()
	b := newBoard("", nil, slog.New(slog.DiscardHandler))
	c := &claims{
		p: &Public{board: b, log: slog.New(slog.DiscardHandler)}, o: &ClaimOptions{Auto: true, Template: claim.DefaultTemplate()},
		office: &claim.Office{Store: s, Ledger: claim.NewKeeper(s, nil)}, seen: outages{store: s, board: b},
	}
	look := func(goodFor time.Duration, told ...status.Incident) {
		t.Helper()
		b.state.Store(&status.State{AsOf: time.Now(), GoodFor: goodFor, Incidents: told})
		for _, do := range []error{c.seen.keep(ctx), c.openWindows(ctx), c.closeWindows(ctx)} {
			if do != nil {
				t.Fatal(do)
			}
		}
	}
	is := func(incident string, want claim.Phase) {
		t.Helper()
		w, err := c.office.Window(ctx, incident)
		if err != nil || w.At(time.Now()) != want {
			t.Errorf("the window of %s is %s, %v; expected %s: %+v", incident, w.At(time.Now()), err, want, w.Changes)
		}
	}
	begun := time.Now().Add(-time.Hour)
	spoken := status.Incident{ID: "spoken", Impact: "major", StartedAt: begun}
	silent := status.Incident{ID: "silent", Impact: "major", StartedAt: begun}
	old := status.Incident{ID: "old", Impact: "major", StartedAt: begun, EndedAt: begun.Add(time.Minute)}
	look(time.Hour, spoken, silent, old)
	spoken.Withdrawn = true
	look(-time.Minute, spoken)
	for _, incident := range []string{"spoken", "silent", "old"} {
		is(incident, claim.Taken)
	}
	look(time.Hour, spoken)
	is("spoken", claim.Over)
	is("silent", claim.Over)
	is("old", claim.Taken)
	if _, err := c.office.Extend(ctx, "silent", time.Now().Add(time.Hour), "kim", "it was one after all"); err != nil {
		t.Fatal(err)
	}
	look(time.Hour, spoken)
	is("silent", claim.Taken)
	w, err := c.office.Window(ctx, "spoken")
	if err != nil || len(w.Changes) != 2 || w.Changes[1].By != "policy" || w.Changes[1].Why != claim.WhyWithdrawn {
		t.Errorf("%+v, %v", w.Changes, err)
	}
}

// A window is public at once: it is opened for incidents that control tells of, or told of before, or that have one.
func TestWindowsOfKnownIncidents(t *testing.T) {
	ctx := t.Context()
	s := kv.NewMemory()
	b := newBoard("", nil, slog.New(slog.DiscardHandler))
	c := &claims{office: &claim.Office{Store: s, Ledger: claim.NewKeeper(s, nil)}, seen: outages{store: s, board: b}}
	c.office.Incidents = c.seen.incidents
	known := func(incident, says string) {
		t.Helper()
		err := c.office.Known(ctx, incident)
		if says == "" && err == nil {
			return
		}
		if says == "" || !errors.Is(err, claim.ErrUnknown) || !errors.Is(err, claim.ErrInput) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", incident, err, says)
		}
	}
	known("20221015-pangyo", "told of none")
	b.state.Store(&status.State{AsOf: time.Now(), Incidents: []status.Incident{{ID: "20221015-pangyo"}}})
	known("20221015-pangyo", "")
	known("20221015-pangio", `did you mean "20221015-pangyo"?`)
	known("nosuch", "the last ones are 20221015-pangyo")
	if err := c.seen.keep(ctx); err != nil {
		t.Fatal(err)
	}
	b.state.Store(&status.State{AsOf: time.Now()})
	known("20221015-pangyo", "") // it left the page
	if _, err := c.office.Prepare(ctx, "ahead", claim.DefaultTemplate(), "kim"); err != nil {
		t.Fatal(err)
	}
	known("ahead", "")
}

// Nothing is served from half a restore.
func TestHalfARestore(t *testing.T) {
	s := kv.NewMemory()
	c := &claims{office: &claim.Office{Store: s}}
	if err := c.whole(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: kv.Restoring, Value: []byte("x")}}}); err != nil {
		t.Fatal(err)
	}
	if err := c.whole(t.Context()); !errors.Is(err, errHalf) {
		t.Errorf("half a restore is served from: %v", err)
	}
}
