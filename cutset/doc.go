// Package cutset finds the smallest sets of losses that take something down:
// the minimal cut sets of a coherent fault tree, exactly, and counted even where
// nobody could list them.
//
// It stands beside impact: [FromEstate] makes a [Tree] of a service of an estate, [ReadOpenPSA]
// one of a reliability engineer's model, and the command line, the audit and the console show the
// [Result]. [WriteOpenPSA] hands a tree to other tools, after [Tree.Unroll] where it has cycles.
//
// The front door is [Solve]. It rewrites the tree into a smaller one with the
// same cut sets (graph.go), cuts it into modules (module.go), solves each module by racing
// variable orders (order.go) and methods (build.go, sweep.go, sets.go) in one node table
// (diagram.go), up to an order without what is too heavy for the top (outlook.go), or in pieces that have no set in common (divide.go), and joins the families of the modules in a forest that is counted, listed and
// ranked without ever being written out (family.go). Of a large tree the first sets by rank are found by
// themselves (cheapest.go). [Prove] shows that no set is missing from a list, for
// package verify to check. The main types are [Tree] with its [Gate] and [Leaf], [Options] and [Result].
//
// It never approximates: a result covers all orders, or all up to a stated order when the
// node budget did not suffice. It does no recovery, draws no random
// numbers, reads no clock, and refuses what is not coherent instead of bending it.
//
// It keeps nothing, neither in stores nor in package variables; a caller may keep a [Cache], so
// that after a change only the modules on its path are solved again.
//
// A call works on its own memory, so that calls may race, and waits for what it starts; one that is cut off
// leaves nothing behind. The same input gives the same bytes on any machine, as budgets count
// nodes and steps, not seconds.
//
// To try it: bongsu cutsets examples/kakao-2022 --of kakaotalk, and with SCRAM installed
// go test -tags measure -run TestMeasureSCRAM -v ./cutset
package cutset
