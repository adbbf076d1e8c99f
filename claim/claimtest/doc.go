// Package claimtest says what every ledger of claims has to do.
//
// [Run] holds a [claim.Ledger] against it: memory, etcd and PostgreSQL pass the same
// suite. It is for tests only, keeps nothing and decides nothing.
//
// To try it: go test ./claim -run Ledger
package claimtest
