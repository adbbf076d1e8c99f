package estate

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "12m": 12 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour,
		"1.5h": 90 * time.Minute, "0.1s": 100 * time.Millisecond, "250ms": 250 * time.Millisecond, "1m0.5s": 60500 * time.Millisecond,
		"90s": 90 * time.Second, "3us": 3 * time.Microsecond, "36500d": maxDuration, "0d0h0m0s": 0,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
		if again, err := ParseDuration(FormatDuration(got)); err != nil || again != got {
			t.Errorf("%s is written %s, which is %v, %v", text, FormatDuration(got), again, err)
		}
	}
	for _, text := range []string{"", "5", "m", "5 m", "5m ", "-5m", "+5m", "5M", "5min", "1m1h", "1m1m", ".5s", "1..5s", "1e3s", "36501d", "99999999999999999999d", "0.0000000001s", "5m3", "5w", "∞"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "36000": 36000, "0.5": 0.5, "1e3": 1000, "40TiB": 40 << 40, "5GB": 5e9, "5 GB": 5e9, "1.5KiB": 1536, "7B": 7, "2kB": 2000, "2KB": 2000, "1EB": 1e18, "1e3kB": 1e6,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
		if again, err := ParseSize(FormatSize(got)); err != nil || again != got {
			t.Errorf("%s is written %s, which is %v, %v", text, FormatSize(got), again, err)
		}
	}
	for _, text := range []string{"", "TiB", "40T", "40tib", "-1", "+1", "1e", "1e999", "1e300EiB", "40  GB", "1,5GB", "NaN", "Inf", "0x10"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestNearest(t *testing.T) {
	choices := []string{"pangyo", "anyang", "sangam", "pangyo-h01", "kakaotalk-message", "kv-1", "kv-2", "db"}
	for name, want := range map[string]string{
		"pangyo": "pangyo", "pangy": "pangyo", "pnagyo": "pangyo", "PANGYO": "pangyo", "panggyo": "pangyo", "anyagn": "anyang",
		"kv-3": "kv-1", "kakaotalk": "kakaotalk-message", "message": "kakaotalk-message", "pangyo-h02": "pangyo-h01", "bd": "db",
		"zzz": "", "": "", "x": "", "pangyo-h01-r0001": "pangyo-h01",
	} {
		if got := nearest(name, slices.Values(choices)); got != want {
			t.Errorf("nearest to %q is %q; want %q", name, got, want)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, s := range []string{"12m", "1h30m", "7d", "0s", "1.5h", "30", "5min", "0.000000001s", "36500d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 || d > maxDuration {
			t.Fatalf("%q is %v", s, d)
		}
		if again, err := ParseDuration(FormatDuration(d)); err != nil || again != d {
			t.Fatalf("%q is %v, written %s, which is %v, %v", s, d, FormatDuration(d), again, err)
		}
	})
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"40TiB", "5GB", "36000", "1e3", "0.5 kB", "40T", "1e308", "9007199254740993"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseSize(s)
		if err != nil {
			return
		}
		if v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			t.Fatalf("%q is %v", s, v)
		}
		if again, err := ParseSize(FormatSize(v)); err != nil || again != v {
			t.Fatalf("%q is %v, written %s, which is %v, %v", s, v, FormatSize(v), again, err)
		}
	})
}
