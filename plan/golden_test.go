package plan

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"
	"github.com/rogpeppe/go-internal/txtar"

	"bongsu/estate"
)

var update = flag.Bool("update", false, "write what the plans are into testdata")

// Each file of testdata is a story: an estate, what is lost, and the plan as
// people read it. go test ./plan -update writes the plans anew.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var input []estate.File
			var lost []string
			want, place, wantJSON, second := "", -1, "", -1
			for i, f := range story.Files {
				switch {
				case strings.HasSuffix(f.Name, ".yaml"):
					input = append(input, estate.File{Name: f.Name, Data: f.Data})
				case f.Name == "lost":
					lost = strings.Fields(string(f.Data))
				case f.Name == "plan":
					want, place = string(f.Data), i
				case f.Name == "json":
					wantJSON, second = string(f.Data), i
				default:
					t.Fatalf("%s has a file %s, which means nothing", file, f.Name)
				}
			}
			s, err := estate.Parse(input)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Make(s, lost, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := check(s, lost, p, nil); err != nil {
				t.Error(err)
			}
			var got bytes.Buffer
			if err := p.Text(&got, 80); err != nil {
				t.Fatal(err)
			}
			narrow(t, got.String(), 80)
			compact, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var contract bytes.Buffer
			if err := json.Indent(&contract, compact, "", " "); err != nil {
				t.Fatal(err)
			}
			contract.WriteByte('\n')
			if *update {
				if place < 0 {
					story.Files = append(story.Files, txtar.File{Name: "plan"})
					place = len(story.Files) - 1
				}
				story.Files[place].Data = got.Bytes()
				if second >= 0 {
					story.Files[second].Data = bytes.ReplaceAll(contract.Bytes(), []byte(s.Rev), []byte("REV"))
				}
				if err := os.WriteFile(file, txtar.Format(story), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(want, got.String()); d != "" {
				t.Errorf("the plan is another one (-want +got):\n%s", d)
			}
			if d := cmp.Diff(wantJSON, strings.ReplaceAll(contract.String(), s.Rev, "REV")); second >= 0 && d != "" {
				t.Errorf("the JSON is another one (-want +got):\n%s", d)
			}
		})
	}
}

// narrow complains about lines that are wider than a terminal.
func narrow(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if w := runewidth.StringWidth(strings.TrimRight(line, "\n")); w > width {
			t.Errorf("%d columns: %s", w, line)
		}
	}
}

// The example estates get feasible plans, in text that fits a terminal, and what
// history brought back is brought back.
func TestExamples(t *testing.T) {
	for _, c := range []struct {
		dir, lost string
		stranded  bool
	}{{"two-sites", "north", false}, {"kakao-2022", "pangyo", true}, {"kakao-2023", "pangyo", false}} {
		t.Run(c.dir, func(t *testing.T) {
			s, err := estate.Load(os.DirFS("../examples/" + c.dir))
			if err != nil {
				t.Fatal(err)
			}
			p, err := Make(s, []string{c.lost}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := check(s, []string{c.lost}, p, nil); err != nil {
				t.Error(err)
			}
			if len(p.Steps) == 0 || (p.Objective.Stranded > 0) != c.stranded || (len(p.Blockers) > 0) != c.stranded {
				t.Errorf("%d steps, %v stranded, %d blockers", len(p.Steps), p.Objective.Stranded, len(p.Blockers))
			}
			for _, width := range []int{60, 80, 120} {
				var b bytes.Buffer
				if err := p.Text(&b, width); err != nil {
					t.Fatal(err)
				}
				narrow(t, b.String(), width)
			}
			t.Logf("gap %.1f %%", 100*p.Objective.Gap())
		})
	}
}
