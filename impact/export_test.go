package impact

import (
	"fmt"
	"slices"
)

// Same says where two sweeps differ, which must not be when neither loses anything.
func Same(a, b *Sweep) string {
	s, t := a.s, b.s
	for what, same := range map[string]bool{
		"val": slices.Equal(s.val, t.val), "flag": slices.Equal(s.flag, t.flag), "count": slices.Equal(s.count, t.count),
		"rank": slices.Equal(s.rank, t.rank), "living": slices.Equal(s.living, t.living), "direct": slices.Equal(s.direct, t.direct),
		"held": slices.Equal(s.held, t.held), "ran": slices.Equal(s.ran, t.ran), "stale": slices.Equal(s.stale, t.stale),
		"work": len(s.order)+len(s.queue)+len(s.ready)+len(s.dirty) == 0,
	} {
		if !same {
			return fmt.Sprint(what, " is not the same")
		}
	}
	return ""
}
