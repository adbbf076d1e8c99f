// Package kv is the small transactional store that the control plane lives in.
//
// It gives every package that keeps something (estate, incident, recovery and
// detect) one way to read, write and follow keys, and takes what holds them from
// [NewMemory] or from internal/etcd, which behave alike: kvtest runs one suite
// on both.
//
// The front door is [Store] with [Txn] and [Event]. On top of any store stand
// [Campaign], which makes one node the leader and hands out its [Fence], and
// [Hold], which keeps a key only as long as its writer can reach the store.
//
// It never interprets values, never retries a conflict for its caller, and never
// takes local time as a reason to act: time may only end a [Tenure] early.
//
// It keeps no keys of its own. The memory store forgets everything at the end of
// the process; nobody but its callers writes.
//
// Who races sees [ErrConflict] or [ErrFenced] and nothing applied. Who crashes
// between sending and hearing of a commit, or is told [ErrUnavailable], does not
// know whether it was applied and has to read. A leader that is cut off ends its
// tenure before the store lets anyone else start.
//
// To try it: go test ./internal/kv/... -run Test -v
package kv
