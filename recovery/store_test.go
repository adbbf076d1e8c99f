package recovery

import (
	"strings"
	"testing"

	"bongsu/internal/kv"
)

func commit(t *testing.T, s kv.Store, key, value string) {
	t.Helper()
	if _, err := s.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: key, Value: []byte(value)}}}); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s kv.Store, key string) {
	t.Helper()
	if _, err := s.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: key, Delete: true}}}); err != nil {
		t.Fatal(err)
	}
}

// TestStoredVersion1 reads what version 1 wrote, as a node after an update must.
func TestStoredVersion1(t *testing.T) {
	s := kv.NewMemory()
	for _, kvs := range [][2]string{
		{"recovery/run/r1", `{"v":1,"id":"r1","state":"running","scope":"real","incident":"i1","estate":"sha256:1","lost":["pangyo"],"lostAt":"2022-10-15T06:30:00Z","created":"2022-10-15T06:31:00Z","started":"2022-10-15T06:32:00Z","by":{"who":"kim","why":"go"},"plan":1,"plans":[{"at":"2022-10-15T06:31:00Z","why":"the first plan","steps":2,"objective":{"userMinutes":5,"lowerBound":4,"gap":0.2,"stranded":0},"cost":0,"costKnown":false}]}`},
		{"recovery/plan/r1/0001/0000", `{"v":1,"estate":"sha256:1","lost":["pangyo"],"lostSites":["pangyo"],"objective":{"userMinutes":5,"lowerBound":4,"gap":0.2,"stranded":0},"steps":[{"id":"a","component":"a","action":"go","does":"start","at":"anyang","site":"anyang","start":0,"finish":60000000000,"likely":60000000000,"worst":60000000000,"limit":120000000000,"driver":"exec","args":{"argv":["/bin/true"]}},`},
		{"recovery/plan/r1/0001/0001", `{"id":"b","component":"b","action":"go","does":"start","start":60000000000,"finish":120000000000,"likely":60000000000,"worst":60000000000,"limit":120000000000,"after":["a"],"driver":"manual"}],"services":[],"blockers":[],"capacity":[{"name":"crew/dba","count":2}]}`},
		{"recovery/step/r1/a", `{"v":1,"step":{"id":"a","component":"a","action":"go","does":"start","at":"anyang","site":"anyang","start":0,"finish":60000000000,"likely":60000000000,"worst":60000000000,"limit":120000000000,"driver":"exec"},"state":"done","term":7,"executor":"anyang.x","node":"anyang","key":"r1/a#1","attempt":1,"begun":"2022-10-15T06:32:00Z","ended":"2022-10-15T06:33:30Z","detail":"did it"}`},
		{"recovery/log/r1/anyang.y/00000001", `{"v":1,"entries":[{"rev":0,"at":"2022-10-15T06:32:00Z","who":"anyang","what":"begun","step":"a","term":7}]}`},
		{"presence/anyang", `{"v":1,"node":"anyang","site":"anyang","session":"anyang.x"}`},
	} {
		commit(t, s, kvs[0], kvs[1])
	}
	v, err := View(t.Context(), s, "r1")
	if err != nil {
		t.Fatal(err)
	}
	a, b := of(v, "a"), of(v, "b")
	if a.State != StepDone || a.Ended.String() != "3m30s" || a.Node != "anyang" || b.State != StepPending || !b.Step.Manual() || !b.Critical {
		t.Errorf("%s\n%+v", story(v), b)
	}
	if len(v.Journal) != 1 || v.Journal[0].Term != 7 || v.Journal[0].Rev == 0 || v.Progress.Done != 1 || v.Progress.Total != 2 {
		t.Errorf("%+v %+v", v.Journal, v.Progress)
	}
	for _, key := range []string{"recovery/run/r1", "recovery/plan/r1/0001/0000", "recovery/step/r1/a", "recovery/log/r1/anyang.y/00000001"} {
		before, _, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, key, `{"v":2}`)
		if _, err := View(t.Context(), s, "r1"); err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s of a newer version: %v", key, err)
		}
		commit(t, s, key, string(before.Value))
	}
}
