// Package node is one control node, or one public node: it builds the long-lived
// parts, joins them, and stops them in reverse.
//
// It is where configuration meets the packages that decide: it opens the store,
// holds the site's leases, looks at every site, and while it leads it judges,
// declares, plans and conducts runs. cmd/bongsu starts one per process.
//
// The front doors are [Run], for control, and [RunPublic], for the public side, which
// shares no store with it and never calls it: the leader of control pushes. Inside,
// observer is what every control node does, leader what one of them does, teller what
// the leader has the public know, and backend what the console may see and ask.
//
// It decides nothing by itself: whether a site is lost is detect's word, what to
// do about it plan's, what happens next recovery's.
//
// It keeps, all of version 1, node/leader, under the leader's lease; node/ping, which
// proves that writes are taken; status/base, by which the leader's revisions go on where
// the public side has seen them; and documents.json in the folder of a public node, its
// copy of what it was told. Everything else belongs to the packages that it joins.
//
// A node that loses the quorum stops leading and acting before another can start,
// fences its site's writers before its fencing lease runs out, and goes on
// showing what it last knew. A node that crashes has lost nothing but the time.
//
// To try it: bongsu init --sites a,b,c /tmp/c && bongsu serve --config /tmp/c/a/bongsu.yaml
package node
