// Package actuate changes the world: it runs programs, calls HTTP endpoints, and
// records instead of acting in dry drills.
//
// It is given requests by the worker of package recovery, through the interface
// recovery.Actuator, and hands back what it did and whether the effect is there.
//
// The front door is [New], which gives the actuators by the name of their driver,
// and [Validate], which holds the run of an action against what its driver takes.
// [Recorder] is the actuator of dry drills.
//
// It never decides whether a step is due, never uses a shell, never follows a
// redirect and never stores a secret: ${env:NAME} and ${file:PATH} are read on the
// node at the moment of use, and what they gave is not told on.
//
// It keeps nothing.
//
// A program that outlives its time limit, or whose run is aborted, is stopped with
// its whole process group. On Linux a program dies with the node that started it;
// what that program itself started may not, which is why whoever takes over asks
// Check before it acts.
//
// To try it: go test ./internal/actuate -v
package actuate
