// Package public shows everybody how the services are: the status page, its feeds,
// badges and JSON, and the same as plain files; and takes reports of damage in.
//
// It takes a [status.State] from the public process through a [Source] and gives
// pages to readers; what readers send (subscriptions, questions) it gives to the
// [Desk] of that process, and what claimants send to the office behind [Claims].
//
// The front doors are [New], whose [Server] is a http.Handler, and [Export], which
// writes the same pages by the same renderer as files.
//
// It never calls control, never decides what is said, and shows no word that no
// document said. No GET changes anything. No page needs a script, and what it says
// of the services says also until when it may be believed.
//
// It keeps nothing: what it has rendered is remembered in memory until the state
// changes, and how often somebody sent a form for some minutes. Files of claimants are
// in memory until they are given on; whose claim a browser looks at is in a sealed
// cookie of that browser.
//
// Readers of a node that hears nothing any more see the last state and, when that
// is older than its limit, *unknown since*. A form that cannot be taken is answered
// with what was typed, so that nothing is lost. A page that breaks breaks alone.
//
// To look at every page in every state:
// go test ./web/public -run TestGallery -gallery 127.0.0.1:8000 -timeout 0
package public
