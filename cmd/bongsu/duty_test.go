package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/config"
)

// called runs a command line and returns its exit code and what it printed.
func called(t *testing.T, args ...string) (code int, out, talk string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// TestWakingExamples: what docs/waking.md shows is what comes out, and what it says to
// write is taken.
func TestWakingExamples(t *testing.T) {
	t.Chdir("../..")
	commands, files := 0, 0
	for _, s := range snippets(t, "docs/waking.md") {
		switch s.lang {
		case "console":
			var want, got strings.Builder
			for _, line := range s.lines {
				args, ok := commandLine(line)
				if !ok {
					want.WriteString(line + "\n")
					continue
				}
				commands++
				_, out, talk := called(t, args...)
				got.WriteString(out + talk)
			}
			if d := cmp.Diff(want.String(), got.String()); d != "" {
				t.Errorf("line %d (-document +program):\n%s", s.line, d)
			}
		case "yaml":
			files++
			text := strings.Join(s.lines, "\n") + "\n"
			if strings.HasPrefix(text, "version:") {
				if _, err := config.ParseDuty("duty.yaml", []byte(text)); err != nil {
					t.Errorf("line %d: %v", s.line, err)
				}
				continue
			}
			base := "version: 1\ncluster: c\nsite: a\nnodes:\n  - {site: a, role: member, peer: \"127.0.0.1:1\", client: \"127.0.0.1:2\", console: \"http://127.0.0.1:3\"}\n"
			if _, err := config.Parse("bongsu.yaml", []byte(base+text)); err != nil {
				t.Errorf("line %d: %v", s.line, err)
			}
		}
	}
	if commands < 3 || files < 2 {
		t.Errorf("%d commands and %d files were tried", commands, files)
	}
}

func TestDutyDescribeCanBeReadBack(t *testing.T) {
	code, out, talk := called(t, "duty", "describe")
	if code != exitDone {
		t.Fatal(talk)
	}
	if _, err := config.ParseDuty("duty.yaml", []byte(out)); err != nil {
		t.Errorf("%v in\n%s", err, out)
	}
}

func TestDutyRefusals(t *testing.T) {
	t.Chdir("../..")
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing named":    {[]string{"duty", "show"}, exitUsage, "--policy"},
		"no such file":     {[]string{"duty", "show", "--policy", dir + "/none"}, exitUsage, "none"},
		"bad time":         {[]string{"duty", "show", "--policy", "examples/duty/duty.yaml", "--now", "noon"}, exitUsage, "noon"},
		"unknown field":    {[]string{"duty", "show", "--policy", write("a.yaml", "version: 1\nalarm: []\n")}, exitUsage, `a.yaml:2:1: unknown field "alarm"`},
		"one channel":      {[]string{"duty", "show", "--policy", write("b.yaml", "version: 1\nchannels: [{name: sms, kind: sms}]\npeople: [{name: kim, reach: {sms: 0}}]\nalarms:\n  - name: a\n    channels: [sms]\n    levels: [{call: [{person: kim}], wait: 1m}]\n")}, exitUsage, "b.yaml:6: alarms[0].channels has 1 channels: two at least"},
		"wrong names":      {[]string{"duty", "show", "--policy", write("c.yaml", "version: 1\nchannels: [{name: a, kind: fax}]\npeople: [{name: kim, reach: {b: 0}}]\nalarms:\n  - name: a\n    channels: [a, c]\n    levels: [{call: [{person: lee}, {rota: r}, {crew: c}, {}], wait: 1s}]\n")}, exitUsage, `"fax"`},
		"no rota":          {[]string{"duty", "check", "examples/kakao-2023", "--policy", write("d.yaml", "version: 1\nchannels: [{name: sms, kind: sms, needs: [phone-tree]}, {name: chat, kind: slack, needs: [work-chat]}]\npeople: [{name: kim, reach: {sms: 0, chat: \"https://a\"}}]\nrotas: [{name: r, file: none.ics}]\nalarms:\n  - name: a\n    channels: [sms, chat]\n    levels: [{call: [{rota: r}], wait: 1m}]\n")}, exitFound, "none.ics"},
		"test of nobody":   {[]string{"duty", "test", "kim"}, exitUsage, "--config is missing"},
		"both files named": {[]string{"duty", "show", "--config", "a", "--policy", "b"}, exitUsage, "config policy"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, talk := called(t, tt.args...)
			if code != tt.code || !strings.Contains(out+talk, tt.want) {
				t.Errorf("exit %d, want %d with %q:\n%s%s", code, tt.code, tt.want, out, talk)
			}
		})
	}
	_, out, talk := called(t, "duty", "show", "--policy", filepath.Join(dir, "c.yaml"))
	for _, want := range []string{`people[0].reach.b is "b"`, `channels[1] is "c"`, `call[0].person is "lee"`, `call[1].rota is "r"`, `call[2].crew is "c", to which nobody belongs`, "call[3] must name exactly one", "give people 10s"} {
		if !strings.Contains(talk, want) {
			t.Errorf("nothing says %q in %s%s", want, out, talk)
		}
	}
}

// TestDutyTest calls somebody over a real webhook and a real gateway, one of which
// is broken.
func TestDutyTest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if code, _, talk := called(t, "init", "--sites", "solo", dir); code != exitDone {
		t.Fatal(talk)
	}
	var mu sync.Mutex
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.URL.Path+" "+string(body))
		if r.URL.Path == "/hook" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(srv.Close)
	file := filepath.Join(dir, "solo", "bongsu.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	more := fmt.Sprintf("duty:\n  policy: duty.yaml\n  sms: {url: %q, allow: [127.0.0.0/8]}\n  webhook: {allow: [127.0.0.0/8]}\n", srv.URL+"/sms")
	policy := fmt.Sprintf("version: 1\nchannels: [{name: hook, kind: webhook}, {name: sms, kind: sms}]\npeople: [{name: kim, lang: en, reach: {sms: 010-1234-5678, hook: %q}}]\nalarms: [{name: a, channels: [hook, sms], levels: [{call: [{person: kim}], wait: 1m}]}]\n", srv.URL+"/hook")
	for name, text := range map[string]string{file: string(text) + more, filepath.Join(dir, "solo", "duty.yaml"): policy} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, talk := called(t, "config", "check", file); code != exitDone {
		t.Fatal(out, talk)
	}
	code, out, talk := called(t, "duty", "test", "kim", "--config", file, "--yes", "--format", "json")
	var answer struct {
		Person string       `json:"person"`
		Calls  []testedCall `json:"calls"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatal(err, out, talk)
	}
	if code != exitFound || len(answer.Calls) != 2 || answer.Calls[0].Outcome != "failed" || !strings.Contains(answer.Calls[0].Detail, "500") || answer.Calls[1].Outcome != "sent" {
		t.Errorf("exit %d: %s%s", code, out, talk)
	}
	mu.Lock()
	defer mu.Unlock()
	if all := strings.Join(got, "\n"); len(got) != 2 || !strings.Contains(all, "this is a test: nothing has happened") || strings.Contains(all, "/ack/") {
		t.Errorf("the telephones got %s", all)
	}
}
