package lang_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"bongsu/internal/lang"
)

func TestFormats(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := lang.Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct {
		n      float64
		ko, en string
	}{
		{0, "0", "0"}, {9999, "9,999", "9,999"}, {12345, "1.23만", "12.3 k"}, {47637000, "4,764만", "47.6 M"}, {1.412e9, "14.1억", "1.41 bn"}, {2e12, "2조", "2,000 bn"},
	} {
		if ko, en := lang.Compact(lang.Korean, c.n), lang.Compact(lang.English, c.n); ko != c.ko || en != c.en {
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
		if ko, en := lang.Span(lang.Korean, c.d), lang.Span(lang.English, c.d); ko != c.ko || en != c.en {
			t.Errorf("Span(%v) = %q, %q; want %q, %q", c.d, ko, en, c.ko, c.en)
		}
	}
}

func TestDates(t *testing.T) {
	seoul := time.FixedZone("KST", 9*60*60)
	at := time.Date(2022, 10, 15, 6, 19, 5, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{lang.Date(lang.Korean, at, seoul), "2022. 10. 15."},
		{lang.Date(lang.English, at, seoul), "15 Oct 2022"},
		{lang.Day(lang.Korean, at, seoul), "2022년 10월 15일 토요일"},
		{lang.Day(lang.English, at, seoul), "Saturday 15 October 2022"},
		{lang.Month(lang.Korean, at, seoul), "2022년 10월"},
		{lang.Month(lang.English, at, seoul), "October 2022"},
		{lang.Moment(lang.Korean, at, seoul), "10월 15일 15:19"},
		{lang.Moment(lang.English, at, seoul), "15 Oct, 15:19"},
		{lang.Clock(at, seoul), "15:19:05"},
		{lang.Minute(at, seoul), "15:19"},
		{lang.Zone(at, seoul), "KST"},
		{lang.Zone(at, time.FixedZone("", -(9*60+30)*60)), "UTC−9:30"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if lang.SameDay(at, at.Add(9*time.Hour), seoul) || !lang.SameDay(at, at.Add(9*time.Hour), time.UTC) {
		t.Error("15:19 and 00:19 in Seoul are two days, in UTC one")
	}
}

func TestChoose(t *testing.T) {
	for header, want := range map[string]lang.Lang{
		"": lang.English, "ko-KR,ko;q=0.9,en;q=0.8": lang.Korean, "en-GB,en;q=0.9,ko;q=0.8": lang.English,
		"fr, de;q=0.9": lang.English, "fr,ko;q=0.1": lang.Korean, "ko;q=x,en;q=0.1": lang.English, "ko;q=0": lang.English, "KO": lang.Korean,
	} {
		if got := lang.Choose(header); got != want {
			t.Errorf("Choose(%q) = %s, want %s", header, got, want)
		}
	}
}

func TestText(t *testing.T) {
	files := fstest.MapFS{
		"m/en.json": {Data: []byte(`{"back":"{0} service is back|{0} services are back","lost":"{0} is down {x} {9}","to":"to {0}"}`)},
		"m/ko.json": {Data: []byte(`{"back":"서비스 {0}개 복구","lost":"{0:이/가} 멈췄습니다 {x} {9}","to":"{0:으로/로}"}`)},
	}
	c, err := lang.Load(files, "m")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		l    lang.Lang
		key  string
		arg  any
		want string
	}{
		{lang.English, "back", 1, "1 service is back"},
		{lang.English, "back", 0, "0 services are back"},
		{lang.English, "back", 1200, "1,200 services are back"},
		{lang.Korean, "back", 1, "서비스 1개 복구"},
		{lang.Korean, "lost", "메일", "메일이 멈췄습니다 {x} {9}"},
		{lang.Korean, "lost", "지도", "지도가 멈췄습니다 {x} {9}"},
		{lang.Korean, "lost", "{0}", "{0}가 멈췄습니다 {x} {9}"}, // an argument is not read again
		{lang.Korean, "lost", "", "이 멈췄습니다 {x} {9}"},
		{lang.Korean, "lost", "SMS", "SMS가 멈췄습니다 {x} {9}"},
		{lang.Korean, "lost", "DB1", "DB1이 멈췄습니다 {x} {9}"},
		{lang.Korean, "lost", "62 %", "62 %가 멈췄습니다 {x} {9}"},
		{lang.Korean, "lost", "카카오(메일)", "카카오(메일)이 멈췄습니다 {x} {9}"},
		{lang.Korean, "to", "메일", "메일로"},
		{lang.Korean, "to", "톡", "톡으로"},
		{lang.Korean, "to", "지도", "지도로"},
	} {
		if got, err := c.Text(tc.l, tc.key, tc.arg); err != nil || got != tc.want {
			t.Errorf("Text(%s, %s, %v) = %q, %v; want %q", tc.l, tc.key, tc.arg, got, err, tc.want)
		}
	}
	if _, err := c.Text(lang.Korean, "nope"); err == nil {
		t.Error("a message that does not exist was found")
	}
	if c.Has("nope") || !c.Has("to") {
		t.Error("Has is wrong")
	}
	files["m/ko.json"] = &fstest.MapFile{Data: []byte(`{"back":"x","lost":"x"}`)}
	if _, err := lang.Load(files, "m"); err == nil || !strings.Contains(err.Error(), "[to]") {
		t.Errorf("a catalogue that lacks a key: %v", err)
	}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		l    lang.Lang
		text map[string]string
		want string
	}{
		{lang.Korean, map[string]string{"ko": "메일", "en": "Mail"}, "메일"},
		{lang.Korean, map[string]string{"ko": "", "en": "Mail"}, "Mail"},
		{lang.English, map[string]string{"ko": "메일"}, "메일"},
		{lang.English, map[string]string{"ja": "メール", "de": "Post"}, "Post"},
		{lang.English, nil, ""},
	} {
		if got := lang.Of(c.l, c.text); got != c.want {
			t.Errorf("Of(%s, %v) = %q, want %q", c.l, c.text, got, c.want)
		}
	}
}
