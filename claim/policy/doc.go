// Package policy decides what a damage report is given, by rules that anyone may read.
//
// It stands between the incident's record and the ledger: a [Case] is a claim, the
// account behind it and the recorded outage; a [Policy] is a named version of rules in
// CEL (https://cel.dev); [Policy.Assess] gives a [Decision] with its ground, its reason
// in both languages and what every rule said on the way.
//
// [Parse] reads a policy file, type-checks every expression and refuses what it does
// not know, with line and nearest name; [Policy.Try] runs its table of examples, without
// which no policy is activated (that two people do so is the claim package's to see to).
//
// It never sees who a claimant is, never reads a clock, never rounds by floating point:
// money is integers in minor units. An expression that fails, overflows or costs too
// much gives the case to a person and says why.
//
// It keeps nothing. A Policy is safe for concurrent use and gives the same bytes for
// the same case.
//
// To try it: bongsu claim policy check examples/policies/kakao-2022.yaml
package policy
