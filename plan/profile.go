package plan

import (
	"slices"
	"time"
)

// A profile says how much of one renewable resource is busy from when on.
// Neighbouring segments differ, so a resource that is busy throughout stays
// one segment however many steps it works on.
type profile struct {
	capacity int
	from     []time.Duration // from[0] is 0
	busy     []int           // busy[i] holds in [from[i], from[i+1]); the last is 0, for ever
}

func (p *profile) reset(capacity int) {
	p.capacity = capacity
	p.from = append(p.from[:0], 0)
	p.busy = append(p.busy[:0], 0)
}

// segment returns the segment that t lies in.
func (p *profile) segment(t time.Duration) int {
	i, ok := slices.BinarySearch(p.from, t)
	if !ok {
		i--
	}
	return i
}

// earliest returns the first start at or after ready from which n are free
// for so long. The caller has checked that n are there at all.
func (p *profile) earliest(ready, long time.Duration, n int) time.Duration {
	start := ready
	for i := p.segment(ready); i < len(p.from); i++ {
		if p.busy[i]+n > p.capacity {
			start = p.from[i+1] // the last segment is free, so there is a next
			continue
		}
		if i+1 == len(p.from) || p.from[i+1] >= start+long && p.from[i+1] > start {
			break
		}
	}
	return start
}

// reserve keeps n busy in [start, finish).
func (p *profile) reserve(start, finish time.Duration, n int) {
	if finish <= start {
		return
	}
	i := p.split(start)
	j := p.split(finish)
	for s := i; s < j; s++ {
		p.busy[s] += n
	}
	p.join(j)
	p.join(i)
}

// split makes t the beginning of a segment and returns that segment.
func (p *profile) split(t time.Duration) int {
	i := p.segment(t)
	if p.from[i] == t {
		return i
	}
	p.from = slices.Insert(p.from, i+1, t)
	p.busy = slices.Insert(p.busy, i+1, p.busy[i])
	return i + 1
}

// join merges segment i with the one before it when they are alike.
func (p *profile) join(i int) {
	if i > 0 && p.busy[i] == p.busy[i-1] {
		p.from = slices.Delete(p.from, i, i+1)
		p.busy = slices.Delete(p.busy, i, i+1)
	}
}
