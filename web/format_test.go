package web_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/web"
)

func TestCatalogues(t *testing.T) {
	all, err := web.Catalogues()
	if err != nil {
		t.Fatal(err)
	}
	ko, en := slices.Sorted(maps.Keys(all[web.Korean])), slices.Sorted(maps.Keys(all[web.English]))
	if diff := cmp.Diff(en, ko); diff != "" {
		t.Errorf("keys differ (-en +ko):\n%s", diff)
	}
	holes := func(s string) []string {
		found := regexp.MustCompile(`\{\d\}`).FindAllString(s, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	for _, k := range en {
		// Korean has one form, so a plural of English has its arguments there once.
		if e, k2 := holes(all[web.English][k]), holes(all[web.Korean][k]); !slices.Equal(e, k2) {
			t.Errorf("%s takes %v in English and %v in Korean", k, e, k2)
		}
		if all[web.English][k] == "" || all[web.Korean][k] == "" {
			t.Errorf("%s is empty", k)
		}
		if strings.ContainsFunc(all[web.English][k], func(r rune) bool { return r >= '가' && r <= '힣' }) {
			t.Errorf("%s holds Korean in English", k)
		}
	}
}

func TestFormats(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := web.Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct {
		n      float64
		ko, en string
	}{
		{0, "0", "0"}, {9999, "9,999", "9,999"}, {12345, "1.23만", "12.3 k"}, {47637000, "4,764만", "47.6 M"}, {1.412e9, "14.1억", "1.41 bn"}, {2e12, "2조", "2,000 bn"},
	} {
		if ko, en := web.Compact(web.Korean, c.n), web.Compact(web.English, c.n); ko != c.ko || en != c.en {
			t.Errorf("Compact(%v) = %q, %q; want %q, %q", c.n, ko, en, c.ko, c.en)
		}
	}
	for _, c := range []struct {
		d      time.Duration
		ko, en string
	}{
		{0, "0초", "0 s"},
		{300 * time.Millisecond, "300밀리초", "300 ms"},
		{2500 * time.Millisecond, "2.5초", "2.5 s"},
		{time.Minute, "1분", "1 m"},
		{200 * time.Second, "3분 20초", "3 m 20 s"},
		{127*time.Hour + 33*time.Minute, "5일 7시간", "5 d 7 h"},
		{-90 * time.Second, "−1분 30초", "−1 m 30 s"},
	} {
		if ko, en := web.Span(web.Korean, c.d), web.Span(web.English, c.d); ko != c.ko || en != c.en {
			t.Errorf("Span(%v) = %q, %q; want %q, %q", c.d, ko, en, c.ko, c.en)
		}
	}
}

func TestChoose(t *testing.T) {
	for header, want := range map[string]web.Lang{
		"": web.English, "ko-KR,ko;q=0.9,en;q=0.8": web.Korean, "en-GB,en;q=0.9,ko;q=0.8": web.English,
		"fr, de;q=0.9": web.English, "fr,ko;q=0.1": web.Korean, "ko;q=x,en;q=0.1": web.English, "ko;q=0": web.English, "KO": web.Korean,
	} {
		if got := web.Choose(header); got != want {
			t.Errorf("Choose(%q) = %s, want %s", header, got, want)
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
