//go:build measure

package cutset_test

import (
	"errors"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bongsu/cutset"
	"bongsu/cutset/cutsettest"
)

func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func envInt(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// TestMeasureSCRAM prints CPU time against CPU time. BONGSU_SCRAM_LIMIT is
// SCRAM's seconds for each model, BONGSU_SEEDS how many trees of each kind, BONGSU_FAMILY
// and BONGSU_GATES choose. SCRAM's figure is that of its process, ours that of Solve.
func TestMeasureSCRAM(t *testing.T) {
	limit := time.Duration(envInt("BONGSU_SCRAM_LIMIT", 10)) * time.Second
	var ours, theirs time.Duration
	unsolved, solved := 0, 0
	for _, family := range cutsettest.Families() {
		if f := os.Getenv("BONGSU_FAMILY"); f != "" && f != family {
			continue
		}
		for _, gates := range []int{50, 120, 300, 700, 2000} {
			if n := envInt("BONGSU_GATES", gates); n != gates {
				continue
			}
			for seed := range uint64(envInt("BONGSU_SEEDS", 1)) {
				tree, err := cutsettest.GenerateTree(seed, family, gates)
				if err != nil {
					t.Fatal(err)
				}
				from := cpu(t)
				res, err := cutset.Solve(tree, cutset.Options{})
				took := cpu(t) - from
				if err != nil {
					t.Fatal(err)
				}
				from = cpu(t)
				three, err := cutset.Solve(tree, cutset.Options{MaxOrder: 3})
				if err != nil {
					t.Fatal(err)
				}
				took3 := cpu(t) - from
				line := fmt.Sprintf("%-20s %5d gates: %9.3fs %-12s complete=%v upto=%d order3 %7.3fs %-8s %v  %s", tree.Name, len(tree.Gates), took.Seconds(), short(res.Count), res.Complete, res.UpTo, took3.Seconds(), short(three.Count), three.Complete, fmt.Sprintf("%+v", res.Stats))
				if limit > 0 {
					s := scram(t, 0, limit, model(t, tree))
					line += fmt.Sprintf(" | scram %8.3fs solved=%v %v", s.cpu.Seconds(), s.solved, s.seconds)
					if s.solved {
						solved++
						ours, theirs = ours+took, theirs+s.cpu
						if len(s.byOrder) < 100 && s.count.Cmp(res.Count) != 0 {
							line += fmt.Sprintf(" COUNTS DIFFER: %v", s.count)
						}
					} else if unsolved++; !res.Complete {
						line += " (nor we)"
					}
				}
				fmt.Println(line)
			}
		}
	}
	fmt.Printf("over the %d models that SCRAM solved: ours %.3fs, SCRAM %.3fs CPU; %d it did not solve\n", solved, ours.Seconds(), theirs.Seconds(), unsolved)
}

func short(n *big.Int) string {
	if n.BitLen() < 40 {
		return n.String()
	}
	return new(big.Float).SetInt(n).Text('e', 3)
}

var errNoModel = errors.New("no model")

// TestMeasureModels does the same for Open-PSA files named in BONGSU_MODELS, separated by spaces.
func TestMeasureModels(t *testing.T) {
	for _, file := range strings.Fields(os.Getenv("BONGSU_MODELS")) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(errors.Join(errNoModel, err))
		}
		tree, err := cutset.ReadOpenPSA(f)
		f.Close()
		if err != nil {
			fmt.Println(err)
			continue
		}
		from := cpu(t)
		res, err := cutset.Solve(tree, cutset.Options{})
		if err != nil {
			t.Fatal(err)
		}
		took := cpu(t) - from
		from = cpu(t)
		three, err := cutset.Solve(tree, cutset.Options{MaxOrder: 3})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s: %d gates %.3fs %v complete=%v upto=%d %v order 3 %.3fs %v %+v\n", file, len(tree.Gates), took.Seconds(), res.Count, res.Complete, res.UpTo, res.ByOrder, (cpu(t) - from).Seconds(), three.Count, res.Stats)
	}
}

// TestMeasureDataCentre prints the time to the first 20 risk groups of a
// service in a fat tree, for few and for very many shards.
func TestMeasureDataCentre(t *testing.T) {
	for _, ports := range []int{48, 64} {
		for _, service := range [][2]int{{1, 3}, {1, 5}, {1, 7}, {200, 3}, {2000, 3}, {20_000, 3}, {20_000, 2}, {20_000, 5}, {5000, 9}} {
			tree := cutsettest.GenerateDataCentre(1, ports, service[0], service[1])
			for _, by := range []cutset.By{cutset.ByCost, cutset.ByProbability} {
				from, start := cpu(t), time.Now()
				res, err := cutset.Solve(tree, cutset.Options{Top: 20, RankOnly: true, By: by})
				if err != nil {
					t.Fatal(err)
				}
				took, wall := cpu(t)-from, time.Since(start)
				if err := cutsettest.Check(&tree, res.Sets); err != nil || !res.Ranked || len(res.Sets) != 20 {
					t.Errorf("%d ports, %v: %d sets, ranked %v: %v", ports, service, len(res.Sets), res.Ranked, err)
				}
				fmt.Printf("%d devices, %d gates, %5d shards on %d hosts, by %d: %.3fs CPU, %.3fs; up to order %d\n",
					len(tree.Leaves)-8, len(tree.Gates), service[0], service[1], by, took.Seconds(), wall.Seconds(), res.UpTo)
			}
		}
	}
}
