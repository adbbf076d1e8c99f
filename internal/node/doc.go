// Package node is one control node: it builds the long-lived parts, joins them,
// and stops them in reverse.
//
// It is where configuration meets the packages that decide: it opens the store,
// holds the site's leases, looks at every site, and while it leads it judges,
// declares, plans and conducts runs. cmd/bongsu starts one per process.
//
// The front door is [Run]. Inside, observer is what every node does, leader what
// one of them does, and backend what the console may see and ask.
//
// It decides nothing by itself: whether a site is lost is detect's word, what to
// do about it plan's, what happens next recovery's.
//
// It keeps one key of its own, node/leader, under the leader's lease, and
// node/ping, which proves that writes are taken; everything else belongs to the
// packages that it joins.
//
// A node that loses the quorum stops leading and acting before another can start,
// fences its site's writers before its fencing lease runs out, and goes on
// showing what it last knew. A node that crashes has lost nothing but the time.
//
// To try it: bongsu init --sites a,b,c /tmp/c && bongsu serve --config /tmp/c/a/bongsu.yaml
package node
