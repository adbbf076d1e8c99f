// Package examples holds small estates that can be run and read: bongsu demo
// plays one without being told where it is, and tests use them all.
//
// It goes from files to whoever wants an estate that is known to be good: [FS].
//
// It never decides anything and keeps nothing; nobody can race for it.
//
// To try it: bongsu demo, or bongsu impact examples/two-sites --lose north
package examples
