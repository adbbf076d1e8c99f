// Package duty decides whom to wake, over which channel, and when to wake the next.
//
// It takes the policy and the rota of a company, the record of an incident with the
// calls made so far and the impact of its loss, and gives the leader the calls to make
// now. Who answered comes back through a link of the call itself, the console or the
// command line.
//
// The front door is [Decide], a pure function; [Policy] and [Rota] are what it decides
// by. [Check] and [Gaps] hold against a policy, before anything burns, that a loss
// would leave a crew with fewer than two channels, or a rota with nobody on it.
// [Signer] makes and reads the links, [Acknowledge] notes an answer.
//
// It never sends anything: internal/notify does. It never stops because nobody answers,
// and never calls again once somebody has, unless there is something new to say.
//
// It keeps nothing of its own. Calls stand in the record of the incident, each as begun
// before it is made and with its outcome after.
//
// A leader that stops between the two leaves a call of which nobody knows whether it went
// out. The next leader notes that and makes it again: to be called twice is
// better than not at all.
//
// To try it: bongsu duty check examples/duty/duty.yaml examples/two-sites
package duty
