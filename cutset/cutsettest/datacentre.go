package cutsettest

import (
	"fmt"
	"math/rand/v2"

	"bongsu/cutset"
)

// GenerateDataCentre makes the tree of one service in a fat tree of switches
// with the given number of ports (Al-Fares, Loukissas, Vahdat 2008): 48 ports give
// 30,528 devices, 64 give 70,656. The service keeps the given number of shards, each on so
// many hosts of different pods, and fails when a majority of the hosts of any shard cannot be
// reached or has failed. A host is reached through its edge switch and any aggregation switch
// with any of its core switches; every rack has two power feeds, of which there are a few for all racks.
func GenerateDataCentre(seed uint64, ports, shards, replicas int) cutset.Tree {
	b := &builder{r: rand.New(rand.NewPCG(seed, uint64(ports)))} //nolint:gosec // positive
	b.t.Name = fmt.Sprintf("fat-tree-%d", ports)
	half := ports / 2
	device := func(format string, args ...any) cutset.Ref {
		p := 0.001 + 0.01*b.r.Float64()
		return b.t.AddLeaf(cutset.Leaf{Name: fmt.Sprintf(format, args...), Cost: 1, Probability: &p})
	}
	var cores []cutset.Ref
	for j := range half {
		var group []cutset.Ref
		for c := range half {
			group = append(group, device("core-%d-%d", j, c))
		}
		cores = append(cores, b.gate(cutset.And, 0, group...))
	}
	var feeds []cutset.Ref
	for f := range 8 {
		feeds = append(feeds, device("feed-%d", f))
	}
	var hosts [][]cutset.Ref // by pod
	for p := range ports {
		var up []cutset.Ref
		for j := range half {
			up = append(up, b.gate(cutset.Or, 0, device("agg-%d-%d", p, j), cores[j]))
		}
		fabric := b.gate(cutset.And, 0, up...)
		var pod []cutset.Ref
		for e := range half {
			f := b.r.IntN(len(feeds) - 1)
			power := b.gate(cutset.And, 0, feeds[f], feeds[f+1])
			rack := b.gate(cutset.Or, 0, device("edge-%d-%d", p, e), power, fabric)
			for h := range half {
				pod = append(pod, b.gate(cutset.Or, 0, device("host-%d-%d-%d", p, e, h), rack))
			}
		}
		hosts = append(hosts, pod)
	}
	var all []cutset.Ref
	for range shards {
		var on []cutset.Ref
		first := b.r.IntN(ports)
		for i := range replicas {
			pod := hosts[(first+i*(ports/replicas))%ports]
			on = append(on, pod[b.r.IntN(len(pod))])
		}
		all = append(all, b.gate(cutset.AtLeast, replicas/2+1, on...))
	}
	b.t.Top = b.gate(cutset.Or, 0, all...)
	return b.t
}
