package cutset_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/cutset"
	"bongsu/cutset/cutsettest"
)

const pumps = `<?xml version="1.0" encoding="UTF-8"?>
<!-- two trains behind one valve -->
<opsa-mef>
  <define-fault-tree name="pumps">
    <label>No water</label>
    <define-gate name="top">
      <label>Nothing <b>flows</b></label>
      <attributes><attribute name="a" value="b"/></attributes>
      <or>
        <gate name="trains"/>
        <basic-event name="valve"/>
        <and><house-event name="maintenance"/><event name="spare"/></and>
      </or>
    </define-gate>
    <define-component name="inner">
      <define-gate name="trains">
        <atleast min="2">
          <or><event name="pump-1"/><basic-event name="power"/></or>
          <or><event name="pump-2"/><basic-event name="power"/></or>
          <constant value="false"/>
          <event name="pump-3" type="basic-event"/>
        </atleast>
      </define-gate>
    </define-component>
    <define-house-event name="maintenance"><constant value="true"/></define-house-event>
  </define-fault-tree>
  <model-data>
    <define-basic-event name="pump-1"><label>first</label><float value="1e-3"/></define-basic-event>
    <define-basic-event name="pump-2"><exponential><parameter name="rate"/><system-mission-time/></exponential></define-basic-event>
    <define-basic-event name="spare"/>
    <define-basic-event name="valve"/><define-basic-event name="power"/><define-basic-event name="pump-3"/>
    <define-parameter name="rate"><float value="0.1"/></define-parameter>
  </model-data>
</opsa-mef>`

func TestReadOpenPSA(t *testing.T) {
	tree, err := cutset.ReadOpenPSA(strings.NewReader(pumps))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"valve", "spare", "power", "pump-1 pump-2", "pump-1 pump-3", "pump-2 pump-3"}
	if diff := cmp.Diff(sorted(want), named(t, tree)); diff != "" {
		t.Errorf("cut sets (-want +got):\n%s", diff)
	}
	for _, l := range tree.Leaves {
		if known := l.Probability != nil; known != (l.Name == "pump-1") {
			t.Errorf("probability of %s known: %v", l.Name, known)
		}
	}
	if tree.Name != "pumps" {
		t.Errorf("the tree is called %q", tree.Name)
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// named returns the cut sets by names, in the order of the alphabet.
func named(t *testing.T, tree cutset.Tree) []string {
	t.Helper()
	res, err := cutset.Solve(tree, cutset.Options{List: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, set := range res.Sets {
		var names []string
		for _, l := range set {
			names = append(names, tree.Leaves[l].Name)
		}
		all = append(all, strings.Join(sorted(names), " "))
	}
	return sorted(all)
}

func TestReadOpenPSAFromSeveralFiles(t *testing.T) {
	logic := `<opsa-mef><define-fault-tree name="t">
	<define-gate name="a"><and><event name="x"/><event name="y"/></and></define-gate>
	<define-gate name="b"><or><event name="x"/><event name="y"/></or></define-gate>
	</define-fault-tree></opsa-mef>`
	data := `<opsa-mef><model-data><define-basic-event name="x"/><define-basic-event name="y"/></model-data></opsa-mef>`
	tree, err := cutset.ReadOpenPSATop("a", strings.NewReader(logic), strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"x y"}, named(t, tree)); diff != "" {
		t.Error(diff)
	}
	_, err = cutset.ReadOpenPSATop("", strings.NewReader(logic), strings.NewReader(data))
	if err == nil || !strings.Contains(err.Error(), "2 gates that no gate uses (a, b)") {
		t.Errorf("two tops: error %v", err)
	}
	_, err = cutset.ReadOpenPSATop("z", strings.NewReader(logic), strings.NewReader(data))
	if err == nil || !strings.Contains(err.Error(), `no gate "z"`) {
		t.Errorf("unknown top: error %v", err)
	}
}

// A part is one file of a model.
type part struct {
	io.Reader

	name string
}

func (p part) Name() string { return p.name }

// TestFilesOfAModel wants errors to name the file and the line that they are about, and a
// name that two files define to be told with both places.
func TestFilesOfAModel(t *testing.T) {
	const (
		logic = "<opsa-mef><define-fault-tree name=\"t\">\n<define-gate name=\"a\"><and><event name=\"x\"/>\n<event name=\"y\"/></and></define-gate></define-fault-tree></opsa-mef>"
		x     = "<opsa-mef><model-data>\n\n<define-basic-event name=\"x\"/></model-data></opsa-mef>"
		y     = "<opsa-mef><model-data><define-house-event name=\"y\"><constant value=\"true\"/></define-house-event></model-data></opsa-mef>"
		gate  = "<opsa-mef>\n<define-gate name=\"x\"><or><basic-event name=\"z\"/></or></define-gate></opsa-mef>"
		b     = "<opsa-mef>\n\n\n<define-gate name=\"b\"><or><event name=\"x\"/><basic-event name=\"y\"/></or></define-gate></opsa-mef>"
		ring  = "<opsa-mef><define-gate name=\"x\"><gate name=\"a\"/></define-gate></opsa-mef>"
	)
	read := func(files ...string) (cutset.Tree, error) {
		var all []io.Reader
		for i, f := range files {
			all = append(all, part{strings.NewReader(f), string(rune('p'+i)) + ".xml"})
		}
		return cutset.ReadOpenPSATop("", all...)
	}
	for _, test := range []struct {
		files []string
		want  string
		lacks bool // a file
	}{
		{[]string{logic}, `p.xml:2: gate "a" uses event "x", which is not defined`, true},
		{[]string{logic, x}, `p.xml:3: gate "a" uses event "y", which is not defined`, true},
		{[]string{x, y}, `q.xml:1: the model ends here and defines no gate`, true},
		{[]string{logic, x, y, gate}, `s.xml:2: "x" is defined twice; it was defined first in q.xml:3`, false},
		{[]string{gate, y, x, logic}, `r.xml:3: "x" is defined twice; it was defined first in p.xml:2`, false},
		{[]string{logic, x, y, b}, `s.xml:4: gate "b" uses "y" as a basic event, but it is defined as something else in r.xml:1`, false},
		{[]string{x, strings.Replace(logic, "<and>", "<nand>", 1), y}, `q.xml:2: gate "a" is not coherent`, false},
		{[]string{x, y, logic, strings.Replace(b, `<basic-event name="y"/>`, "", 1)}, `r.xml:2: the model has 2 gates that no gate uses (a, b)`, false},
		{[]string{y, ring, logic}, `q.xml:1: the tree has a cycle: x <- a <- x`, false},
		{[]string{x, y, logic, "<opsa-mef>\n<define-gate"}, `s.xml:2: not well-formed XML`, false},
		{[]string{x, `<?xml version="1.0" encoding="UTF-16"?><opsa-mef/>`}, `q.xml:1: the encoding "UTF-16" is not read`, false},
	} {
		_, err := read(test.files...)
		if !errors.Is(err, cutset.ErrInput) || !strings.Contains(fmt.Sprint(err), test.want) || errors.Is(err, cutset.ErrUndefined) != test.lacks {
			t.Errorf("error %v (a file is missing: %v); want %q", err, errors.Is(err, cutset.ErrUndefined), test.want)
		}
	}
	if _, err := read(y, logic, x); err != nil {
		t.Errorf("the whole model: %v", err)
	}
}

// TestSplitModels reads models definition by definition, each from a file of its own, in any order.
func TestSplitModels(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for i := range 100 {
		tree := small(r, false)
		var b bytes.Buffer
		if err := cutset.WriteOpenPSA(&b, tree); err != nil {
			t.Fatal(err)
		}
		model := strings.ReplaceAll(b.String(), "<basic-event ", "<event ")
		var parts []string
		for line := range strings.Lines(model) {
			if strings.HasPrefix(line, "<define-gate") || strings.HasPrefix(line, "<define-basic-event") {
				parts = append(parts, line)
			}
		}
		top := parts[0][len(`<define-gate name="`):]
		top = top[:strings.IndexByte(top, '"')]
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var files []io.Reader
		for some := range slices.Chunk(parts, 1+r.IntN(3)) {
			files = append(files, strings.NewReader("<opsa-mef><model-data>"+strings.Join(some, "")+"</model-data></opsa-mef>"))
		}
		again, err := cutset.ReadOpenPSATop(top, files...)
		if err != nil {
			t.Fatalf("tree %d: %v\n%s", i, err, model)
		}
		if diff := cmp.Diff(named(t, through(t, tree)), named(t, again)); diff != "" {
			t.Fatalf("tree %d (-in one file +in %d):\n%s\n%s", i, len(files), diff, model)
		}
	}
}

func TestReadOpenPSARefuses(t *testing.T) {
	in := func(s string) string {
		return "<opsa-mef><define-fault-tree name=\"t\">\n" + s + "\n</define-fault-tree></opsa-mef>"
	}
	gate := func(s string) string { return in(`<define-gate name="g">` + s + `</define-gate>`) }
	var ring strings.Builder
	for i := range 100 {
		fmt.Fprintf(&ring, "<define-gate name=\"g%d\"><or><basic-event name=\"e\"/><gate name=\"g%d\"/></or></define-gate>\n", i, (i+1)%100)
	}
	tests := []struct{ name, model, want string }{
		{"empty", "", "not an Open-PSA model"},
		{"another format", "<html/>", `element "html"`},
		{"two roots", "<opsa-mef/><opsa-mef/>", "opsa-mef"},
		{"no gates", "<opsa-mef/>", "defines no gate"},
		{"cut short", "<opsa-mef><define-fault-tree>", "line 1"},
		{"broken", "<opsa-mef><a></b></opsa-mef>", "line 1"},
		{"text", in("hello"), `line 3: unexpected text "hello"`},
		{"document type", "<!DOCTYPE a><opsa-mef/>", "document type"},
		{"XML bomb", `<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>` + gate("<basic-event name=\"&b;\"/>"), "document type"},
		{"external entity", `<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><opsa-mef>&x;</opsa-mef>`, "document type"},
		{"unknown entity", gate(`<basic-event name="&b;"/>`), "line 2: not well-formed XML"},
		{"include", in(`<include file="other.xml"/>`), "an include of another file"},
		{"XInclude", in(`<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>`), "an include of another file"},
		{"include in attributes", in(`<attributes><include/></attributes>`), "an include of another file"},
		{"processing instruction", `<?php x?><opsa-mef/>`, `instruction "php"`},
		{"encoding", `<?xml version="1.0" encoding="UTF-16"?><opsa-mef/>`, "UTF-16"},
		{"event tree", "<opsa-mef><define-event-tree name=\"e\"/></opsa-mef>", `"define-event-tree" is not part of a static fault tree`},
		{"common cause", in(`<define-CCF-group name="c" model="beta-factor"/>`), "define-CCF-group"},
		{"not", gate(`<not><basic-event name="a"/></not>`), `line 2: gate "g" is not coherent: it uses "not"`},
		{"xor", gate(`<and><xor><basic-event name="a"/><basic-event name="b"/></xor></and>`), `gate "g" is not coherent: it uses "xor"`},
		{"nand", gate(`<nand/>`), "not coherent"},
		{"nor", gate(`<nor/>`), "not coherent"},
		{"iff", gate(`<iff/>`), "not coherent"},
		{"imply", gate(`<imply/>`), "not coherent"},
		{"cardinality", gate(`<cardinality min="1" max="2"/>`), "not coherent"},
		{"unknown gate type", gate(`<priority-and><basic-event name="a"/></priority-and>`), `gate "g" uses the unknown kind of gate "priority-and"`},
		{"no formula", gate(``), `gate "g" has no formula`},
		{"two formulas", gate(`<basic-event name="a"/><basic-event name="b"/>`), "more than one formula"},
		{"no arguments", gate(`<or/>`), "or has no arguments"},
		{"no threshold", gate(`<atleast><basic-event name="a"/></atleast>`), `min ""`},
		{"threshold 0", gate(`<atleast min="0"><basic-event name="a"/></atleast>`), `min "0"`},
		{"threshold too high", gate(`<atleast min="2"><basic-event name="a"/></atleast>`), "asks for 2 of 1"},
		{"argument twice", gate(`<atleast min="2"><basic-event name="a"/><basic-event name="a"/></atleast>`), `names "a" twice`},
		{"undefined gate", gate(`<gate name="h"/>`), `line 2: gate "g" uses gate "h", which is not defined`},
		{"undefined event", gate(`<event name="e"/>`), `gate "g" uses event "e", which is not defined`},
		{"undefined house event", gate(`<house-event name="e"/>`), `house event "e", which is not defined`},
		{"gate as event", in("<define-gate name=\"g\"><or><gate name=\"h\"/><basic-event name=\"h\"/></or></define-gate>\n<define-gate name=\"h\"><basic-event name=\"a\"/></define-gate>"), "defined as something else in line 3"},
		{"no name", gate(`<event/>`), "without a name"},
		{"unnamed gate", in(`<define-gate><basic-event name="a"/></define-gate>`), "define-gate without a name"},
		{"twice", in("<define-gate name=\"g\"><basic-event name=\"a\"/></define-gate>\n<define-basic-event name=\"g\"/>"), `line 3: "g" is defined twice; it was defined first in line 2`},
		{"private", in(`<define-gate name="g" role="private"><basic-event name="a"/></define-gate>`), `"g" is private`},
		{"cycle", in("<define-gate name=\"t\"><gate name=\"g\"/></define-gate>\n<define-gate name=\"g\"><or><basic-event name=\"a\"/><gate name=\"h\"/></or></define-gate>\n<define-gate name=\"h\"><gate name=\"g\"/></define-gate>"), "line 3: the tree has a cycle: g <- h <- g"},
		{"long cycle", in(ring.String()), "line 2: the tree has a cycle: g0 <- g1 <- g2 <- g3 <- g4 <- g5 <- g6 <- g7 <- (92 more) <- g0;"},
		{"undefined basic event", in("<define-gate name=\"g\"><and><basic-event name=\"pump-a\"/>\n<basic-event name=\"pmup-b\"/></and></define-gate>\n<define-basic-event name=\"pump-a\"/><define-basic-event name=\"pump-b\"/>"), `line 3: gate "g" uses basic event "pmup-b", which is not defined, though others are; did you mean "pump-b"?`},
		{"bad probability", in(`<define-basic-event name="a"><float value="2"/></define-basic-event>`), `probability "2"`},
		{"bad constant", gate(`<constant value="maybe"/>`), `value "maybe"`},
		{"deep", gate(strings.Repeat("<or>", 2000) + `<basic-event name="a"/>` + strings.Repeat("</or>", 2000)), "nest more than 500 deep"},
		{"deep label", in("<label>" + strings.Repeat("<b>", 2000) + strings.Repeat("</b>", 2000) + "</label>"), "nest more than 500 deep"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := cutset.ReadOpenPSA(strings.NewReader(test.model))
			if !errors.Is(err, cutset.ErrInput) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v; %q was expected", err, test.want)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReadOpenPSAPassesReadErrors(t *testing.T) {
	if _, err := cutset.ReadOpenPSA(failing{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

func TestOpenPSARoundTrip(t *testing.T) { openPSARoundTrip(t, 200, 40) }

func openPSARoundTrip(t *testing.T, trees, gates int) {
	t.Helper()
	r := rand.New(rand.NewPCG(11, 12))
	for i := range trees {
		tree := small(r, false)
		if i%5 == 0 {
			tree.Leaves[0].Name = `<&"weird'> 이름`
		}
		tree.Leaves[len(tree.Leaves)-1].Probability = new(0.25)
		again := through(t, tree)
		tree.Leaves[0].Name = strings.Replace(tree.Leaves[0].Name, `<&"weird'> 이름`, "weird-이름", 1) // an identifier
		if diff := cmp.Diff(named(t, tree), named(t, again)); diff != "" {
			t.Fatalf("tree %d: %+v\n(-before +after):\n%s", i, tree, diff)
		}
		if diff := cmp.Diff(again, through(t, again)); diff != "" {
			t.Fatalf("tree %d: a second trip changed it:\n%s", i, diff)
		}
	}
	for _, family := range cutsettest.Families() {
		tree, err := cutsettest.GenerateTree(1, family, gates)
		if err != nil {
			t.Fatal(err)
		}
		a, err := cutset.Solve(tree, cutset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := cutset.Solve(through(t, tree), cutset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fmt.Sprint(a.ByOrder), fmt.Sprint(b.ByOrder)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", family, diff)
		}
	}
}

func through(t *testing.T, tree cutset.Tree) cutset.Tree {
	t.Helper()
	var b bytes.Buffer
	if err := cutset.WriteOpenPSA(&b, tree); err != nil {
		t.Fatal(err)
	}
	again, err := cutset.ReadOpenPSA(&b)
	if err != nil {
		t.Fatalf("%v\n%+v", err, tree)
	}
	return again
}

func TestWriteOpenPSARefusesCycles(t *testing.T) {
	tree := cutset.Tree{Cyclic: true, Gates: []cutset.Gate{{Name: "a", In: []cutset.Ref{cutset.GateRef(1)}}, {Name: "b", In: []cutset.Ref{cutset.GateRef(0)}}}, Top: cutset.GateRef(0)}
	var cycle *cutset.CycleError
	if err := cutset.WriteOpenPSA(io.Discard, tree); !errors.As(err, &cycle) {
		t.Errorf("error %v", err)
	}
}

func FuzzReadOpenPSA(f *testing.F) {
	f.Add(pumps)
	f.Add(`<opsa-mef><define-gate name="g"><atleast min="2"><event name="a"/><gate name="g"/></atleast></define-gate></opsa-mef>`)
	f.Add(`<opsa-mef><define-fault-tree name="x"><define-gate name="g"><constant value="true"/></define-gate></define-fault-tree></opsa-mef>`)
	f.Fuzz(func(t *testing.T, model string) {
		tree, err := cutset.ReadOpenPSA(strings.NewReader(model))
		empty := strings.NewReader("<opsa-mef/>")
		same, failed := cutset.ReadOpenPSATop("", empty, strings.NewReader(model))
		if diff := cmp.Diff(tree, same); diff != "" || (err == nil) != (failed == nil) {
			t.Fatalf("%v, and after an empty file %v (-alone +after):\n%s", err, failed, diff)
		}
		if err != nil {
			return
		}
		if err := tree.Check(); err != nil {
			t.Fatalf("an invalid tree was read: %v", err)
		}
		var b bytes.Buffer
		if err := cutset.WriteOpenPSA(&b, tree); err != nil {
			t.Fatalf("a tree was read that cannot be written: %v", err)
		}
		again, err := cutset.ReadOpenPSA(&b)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, b.String())
		}
		if len(tree.Leaves) > 12 || len(tree.Gates) > 40 {
			return
		}
		x, err := cutset.Solve(tree, cutset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		y, err := cutset.Solve(again, cutset.Options{})
		if err != nil || x.Count.Cmp(y.Count) != 0 {
			t.Fatalf("%v sets before, %+v after: %v", x.Count, y, err)
		}
	})
}

// TestNamesAreIdentifiers wants names as the schema of the format has them, which other tools check.
func TestNamesAreIdentifiers(t *testing.T) {
	tree := cutset.Tree{Name: "service/카카오 톡"}
	a := tree.AddLeaf(cutset.Leaf{Name: "domain/a.b"})
	b := tree.AddLeaf(cutset.Leaf{Name: "domain-a--b"})
	tree.Top = tree.AddGate(cutset.Gate{Name: "7 of/9", Op: cutset.Or, In: []cutset.Ref{a, b}})
	var out bytes.Buffer
	if err := cutset.WriteOpenPSA(&out, tree); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<define-fault-tree name="service-카카오-톡">`, `<define-gate name="_7-of-9">`,
		`<define-basic-event name="domain-a-b"><label>domain/a.b</label></define-basic-event>`,
		`<define-basic-event name="domain-a-b-2"><label>domain-a--b</label></define-basic-event>`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in\n%s", want, out.String())
		}
	}
}
