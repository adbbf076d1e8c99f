package public

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// Limits of connections. What one network may hold at once is much more than a
// household needs, and leaves room for an office behind one address.
const (
	mostConns   = 8000
	mostPerPeer = 400
)

// Guard bounds how many connections of l are open at once, in all and from one
// network. When all are taken, the one that has waited longest since it last got an
// answer goes: readers are answered at once, so that is one who came to hold it.
func (s *Server) Guard(l net.Listener) net.Listener {
	return &guard{Listener: l, server: s, most: mostConns, perPeer: mostPerPeer, peers: make(map[string]int), waiting: list.New()}
}

type guard struct {
	net.Listener

	server        *Server
	most, perPeer int

	mu      sync.Mutex
	peers   map[string]int
	waiting *list.List // of *guarded, the longest waiting first
}

// guarded is a connection that the guard counts.
type guarded struct {
	net.Conn

	guard *guard
	peer  string
	place *list.Element
}

// Accept returns the next connection that is within the limits.
func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if counted := g.take(c); counted != nil {
			return counted, nil
		}
		_ = c.Close() // the network holds too many; there is nobody to tell
	}
}

func (g *guard) take(c net.Conn) *guarded {
	peer := ""
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil && !g.server.trusted(a.Addr()) {
		peer = prefixOfAddr(a.Addr())
	}
	g.mu.Lock()
	if peer != "" && g.peers[peer] >= g.perPeer {
		g.mu.Unlock()
		return nil
	}
	var oldest *guarded
	if g.waiting.Len() >= g.most {
		oldest, _ = g.waiting.Front().Value.(*guarded)
		oldest.leave()
	}
	x := &guarded{Conn: c, guard: g, peer: peer}
	x.place = g.waiting.PushBack(x)
	if peer != "" {
		g.peers[peer]++
	}
	g.mu.Unlock()
	if oldest != nil {
		_ = oldest.Conn.Close()
	}
	return x
}

// leave takes the connection out of the count; the guard is locked.
func (x *guarded) leave() {
	if x.place == nil {
		return
	}
	x.guard.waiting.Remove(x.place)
	x.place = nil
	if x.peer == "" {
		return
	}
	if x.guard.peers[x.peer]--; x.guard.peers[x.peer] == 0 {
		delete(x.guard.peers, x.peer)
	}
}

// Write sends, and begins the wait anew.
func (x *guarded) Write(b []byte) (int, error) {
	n, err := x.Conn.Write(b)
	x.guard.mu.Lock()
	if x.place != nil {
		x.guard.waiting.MoveToBack(x.place)
	}
	x.guard.mu.Unlock()
	return n, err
}

// Close ends the connection.
func (x *guarded) Close() error {
	x.guard.mu.Lock()
	x.leave()
	x.guard.mu.Unlock()
	return x.Conn.Close()
}
