package cutsettest

import (
	"slices"

	"bongsu/cutset"
)

// some returns n different ones of the given inputs.
func (b *builder) some(n int, of []cutset.Ref) []cutset.Ref {
	of = slices.Clone(of)
	b.r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of[:min(n, len(of))]
}

// pick returns one of the given inputs.
func (b *builder) pick(of []cutset.Ref) cutset.Ref { return of[b.r.IntN(len(of))] }

// leavesFor returns n new leaves.
func (b *builder) leavesFor(n int) []cutset.Ref {
	out := make([]cutset.Ref, n)
	for i := range out {
		out[i] = b.leaf()
	}
	return out
}

// common returns, for each of n like parts, what fails it: an event of its own and
// one for every set of two and of three parts and for all that fail by one cause.
func (b *builder) common(n int) [][]cutset.Ref {
	out := make([][]cutset.Ref, n)
	for m := 1; m < 1<<n; m++ {
		e := b.leaf()
		for i := range n {
			if m>>i&1 == 1 {
				out[i] = append(out[i], e)
			}
		}
	}
	return out
}

// plant is a power station: divisions of supports that lean on each other, front-line
// systems with a train in each, and an event tree whose sequences are a few systems in a fixed order.
func (b *builder) plant(gates int) {
	divisions := 2
	if gates > 60 {
		divisions += b.r.IntN(3)
	}
	or := func(in ...cutset.Ref) cutset.Ref { return b.gate(cutset.Or, 0, in...) }
	and := func(in ...cutset.Ref) cutset.Ref { return b.gate(cutset.And, 0, in...) }
	grid := b.leaf()
	power, cooling, signal := make([]cutset.Ref, divisions), make([]cutset.Ref, divisions), make([]cutset.Ref, divisions)
	diesel, pump, sensor := b.common(divisions), b.common(divisions), b.common(divisions)
	for d := range divisions {
		battery := or(b.leaf(), b.leaf())
		start := or(append(diesel[d], b.leaf(), battery)...)
		bus := or(and(or(grid, b.leaf()), start), b.leaf())
		cooling[d] = or(append(pump[d], bus, or(b.leavesFor(2)...))...)
		power[d] = or(bus, and(cooling[d], b.leaf()), b.leaf())
		signal[d] = or(append(sensor[d], and(battery, bus), b.leaf())...)
	}
	vote := b.gate(cutset.AtLeast, 2, signal...)
	if divisions == 2 {
		vote = and(signal...)
	}
	tank := or(b.leavesFor(2)...)
	var systems []cutset.Ref
	for len(b.t.Gates) < gates*4/5 || len(systems) < 2 {
		valves := b.common(divisions)
		trains := make([]cutset.Ref, divisions)
		for d := range trains {
			segment := func() cutset.Ref {
				in := append(b.leavesFor(1+b.r.IntN(4)), []cutset.Ref{power[d], cooling[d], signal[d], vote}[b.r.IntN(4)])
				return or(in...)
			}
			line := or(append(valves[d], segment(), power[d])...)
			if b.r.IntN(2) == 0 {
				line = or(line, and(segment(), segment()))
			}
			if b.r.IntN(3) == 0 {
				line = or(line, tank)
			}
			trains[d] = line
		}
		s := b.gate(cutset.AtLeast, max(2, divisions-b.r.IntN(2)), trains...)
		if b.r.IntN(2) == 0 {
			s = or(s, and(b.leaf(), or(vote, b.leaf())))
		}
		systems = append(systems, s)
	}
	var sequences []cutset.Ref
	for start := 0; len(b.t.Gates) < gates-1 || len(sequences) < 3; start++ {
		in := []cutset.Ref{b.leaf()}
		at := start % len(systems)
		for range 1 + b.r.IntN(3) {
			in = append(in, systems[at%len(systems)])
			at += 1 + b.r.IntN(2)
		}
		sequences = append(sequences, and(in...))
	}
	b.t.Top = or(sequences...)
}

// quad is a protection system: functions of four channels each, with events that
// fail two or three of them, cross-connected boards, and a vote in pairs at the end.
func (b *builder) quad(gates int) {
	const n = 4
	or := func(in ...cutset.Ref) cutset.Ref { return b.gate(cutset.Or, 0, in...) }
	and := func(in ...cutset.Ref) cutset.Ref { return b.gate(cutset.And, 0, in...) }
	twice := [2]cutset.Ref{or(b.leavesFor(2)...), or(b.leavesFor(2)...)}
	stage := make([]cutset.Ref, n)
	for d := range stage {
		stage[d] = or(b.leavesFor(2)...)
	}
	var outputs [][]cutset.Ref
	for len(b.t.Gates) < gates-16 {
		next := make([]cutset.Ref, n)
		shared, bays := b.common(n), b.common(n)
		bypass := b.leaf()
		for d := range next {
			board := or(shared[d]...)
			supply := or(and(or(b.leaf(), bypass), and(twice[0], twice[1])), b.leaf())
			in := []cutset.Ref{board, supply}
			if b.r.IntN(2) == 0 {
				in = append(in, or(bays[d]...))
			}
			switch b.r.IntN(3) {
			case 0:
				in = append(in, and(stage[d], stage[(d+1)%n]))
			case 1:
				in = append(in, and(stage[d], b.leaf()))
			default:
				in = append(in, and(or(stage[d], b.leaf()), or(stage[(d+2)%n], b.leaf())))
			}
			next[d] = or(in...)
		}
		outputs = append(outputs, next)
		stage = next
		if b.r.IntN(4) == 0 {
			stage = slices.Clone(b.pickRow(outputs))
		}
	}
	final := make([]cutset.Ref, n)
	for d := range final {
		var in []cutset.Ref
		for _, row := range outputs[max(0, len(outputs)-3):] {
			in = append(in, row[d])
		}
		final[d] = or(in...)
	}
	b.t.Top = b.gate(cutset.AtLeast, 3, final...)
}

func (b *builder) pickRow(of [][]cutset.Ref) []cutset.Ref { return of[b.r.IntN(len(of))] }

// pairs is an electrical board in which everything is doubled: (x or a) and (x or b),
// nested in halves, with the same boards tapped from several places.
func (b *builder) pairs(gates int) {
	both := func(x cutset.Ref) cutset.Ref {
		return b.gate(cutset.And, 0, b.gate(cutset.Or, 0, x, b.leaf()), b.gate(cutset.Or, 0, x, b.leaf()))
	}
	source := func() cutset.Ref {
		x := b.leaf()
		return b.gate(cutset.And, 0, b.gate(cutset.Or, 0, x, b.leaf()), b.gate(cutset.Or, 0, x, b.leaf()))
	}
	boards := []cutset.Ref{source(), source(), source()}
	for len(b.t.Gates) < gates-9 {
		feed := b.pick(boards[max(0, len(boards)-6):])
		if b.r.IntN(3) == 0 {
			feed = b.gate(cutset.And, 0, b.some(2+b.r.IntN(2), boards[max(0, len(boards)-6):])...)
		}
		up := b.gate(cutset.Or, 0, feed, b.leaf())
		board := both(up)
		if b.r.IntN(2) == 0 {
			board = b.gate(cutset.And, 0, board, both(b.gate(cutset.Or, 0, feed, b.leaf())))
		}
		boards = append(boards, board)
	}
	b.t.Top = b.gate(cutset.And, 0, b.some(3, boards[max(0, len(boards)-5):])...)
}

// script draws gates as generators of test trees do: a few inputs each, mostly private,
// and a tenth of the events and gates common to several parents anywhere above.
func (b *builder) script(gates int) {
	var leaves, made []cutset.Ref
	free := 0
	for len(b.t.Gates) < gates-1 {
		n := 2 + b.r.IntN(4)
		var in []cutset.Ref
		for range n {
			switch x := b.r.IntN(20); {
			case x < 9 && free < len(made):
				in = append(in, made[free])
				free++
			case x < 10 && len(made) > 0:
				in = append(in, b.pick(made))
			case x < 12 && len(leaves) > 0:
				in = append(in, b.pick(leaves))
			default:
				e := b.leaf()
				leaves = append(leaves, e)
				in = append(in, e)
			}
		}
		op, k := cutset.Or, 0
		switch b.r.IntN(9) {
		case 0, 1, 2, 3:
			op = cutset.And
		case 4:
			op, k = cutset.AtLeast, 2
		}
		made = append(made, b.gate(op, k, in...))
	}
	b.t.Top = b.gate(cutset.Or, 0, made[free:]...)
}

// voters is a control chain: each stage votes two out of three over modules that
// have events of their own and read one of the last few stages.
func (b *builder) voters(gates int) {
	stages := []cutset.Ref{b.leaf(), b.leaf(), b.leaf()}
	for len(b.t.Gates) < gates-1 {
		modules := make([]cutset.Ref, 3)
		power := b.use()
		for i := range modules {
			modules[i] = b.gate(cutset.Or, 0, b.leaf(), b.pick(stages[max(0, len(stages)-4):]))
			if b.r.IntN(3) == 0 {
				modules[i] = b.gate(cutset.Or, 0, modules[i], power)
			}
		}
		stages = append(stages, b.gate(cutset.AtLeast, 2, modules...))
	}
	b.t.Top = b.gate(cutset.Or, 0, stages[max(0, len(stages)-3):]...)
}

// ring is a distribution grid: rings of stations between two feeders. A consumer is
// cut off if its station fails, or something on both ways round.
func (b *builder) ring(gates int) {
	feeders := b.leavesFor(4)
	for i, f := range feeders {
		feeders[i] = b.gate(cutset.Or, 0, f, b.leaf(), b.gate(cutset.And, 0, b.leaf(), b.leaf()))
	}
	var consumers []cutset.Ref
	for len(b.t.Gates) < gates*9/10 {
		n := 4 + b.r.IntN(9)
		left, right := b.pick(feeders), b.pick(feeders)
		stations := b.leavesFor(n)
		up, down := make([]cutset.Ref, n), make([]cutset.Ref, n)
		for i := range n {
			before := left
			if i > 0 {
				before = b.gate(cutset.Or, 0, up[i-1], stations[i-1])
			}
			up[i] = b.gate(cutset.Or, 0, before, b.leaf())
		}
		for i := n - 1; i >= 0; i-- {
			after := right
			if i < n-1 {
				after = b.gate(cutset.Or, 0, down[i+1], stations[i+1])
			}
			down[i] = b.gate(cutset.Or, 0, after, b.leaf())
		}
		for range 1 + b.r.IntN(3) {
			i := b.r.IntN(n)
			consumers = append(consumers, b.gate(cutset.Or, 0, stations[i], b.gate(cutset.And, 0, up[i], down[i])))
		}
		if b.r.IntN(3) == 0 { // the next ring hangs on this one
			feeders[b.r.IntN(len(feeders))] = consumers[len(consumers)-1]
		}
	}
	var areas []cutset.Ref
	for len(b.t.Gates) < gates-1 {
		areas = append(areas, b.gate(cutset.AtLeast, 2, b.some(3+b.r.IntN(2), consumers)...))
	}
	b.t.Top = b.gate(cutset.Or, 0, append(areas, b.gate(cutset.And, 0, b.some(3, consumers)...))...)
}

// linked is an event tree: initiators that may fail supports too, and functions of k out of n
// trains with common-cause groups over supports that lean on each other.
func (b *builder) linked(gates int) {
	or := func(in ...cutset.Ref) cutset.Ref { return b.gate(cutset.Or, 0, in...) }
	initiators := b.leavesFor(3 + gates/100)
	var supports []cutset.Ref
	for len(b.t.Gates) < gates/6 || len(supports) < 4 {
		in := b.leavesFor(1 + b.r.IntN(3))
		if b.r.IntN(3) == 0 {
			in = append(in, b.pick(initiators))
		}
		if len(supports) > 0 {
			in = append(in, b.pick(supports[max(0, len(supports)-5):]))
		}
		s := or(in...)
		if b.r.IntN(3) == 0 { // backed up
			s = b.gate(cutset.And, 0, s, or(b.leavesFor(2)...))
		}
		supports = append(supports, s)
	}
	var functions []cutset.Ref
	for len(b.t.Gates) < gates*5/6 || len(functions) < 3 {
		n := 2 + b.r.IntN(3)
		ccf := b.common(n)
		trains := make([]cutset.Ref, n)
		at := b.r.IntN(len(supports))
		for i := range trains {
			valves := or(b.leaf(), b.gate(cutset.And, 0, b.leaf(), b.leaf()))
			trains[i] = or(append(ccf[i], b.leaf(), valves, supports[(at+i)%len(supports)])...)
		}
		functions = append(functions, or(b.leaf(), b.gate(cutset.AtLeast, max(2, n-b.r.IntN(2)), trains...)))
	}
	var sequences []cutset.Ref
	for len(b.t.Gates) < gates-1 || len(sequences) < len(initiators) {
		in := append(b.some(2+b.r.IntN(3), functions), b.pick(initiators))
		sequences = append(sequences, b.gate(cutset.And, 0, in...))
	}
	b.t.Top = or(sequences...)
}
