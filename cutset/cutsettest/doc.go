// Package cutsettest makes fault trees for tests and benchmarks and judges
// answers about them, sharing no code with the engine.
//
// It stands beside package cutset and is used by its tests and by those of
// whoever builds on it. [GenerateTree] makes trees of several families; [Minimal] finds
// minimal cut sets by trying all sets of leaves, and [Check] holds a list of sets against a tree.
//
// It never calls what it judges, and it keeps nothing. Everything is a function
// of its arguments, so that calls may run side by side and a crash loses nothing.
//
// To try it: go test ./cutset
package cutsettest
