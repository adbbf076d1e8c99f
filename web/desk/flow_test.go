package desk

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// pass lets time go by in a bubble.
func pass(d time.Duration) { <-time.NewTimer(d).C }

func (b *bench) stop(cancel context.CancelFunc, done chan struct{}) {
	cancel()
	<-done
}

// verdict is a decision as the form sends it.
func verdict(c *claim.Claim, more url.Values) url.Values {
	v := url.Values{
		"version": {num(c.Version)}, "outcome": {"pay"}, "form": {"money"}, "amount": {"50,000"}, "cost": {""}, "ground": {"goodwill"},
		"ko": {"매출 손실을 확인했습니다."}, "en": {"The loss of sales was confirmed."}, "why": {"papers seen"},
	}
	maps.Copy(v, more)
	return v
}

func num(n int64) string { return strconv.FormatInt(n, 10) }

func (b *bench) state(i int, want claim.State) {
	b.t.Helper()
	if c := b.claimOf(i); c.State != want {
		b.t.Errorf("claim %d is %s, expected %s", i+1, c.State, want)
	}
}

// TestDecide: one person decides below the limit, two above it, and nobody confirms
// what they proposed.
func TestDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		lee, park := b.as("lee"), b.as("park")
		path := func(i int, what string) string { return "/claims/" + b.ids[i] + "/" + what }
		c := b.claimOf(0)
		for name, wrong := range map[string]url.Values{
			"no reason for the record": {"why": {" "}}, "one language": {"en": {""}}, "no amount": {"amount": {"0"}}, "letters": {"amount": {"many"}},
			"NaN": {"amount": {"NaN"}}, "negative": {"amount": {"-5"}}, "2^63": {"amount": {"9223372036854775808"}}, "nothing decided": {"outcome": {""}},
			"no ground": {"ground": {"because"}}, "time without hours": {"form": {"extension"}}, "no papers named": {"outcome": {"human"}},
			"nothing as a form": {"form": {"nothing"}},
		} {
			w := lee.post(path(0, "decide"), verdict(&c, wrong))
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "매출 손실을 확인했습니다.") {
				t.Errorf("%s: %d, or what was typed is lost", name, w.Code)
			}
		}
		if w := lee.post(path(0, "decide"), verdict(&c, url.Values{"version": {"77"}})); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "50,000") {
			t.Errorf("another version: %d", w.Code)
		}
		b.golden("claim-wrong", lee.post(path(0, "decide"), verdict(&c, url.Values{"why": {""}})).Body.String())
		if to := lee.does(path(0, "decide"), verdict(&c, nil)); !strings.Contains(to, "said=decided") {
			t.Error(to)
		}
		b.state(0, claim.Approved)
		if got := b.claimOf(0); got.Decision.Amount != 50_000 || got.Decision.Cost != 50_000 || got.Decider != "lee" {
			t.Errorf("%+v", got.Decision)
		}
		b.golden("claim-approved", lee.page("/claims/"+b.ids[0]))

		c = b.claimOf(4)
		to := lee.does(path(4, "decide"), verdict(&c, url.Values{"amount": {"3,000,000"}}))
		if !strings.Contains(to, "said=proposed") {
			t.Errorf("above the limit: %s", to)
		}
		b.golden("claim-proposed-mine", lee.page("/claims/"+b.ids[4]))
		b.golden("claim-proposed", park.page("/claims/"+b.ids[4]))
		version := url.Values{"version": {num(b.claimOf(4).Version)}}
		if w := lee.post(path(4, "confirm"), version); w.Code != http.StatusForbidden {
			t.Errorf("who proposed it confirmed it: %d", w.Code)
		}
		if w := park.post(path(4, "reject"), version); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("sent back without a reason: %d", w.Code)
		}
		park.does(path(4, "reject"), url.Values{"version": version["version"], "why": {"too much"}})
		b.state(4, claim.Review)
		c = b.claimOf(4)
		lee.does(path(4, "decide"), verdict(&c, url.Values{"amount": {"2,000,000"}}))
		park.does(path(4, "confirm"), url.Values{"version": {num(b.claimOf(4).Version)}})
		b.state(4, claim.Approved)

		lee.does(path(2, "policy"), url.Values{"version": {num(b.claimOf(2).Version)}})
		b.state(2, claim.Decided)
		kim := b.as("kim")
		kim.does(path(2, "appeal"), url.Values{"text": {"이의의 속사정"}})
		b.golden("claim-appealed", park.page("/claims/"+b.ids[2]))
		c = b.claimOf(2)
		if w := lee.post(path(2, "decide"), verdict(&c, nil)); w.Code != http.StatusForbidden {
			t.Errorf("who decided before decides the appeal: %d", w.Code)
		}
		park.does(path(2, "decide"), verdict(&c, url.Values{"outcome": {"refuse"}}))

		c = b.claimOf(3)
		lee.does(path(3, "figures"), url.Values{"version": {num(c.Version)}, "proven": {"200,000"}, "best": {"1,200,000"}, "week": {"1,000,000"}, "why": {"the books"}})
		c = b.claimOf(3)
		if c.Report.Proven != 200_000 {
			t.Errorf("%+v", c.Report)
		}
		lee.does(path(3, "decide"), verdict(&c, url.Values{"outcome": {"human"}, "evidence": {"sales-proof", "bank-account"}}))
		b.state(3, claim.Asked)
		b.golden("claim-asked", lee.page("/claims/"+b.ids[3]))
	})
}

// TestLook: personal data is shown on one response, after a reason was written down.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		kim := b.as("kim")
		path := "/claims/" + b.ids[0]
		if w := kim.post(path+"/look", url.Values{"why": {"  "}}); w.Code != http.StatusUnprocessableEntity || strings.Contains(w.Body.String(), "홍길동") {
			t.Errorf("without a reason: %d", w.Code)
		}
		w := kim.post(path+"/look", url.Values{"why": {"신고자가 전화했음"}})
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "홍길동") || !strings.Contains(w.Body.String(), "110-123-456789") {
			t.Fatalf("with a reason: %d", w.Code)
		}
		b.golden("claim-looked", w.Body.String())
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Error("the page may be kept")
		}
		if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), "<img") {
			t.Error("what a claimant wrote became markup")
		}
		kim.page(path) // send looks for what is personal
		looks, err := b.ledger.Looks(t.Context(), time.Time{}, 10)
		if err != nil || len(looks) != 1 || looks[0].Who != "kim" || looks[0].Why != "신고자가 전화했음" {
			t.Errorf("%+v, %v", looks, err)
		}
		yoon := b.as("yoon")
		b.golden("privacy", yoon.page("/privacy"))

		paper := []byte("덧붙인 비밀\n매출 장부\n")
		if w := kim.sends(path+"/add", map[string]string{"kind": "sales-proof"}, "장부.txt", paper); w.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", w.Code, problemIn(w.Body.String()))
		}
		if w := kim.sends(path+"/add", map[string]string{"kind": "sales-proof"}, "x.exe", []byte("MZ\x90\x00 this program")); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a program was taken: %d", w.Code)
		}
		f := b.claimOf(0).Files[0]
		b.ids = append(b.ids, f.ID) // a name for it in what is compared
		if w := kim.post(path+"/paper", url.Values{"file": {f.ID}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a paper without a reason: %d", w.Code)
		}
		if w := kim.post(path+"/paper", url.Values{"file": {"nothing"}, "why": {"x"}}); w.Code != http.StatusNotFound {
			t.Errorf("a paper that is none: %d", w.Code)
		}
		w = kim.post(path+"/paper", url.Values{"file": {f.ID}, "why": {"to decide"}})
		h := w.Header()
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "덧붙인 비밀") || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") ||
			h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("Cache-Control") != "no-store" ||
			strings.Contains(h.Get("Content-Type"), "html") {
			t.Errorf("%d %v", w.Code, h)
		}
		if looks, _ = b.ledger.Looks(t.Context(), time.Time{}, 10); len(looks) != 2 {
			t.Errorf("%d looks", len(looks))
		}

		if w := yoon.post("/privacy/erase", url.Values{"claim": {b.ids[0]}, "why": {"asked for it"}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("erased without being sure: %d", w.Code)
		}
		yoon.does("/privacy/erase", url.Values{"claim": {strings.ToLower(b.ids[0])}, "why": {"asked for it"}, "sure": {"1"}})
		if w := kim.post(path+"/look", url.Values{"why": {"again"}}); w.Code != http.StatusGone {
			t.Errorf("after it was erased: %d", w.Code)
		}
		b.golden("claim-erased", kim.page(path))
	})
}

// TestBulk: what was ticked is shown with what will happen, then done, row by row; what
// changed in between is left alone.
func TestBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		lee := b.as("lee")
		if w := lee.post("/claims/bulk", url.Values{"do": {"policy"}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("nothing ticked: %d", w.Code)
		}
		if w := lee.post("/claims/bulk", url.Values{"do": {"burn"}, "id": b.ids}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("an unknown action: %d", w.Code)
		}
		preview := lee.post("/claims/bulk", url.Values{"do": {"policy"}, "id": b.ids})
		b.golden("bulk-policy", preview.Body.String())
		b.golden("bulk-decide", lee.post("/claims/bulk", url.Values{"do": {"decide"}, "id": b.ids[:3]}).Body.String())
		b.golden("bulk-merge", lee.post("/claims/bulk", url.Values{"do": {"merge"}, "id": {b.ids[0], b.ids[3]}}).Body.String())
		for i := range b.ids {
			if c := b.claimOf(i); c.Version != 1 {
				t.Errorf("a preview changed claim %d", i+1)
			}
		}
		seen := func(ids ...string) url.Values {
			v := url.Values{"do": {"policy"}}
			for _, id := range ids {
				c, err := b.ledger.Claim(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				v.Add("id", id)
				v.Add("seen", id+":"+num(c.Version))
			}
			return v
		}
		v := seen(b.ids[1], b.ids[2], b.ids[5])
		lee.does("/claims/"+b.ids[2]+"/policy", url.Values{"version": {"1"}}) // meanwhile
		w := lee.post("/claims/bulk/do", v)
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, problemIn(w.Body.String()))
		}
		b.golden("bulk-done", w.Body.String())
		b.state(1, claim.Approved)
		b.state(5, claim.Approved)

		// Ten small sums are no way around the limit that one large one meets.
		many := verdict(&claim.Claim{}, seen(b.ids[0], b.ids[3], b.ids[4]))
		many.Set("do", "decide")
		many.Set("amount", "400,000")
		if w := lee.post("/claims/bulk", many); !strings.Contains(w.Body.String(), "제안이 되어") {
			t.Error("the preview does not say that a second person is needed")
		}
		if w := lee.post("/claims/bulk/do", many); w.Code != http.StatusOK {
			t.Fatalf("%d", w.Code)
		}
		for _, i := range []int{0, 3, 4} {
			if c := b.claimOf(i); c.Proposal == nil {
				t.Errorf("claim %d was decided alone: %s", i+1, c.State)
			}
		}

		if w := lee.post("/claims/bulk/do", url.Values{"do": {"merge"}, "id": {b.ids[0], b.ids[3]}, "into": {b.ids[0]}, "seen": seen(b.ids[0], b.ids[3])["seen"]}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("merged without a reason: %d", w.Code)
		}
		if w := lee.post("/claims/bulk/do", url.Values{"do": {"merge"}, "id": {b.ids[0], b.ids[3]}, "into": {b.ids[0]}, "seen": seen(b.ids[0], b.ids[3])["seen"], "why": {"the same shop"}}); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, problemIn(w.Body.String()))
		}
		b.state(3, claim.Merged)
		b.golden("claim-merged", lee.page("/claims/"+b.ids[3]))
	})
}

// TestEnter: an agent enters what somebody says on the telephone; pressing twice files once.
func TestEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		kim := b.as("kim")
		b.golden("enter", regexp.MustCompile(`name="key" value="[^"]*"`).ReplaceAllString(kim.page("/enter"), `name="key" value="KEY"`))
		report := url.Values{
			"incident": {"fire"}, "key": {"KEY"}, "channel": {"phone"}, "service": {"kakaotalk"}, "use": {"free"}, "kind": {"person"},
			"from": {b.hour(2).In(b.s.o.Zone).Format(minute)}, "loss": {"30,000"}, "text": {"택시를 못 잡았어요"}, "name": {"이순신"}, "phone": {"010-9999-0000"},
			"language": {"ko"}, "consent": {claim.DefaultTemplate().Consent.Version},
		}
		wrong := maps.Clone(report)
		for field, values := range map[string][]string{"use": {""}, "consent": {""}, "phone": {""}, "loss": {"-1"}, "from": {"2999-01-01T00:00"}, "channel": {"smoke"}, "service": {""}} {
			was := wrong[field]
			wrong[field] = values
			w := kim.post("/enter", wrong)
			if w.Code < 400 || !strings.Contains(w.Body.String(), "택시를 못 잡았어요") || !strings.Contains(w.Body.String(), "이순신") {
				t.Errorf("%s wrong: %d, or what was typed is lost", field, w.Code)
			}
			wrong[field] = was
		}
		var codes []string
		for range 2 {
			w := kim.post("/enter", report)
			if w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, problemIn(w.Body.String()))
			}
			codes = append(codes, regexp.MustCompile(`class="secret">([^<]+)<`).FindStringSubmatch(w.Body.String())[1])
		}
		if codes[0] != codes[1] {
			t.Errorf("pressed twice: %v", codes)
		}
		got, err := b.ledger.Claim(t.Context(), codes[0])
		if err != nil || got.Agent != "kim" || got.Channel != claim.ByPhone || got.Report.Loss != 30_000 {
			t.Errorf("%+v, %v", got, err)
		}

		table := []byte("\ufeffservice,use,email\nkakaotalk,none,a@example.com\n,none,c@example.com\nkakaotalk,maybe,b@example.com\n")
		w := kim.sends("/import", map[string]string{"incident": "fire", "do": "try"}, "표.csv", table)
		b.golden("import-tried", w.Body.String())
		count := func() int {
			p, err := b.ledger.List(t.Context(), claim.Query{Incident: "fire", Channel: claim.ByImport})
			if err != nil {
				t.Fatal(err)
			}
			return len(p.Claims)
		}
		for table, want := range map[string]string{
			"use,email\nnone,a@example.com\n":  "표에 service 열이 없습니다. 첫 행에 열 이름을 적으세요",
			"service,us\nkakaotalk,none\n":     "&#34;us&#34;는 모르는 열입니다. &#34;use&#34; 말인가요? 쓸 수 있는 열: service, part",
			"service,use\n\xff\xffx,none\n":    "글자가 UTF-8도 EUC-KR도 아닙니다",
			"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "암호 없는 XLSX나 CSV로 저장해 다시 올리세요",
			"":                                 "파일이 비었습니다",
		} {
			if w := kim.sends("/import", map[string]string{"incident": "fire", "do": "try"}, "표.csv", []byte(table)); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%q: %d %s", table, w.Code, problemIn(w.Body.String()))
			}
		}
		if count() != 0 {
			t.Error("a trial filed something")
		}
		for range 2 {
			if w = kim.sends("/import", map[string]string{"incident": "fire", "do": "file"}, "표.csv", table); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, problemIn(w.Body.String()))
			}
		}
		if count() != 1 {
			t.Errorf("%d were filed", count())
		}
		if w := kim.post("/import", url.Values{"incident": {"fire"}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("no file: %d", w.Code)
		}
		for _, step := range []struct {
			what string
			form url.Values
		}{
			{"amend", url.Values{"text": {"덧붙인 비밀"}}},
			{"bank", url.Values{"bank": {"004"}, "number": {"123-456-7890"}, "holder": {"이순신"}}},
			{"withdraw", nil},
		} {
			kim.does("/claims/"+codes[0]+"/"+step.what, step.form)
		}
		if got, _ = b.ledger.Claim(t.Context(), codes[0]); got.State != claim.Withdrawn {
			t.Errorf("%s", got.State)
		}
		p, err := b.ledger.Open(t.Context(), codes[0], "t", "t")
		if err != nil || p.Holder != "이순신" || len(p.Added) < 2 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// TestWindows: opened, extended and closed, with reasons.
func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := newBench(t)
		lee := b.as("lee")
		if w := lee.get("/run"); w.Code != http.StatusConflict {
			t.Errorf("no window: %d", w.Code)
		}
		b.golden("windows-none", lee.page("/windows"))
		lee.does("/windows/open", url.Values{"incident": {"flood"}})
		until := time.Now().Add(60 * 24 * time.Hour).In(b.s.o.Zone).Format(minute)
		if w := lee.post("/windows/extend", url.Values{"incident": {"flood"}, "until": {until}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("extended without a reason: %d", w.Code)
		}
		lee.does("/windows/extend", url.Values{"incident": {"flood"}, "until": {until}, "why": {"협의체의 요청"}})
		pass(time.Hour)
		lee.does("/windows/close", url.Values{"incident": {"flood"}, "why": {"모두 받음"}})
		b.golden("windows", lee.page("/windows"))
		for _, bad := range []url.Values{{"incident": {""}}, {"incident": {"../x"}}, {"incident": {strings.Repeat("가", 200)}}} {
			if w := lee.post("/windows/open", bad); w.Code < 400 || w.Code >= 500 {
				t.Errorf("%v: %d", bad, w.Code)
			}
		}
	})
}

// TestPolicies: seen before it is handed in, and in force when two people approved.
func TestPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		lee, park := b.as("lee"), b.as("park")
		b.golden("policies", lee.page("/policies"))
		b.golden("policy", lee.page("/policies/kakao-2022@1?incident=fire"))
		next := strings.Replace(string(shipped(t)), "version: 1", "version: 2", 1)
		next = strings.Replace(next, "fourEyes: 1000000", "fourEyes: 2000000", 1)
		b.golden("policy-checked", lee.post("/policies/check", url.Values{"incident": {"fire"}, "text": {next}}).Body.String())
		bad := strings.Replace(next, "outage.minutes > 0", "outage.minuets > 0", 1)
		w := lee.post("/policies/check", url.Values{"incident": {"fire"}, "text": {bad}})
		b.golden("policy-wrong", w.Body.String())
		if strings.Contains(w.Body.String(), "/policies/submit\" class=\"panel\"") && strings.Contains(w.Body.String(), ">제출</button>") {
			t.Error("a policy that is wrong can be handed in")
		}
		if w := lee.post("/policies/submit", url.Values{"incident": {"fire"}, "text": {bad}}); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "outage.minutes") {
			t.Errorf("handed in all the same: %d", w.Code)
		}
		w = lee.sends("/policies/check", map[string]string{"incident": "fire"}, "next.yaml", []byte(next))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "kakao-2022@2") {
			t.Errorf("as a file: %d", w.Code)
		}
		to := lee.does("/policies/submit", url.Values{"incident": {"fire"}, "text": {next}})
		page := park.page(strings.Split(to, "&said")[0])
		digest := regexp.MustCompile(`name="digest" value="([^"]+)"`).FindStringSubmatch(page)[1]
		approve := url.Values{"incident": {"fire"}, "digest": {digest}}
		if w := park.post("/policies/kakao-2022@2/approve", url.Values{"incident": {"fire"}, "digest": {"sha256:other"}}); w.Code != http.StatusConflict {
			t.Errorf("approved unseen: %d", w.Code)
		}
		park.does("/policies/kakao-2022@2/approve", approve)
		if w := park.post("/policies/kakao-2022@2/approve", approve); w.Code != http.StatusForbidden {
			t.Errorf("approved twice by one person: %d", w.Code)
		}
		if to := lee.does("/policies/kakao-2022@2/approve", approve); !strings.Contains(to, "said=active") {
			t.Error(to)
		}
		if p, err := b.office.Active(t.Context(), "fire"); err != nil || p.ID != "kakao-2022@2" {
			t.Errorf("%v, %v", p, err)
		}
		b.golden("policies-two", lee.page("/policies"))
	})
}

// TestWork: what-if, a preview and the decision of all, flags, and what their pages show.
func TestWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = b.s.Run(ctx) }()
		defer b.stop(cancel, done)
		lee, kang := b.as("lee"), b.as("kang")
		b.golden("whatif", lee.page("/whatif"))
		next := strings.Replace(string(shipped(t)), "version: 1", "version: 2", 1)
		next = strings.ReplaceAll(strings.Replace(next, "budget: 40000000000", "budget: 10000", 1), `amount: "30000"`, `amount: "40000"`)
		next = strings.ReplaceAll(next, "amount: 30000", "amount: 40000")
		if w := lee.post("/whatif", url.Values{"incident": {"fire"}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("no draft: %d", w.Code)
		}
		if w := lee.post("/whatif", url.Values{"incident": {"fire"}, "text": {"policy: ["}}); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "policy: [") {
			t.Errorf("a broken draft: %d", w.Code)
		}
		if w := kang.post("/whatif", url.Values{"incident": {"fire"}, "draft": {"kakao-2022@1"}, "text": {next}}); w.Code != http.StatusForbidden {
			t.Errorf("a member of the body tries a rule of their own: %d", w.Code)
		}
		to := lee.does("/whatif", url.Values{"incident": {"fire"}, "draft": {"kakao-2022@1"}, "text": {next}})
		b.golden("whatif-result", lee.page(to))
		if w := kang.get(to); w.Code != http.StatusForbidden {
			t.Errorf("a member of the body looks at single groups: %d", w.Code)
		}
		b.golden("whatif-coarse", kang.page(kang.does("/whatif", url.Values{"incident": {"fire"}, "draft": {"kakao-2022@1"}})))
		w := lee.get(to + "/table.xlsx")
		z, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
		if err != nil || len(z.File) < 8 {
			t.Fatalf("%d, %v", w.Code, err)
		}
		var strs strings.Builder
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if strs.WriteString(string(text)); strings.Contains(string(text), "<f>") {
				t.Errorf("%s holds a formula", f.Name)
			}
		}
		if !strings.Contains(strs.String(), "kakao-2022@2") || !strings.Contains(strs.String(), "규칙별") {
			t.Error("the workbook lacks a draft or a sheet")
		}
		if w := b.as("choi").get(to); w.Code != http.StatusForbidden {
			t.Errorf("a payer looks at a comparison: %d", w.Code)
		}

		b.golden("run", lee.page("/run"))
		to = lee.does("/run/preview", url.Values{"incident": {"fire"}})
		page := lee.page(to)
		b.golden("run-preview", page)
		for i := range b.ids {
			if c := b.claimOf(i); c.Decision != nil {
				t.Error("a preview decided something")
			}
		}
		digest := regexp.MustCompile(`name="digest" value="([^"]+)"`).FindStringSubmatch(page)[1]
		if w := lee.post("/run/decide", url.Values{"incident": {"fire"}, "digest": {"sha256:other"}}); w.Code != http.StatusConflict {
			t.Errorf("decided by another policy than was seen: %d", w.Code)
		}
		to = lee.does("/run/decide", url.Values{"incident": {"fire"}, "digest": {digest}, "total": {"6"}})
		b.golden("run-decided", lee.page(to))
		b.state(1, claim.Approved)
		b.state(4, claim.Review)
		to = lee.does("/run/flag", url.Values{"incident": {"fire"}})
		b.golden("run-flagged", lee.page(to))
		b.golden("claim-flagged", lee.page("/claims/"+b.ids[3]))
		lee.does("/claims/"+b.ids[3]+"/clear", url.Values{"kind": {b.claimOf(3).Flags[0].Kind}, "why": {"two shops of one owner"}})
		if b.claimOf(3).Flags[0].Clear == "" {
			t.Error("the doubt is still open")
		}
		if w := lee.get("/jobs/NOSUCHJOB"); w.Code != http.StatusNotFound {
			t.Errorf("no such work: %d", w.Code)
		}
	})
}

// TestLongWork: a page does not wait for long work, shows how far it is, refreshes itself
// unless the reader minds, and the work is not begun twice.
func TestLongWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = b.s.Run(ctx) }()
		defer b.stop(cancel, done)
		begun, end := 0, make(chan struct{})
		start := func() *job {
			j, err := b.s.start(t.Context(), &job{Kind: "flag", Key: "k", Incident: "fire", By: "lee", May: Decider, Total: 10, run: func(_ context.Context, progress func(int)) (any, error) {
				begun++
				progress(4)
				<-end
				return 3, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		j := start()
		pass(time.Second)
		if again := start(); again != j {
			t.Error("the same work was begun twice")
		}
		lee := b.as("lee")
		w := lee.get("/jobs/" + j.ID)
		if w.Header().Get("Refresh") != "3" || !strings.Contains(w.Body.String(), `value="4"`) {
			t.Errorf("%v\n%s", w.Header(), w.Body)
		}
		b.golden("job", w.Body.String())
		if w := lee.get("/jobs/" + j.ID + "?still=1"); w.Header().Get("Refresh") != "" {
			t.Error("it refreshes although nobody wants it")
		}
		close(end)
		pass(time.Second)
		if w := lee.get("/jobs/" + j.ID); w.Header().Get("Refresh") != "" || !strings.Contains(w.Body.String(), "3건에 의심") {
			t.Errorf("over: %s", w.Body)
		}
		broken, err := b.s.start(t.Context(), &job{Kind: "flag", Key: "p", Incident: "fire", By: "lee", May: Decider, run: func(context.Context, func(int)) (any, error) { panic("no") }})
		if err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		b.golden("job-broken", lee.page("/jobs/"+broken.ID))
		if begun != 1 {
			t.Errorf("begun %d times", begun)
		}
	})
}

// TestBody: members comment and vote; what is published stays.
func TestBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		kang, lee := b.as("kang"), b.as("lee")
		if w := kang.post("/body/open", url.Values{"incident": {"fire"}, "title-ko": {"1차"}, "title-en": {"First"}, "held": {"soon"}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("no time: %d", w.Code)
		}
		to := kang.does("/body/open", url.Values{"incident": {"fire"}, "title-ko": {"1차 회의 " + hostile}, "title-en": {"First"}, "held": {time.Now().Format(minute)}})
		path, _, _ := strings.Cut(to, "?")
		b.ids = append(b.ids, strings.TrimPrefix(path, "/body/"))
		with := func(more ...string) url.Values {
			v := url.Values{"incident": {"fire"}}
			for i := 0; i+1 < len(more); i += 2 {
				v.Add(more[i], more[i+1])
			}
			return v
		}
		version := func() string {
			return regexp.MustCompile(`name="version" value="([^"]+)"`).FindStringSubmatch(kang.page(path + "?incident=fire"))[1]
		}
		kang.does(path+"/ask", with("version", version(), "question-ko", "이 안으로 합니까?", "question-en", "Shall it be this draft?", "draft", "kakao-2022@1"))
		kang.does(path+"/comment", with("question", "1", "text", hostile))
		if w := lee.post(path+"/vote", with("question", "1", "vote", "yes")); w.Code != http.StatusForbidden {
			t.Errorf("who is no member votes: %d", w.Code)
		}
		kang.does(path+"/vote", with("question", "1", "vote", "no"))
		kang.does(path+"/vote", with("question", "1", "vote", "yes"))
		if w := kang.post(path+"/vote", with("question", "1", "vote", "maybe")); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("a vote that is none: %d", w.Code)
		}
		if w := kang.post(path+"/publish", with("version", version())); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("published without minutes: %d", w.Code)
		}
		kang.does(path+"/save", with("version", version(), "minutes-ko", "회의록", "minutes-en", "Minutes", "decision-ko", "결정", "decision-en", "Decision"))
		b.golden("session", kang.page(path+"?incident=fire"))
		kang.does(path+"/publish", with("version", version()))
		b.golden("session-published", kang.page(path+"?incident=fire"))
		if w := kang.post(path+"/comment", with("question", "1", "text", "late")); w.Code != http.StatusConflict {
			t.Errorf("a comment after it was published: %d", w.Code)
		}
		b.golden("body", kang.page("/body"))
		w := kang.get("/body/data.csv?incident=fire")
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	})
}

// TestPayout walks a batch through: posted, drafted, approved by another, sent, answered.
func TestPayout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = b.s.Run(ctx) }()
		defer b.stop(cancel, done)
		c := b.claimOf(0)
		b.as("lee").does("/claims/"+b.ids[0]+"/decide", verdict(&c, nil))
		choi, jung := b.as("choi"), b.as("jung")
		b.golden("payout-none", choi.page("/payout"))
		b.golden("job-granted", choi.page(choi.does("/payout/grant", url.Values{"incident": {"fire"}})))
		draft := url.Values{"incident": {"fire"}, "id": {"b1"}, "form": {"money"}, "bank": {"main"}}
		if w := choi.post("/payout/draft", url.Values{"incident": {"fire"}, "id": {"b1"}, "form": {"money"}}); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("no bank: %d", w.Code)
		}
		b.golden("job-drafted", choi.page(choi.does("/payout/draft", draft)))
		batch := url.Values{"incident": {"fire"}, "batch": {"b1"}}
		if w := choi.post("/payout/approve", batch); w.Code != http.StatusForbidden {
			t.Errorf("who drafted it approved it: %d", w.Code)
		}
		b.golden("payout-drafted", choi.page("/payout"))
		jung.does("/payout/approve", batch)
		w := jung.post("/payout/file", url.Values{"incident": {"fire"}, "batch": {"b1"}, "format": {"csv"}})
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "110-123-456789") && !strings.Contains(w.Body.String(), "110123456789") || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") {
			t.Fatalf("%d %v\n%s", w.Code, w.Header(), w.Body)
		}
		if looks, _ := b.ledger.Looks(t.Context(), time.Time{}, 10); len(looks) == 0 {
			t.Error("nobody wrote down who wrote the file of payees")
		}
		jung.does("/payout/sent", batch)
		b.golden("payout-sent", choi.page("/payout"))
		if w := choi.post("/payout/drop", url.Values{"incident": {"fire"}, "batch": {"b1"}, "why": {"x"}}); w.Code != http.StatusConflict {
			t.Errorf("dropped after it was sent: %d", w.Code)
		}
		if w := choi.sends("/payout/results", map[string]string{"incident": "fire"}, "x.csv", []byte("nothing of the kind")); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("an answer that is none: %d", w.Code)
		}
		_, items, err := b.cashier.Batch(t.Context(), "b1")
		if err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		w = choi.sends("/payout/results", map[string]string{"incident": "fire"}, "x.csv", []byte("id,result,code\n"+items[0].ID+",done,\n"))
		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, problemIn(w.Body.String()))
		}
		b.state(0, claim.Paid)
		if !strings.Contains(b.as("kim").page("/claims/"+b.ids[0]), "/claims/"+b.ids[0]+"/appeal") {
			t.Error("an agent cannot enter an appeal against what was paid, which its claimant can")
		}
		b.golden("reconcile", choi.page("/payout/reconcile"))
		b.golden("batch", strings.ReplaceAll(choi.page("/payout/batch/b1"), items[0].ID, "BANK-ID"))
		b.golden("missing", choi.page("/payout/missing"))
		if w := choi.post("/payout/mend", url.Values{"incident": {"fire"}}); w.Code != http.StatusOK {
			t.Errorf("%d", w.Code)
		}
		asked := url.Values{"incident": {"fire"}, "counterparty": {"운영사"}, "cover": {"7,000,000,000"}, "limitation": {"2025-10-15"}}
		if w := choi.post("/payout/recourse", asked); w.Code != http.StatusOK || w.Body.String() != "PK 운영사 7000000000 2025-10-15" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for _, wrong := range []url.Values{{"incident": {"fire"}, "counterparty": {"x"}, "cover": {"NaN"}}, {"incident": {"fire"}, "counterparty": {"x"}, "limitation": {"soon"}}} {
			if w := choi.post("/payout/recourse", wrong); w.Code != http.StatusUnprocessableEntity {
				t.Errorf("%v: %d", wrong, w.Code)
			}
		}
	})
}

// TestCoupon: a case shows that a coupon was issued; its code only to who pays and says why.
func TestCoupon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		c, ctx := b.claimOf(0), t.Context()
		b.as("lee").does("/claims/"+c.ID+"/decide", verdict(&c, url.Values{"form": {"coupon"}}))
		if _, err := b.cashier.Grant(ctx, "fire", "choi", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := b.cashier.Draft(ctx, "fire", policy.Coupon, "", "c1", "choi", 0); err != nil {
			t.Fatal(err)
		}
		if _, err := b.cashier.Approve(ctx, "c1", "jung"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.cashier.Sent(ctx, "c1", "jung"); err != nil {
			t.Fatal(err)
		}
		_, items, err := b.cashier.Batch(ctx, "c1")
		if err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		if _, err := b.cashier.Results(ctx, []byte("id,result\n"+items[0].ID+",ok\n"), "jung"); err != nil {
			t.Fatal(err)
		}
		code, err := b.cashier.Coupon(&items[0])
		if err != nil {
			t.Fatal(err)
		}
		path := "/claims/" + c.ID
		why := url.Values{"why": {"신고자가 잃어버렸습니다"}}
		for _, name := range []string{"kim", "lee", "choi"} {
			p := b.as(name)
			html := p.page(path)
			if strings.Contains(html, code[:4]) || !strings.Contains(html, code[15:]) || !strings.Contains(html, "쿠폰") {
				t.Errorf("%s: the case does not show that a coupon was issued, or shows its code", name)
			}
			if may := strings.Contains(html, path+"/coupon"); may != (name == "choi") {
				t.Errorf("%s may look at the code: %v", name, may)
			}
			if may := strings.Contains(html, path+"/look"); may == (name == "choi") {
				t.Errorf("%s may look at personal data: %v", name, may)
			}
			if w := p.post(path+"/coupon", why); name != "choi" && (w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), code)) {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
		choi := b.as("choi")
		if w := choi.post(path+"/coupon", url.Values{}); w.Code != http.StatusUnprocessableEntity || strings.Contains(w.Body.String(), code) {
			t.Errorf("without a reason: %d", w.Code)
		}
		if w := choi.post(path+"/coupon", why); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), code) {
			t.Errorf("%d", w.Code)
		}
		looks, err := b.ledger.Looks(ctx, time.Time{}, 10)
		if err != nil || len(looks) != 2 || looks[0].Who != "choi" || looks[0].Why != why.Get("why") {
			t.Errorf("%+v, %v", looks, err)
		}
	})
}

// TestUnasked: a list of accounts is tried, handed in by one and approved by another, who has the same list.
func TestUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = b.s.Run(ctx) }()
		defer b.stop(cancel, done)
		lee, park := b.as("lee"), b.as("park")
		list := []byte("account,service,plan,fee\nu-1,kakao-t-pro,pro,39000\nu-2,kakao-t-pro,pro,39000\nu-3,emoticon-plus,,4900\nu-4,webtoon,,100\n")
		fields := map[string]string{"incident": "fire"}
		at := func(p *person, path string, list []byte) string {
			t.Helper()
			w := p.sends(path, fields, "list.csv", list)
			if w.Code != http.StatusSeeOther {
				t.Fatalf("%s: %d\n%s", path, w.Code, problemIn(w.Body.String()))
			}
			return p.page(w.Header().Get("Location"))
		}
		given := func() (n int) {
			t.Helper()
			if err := b.ledger.Each(t.Context(), "fire", func(c claim.Claim) error {
				if c.Channel == claim.Unasked {
					n++
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			return n
		}
		lists := func() []claim.Handout {
			t.Helper()
			all, err := b.office.Handouts(t.Context(), "fire")
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		b.golden("unasked-none", lee.page("/unasked"))
		w := lee.sends("/unasked/try", fields, "list.csv", []byte("account,service,fee\n900101-1234567,kakao-t-pro,-5\n,kakao-t-pro,1\n"))
		if body := w.Body.String(); w.Code != http.StatusUnprocessableEntity || !strings.Contains(body, "정수여야 합니다") || !strings.Contains(body, "칸이 비었습니다") {
			t.Errorf("wrong rows: %d\n%s", w.Code, body)
		}
		b.golden("job-unasked-tried", at(lee, "/unasked/try", list))
		if len(lists()) != 0 {
			t.Fatal("a list that was tried was handed in")
		}
		b.golden("job-unasked-in", at(lee, "/unasked/submit", list))
		if all := lists(); len(all) != 1 || all[0].By != "lee" || all[0].ApprovedBy != "" || all[0].Approved != 3 {
			t.Fatalf("%+v", all)
		}
		digest := lists()[0].Digest
		if html := lee.page("/unasked"); strings.Contains(html, "/unasked/approve") || !strings.Contains(html, "두 번째 사람 대기") {
			t.Error("who handed the list in may approve of it, or does not see that it waits")
		}
		b.golden("unasked-waits", strings.ReplaceAll(park.page("/unasked"), digest, "DIGEST"))
		if html := at(park, "/unasked/submit", list); given() != 0 || !strings.Contains(html, "이미 같은 목록을 올렸습니다") {
			t.Error("the second person handed the list in, and that approved of it")
		}
		fields["digest"] = digest
		if html := at(park, "/unasked/approve", append(list, "u-5,kakao-t-pro,pro,39000\n"...)); !strings.Contains(html, "기다리는 목록이 아닙니다") {
			t.Error("another list was approved")
		}
		if html := at(lee, "/unasked/approve", list); !strings.Contains(html, "같은 사람") && !strings.Contains(html, "problem") {
			t.Error("who handed the list in approved of it")
		}
		if len(lists()) != 1 || given() != 0 {
			t.Fatalf("%+v, %d given", lists(), given())
		}
		if html := at(park, "/unasked/approve", list); given() != 3 || !strings.Contains(html, "kakao-2022@1") {
			t.Errorf("%d given", given())
		}
		b.golden("unasked-given", strings.ReplaceAll(park.page("/unasked"), digest, "DIGEST"))
	})
}

// TestJobsElsewhere: work that one node does is followed at another one: how far it is, what came of it, and that it was cut off.
func TestJobsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = b.s.Run(ctx) }()
		other, err := New(b.s.o)
		if err != nil {
			t.Fatal(err)
		}
		there := *b
		there.s = other
		lee := b.as("lee")
		away := *lee
		away.b = &there
		same := func(path, says string) {
			t.Helper()
			<-time.NewTimer(time.Second).C // so that its end is known
			synctest.Wait()
			if here, over := b.plain(lee.page(path)), b.plain(away.page(path)); here != over || !strings.Contains(over, says) {
				t.Errorf("%s: the other node shows something else:\n%s", path, cmp.Diff(here, over))
			}
		}
		incident := url.Values{"incident": {"fire"}}
		whatif := lee.does("/whatif", url.Values{"incident": {"fire"}, "draft": {"kakao-2022@1"}})
		same(whatif, "table.xlsx")
		if w := away.get(whatif + "/table.xlsx"); w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), "PK") {
			t.Errorf("the workbook at the other node: %d", w.Code)
		}
		same(lee.does("/run/preview", incident), "kakao-2022@1")
		same(lee.does("/run/flag", incident), "의심")
		release := make(chan struct{})
		j, err := b.s.start(t.Context(), &job{Kind: "flag", Key: "k", Incident: "fire", By: "lee", May: Decider, Total: 10, run: func(_ context.Context, progress func(int)) (any, error) {
			progress(3)
			<-release
			return 7, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		path := "/jobs/" + j.ID
		<-time.NewTimer(5 * time.Second).C
		synctest.Wait()
		if html := away.page(path); !strings.Contains(html, `<b>3</b> / 10`) {
			t.Errorf("the other node does not know how far it is:\n%s", html)
		}
		if html := away.page("/run"); !strings.Contains(html, path) {
			t.Error("the other node does not list it")
		}
		kang := there.as("kang")
		if w := kang.get(path); w.Code != http.StatusForbidden {
			t.Errorf("somebody else's work at the other node: %d", w.Code)
		}
		if w := away.get("/jobs/NOSUCHJOB"); w.Code != http.StatusNotFound {
			t.Errorf("work that nobody knows: %d", w.Code)
		}
		close(release)
		same(path, "7건")
		broken, err := b.s.start(t.Context(), &job{Kind: "flag", Key: "p", Incident: "fire", By: "lee", May: Decider, run: func(context.Context, func(int)) (any, error) {
			return nil, claim.ErrNoPolicy
		}})
		if err != nil {
			t.Fatal(err)
		}
		same("/jobs/"+broken.ID, "정책이 없습니다")
		b.stop(cancel, done)
		cut := storedJob{V: 1, ID: "CUT", Kind: "flag", Incident: "fire", By: "lee", May: Decider, Begun: time.Now().Add(-time.Hour), Beat: time.Now().Add(-time.Minute)}
		value, err := json.Marshal(cut)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.Commit(t.Context(), kv.Txn{Do: []kv.Op{{Key: jobPrefix + "CUT", Value: value}}}); err != nil {
			t.Fatal(err)
		}
		if html := away.page("/jobs/CUT"); !strings.Contains(html, "서버가 멈추었습니다") {
			t.Errorf("work that was cut off:\n%s", html)
		}
	})
}

// TestFind: a contact is looked for by POST, and does not come back in an address.
func TestFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		kim := b.as("kim")
		for what, want := range map[string]int{"p1@example.com": 1, "P1+tag@Example.com": 1, "010-2222-3333": len(b.ids), "+82 10 2222 3333": len(b.ids), "a-17": 1, "nobody@example.com": 0} {
			w := kim.post("/claims/find", url.Values{"find": {what}})
			if w.Code != http.StatusOK || w.Header().Get("Location") != "" {
				t.Errorf("%s: %d", what, w.Code)
			}
			if n := strings.Count(w.Body.String(), `href="/claims/`); n != want {
				t.Errorf("%s: %d claims, expected %d", what, n, want)
			}
		}
		if to := kim.does("/claims/find", url.Values{"find": {strings.ToLower(strings.ReplaceAll(b.ids[1], "-", " "))}}); to != "/claims/"+b.ids[1] {
			t.Error(to)
		}
		for _, bad := range []string{"", "   ", strings.Repeat("x", 300)} {
			if w := kim.post("/claims/find", url.Values{"find": {bad}}); w.Code != http.StatusUnprocessableEntity {
				t.Errorf("%q: %d", bad, w.Code)
			}
		}
	})
}

// TestQuestions: the tab of readers' questions is what it was.
func TestQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := newBench(t)
		b.golden("questions-none", b.as("viewer").page("/questions"))
		agent := b.as("agent")
		if w := agent.post("/answer", url.Values{"id": {"x"}, "question": {"q"}, "ko": {"a"}}); w.Code != http.StatusNotFound {
			t.Errorf("%d", w.Code)
		}
	})
}

// TestEnglish: every page is there in English, without a word of Korean of ours.
func TestEnglish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		laterOn()
		b := filled(t)
		for name, paths := range map[string][]string{
			"lee": {"/claims", "/claims/" + b.ids[1], "/run", "/unasked", "/policies", "/policies/kakao-2022@1?incident=fire", "/whatif", "/body", "/windows"},
			"kim": {"/enter", "/import"}, "choi": {"/payout", "/payout/reconcile", "/payout/missing"}, "yoon": {"/privacy"}, "agent": {"/questions"},
		} {
			p := b.as(name)
			p.does("/language", url.Values{"lang": {"en"}, "next": {"/"}})
			for _, path := range paths {
				html := p.page(path)
				html = regexp.MustCompile(`(?s)<[^>]*lang="ko"[^>]*>.*?</`).ReplaceAllString(html, "</")
				html = regexp.MustCompile(`판교 화재|피해 접수: `).ReplaceAllString(html, "")
				if m := regexp.MustCompile(`[^>\n]*[가-힣]+[^<\n]*`).FindString(html); m != "" {
					t.Errorf("%s in English says %q", path, m)
				}
			}
		}
	})
}
