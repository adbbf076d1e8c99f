// Package web shows people what a node knows, and takes their decisions: the
// console, the JSON API below /api/v1, and the Go client of that API.
//
// It takes [Facts] from the node through a [Backend] and gives pages, JSON and
// events to browsers and to the command line; it gives each decision of a person
// back to the Backend as a [Command].
//
// The front door is [New], whose [Server] is a http.Handler, and [NewClient]. [Now],
// [Run] and [Incident] are what both pages and API show; [Error] is what went wrong.
// Package web/webtest is a node made of fixtures.
//
// It never decides what is lost, what to do about it, or who somebody is: that is
// for detect, plan and [Accounts]. No GET changes anything. No page needs a script,
// and none holds one inline.
//
// It keeps nothing. Sessions are signed cookies of twelve hours; the only state in
// memory is how often somebody tried to log in, and the impacts last asked for.
//
// When a node loses the quorum, its console goes on with what it last knew, says
// since when, and offers nothing to decide. Two people who decide at once are told
// apart by the store: the second gets "conflict" or "refused" and nothing changes.
// When a node dies, its readers see that updates stopped, and open another's.
//
// To look at every page in every state:
// go test ./web -run TestGallery -gallery 127.0.0.1:8000 -timeout 0
package web
