package public

import (
	"sync"
	"time"
)

// A surge says whether so many reports come that each has to cost its sender some
// work. It begins at a rate, and ends only after the rate was a third of that for five
// minutes: who attacks in waves does not turn it off between them.
type surge struct {
	on   int // reports a minute; negative: never
	work int // rounds of one try

	mu     sync.Mutex
	minute int64
	now    int // of this minute
	last   int // of the minute before
	active bool
	calm   int // minutes in a row that were calm
}

const calmMinutes = 5

func newSurge(on, work int) *surge { return &surge{on: on, work: work} }

// note counts a report, and says whether a proof is asked for.
func (s *surge) note(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	s.now++
	if s.on > 0 && s.now >= s.on {
		s.active, s.calm = true, 0
	}
	return s.active
}

// asks says whether a proof is asked for.
func (s *surge) asks(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	return s.active
}

// turn goes on to the minute of now.
func (s *surge) turn(now time.Time) {
	m := now.Unix() / 60
	gone := m - s.minute
	if gone <= 0 {
		return
	}
	if s.now*3 >= s.on {
		s.calm = 0
	} else {
		s.calm++
	}
	s.last = 0
	if gone == 1 {
		s.last = s.now
	}
	s.calm += int(min(gone-1, calmMinutes)) // minutes in which nothing came
	s.minute, s.now = m, 0
	if s.calm >= calmMinutes {
		s.active = false
	}
}

// cost is how dear a proof is: more under a flood of many times the rate.
func (s *surge) cost() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on > 0 && max(s.now, s.last) > 10*s.on {
		return min(4*s.work, mostProofCost)
	}
	return s.work
}
