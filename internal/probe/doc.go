// Package probe looks at the world: it says whether a target answers over HTTP or
// TCP, and since when.
//
// It takes its targets from the estate and from the configuration of the node, and
// hands what it sees to package detect, as sights.
//
// The front door is [Looker], which looks at many [Target]s again and again;
// [Look] looks once. [Targets] are those of an estate.
//
// It never judges: one failed look is told as it is, and what it means is decided by
// detect.Judge. It follows no redirect, reuses no connection and reads no more than
// the start of an answer, so that every look asks the target itself.
//
// It keeps nothing but how long each target has been in its state, by the monotonic
// clock: a clock that jumps changes nothing.
//
// Looks at one target never overlap, so a target that hangs costs one connection
// and one goroutine at most. When the context ends every look ends with it.
//
// To try it: go test ./internal/probe -v
package probe
