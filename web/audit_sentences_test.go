package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"bongsu/audit"
	"bongsu/estate"
	"bongsu/internal/lang"
	"bongsu/web"
)

// english is what no Korean sentence has, whatever things are called.
var english = regexp.MustCompile(`(^|[ (])(the|of|is|are|was|has|have|needs?|and|with|without|cannot|gone|by|for|to|from|in|only|back|waits?|nothing|no|lost|cop(y|ies)|more|than|each|these|it|can|does|a|replicas?|components?)($|[ ,;:.)])`)

// What the audit finds in the examples and in a generated estate is told in Korean, but for names.
func TestTheAuditInKorean(t *testing.T) {
	t.Parallel()
	tell, err := web.NewTell()
	if err != nil {
		t.Fatal(err)
	}
	estates := map[string][]estate.File{}
	for _, name := range []string{"kakao-2022", "kakao-2023", "nirs-2025", "two-sites"} {
		paths, err := filepath.Glob(filepath.Join("../examples", name, "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			estates[name] = append(estates[name], estate.File{Name: filepath.Base(p), Data: b})
		}
	}
	if estates["generated"], err = estate.Generate(estate.GenerateOptions{Sites: 3, Servers: 100, Components: 300, Services: 30, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for name, files := range estates {
		s, err := estate.Parse(files)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r, err := audit.Check(s, audit.Options{Every: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			all := append([]string{f.Sentence}, f.Proof.Words...)
			if f.Fix != nil {
				all = append(all, f.Fix.Words)
			}
			for _, sentence := range all {
				if said := tell(lang.Korean, sentence); !seen[sentence] && english.MatchString(said) {
					t.Errorf("%s: %q is %q", name, sentence, said)
				}
				seen[sentence] = true
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d sentences", len(seen))
	}
}
