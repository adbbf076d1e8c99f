package cutset

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// A Cache keeps the families of modules by their content, so that after a change
// only the modules on its path are solved again: see [Options.Cache]. The zero value is ready to
// use, also from several goroutines. A call with a cache answers as one without.
type Cache struct {
	mu     sync.Mutex
	clock  int
	nodes  int
	solved int
	known  map[[sha256.Size]byte]*solved
}

// cacheNodes bounds what a cache keeps, at 12 bytes a node.
const cacheNodes = 4_000_000

// solved is the family of a part: nodes over the part's variables, numbered from 2
// in the order in which they were made, and what it took.
type solved struct {
	at       []int32 // variable of a node; below 0, the node that its family starts from
	lo, hi   []node
	root     node
	spans    []span // of the pieces, if it was divided
	need     int64  // effort without which it is not reached
	effort   int64
	steps    int64
	attempts int
	after    hint
	used     int // by the clock of the cache
}

// content is a hash of all that the family of a part depends on, and what it takes, besides the names of its variables.
func (p *part) content(k, budget int, h hint) [sha256.Size]byte {
	var b []byte
	put := func(n int32) { b = binary.AppendVarint(b, int64(n)) }
	b = binary.AppendVarint(b, int64(k))
	b = binary.AppendVarint(b, int64(budget))
	put(narrow(boolInt(h.known)))
	put(narrow(h.field))
	put(narrow(h.at))
	put(narrow(h.gates))
	put(narrow(len(p.names)))
	for _, w := range p.weight {
		put(w)
	}
	put(p.root)
	for i := range p.gates {
		g := &p.gates[i]
		b = append(b, g.kind)
		put(g.k)
		put(narrow(len(g.in)))
		for j, c := range g.in {
			put(c)
			if g.weight != nil {
				put(g.weight[j])
			}
		}
	}
	return sha256.Sum256(b)
}

// Solved returns how many modules had to be solved as the cache did not have them.
func (c *Cache) Solved() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.solved
}

// begin starts a call: what it uses counts as younger than what calls before it used.
func (c *Cache) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
}

func (c *Cache) find(key [sha256.Size]byte) *solved {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.known[key]
	if s != nil {
		s.used = c.clock
	}
	return s
}

// keep adds a family. When the cache is full, what the latest calls did not use goes.
func (c *Cache) keep(key [sha256.Size]byte, s *solved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.solved++
	if len(s.at) > cacheNodes || c.known[key] != nil {
		return
	}
	if c.nodes+len(s.at) > cacheNodes {
		for k, old := range c.known {
			if old.used < c.clock || c.nodes+len(s.at) > 2*cacheNodes {
				c.nodes -= len(old.at)
				delete(c.known, k)
			}
		}
	}
	if c.known == nil {
		c.known = map[[sha256.Size]byte]*solved{}
	}
	s.used = c.clock
	c.known[key] = s
	c.nodes += len(s.at)
}

// record takes the nodes of a part from the forest, those that were added since the mark.
func (f *forest) record(p *part, before mark, root node) *solved {
	from := narrow(before.nodes)
	s := &solved{root: f.local(root, from)}
	variable := make(map[name]int32, len(p.names))
	for i, m := range p.names {
		variable[m] = narrow(i)
	}
	for n := from; int(n) < len(f.leaf); n++ {
		v, ok := variable[name{f.leaf[n], f.sub[n]}]
		if !ok {
			v = -f.local(f.sub[n], from)
		}
		s.at = append(s.at, v)
		s.lo, s.hi = append(s.lo, f.local(f.lo[n], from)), append(s.hi, f.local(f.hi[n], from))
	}
	for _, x := range f.bounds[before.bounds:] {
		s.spans = append(s.spans, span{x.from - from + 2, x.to - from + 2, f.local(x.root, from)})
	}
	return s
}

// local is the number of a node within its part.
func (*forest) local(n, from node) node {
	if n <= one {
		return n
	}
	return n - from + 2
}

// replay adds the nodes of a part to the forest.
func (f *forest) replay(p *part, s *solved) node {
	moved := make([]node, len(s.at)+2)
	moved[one] = one
	from := narrow(len(f.leaf))
	for i, v := range s.at {
		m := name{-1, zero}
		if v >= 0 {
			m = p.names[v]
		} else {
			m.sub = moved[-v]
		}
		moved[i+2] = f.variable(m, moved[s.lo[i]], moved[s.hi[i]])
	}
	for _, x := range s.spans {
		f.bounds = append(f.bounds, span{x.from - 2 + from, x.to - 2 + from, moved[x.root]})
	}
	return moved[s.root]
}
