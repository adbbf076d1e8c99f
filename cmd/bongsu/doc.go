// Command bongsu keeps a company's services alive through the loss of a data
// centre, and does what has to be done before and after.
//
// It is where everything meets: [commands] lists the subcommands, one file for
// each, and each turns arguments into a call of a package's front door and its
// answer into text or JSON.
//
// Results go to standard output, everything else that it says to standard
// error. The exit code is 0 when it is done, 1 when it failed, 2 for bad usage
// or bad input and 3 when it found something; [app.exit] holds the table.
//
// It decides nothing itself, keeps nothing of its own and has no globals: run
// gets its arguments and streams, so that tests call it as the shell does. The
// first Ctrl-C ends the context of the running command, which then cleans up;
// the second ends the process.
//
// To try it: bongsu impact examples/two-sites --lose north
package main
