package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"bongsu/detect"
	"bongsu/estate"
	"bongsu/incident"
	"bongsu/internal/kv"
	"bongsu/recovery"
	"bongsu/verify"
)

// recordEstate: talk with photos in north, its photos also of south's store; mail in
// south; search lives in both; page wants search.
const recordEstate = `
kind: Domain
name: north
type: site
operator: North Power
---
kind: Domain
name: south
type: site
---
kind: Domain
name: west
type: site
---
{kind: Component, name: talk-app, replicas: [{in: north}], actions: [{name: start, does: start, at: south, takes: 3m}]}
---
{kind: Component, name: media, replicas: [{in: north}], actions: [{name: start, does: start, at: west, takes: 9m}]}
---
{kind: Component, name: mail-app, replicas: [{in: south}], actions: [{name: start, does: start, at: west, takes: 5m}]}
---
{kind: Component, name: extras, replicas: [{in: north}]}
---
{kind: Service, name: talk, users: 1000, needs: [talk-app], parts: [{name: photos, share: 0.2, needs: [media]}]}
---
{kind: Service, name: mail, users: 500, needs: [mail-app]}
---
{kind: Service, name: page, users: 100, needs: [west], wants: [extras]}
---
{kind: Probe, name: mail-west, in: west, of: service/mail, tcp: "127.0.0.1:1"}
`

// A desk is a scribe with a store in memory, and what a run and probes tell it.
type notebook struct {
	*testing.T
	scribe  *scribe
	store   kv.Store
	snap    *estate.Snapshot
	view    recovery.RunView
	sights  []detect.Observation
	id      string
	started time.Time
}

func newNotebook(t *testing.T) *notebook {
	t.Helper()
	snap, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(recordEstate)}})
	if err != nil {
		t.Fatal(err)
	}
	d := &notebook{T: t, store: kv.NewMemory(), snap: snap, started: time.Now().UTC().Add(-time.Hour).Truncate(time.Second)}
	d.replace(d.store)
	return d
}

// replace lets another leader take over, with a store of its own view.
func (d *notebook) replace(s kv.Store) {
	d.scribe = &scribe{
		store: s, signed: &seals{}, log: slog.New(slog.DiscardHandler), policy: detect.Policy{Hold: time.Second, Observers: 1},
		snapshot: func(context.Context, string) (*estate.Snapshot, error) { return d.snap, nil },
		run:      func(context.Context, string) (recovery.RunView, error) { return d.view, nil },
		observed: func() []detect.Observation { return d.sights },
	}
}

func (d *notebook) at(minutes int) time.Time {
	return d.started.Add(time.Duration(minutes) * time.Minute)
}

func (d *notebook) declare(minute int, domains ...string) {
	d.Helper()
	i, err := incident.Declare(d.Context(), d.store, incident.Request{Domains: domains, By: "kim", Why: "fire", LostAt: d.at(minute)})
	if err != nil {
		d.Fatal(err)
	}
	d.id = i.ID
}

// look lets the leader look once, and returns the record.
func (d *notebook) look() incident.Record {
	d.Helper()
	if err := d.tryLook(); err != nil {
		d.Fatal(err)
	}
	return d.record()
}

func (d *notebook) tryLook() error {
	all, err := incident.List(d.Context(), d.store)
	if err != nil {
		return err
	}
	d.scribe.last = time.Time{}
	return d.scribe.keep(d.Context(), known{snapshot: d.snap, incidents: all})
}

func (d *notebook) record() incident.Record {
	d.Helper()
	r, err := incident.LoadRecord(d.Context(), d.store, d.id)
	if err != nil {
		d.Fatal(err)
	}
	return r
}

// want compares the intervals, in minutes from the start.
func (d *notebook) want(what string, r incident.Record, want ...string) {
	d.Helper()
	got := []string{}
	for _, v := range r.Intervals {
		to := "now"
		if !v.To.IsZero() {
			to = fmt.Sprint(int(v.To.Sub(d.started).Minutes()))
		}
		name := strings.TrimSuffix(v.Service+"/"+v.Part, "/")
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %d-%s %s %s", name, v.Condition, int(v.From.Sub(d.started).Minutes()), to, v.Source, v.Ended)))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		d.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// ran makes the view of a run whose steps ended at these minutes.
func (d *notebook) ran(lost []string, ended map[string]int) {
	d.Helper()
	if _, err := incident.AttachRun(d.Context(), d.store, d.id, "run-1", incident.ByPolicy); err != nil {
		d.Fatal(err)
	}
	minutes := func(n int) *time.Duration { t := time.Duration(n) * time.Minute; return &t }
	d.view = recovery.RunView{Run: recovery.Run{ID: "run-1", Incident: d.id, Lost: lost, LostAt: d.started, State: recovery.RunRunning}}
	for id, at := range ended {
		d.view.Steps = append(d.view.Steps, recovery.StepView{Step: recovery.Step{ID: id, Does: "start"}, State: recovery.StepDone, Ended: minutes(at)})
	}
	d.view.Services = []recovery.ServiceView{
		{Service: recovery.Service{
			Name: "talk", State: "recoverable", UpAt: minutes(3), Needs: []string{"talk-app/start@south"},
			Parts: []recovery.ServicePart{{Name: "photos", State: "recoverable", UpAt: minutes(9), Needs: []string{"media/start@west", "talk-app/start@south"}}},
		}},
		{Service: recovery.Service{Name: "page", State: "degraded", UpAt: minutes(0)}},
	}
}

func TestTheLeaderKeepsTheRecord(t *testing.T) {
	d := newNotebook(t)
	d.declare(0, "north")
	r := d.look()
	fallen := []string{"talk down 0-now impact", "talk/photos down 0-now impact", "page degraded 0-now impact"}
	d.want("after the loss", r, fallen...)
	if len(r.Bases) != 1 || r.Bases[0].Of != 2 {
		t.Errorf("progress counts against %+v, want the 2 services that are affected", r.Bases)
	}
	if diff := cmp.Diff([]incident.Fault{{Domain: "north", Operator: "North Power"}}, r.Faults); diff != "" {
		t.Errorf("fault (-want +got):\n%s", diff)
	}
	have := len(r.Entries)
	d.replace(d.store) // another leader
	if r = d.look(); len(r.Entries) != have {
		t.Errorf("a new leader wrote again: %+v", r.Entries[have:])
	}

	d.ran([]string{"north"}, map[string]int{"talk-app/start@south": 12})
	r = d.look()
	d.want("talk is back", r, "talk down 0-12 impact run", "talk/photos down 0-now impact", "page degraded 0-now impact")
	have = len(r.Entries)
	if r = d.look(); len(r.Entries) != have {
		t.Errorf("it wrote again: %+v", r.Entries[have:])
	}

	// A person knows better; no later look computes it away.
	if _, err := incident.SetChanges(t.Context(), d.store, d.id, []incident.Change{
		{Service: "talk", Part: "photos", Condition: incident.Up, At: d.at(20), Source: incident.FromPerson},
	}, "lee", "I sent one"); err != nil {
		t.Fatal(err)
	}
	d.ran([]string{"north"}, map[string]int{"talk-app/start@south": 12, "media/start@west": 30})
	r = d.look()
	d.want("a person corrected the photos", r, "talk down 0-12 impact run", "talk/photos down 0-20 impact person", "page degraded 0-now impact")

	d.view.State, d.view.Ended = recovery.RunDone, d.at(31)
	r = d.look()
	d.want("the run is over", r, "talk down 0-12 impact run", "talk/photos down 0-20 impact person", "page degraded 0-31 impact run")
	if _, err := incident.Close(t.Context(), d.store, d.id, "kim", "over"); err != nil {
		t.Fatal(err)
	}
	have = len(d.record().Entries)
	if r = d.look(); len(r.Entries) != have {
		t.Errorf("it wrote into what is over: %+v", r.Entries[have:])
	}
}

func TestOverlappingLosses(t *testing.T) {
	d := newNotebook(t)
	d.declare(0, "north")
	d.look()
	d.ran([]string{"north"}, map[string]int{"talk-app/start@south": 12})
	d.look()
	// South is lost too, with what has come back there.
	d.declare(20, "south")
	r := d.look()
	d.want("the run does not know of it yet", r, "talk down 0-12 impact run", "talk/photos down 0-now impact", "page degraded 0-now impact", "mail down 20-now impact")
	d.ran([]string{"north", "south"}, map[string]int{})
	d.view.Services[0].Needs = []string{"talk-app/start@west"}
	r = d.look()
	d.want("what had come back went down again", r, "talk down 0-12 impact run", "talk down 20-now impact", "talk/photos down 0-now impact", "page degraded 0-now impact", "mail down 20-now impact")
	if n := len(r.Bases); n != 2 || r.Bases[1].Was != 2 || r.Bases[1].Of != 3 || !strings.Contains(r.Bases[1].Why, "north, south") {
		t.Errorf("the base: %+v", r.Bases)
	}
	// South was a cable. What was computed from its loss is taken back, the rest stays.
	if _, err := incident.Withdraw(t.Context(), d.store, d.id, []string{"south"}, "kim", "a cable"); err != nil {
		t.Fatal(err)
	}
	d.ran([]string{"north"}, map[string]int{"talk-app/start@south": 12})
	r = d.look()
	for _, v := range r.Intervals {
		if v.Service == "mail" {
			t.Errorf("mail was never down: %+v", v)
		}
	}
	if n := len(r.Bases); r.Bases[n-1].Of != 2 {
		t.Errorf("the base after the withdrawal: %+v", r.Bases)
	}
	have := len(r.Entries)
	if r = d.look(); len(r.Entries) != have {
		t.Errorf("it wrote again: %+v", r.Entries[have:])
	}
}

func TestProbesDecide(t *testing.T) {
	d := newNotebook(t)
	see := func(ok bool, since int) {
		d.sights = []detect.Observation{{Observer: "west", Target: "mail-west", Domain: "west", OK: ok, Since: d.at(since)}}
	}
	see(false, 2)
	d.declare(0, "south")
	d.want("the loss says so, and the probe", d.look(), "mail down 0-now impact")
	d.ran([]string{"south"}, map[string]int{})
	zero := time.Duration(0)
	d.view.Services = []recovery.ServiceView{{Service: recovery.Service{Name: "mail", State: "recoverable", UpAt: &zero}}}
	d.want("the run says that it is back, the probe does not", d.look(), "mail down 0-now impact")
	see(true, 14)
	d.want("the probe sees it", d.look(), "mail down 0-14 impact probe")
	see(false, 20)
	r := d.look()
	d.want("it fails again", r, "mail down 0-14 impact probe", "mail down 20-now probe")
	d.sights = nil
	have := len(r.Entries)
	if r = d.look(); len(r.Entries) > have+1 {
		t.Errorf("nobody looks any more: %+v", r.Entries[have:])
	}
}

// TestALeaderDiesInBetween stops the leader at every commit: whoever goes on ends with
// the record that one leader alone would have written.
func TestALeaderDiesInBetween(t *testing.T) {
	story := func(d *notebook) {
		d.declare(0, "north", "south")
		d.ran([]string{"north", "south"}, map[string]int{"talk-app/start@south": 12})
	}
	whole := newNotebook(t)
	story(whole)
	want := whole.look()
	for after := range 10 {
		d := newNotebook(t)
		d.started = whole.started
		story(d)
		mortal := &dying{Store: d.store, left: after}
		d.replace(mortal)
		err := d.tryLook()
		if err == nil {
			if after == 0 {
				t.Fatal("a leader without a commit finished")
			}
			break
		}
		d.replace(d.store)
		got := d.look()
		if diff := cmp.Diff(want.Intervals, got.Intervals); diff != "" {
			t.Errorf("died after %d commits (-alone +two leaders):\n%s", after, diff)
		}
		if len(got.Entries) != len(want.Entries) || len(got.Bases) != 1 || len(got.Faults) != 1 {
			t.Errorf("died after %d commits: %d entries, alone %d", after, len(got.Entries), len(want.Entries))
		}
	}
}

// dying is a store whose leader dies: a number of commits succeed, and the next one is
// written but the answer never comes.
type dying struct {
	kv.Store
	left int
}

func (d *dying) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if d.left == 0 {
		if _, err := d.Store.Commit(ctx, t); err != nil {
			return 0, err
		}
		d.left--
		return 0, kv.ErrUnavailable
	}
	if d.left < 0 {
		return 0, kv.ErrUnavailable
	}
	d.left--
	return d.Store.Commit(ctx, t)
}

// TestExportIsEvidence exports what leaders wrote and signed, and tampers with it.
func TestExportIsEvidence(t *testing.T) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "bongsu-record.test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	d := newNotebook(t)
	d.scribe.signer = signer
	d.declare(0, "north")
	for n := range 4 {
		d.look()
		d.look() // the second sees what the first wrote, and signs it
		if _, err := incident.AddNote(t.Context(), d.store, d.id, incident.ActNote, "kim", fmt.Sprint("note ", n)); err != nil {
			t.Fatal(err)
		}
	}
	d.look()
	made, err := incident.ExportRecord(t.Context(), d.store, d.id, vkey)
	if err != nil {
		t.Fatal(err)
	}
	text := func(e incident.Export) []byte {
		t.Helper()
		b, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	r, err := verify.CheckRecord(text(made), verify.RecordOptions{Key: vkey})
	if err != nil || !r.Valid {
		t.Fatalf("%+v, %v", r, err)
	}
	if len(made.Checkpoints) < 3 {
		t.Fatalf("%d checkpoints", len(made.Checkpoints))
	}
	for name, tamper := range map[string]func(e *incident.Export){
		"a name":               func(e *incident.Export) { e.Entries[0] = bytes.Replace(e.Entries[0], []byte("kim"), []byte("lee"), 1) },
		"two change places":    func(e *incident.Export) { e.Entries[0], e.Entries[1] = e.Entries[1], e.Entries[0] },
		"the first is gone":    func(e *incident.Export) { e.Entries = e.Entries[1:] },
		"the last is gone":     func(e *incident.Export) { e.Entries = e.Entries[:len(e.Entries)-1] },
		"one is twice":         func(e *incident.Export) { e.Entries = slices.Insert(e.Entries, 1, e.Entries[1]) },
		"another incident":     func(e *incident.Export) { e.Incident += "x" },
		"no checkpoint":        func(e *incident.Export) { e.Checkpoints = nil },
		"a checkpoint's size":  func(e *incident.Export) { e.Checkpoints[0] = strings.Replace(e.Checkpoints[0], "\n", "\n1", 1) },
		"a proof is gone":      func(e *incident.Export) { e.Proofs = e.Proofs[1:] },
		"a checkpoint is gone": func(e *incident.Export) { e.Checkpoints = e.Checkpoints[1:] },
		"no key":               func(e *incident.Export) { e.Key = "" },
	} {
		e := made
		e.Entries, e.Checkpoints, e.Proofs = slices.Clone(made.Entries), slices.Clone(made.Checkpoints), slices.Clone(made.Proofs)
		tamper(&e)
		r, err := verify.CheckRecord(text(e), verify.RecordOptions{Key: vkey})
		if err != nil || r.Valid || len(r.Wrong) == 0 || len(r.Proved) > 0 {
			t.Errorf("%s: %+v, %v; want it found", name, r, err)
		}
	}
	// What was signed stays signed: a record that continues an earlier export is told
	// from one that does not.
	if _, err := incident.AddNote(t.Context(), d.store, d.id, incident.ActNote, "kim", "later"); err != nil {
		t.Fatal(err)
	}
	d.look()
	newer, err := incident.ExportRecord(t.Context(), d.store, d.id, vkey)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := verify.CheckRecord(text(newer), verify.RecordOptions{Earlier: text(made)}); err != nil || !r.Valid {
		t.Errorf("a later export: %+v, %v", r, err)
	}
	if r, err := verify.CheckRecord(text(made), verify.RecordOptions{Earlier: text(newer)}); err != nil || r.Valid {
		t.Errorf("an export without what was signed since: %+v, %v", r, err)
	}
}

// TestSettleStopsOnError: what cannot be written is told, not looped over.
func TestSettleStopsOnError(t *testing.T) {
	d := newNotebook(t)
	d.declare(0, "north")
	d.replace(&dying{Store: d.store, left: -1})
	if err := d.tryLook(); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
