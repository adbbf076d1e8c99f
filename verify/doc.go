// Package verify replays certificates: it confirms what impact, cutsets and audit
// claim of an estate, without any of the code that found it.
//
// It stands outside of the flow: the commands write certificates with what the engines
// answered, and whoever doubts an answer (an auditor, a regulator, a colleague) hands the file to this
// package. It imports estate, to read the estate inside the file, and nothing else of ours.
//
// The front door is [Check], which reads a certificate and returns a [Report]: what is
// proved, what a certificate of this kind leaves unproved, and what does not hold. [Certificate]
// is the format, which is a contract; [CheckRecord] does the same for the exported record of an
// incident, against its signed checkpoints; docs/certificates.md describes it.
//
// It never searches: a proof names in which order things go down, which actions run and what
// rises with them, and the checker looks at each thing once. Only where brute force is cheap does it
// try all there is. It reads no clock, no file and no network.
//
// It keeps nothing. The format has a version; a file of another version is refused.
//
// A call works on its own memory, so calls may race; one that is cut off leaves nothing.
//
// To try it: bongsu impact examples/two-sites --lose north --certificate /tmp/c.json, then
// bongsu verify /tmp/c.json.
package verify
