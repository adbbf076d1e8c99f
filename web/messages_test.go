package web_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/lang"
	"bongsu/web"
)

func TestCatalogues(t *testing.T) {
	all, err := web.Catalogues()
	if err != nil {
		t.Fatal(err)
	}
	ko, en := slices.Sorted(maps.Keys(all[lang.Korean])), slices.Sorted(maps.Keys(all[lang.English]))
	if diff := cmp.Diff(en, ko); diff != "" {
		t.Errorf("keys differ (-en +ko):\n%s", diff)
	}
	holes := func(s string) []string {
		found := regexp.MustCompile(`\{\d`).FindAllString(s, -1) // without the particle that may follow
		slices.Sort(found)
		return slices.Compact(found)
	}
	for _, k := range en {
		// Korean has one form, so a plural of English has its arguments there once.
		if e, k2 := holes(all[lang.English][k]), holes(all[lang.Korean][k]); !slices.Equal(e, k2) {
			t.Errorf("%s takes %v in English and %v in Korean", k, e, k2)
		}
		if all[lang.English][k] == "" || all[lang.Korean][k] == "" {
			t.Errorf("%s is empty", k)
		}
		if strings.ContainsFunc(all[lang.English][k], func(r rune) bool { return r >= '가' && r <= '힣' }) {
			t.Errorf("%s holds Korean in English", k)
		}
	}
}

func TestTimeline(t *testing.T) {
	zero := time.Unix(1e9, 0)
	started, sec := zero, func(f float64) *float64 { return &f }
	run := &web.Run{Summary: web.Summary{LostAt: zero, Started: &started}, Steps: []web.Step{
		{ID: "b/start@south", Site: "south", Start: 10, Finish: 100, Begun: sec(12), State: web.StateRunning},
		{ID: "a/start@north", Site: "north", Start: 0, Finish: 50, Begun: sec(0), Ended: sec(60), State: web.StateDone},
	}}
	bars, lanes, hasNow, x := web.TimelineParts(run, zero.Add(50*time.Second))
	if bars != 2 || !slices.Equal(lanes, []string{"north", "south"}) || !hasNow || x != "551.0" {
		t.Errorf("%d bars in lanes %v, now %t at %s; want 2 in north and south, now at half of the width", bars, lanes, hasNow, x)
	}
	ended := zero.Add(2 * time.Minute)
	run.Ended = &ended
	if _, _, hasNow, _ := web.TimelineParts(run, zero.Add(time.Hour)); hasNow {
		t.Error("a run that is over has a now line")
	}
	for end := 1.0; end < 1e6; end *= 1.7 {
		if n := end / web.TickStep(end); n > 9 {
			t.Errorf("%v seconds have %v ticks", end, n)
		}
	}
}
