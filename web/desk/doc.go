// Package desk is where agents, deciders, payers, the consultative body and privacy
// officers work: on claims, and on questions of readers.
//
// It stands between those people and the public process: it shows what [claim.Office],
// [claim.Ledger] and [settle.Cashier] hold, and gives them what a person decides, under
// that person's name.
//
// The front door is [New], whose [Server] is a http.Handler; [Server.Run] does the long
// work that pages start. [Rights] say what an account may do here.
//
// It never decides anything itself, never reaches the control plane, and shows nothing
// personal unless somebody said why, which is written down before it is shown. No GET
// changes anything, and no page needs a script: none is sent.
//
// It keeps, in the public store, desk/job/<id> (version 1): how far work in the background is, and
// desk/result/<id>: what came of it, for a week, written by the node that does it. The work itself, and how often
// somebody tried a password, are bound to its process.
//
// Two people at one claim: the second is told that it has changed, and keeps what was
// typed. Work that a restart cut off is started again by the same button; it goes on
// where it stopped.
//
// To look at every page: go test ./web/desk -run TestGallery -gallery 127.0.0.1:8000 -timeout 0
package desk
