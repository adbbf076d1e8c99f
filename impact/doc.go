// Package impact says what losing failure domains does to an estate, and what
// can come back with only what survives.
//
// It stands between the estate and everything that judges or acts: [Of] takes a
// snapshot and the names of the domains that are gone, and returns an [Impact],
// which audit turns into findings, plan into steps and the console into a page.
//
// The front door is [Of], or an [Engine] where many losses are asked of one
// estate. An [Impact] holds a state for every component, service, part and crew;
// [Impact.Derivation] says how a thing comes back, [Impact.Because] why it
// cannot, and an [Evaluator] plays the recovery step by step for a planner. A
// [Sweep] asks many losses at the cost of what each touches: [Sweep.Visit] one,
// [View.Also] one more domain on top of it, [Sweep.Pairs] which pairs are worth it.
//
// It never asks whether a site is really lost (that is detect), knows nothing of
// time, of how many people or slots are busy, or of room (that is plan), and
// never acts.
//
// It keeps nothing: no clock, no I/O, no randomness; the same input gives the
// same answer in the same order.
//
// An Engine and an Impact are safe for concurrent use; there is nothing to race
// for and nothing to lose in a crash.
//
// To try it by hand: bongsu impact examples/two-sites --lose north
package impact
