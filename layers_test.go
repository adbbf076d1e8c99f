package bongsu

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// flow is the direction of the product: a package may import those of the rows
// above its own, never its neighbours in a row and never those below.
var flow = [][]string{
	{"internal/kv"},
	{"internal/lang", "internal/port"},
	{"estate"},
	{"impact"},
	{"cutset"},
	{"audit", "detect"},
	{"incident"},
	{"plan"},
	{"recovery", "duty"},
	{"claim/policy", "claim/paper"},
	{"status"},
	{"claim"},
	{"settle"},
	{"prevent"},
	{"internal/mark"},
	{"web", "web/public"},
	{"web/desk", "web/deskapi"},
	{"internal/node"},
	{"internal/demo"},
	{"cmd/bongsu"},
}

// technology implements interfaces that packages of the flow declare, so it may
// import any of those, but only the wiring may import it.
var technology = []string{
	"internal/actuate",
	"internal/etcd",
	"internal/notify",
	"internal/postgres",
	"internal/probe",
}

// config is what technology is given when it starts.
const config = "internal/config"

// wiring is who may import technology.
var wiring = []string{"internal/node", "internal/demo", "cmd/bongsu"}

// suites are for tests and what shows things without a product: nothing but a
// test, or one another, may import them.
var suites = []string{"internal/kv/kvtest", "claim/claimtest", "settle/settletest", "cutset/cutsettest", "web/webtest", "web/gallery"}

// files hold embedded files and import nothing of ours, so that anybody may import
// them.
var files = []string{"docs/rules", examples}

// examples also holds tests, which try the whole product on the examples.
const examples = "examples"

// alone lists packages that have their whole list of imports.
var alone = map[string][]string{
	"verify": {"estate"},
}

// illegal says why package from may not import package to; empty if it may.
// Both are paths inside this module.
func illegal(from, to string, test bool) string {
	test = test || slices.Contains(suites, from)
	if from == to || test && (from == examples || slices.Contains(suites, to)) {
		return ""
	}
	if only, ok := alone[from]; ok {
		if slices.Contains(only, to) {
			return ""
		}
		return fmt.Sprintf("%s may import %s and nothing else of ours", from, strings.Join(only, ", "))
	}
	switch {
	case slices.Contains(files, to):
		return ""
	case slices.Contains(files, from):
		return from + " holds files and imports nothing of ours"
	case slices.Contains(suites, to):
		return to + " is for tests only"
	case test && alone[to] != nil: // what one made is held against the checker
		return ""
	case slices.Contains(technology, to) || alone[to] != nil || to == config:
		if slices.Contains(wiring, from) || to == config && slices.Contains(technology, from) {
			return ""
		}
		return fmt.Sprintf("only %s may import %s", strings.Join(wiring, ", "), to)
	case slices.Contains(technology, from), slices.Contains(suites, from), from == config:
		if !slices.Contains(wiring, to) {
			return ""
		}
		return to + " wires things together; nothing that it wires may import it"
	case row(to) >= 0 && row(from) > row(to):
		return ""
	}
	return fmt.Sprintf("imports go one way: %s", direction())
}

// row is the position of a package in flow, or -1.
func row(pkg string) int {
	return slices.IndexFunc(flow, func(r []string) bool { return slices.Contains(r, pkg) })
}

func direction() string {
	rows := make([]string, len(flow))
	for i, r := range flow {
		rows[i] = strings.Join(r, ", ")
	}
	return strings.Join(rows, " < ")
}

func known(pkg string) bool {
	return row(pkg) >= 0 || alone[pkg] != nil || pkg == config || slices.Contains(technology, pkg) ||
		slices.Contains(suites, pkg) || slices.Contains(files, pkg)
}

// source is one Go file of this module.
type source struct {
	path   string // with slashes, from the root
	pkg    string // its folder
	test   bool
	syntax *ast.File
}

// sources parses every Go file below the root, except the tools, which are a
// module of their own, and test data.
func sources(t *testing.T, mode parser.Mode) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if base := d.Name(); base != "." && (name == "tools" || base == "testdata" || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" || path.Dir(name) == "." {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, mode)
		if err != nil {
			return err
		}
		all = append(all, source{name, path.Dir(name), strings.HasSuffix(name, "_test.go"), f})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file found: is this the root of the module?")
	}
	return all
}

func TestImportsGoOneWay(t *testing.T) {
	for _, s := range sources(t, parser.ImportsOnly) {
		for _, spec := range s.syntax.Imports {
			full, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to, ours := strings.CutPrefix(full, "bongsu/")
			if !ours {
				continue
			}
			if why := illegal(s.pkg, to, s.test); why != "" {
				t.Errorf("%s imports %s: %s", s.path, full, why)
			}
		}
	}
}

// The table says no where it should: otherwise the test above proves nothing.
func TestIllegal(t *testing.T) {
	for _, c := range []struct {
		from, to string
		test     bool
		want     bool
	}{
		{"plan", "impact", false, false},
		{"impact", "plan", false, true},
		{"audit", "plan", false, true},
		{"audit", "detect", false, true},
		{"status", "claim", false, true},
		{"recovery", "internal/etcd", false, true},
		{"internal/node", "internal/etcd", false, false},
		{"cmd/bongsu", "internal/node", false, false},
		{"internal/node", "cmd/bongsu", false, true},
		{"internal/etcd", "internal/kv", false, false},
		{"internal/etcd", "internal/node", false, true},
		{"internal/etcd", "internal/kv/kvtest", true, false},
		{"internal/etcd", "internal/kv/kvtest", false, true},
		{"internal/actuate", "recovery", false, false},
		{"internal/etcd", "internal/config", true, false},
		{"recovery", "internal/config", false, true},
		{"examples", "plan", true, false},
		{"examples", "plan", false, true},
		{"cmd/bongsu", "examples", false, false},
		{"verify", "examples", false, true},
		{"verify", "estate", false, false},
		{"verify", "impact", false, true},
		{"impact", "verify", true, false},
		{"cmd/bongsu", "verify", false, false},
		{"estate", "somewhere", false, true},
	} {
		if got := illegal(c.from, c.to, c.test); (got != "") != c.want {
			t.Errorf("illegal(%s, %s, test=%v) = %q, want illegal: %v", c.from, c.to, c.test, got, c.want)
		}
	}
}

func TestEveryPackageHasItsPlaceAndItsTour(t *testing.T) {
	docs := map[string]bool{}
	for _, s := range sources(t, parser.PackageClauseOnly|parser.ParseComments) {
		if s.test {
			continue
		}
		docs[s.pkg] = docs[s.pkg] || s.syntax.Doc != nil && (path.Base(s.path) == "doc.go" || s.syntax.Name.Name == "main")
	}
	for _, pkg := range slices.Sorted(maps.Keys(docs)) {
		if !known(pkg) {
			t.Errorf("%s is new: give it its place in the tables of layers_test.go", pkg)
		}
		if !docs[pkg] {
			t.Errorf("%s has no doc.go with a package comment: say there what it does, for whom, and what it never does", pkg)
		}
	}
}

// make test-real runs the tests that are named TestReal, make test those
// without the build tag real: then nothing runs twice and nothing is forgotten.
func TestRealTestsAreNamedSo(t *testing.T) {
	for _, s := range sources(t, parser.ParseComments) {
		if !s.test {
			continue
		}
		tagged := false
		for _, group := range s.syntax.Comments {
			for _, c := range group.List {
				tagged = tagged || c.Text == "//go:build real" || c.Text == "//go:build real || measure"
			}
		}
		for _, decl := range s.syntax.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" {
				continue
			}
			if named := strings.HasPrefix(f.Name.Name, "TestReal"); named != tagged {
				t.Errorf("%s: %s: tests in files with the build tag real, and only those, are named TestReal…", s.path, f.Name.Name)
			}
		}
	}
}
