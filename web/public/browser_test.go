//go:build real

package public_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"bongsu/status"
)

// A tab is one page of a real Chromium. What it writes to its console as an error
// or a warning, a refused script or style among it, fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // a tab of chromedp is its context
	url string

	mu   sync.Mutex
	said []string
}

func chromium(t *testing.T) context.Context {
	t.Helper()
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.WindowSize(1280, 1000),
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	return ctx
}

func open(browser context.Context, t *testing.T, s *status.State, lang, zone string) (*tab, *desk, *source) {
	t.Helper()
	p, d, src := site(t, s)
	return openOn(browser, t, p, lang, zone), d, src
}

// openOn opens a tab on a server of h.
func openOn(browser context.Context, t *testing.T, h http.Handler, lang, zone string) *tab {
	t.Helper()
	server := httptest.NewServer(h)
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	b := &tab{t: t, ctx: ctx, url: server.URL}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleException {
				b.mu.Lock()
				b.said = append(b.said, string(m.Type)+": "+m.Text+" "+m.URL)
				b.mu.Unlock()
			}
		}
	}()
	must(ctx, t, emulation.SetTimezoneOverrideParams{TimezoneID: zone}, emulation.SetTimezoneOverride)
	must(ctx, t, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}}, network.SetExtraHTTPHeaders)
	return b
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		where, _ := chromedp.Run(p.ctx, chromedp.Location())
		p.t.Fatalf("at %s: %v", where, err)
	}
}

func eval[T any](p *tab, js string, opts ...chromedp.EvaluateOption) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js, opts...))
	if err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits until the expression is true in the page.
func (p *tab) until(js string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute) // a page asks for news every ten seconds
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](js)); err != nil {
		p.t.Fatalf("never true: %s: %v", js, err)
	}
}

// clean fails when the console of the browser holds anything.
func (p *tab) clean(where string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.said {
		p.t.Errorf("%s: the browser's console says %s", where, line)
	}
	p.said = nil
}

// forget drops what the console is expected to say.
func (p *tab) forget(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = slices.DeleteFunc(p.said, func(s string) bool { return strings.Contains(s, what) })
}

// shot keeps a picture where BONGSU_SHOTS says, for people to look at.
func (p *tab) shot(name string) {
	p.t.Helper()
	dir := os.Getenv("BONGSU_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *tab) scheme(name string) {
	p.t.Helper()
	must(p.ctx, p.t, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}, emulation.SetEmulatedMedia)
}

// axe is the checker of accessibility that tools/real-deps.sh fetches.
func axe(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "bongsu", "axe-core", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not there: sh tools/real-deps.sh fetches it: %v", err)
	}
	return string(b)
}

// axe runs the checker that the page holds, and fails with what it finds.
func (p *tab) axe(where, run string) {
	p.t.Helper()
	var found []string
	if err := json.Unmarshal([]byte(eval[string](p, run, chromedp.EvalAwaitPromise)), &found); err != nil {
		p.t.Fatal(err)
	}
	for _, f := range found {
		p.t.Errorf("%s: %s", where, f)
	}
}

// RunAxe is WCAG 2.0 to 2.2, levels A and AA, and its best practices.
const runAxe = `axe.run(document, {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}, resultTypes: ["violations"]})
	.then((r) => JSON.stringify(r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 4).map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).join(" | "))))`

// What depends on the colours.
var runAxeColours = strings.Replace(runAxe, `type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`, `type: "rule", values: ["color-contrast", "link-in-text-block"]`, 1)

// TestRealAxe walks every page in both languages, light and dark, narrow and wide:
// axe finds nothing, nothing sticks out to the side, and the console is silent.
func TestRealAxe(t *testing.T) {
	browser, checker := chromium(t), axe(t)
	for _, l := range []string{"ko", "en"} {
		for scenario, pages := range realPages() {
			p, _, _ := open(browser, t, present(t, scenario), l, "Asia/Seoul")
			for _, page := range pages {
				p.scheme("light")
				p.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(p.url+"/"+l+"/"+page), chromedp.WaitVisible(chromedp.CSS("h1")))
				eval[bool](p, checker+";true")
				for _, width := range []int64{1280, 390, 320} {
					if width == 390 && os.Getenv("BONGSU_SHOTS") == "" {
						continue // only looked at
					}
					p.do(chromedp.EmulateViewport(width, 900))
					where := fmt.Sprintf("%s of %s in %s at %d px", page, scenario, l, width)
					if wide := eval[int64](p, "document.documentElement.scrollWidth"); wide > width {
						t.Errorf("%s is %d wide: %v", where, wide, eval[[]string](p, sticksOut))
					}
					name := strings.Join([]string{scenario, l, strings.NewReplacer("/", "-", ".html", "").Replace(page), fmt.Sprint(width)}, ".")
					for scheme, run := range map[string]string{"light": runAxe, "dark": runAxeColours} {
						p.scheme(scheme)
						p.shot(name + "." + scheme)
						// Colours are those of neither language nor width, and what is too narrow is seen in the first language.
						if width == 1280 && (l == "ko" || scheme == "light") || width == 320 && l == "ko" && scheme == "light" {
							p.axe(where+", "+scheme, run)
						}
					}
				}
				if page == "no-such-page.html" {
					p.forget(`404 (Not Found)`)
				}
				p.clean(page + " in " + l)
			}
		}
	}
}

// TestRealKeyboard does all of it by keys: skip to the content, the switch of
// colours, of text size and of language, a question. Focus is always seen.
func TestRealKeyboard(t *testing.T) {
	p, d, _ := open(chromium(t), t, present(t, "incident"), "ko", "Asia/Seoul")
	p.scheme("light")
	p.do(chromedp.EmulateViewport(390, 900), chromedp.Navigate(p.url+"/ko/incidents/20221015-pangyo.html"), chromedp.WaitVisible(chromedp.CSS("h1")))
	press := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			p.do(chromedp.KeyEvent(k))
		}
	}
	focus := func() string {
		return eval[string](p, `(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
			return (e.id || e.name || e.textContent.trim().slice(0, 20)) + (e !== document.body && s.outlineStyle === "none" && e.id !== "main" ? " without a mark" : "") + (r.bottom < 0 || r.top > innerHeight ? " out of sight" : ""); })()`)
	}
	press(kb.Tab)
	if got := focus(); got != "본문으로 건너뛰기" {
		t.Errorf("the first stop is %q", got)
	}
	press(kb.Enter)
	if got := eval[string](p, "document.activeElement.id"); got != "main" {
		t.Errorf("skipping leads to %q", got)
	}
	seen := make(map[string]bool)
	eval[bool](p, `document.activeElement.blur(), scrollTo(0, 0), document.body.focus(), true`)
	p.do(chromedp.Navigate(p.url+"/ko/incidents/20221015-pangyo.html"), chromedp.WaitVisible(chromedp.CSS("h1")))
	for range 60 {
		press(kb.Tab)
		got := focus()
		if strings.Contains(got, "without a mark") || strings.Contains(got, "out of sight") {
			t.Errorf("focus is on %s", got)
		}
		seen[got] = true
		if got == "보내기" {
			break
		}
	}
	for _, want := range []string{"보기", "lang", "지난 기록", "링크 복사", "인쇄", "자세한 글", "ask-text", "ask-contact", "보내기"} {
		if !seen[want] {
			t.Errorf("%q cannot be reached by the tabulator: %v", want, slices.Sorted(maps.Keys(seen)))
		}
	}
	p.do(chromedp.Focus(chromedp.CSS("#view summary")))
	press(kb.Enter, kb.Tab, kb.ArrowDown, kb.ArrowDown)
	p.until(`getComputedStyle(document.documentElement).colorScheme === "dark" && localStorage.theme === "dark"`)
	press(kb.Tab, kb.ArrowDown)
	p.until(`getComputedStyle(document.documentElement).fontSize === "19px"`)
	press(kb.Escape)
	p.until(`!document.querySelector("#view").open && document.activeElement.matches("#view summary")`)
	p.do(chromedp.Navigate(p.url+"/ko/"), chromedp.WaitVisible(chromedp.CSS("h1")))
	p.until(`getComputedStyle(document.documentElement).colorScheme === "dark" && document.querySelector("[name=theme][value=dark]").checked`)
	press(kb.Tab, kb.Tab, kb.Tab, kb.Tab)
	if got := focus(); got != "lang" {
		t.Fatalf("the fourth stop is %q, not the switch of language", got)
	}
	press(kb.Enter)
	p.do(chromedp.WaitVisible(chromedp.CSS(`html[lang="en"] h1`)))
	p.do(chromedp.Navigate(p.url+"/"), chromedp.WaitVisible(chromedp.CSS("h1")))
	p.until(`document.documentElement.lang === "en"`) // although the browser asks for Korean
	p.do(chromedp.Navigate(p.url+"/ko/incidents/20221015-pangyo.html"), chromedp.Focus(chromedp.CSS("#ask-text")), chromedp.KeyEvent("언제 돌아오나요?"))
	press(kb.Tab, kb.Tab, kb.Enter)
	p.do(chromedp.WaitVisible(chromedp.CSS(".go")))
	if len(d.questions) != 1 || d.questions[0].Text != "언제 돌아오나요?" {
		t.Errorf("questions %+v", d.questions)
	}
	p.clean("by keys")
}

// TestRealLive: times in the reader's zone, news without a reload that leaves alone
// who is writing, and "unknown since" by the page itself.
func TestRealLive(t *testing.T) {
	s := present(t, "incident")
	s.AsOf, s.GoodFor = time.Now().Truncate(time.Second), 15*time.Second // news is asked for every ten
	p, _, src := open(chromium(t), t, s, "ko", "America/New_York")
	p.do(chromedp.Navigate(p.url+"/ko/"), chromedp.WaitVisible(chromedp.CSS("h1")))
	p.until(`document.querySelector(".zone").textContent === "America/New_York"`)
	york, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	p.until(`document.querySelector("#asof").textContent.includes("` + s.AsOf.In(york).Format("15:04:05") + `")`)
	eval[bool](p, `window.notReloaded = true`)
	next := *s
	next.AsOf = next.AsOf.Add(2 * time.Second)
	i := s.Incidents[0]
	i.Updates = append([]status.Update{{ID: "9", At: time.Now(), Phase: status.Monitoring, Body: both("메일이 돌아왔습니다", "Mail is back")}}, i.Updates...)
	next.Incidents = append([]status.Incident{i}, s.Incidents[1:]...)
	src.set(&next)
	p.until(`document.querySelector("main").innerText.includes("메일이 돌아왔습니다") && document.querySelector("#said").textContent !== "" && window.notReloaded`)
	// Nothing more is heard: nobody tells the page, it says so by itself.
	p.until(`document.querySelector("#hero").classList.contains("unknown") && !document.querySelector("main .how .lv:not(.unknown)")`)
	if text := eval[string](p, `document.querySelector("h1").innerText`); !strings.Contains(text, "부터 상태를 알 수 없습니다") {
		t.Errorf("the page says %q", text)
	}
	back := next
	back.AsOf, back.GoodFor = time.Now(), time.Hour
	src.set(&back)
	p.until(`document.querySelector("#hero").classList.contains("down")`)
	p.clean("live")
}

// TestRealWithoutScripts: all of it works with scripts turned off, in the plain files
// too, which say until when they may be believed.
func TestRealWithoutScripts(t *testing.T) {
	p, d, _ := open(chromium(t), t, present(t, "incident"), "ko", "Asia/Seoul")
	must(p.ctx, t, emulation.SetScriptExecutionDisabledParams{Value: true}, emulation.SetScriptExecutionDisabled)
	p.scheme("light")
	p.do(chromedp.Navigate(p.url+"/"), chromedp.Click(chromedp.CSS("#view summary")), chromedp.Click(chromedp.CSS("[name=theme][value=dark]")))
	if got := eval[string](p, `getComputedStyle(document.body).backgroundColor`); got != "rgb(17, 20, 24)" {
		t.Errorf("the background of the dark page is %s", got)
	}
	p.do(chromedp.Click(chromedp.CSS(".card h3 a")), chromedp.WaitVisible(chromedp.CSS("#ask-text")), chromedp.SendKeys(chromedp.CSS("#ask-text"), "질문"),
		chromedp.Click(chromedp.CSS(".asking button")), chromedp.WaitVisible(chromedp.CSS(".go")))
	if len(d.questions) != 1 {
		t.Errorf("questions %+v", d.questions)
	}
	s, now := fixture("incident")
	dir := t.TempDir()
	for path, b := range files(t, s, now) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(b), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.do(chromedp.Navigate("file://"+dir+"/index.html"), chromedp.WaitVisible(chromedp.CSS("h1")), chromedp.Click(chromedp.CSS("#lang")), chromedp.WaitVisible(chromedp.CSS(`html[lang="ko"]`)))
	if text := eval[string](p, "document.body.innerText"); !strings.Contains(text, "18:44까지 유효합니다. 그보다 늦었다면 알 수 없음으로 보십시오.") {
		t.Errorf("the copy does not say until when it is valid:\n%s", text)
	}
	must(p.ctx, t, emulation.SetScriptExecutionDisabledParams{Value: false}, emulation.SetScriptExecutionDisabled)
	p.do(chromedp.Navigate("file://"+dir+"/en/index.html"), chromedp.WaitVisible(chromedp.CSS("#hero.unknown")))
	p.clean("without scripts")
}

// TestRealHostile: nothing of what somebody wrote into titles, updates and answers runs.
func TestRealHostile(t *testing.T) {
	s := present(t, "hostile")
	p, _, _ := open(chromium(t), t, s, "ko", "Asia/Seoul")
	for _, page := range []string{"", "incidents/" + status.Slug(s.Incidents[0].ID) + ".html", "history.html", "services/map.html"} {
		// A dialog of a script that ran would hold the navigation up.
		p.do(chromedp.Navigate(p.url+"/ko/"+page), chromedp.WaitVisible(chromedp.CSS("h1")))
		if n := eval[int](p, `document.querySelectorAll("main script, main img, main iframe, main [onload], main [onclick], main [onmouseover], main [style], main svg[onload], main form:not(.fields)").length`); n != 0 {
			t.Errorf("%s has %d elements that a text brought", page, n)
		}
	}
	p.clean("hostile")
}

func realPages() map[string][]string {
	return map[string][]string{
		"incident": {"", "incidents/20221015-pangyo.html", "services/talk.html", "history.html", "subscribe.html", "no-such-page.html", "confirm?token=good"},
		"stale":    {"", "incidents/20221015-pangyo.html"},
		"work":     {"", "maintenance.html"},
		"resolved": {"incidents/20221015-pangyo.html"},
		"empty":    {""},
		"large":    {"", "all/4.html"},
	}
}

// must runs one command of the protocol.
func must[P, R any](ctx context.Context, t *testing.T, params P, cmd cdp.Command[P, R]) {
	t.Helper()
	if _, err := chromedp.Call(ctx, cmd, params); err != nil {
		t.Fatal(err)
	}
}

// sticksOut names what is wider than the window.
const sticksOut = `[...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, svg") && e.getBoundingClientRect().right > innerWidth + 1)
	.map((e) => e.tagName + "." + e.className + " " + e.id).slice(0, 5)`
