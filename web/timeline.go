package web

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A timeline is the picture of a run, worked out to the last coordinate, so that
// the template only draws. Planned and actual lie on one scale of seconds from
// the loss, in a lane for each site.
type timeline struct {
	Width, Height int
	Ticks         []tick
	Lanes         []lane
	Bars          []bar
	HasNow        bool
	NowX          string
	NowY          int
	Links         []link // from each step to those that wait for it
	More          int    // steps that are in the table only
}

// A link is the line between a step and one that it waits for.
type link struct {
	Path     string
	Critical bool
}

type tick struct {
	X       string
	Seconds float64
}

type lane struct {
	Name             string
	Y, Height, TextY int
}

// A bar is one step: a thin one as planned, a thick one as it was.
type bar struct {
	ID            string
	State         State
	Start, Finish float64
	Begun         *float64
	End           float64
	Critical      bool

	PX, PW, AX, AW string
	Y, PH, AY, AH  int
	Label, LabelX  string
	WaitsFor       string
	After          []string
	LabelY         int
	LabelEnd       bool // the label ends at LabelX instead of beginning there
	Mark           bool
	MX             string
	MY             int
}

// Sizes of the picture. Above mostRows steps the rows are packed and bare; the
// table below the picture has every step either way.
const (
	lineWidth  = 1120
	lineLeft   = 12
	lineRight  = 30
	headHeight = 24
	laneHead   = 20
	rowHeight  = 26
	packedRow  = 10
	mostRows   = 60
	mostDrawn  = 1500 // steps in the picture at all
)

// Lanes of the picture: what the steps of one lane have in common.
const (
	lanesBySite = "site"
	lanesByCrew = "crew"
)

// laneOf is the lane of a step.
func laneOf(s *Step, by string) string {
	if by != lanesByCrew {
		return cmp.Or(s.Site, s.At, "–")
	}
	for _, u := range slices.Sorted(maps.Keys(s.Uses)) {
		if crew, ok := strings.CutPrefix(u, "crew/"); ok {
			return crew
		}
	}
	return "–"
}

// drawn are the steps that the picture shows: all, or where there are too many those
// that somebody looks for first.
func drawn(all []Step) []Step {
	if len(all) <= mostDrawn {
		return all
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Step) int {
		first := func(s Step) int {
			if s.Critical {
				return -1
			}
			return attention(s.State)
		}
		return cmp.Compare(first(a), first(b))
	})
	return all[:mostDrawn]
}

// attention puts the steps first that somebody should look at.
func attention(s State) int {
	if i := slices.Index([]State{StateWaiting, StateFailed, StateUnknown, StateRunning, StatePending, StateSkipped, StateDone, StateSuperseded}, s); i >= 0 {
		return i
	}
	return 0
}

func drawTimeline(r *Run, now time.Time, by string) *timeline {
	t := &timeline{Width: lineWidth}
	if len(r.Steps) == 0 {
		return t
	}
	shown := drawn(r.Steps)
	t.More = len(r.Steps) - len(shown)
	at := now.Sub(r.LostAt).Seconds()
	live := r.Ended == nil && r.Started != nil
	var end float64
	for _, s := range r.Steps {
		end = max(end, s.Finish)
		if s.Ended != nil {
			end = max(end, *s.Ended)
		} else if s.Begun != nil {
			end = max(end, at)
		}
	}
	if live {
		end = max(end, at)
	}
	end = max(end, 1)
	scale := float64(lineWidth-lineLeft-lineRight) / end
	x := func(s float64) float64 { return lineLeft + max(s, 0)*scale }

	for s, step := 0.0, tickStep(end); s <= end; s += step {
		t.Ticks = append(t.Ticks, tick{X: px(x(s)), Seconds: s})
	}
	lanes := make(map[string][]Step)
	for i := range shown {
		name := laneOf(&shown[i], by)
		lanes[name] = append(lanes[name], shown[i])
	}
	packed := len(r.Steps) > mostRows
	row, y := rowHeight, headHeight
	if packed {
		row = packedRow
	}
	for _, name := range slices.Sorted(maps.Keys(lanes)) {
		steps := lanes[name]
		slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID)) })
		ln := lane{Name: name, Y: y, TextY: y + 14}
		rows := 0
		var free []float64 // when each packed row is free again
		for _, s := range steps {
			b := barOf(s, at, live)
			n := rows
			if packed {
				if n = slices.IndexFunc(free, func(f float64) bool { return f <= min(b.Start, b.from()) }); n < 0 {
					n = len(free)
					free = append(free, 0)
				}
				free[n] = max(b.Finish, b.End)
			}
			rows = max(rows, n+1)
			b.place(y+laneHead+n*row, packed, x)
			t.Bars = append(t.Bars, b)
		}
		ln.Height = laneHead + rows*row + 4
		y += ln.Height
		t.Lanes = append(t.Lanes, ln)
	}
	if !packed {
		t.connect(x)
	}
	t.Height = y + 18
	if live {
		t.HasNow, t.NowX, t.NowY = true, px(x(at)), t.Height-5
	}
	return t
}

// connect draws what waits for what. The line leaves where the first ends and
// arrives where the next begins.
func (t *timeline) connect(x func(float64) float64) {
	byID := make(map[string]*bar, len(t.Bars))
	for i := range t.Bars {
		byID[t.Bars[i].ID] = &t.Bars[i]
	}
	for i := range t.Bars {
		to := &t.Bars[i]
		for _, id := range to.After {
			from := byID[id]
			if from == nil {
				continue
			}
			x1, y1, x2, y2 := x(from.Finish), float64(from.Y)+2, x(to.Start), float64(to.Y)+2
			if from.Begun != nil {
				x1, y1 = x(from.End), float64(from.AY)+4
			}
			if to.Begun != nil {
				x2, y2 = x(*to.Begun), float64(to.AY)+4
			}
			bend := max(14, (x2-x1)/2)
			t.Links = append(t.Links, link{
				Path:     "M" + px(x1) + " " + px(y1) + "C" + px(x1+bend) + " " + px(y1) + " " + px(x2-bend) + " " + px(y2) + " " + px(x2) + " " + px(y2),
				Critical: from.Critical && to.Critical,
			})
		}
	}
}

func barOf(s Step, at float64, live bool) bar {
	b := bar{ID: s.ID, State: s.State, Start: s.Start, Finish: s.Finish, Begun: s.Begun, Critical: s.Critical, After: s.After}
	if s.State == StatePending {
		b.WaitsFor = s.WaitsFor
	}
	b.Label = call(s.Title, s.Component) + " · " + s.Action
	if s.Begun != nil {
		b.End = *s.Begun
		if s.Ended != nil {
			b.End = *s.Ended
		} else if live {
			b.End = max(at, *s.Begun)
		}
	}
	return b
}

func (b *bar) from() float64 {
	if b.Begun != nil {
		return *b.Begun
	}
	return b.Start
}

func (b *bar) place(y int, packed bool, x func(float64) float64) {
	width := func(from, to float64) string { return px(max(x(to)-x(from), 2)) }
	b.Y, b.PH, b.AY, b.AH = y+2, 5, y+9, 11
	if packed {
		b.PH, b.AY, b.AH = 2, y+4, 4
	}
	b.PX, b.PW = px(x(b.Start)), width(b.Start, b.Finish)
	if b.Begun != nil {
		b.AX, b.AW = px(x(*b.Begun)), width(*b.Begun, b.End)
	}
	if packed {
		b.Label = ""
		return
	}
	b.Mark = true
	right := x(max(b.Finish, b.End))
	left := x(min(b.Start, b.from()))
	b.LabelY, b.MY = y+16, y+6
	// A label goes where there is more room for it: after the bar, or before it.
	if right > lineWidth*0.68 && left > lineWidth-right {
		b.LabelEnd = true
		b.MX, b.LabelX = px(left-17), px(left-22)
	} else {
		b.MX, b.LabelX = px(right+5), px(right+21)
	}
}

// px writes a coordinate with one decimal: enough for a screen, and the same
// bytes on every machine.
func px(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// tickStep is the round step that gives at most nine marks.
func tickStep(end float64) float64 {
	for _, s := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800} {
		if end/s <= 9 {
			return s
		}
	}
	return 604800
}
