package cutsettest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bongsu/cutset"
	"bongsu/cutset/cutsettest"
)

func TestGeneratedTrees(t *testing.T) {
	for _, family := range cutsettest.Families() {
		for _, gates := range []int{20, 200, 2000} {
			tree, err := cutsettest.GenerateTree(1, family, gates)
			if err != nil {
				t.Fatal(err)
			}
			if err := tree.Check(); err != nil {
				t.Errorf("%s: %v", tree.Name, err)
			}
			if n := len(tree.Gates); n < gates/3 || n > 2*gates+20 {
				t.Errorf("%s has %d gates", tree.Name, n)
			}
			again, err := cutsettest.GenerateTree(1, family, gates)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tree, again); diff != "" {
				t.Errorf("%s: not the same twice", tree.Name)
			}
		}
	}
	if _, err := cutsettest.GenerateTree(1, "oak", 5); err == nil || !strings.Contains(err.Error(), `"oak"`) {
		t.Errorf("an unknown family: %v", err)
	}
}

func TestDataCentreSizes(t *testing.T) {
	const feeds = 8
	for ports, devices := range map[int]int{4: 36, 48: 30_528, 64: 70_656} {
		tree := cutsettest.GenerateDataCentre(1, ports, 2, 3)
		if n := len(tree.Leaves) - feeds; n != devices {
			t.Errorf("%d ports: %d devices, %d were expected", ports, n, devices)
		}
		if err := tree.Check(); err != nil {
			t.Errorf("%d ports: %v", ports, err)
		}
	}
}

// The judge is judged by a tree that can be read at a glance.
func TestCheckAndMinimal(t *testing.T) {
	tree := cutset.Tree{}
	a, b, c := tree.AddLeaf(cutset.Leaf{Name: "a"}), tree.AddLeaf(cutset.Leaf{Name: "b"}), tree.AddLeaf(cutset.Leaf{Name: "c"})
	both := tree.AddGate(cutset.Gate{Op: cutset.And, In: []cutset.Ref{a, b}})
	tree.Top = tree.AddGate(cutset.Gate{Op: cutset.Or, In: []cutset.Ref{both, c}})
	if diff := cmp.Diff([][]int{{2}, {0, 1}}, cutsettest.Minimal(&tree)); diff != "" {
		t.Errorf("minimal sets (-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		sets [][]int
		want string
	}{
		{[][]int{{2}, {0, 1}}, ""},
		{[][]int{{0}}, "does not fail the top"},
		{[][]int{{0, 2}}, "fails the top without 0 too"},
		{[][]int{{2}, {2}}, "listed twice"},
		{[][]int{{1, 0}}, "out of order"},
	} {
		err := cutsettest.Check(&tree, test.sets)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v; %q was expected", test.sets, err, test.want)
		}
	}
}
