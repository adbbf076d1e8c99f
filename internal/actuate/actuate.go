package actuate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/recovery"
)

// The drivers.
const (
	DriverExec   = "exec"
	DriverHTTP   = "http"
	DriverManual = recovery.DriverManual
)

// Options are what actuators need of their node. The zero value will do.
type Options struct {
	// Client makes the HTTP calls; nil is one without redirects and with fresh
	// connections.
	Client *http.Client
	// Env looks up the environment of the node; nil is os.LookupEnv.
	Env func(string) (string, bool)
}

// New returns the actuators by the name of their driver.
func New(o Options) map[string]recovery.Actuator {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	if o.Client == nil {
		transport := &http.Transport{DisableKeepAlives: true, Proxy: nil}
		o.Client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}
	}
	return map[string]recovery.Actuator{
		DriverExec:   execDriver{o},
		DriverHTTP:   httpDriver{o},
		DriverManual: manualDriver{},
	}
}

// Validate says everything that is wrong with the run of an action.
func Validate(run estate.Run) error {
	var err error
	switch run.Driver {
	case DriverExec:
		_, err = execArgs(run.Args)
	case DriverHTTP:
		_, err = httpArgs(run.Args)
	case DriverManual:
		err = manualArgs(run.Args)
	default:
		known := []string{DriverExec, DriverHTTP, DriverManual}
		err = fmt.Errorf("unknown driver %q%s; there are %s", run.Driver, hint(run.Driver, known), strings.Join(known, ", "))
	}
	if err != nil && run.Pos.File != "" {
		return fmt.Errorf("%s:%d:%d: %w", run.Pos.File, run.Pos.Line, run.Pos.Col, err)
	}
	return err
}

// manualDriver is for steps that a person does. Nobody else can do them: the
// journal asks the person and takes the answer.
type manualDriver struct{}

var errManual = errors.New("a person has to do it and confirm; bongsu run show tells how")

func (manualDriver) Check(context.Context, recovery.Request) (recovery.Answer, error) {
	return recovery.Unknown, nil
}

func (manualDriver) Act(context.Context, recovery.Request) (string, error) { return "", errManual }

func (manualDriver) Verify(context.Context, recovery.Request) (recovery.Answer, error) {
	return recovery.Unknown, nil
}

func manualArgs(args map[string]any) error {
	f := newFields(DriverManual, args)
	f.text("text")
	return f.end()
}

// verify asks until the effect is there or the time to settle is over.
func verify(ctx context.Context, settle time.Duration, ask func() (recovery.Answer, error)) (recovery.Answer, error) {
	over := time.NewTimer(settle)
	defer over.Stop()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		answer, err := ask()
		if answer == recovery.Done || settle <= 0 {
			return answer, err
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-over.C:
			again.Stop()
			return ask()
		case <-ctx.Done():
			again.Stop()
			return answer, errors.Join(err, ctx.Err())
		}
	}
}

// expander fills in what a text says with ${…}.
type expander struct {
	request map[string]string
	env     func(string) (string, bool)
	secrets bool // ${env:…} and ${file:…} are allowed
}

// names of what ${…} may say of a request.
func requestNames() []string {
	return []string{"action", "at", "attempt", "component", "count", "key", "node", "run", "site", "step"}
}

func newExpander(r recovery.Request, o Options, secrets bool) expander {
	return expander{secrets: secrets, env: o.Env, request: map[string]string{
		"action": r.Step.Action, "at": r.Step.At, "attempt": fmt.Sprint(r.Attempt), "component": r.Step.Component,
		"count": fmt.Sprint(r.Step.Count), "key": r.Key, "node": r.Node, "run": r.Run, "site": r.Step.Site, "step": r.Step.ID,
	}}
}

// split cuts a text into what stands before, inside and behind its first ${…}.
func split(text string) (before, name, rest string, ok bool, err error) {
	i := strings.Index(text, "${")
	if i < 0 {
		return text, "", "", false, nil
	}
	j := strings.Index(text[i:], "}")
	if j < 0 {
		return "", "", "", false, fmt.Errorf("%q has ${ without }", text)
	}
	return text[:i], text[i+2 : i+j], text[i+j+1:], true, nil
}

// placeholders says what is wrong with the ${…} of a text, without filling it in.
func placeholders(text string, secrets bool) error {
	for {
		_, name, rest, ok, err := split(text)
		if err != nil || !ok {
			return err
		}
		kind, what, special := strings.Cut(name, ":")
		switch {
		case special && (kind == "env" || kind == "file"):
			if what == "" {
				return fmt.Errorf("${%s} names nothing", name)
			}
			if !secrets {
				return fmt.Errorf("${%s} may not stand here, where anyone on the machine could read it; pass it by env", name)
			}
		case !slices.Contains(requestNames(), name):
			return fmt.Errorf("unknown ${%s}%s; there are %s, env:NAME and file:PATH", name, hint(name, requestNames()), strings.Join(requestNames(), ", "))
		}
		text = rest
	}
}

// fill replaces every ${…}.
func (x expander) fill(text string) (string, error) {
	var b strings.Builder
	for {
		before, name, rest, ok, err := split(text)
		if err != nil {
			return "", err
		}
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		kind, what, special := strings.Cut(name, ":")
		switch {
		case special && kind == "env" && x.secrets:
			v, ok := x.env(what)
			if !ok {
				return "", fmt.Errorf("the environment of node %s has no %s", x.request["node"], what)
			}
			b.WriteString(v)
		case special && kind == "file" && x.secrets:
			v, err := os.ReadFile(what)
			if err != nil {
				return "", fmt.Errorf("node %s: %w", x.request["node"], err)
			}
			b.WriteString(strings.TrimRight(string(v), "\r\n"))
		default:
			v, ok := x.request[name]
			if !ok {
				return "", fmt.Errorf("unknown ${%s}", name)
			}
			b.WriteString(v)
		}
		text = rest
	}
}

func (x expander) fillAll(texts []string) ([]string, error) {
	out := make([]string, len(texts))
	for i, t := range texts {
		var err error
		if out[i], err = x.fill(t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// redact takes the secrets that a request uses out of a text for people.
func (x expander) redact(text string, from ...string) string {
	for _, f := range from {
		for {
			_, name, rest, ok, err := split(f)
			if err != nil || !ok {
				break
			}
			if strings.HasPrefix(name, "env:") || strings.HasPrefix(name, "file:") {
				if v, err := x.fill("${" + name + "}"); err == nil && len(v) > 3 {
					text = strings.ReplaceAll(text, v, "***")
				}
			}
			f = rest
		}
	}
	return text
}

// fields reads the arguments of a driver strictly and collects all that is wrong.
type fields struct {
	driver string
	args   map[string]any
	known  []string
	errs   []error
}

func newFields(driver string, args map[string]any) *fields {
	return &fields{driver: driver, args: args}
}

func (f *fields) fail(name, format string, a ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s: %s: %s", f.driver, name, fmt.Sprintf(format, a...)))
}

func (f *fields) get(name string) (any, bool) {
	f.known = append(f.known, name)
	v, ok := f.args[name]
	return v, ok && v != nil
}

func (f *fields) text(name string) string {
	v, ok := f.get(name)
	if !ok {
		return ""
	}
	s, isText := v.(string)
	if !isText {
		f.fail(name, "want a text, got %v", v)
	}
	return s
}

// flag checks what others read: recovery takes idempotent from the step.
func (f *fields) flag(name string) {
	if v, ok := f.get(name); ok {
		if _, isBool := v.(bool); !isBool {
			f.fail(name, "want true or false, got %v", v)
		}
	}
}

func (f *fields) duration(name string) time.Duration {
	v, ok := f.get(name)
	if !ok {
		return 0
	}
	s, isText := v.(string)
	if !isText {
		f.fail(name, "want a duration such as 30s, got %v", v)
		return 0
	}
	d, err := estate.ParseDuration(s)
	switch {
	case err != nil:
		f.fail(name, "%v", err)
	case d <= 0:
		f.fail(name, "want a duration above 0s, got %s", s)
	}
	return d
}

func (f *fields) texts(name string) []string {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	list, isList := v.([]any)
	if !isList {
		if texts, ok := v.([]string); ok {
			return texts
		}
		f.fail(name, "want a list of texts such as [a, b], got %v", v)
		return nil
	}
	out := make([]string, len(list))
	for i, e := range list {
		switch e := e.(type) {
		case string:
			out[i] = e
		case int, int64, float64, bool: // a port or a count need not be quoted
			out[i] = fmt.Sprint(e)
		default:
			f.fail(name, "want a text in place %d, got %v", i+1, e)
		}
	}
	return out
}

func (f *fields) statuses(name string) []int {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	var out []int
	for _, e := range list {
		n := 0
		switch e := e.(type) {
		case int:
			n = e
		case int64:
			n = int(e)
		case float64:
			n = int(e)
		}
		if n < 100 || n > 599 {
			f.fail(name, "want HTTP statuses such as [200, 204], got %v", e)
			continue
		}
		out = append(out, n)
	}
	return out
}

func (f *fields) textMap(name string) map[string]string {
	v, ok := f.get(name)
	if !ok {
		return nil
	}
	m, isMap := v.(map[string]any)
	if !isMap {
		f.fail(name, "want names and texts such as {Accept: text/plain}, got %v", v)
		return nil
	}
	out := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch e := m[k].(type) {
		case string, int, int64, float64, bool:
			out[k] = fmt.Sprint(e)
		default:
			f.fail(name, "%s: want a text, got %v", k, e)
		}
	}
	return out
}

// end reports unknown fields with the others that are wrong.
func (f *fields) end() error {
	for _, name := range slices.Sorted(maps.Keys(f.args)) {
		if !slices.Contains(f.known, name) {
			f.fail(name, "unknown field%s; %s takes %s", hint(name, f.known), f.driver, strings.Join(f.known, ", "))
		}
	}
	return errors.Join(f.errs...)
}

// hint offers the nearest of the choices when one is near.
func hint(name string, choices []string) string {
	near := estate.Nearest(name, choices)
	if near == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", near)
}
