package claim_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
	"bongsu/status"
)

// began is when everything went down in tests of the office: two days ago.
func began() time.Time { return time.Now().UTC().Truncate(time.Hour).Add(-48 * time.Hour) }

func recorded(incident string) (claim.Outages, bool) {
	if incident == "unknown" {
		return claim.Outages{}, false
	}
	b := began()
	after := func(hours int) time.Time { return b.Add(time.Duration(hours) * time.Hour) }
	return claim.NewOutages([]status.Interval{
		{Service: "kakaotalk", Level: status.Down, From: b, To: after(10)},
		{Service: "melon", Level: status.Down, From: b, To: after(23)},
		{Service: "kakao-t-pro", Level: status.Down, From: b, To: after(23)},
		{Service: "emoticon-plus", Level: status.Down, From: b, To: after(30)},
	}, time.Now()), true
}

// newOffice is an office over a store of its own.
func newOffice(t testing.TB, s kv.Store) *claim.Office {
	t.Helper()
	return &claim.Office{Store: s, Ledger: claim.NewKeeper(s, master(t)), Outages: recorded}
}

// opened is an office whose window of incident "i" is open.
func opened(t testing.TB) *claim.Office {
	t.Helper()
	o := newOffice(t, kv.NewMemory())
	if _, err := o.Prepare(t.Context(), "i", claim.DefaultTemplate(), "node"); err != nil {
		t.Fatal(err)
	}
	return o
}

// told is a report as the form makes it.
func told(n int) claim.Report {
	return claim.Report{
		Claim: claim.Claim{
			Incident: "i", Channel: claim.ByWeb, Lang: "ko", Consent: claim.Consent{Version: claim.DefaultTemplate().Consent.Version},
			Report: policy.Claim{Service: "kakaotalk", Use: "free", Kind: "small-business", Loss: 200_000, Week: 1_000_000, Best: 1_200_000},
		},
		Personal: claim.Personal{Name: "홍길동", Email: fmt.Sprintf("p%d@example.com", n), Text: fmt.Sprintf("가게 %d에서 예약을 받지 못했습니다", n)},
	}
}

func shipped(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("../examples/policies/kakao-2022.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// adopt makes a policy active.
func adopt(t testing.TB, o *claim.Office, text []byte) claim.Draft {
	t.Helper()
	d, err := o.Submit(t.Context(), "i", text, "kim")
	if err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{"lee", "park"} {
		if d, err = o.Approve(t.Context(), "i", d.ID, d.Digest, by); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// filed files a report.
func filed(t testing.TB, o *claim.Office, r claim.Report) claim.Receipt {
	t.Helper()
	got, err := o.File(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func get(t testing.TB, o *claim.Office, id string) claim.Claim {
	t.Helper()
	c, err := o.Ledger.Claim(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wait(d time.Duration) { <-time.NewTimer(d).C }

const day = 24 * time.Hour

// A window opens once, closes, is extended, and says who did so and why.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		o := newOffice(t, kv.NewMemory())
		if _, err := o.File(ctx, told(0)); !errors.Is(err, claim.ErrClosed) {
			t.Errorf("before there is a window: %v", err)
		}
		w, err := o.Prepare(ctx, "i", claim.DefaultTemplate(), "node 1")
		if err != nil {
			t.Fatal(err)
		}
		if w.Title["ko"] != "피해 접수: i" || len(w.Evidence) < 4 || w.At(time.Now()) != claim.Taken || w.At(time.Now().Add(31*day)) != claim.Late || w.At(time.Now().Add(91*day)) != claim.Over {
			t.Errorf("%+v", w)
		}
		again, err := o.Open(ctx, claim.Window{Incident: "i", Currency: "USD"}, "node 2")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, again); diff != "" {
			t.Error("opened twice:", diff)
		}
		filed(t, o, told(1))
		wait(30*day + 3*time.Minute)
		late := told(2)
		if _, err := o.File(ctx, late); !errors.Is(err, claim.ErrLate) {
			t.Errorf("late, no reason: %v", err)
		}
		late.Claim.Late = "because"
		if _, err := o.File(ctx, late); fields(err)["late"] != "unknown" {
			t.Errorf("late, unknown reason: %v", err)
		}
		late.Claim.Late = "hospital"
		if c := get(t, o, filed(t, o, late).ID); c.Late != "hospital" {
			t.Errorf("not marked: %+v", c)
		}
		if w, err = o.Extend(ctx, "i", time.Now().Add(10*day), "kim", "the body asked for it"); err != nil {
			t.Fatal(err)
		}
		if got := w.LateUntil.Sub(w.Closes); got != 60*day {
			t.Errorf("late reports are taken for %v after the new end", got)
		}
		inTime := told(3)
		inTime.Claim.Late = "hospital"
		if c := get(t, o, filed(t, o, inTime).ID); c.Late != "" {
			t.Errorf("marked as late in an extended window: %q", c.Late)
		}
		if _, err := o.Extend(ctx, "i", w.Closes.Add(-time.Hour), "kim", "shorter"); fields(err)["until"] != "order" {
			t.Errorf("shorter: %v", err)
		}
		if _, err := o.Close(ctx, "i", "kim", ""); fields(err)["why"] != "missing" {
			t.Errorf("closed without a reason: %v", err)
		}
		if _, err := o.Close(ctx, "i", "kim", "the incident was withdrawn"); err != nil {
			t.Fatal(err)
		}
		if _, err := o.File(ctx, late); !errors.Is(err, claim.ErrClosed) {
			t.Errorf("after it was closed by hand: %v", err)
		}
		if w, err = o.Close(ctx, "i", "lee", "once more"); err != nil || len(w.Changes) != 3 {
			t.Errorf("closed twice: %+v, %v", w.Changes, err)
		}
		if w, err = o.Extend(ctx, "i", time.Now().Add(day), "kim", "it was none"); err != nil || w.At(time.Now()) != claim.Taken || w.Version != 4 {
			t.Errorf("opened again: %+v, %v", w, err)
		}
		var what []string
		for _, c := range w.Changes {
			what = append(what, c.By+" "+c.What+": "+c.Why)
		}
		if diff := cmp.Diff([]string{"node 1 opened: prepared", "kim extended: the body asked for it", "kim closed: the incident was withdrawn", "kim extended: it was none"}, what); diff != "" {
			t.Error(diff)
		}
	})
}

// Who pressed in the last second and was not answered may press again.
func TestPressedInTheLastSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := opened(t)
		r := told(1)
		r.Key = "k"
		wait(30*day - time.Second)
		first := filed(t, o, r)
		wait(time.Minute)
		if again := filed(t, o, r); again.ID != first.ID || !again.Again || again.Secret != first.Secret {
			t.Errorf("%+v, then %+v", first, again)
		}
		if c := get(t, o, first.ID); c.Late != "" {
			t.Error("it is marked as late")
		}
	})
}

func TestWindowsThatCannotBe(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, kv.NewMemory())
	now := time.Now()
	for field, w := range map[string]claim.Window{
		"incident":   {Incident: "a/b"},
		"title":      {Incident: "i", Title: map[string]string{"ko": "가"}},
		"currency":   {Incident: "i", Currency: "won"},
		"closes":     {Incident: "i", Opens: now, Closes: now},
		"lateUntil":  {Incident: "i", LateUntil: now.Add(-time.Hour)},
		"services":   {Incident: "i", Services: []claim.Service{{Named: claim.Named{Name: "a"}}}},
		"consent":    {Incident: "i", Consent: claim.ConsentText{Version: "1"}},
		"retainDays": {Incident: "i", RetainDays: -1},
	} {
		if _, err := o.Open(ctx, w, "kim"); fields(err)[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := o.Open(ctx, claim.Window{Incident: "i"}, " "); fields(err)["by"] != "missing" {
		t.Errorf("by nobody: %v", err)
	}
	if all, err := o.Windows(ctx); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// Whoever opens first, all have the same window.
func TestWindowRace(t *testing.T) {
	s := kv.NewMemory()
	got := make([]claim.Window, 8)
	var wg sync.WaitGroup
	for n := range got {
		wg.Go(func() {
			w, err := newOffice(t, s).Open(t.Context(), claim.Window{Incident: "i", Closes: time.Now().Add(time.Duration(n+1) * day)}, fmt.Sprint(n))
			if err != nil {
				t.Error(err)
			}
			got[n] = w
		})
	}
	wg.Wait()
	for _, w := range got[1:] {
		if diff := cmp.Diff(got[0], w); diff != "" {
			t.Error(diff)
		}
	}
	o := newOffice(t, s)
	for n := range 6 {
		wg.Go(func() {
			if _, err := o.Extend(t.Context(), "i", got[0].Closes.Add(time.Duration(n+1)*day), fmt.Sprint(n), "race"); err != nil && fields(err)["until"] == "" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if w, err := o.Window(t.Context(), "i"); err != nil || !w.Closes.Equal(got[0].Closes.Add(6*day)) || int64(len(w.Changes)) != w.Version {
		t.Errorf("%+v, %v", w, err)
	}
}

func fields(err error) claim.FieldErrors {
	f, _ := errors.AsType[claim.FieldErrors](err)
	return f
}

// What cannot be is told beside its field, all of it at once, and nothing is kept.
func TestReportsThatCannotBe(t *testing.T) {
	o := opened(t)
	for _, tt := range []struct {
		name, field, says string
		change            func(r *claim.Report)
	}{
		{"negative", "loss", "amount", func(r *claim.Report) { r.Claim.Report.Loss = -1 }},
		{"2^63-1", "loss", "amount", func(r *claim.Report) { r.Claim.Report.Loss = math.MaxInt64 }},
		{"sales", "week", "amount", func(r *claim.Report) { r.Claim.Report.Week = 1_000_000_000_000_001 }},
		{"before the outage", "from", "early", func(r *claim.Report) { r.Claim.Report.From = began().Add(-time.Minute) }},
		{"future", "to", "future", func(r *claim.Report) { r.Claim.Report.To = time.Now().Add(6 * time.Minute) }},
		{"far future", "from", "future", func(r *claim.Report) { r.Claim.Report.From = time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"backwards", "to", "order", func(r *claim.Report) {
			r.Claim.Report.From, r.Claim.Report.To = began().Add(2*time.Hour), began().Add(time.Hour)
		}},
		{"antiquity, of what no record tells", "from", "early", func(r *claim.Report) {
			r.Claim.Report.Service, r.Claim.Report.From = "other", time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)
		}},
		{"no service", "service", "missing", func(r *claim.Report) { r.Claim.Report.Service = " " }},
		{"use", "use", "unknown", func(r *claim.Report) { r.Claim.Report.Use = "payd" }},
		{"kind", "kind", "unknown", func(r *claim.Report) { r.Claim.Report.Kind = "robot" }},
		{"nobody", "contact", "missing", func(r *claim.Report) { r.Personal.Email = "" }},
		{"mail", "email", "form", func(r *claim.Report) { r.Personal.Email = "a@b" }},
		{"two mails", "email", "form", func(r *claim.Report) { r.Personal.Email = "a@example.com, b@example.com" }},
		{"mail with a name", "email", "form", func(r *claim.Report) { r.Personal.Email = "A <a@example.com>" }},
		{"mail with a header", "email", "form", func(r *claim.Report) { r.Personal.Email = "a@example.com\nBcc: b@example.com" }},
		{"phone", "phone", "form", func(r *claim.Report) { r.Personal.Phone = "call me" }},
		{"long", "text", "long", func(r *claim.Report) { r.Personal.Text = strings.Repeat("길", 5_001) }},
		{"not UTF-8", "text", "text", func(r *claim.Report) { r.Personal.Text = "a\xff" }},
		{"control", "name", "text", func(r *claim.Report) { r.Personal.Name = "a\x1b[2J" }},
		{"zero", "text", "text", func(r *claim.Report) { r.Personal.Text = "a\x00b" }},
		{"bank without a number", "number", "missing", func(r *claim.Report) { r.Personal.Bank = "088" }},
		{"bank number", "number", "form", func(r *claim.Report) {
			r.Personal.Bank, r.Personal.Number, r.Personal.Holder = "088", "=1+1", "홍길동"
		}},
		{"channel", "channel", "unknown", func(r *claim.Report) { r.Claim.Channel = claim.Unasked }},
		{"an agent without a name", "agent", "missing", func(r *claim.Report) { r.Claim.Channel = claim.ByPhone }},
		{"language", "lang", "unknown", func(r *claim.Report) { r.Claim.Lang = "xx" }},
	} {
		r := told(1)
		tt.change(&r)
		got, err := o.File(t.Context(), r)
		if !errors.Is(err, claim.ErrInput) || fields(err)[tt.field] != tt.says || got.ID != "" {
			t.Errorf("%s: %v, want %s %s", tt.name, err, tt.field, tt.says)
		}
	}
	r := told(1)
	r.Claim.Consent.Version, r.Claim.Report.Loss, r.Personal.Email = "2019", -5, "x"
	_, err := o.File(t.Context(), r)
	if !errors.Is(err, claim.ErrConsent) || len(fields(err)) != 2 {
		t.Errorf("three things at once: %v", err)
	}
	r.Claim.Incident = "../i"
	if _, err := o.File(t.Context(), r); !errors.Is(err, claim.ErrClosed) {
		t.Errorf("no such incident: %v", err)
	}
	if err := o.Ledger.Each(t.Context(), "", func(c claim.Claim) error { return errors.New(c.ID) }); err != nil {
		t.Errorf("kept: %v", err)
	}
}

// Services and parts are those of the window, else those of the page, else any.
func TestReportsOnServices(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, kv.NewMemory())
	named := func(n string) claim.Named {
		return claim.Named{Name: n, Title: map[string]string{"ko": n, "en": n}}
	}
	list := []claim.Service{{Named: named("kakaotalk"), Parts: []claim.Named{named("photos")}}, {Named: named("melon")}}
	if _, err := o.Open(ctx, claim.Window{Incident: "i", Services: list}, "kim"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Open(ctx, claim.Window{Incident: "unknown"}, "kim"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		incident, service, part string
		page                    bool
		want                    string
	}{
		{"i", "kakaotalk", "photos", false, ""},
		{"i", "kakaotalk", "", false, ""},
		{"i", "kakaotalk", "calls", false, "part"},
		{"i", "melon", "photos", false, "part"},
		{"i", "maps", "", false, "service"},
		{"unknown", "maps", "tiles", false, ""},
		{"unknown", "maps", "", true, "service"},
		{"unknown", "melon", "", true, ""},
	} {
		o.Page = nil
		if tt.page {
			o.Page = func(string) []claim.Service { return list }
		}
		r := told(1)
		r.Claim.Incident, r.Claim.Report.Service, r.Claim.Report.Part = tt.incident, tt.service, tt.part
		r.Claim.Report.From = time.Now().Add(-100 * day) // of "unknown" nothing is recorded
		if tt.incident == "i" {
			r.Claim.Report.From = began()
		}
		_, err := o.File(ctx, r)
		if tt.want == "" && err != nil || tt.want != "" && (len(fields(err)) != 1 || fields(err)[tt.want] != "unknown") {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// Nobody files a claim that is decided, proven, cleared or somebody else's.
func TestReportsSayNothingOfThemselves(t *testing.T) {
	o := opened(t)
	r := told(1)
	r.Claim.ID, r.Claim.State, r.Claim.Decision, r.Claim.Decider = "AAAA-AAAA-AAAA", claim.Approved, &policy.Decision{Amount: 5}, "kim"
	r.Claim.Filed, r.Claim.Currency, r.Claim.Erased = time.Now().Add(-day), "USD", time.Now()
	r.Claim.Report.Proven, r.Claim.Report.Flags, r.Claim.Report.Evidence = 5, -1, []string{"sales-proof"}
	r.Personal.Added, r.Personal.Phone = []claim.Added{{By: "kim"}}, " 010-1234-5678 "
	r.Marks = []string{"bank:somebody else", "device:d1"}
	got := filed(t, o, r)
	c := get(t, o, got.ID)
	want := claim.Claim{
		ID: got.ID, Incident: "i", Currency: "KRW", Channel: claim.ByWeb, Lang: "ko", State: claim.Received, Version: 1, Filed: c.Filed, Changed: c.Filed,
		NextAt: c.Filed.Add(claim.ReviewTime), Consent: claim.Consent{Version: r.Claim.Consent.Version, At: c.Filed},
		Report: policy.Claim{ID: got.ID, Service: "kakaotalk", Use: "free", Kind: "small-business", Loss: 200_000, Week: 1_000_000, Best: 1_200_000, Filed: c.Filed},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if time.Since(c.Filed) > time.Minute {
		t.Errorf("filed at %v", c.Filed)
	}
	p, err := o.Ledger.Open(t.Context(), got.ID, "kim", "test")
	if err != nil || len(p.Added) != 0 || p.Phone != "010-1234-5678" {
		t.Errorf("%+v, %v", p, err)
	}
	for mark, n := range map[string]int{"bank:somebody else": 0, "device:d1": 1, "phone:+821012345678": 1, "mail:p1@example.com": 1} {
		if page, err := o.Ledger.List(t.Context(), claim.Query{MarkedAs: mark}); err != nil || page.Total != n {
			t.Errorf("found by %s: %d, %v", mark, page.Total, err)
		}
	}
}

// What came by post came when it came; a key of one channel is not that of another.
func TestReportsOfAgents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		o := opened(t)
		wait(20 * day)
		came := time.Now().UTC()
		wait(15 * day)
		r := told(1)
		r.Claim.Channel, r.Claim.Agent, r.Claim.Filed, r.Personal.Email, r.Key = claim.ByPost, "lee", came, "", "1"
		c := get(t, o, filed(t, o, r).ID)
		if !c.Filed.Equal(came) || c.Late != "" || c.Agent != "lee" {
			t.Errorf("%+v", c)
		}
		r.Claim.Filed = time.Now().Add(day)
		if _, err := o.File(ctx, r); fields(err)["filed"] != "future" {
			t.Errorf("it came tomorrow: %v", err)
		}
		web := told(1)
		web.Key, web.Claim.Late = "1", "abroad"
		if got := filed(t, o, web); got.ID == c.ID || got.Again {
			t.Errorf("another channel: %+v", got)
		}
		web.Personal.Text = "other"
		if _, err := o.File(ctx, web); !errors.Is(err, claim.ErrReused) {
			t.Errorf("other content: %v", err)
		}
	})
}

// Reports come in by the intake where there is one.
func TestFileByIntake(t *testing.T) {
	o := opened(t)
	o.Intake = claim.NewIntake(o.Ledger)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { o.Intake.Run(ctx, 1) })
	if c := get(t, o, filed(t, o, told(1)).ID); c.State != claim.Received {
		t.Errorf("%+v", c)
	}
	stop()
	wg.Wait()
}

// A proof is used once, by whichever node, and forgotten after it expired.
func TestSpend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := kv.NewMemory()
		var mu sync.Mutex
		var wg sync.WaitGroup
		taken := 0
		expires := time.Now().Add(10 * time.Minute)
		for range 8 {
			wg.Go(func() {
				ok, err := newOffice(t, s).Spend(ctx, "n1", expires)
				if err != nil {
					t.Error(err)
				}
				if ok {
					mu.Lock()
					taken++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if taken != 1 {
			t.Errorf("used %d times", taken)
		}
		o := newOffice(t, s)
		if ok, err := o.Spend(ctx, "n2", time.Now()); ok || err != nil {
			t.Errorf("expired: %v, %v", ok, err)
		}
		for n := range 1_200 {
			if ok, err := o.Spend(ctx, fmt.Sprint("m", n), expires); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		wait(time.Hour)
		if n, err := o.Sweep(ctx); n != 0 || err != nil {
			t.Errorf("swept %d too early, %v", n, err)
		}
		wait(time.Hour)
		if n, err := o.Sweep(ctx); n != 1_201 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		if ok, err := o.Spend(ctx, "n1", expires); ok || err != nil {
			t.Errorf("swept, and used again: %v, %v", ok, err)
		}
	})
}

// A policy is active when two people approved of it, and what it is never changes.
func TestPolicies(t *testing.T) {
	ctx := t.Context()
	o := opened(t)
	if _, err := o.Active(ctx, "i"); !errors.Is(err, claim.ErrNoPolicy) {
		t.Fatal(err)
	}
	text := shipped(t)
	d, err := o.Submit(ctx, "i", text, "kim")
	if err != nil || d.ID != "kakao-2022@1" || d.By != "kim" {
		t.Fatal(d.ID, err)
	}
	if again, err := o.Submit(ctx, "i", text, "lee"); err != nil || !cmp.Equal(d, again) {
		t.Errorf("handed in again: %v\n%s", err, cmp.Diff(d, again))
	}
	if _, err := o.Submit(ctx, "unknown", text, "kim"); !errors.Is(err, claim.ErrNotFound) {
		t.Errorf("for an incident that nobody knows: %v", err)
	}
	for name, bad := range map[string]string{
		"other content":         string(text) + "\n# changed",
		"no policy":             "policy: [",
		"an example is another": strings.Replace(string(text), "hours: 72, ground: contract}", "hours: 73, ground: contract}", 1),
		"another currency":      strings.Replace(string(text), "currency: KRW", "currency: USD", 1),
		"large":                 string(text) + strings.Repeat("#", 600_000),
	} {
		if _, err := o.Submit(ctx, "i", []byte(bad), "kim"); !errors.Is(err, claim.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d, err = o.Approve(ctx, "i", d.ID, d.Digest, "kim"); err != nil || !d.Active.IsZero() {
		t.Fatal(d.Active, err)
	}
	if _, err := o.Approve(ctx, "i", d.ID, d.Digest, " KIM"); !errors.Is(err, claim.ErrSame) {
		t.Errorf("the same person: %v", err)
	}
	if _, err := o.Approve(ctx, "i", d.ID, "sha256:00", "lee"); !errors.Is(err, claim.ErrDigest) {
		t.Errorf("another digest: %v", err)
	}
	if _, err := o.Active(ctx, "i"); !errors.Is(err, claim.ErrNoPolicy) {
		t.Errorf("one approval: %v", err)
	}
	if d, err = o.Approve(ctx, "i", d.ID, d.Digest, "lee"); err != nil || d.Active.IsZero() || len(d.Text) != len(text) {
		t.Fatal(d.Active, err)
	}
	p, err := o.Active(ctx, "i")
	if err != nil || p.Digest != d.Digest {
		t.Fatal(err)
	}
	if more, err := o.Approve(ctx, "i", d.ID, d.Digest, "park"); err != nil || len(more.Approvals) != 2 {
		t.Errorf("a third: %+v, %v", more.Approvals, err)
	}
	second := adopt(t, o, []byte(strings.Replace(string(text), "version: 1", "version: 2", 1)))
	if p, err := o.Active(ctx, "i"); err != nil || p.ID != second.ID {
		t.Errorf("%v", err)
	}
	fresh := newOffice(t, o.Store)
	if p, err := fresh.Policy(ctx, d.ID); err != nil || p.Digest != d.Digest {
		t.Errorf("the old one can be read no more: %v", err)
	}
	if all, err := fresh.Drafts(ctx, "i"); err != nil || len(all) != 2 || all[0].ID != second.ID {
		t.Errorf("%v", err)
	}
	for _, id := range []string{"x@1", "../x", ""} {
		if _, err := o.Policy(ctx, id); !errors.Is(err, claim.ErrNotFound) {
			t.Errorf("policy %q: %v", id, err)
		}
		if _, err := o.Approve(ctx, "i", id, d.Digest, "kim"); !errors.Is(err, claim.ErrNotFound) {
			t.Errorf("approve %q: %v", id, err)
		}
	}
}

// Two who approve at once are two; the same one at once is one.
func TestApprovalRace(t *testing.T) {
	for range 3 {
		s := kv.NewMemory()
		o := newOffice(t, s)
		d, err := o.Submit(t.Context(), "i", shipped(t), "kim")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if _, err := newOffice(t, s).Approve(t.Context(), "i", d.ID, d.Digest, "lee"); err != nil && !errors.Is(err, claim.ErrSame) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if _, err := o.Active(t.Context(), "i"); !errors.Is(err, claim.ErrNoPolicy) {
			t.Fatalf("one person pressed six times: %v", err)
		}
		for _, by := range []string{"park", "choi", "jung"} {
			wg.Go(func() {
				if _, err := newOffice(t, s).Approve(t.Context(), "i", d.ID, d.Digest, by); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if all, err := o.Drafts(t.Context(), "i"); err != nil || len(all[0].Approvals) != 2 || all[0].Active.IsZero() {
			t.Fatalf("%+v, %v", all, err)
		}
	}
}
