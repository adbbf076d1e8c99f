package public

import (
	"container/list"
	"net"
)

// GuardWith is Guard with other limits, the first of which tests reach.
func GuardWith(s *Server, l net.Listener, most, perPeer int) net.Listener {
	g := &guard{Listener: l, server: s, most: most, perPeer: perPeer, peers: make(map[string]int), waiting: list.New()}
	return g
}

// GuardCounts returns how many connections a listener of GuardWith holds, and the
// most of one network.
func GuardCounts(l net.Listener) (open, most int) {
	g, ok := l.(*guard)
	if !ok {
		return -1, -1
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.peers {
		most = max(most, n)
	}
	return g.waiting.Len(), most
}
