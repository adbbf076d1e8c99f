// Package kvtest holds what every [kv.Store] must do, as tests, and a store that
// can be made to fail.
//
// It serves the tests of internal/kv and internal/etcd, and of every package that
// keeps something.
//
// [Run] and [RunFull] are the conformance suite; [Faulty] is one process's way to a
// store that can be cut, can lose an answer and can crash at its n-th call.
//
// It is never part of a binary, and its faults never reach other users of the
// wrapped store.
//
// It keeps nothing; the suite writes below keys of its own and expects an empty store.
//
// A process that crashed here gets [ErrCrashed] from every later call and its
// leases run out; what it had committed stays.
//
// To try it: go test ./internal/kv/ -run Memory -v
package kvtest
