//go:build real || measure

package cutset_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bongsu/cutset"
	"bongsu/cutset/cutsettest"
	"bongsu/estate"
)

// A scramRun is what SCRAM said about a model. Order 0 bounds nothing.
type scramRun struct {
	solved  bool
	count   *big.Int
	byOrder []int64
	cpu     time.Duration // of the process
	seconds string        // that it says it needed for the products
}

var (
	sumPattern      = regexp.MustCompile(`<sum-of-products[^>]*? products="(\d+)"(?: distribution="([\d ]+)")?`)
	productsPattern = regexp.MustCompile(`<products>([^<]*)</products>`)
)

// scram counts with SCRAM. Its report lists every product, so only the head is
// read, and SCRAM stops as soon as it finds nobody listening: its CPU time is for the answer, not the listing.
func scram(t *testing.T, order int, limit time.Duration, files ...string) scramRun {
	t.Helper()
	if order == 0 {
		order = 100
	}
	// Memory and time are bounded from outside: SCRAM has no limits of its own and the machine is shared.
	args := append([]string{
		"--as=3000000000", fmt.Sprintf("--cpu=%d", int(limit.Seconds())), "scram",
		"--bdd", "-l", strconv.Itoa(order), "--no-indent",
	}, files...)
	cmd := exec.CommandContext(t.Context(), "prlimit", args...)
	head := &headWriter{}
	cmd.Stdout = head
	err := cmd.Run()
	run := scramRun{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	m := sumPattern.FindSubmatch(head.b)
	if m == nil {
		if err == nil {
			t.Fatalf("scram said nothing about %s: %s", files, head.b)
		}
		return run
	}
	run.solved = true
	run.count, _ = new(big.Int).SetString(string(m[1]), 10)
	for f := range strings.FieldsSeq(string(m[2])) {
		n, _ := strconv.ParseInt(f, 10, 64)
		run.byOrder = append(run.byOrder, n)
	}
	if m := productsPattern.FindSubmatch(head.b); m != nil {
		run.seconds = string(m[1])
	}
	return run
}

var errHead = errors.New("the head has been read")

type headWriter struct{ b []byte }

func (w *headWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p[:min(len(p), 6000-len(w.b))]...)
	if len(w.b) == 6000 {
		return 0, errHead
	}
	return len(p), nil
}

// wrong returns what SCRAM lists although it is no minimal cut set of the tree.
// Its preprocessor is known to err on some trees; a plain simulation decides who is right.
func wrong(t *testing.T, tree *cutset.Tree, order int) (string, int) {
	t.Helper()
	if order == 0 {
		order = 100
	}
	out, err := exec.CommandContext(t.Context(), "scram", "--bdd", "-l", strconv.Itoa(order), "--no-indent", model(t, *tree)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Products []struct {
			Events []struct {
				Name string `xml:"name,attr"`
			} `xml:"basic-event"`
		} `xml:"results>sum-of-products>product"`
	}
	if err := xml.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	number := map[string]int{}
	for i, l := range tree.Leaves {
		number[l.Name] = i
	}
	first, n := "", 0
	for _, p := range report.Products {
		set := []int{}
		for _, e := range p.Events {
			set = append(set, number[e.Name])
		}
		slices.Sort(set)
		if err := cutsettest.Check(tree, [][]int{set}); err != nil {
			if n == 0 {
				first = err.Error()
			}
			n++
		}
	}
	return first, n
}

func model(t *testing.T, tree cutset.Tree) string {
	t.Helper()
	var b bytes.Buffer
	if err := cutset.WriteOpenPSA(&b, tree); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "model.xml")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRealSCRAM holds counts of generated trees, in full and to order 3, against SCRAM's.
func TestRealSCRAM(t *testing.T) {
	for _, family := range cutsettest.Families() {
		for seed := range uint64(2) {
			for _, gates := range []int{20, 60} {
				tree, err := cutsettest.GenerateTree(seed, family, gates)
				if err != nil {
					t.Fatal(err)
				}
				for _, order := range []int{0, 3} {
					res, err := cutset.Solve(tree, cutset.Options{MaxOrder: order})
					if err != nil || !res.Complete {
						t.Fatalf("%s: %v", tree.Name, err)
					}
					got := scram(t, order, 20*time.Second, model(t, tree))
					if !got.solved {
						continue
					}
					if got.count.Cmp(res.Count) != 0 {
						first, n := wrong(t, &tree, order)
						ours, err := cutset.Solve(tree, cutset.Options{MaxOrder: order, List: true})
						if err != nil {
							t.Fatal(err)
						}
						if err := cutsettest.Check(&tree, ours.Sets); err != nil || n == 0 {
							t.Errorf("%s, order %d: we count %v (%v), SCRAM %v (%v); ours: %v", tree.Name, order, res.Count, res.ByOrder, got.count, got.byOrder, err)
							continue
						}
						t.Logf("%s, order %d: SCRAM counts %v and we %v; %d of its sets are wrong (%s), and none of ours", tree.Name, order, got.count, res.Count, n, first)
					}
				}
			}
		}
	}
}

// TestRealClasp holds the sets themselves against those that clasp enumerates: the
// models of "the top fails" that are minimal by their leaves.
func TestRealClasp(t *testing.T) {
	for _, family := range cutsettest.Families() {
		for seed := range uint64(3) {
			tree, err := cutsettest.GenerateTree(seed, family, 30)
			if err != nil {
				t.Fatal(err)
			}
			res, err := cutset.Solve(tree, cutset.Options{})
			if err != nil || !res.Complete {
				t.Fatalf("%s: %v", tree.Name, err)
			}
			if res.Count.Cmp(big.NewInt(20_000)) > 0 {
				continue // clasp lists what we count
			}
			res, err = cutset.Solve(tree, cutset.Options{List: true})
			if err != nil {
				t.Fatal(err)
			}
			want := clasp(t, &tree)
			if len(want) != len(res.Sets) {
				t.Fatalf("%s: we list %d sets and clasp %d", tree.Name, len(res.Sets), len(want))
			}
			for i := range want {
				if !slices.Equal(want[i], res.Sets[i]) {
					t.Fatalf("%s: set %d is %v, and clasp's is %v", tree.Name, i, res.Sets[i], want[i])
				}
			}
		}
	}
}

// clasp lists the minimal cut sets, small ones first, then by leaf numbers.
func clasp(t *testing.T, tree *cutset.Tree) [][]int {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "leaf(0..%d). {e(X)} :- leaf(X). #heuristic e(X) : leaf(X). [1,false]\n", len(tree.Leaves)-1)
	name := func(r cutset.Ref) string {
		if i, ok := r.Leaf(); ok {
			return fmt.Sprintf("e(%d)", i)
		}
		if i, ok := r.Gate(); ok {
			return fmt.Sprintf("g(%d)", i)
		}
		return map[bool]string{true: "#true", false: "#false"}[r == cutset.True]
	}
	for i, g := range tree.Gates {
		k, in := g.K, make([]string, len(g.In))
		for j, r := range g.In {
			w := 1
			if g.Weights != nil {
				w = g.Weights[j]
			}
			in[j] = fmt.Sprintf("%d,%d : %s", w, j, name(r))
		}
		switch g.Op {
		case cutset.Or:
			k = 1
		case cutset.And:
			k = len(g.In)
		case cutset.AtLeast:
		}
		fmt.Fprintf(&b, "g(%d) :- #sum { %s } >= %d.\n", i, strings.Join(in, "; "), k)
	}
	fmt.Fprintf(&b, ":- not %s. #show e/1.\n", name(tree.Top))
	gringo := exec.CommandContext(t.Context(), "gringo", "-")
	gringo.Stdin = strings.NewReader(b.String())
	ground, err := gringo.Output()
	if err != nil {
		t.Fatalf("gringo: %v", err)
	}
	solve := exec.CommandContext(t.Context(), "clasp", "0", "--heuristic=Domain", "--enum-mode=domRec", "--verbose=0", "--time-limit=60")
	solve.Stdin = bytes.NewReader(ground)
	out, err := solve.Output()
	// It says by its exit code what it found: 30 is all models, 20 none.
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 30 && exit.ExitCode() != 20 {
		t.Fatalf("clasp: %v: %s", err, out)
	}
	sets := [][]int{}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line == "SATISFIABLE" || line == "UNSATISFIABLE" {
			continue
		}
		set := []int{}
		for word := range strings.FieldsSeq(line) {
			l, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(word, "e("), ")"))
			if err != nil {
				t.Fatalf("clasp says %q", line)
			}
			set = append(set, l)
		}
		slices.Sort(set)
		sets = append(sets, set)
	}
	slices.SortFunc(sets, func(a, b []int) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return slices.Compare(a, b)
	})
	return sets
}

// TestRealSCRAMReadsEstates hands SCRAM the trees of an estate, whose names are its own.
// TestRealModelsInSeveralFiles counts models that come with SCRAM, the tree in one file and the
// basic events in another, as SCRAM does.
func TestRealModelsInSeveralFiles(t *testing.T) {
	for _, name := range []string{"Baobab/baobab1", "Baobab/baobab2", "Chinese/chinese"} {
		names := []string{"/usr/share/scram/input/" + name + "-basic-events.xml", "/usr/share/scram/input/" + name + ".xml"}
		var files []io.Reader
		for _, name := range names {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			files = append(files, f)
		}
		tree, err := cutset.ReadOpenPSATop("", files...)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := cutset.Solve(tree, cutset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if run := scram(t, 0, time.Minute, names...); !run.solved || run.count.Cmp(ours.Count) != 0 {
			t.Errorf("%s: %v sets, by SCRAM %+v", name, ours.Count, run)
		}
	}
}

func TestRealSCRAMReadsEstates(t *testing.T) {
	paths, err := filepath.Glob("../examples/kakao-2022/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	var files []estate.File
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, estate.File{Name: filepath.Base(path), Data: data})
	}
	s, err := estate.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Services {
		cyclic := cutset.FromEstate(s, i, cutset.Components)
		tree, err := cyclic.Unroll()
		if err != nil {
			t.Fatal(err)
		}
		res, err := cutset.Solve(tree, cutset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if run := scram(t, 0, time.Minute, model(t, tree)); !run.solved || run.count.Cmp(res.Count) != 0 {
			t.Errorf("%s: SCRAM counts %v, we %v", tree.Name, run.count, res.Count)
		}
	}
}
