// Package settletest says what every book has to do.
//
// [Run] holds a [settle.Book] against it: memory, etcd and PostgreSQL pass the same
// suite. It is for tests only, keeps nothing and decides nothing.
//
// To try it: go test ./settle -run Book
package settletest
