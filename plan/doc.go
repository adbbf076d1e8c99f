// Package plan decides what to do about a loss: which actions to run, where and
// when, so that users lose least, and what cannot come back at all.
//
// It stands between incident, which says what is lost, and recovery, which runs
// the steps; the command line and prevent ask it what a loss would cost.
//
// [Make] takes a snapshot of the estate, the domains that are gone and [Options],
// and returns a [Plan]: [Step]s with their times, when each service is back, what
// that costs ([Objective], with a lower bound that holds as a proof), and a
// [Blocker] for everything that cannot come back. With Now, Done, Running and
// Forbidden in the options it plans the rest of a run; [Compare] says what
// changed and what that costs.
//
// It never asks whether a site is really lost (that is detect) and never acts
// (that is recovery). It reads no network and no files, and the clock only when
// [Options.Time] asks for it.
//
// It keeps nothing.
//
// It is safe to call from anywhere at the same time, and gives the same bytes for
// the same input, on any number of cores; with [Options.Time] the plan says that
// it does not.
//
// To try one by hand: bongsu plan examples/two-sites --lose north
package plan
