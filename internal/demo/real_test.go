//go:build real

package demo_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "write the picture of the README anew")

// transcript is what the demo has said so far.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(b)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// await waits until the transcript matches, and returns the groups.
func (t *transcript) await(tb testing.TB, pattern string) []string {
	tb.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if m := re.FindStringSubmatch(t.String()); m != nil {
			return m
		}
		select {
		case <-deadline.C:
			tb.Fatalf("the demo never said %s:\n%s", pattern, t)
		case <-tick.C:
		}
	}
}

// TestRealDemoConsole plays the demo and looks at a surviving node's console in a
// real Chromium while the services come back, and at the public page of one. Anything that the browser writes to
// its console as an error or a warning fails the test.
func TestRealDemoConsole(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "bongsu")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "bongsu/cmd/bongsu")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said := &transcript{}
	demo := exec.Command(bin, "demo", "--keep", "--after", "2s")
	demo.Stdout, demo.Stderr = said, said
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = demo.Wait() // its exit code is looked at below
	}()
	t.Cleanup(func() {
		_ = demo.Process.Signal(syscall.SIGINT)
		<-ended
		if left, err := filepath.Glob(filepath.Join(os.TempDir(), "bongsu-demo-*", "node-*")); err == nil && len(left) > 0 && demo.ProcessState.ExitCode() < 0 {
			t.Errorf("the demo left %v", left)
		}
	})
	url := said.await(t, `(?m)^  anyang +(http://\S+)`)[1]
	login := said.await(t, `log in as (\S+) with (\S+)`)
	said.await(t, `▶ plan`)

	ctx, cancel := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(1280, 1100),
	)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var (
		mu     sync.Mutex
		errors []string
	)
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleException {
				mu.Lock()
				errors = append(errors, string(m.Type)+": "+m.Text)
				mu.Unlock()
			}
		}
	}()
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			t.Fatal(err)
		}
	}
	do(
		chromedp.Navigate(url+"/login"),
		chromedp.SendKeys(chromedp.CSS(`input[name="name"]`), login[1]),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), login[2]),
		chromedp.Submit(chromedp.CSS(`input[name="password"]`)),
		chromedp.WaitVisible(chromedp.CSS("main")),
	)
	shot := func(path string) {
		t.Helper()
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, png, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	said.await(t, `▲ back      카카오톡 kakaotalk,`)
	do(chromedp.Navigate(url+"/"), chromedp.WaitVisible(chromedp.CSS("main")))
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main").innerText`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pangyo", "카카오톡"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page of now does not name %s:\n%s", want, text)
		}
	}
	shot("../../docs/img/console.png")
	run, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(document.querySelector('a[href*="/runs/"]')||{}).href||""`))
	if err != nil || run == "" {
		t.Fatalf("no link to the run (%v):\n%s", err, text)
	}
	do(chromedp.Navigate(run), chromedp.WaitVisible(chromedp.CSS("main svg")))
	shot("../../docs/img/run.png")
	for _, page := range []string{"/impact?lose=gasan", "/journal", "/estate", "/runs"} {
		do(chromedp.Navigate(url+page), chromedp.WaitVisible(chromedp.CSS("main")))
	}
	page := said.await(t, `✎ told[^(]+says:[^(]+\((http://\S+/)\)`)[1]
	do(chromedp.Navigate(page), chromedp.WaitVisible(chromedp.CSS("main .board")))
	if text, err = chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main").innerText`)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "카카오톡") {
		t.Errorf("the public page does not name 카카오톡:\n%s", text)
	}
	said.await(t, `✎ told +every surviving page says what users see; (\d+) of (\d+) services`)
	do(chromedp.Navigate(page), chromedp.WaitVisible(chromedp.CSS("main")))
	if still, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(document.querySelector(".board progress")||{}).outerHTML||""`)); err != nil || still != "" {
		t.Errorf("at the end the board still shows something on its way (%v): %s", err, still)
	}
	said.await(t, `First word on a public page, with no person: [0-9.]+ s`)
	said.await(t, `Everything is back\.`)
	mu.Lock()
	defer mu.Unlock()
	for _, e := range errors {
		t.Errorf("the browser's console says %s", e)
	}
}
