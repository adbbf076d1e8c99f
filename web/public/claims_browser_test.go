//go:build real

package public_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"bongsu/web/public"
)

// TestRealClaimAxe looks at every page about damage in every state: axe finds nothing,
// nothing sticks out to the side, and the console is silent.
func TestRealClaimAxe(t *testing.T) {
	browser, checker := chromium(t), axe(t)
	// What the tab is shown is the page that a visitor came to.
	var mu sync.Mutex
	var now *visitor
	p := openOn(browser, t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		v := now
		mu.Unlock()
		if r.URL.Path != v.path {
			v.h.ServeHTTP(w, r)
			return
		}
		for _, name := range []string{"Content-Type", "Content-Security-Policy", "Cache-Control"} {
			w.Header().Set(name, v.header.Get(name))
		}
		_, _ = w.Write([]byte(v.body))
	}), "ko", "Asia/Seoul")
	for _, l := range []string{"ko", "en"} {
		for _, s := range states() {
			server, h := claimSite(t, func(c *public.Claims) {
				if s.name == "report-proof" {
					c.Surge = 2
				}
			})
			v := visit(t, server, l)
			s.do(v, h)
			mu.Lock()
			now = v
			mu.Unlock()
			p.scheme("light")
			p.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(p.url+v.path), chromedp.WaitVisible(chromedp.CSS("h1")))
			eval[bool](p, checker+";true")
			for _, width := range []int64{1280, 360, 320} {
				looked := l == "ko" && width == 360 || l == "en" && width == 1280 || width == 320 && (s.name == "report-wrong" || s.name == "compensation")
				if !looked && os.Getenv("BONGSU_SHOTS") == "" {
					continue
				}
				p.do(chromedp.EmulateViewport(width, 900))
				where := fmt.Sprintf("%s in %s at %d px", s.name, l, width)
				if wide := eval[int64](p, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s is %d wide: %v", where, wide, eval[[]string](p, sticksOut))
				}
				if small := eval[[]string](p, tooSmall); len(small) > 0 {
					t.Errorf("%s: smaller than 24 px: %v", where, small)
				}
				for scheme, run := range map[string]string{"light": runAxe, "dark": runAxeColours} {
					if scheme == "dark" && l == "en" || width == 320 && (scheme == "dark" || l == "en") {
						continue
					}
					p.scheme(scheme)
					p.shot(strings.Join([]string{"claims", s.name, l, fmt.Sprint(width), scheme}, "."))
					if looked {
						p.axe(where+", "+scheme, run)
					}
				}
			}
			p.clean(s.name + " in " + l)
		}
	}
}

// TestRealReportFits: at every width the fields of the form stay within their columns, and the columns within the card.
func TestRealReportFits(t *testing.T) {
	server, _ := claimSite(t)
	p := openOn(chromium(t), t, server, "ko", "Asia/Seoul")
	for _, l := range []string{"ko", "en"} {
		p.do(chromedp.EmulateViewport(640, 900), chromedp.Navigate(p.url+"/"+l+"/report.html"), chromedp.WaitVisible(chromedp.CSS("#f-from")))
		eval[bool](p, `document.querySelectorAll("main details").forEach((d) => d.open = true), true`)
		for _, width := range []int64{320, 390, 480, 500, 560, 640, 1280} {
			p.do(chromedp.EmulateViewport(width, 2400))
			p.shot(fmt.Sprintf("fits.%s.%d", l, width))
			if wide := eval[int64](p, "document.documentElement.scrollWidth"); wide > width {
				t.Errorf("%s: %d px wide at %d: %v", l, wide, width, eval[[]string](p, sticksOut))
			}
			if out := eval[[]string](p, outOfColumn); len(out) > 0 {
				t.Errorf("%s at %d px: out of the column or the card, or cut off: %v", l, width, out)
			}
		}
	}
}

// outOfColumn names fields of two columns that are wider than their column or the card, or cut off within themselves.
const outOfColumn = `(() => { const card = document.querySelector("form.fields").getBoundingClientRect();
	return [...document.querySelectorAll(".two input")].filter((e) => { const r = e.getBoundingClientRect(), c = e.parentElement.getBoundingClientRect();
		return r.right > c.right + 1 || r.right > card.right - 8 || e.scrollWidth > e.clientWidth + 1; }).map((e) => e.id); })()`

// tooSmall names what can be pressed and is smaller than 24 by 24 pixels (WCAG 2.5.8), links
// within text aside.
const tooSmall = `[...document.querySelectorAll("main button, main input:not([type=hidden]):not([type=radio]):not([type=checkbox]), main select, main summary, main textarea, main label:has(input)")]
	.filter((e) => e.checkVisibility()).filter((e) => { const r = e.getBoundingClientRect(); return r.width < 24 || r.height < 24; }).map((e) => e.tagName + " " + (e.id || e.textContent.slice(0, 20)))`

// TestRealReport files a report in a real browser at 360 px: with scripts and without;
// the time of the chosen service is filled in; what is wrong gets the focus.
func TestRealReport(t *testing.T) {
	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts=%v", scripts), func(t *testing.T) {
			server, h := claimSite(t)
			p := openOn(chromium(t), t, server, "ko", "America/New_York")
			if !scripts {
				must(p.ctx, t, emulation.SetScriptExecutionDisabledParams{Value: true}, emulation.SetScriptExecutionDisabled)
			}
			p.do(chromedp.EmulateViewport(360, 740), chromedp.Navigate(p.url+"/ko/"), chromedp.Click(chromedp.CSS(`a[href="report.html"]`)), chromedp.WaitVisible(chromedp.CSS("#f-service")))
			if scripts {
				p.do(chromedp.Focus(chromedp.CSS("#f-service")))
				eval[bool](p, `(() => { const s = document.querySelector("#f-service"); s.value = "talk/"; s.dispatchEvent(new Event("change", {bubbles: true})); return true; })()`)
				p.until(`document.querySelector("#f-from").value !== "" && document.querySelector("#f-to").value !== ""`)
				const told = `(() => { const seoul = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", timeZone: "Asia/Seoul"});
					const times = [...document.querySelectorAll("time[data-f=m], time[data-f=s], time[data-f=h]")];
					return times.length + " " + times.filter((e) => !e.textContent.includes(seoul.format(new Date(e.dateTime)))).map((e) => e.outerHTML).join(); })()`
				if got := eval[string](p, told); strings.HasPrefix(got, "0 ") || !strings.HasSuffix(got, " ") {
					t.Errorf("times are typed in the zone of the page, and others are told in that of the reader: %s", got)
				}
			}
			if scripts {
				eval[bool](p, `document.querySelector("form.fields").noValidate = true, document.querySelector("#f-service").value = "talk/", true`)
				p.do(chromedp.Click(chromedp.CSS(".report form button")), chromedp.WaitVisible(chromedp.CSS("#problem")))
				p.until(`document.activeElement.id === "problem"`)
				if got := eval[string](p, `document.title`); !strings.HasPrefix(got, "오류:") {
					t.Errorf("the title is %q", got)
				}
				p.forget("422")
				p.do(chromedp.Click(chromedp.CSS(`#problem a[href="#f-text"]`)))
				p.until(`document.activeElement.id === "f-text"`)
			} else {
				eval[bool](p, `document.querySelector("#f-service").value = "talk/", true`)
			}
			dir := t.TempDir()
			picture := filepath.Join(dir, "photo.png")
			if err := os.WriteFile(picture, []byte("\x89PNG\r\n\x1a\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			p.do(
				chromedp.SendKeys(chromedp.CSS("#f-text"), "메일을 못 보냈습니다."), chromedp.Click(chromedp.CSS(`[name=use][value=free]`)),
				chromedp.SendKeys(chromedp.CSS("#f-loss"), "5만원"), chromedp.SendKeys(chromedp.CSS("#f-email"), "hong@example.com"),
				chromedp.SetUploadFiles(chromedp.CSS("#f-files"), []string{picture}),
				chromedp.Click(chromedp.CSS("#f-consent")), chromedp.Click(chromedp.CSS(".report form button")), chromedp.WaitVisible(chromedp.CSS("#code")),
			)
			if where := eval[string](p, "location.pathname + location.search + location.hash"); where != "/ko/receipt.html" {
				t.Errorf("the receipt is at %s", where)
			}
			code, secret := eval[string](p, `document.querySelector("#code").textContent`), eval[string](p, `document.querySelector("#secret").textContent`)
			c, err := h.Check(p.ctx, code, secret)
			if err != nil || c.Report.Loss != 50_000 || len(c.Files) != 1 {
				t.Errorf("kept %+v, %v", c, err)
			}
			if !scripts {
				p.do(chromedp.NavigateBack(), chromedp.WaitVisible(chromedp.CSS("#f-text"))) // nothing is sent again, and nothing is asked
				if got := eval[string](p, `document.querySelector("#f-text").value`); got != "" {
					t.Errorf("going back shows %q", got)
				}
			}
			p.do(chromedp.Navigate(p.url+"/ko/receipt.html"), chromedp.WaitVisible(chromedp.CSS("#code")), chromedp.Click(chromedp.CSS(".leave button")),
				chromedp.WaitVisible(chromedp.CSS("body:not(:has(.leave)) .go"))) // the receipt has a way on too: what follows would meet the page on its way
			if !scripts { // where nothing went wrong before, so that no answer to a form is on the way back
				p.do(chromedp.NavigateBack(), chromedp.WaitVisible(chromedp.CSS("#f-code")))
				if got := eval[string](p, `document.body.innerText + [...document.querySelectorAll("input, textarea")].map((e) => e.value)`); strings.Contains(got, secret) || strings.Contains(got, "hong@") {
					t.Errorf("after leaving, going back shows %s", got)
				}
			}
			p.do(chromedp.Navigate(p.url+"/ko/claim.html"), chromedp.SendKeys(chromedp.CSS("#f-code"), strings.ToLower(code)), chromedp.SendKeys(chromedp.CSS("#f-secret"), secret+kb.Enter), chromedp.WaitVisible(chromedp.CSS(".state-of")))
			if scripts {
				if n := eval[int](p, `Object.keys(localStorage).filter((k) => k !== "theme" && k !== "size").length + Object.keys(sessionStorage).length + (document.cookie.includes("claim") ? 1 : 0)`); n != 0 {
					t.Errorf("%d things are stored in the browser", n)
				}
			}
			if h.filed != 1 {
				t.Errorf("filed %d", h.filed)
			}
			p.clean("report")
		})
	}
}

// TestRealProof: under attack a browser does the work by itself, and the report is taken.
func TestRealProof(t *testing.T) {
	server, h := claimSite(t, func(c *public.Claims) { c.Surge = 1 })
	answer(t, post(t, server, report(), func(r *http.Request) { r.RemoteAddr = "127.0.0.1:1" })) // takes the slow lane of this network
	p := openOn(chromium(t), t, server, "en", "Asia/Seoul")
	p.do(
		chromedp.EmulateViewport(360, 740), chromedp.Navigate(p.url+"/en/report.html?service=mail"), chromedp.WaitVisible(chromedp.CSS("#f-text")),
		chromedp.SendKeys(chromedp.CSS("#f-text"), "no offers could be sent"), chromedp.Click(chromedp.CSS(`[name=use][value=none]`)),
		chromedp.SendKeys(chromedp.CSS("#f-email"), "hong@example.com"), chromedp.Click(chromedp.CSS("#f-consent")),
	)
	began := time.Now()
	p.do(chromedp.Click(chromedp.CSS(".report form button")), chromedp.WaitVisible(chromedp.CSS("#code")))
	t.Logf("%v from pressing the button to the receipt", time.Since(began).Round(time.Millisecond))
	if h.filed != 2 || len(h.spent) != 1 {
		t.Errorf("filed %d, proofs %v", h.filed, h.spent)
	}
	p.clean("proof")
}

// TestRealALTCHA: the npm package solves what we ask for and we take its solution; and
// we take what it made from a challenge of its own, with our secret.
func TestRealALTCHA(t *testing.T) {
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "bongsu", "altcha-lib")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "altcha-lib", "package.json")); err != nil {
		t.Fatalf("altcha-lib is not there: sh tools/real-deps.sh fetches it: %v", err)
	}
	server, h := claimSite(t, func(c *public.Claims) { c.Surge = 1 })
	n := 0
	send := func(proof string) int {
		n++
		return post(t, server, report("altcha", proof), withKey(fmt.Sprintf("%s-%d", newKey, n))).Code
	}
	send("") // takes the slow lane
	run := func(script string, in ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "node", append([]string{"--input-type=module", "-e", script}, in...)...)
		c.Dir, c.Stderr = dir, os.Stderr
		b, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	ours := ask(t, server, http.MethodGet, "/api/v1/challenge.json", "").Body.String()
	const solver = `import { solveChallenge } from "altcha-lib"; import { deriveKey } from "altcha-lib/algorithms/pbkdf2";
const challenge = JSON.parse(process.argv[1]);
const solution = await solveChallenge({ challenge, deriveKey });
console.log(btoa(JSON.stringify({ challenge, solution })));`
	if code := send(run(solver, ours)); code != http.StatusCreated {
		t.Errorf("what npm solved is answered with %d", code)
	}
	// Our key is derived from the key of the site.
	secret := public.ProofSecret([]byte("0123456789abcdef0123456789abcdef"))
	const own = `import { createChallenge, solveChallenge, verifySolution, randomInt } from "altcha-lib";
const [secret, algorithm, mode] = process.argv.slice(1);
const { deriveKey } = await import("altcha-lib/algorithms/" + (algorithm.startsWith("PBKDF2") ? "pbkdf2" : "sha"));
const challenge = await createChallenge({ algorithm, cost: 1000, deriveKey, hmacSignatureSecret: secret, expiresAt: new Date(Date.now() + 600000),
	...(mode === "deterministic" ? { counter: randomInt(50, 200), hmacKeySignatureSecret: "other" } : { data: { form: "report", n: 7, "<&>": "한" } }) });
const solution = await solveChallenge({ challenge, deriveKey });
console.log(btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify({ challenge, solution })))));`
	for _, algorithm := range []string{"PBKDF2/SHA-256", "SHA-256"} {
		for _, mode := range []string{"deterministic", "random"} {
			if code := send(run(own, secret, algorithm, mode)); code != http.StatusCreated {
				t.Errorf("what npm made by %s, %s, is answered with %d", algorithm, mode, code)
			}
			if code := send(run(own, secret+"x", algorithm, mode)); code != http.StatusTooManyRequests {
				t.Errorf("what npm made with another secret by %s, %s, is answered with %d", algorithm, mode, code)
			}
		}
	}
	// What we verify, npm verifies too.
	const verifier = `import { verifySolution } from "altcha-lib"; import { deriveKey } from "altcha-lib/algorithms/pbkdf2";
const [secret, payload] = process.argv.slice(1), { challenge, solution } = JSON.parse(atob(payload));
console.log((await verifySolution({ challenge, solution, deriveKey, hmacSignatureSecret: secret })).verified);`
	mine := solve(t, []byte(strings.TrimSpace(ask(t, server, http.MethodGet, "/api/v1/challenge.json", "").Body.String())))
	if got := run(verifier, secret, mine); got != "true" {
		t.Errorf("npm says of our challenge and solution: %s", got)
	}
	if h.filed < 6 {
		t.Errorf("filed %d", h.filed)
	}
}
