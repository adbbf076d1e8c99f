package detect_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/detect"
	"bongsu/estate"
)

// sites is an estate of three sites, one of them with two halls on two feeds.
const sites = `
kind: Domain
name: pangyo
type: site
---
{kind: Domain, name: hall-1, type: hall, needs: [pangyo]}
---
{kind: Domain, name: hall-2, type: hall, needs: [pangyo]}
---
{kind: Domain, name: feed-a, type: feed, needs: [pangyo]}
---
{kind: Domain, name: feed-b, type: feed, needs: [pangyo]}
---
{kind: Domain, name: rack-1, type: rack, needs: [hall-1, feed-a]}
---
{kind: Domain, name: rack-2, type: rack, needs: [hall-2, feed-a]}
---
{kind: Domain, name: rack-3, type: rack, needs: [hall-2, {anyOf: [feed-a, feed-b]}]}
---
{kind: Domain, name: anyang, type: site}
---
{kind: Domain, name: gasan, type: site}
`

func snapshot(t *testing.T) *estate.Snapshot {
	t.Helper()
	s, err := estate.Parse([]estate.File{{Name: "estate.yaml", Data: []byte(sites)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var now = time.Date(2022, 10, 15, 15, 30, 0, 0, time.UTC)

// saw is one observation: "gasan sees core@pangyo 10s" or "gasan misses …".
func saw(t *testing.T, text string) detect.Observation {
	t.Helper()
	f := strings.Fields(text)
	target, domain, _ := strings.Cut(f[2], "@")
	age, err := time.ParseDuration(f[3])
	if err != nil {
		t.Fatal(err)
	}
	return detect.Observation{Observer: f[0], Target: target, Domain: domain, OK: f[1] == "sees", Since: now.Add(-age)}
}

func judge(t *testing.T, s *estate.Snapshot, lines ...string) detect.Verdict {
	t.Helper()
	in := detect.Input{Snapshot: s, Policy: detect.DefaultPolicy(), Now: now}
	for _, l := range lines {
		in.Observations = append(in.Observations, saw(t, l))
	}
	return detect.Judge(in)
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name     string
		saw      []string
		state    detect.State
		smallest string
		losses   []string
		sentence string
	}{
		{"seen", []string{"gasan sees core@pangyo 1m", "anyang sees core@pangyo 1m"}, detect.Seen, "", nil, "pangyo: seen by anyang, gasan"},
		{"nobody looks", nil, detect.Unknown, "", nil, "no other site looks"},
		{"only itself looks", []string{"pangyo misses core@pangyo 1h"}, detect.Unknown, "pangyo", nil, "no other site looks"},
		{"one looks", []string{"gasan misses core@pangyo 1h"}, detect.Unknown, "pangyo", nil, "asked from gasan alone"},
		{"one glitch", []string{"gasan misses core@pangyo 1s", "anyang misses core@pangyo 1h"}, detect.Suspect, "pangyo", nil, "not judged lost before 6.0 s"},
		{
			"lost",
			[]string{"gasan misses core@pangyo 6200ms", "anyang misses core@pangyo 7s", "gasan misses web@pangyo 9s", "anyang misses db@pangyo 9s"},
			detect.Lost, "pangyo",
			[]string{"pangyo"},
			"pangyo: no answer from 3 targets for 6.2 s, seen by nobody; asked from anyang, gasan",
		},
		{
			"cut off but it sees itself",
			[]string{"gasan misses core@pangyo 7s", "anyang misses core@pangyo 7s", "pangyo sees core@pangyo 1h"},
			detect.Lost, "",
			[]string{"pangyo"},
			"its own node still reports",
		},
		{
			"partial partition",
			[]string{"gasan misses core@pangyo 1h", "anyang sees core@pangyo 1h"},
			detect.Partial, "", nil, "partial partition, not lost: seen by anyang, not by gasan",
		},
		{
			"one of many targets answers",
			[]string{"gasan misses core@pangyo 1h", "anyang misses core@pangyo 1h", "gasan sees web@rack-1 1h", "anyang misses web@rack-1 1h"},
			detect.Partial, "", nil, "seen by gasan, not by anyang",
		},
		{
			"a rack",
			[]string{"gasan sees core@pangyo 1h", "anyang sees core@pangyo 1h", "gasan misses w1@rack-1 7s", "anyang misses w1@rack-1 7s", "gasan sees w2@rack-2 1h"},
			detect.Seen, "rack-1",
			[]string{"rack-1"},
			"no answer from w1; the loss of rack-1 would explain it",
		},
		{
			"a rack, too soon",
			[]string{"gasan sees core@pangyo 1h", "anyang sees core@pangyo 1h", "gasan misses w1@rack-1 7s", "anyang misses w1@rack-1 5s"},
			detect.Seen, "rack-1", nil, "rack-1",
		},
		{
			"a feed takes two racks in two halls",
			[]string{"gasan sees core@pangyo 1h", "anyang misses w1@rack-1 7s", "gasan misses w2@rack-2 7s", "gasan sees w3@rack-3 1h"},
			detect.Seen, "feed-a",
			[]string{"feed-a"},
			"feed-a",
		},
		{
			"two halls, no common cause but the site, which answers",
			[]string{"gasan sees core@pangyo 1h", "gasan misses w1@rack-1 7s", "anyang misses w3@rack-3 7s"},
			detect.Seen, "", nil, "no answer from w1, w3",
		},
		{
			"a hall",
			[]string{"gasan sees core@pangyo 1h", "gasan sees w1@rack-1 1h", "gasan misses w2@rack-2 7s", "anyang misses w3@rack-3 7s"},
			detect.Seen, "hall-2",
			[]string{"hall-2"},
			"hall-2",
		},
		{
			"it blinked",
			[]string{"gasan misses core@pangyo 1h", "gasan sees core@pangyo 1s", "anyang misses core@pangyo 1h"},
			detect.Partial, "", nil, "seen by gasan",
		},
		{"a clock that jumped", []string{"gasan misses core@pangyo -1h", "anyang misses core@pangyo 1h"}, detect.Suspect, "pangyo", nil, "for 0.0 s"},
	}
	s := snapshot(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := judge(t, s, tt.saw...)
			site, ok := v.Site("pangyo")
			if !ok || site.State != tt.state || site.Smallest != tt.smallest || !strings.Contains(site.Sentence, tt.sentence) {
				t.Errorf("%+v\nwant %s, smallest %q, %q in the sentence", site, tt.state, tt.smallest, tt.sentence)
			}
			var losses []string
			for _, l := range v.Losses {
				losses = append(losses, l.Domain)
			}
			if diff := cmp.Diff(tt.losses, losses); diff != "" {
				t.Errorf("losses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSitesWithoutAnEstate(t *testing.T) {
	v := judge(t, nil, "a misses x@b 1h", "c misses x@b 1h", "a sees y@c 1h")
	var got []string
	for _, s := range v.Sites {
		got = append(got, s.Site+" "+string(s.State))
	}
	if diff := cmp.Diff([]string{"b lost-or-cut-off", "c seen"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestProperties holds random observations against what must always be so.
func TestProperties(t *testing.T) {
	s := snapshot(t)
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"pangyo", "anyang", "gasan", "sejong"}
	domains := []string{"pangyo", "hall-1", "rack-1", "rack-2", "rack-3", "anyang", "gasan"}
	lostBefore := 0
	for range 5000 {
		in := detect.Input{Snapshot: s, Policy: detect.DefaultPolicy(), Now: now}
		for range r.IntN(14) {
			d := domains[r.IntN(len(domains))]
			in.Observations = append(in.Observations, detect.Observation{
				Observer: names[r.IntN(len(names))], Target: "t-" + d, Domain: d, OK: r.IntN(6) == 0,
				Since: now.Add(-time.Duration(r.IntN(12)) * time.Second),
			})
		}
		before := detect.Judge(in)
		shuffled := in
		shuffled.Observations = slices.Clone(in.Observations)
		r.Shuffle(len(shuffled.Observations), func(i, j int) {
			shuffled.Observations[i], shuffled.Observations[j] = shuffled.Observations[j], shuffled.Observations[i]
		})
		if diff := cmp.Diff(before, detect.Judge(shuffled)); diff != "" {
			t.Fatalf("the order of observations matters:\n%s", diff)
		}
		for _, site := range before.Sites {
			if site.State != detect.Lost {
				continue
			}
			lostBefore++
			if len(site.SeenBy) > 0 || len(site.Observers) < 2 || slices.Contains(site.Observers, site.Site) {
				t.Fatalf("lost though %+v", site)
			}
		}
		more := in
		d := domains[r.IntN(len(domains))]
		more.Observations = append(slices.Clone(in.Observations), detect.Observation{
			Observer: names[r.IntN(len(names))], Target: "t-" + d, Domain: d, OK: true, Since: now,
		})
		for _, site := range detect.Judge(more).Sites {
			if was, _ := before.Site(site.Site); site.State == detect.Lost && was.State != detect.Lost {
				t.Fatalf("one more look that saw something made %s lost", site.Site)
			}
		}
	}
	if lostBefore < 100 {
		t.Errorf("only %d sites were lost: the test shows nothing", lostBefore)
	}
}

func TestPolicyValidate(t *testing.T) {
	fine := detect.DefaultPolicy()
	if err := fine.Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	for want, p := range map[string]detect.Policy{
		"at least 5.5s":       {Lease: 3 * time.Second, Hold: 5 * time.Second, Observers: 2},
		"observers is 1":      {Lease: 3 * time.Second, Hold: 6 * time.Second, Observers: 1},
		"lease must be above": {Hold: 6 * time.Second, Observers: 2},
	} {
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
}

// TestClockJumpsBack judges observations that a clock which jumped back an hour
// puts into the future: they count as fresh, so that nothing is lost before its
// time, and the hold time runs from there.
func TestClockJumpsBack(t *testing.T) {
	s := snapshot(t)
	in := detect.Input{Snapshot: s, Policy: detect.DefaultPolicy(), Now: now.Add(-time.Hour)}
	for _, l := range []string{"anyang misses core@pangyo 20s", "gasan misses core@pangyo 20s"} {
		in.Observations = append(in.Observations, saw(t, l))
	}
	site, _ := detect.Judge(in).Site("pangyo")
	if site.State != detect.Suspect || site.For != 0 {
		t.Errorf("an hour back, pangyo is %s for %v s", site.State, site.For)
	}
	in.Now = now
	if site, _ = detect.Judge(in).Site("pangyo"); site.State != detect.Lost {
		t.Errorf("with the clock right, pangyo is %s", site.State)
	}
	// What an observer tells is a length of time, so its own clock does not matter;
	// one that is nonsense counts as no time at all.
	if o := (detect.Sight{Target: "core", Domain: "pangyo", For: -time.Hour}).Received("anyang", now); !o.Since.Equal(now) {
		t.Errorf("a state of minus an hour stands since %v", o.Since)
	}
}
