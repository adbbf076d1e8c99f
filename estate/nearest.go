package estate

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// nearest returns the choice that someone who typed name most likely meant, or
// "" when none is close: first by edit distance, then one that begins with the
// other, then one that contains the other; ties by length, then by name.
func nearest(name string, choices iter.Seq[string]) string {
	n := utf8.RuneCountInString(name)
	if n == 0 || n > 256 {
		return ""
	}
	var (
		limit    = max(1, n/3)
		from     = []rune(strings.ToLower(name))
		lower    = string(from)
		best     string
		bestRank = [3]int{1 << 30, 0, 0}
		rows     [3][]int
	)
	for c := range choices {
		length := utf8.RuneCountInString(c)
		rank := [3]int{1 << 30, length, 0}
		if length-n <= limit && n-length <= limit {
			if d := distance(from, []rune(strings.ToLower(c)), limit, &rows); d <= limit {
				rank[0] = d
			}
		}
		if rank[0] == 1<<30 && min(n, length) >= 3 {
			switch l := strings.ToLower(c); {
			case strings.HasPrefix(l, lower) || strings.HasPrefix(lower, l):
				rank[0] = 1000
			case strings.Contains(l, lower) || strings.Contains(lower, l):
				rank[0] = 1001
			}
			if rank[0] != 1<<30 {
				rank[1] = max(length-n, n-length)
			}
		}
		if rank[0] == 1<<30 {
			continue
		}
		if o := slices.Compare(rank[:], bestRank[:]); o < 0 || o == 0 && c < best {
			best, bestRank = c, rank
		}
	}
	return best
}

// distance is the number of edits (insert, delete, replace, swap two neighbours)
// that turn a into b, or more than limit as soon as it must be.
func distance(a, b []rune, limit int, rows *[3][]int) int {
	for i := range rows {
		if cap(rows[i]) <= len(b) {
			rows[i] = make([]int, len(b)+16)
		}
		rows[i] = rows[i][:len(b)+1]
	}
	before, prev, cur := rows[0], rows[1], rows[2]
	for j := range prev {
		prev[j] = j
	}
	for i := range a {
		cur[0] = i + 1
		least := cur[0]
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(prev[j]+cost, prev[j+1]+1, cur[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			cur[j+1] = d
			least = min(least, d)
		}
		if least > limit {
			return limit + 1
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
