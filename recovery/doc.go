// Package recovery carries out a plan: every step once, in order, whoever dies.
//
// It takes a plan and an incident, drives actuators through the nodes of the sites,
// and gives its journal to status, claims and the console. Drills are the same code
// with another [Scope].
//
// The front door is [Create], which writes a [Run] of a [Spec] made by [FromPlan].
// The leader's [Conductor] gives its steps to nodes and plans anew when the plan does
// not hold; each node's [Worker] carries them out through an [Actuator]. People act
// with [Approve], [Pause], [Resume], [Abort], [Skip], [Retry] and [Confirm], and see
// everything in a [RunView].
//
// It never decides that something is lost, never plans by itself beyond leaving out
// what cannot be done any more, and never acts without the record of it: a step is
// recorded as begun before the act, its outcome after. It does not make a second
// writer unless the [Guard] of the step allows it or a person does.
//
// It keeps, all of version 1: recovery/run/<run>, the header; recovery/plan/<run>/
// <plan>/<chunk>, each plan that the run followed; recovery/step/<run>/<step>, the
// record of each step from the moment it is given out; recovery/log/<run>/<writer>/
// <number>, the journal, whose order is that of the revisions; presence/<node>, who
// is there. The leader writes under its fence, a worker only on top of the record
// that it was given, people on top of the header that they saw. fence/<site> is kept
// by the node of a site as long as the site's writers may write, and only read here.
//
// A leader that was superseded gets [ErrSuperseded] at its next write, a node whose
// lease ran out gets [ErrLapsed] and has stopped its acts by then. Of a step whose
// executor died, the next one asks the actuator first; what nobody can tell and what
// may not be done twice waits for a person. A write without an answer is read again,
// never repeated blindly. An actuator that does not stop when its context ends is
// left behind with its goroutine; everything else that is started here is waited for.
// docs/decisions/0006-journal.md says why it is so.
//
// To try it: bongsu demo, or go test ./recovery -run TestCrashMatrix -v
package recovery
