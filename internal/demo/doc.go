// Package demo loses a data centre on one machine, with real processes.
//
// It takes an estate and the domains to lose, and gives a story on the terminal
// and an [Outcome]: for every site it starts a control node (bongsu serve), a
// public node (bongsu public) and a [Workload] that stands for all its servers, lets simulated [Users] ask every
// service all the time, kills a site, and shows what the surviving nodes do and what
// their public pages tell with no person.
//
// The front door is [Run]; [RunWorkload] is the process that it starts for each
// site, and [Prepare] what it makes of the estate.
//
// It decides nothing of the recovery. Workloads and users know no plan: a
// component answers while what it needs answers, worked out here anew from what
// the sites tell each other, without the code that planned.
//
// It keeps everything in one temporary folder and in processes that die with it.
//
// However it ends, it kills every process group and removes the folder; on Linux
// the processes die even if the demo itself is killed.
//
// To try it: make demo
package demo
