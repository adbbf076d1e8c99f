// Package incident is the record of a loss: what is gone, since when, who said so.
//
// It takes verdicts from detect and decisions from people, and gives the declared
// loss to plan and recovery, and its time zero to everything that counts from it.
//
// The front door is [Declare], with [Propose], [Withdraw], [Close] and, for verdicts,
// [Reconcile]. [List] and [Show] read; an [Incident] is folded from its [Entry]s, and a
// [Record] is all that hangs on it besides: who was down when, roles, faults, updates,
// bases, calls. [Assign], [SetChanges], [Draft], [Publish] and their kind add to it,
// [Clocks] and [Letters] tell the duties that it brings, [Seal] signs it.
//
// It never judges whether something is lost, and never acts on the world. Policy may
// propose, declare where its rule allows, and take back its own proposals; only a
// person takes back a declaration.
//
// It keeps incident/<id>/<number>, version 2 (and reads 1), one key for each entry,
// appended and never edited; incident-checkpoint/<id>/<number>, version 1, signed words on
// so many entries; and incident-open/real and incident-open/drill, the open incident of
// each kind. Any node with the quorum writes, for itself or for a person.
//
// Each entry is committed only on top of those that its writer has read, together
// with the mark of what is open. So two nodes that declare one loss at the same time
// make one incident, and a second loss extends the first. A crash leaves an entry
// written as a whole or not at all.
//
// To try it: bongsu incident declare pangyo --why "drill", then bongsu incident show
package incident
