// Package detect decides whether a site is really gone.
//
// It takes what the nodes of all sites see of each other, as package probe looked,
// and gives a verdict to incident, which proposes or declares what looks lost.
//
// The front door is [Judge], which turns an [Input] of [Observation]s, a [Policy] and
// a time into a [Verdict] with a sentence for each [Site]. [Publisher] tells the other
// nodes what one site sees, [Views] follows what all of them tell.
//
// Judge never looks itself, reads no clock and never acts. It never calls a site lost
// that any other site sees, that fewer than two other sites look at, or that was
// missed for less than the hold time: too few observers are unknown, not lost.
//
// It keeps detect/<site>, version 1, written by the node of the site under its lease
// when something changes and otherwise at a bounded rate. Durations are told, not
// times, so that clocks of different sites never meet.
//
// What a node saw goes away with its lease, so a node that crashes or is cut off
// stops counting. Who cannot reach the store knows nothing, and judges unknown.
//
// To try it: go test ./detect -run TestJudge -v
package detect
