// Package etcd keeps the control plane's store on etcd: on a member that runs inside
// this process, or on members elsewhere.
//
// It implements [bongsu/internal/kv.Store] for everything that keeps something; the
// node opens one and hands it out. What etcd is told and how it is run is decided here.
//
// The front door is [Open] with [Config], which returns a [Node]: the store, its
// [Status], a read that needs no quorum ([Node.LocalList]), membership, backup
// and [Node.Repair].
//
// It never retries what could take effect twice, never changes the membership by
// itself (a learner asks to be promoted, nothing else), never serves a read from
// before a lost quorum under the name of a linearizable one, and never lets etcd write
// to standard error.
//
// It keeps keys below "bongsu/CLUSTER/": k/ holds what callers write, s/ one small key
// for each concurrent writer of a node, by which a lost answer is found out. The data
// folder holds etcd's own files, a lock and identity.json (version 1), which says whose
// folder it is.
//
// Callers see [kv.ErrUnavailable] while there is no quorum, after two seconds at most by
// default, and after a commit whose fate could not be learned. A member that crashes loses
// nothing that was acknowledged. When etcd cannot write its log it ends the process:
// going on would be a lie.
//
// To try it: go test ./internal/etcd -run TestThreeMembers -v
package etcd
