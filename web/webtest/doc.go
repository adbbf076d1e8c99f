// Package webtest is a node for tests and for looking at: a backend of package web
// that serves fixtures instead of a quorum.
//
// It stands beside web and is imported by tests only. [New]
// makes a [Backend] in one of the [Scenarios], [Gallery] serves all of them under
// one handler, and [Accounts] has one account for each role.
//
// It never reads a clock for what it shows: every scenario has its own fixed time,
// so that the same pages come out as the same bytes. It keeps nothing. A command
// that reaches a backend is recorded, and changes its state as far as a reader
// could see; [Backend] is safe for concurrent use.
//
// To look at it: go test ./web -run TestGallery -gallery 127.0.0.1:8000 -timeout 0
package webtest
