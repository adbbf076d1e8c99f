// Package claim takes damage reports, keeps them, and brings each to a decision.
//
// It stands between people who were harmed and settle, which pays: a [Report] comes in,
// a [Ledger] keeps it as a [Claim], a policy (package policy) decides it over the
// outage that the incident's record tells, and a person decides the rest.
//
// The front door is [Ledger], which is kept in the public side's own store or in
// PostgreSQL; both pass the suite of claimtest.
//
// It never reads or calls the control plane, never refuses a report for looking like
// another (that is a [Flag] for a person), and never pays.
//
// It keeps, in the public store only: claim/… ; personal data are sealed with one key
// for each claim, and destroying the key erases them. See store.go.
//
// What was acknowledged is kept by a quorum. Two writers of one claim: the second is
// told [ErrConflict] and reads again.
//
// To try it: bongsu claim policy check examples/policies/kakao-2022.yaml
package claim
