// Package port reserves TCP ports of the loopback address for servers that are
// started later.
//
// It takes how many are wanted, from the demo and from tests that start nodes, and
// gives the first of as many free ports in a row. Reservations hold against each
// other in all processes of this machine; against other programs they only know
// what is free now.
//
// The front door is [Reserve].
//
// It never listens on a port that it gives, and keeps nothing but the listener by
// which a reservation is known.
//
// To try it: go test ./internal/port -v
package port
