package incident_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/incident"
	"bongsu/internal/kv"
)

// fixture reads entries that some version wrote.
func fixture(t testing.TB, version string) []kv.Entry {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", version, "entries.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []kv.Entry
	for line := range bytes.Lines(text) {
		out = append(out, kv.Entry{Key: fmt.Sprintf("incident/20221015-063000-pangyo/%06d", len(out)+1), Value: bytes.TrimSpace(line)})
	}
	return out
}

// TestStoredVersions reads what every version wrote.
func TestStoredVersions(t *testing.T) {
	for version, want := range map[string]string{
		"v1": "closed lostAt 06:29:54 run run-1 lost pangyo; 0 intervals, 0 bases, 0 roles, 0 updates, 0 calls, 1 notes, 0 done, 0 faults",
		"v2": "closed lostAt 06:27:00 run  lost pangyo; 2 intervals, 1 bases, 1 roles, 2 updates, 1 calls, 1 notes, 1 done, 1 faults",
	} {
		all, err := incident.Fold(fixture(t, version))
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %v, %v", version, all, err)
		}
		r := incident.RecordOf(all[0])
		got := fmt.Sprintf("%s lostAt %s run %s lost %s; %d intervals, %d bases, %d roles, %d updates, %d calls, %d notes, %d done, %d faults",
			r.State, r.LostAt.Format(time.TimeOnly), r.Run, strings.Join(r.Lost, ","), len(r.Intervals), len(r.Bases), len(r.Roles), len(r.Updates), len(r.Calls), len(r.Notes), len(r.Done), len(r.Faults))
		if got != want {
			t.Errorf("%s: %s\nwant %s", version, got, want)
		}
	}
}

// TestWrittenIsTheFixture writes what version 2 wrote: the bytes are hashed, so they
// must not change by accident.
func TestWrittenIsTheFixture(t *testing.T) {
	entries := fixture(t, "v2")
	all, err := incident.Fold(entries)
	if err != nil {
		t.Fatal(err)
	}
	for n, e := range all[0].Entries {
		if diff := cmp.Diff(string(entries[n].Value), string(stored(n, e).Value)); diff != "" {
			t.Errorf("entry %d (-fixture +now):\n%s", n+1, diff)
		}
	}
}

// FuzzFold decodes what may stand in a store: it is folded or refused, and a record that
// comes of it is sound.
func FuzzFold(f *testing.F) {
	for _, version := range []string{"v1", "v2"} {
		for _, e := range fixture(f, version) {
			f.Add(e.Value)
		}
	}
	f.Add([]byte(`{"v":2,"at":"2022-10-15T06:31:03Z","by":"policy","act":"fault"}`))
	f.Add([]byte(`{"v":2,"at":"2022-10-15T06:31:03Z","by":"policy","act":"draft"}`))
	f.Add([]byte(`{"v":2,"act":"call"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		base := fixture(t, "v2")[:3]
		all, err := incident.Fold(append(base, kv.Entry{Key: "incident/20221015-063000-pangyo/000004", Value: value}))
		if err != nil {
			return
		}
		r := incident.RecordOf(all[0])
		sound(t, 0, len(r.Entries), r)
		p := incident.DefaultPolicy()
		now := time.Date(2022, 10, 15, 12, 0, 0, 0, time.UTC)
		incident.Clocks(p, &r, kakao(), now)
		if _, err := incident.Letters(p, &r, kakao(), now); err != nil {
			t.Error(err)
		}
		r.UserMinutes(kakao(), now)
		r.Conditions(now)
	})
}
