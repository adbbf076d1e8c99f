// Package status decides what people are told: of an estate, the record of an
// incident and its run it makes the documents of which the public page is.
//
// It stands between recovery and the pages: control composes documents and signs
// them, the public side opens them, puts them together to a [State], and shows that.
//
// The front door is [Compose] on the side of control, [Sign] and [Open] on the way,
// [Stock] and [State] on the public side; [Desk] is what the public side keeps
// of its readers.
//
// It sends nothing itself and calls nobody. What is drafted and not approved never
// becomes part of a document, nor does a drill.
//
// In the store of the public side, which is another one than that of control, it
// keeps status/doc/<key>, each as it was signed; status/sub/, status/pending/ and
// status/token/, the subscribers; status/out/, the outbox of news; status/ask/,
// the questions of readers; all of version 1. Any public node writes. In that of
// control it keeps status/base and status/maintenance/.
//
// A document is replaced only by a newer one, so it does not matter by which ways
// and how often one arrives. A job of the outbox is written together with the
// update that it tells; one that was begun when a node died is sent again, under
// the same Message-ID.
//
// To try it: bongsu init --sites a,b,c d, then bongsu public --config d/a/public.yaml
package status
