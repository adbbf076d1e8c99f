// Package bongsu is the tour of the project; it holds no code.
//
// bongsu (봉수) is named after the chain of beacon fires that once carried an
// alarm from hill to hill: one hill could be lost and the message still
// arrived. The program keeps a company's services alive through the loss of a
// data centre, and does what has to be done before and after:
//
//	before                      during                                  after
//	estate -> impact -> audit   detect -> incident -> plan -> recovery  -> status, claim -> prevent -> (estate)
//
// Each word is a package with one front door:
//
//	estate    what we have: estate.Load reads a folder into an immutable Snapshot
//	impact    what a loss does: impact.Of says what goes down and what can come back, with the proof
//	cutset    the smallest losses that take a service down
//	audit     what would not survive: audit.Check holds rules against estate and impact
//	detect    whether a site is really gone: detect.Judge turns observations into a verdict
//	incident  the declared loss, the record that everything after it hangs on
//	plan      what to do about it: plan.Make orders the steps and names what blocks
//	recovery  doing it: durable, fenced, resumable; a drill is the same code
//	status    what to tell people
//	claim     whom it cost what: reports, the desk's decisions, the policy behind them
//	settle    paying that, and claiming it back from the party at fault
//	prevent   what to change, ranked by avoided loss against price
//	verify    replays certificates; shares no code with what made them
//	web       the console, the status page and the JSON API
//
// Plumbing is under internal: kv (a small transactional store with a memory
// twin), etcd (kv on an embedded quorum), actuate (hands), probe (eyes), config,
// node (wiring) and demo. The command is cmd/bongsu, one file for each subcommand.
//
// Three ideas hold it together. What decides is a pure function: no clock, no
// network, the same bytes for the same input. What is remembered is remembered
// in few places, in a quorum that outlives a site, and written before it is
// done. And data flows one way; packages import leftwards only:
//
//	kv < estate < impact < cutset < audit, detect < incident < plan < recovery <
//	status < claim < settle < prevent < web < node < demo < cmd
//
// layers_test.go enforces that. Where to read next: README.md to try it,
// docs/architecture.md for the parts and what happens when one fails,
// docs/format.md for the estate, docs/commands.md for the command line,
// docs/decisions for why, CONTRIBUTING.md to change it.
package bongsu
