package public_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/web/public"
)

// TestMineSaysWhatIsSo: page and API tell how a claim stands as it is: what is given and by whom, what is wanted for it,
// and nothing that nobody decided.
func TestMineSaysWhatIsSo(t *testing.T) {
	giving := func(f policy.Form) func(*claim.Claim) { return func(c *claim.Claim) { c.Decision.Form = f } }
	human := func(c *claim.Claim) { c.Decision.Outcome = policy.Human }
	for name, x := range map[string]struct {
		state          claim.State
		change         func(*claim.Claim)
		bank, erased   bool
		page           string
		lacks          []string
		decided, money bool // what the API tells of it
	}{
		"paid in money":           {state: claim.Paid, page: "The bank says that it has been paid.", decided: true, money: true},
		"a coupon":                {state: claim.Paid, change: giving(policy.Coupon), page: "You have been given a coupon.", lacks: []string{"he bank says"}, decided: true, money: true},
		"points":                  {state: claim.Paid, change: giving(policy.Points), page: "You have been given the points.", lacks: []string{"he bank says"}, decided: true, money: true},
		"off the bill":            {state: claim.Paid, change: giving(policy.Credit), page: "It is taken off your next bill.", lacks: []string{"he bank says"}, decided: true, money: true},
		"longer use":              {state: claim.Paid, change: giving(policy.Extension), page: "Your use has been made longer.", lacks: []string{"he bank says"}, decided: true, money: true},
		"a coupon came back":      {state: claim.Returned, change: giving(policy.Coupon), page: "A person is looking at it.", lacks: []string{"he bank sent"}, decided: true, money: true},
		"in a batch":              {state: claim.Paying, page: "The payment is being made.", lacks: []string{"with the bank"}, decided: true, money: true},
		"approved, no account":    {state: claim.Approved, page: "It can be paid when you have given a bank account.", lacks: []string{"receive it soon"}, decided: true, money: true},
		"approved, with account":  {state: claim.Approved, bank: true, page: "you will receive it soon", lacks: []string{`href="#f-bank"`}, decided: true, money: true},
		"approved coupon":         {state: claim.Approved, change: giving(policy.Coupon), page: "you will receive it soon", lacks: []string{`href="#f-bank"`}, decided: true, money: true},
		"imported":                {state: claim.Approved, change: func(c *claim.Claim) { c.Channel = claim.ByImport }, page: "If you have not given a bank account yet", decided: true, money: true},
		"approved, erased":        {state: claim.Approved, erased: true, page: "it is not known to which account it goes", lacks: []string{`href="#f-bank"`, "receive it soon"}, decided: true, money: true},
		"erased before a person":  {state: claim.Review, change: human, erased: true, page: "nothing more is done with this report", lacks: []string{"You have withdrawn", "30,000", "Small businesses with", ">Cash<"}},
		"withdrawn after it":      {state: claim.Withdrawn, page: "You have withdrawn the report.", lacks: []string{"30,000", "you can appeal"}},
		"papers for a person":     {state: claim.Asked, change: human, page: "A person decides when you have sent", lacks: []string{">30,000 won<"}, decided: true},
		"waiting for a person":    {state: claim.Review, change: human, page: "A person is looking at it.", lacks: []string{"30,000"}},
		"waiting for two persons": {state: claim.Review, page: "A person is looking at it.", lacks: []string{"30,000"}},
	} {
		t.Run(name, func(t *testing.T) {
			server, h := claimSite(t)
			v := visit(t, server, "en")
			v.get("/en/report.html")
			sent := good()
			sent["best"], sent["week"] = "5만", "12,345"
			v.send("report", sent)
			code, secret := v.receipt()
			if x.bank {
				v.get("/en/claim.html")
				v.send("claim/bank", map[string]string{"bank": "한국은행", "number": "110-123-456789", "holder": "홍길동"})
			}
			decided(t, h, code, x.state, func(c *claim.Claim) {
				if x.change != nil {
					x.change(c)
				}
			})
			if x.state == claim.Withdrawn {
				h.decide(t, code, func(*claim.Claim) {}, "withdrawn")
			}
			if x.erased {
				if err := h.Erase(t.Context(), code, "privacy", "asked by letter"); err != nil {
					t.Fatal(err)
				}
			}
			v.get("/en/claim.html")
			v.wants(200, x.page, "50,000 won", "12,345 won") // and the sales that were sent
			v.lacks(x.lacks...)
			if x.page == "It can be paid when you have given a bank account." {
				v.wants(200, `href="#f-bank"`, `id="bank" open`, `id="f-bank"`)
			}
			w := ask(t, server, http.MethodGet, "/en/api/v1/claims/"+code, "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) })
			var got struct {
				Told     string `json:"told"`
				Decision *struct {
					Amount int64 `json:"amount"`
				} `json:"decision"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if got.Told == "" || (got.Decision != nil) != x.decided || x.decided && (got.Decision.Amount > 0) != x.money {
				t.Errorf("the API tells %s", w.Body)
			}
		})
	}
}

// TestMineTellsProvenSales: what the desk read from papers is not told as what was sent.
func TestMineTellsProvenSales(t *testing.T) {
	server, h := claimSite(t)
	v := visit(t, server, "en")
	code := filed(v)
	h.decide(t, code, func(c *claim.Claim) {
		c.State, c.NextAt = claim.Review, time.Now().Add(time.Hour)
		c.Report.Proven, c.Report.Best, c.Report.Week = 45_000, 9_000_000, 4_000_000
	}, "figures")
	v.get("/en/claim.html")
	v.wants(200, "Sales of the best week (KRW), as papers prove", "9,000,000 won", "4,000,000 won", "Loss, as papers prove", "45,000 won")
}

// TestProofSignedOut: whoever asks for the proof without a receipt is told what to do, as programs are told of problems.
func TestProofSignedOut(t *testing.T) {
	server, _ := claimSite(t)
	for l, want := range map[string]string{"en": "Show your receipt first", "ko": "먼저 접수증을 확인해 주십시오"} {
		w := ask(t, server, http.MethodGet, "/"+l+"/claim-proof.json", "")
		var got struct {
			Type   string `json:"type"`
			Title  string `json:"title"`
			Detail string `json:"detail"`
			Status int    `json:"status"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		if w.Code != http.StatusForbidden || w.Header().Get("Content-Type") != "application/problem+json; charset=utf-8" || got.Type != "urn:bongsu:problem:signed-out" || got.Status != w.Code || got.Title != want || got.Detail == "" {
			t.Errorf("%s: %d %s", l, w.Code, w.Body)
		}
	}
}

// TestNoContact: a page that has no contact to show promises none below.
func TestNoContact(t *testing.T) {
	for _, contact := range []bool{true, false} {
		s := present(t, "incident")
		if !contact {
			s.Catalog.Contact = nil
		}
		w := window(time.Now())
		w.Opens, w.Closes, w.LateUntil = time.Now().Add(-3*time.Hour), time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		for _, windows := range [][]claim.Window{{w}, nil} {
			server, _ := claimSiteOf(t, s, &public.Compensation{Windows: windows})
			page := ask(t, server, http.MethodGet, "/ko/report.html", "").Body.String()
			if strings.Contains(page, "아래 연락처") != contact {
				t.Errorf("contact %v: %s", contact, page)
			}
		}
	}
}
