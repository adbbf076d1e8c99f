//go:build real

package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
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
)

// A tab is one page of a real Chromium. What it writes to its console as an error or a
// warning, a refused style among it, fails the test.
type browserTab struct {
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

// open is a tab in which somebody has logged in, without scripts.
func openTab(browser context.Context, t *testing.T, b *bench, name, lang string) *browserTab {
	t.Helper()
	server := httptest.NewServer(b.s)
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	p := &browserTab{t: t, ctx: ctx, url: server.URL}
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
	mustDo(ctx, t, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}}, network.SetExtraHTTPHeaders)
	if name != "" {
		p.do(chromedp.Navigate(p.url+"/login"), chromedp.SendKeys(chromedp.CSS("#name"), name), //nolint:contextcheck // a tab has its own
			chromedp.SendKeys(chromedp.CSS("#password"), "pw "+name),
			chromedp.Click(chromedp.CSS("main form button")), chromedp.WaitVisible(chromedp.CSS(".who")))
	}
	return p
}

func mustDo[P, R any](ctx context.Context, t *testing.T, params P, cmd cdp.Command[P, R]) {
	t.Helper()
	if _, err := chromedp.Call(ctx, cmd, params); err != nil {
		t.Fatal(err)
	}
}

func (p *browserTab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		where, _ := chromedp.Run(p.ctx, chromedp.Location())
		p.t.Fatalf("at %s: %v", where, err)
	}
}

func eval[T any](p *browserTab, js string, opts ...chromedp.EvaluateOption) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](js, opts...))
	if err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// clean fails when the console of the browser holds anything.
func (p *browserTab) clean(where string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.said {
		p.t.Errorf("%s: the browser's console says %s", where, line)
	}
	p.said = nil
}

// forget drops what the console is expected to say.
func (p *browserTab) forget(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = slices.DeleteFunc(p.said, func(s string) bool { return strings.Contains(s, what) })
}

// shot keeps a picture where BONGSU_SHOTS says, for people to look at.
func (p *browserTab) shot(name string) {
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

func (p *browserTab) scheme(name string) {
	p.t.Helper()
	mustDo(p.ctx, p.t, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
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

func (p *browserTab) axe(where, run string) {
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

// sticksOut names what is wider than the window.
const sticksOut = `[...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, svg") && e.getBoundingClientRect().right > innerWidth + 1)
	.map((e) => e.tagName + "." + e.className + " " + e.id).slice(0, 5)`

// uneven names fields that are not as tall as those beside them, so that their labels are not level.
const uneven = `[...document.querySelectorAll(".fields")].flatMap((f) => [...f.querySelectorAll(":scope > div > input:not([type=checkbox]):not([type=radio]), :scope > div > select")]
	.filter((e, i, all) => e.offsetWidth && Math.abs(e.getBoundingClientRect().height - all[0].getBoundingClientRect().height) > .5).map((e) => e.name + " is " + e.getBoundingClientRect().height + " tall"))`

// A look is a page that the browser opens, as whom.
type look struct{ as, name, path string }

func (b *bench) looks() []look {
	one := "/claims/"
	return []look{
		{"", "login", "/login"},
		{"lee", "queue", "/claims?incident=fire"},
		{"lee", "claim", one + b.ids[0]},
		{"lee", "hostile", one + b.ids[4]},
		{"lee", "run", "/run"},
		{"lee", "unasked", "/unasked"},
		{"lee", "unasked-tried", b.shown["unasked"]},
		{"lee", "policies", "/policies"},
		{"lee", "policy", "/policies/kakao-2022@1?incident=fire"},
		{"lee", "whatif", "/whatif"},
		{"lee", "compared", b.shown["compared"]},
		{"lee", "preview", b.shown["preview"]},
		{"lee", "windows", "/windows"},
		{"lee", "gone", "/nowhere"},
		{"kim", "enter", "/enter"},
		{"kim", "import", "/import"},
		{"kang", "body", "/body"},
		{"kang", "session", b.shown["session"]},
		{"choi", "payout", "/payout"},
		{"choi", "reconcile", "/payout/reconcile"},
		{"choi", "batch", "/payout/batch/b1"},
		{"yoon", "privacy", "/privacy"},
		{"agent", "questions", "/questions"},
	}
}

// furnished is a bench with something on every page.
func furnished(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.fast = true
	fill(b)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	lee, kang, choi := b.as("lee"), b.as("kang"), b.as("choi")
	next := strings.Replace(string(shipped(t)), "version: 1", "version: 2", 1)
	next = strings.Replace(next, "budget: 40000000000", "budget: 80000", 1)
	lee.does("/policies/submit", url.Values{"incident": {"fire"}, "text": {next}})
	b.shown = map[string]string{
		"compared": kang.does("/whatif", url.Values{"incident": {"fire"}, "draft": {"kakao-2022@1", "kakao-2022@2"}}),
		"preview":  lee.does("/run/preview", url.Values{"incident": {"fire"}}),
	}
	lee.does("/run/flag", url.Values{"incident": {"fire"}})
	list := map[string]string{"incident": "fire"}
	accounts := []byte("account,service,fee\nu-1,kakao-t-pro,39000\nu-2,emoticon-plus,4900\n")
	b.as("park").sends("/unasked/submit", list, "list.csv", accounts)
	b.shown["unasked"] = lee.sends("/unasked/try", list, "list.csv", accounts[:len(accounts)-23]).Header().Get("Location")
	c := b.claimOf(0)
	lee.does("/claims/"+b.ids[0]+"/decide", verdict(&c, nil))
	c = b.claimOf(3)
	lee.does("/claims/"+b.ids[3]+"/decide", verdict(&c, url.Values{"outcome": {"human"}, "evidence": {"sales-proof"}}))
	to := kang.does("/body/open", url.Values{"incident": {"fire"}, "title-ko": {"1차 회의"}, "title-en": {"First session"}, "held": {time.Now().Format(minute)}})
	b.shown["session"] = strings.Split(to, "&said")[0]
	path, _, _ := strings.Cut(to, "?")
	kang.does(path+"/ask", url.Values{"incident": {"fire"}, "version": {"1"}, "question-ko": {"이 안으로 합니까?"}, "question-en": {"Shall it be this draft?"}, "draft": {"kakao-2022@2"}})
	kang.does(path+"/comment", url.Values{"incident": {"fire"}, "question": {"1"}, "text": {"소상공인에게 더 필요합니다. " + hostile}})
	kang.does(path+"/vote", url.Values{"incident": {"fire"}, "question": {"1"}, "vote": {"yes"}})
	choi.does("/payout/grant", url.Values{"incident": {"fire"}})
	choi.does("/payout/draft", url.Values{"incident": {"fire"}, "id": {"b1"}, "form": {"money"}, "bank": {"main"}})
	b.as("kim").post("/claims/"+b.ids[0]+"/look", url.Values{"why": {"신고자가 전화했음"}})
	return b
}

// TestRealAxe walks every page, light and dark, narrow and wide: axe finds nothing,
// nothing sticks out to the side, and the console is silent.
func TestRealAxe(t *testing.T) {
	browser, checker := chromium(t), axe(t)
	b := furnished(t)
	for _, l := range []string{"ko", "en"} {
		var p *browserTab
		as := "-"
		for _, page := range b.looks() {
			if page.as != as {
				p, as = openTab(browser, t, b, page.as, l), page.as
			}
			p.scheme("light")
			p.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(p.url+page.path), chromedp.WaitVisible(chromedp.CSS("h1")))
			eval[bool](p, checker+";true")
			for _, width := range []int64{1280, 360} {
				p.do(chromedp.EmulateViewport(width, 900))
				where := fmt.Sprintf("%s in %s at %d px", page.name, l, width)
				if wide := eval[int64](p, "document.documentElement.scrollWidth"); wide > width {
					t.Errorf("%s is %d wide: %v", where, wide, eval[[]string](p, sticksOut))
				}
				if found := eval[[]string](p, uneven); len(found) > 0 {
					t.Errorf("%s: %v", where, found)
				}
				for _, scheme := range []string{"light", "dark"} {
					p.scheme(scheme)
					p.shot(strings.Join([]string{page.name, l, fmt.Sprint(width), scheme}, "."))
					switch narrow := width == 360; { // what a language does not change is looked at in one, colours at one width
					case scheme == "light" && (narrow || l == "ko"):
						p.axe(where, runAxe)
					case scheme == "dark" && !narrow && l == "ko":
						p.axe(where+", dark", runAxeColours)
					}
				}
			}
			if page.name == "gone" {
				p.forget("404 (Not Found)")
			}
			p.clean(page.name + " in " + l)
		}
	}
}

// TestRealKeyboard: the first stop skips to the content, and focus is always seen.
func TestRealKeyboard(t *testing.T) {
	b := newBench(t)
	b.fast = true
	fill(b)
	p := openTab(chromium(t), t, b, "lee", "ko")
	focus := func() string {
		return eval[string](p, `(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
			return (e.id || e.name || e.textContent.trim().slice(0, 20)) + (e !== document.body && s.outlineStyle === "none" && e.id !== "main" ? " without a mark" : "") + (r.bottom < 0 || r.top > innerHeight ? " out of sight" : ""); })()`)
	}
	for _, path := range []string{"/claims?incident=fire", "/claims/" + b.ids[0]} {
		p.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(p.url+path), chromedp.WaitVisible(chromedp.CSS("h1")), chromedp.KeyEvent(kb.Tab))
		if got := focus(); got != "본문으로 건너뛰기" {
			t.Errorf("%s: the first stop is %q", path, got)
		}
		p.do(chromedp.KeyEvent(kb.Enter))
		if got := eval[string](p, "document.activeElement.id"); got != "main" {
			t.Errorf("%s: skipping leads to %q", path, got)
		}
		for range 60 {
			p.do(chromedp.KeyEvent(kb.Tab))
			if got := focus(); strings.Contains(got, "without a mark") || strings.Contains(got, "out of sight") {
				t.Errorf("%s: focus is on %s", path, got)
			}
		}
	}
}
