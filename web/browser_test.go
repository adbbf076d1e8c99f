//go:build real

package web_test

import (
	"context"
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

	"bongsu/web"
	"bongsu/web/webtest"
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

// chromium starts one browser for the test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.IgnoreCertErrors, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WindowSize(1280, 1000),
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	return ctx
}

func open(browser context.Context, t *testing.T, scenario, lang string) (*tab, *webtest.Backend) {
	t.Helper()
	s, b := console(t, scenario)
	server := httptest.NewTLSServer(s)
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections() // the stream of events would hold Close up
		server.Close()
	})
	p := &tab{t: t, ctx: ctx, url: server.URL}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleException {
				p.mu.Lock()
				p.said = append(p.said, string(m.Type)+": "+m.Text+" "+m.URL)
				p.mu.Unlock()
			}
		}
	}()
	must(ctx, t, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Seoul"}, emulation.SetTimezoneOverride)
	must(ctx, t, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}}, network.SetExtraHTTPHeaders)
	return p, b
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		where, _ := chromedp.Run(p.ctx, chromedp.Location())
		p.t.Fatalf("at %s: %v", where, err)
	}
}

func eval[T any](p *tab, js string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// until waits until the expression is true in the page.
func (p *tab) until(js string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
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

func (p *tab) login() {
	p.t.Helper()
	p.do(chromedp.Navigate(p.url+"/login"),
		chromedp.SendKeys(chromedp.CSS("#name"), "approver"),
		chromedp.SendKeys(chromedp.CSS("#password"), "approver-password"),
		chromedp.Click(chromedp.CSS(".login button")),
		chromedp.WaitVisible(chromedp.CSS("nav.main")))
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

// TestRealPages walks every page in both languages, wide and narrow, light and
// dark: nothing on the console, nothing that sticks out to the side, and every
// text in enough contrast.
func TestRealPages(t *testing.T) {
	browser := chromium(t)
	for lang, title := range map[string]string{"ko": "현황", "en": "Now"} {
		p, _ := open(browser, t, "running", lang)
		p.login()
		if got := eval[string](p, "document.title"); !strings.HasPrefix(got, title+" · anyang") {
			t.Errorf("in %s the title is %q", lang, got)
		}
		p.until(`document.cookie.includes("bongsu-zone=Asia/Seoul")`)
		for _, page := range []string{"/", "/runs", "/runs/r-0012", "/incidents", "/incidents/20221015-pangyo", "/incidents/20221015-pangyo/compose", "/incidents/20221015-pangyo/report", "/hosts", "/impact?lose=pangyo", "/journal", "/estate"} {
			for _, width := range []int64{1280, 390, 320} {
				p.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate(p.url+page), chromedp.WaitVisible(chromedp.CSS("h1")))
				if wide := eval[int64](p, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s in %s at %d pixels is %d wide: %v", page, lang, width, wide, eval[[]string](p, sticksOut))
				}
				p.shot(lang + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(page) + map[int64]string{1280: "", 390: "-phone", 320: "-narrow"}[width])
			}
			for _, scheme := range []string{"light", "dark"} {
				must(p.ctx, t, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}, emulation.SetEmulatedMedia)
				if pale := eval[[]string](p, contrast); len(pale) > 0 {
					t.Errorf("%s in %s, %s: too little contrast: %v", page, lang, scheme, pale[:min(len(pale), 8)])
				}
			}
			p.clean(page + " in " + lang)
		}
	}
}

// TestRealLive: a change of the node shows without a reload, and does not take
// away what somebody is writing.
func TestRealLive(t *testing.T) {
	p, b := open(chromium(t), t, "running", "ko")
	p.login()
	p.do(chromedp.Navigate(p.url + "/"))
	if eval[bool](p, `!!document.querySelector(".banner")`) {
		t.Fatal("there is a banner before anything happened")
	}
	eval[bool](p, `window.notReloaded = true`)
	p.until(`document.querySelector("#h-incident")?.closest("section").innerText.includes("15:19:00")`) // the zone that the script told
	lost := time.Date(2022, 10, 15, 6, 33, 0, 0, time.UTC)
	b.Change(func(f *web.Facts) { f.Quorum = web.Quorum{Since: lost} })
	p.until(`document.querySelector(".banner strong")?.innerText.includes("15:33:00")`)
	b.Change(func(f *web.Facts) { f.Quorum = web.Quorum{OK: true, Since: lost} })
	p.until(`!document.querySelector(".banner")`)

	p.do(chromedp.Navigate(p.url+"/runs/r-0012"), chromedp.Click(chromedp.CSS("#run-pause summary")), chromedp.SendKeys(chromedp.CSS("#run-pause-why"), "세종 확인"))
	eval[bool](p, `window.notReloaded = true`)
	b.Change(func(f *web.Facts) { f.At = f.At.Add(time.Minute) })
	wait(t, time.Second)
	if got := eval[string](p, `document.querySelector("#run-pause-why").value`); got != "세종 확인" {
		t.Errorf("a change took away what was being written: %q is left", got)
	}
	if !eval[bool](p, "window.notReloaded") {
		t.Error("the page was loaded anew")
	}
	p.do(chromedp.Click(chromedp.CSS("#run-pause form button")), chromedp.WaitVisible(chromedp.CSS("#run-resume")))
	if got := b.Commands(); len(got) != 1 || got[0].Why != "세종 확인" || got[0].Verb != web.Pause {
		t.Errorf("commands %+v", got)
	}
	p.clean("live")
}

// TestRealKeyboard walks the pages of an incident with the tab key alone: every control
// can be reached in the order of the page, shows that it has the focus, and does what it
// says. Each picture has its table.
func TestRealKeyboard(t *testing.T) {
	p, b := open(chromium(t), t, "running", "en")
	p.login()
	for _, page := range []string{"/", "/incidents/20221015-pangyo", "/incidents/20221015-pangyo/compose", "/runs/r-0012", "/hosts"} {
		p.do(chromedp.Navigate(p.url+page), chromedp.WaitVisible(chromedp.CSS("h1")))
		eval[bool](p, `document.activeElement.blur(), true`)
		reachable := `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter((e) => e.checkVisibility())`
		all := eval[int](p, reachable+`.length`)
		eval[bool](p, `window.seen = new Set(), true`)
		for range all + 12 { // a field of date and time has several stops
			p.do(chromedp.KeyEvent(kb.Tab))
			if bad := eval[string](p, `(() => { const e = document.activeElement; if (e === document.body) return ""; seen.add(e);
				const s = getComputedStyle(e); return s.outlineStyle === "none" && !e.matches("main") ? e.outerHTML.slice(0, 80) : ""; })()`); bad != "" {
				t.Errorf("%s: no mark of the focus on %s", page, bad)
			}
		}
		if missed := eval[[]string](p, reachable+`.filter((e) => !seen.has(e)).map((e) => e.outerHTML.slice(0, 80))`); len(missed) > 0 {
			t.Errorf("%s: the tab key does not reach %v", page, missed)
		}
		if alone := eval[[]string](p, `[...document.querySelectorAll("main svg[role=img]:not(.shape)")].filter((e) => !e.closest("section").querySelector("table") && !e.closest("main").querySelector("table")).map((e) => e.getAttribute("aria-label") || e.outerHTML.slice(0, 60))`); len(alone) > 0 {
			t.Errorf("%s: pictures without a table: %v", page, alone)
		}
	}
	// A note is written and sent without the mouse.
	p.do(chromedp.Navigate(p.url+"/incidents/20221015-pangyo"), chromedp.Focus(chromedp.CSS("#note-why")), chromedp.KeyEvent("smoke"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	for deadline := time.Now().Add(10 * time.Second); len(b.Commands()) == 0 && time.Now().Before(deadline); {
		wait(t, 50*time.Millisecond)
	}
	p.do(chromedp.Navigate(p.url+"/incidents/20221015-pangyo"), chromedp.WaitVisible(chromedp.CSS(".notes")))
	if text := eval[string](p, `document.querySelector(".notes").innerText`); !strings.Contains(text, "smoke") {
		t.Errorf("the notes are %q", text)
	}
	if got := b.Commands(); len(got) != 1 || got[0].Verb != web.Note || got[0].Why != "smoke" {
		t.Errorf("commands %+v", got)
	}
	p.clean("keyboard")
}

// TestRealWithoutScripts does a whole decision with scripts turned off.
func TestRealWithoutScripts(t *testing.T) {
	p, b := open(chromium(t), t, "approve", "en")
	must(p.ctx, t, emulation.SetScriptExecutionDisabledParams{Value: true}, emulation.SetScriptExecutionDisabled)
	p.login()
	p.do(chromedp.Click(chromedp.CSS("#w0-approve summary")),
		chromedp.SendKeys(chromedp.CSS("#w0-approve-why"), "checked"),
		chromedp.Click(chromedp.CSS("#w0-approve form button")),
		chromedp.WaitNotPresent(chromedp.CSS("#w0-approve")),
		chromedp.Navigate(p.url+"/impact"),
		chromedp.Click(chromedp.CSS(`input[value="pangyo"]`)),
		chromedp.Click(chromedp.CSS(".choose button")),
		chromedp.WaitVisible(chromedp.CSS("#h-plan")))
	if got := b.Commands(); !slices.ContainsFunc(got, func(c web.Command) bool { return c.Verb == web.Approve && c.Why == "checked" }) {
		t.Errorf("commands %+v, want the approval", got)
	}
	p.do(chromedp.Click(chromedp.CSS(`.reader button[name="lang"]`)), chromedp.WaitVisible(chromedp.CSS(`html[lang="ko"]`)))
	p.clean("without scripts")
}

// TestRealHostileTitles: none of the fixture's scripts runs.
func TestRealHostileTitles(t *testing.T) {
	p, _ := open(chromium(t), t, "hostile", "ko")
	p.login()
	for _, page := range []string{"/", "/runs/r-0012", "/impact?lose=pangyo", "/incidents/20221015-pangyo"} {
		// A dialog of a script that ran would hold the navigation up.
		p.do(chromedp.Navigate(p.url+page), chromedp.WaitVisible(chromedp.CSS("h1")))
		if n := eval[int](p, `document.querySelectorAll("main script, main img").length`); n != 0 {
			t.Errorf("%s has %d elements that a title brought", page, n)
		}
	}
	p.clean("hostile titles")
}

// must runs one command of the protocol.
func must[P, R any](ctx context.Context, t *testing.T, params P, cmd cdp.Command[P, R]) {
	t.Helper()
	if _, err := chromedp.Call(ctx, cmd, params); err != nil {
		t.Fatal(err)
	}
}

// sticksOut names what is wider than the window.
const sticksOut = `[...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, svg, nav.main") && e.getBoundingClientRect().right > innerWidth + 1)
	.map((e) => e.tagName + "." + e.className + " " + e.id).slice(0, 5)`

// contrast names texts whose colour is too near to what is behind them (WCAG 1.4.3).
const contrast = `(() => {
	const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return [m[0], m[1], m[2], m[3] ?? 1]; };
	const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
	const lum = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
	const behind = (e) => { const layers = []; for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); layers.push(c); if (c[3] === 1) break; }
		return layers.reverse().reduce((a, c) => over(c, a), [255, 255, 255, 1]); };
	const bad = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
		if (!text || !e.checkVisibility() || e.closest("script, noscript, .skip, caption.quiet")) continue;
		const s = getComputedStyle(e), svg = e.closest("svg"), fg = parse(svg ? s.fill : s.color), bg = behind(svg && svg.classList.contains("timeline") ? svg : e);
		const a = lum(over(fg, bg)), b = lum(bg), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		const big = parseFloat(s.fontSize) >= 24 || parseFloat(s.fontSize) >= 18.66 && s.fontWeight >= 700;
		if (ratio < (big ? 3 : 4.5)) bad.add(ratio.toFixed(2) + " " + text.slice(0, 30));
	}
	return [...bad];
})()`
