package claim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
	"bongsu/claim/claimtest"
)

func marked(m claimtest.Mix) []claim.Marked {
	out := make([]claim.Marked, len(m.Reports))
	for i, r := range m.Reports {
		r.Claim.ID = fmt.Sprintf("%07d", i)
		out[i].Claim = r.Claim
		for _, mark := range r.Marks {
			kind, rest := mark, ""
			if at := slices.Index([]byte(mark), ':'); at >= 0 {
				kind, rest = mark[:at], mark[at+1:]
			}
			out[i].Marks = append(out[i].Marks, kind+"."+rest)
		}
	}
	return out
}

// At least 95 % of what was seeded is flagged, and under 1 % of what was not.
func TestDuplicatesAreFlagged(t *testing.T) { duplicatesAreFlagged(t, 8_000, 1) }

func duplicatesAreFlagged(t *testing.T, reports, seeds int) {
	t.Helper()
	for seed := range uint64(seeds) {
		mix := claimtest.Mix2022(reports, 0.05, seed)
		all := marked(mix)
		now := time.Date(2022, 11, 7, 0, 0, 0, 0, time.UTC)
		flags := claim.Alike(all, now)
		var seeded, found, wrong int
		for i := range all {
			_, flagged := flags[all[i].Claim.ID]
			switch {
			case mix.Seeded[i] && flagged:
				seeded++
				found++
			case mix.Seeded[i]:
				seeded++
			case flagged:
				wrong++
			}
		}
		if float64(found) < .95*float64(seeded) || float64(wrong) > .01*float64(len(all)-seeded) || seeded < 300 {
			t.Errorf("seed %d: %d of %d seeded were flagged, and %d of %d others", seed, found, seeded, wrong, len(all)-seeded)
		}
		t.Logf("seed %d: %d of %d seeded were flagged, and %d of %d others", seed, found, seeded, wrong, len(all)-seeded)
		shuffled := slices.Clone(all)
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(flags, claim.Alike(shuffled, now)); diff != "" {
			t.Error("another order, other flags:", diff)
		}
	}
}

// A flag names what it looks like, and what people do in good faith raises none.
func TestWhatIsAlike(t *testing.T) {
	r := func(id, service, use string, loss int64, marks ...string) claim.Marked {
		c := claimtest.Report(0).Claim
		c.ID, c.Report.Service, c.Report.Use, c.Report.Loss = id, service, use, loss
		return claim.Marked{Claim: c, Marks: marks}
	}
	for _, tt := range []struct {
		name string
		all  []claim.Marked
		want map[string]string
	}{
		{"the same person, two services", []claim.Marked{r("1", "a", "paid", 0, "mail.x"), r("2", "b", "paid", 0, "mail.x")}, map[string]string{}},
		{"the same person, one service", []claim.Marked{r("1", "a", "paid", 0, "mail.x"), r("2", "a", "paid", 0, "mail.x")}, map[string]string{"2": "contact"}},
		{"one bank account, two people", []claim.Marked{r("1", "a", "free", 5, "mail.x", "bank.b"), r("2", "b", "free", 6, "mail.y", "bank.b")}, map[string]string{"2": "bank"}},
		{"one bank account, one person, two services", []claim.Marked{r("1", "a", "free", 5, "mail.x", "bank.b"), r("2", "b", "free", 6, "mail.x", "bank.b")}, map[string]string{}},
		{"the same words only", []claim.Marked{r("1", "a", "none", 0, "text0.t"), r("2", "a", "none", 0, "text0.t")}, map[string]string{}},
		{"the same words and amount", []claim.Marked{r("1", "a", "free", 7, "text0.t"), r("2", "a", "free", 7, "text0.t")}, map[string]string{"2": "text"}},
		{"a library's computer", []claim.Marked{r("1", "a", "none", 0, "device.l"), r("2", "a", "none", 0, "device.l")}, map[string]string{}},
	} {
		got := map[string]string{}
		for id, flags := range claim.Alike(tt.all, time.Now()) {
			got[id] = flags[0].Kind
			if !slices.Contains(flags[0].Others, "1") {
				t.Errorf("%s: %+v does not name the other", tt.name, flags[0])
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestMarksOf(t *testing.T) {
	one := claim.MarksOf(&claim.Personal{Email: " Hong.GilDong+kakao@Gmail.com", Phone: "+82 10-1234-5678", Bank: "088", Number: "110-123"}, "", "")
	two := claim.MarksOf(&claim.Personal{Email: "honggildong@googlemail.com", Phone: "010 1234 5678", Bank: "088", Number: "110123"}, "", "")
	want := []string{"mail:honggildong@gmail.com", "phone:+821012345678", "bank:088/110123"}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(one, two); diff != "" {
		t.Error(diff)
	}
	if got := claim.MarksOf(&claim.Personal{Email: "nonsense", Text: "짧다"}, "", ""); len(got) != 0 {
		t.Errorf("marks of nothing: %q", got)
	}
}
