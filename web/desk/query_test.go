package desk

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
)

func seoul() *time.Location { return time.FixedZone("KST", 9*3600) }

// TestFilter: what can be asked for is, and what cannot be is named.
func TestFilter(t *testing.T) {
	for _, c := range []struct {
		query string
		want  claim.Query
		wrong []string
	}{
		{"", claim.Query{OldestFirst: true, Limit: 50}, nil},
		{
			"incident=fire&service=kakaotalk&use=paid&kind=person&channel=phone&state=review&state=asked&flagged=1&rule=r1&min=1,000&max=5000&order=amount&rows=100&after=x&before=2022-10-20",
			claim.Query{
				Incident: "fire", Service: "kakaotalk", Use: "paid", Kind: "person", Channel: "phone", States: []claim.State{claim.Review, claim.Asked}, Flagged: true,
				Rule: "r1", MinAmount: 1000, MaxAmount: 5000, Limit: 100, After: "x", Before: time.Date(2022, 10, 19, 15, 0, 0, 0, time.UTC),
			},
			nil,
		},
		{"state=&use=&kind=&min=&before=", claim.Query{OldestFirst: true, Limit: 50}, nil},
		{"use=stolen&state=lost&state=gone&min=-1&max=1e9&before=tomorrow&rows=100000&kind=%00", claim.Query{OldestFirst: true, Limit: 50}, []string{"use", "kind", "state", "min", "max", "before", "rows"}},
		{"service=" + strings.Repeat("x", 300), claim.Query{OldestFirst: true, Limit: 50}, []string{"service"}},
		{"incident=%ff", claim.Query{OldestFirst: true, Limit: 50}, []string{"incident"}},
	} {
		v, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got := parseFilter(v, "KRW", seoul())
		if diff := cmp.Diff(c.want, got.Query) + cmp.Diff(c.wrong, got.Wrong); diff != "" {
			t.Errorf("%s:\n%s", c.query, diff)
		}
	}
}

// FuzzFilter: whatever the address says, what is asked for stays within bounds, and an
// address made of it asks for the same.
func FuzzFilter(f *testing.F) {
	f.Add("incident=fire&state=review&min=1,000&before=2022-10-20&order=amount&rows=500&flagged=1", "KRW")
	f.Add("min=10.25&max=99999999999999999999&state=x&after=%ff%00", "USD")
	f.Add("service=%E2%80%AEevil&rule=<script>&before=-0001-01-01&rows=0", "BHD")
	f.Fuzz(func(t *testing.T, query, currency string) {
		v, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		got := parseFilter(v, currency, seoul())
		if got.Limit < 1 || got.Limit > mostRows || got.MinAmount < 0 || got.MaxAmount < 0 || len(got.States) > len(states()) {
			t.Fatalf("%+v", got)
		}
		for _, s := range got.States {
			if !slices.Contains(states(), s) {
				t.Fatalf("state %q", s)
			}
		}
		again := parseFilter(got.values(seoul()), currency, seoul())
		again.Wrong, got.Wrong = nil, nil
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("%s:\n%s", query, diff)
		}
	})
}

// TestMarkOf finds out what somebody read out.
func TestMarkOf(t *testing.T) {
	for what, kind := range map[string]string{"a@b.example": "mail:", "010-1234-5678": "phone:", "+1 (212) 555-0100": "phone:", "acct-99": "account:acct-99"} {
		if got := markOf(what); !strings.HasPrefix(got, kind) {
			t.Errorf("%s is looked for as %q", what, got)
		}
	}
}

// TestDiff: the lines that are taken away and put in make the one text of the other.
func TestDiff(t *testing.T) {
	a := strings.Split("a b c d e f g h i j k l m n", " ")
	for _, b := range [][]string{a, strings.Split("a b X d e f g h i j k l m n o", " "), strings.Split("b a", " "), {""}, strings.Split("n m l k j i h g f e d c b a", " ")} {
		var from, to []string
		middle(a, b, func(mark string, lines []string) {
			if mark != "+" {
				from = append(from, lines...)
			}
			if mark != "-" {
				to = append(to, lines...)
			}
		})
		if !slices.Equal(from, a) || !slices.Equal(to, b) {
			t.Errorf("%v: %v, %v", b, from, to)
		}
	}
	long := strings.Repeat("x\n", 3000) + "end"
	if got := diff(long, strings.Repeat("y\n", 3000)+"end"); len(got) < 6000 {
		t.Errorf("%d lines", len(got))
	}
	got := diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n10", "1\n2\n3\n4\n5\n6\n7\n8\nX\n10")
	if want := []diffLine{{" ", "6"}, {" ", "7"}, {" ", "8"}, {"-", "9"}, {"+", "X"}, {" ", "10"}}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestAttachment(t *testing.T) {
	for _, name := range []string{"", "../../etc/passwd", "a\"b\r\nSet-Cookie: x", "보고서.csv", "\u202egpj.exe"} {
		got := attachment(name)
		if !strings.HasPrefix(got, "attachment; filename") || strings.ContainsAny(got, "\r\n") || strings.Contains(got, "../") {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// TestOverlap counts claimed time inside an outage once, whatever overlaps what.
func TestOverlap(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2022, 10, 15, h, 0, 0, 0, time.UTC) }
	all := []interval{{From: at(1), To: at(5)}, {From: at(2), To: at(3)}, {From: at(4), To: at(8)}}
	for _, c := range []struct{ from, to, want int }{{0, 1, 0}, {0, 2, 1}, {1, 8, 7}, {6, 12, 2}, {9, 10, 0}, {2, 3, 1}} {
		if got := overlap(all, at(c.from), at(c.to)); got != time.Duration(c.want)*time.Hour {
			t.Errorf("%d to %d: %v", c.from, c.to, got)
		}
	}
}
