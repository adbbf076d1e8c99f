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
	at       []int32 // variable of a node
	lo, hi   []node
	root     node
	need     int64 // effort without which it is not reached
	effort   int64
	steps    int64
	attempts int
	used     int // by the clock of the cache
}

// content is a hash of all that the family of a part depends on, besides the names of its variables.
func (p *part) content(k, budget int) [sha256.Size]byte {
	var b []byte
	put := func(n int32) { b = binary.AppendVarint(b, int64(n)) }
	b = binary.AppendVarint(b, int64(k))
	b = binary.AppendVarint(b, int64(budget))
	put(narrow(len(p.vars)))
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

// record takes the nodes of a part from the forest, from node number from on.
func (f *forest) record(p *part, origin []int32, from, root node) *solved {
	s := &solved{root: f.local(root, from)}
	variable := make(map[[2]int32]int32, len(p.vars))
	for i, v := range p.vars {
		if int(v) < len(origin)+2 {
			variable[[2]int32{origin[v-2], 0}] = narrow(i)
		} else {
			variable[[2]int32{-1, f.roots[v]}] = narrow(i)
		}
	}
	for n := from; int(n) < len(f.leaf); n++ {
		s.at = append(s.at, variable[[2]int32{f.leaf[n], f.sub[n]}])
		s.lo, s.hi = append(s.lo, f.local(f.lo[n], from)), append(s.hi, f.local(f.hi[n], from))
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
func (f *forest) replay(p *part, origin []int32, s *solved) node {
	moved := make([]node, len(s.at)+2)
	moved[one] = one
	for i, v := range s.at {
		moved[i+2] = f.variable(p.vars[v], origin, moved[s.lo[i]], moved[s.hi[i]])
	}
	return moved[s.root]
}
