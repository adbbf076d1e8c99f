package actuate_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"bongsu/estate"
	"bongsu/internal/actuate"
	"bongsu/recovery"
)

func request(driver string, args map[string]any) recovery.Request {
	return recovery.Request{
		Run: "r1", Key: "r1/db/promote@anyang#1", Attempt: 1, Node: "anyang",
		Step: recovery.Step{
			ID: "db/promote@anyang", Component: "db", Action: "promote", At: "anyang", Site: "anyang", Count: 3,
			Driver: driver, Args: args,
		},
	}
}

func argv(words ...string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

func sh(script string) []any { return argv("/bin/sh", "-c", script) }

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		run  estate.Run
		want []string // in the error; none: fine
	}{
		{"exec", estate.Run{Driver: "exec", Args: map[string]any{"argv": argv("/bin/true", "${at}"), "env": argv("PGPASSFILE"), "limit": "30s", "check": argv("/bin/false"), "idempotent": true, "settle": "5s", "dir": "/tmp"}}, nil},
		{"http", estate.Run{Driver: "http", Args: map[string]any{"url": "https://x/${component}", "check": "https://x/y", "verify": map[string]any{"url": "${env:BASE}/y", "done": []any{200, 204.0}, "notDone": []any{404}}, "expect": 201}}, nil},
		{"manual", estate.Run{Driver: "manual", Args: map[string]any{"text": "turn the key"}}, nil},
		{"unknown driver", estate.Run{Driver: "htpp"}, []string{`did you mean "http"?`, "exec, http, manual"}},
		{"position", estate.Run{Driver: "x", Pos: estate.Pos{File: "a.yaml", Line: 3, Col: 7}}, []string{"a.yaml:3:7"}},
		{"nothing to run", estate.Run{Driver: "exec"}, []string{"argv: want the program"}},
		{
			"all errors at once",
			estate.Run{Driver: "exec", Args: map[string]any{"argv": "ls -l", "limt": "3s", "limit": "soon", "dir": "here", "env": argv("A=b")}},
			[]string{"argv: want a list", `did you mean "limit"?`, "soon", "absolute path", "values never stand"},
		},
		{"a secret in argv", estate.Run{Driver: "exec", Args: map[string]any{"argv": argv("/bin/x", "${env:PASSWORD}")}}, []string{"anyone on the machine could read it"}},
		{"unknown placeholder", estate.Run{Driver: "exec", Args: map[string]any{"argv": argv("/bin/x", "${componnt}")}}, []string{`did you mean "component"?`}},
		{"open placeholder", estate.Run{Driver: "http", Args: map[string]any{"url": "http://x/${at"}}, []string{"${ without }"}},
		{"no url", estate.Run{Driver: "http", Args: map[string]any{"method": "PSOT"}}, []string{"want a URL", `did you mean "POST"?`}},
		{"no host", estate.Run{Driver: "http", Args: map[string]any{"url": "deploy.example/start"}}, []string{"http:// or https://"}},
		{"in the check", estate.Run{Driver: "http", Args: map[string]any{"url": "http://x", "check": map[string]any{"url": "http://x", "dne": 200, "notDone": 42}}}, []string{`did you mean "done"?`, "HTTP statuses"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := actuate.Validate(tt.run)
			if (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q, want %q in it", err, w)
				}
			}
		})
	}
}

func TestExec(t *testing.T) {
	t.Setenv("BONGSU_TEST_GIVEN", "given")
	t.Setenv("BONGSU_TEST_HIDDEN", "hidden")
	dir := t.TempDir()
	a := actuate.New(actuate.Options{})[actuate.DriverExec]
	tests := []struct {
		name, script string
		detail, fail string
	}{
		{"done", "echo promoted", "promoted", ""},
		{"the last line", "echo one; echo two >&2", "two", ""},
		{"exit code", "echo no room >&2; exit 3", "", "exit 3: no room"},
		{"its environment", `echo "$BONGSU_AT $BONGSU_COUNT $BONGSU_KEY $BONGSU_TEST_GIVEN [$BONGSU_TEST_HIDDEN]"`, "anyang 3 r1/db/promote@anyang#1 given []", ""},
		{"its folder", "pwd", dir, ""},
		{"a flood of output", "yes | head -c 3000000; echo end", "end", ""},
		{"what it leaves behind", "sleep 30 & echo started", "started", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			detail, err := a.Act(context.Background(), request("exec", map[string]any{
				"argv": sh(tt.script), "env": argv("BONGSU_TEST_GIVEN"), "dir": dir,
			}))
			switch {
			case tt.fail == "" && (err != nil || detail != tt.detail):
				t.Errorf("%q, %v; want %q", detail, err, tt.detail)
			case tt.fail != "" && (err == nil || !strings.Contains(err.Error(), tt.fail)):
				t.Errorf("error %v, want %q in it", err, tt.fail)
			}
		})
	}
}

func TestExecAnswers(t *testing.T) {
	a := actuate.New(actuate.Options{})[actuate.DriverExec]
	for code, want := range []recovery.Answer{recovery.Done, recovery.NotDone, recovery.Unknown} {
		ask := sh("exit " + strconv.Itoa(code))
		r := request("exec", map[string]any{"argv": argv("/bin/true"), "check": ask, "verify": ask})
		if got, _ := a.Check(t.Context(), r); got != want {
			t.Errorf("check with exit %d is %s, want %s", code, got, want)
		}
		if got, _ := a.Verify(t.Context(), r); got != want {
			t.Errorf("verify with exit %d is %s, want %s", code, got, want)
		}
	}
	bare := request("exec", map[string]any{"argv": argv("/bin/true")})
	if got, err := a.Check(t.Context(), bare); got != recovery.Unknown || err != nil {
		t.Errorf("without a check: %s, %v; want unknown", got, err)
	}
	if got, err := a.Verify(t.Context(), bare); got != recovery.Done || err != nil {
		t.Errorf("without a verify: %s, %v; want done", got, err)
	}
	missing := request("exec", map[string]any{"argv": argv("/no/such/program")})
	if _, err := a.Act(t.Context(), missing); err == nil {
		t.Error("a program that does not exist was run")
	}
}

func TestVerifySettles(t *testing.T) {
	flag := filepath.Join(t.TempDir(), "flag")
	a := actuate.New(actuate.Options{})[actuate.DriverExec]
	r := request("exec", map[string]any{
		"argv": sh("(sleep 0.3; touch " + flag + ") >/dev/null 2>&1 &"), "verify": argv("/usr/bin/test", "-e", flag), "settle": "20s",
	})
	if _, err := a.Act(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Verify(t.Context(), r); got != recovery.Done {
		t.Errorf("%s, %v; want done once it has settled", got, err)
	}
}

// TestExecKillsTheGroup stops a program that ignores being asked to, with a child
// and a grandchild, and sees all of them gone.
func TestExecKillsTheGroup(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	script := `trap '' TERM; echo $$ >> ` + pids + `
sh -c 'trap "" TERM; echo $$ >> ` + pids + `; sh -c "trap \"\" TERM; echo \$\$ >> ` + pids + `; while :; do sleep 1; done" & while :; do sleep 1; done' &
while :; do sleep 1; done`
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	a := actuate.New(actuate.Options{})[actuate.DriverExec]
	go func() {
		_, err := a.Act(ctx, request("exec", map[string]any{"argv": sh(script)}))
		ended <- err
	}()
	var family []int
	wait(t, "three processes", func() bool {
		text, _ := os.ReadFile(pids)
		family = nil
		for f := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil {
				family = append(family, pid)
			}
		}
		return len(family) == 3
	})
	cancel()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "was stopped") {
		t.Errorf("error %v, want that it was stopped", err)
	}
	wait(t, "no process is left", func() bool {
		return !slices.ContainsFunc(family, alive)
	})
}

// alive reports whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func wait(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// A deployer is a server that does what a good one does: one effect for one key.
type deployer struct {
	mu      sync.Mutex
	effects map[string]int // by key
	seen    []*http.Request
	bodies  []string
	lie     bool
}

func (d *deployer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen, d.bodies = append(d.seen, r), append(d.bodies, string(body))
	key := r.Header.Get("Idempotency-Key")
	switch {
	case r.URL.Path == "/teapot":
		w.WriteHeader(http.StatusTeapot)
	case r.URL.Path == "/away":
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	case r.Method == http.MethodGet && d.effects[key] == 0:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
	default:
		if !d.lie && d.effects[key] == 0 {
			d.effects[key]++
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "with "+r.Header.Get("Authorization"))
	}
}

func TestHTTP(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("s3cret-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &deployer{effects: map[string]int{}}
	srv := httptest.NewServer(d)
	defer srv.Close()
	t.Setenv("BONGSU_TEST_BASE", srv.URL)
	args := map[string]any{
		"method": "post", "url": "${env:BONGSU_TEST_BASE}/do/${component}", "body": `{"at":"${at}"}`,
		"headers": map[string]any{"Authorization": "Bearer ${file:" + secret + "}"}, "expect": []any{201},
		"check": srv.URL + "/done", "verify": map[string]any{"url": srv.URL + "/done", "done": []any{200}},
	}
	a := actuate.New(actuate.Options{})[actuate.DriverHTTP]
	r := request("http", args)
	if got, err := a.Check(t.Context(), r); got != recovery.NotDone || err != nil {
		t.Errorf("check before: %s, %v", got, err)
	}
	for range 2 {
		detail, err := a.Act(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(detail, "s3cret") || !strings.Contains(detail, "***") {
			t.Errorf("detail %q tells the secret", detail)
		}
	}
	if n := d.effects[r.Key]; n != 1 {
		t.Errorf("%d effects for one key, want 1", n)
	}
	if got, err := a.Verify(t.Context(), r); got != recovery.Done || err != nil {
		t.Errorf("verify: %s, %v", got, err)
	}
	act := d.seen[1]
	if act.URL.Path != "/do/db" || d.bodies[1] != `{"at":"anyang"}` || act.Header.Get("Authorization") != "Bearer s3cret-token" {
		t.Errorf("sent %s %q with %v", act.URL.Path, d.bodies[1], act.Header)
	}
}

func TestHTTPTrouble(t *testing.T) {
	d := &deployer{effects: map[string]int{}, lie: true}
	srv := httptest.NewServer(d)
	defer srv.Close()
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // only then does the server notice that the client is gone
		<-r.Context().Done()
	}))
	defer hang.Close()
	reset := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer reset.Close()
	t.Setenv("BONGSU_TEST_SECRET", "hunter22")
	a := actuate.New(actuate.Options{})[actuate.DriverHTTP]
	tests := []struct {
		name string
		args map[string]any
		want string
	}{
		{"another status", map[string]any{"url": srv.URL + "/teapot"}, "status 418, expected 2xx"},
		{"a redirect is not followed", map[string]any{"url": srv.URL + "/away"}, "status 302"},
		{"a missing variable", map[string]any{"url": srv.URL, "headers": map[string]any{"A": "${env:BONGSU_TEST_NONE}"}}, "node anyang has no BONGSU_TEST_NONE"},
		{"a missing file", map[string]any{"url": srv.URL, "body": "${file:/no/such}"}, "no such file"},
		{"reset", map[string]any{"url": reset.URL + "/?token=${env:BONGSU_TEST_SECRET}"}, "${env:BONGSU_TEST_SECRET}: EOF"},
		{"hangs", map[string]any{"url": hang.URL}, "context deadline exceeded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limit := 20 * time.Second
			if tt.name == "hangs" {
				limit = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := a.Act(ctx, request("http", tt.args))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter22") {
				t.Errorf("error %v, want %q in it and no secret", err, tt.want)
			}
		})
	}
	lying := request("http", map[string]any{"url": srv.URL, "verify": srv.URL})
	if _, err := a.Act(t.Context(), lying); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Verify(t.Context(), lying); got != recovery.NotDone || err != nil {
		t.Errorf("verify of a lie: %s, %v; want not done", got, err)
	}
	odd := request("http", map[string]any{"url": srv.URL, "check": srv.URL + "/teapot"})
	if got, err := a.Check(t.Context(), odd); got != recovery.Unknown || err == nil {
		t.Errorf("check with an odd status: %s, %v; want unknown and why", got, err)
	}
}

func TestManual(t *testing.T) {
	a := actuate.New(actuate.Options{})[actuate.DriverManual]
	r := request("manual", map[string]any{"text": "turn the key"})
	if got, err := a.Check(t.Context(), r); got != recovery.Unknown || err != nil {
		t.Errorf("check: %s, %v", got, err)
	}
	if _, err := a.Act(t.Context(), r); err == nil || !strings.Contains(err.Error(), "a person") {
		t.Errorf("act: %v, want that a person has to do it", err)
	}
}

func TestRecorder(t *testing.T) {
	rec := actuate.NewRecorder()
	good := request("exec", map[string]any{"argv": sh("touch " + filepath.Join(t.TempDir(), "x"))})
	bad := request("exec", map[string]any{"agrv": sh("true")})
	if got, _ := rec.Check(t.Context(), good); got != recovery.NotDone {
		t.Errorf("check before: %s", got)
	}
	if detail, err := rec.Act(t.Context(), good); err != nil || !strings.HasPrefix(detail, "dry:") {
		t.Errorf("%q, %v", detail, err)
	}
	if _, err := rec.Act(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "argv") {
		t.Errorf("a step that could not be done for real: %v, want an error", err)
	}
	if got, _ := rec.Verify(t.Context(), good); got != recovery.Done || len(rec.Acts()) != 1 {
		t.Errorf("verify: %s with %d acts recorded", got, len(rec.Acts()))
	}
}
