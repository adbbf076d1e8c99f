package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A snippet is a code block of a document: its language, lines, and where it begins.
type snippet struct {
	lang  string
	line  int
	lines []string
}

// snippets reads the code blocks of a document.
func snippets(t *testing.T, path string) []snippet {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []snippet
	open := false
	for i, line := range strings.Split(string(text), "\n") {
		switch lang, fence := strings.CutPrefix(strings.TrimSpace(line), "```"); {
		case fence && !open:
			open = true
			all = append(all, snippet{lang: lang, line: i + 1})
		case fence:
			open = false
		case open:
			last := &all[len(all)-1]
			last.lines = append(last.lines, line)
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no code block", path)
	}
	return all
}

// commandLine returns the arguments of a line that runs bongsu, as far as the shell
// does not take over.
func commandLine(line string) (args []string, ok bool) {
	line = strings.TrimPrefix(strings.TrimSpace(line), "$ ")
	line = strings.TrimPrefix(strings.TrimPrefix(line, "ExecStart="), "/usr/local/")
	line, ok = strings.CutPrefix(strings.TrimPrefix(line, "bin/"), "bongsu ")
	if !ok {
		return nil, false
	}
	for _, m := range regexp.MustCompile(`"([^"]*)"|'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		if m[3] != "" && strings.ContainsAny(m[3][:1], "#|>&;") {
			break
		}
		args = append(args, m[1]+m[2]+m[3])
	}
	return args, true
}

// TestDocumentedCommands: every command line that the documents show exists, with its
// flags and as many arguments.
func TestDocumentedCommands(t *testing.T) {
	for _, name := range []string{"README.md", "docs/operations.md", "docs/commands.md", "docs/format.md", "docs/architecture.md", "docs/incident-record.md", "docs/status-page.md", "docs/waking.md", "docs/claims.md", "docs/payout.md", "docs/claims-privacy.md"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("../..", name)
			seen := 0
			for _, s := range snippets(t, path) {
				for i, line := range s.lines {
					for n := i + 1; strings.HasSuffix(line, " \\") && n < len(s.lines); n++ { // it goes on in the next line
						line = strings.TrimSuffix(line, "\\") + strings.TrimSpace(s.lines[n])
					}
					args, ok := commandLine(line)
					if !ok || len(args) == 0 || args[0] == "completion" || strings.ContainsAny(line, "[|") && s.lang == "" {
						continue
					}
					seen++
					cmd, rest, err := (&app{}).root().Find(args)
					if err == nil {
						err = cmd.ParseFlags(rest)
					}
					if err == nil && cmd.Args != nil {
						err = cmd.Args(cmd, cmd.Flags().Args())
					}
					if err != nil || !cmd.HasParent() && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
						t.Errorf("%s:%d: %s: %v", name, s.line+i+1, strings.TrimSpace(line), err)
					}
				}
			}
			if seen == 0 && (name == "README.md" || name == "docs/operations.md" || name == "docs/commands.md") {
				t.Errorf("%s shows no command", name)
			}
		})
	}
}

// TestReadmeExamples runs what README shows in its console blocks and compares: a
// line of … stands for any number of lines, a … within a line for any text.
func TestReadmeExamples(t *testing.T) {
	readme, err := filepath.Abs("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	// The folder "mine" of README is the newcomer's estate with two slips of the pen.
	text, err := os.ReadFile(filepath.Join(examples, "two-sites", "estate.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	slips := strings.NewReplacer("{in: south, role: standby", "{in: sotuh, role: standby", "takes: 5m", "takes: 5 min").Replace(string(text))
	t.Chdir(t.TempDir())
	if err := os.Mkdir("mine", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("mine/estate.yaml", []byte(slips), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(examples, "examples"); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, s := range snippets(t, readme) {
		if s.lang != "console" {
			continue
		}
		args, ok := commandLine(s.lines[0])
		if !ok {
			t.Errorf("README.md:%d: a console block begins with $ bongsu", s.line)
			continue
		}
		ran++
		var out bytes.Buffer
		run(t.Context(), args, strings.NewReader(""), &out, &out)
		if pattern := shownAs(s.lines[1:]); !pattern.MatchString(out.String()) {
			t.Errorf("README.md:%d shows something else than bongsu %s, which prints:\n%s", s.line, strings.Join(args, " "), out.String())
		}
	}
	if ran < 3 {
		t.Errorf("only %d examples were run", ran)
	}
}

// shownAs is the pattern of an output that a document shows in part.
func shownAs(lines []string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for _, line := range lines {
		if strings.TrimSpace(line) == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(line, "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		b.WriteString(strings.Join(parts, ".*") + `\n`)
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}

// TestShownAs: what the comparison with README lets pass, and what not.
func TestShownAs(t *testing.T) {
	shown := []string{"a", "  …", "c … e"}
	for out, want := range map[string]bool{
		"a\nb\nb\nc d e\n": true, "a\nc  e\n": true, "a\nb\n": false, "x\na\nc d e\n": false, "a\nc d e\nf\n": false,
	} {
		if got := shownAs(shown).MatchString(out); got != want {
			t.Errorf("%q: %v, want %v", out, got, want)
		}
	}
}
