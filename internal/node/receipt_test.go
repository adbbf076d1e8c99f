package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/status"
)

func newKey(t *testing.T) (note.Signer, note.Verifier) {
	t.Helper()
	private, public, err := note.GenerateKey(nil, "control")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}

func signed(t *testing.T, rev int64, at time.Time, by note.Signer) string {
	t.Helper()
	d, err := status.Make(status.KeyPulse, rev, at, status.Pulse{GoodFor: time.Minute, Holds: map[string]string{}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := status.Sign(d, by)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A public node stands where anybody may break in. What it says of revisions is believed
// when we have signed it, and never else: one lie would silence control for good.
func TestOnlyWhatWeSignedRaisesOurRevisions(t *testing.T) {
	t.Parallel()
	ours, _ := newKey(t)
	theirs, _ := newKey(t)
	now := time.Now()
	lie := held{Key: status.KeyPulse, Rev: math.MaxInt64 - 1, At: now}
	for name, c := range map[string]struct {
		newest string
		want   int64
	}{
		"only a number":           {"", 0},
		"signed by somebody else": {signed(t, math.MaxInt64-1, now, theirs), 0},
		"signed by us":            {signed(t, 5000, now, ours), 5000},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(w).Encode(receipt{Older: []held{lie}, Newest: c.newest})
		}))
		tl := &teller{Node: &Node{log: slog.New(slog.DiscardHandler)}, resign: make(chan int64, 1)}
		tl.o.Tell.Signer = ours
		p := &courier{teller: tl, client: srv.Client(), url: srv.URL, has: map[string]string{}}
		if err := p.send(t.Context(), []string{"x"}, nil); err == nil {
			t.Errorf("%s: a conflict is no error", name)
		}
		srv.Close()
		var got int64
		select {
		case got = <-tl.resign:
		default:
		}
		if got != c.want {
			t.Errorf("%s: control counts on from %d, want %d", name, got, c.want)
		}
	}
}

// What a public node names fills no log.
func TestALongReceiptIsToldShort(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(receipt{Missing: strings.Fields(strings.Repeat(strings.Repeat("k", 1000)+" ", 2000))})
	}))
	defer srv.Close()
	p := &courier{teller: &teller{Node: &Node{log: slog.New(slog.DiscardHandler)}}, client: srv.Client(), url: srv.URL, has: map[string]string{}}
	err := p.send(t.Context(), []string{"x"}, nil)
	if err == nil || len(err.Error()) > 600 || !strings.Contains(err.Error(), "2000") {
		t.Errorf("%.700v", err)
	}
	if !p.complains() || p.complains() {
		t.Error("a node is complained about once, and then not for a minute")
	}
	p.warned = p.warned.Add(-complainEvery)
	if !p.complains() {
		t.Error("after a minute it may be complained about again")
	}
}

// A pulse of later than now would keep what is old for fresh: it is refused, what it came
// with is shown, and whoever pushed is told.
func TestAPublicNodeRefusesAPulseFromTheFuture(t *testing.T) {
	t.Parallel()
	ours, known := newKey(t)
	now := time.Now()
	b := newBoard("", note.VerifierList(known), slog.New(slog.DiscardHandler))
	open := func(text string) item {
		d, err := status.Open([]byte(text), b.known)
		if err != nil {
			t.Fatal(err)
		}
		return item{d, []byte(text)}
	}
	if taken, _, _ := b.put(open(signed(t, 9, now.Add(2*time.Hour), ours))); taken != 0 || !b.State().Stale(now) {
		t.Errorf("it was taken: as of %s", b.State().AsOf)
	}
	taken, _, _ := b.put(open(signed(t, 7, now, ours)))
	if taken != 1 || b.State().Stale(now) {
		t.Errorf("one of now was not: as of %s", b.State().AsOf)
	}
	_, _, older := b.put(open(signed(t, 6, now, ours)))
	if d, err := status.Open([]byte(b.newest(older)), b.known); err != nil || d.Rev != 7 {
		t.Errorf("what is newer is not shown as it was signed: %+v %v", d, err)
	}

	p := &Public{o: PublicOptions{Site: "north", Known: b.known}, log: b.log, board: b}
	body, err := json.Marshal(delivery{[]string{signed(t, 10, now.Add(2*time.Hour), ours)}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	p.receive(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, pushPath, bytes.NewReader(body)))
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "clock") {
		t.Errorf("whoever pushed is told %s", fmt.Sprint(w.Code, " ", w.Body))
	}
}

// One incident that cannot be read keeps the first word of no other back.
func TestOneBadIncidentHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), kv.NewMemory()
	good, err := incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"})
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{log: slog.New(slog.DiscardHandler), cache: &cache{}}
	n.cache.known = known{snapshot: &estate.Snapshot{}, incidents: []incident.Incident{{ID: "nowhere"}, good}}
	n.o.Tell.First = true
	tl := &teller{Node: n, lead: &alive{}, store: s, first: map[string]bool{}}
	if err := tl.firstWords(ctx); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("of what cannot be read it says %v", err)
	}
	r, err := incident.LoadRecord(ctx, s, good.ID)
	if err != nil || len(r.Updates) != 1 || r.Updates[0].SentAt.IsZero() {
		t.Errorf("the first word of the other waits: %+v %v", r.Updates, err)
	}
}

// A run that cannot be read keeps nothing back but how far it is.
func TestARunThatCannotBeReadHoldsUpNoWord(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), kv.NewMemory()
	i, err := incident.Declare(ctx, s, incident.Request{Domains: []string{"pangyo"}, By: "kim"})
	if err == nil {
		_, err = incident.AttachRun(ctx, s, i.ID, "run1", incident.ByPolicy)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{log: slog.New(slog.DiscardHandler), cache: &cache{}}
	n.cache.known = known{snapshot: &estate.Snapshot{}}
	n.o.Tell.Page.GoodFor = time.Minute
	n.o.Tell.Signer, _ = newKey(t)
	tl := &teller{Node: n, lead: &alive{}, store: unreadable{s, "run1"}, told: map[string]parcel{}}
	all, err := tl.compose(ctx)
	if err == nil || !strings.Contains(err.Error(), "run1") || !slices.ContainsFunc(all, func(p parcel) bool { return p.key == status.KeyIncident+i.ID }) {
		t.Errorf("told %d documents, and %v", len(all), err)
	}
}

// unreadable is a store in which what has a word in its key cannot be read.
type unreadable struct {
	kv.Store

	word string
}

func (u unreadable) Get(ctx context.Context, key string) (kv.Entry, bool, error) {
	if strings.Contains(key, u.word) {
		return kv.Entry{}, false, kv.ErrUnavailable
	}
	return u.Store.Get(ctx, key)
}

func (u unreadable) List(ctx context.Context, prefix string) ([]kv.Entry, int64, error) {
	if strings.Contains(prefix, u.word) {
		return nil, 0, kv.ErrUnavailable
	}
	return u.Store.List(ctx, prefix)
}
