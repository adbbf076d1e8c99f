package actuate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bongsu/recovery"
)

// httpRun is one call and how to ask whether it took effect.
type httpRun struct {
	method  string
	url     string
	body    string
	headers map[string]string
	expect  []int // any 2xx when empty
	check   *httpAsk
	verify  *httpAsk
	settle  time.Duration
}

// httpAsk is a GET whose status answers.
type httpAsk struct {
	url     string
	done    []int // any 2xx when empty
	notDone []int // 404 when empty
}

func httpArgs(args map[string]any) (httpRun, error) {
	f := newFields(DriverHTTP, args)
	r := httpRun{
		method: strings.ToUpper(f.text("method")), url: f.text("url"), body: f.text("body"), headers: f.textMap("headers"),
		expect: f.statuses("expect"), check: f.ask("check"), verify: f.ask("verify"), settle: f.duration("settle"),
	}
	f.duration("limit") // recovery enforces it
	f.flag("idempotent")
	if r.method == "" {
		r.method = http.MethodPost
	}
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	if !slices.Contains(methods, r.method) {
		f.fail("method", "%q is none%s; there are %s", r.method, hint(r.method, methods), strings.Join(methods, ", "))
	}
	f.checkURL("url", r.url)
	if err := placeholders(r.body, true); err != nil {
		f.fail("body", "%v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.headers)) {
		if err := placeholders(r.headers[name], true); err != nil {
			f.fail("headers", "%s: %v", name, err)
		}
	}
	return r, f.end()
}

// ask reads a URL, or {url, done, notDone}.
func (f *fields) ask(name string) *httpAsk {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	a := &httpAsk{}
	switch v := v.(type) {
	case string:
		a.url = v
	case map[string]any:
		sub := newFields(f.driver+": "+name, v)
		a.url, a.done, a.notDone = sub.text("url"), sub.statuses("done"), sub.statuses("notDone")
		if err := sub.end(); err != nil {
			f.errs = append(f.errs, err)
		}
	default:
		f.fail(name, "want a URL, or {url: …, done: [200], notDone: [404]}, got %v", v)
		return nil
	}
	f.checkURL(name, a.url)
	return a
}

func (f *fields) checkURL(name, text string) {
	if text == "" {
		f.fail(name, "want a URL such as https://deploy.example/start")
		return
	}
	if err := placeholders(text, true); err != nil {
		f.fail(name, "%v", err)
		return
	}
	if strings.HasPrefix(text, "${") {
		return // the node knows where
	}
	u, err := url.Parse(strings.NewReplacer("${", "", "}", "").Replace(text))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		f.fail(name, "want a URL that starts with http:// or https:// and names a host, got %q", text)
	}
}

type httpDriver struct{ o Options }

// Act makes the call, with the key of the attempt as Idempotency-Key.
func (d httpDriver) Act(ctx context.Context, r recovery.Request) (string, error) {
	h, err := httpArgs(r.Step.Args)
	if err != nil {
		return "", err
	}
	status, body, err := d.call(ctx, h.method, h.url, h.body, h.headers, r)
	if err != nil {
		return "", err
	}
	if !matches(status, h.expect) {
		return "", fmt.Errorf("%s %s: status %d, expected %s%s", h.method, h.url, status, statuses(h.expect), said(body))
	}
	return fmt.Sprintf("status %d%s", status, said(body)), nil
}

// Check asks the check URL.
func (d httpDriver) Check(ctx context.Context, r recovery.Request) (recovery.Answer, error) {
	h, err := httpArgs(r.Step.Args)
	if err != nil || h.check == nil {
		return recovery.Unknown, err
	}
	return d.ask(ctx, h, h.check, r)
}

// Verify asks the verify URL for as long as the effect may take to settle. Without
// one, the expected status is taken at its word.
func (d httpDriver) Verify(ctx context.Context, r recovery.Request) (recovery.Answer, error) {
	h, err := httpArgs(r.Step.Args)
	if err != nil {
		return recovery.Unknown, err
	}
	if h.verify == nil {
		return recovery.Done, nil
	}
	return verify(ctx, h.settle, func() (recovery.Answer, error) { return d.ask(ctx, h, h.verify, r) })
}

func (d httpDriver) ask(ctx context.Context, h httpRun, a *httpAsk, r recovery.Request) (recovery.Answer, error) {
	status, body, err := d.call(ctx, http.MethodGet, a.url, "", h.headers, r)
	notDone := a.notDone
	if len(notDone) == 0 {
		notDone = []int{http.StatusNotFound}
	}
	switch {
	case err != nil:
		return recovery.Unknown, err
	case slices.Contains(notDone, status):
		return recovery.NotDone, nil
	case matches(status, a.done):
		return recovery.Done, nil
	}
	return recovery.Unknown, fmt.Errorf("GET %s: status %d, which means neither done nor not done%s", a.url, status, said(body))
}

// call makes one request. What it says of itself never contains a secret.
func (d httpDriver) call(ctx context.Context, method, target, body string, headers map[string]string, r recovery.Request) (int, string, error) {
	x := newExpander(r, d.o, true)
	used := []string{target, body}
	to, err := x.fill(target)
	if err != nil {
		return 0, "", err
	}
	payload, err := x.fill(body)
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(payload))
	if err != nil {
		return 0, "", fmt.Errorf("%s %s: not a URL once it is filled in", method, target)
	}
	req.Header.Set("Idempotency-Key", r.Key)
	req.Header.Set("User-Agent", "bongsu")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		v, err := x.fill(headers[name])
		if err != nil {
			return 0, "", err
		}
		used = append(used, headers[name])
		req.Header.Set(name, v)
	}
	res, err := d.o.Client.Do(req)
	if err != nil {
		// The error of the client repeats the URL; ours names it unfilled.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return 0, "", fmt.Errorf("%s %s: %s", method, target, x.redact(err.Error(), used...))
	}
	defer func() { _ = res.Body.Close() }() // only read from
	answer, err := io.ReadAll(io.LimitReader(res.Body, tailSize))
	if err != nil {
		return 0, "", fmt.Errorf("%s %s: read the answer: %s", method, target, x.redact(err.Error(), used...))
	}
	return res.StatusCode, x.redact(string(answer), used...), nil
}

func matches(status int, wanted []int) bool {
	if len(wanted) == 0 {
		return status >= 200 && status < 300
	}
	return slices.Contains(wanted, status)
}

func statuses(wanted []int) string {
	if len(wanted) == 0 {
		return "2xx"
	}
	return strings.Trim(fmt.Sprint(wanted), "[]")
}
