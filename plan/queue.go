package plan

// A queue is a binary heap: what comes before all else is first.
type queue[T interface{ Before(T) bool }] []T

func (q *queue[T]) push(x T) {
	h := append(*q, x)
	*q = h
	i := len(h) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !h[i].Before(h[p]) {
			return
		}
		h[i], h[p] = h[p], h[i]
		i = p
	}
}

func (q *queue[T]) pop() T {
	h := *q
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*q = h
	for i := 0; ; {
		k := 2*i + 1
		if k >= last {
			return first
		}
		if k+1 < last && h[k+1].Before(h[k]) {
			k++
		}
		if !h[k].Before(h[i]) {
			return first
		}
		h[i], h[k] = h[k], h[i]
		i = k
	}
}
