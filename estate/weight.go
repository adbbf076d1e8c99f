package estate

import (
	"fmt"
	"math"
	"runtime/debug"
	"sync/atomic"
)

// budget is how much memory an estate may take: what GOMEMLIMIT says or, where it
// says nothing, 4 GiB.
func budget() int64 {
	if most := debug.SetMemoryLimit(-1); most < math.MaxInt64 {
		return most
	}
	return 4 << 30
}

// A weight estimates from the text alone how much memory an estate takes.
type weight struct {
	documents int
	text      int64 // bytes
	kept      int64 // bytes that the snapshot, its text and the model of impact take
	tree      int64 // bytes that the YAML tree of the largest document takes
}

// What things take, in bytes, fitted to what bongsu audit was measured to take at
// most: 2.1 GB for 1.4 million tiny documents, 4.1 GB for 9 million needs in ten, both just
// below the limit; 1.7 GB for 300,000 components, which are estimated at 1.2 GiB.
const (
	perByte     = 2
	perDocument = 1500
	perItem     = 400 // of a list or a mapping in one line, or of a list in lines
	perField    = 250
	perBracket  = 150
	perAlias    = 400 // of each node that an alias repeats
	perNode     = 400 // of a YAML tree
)

// add adds a document. Each node of YAML but the first is written with one of the
// signs that are counted; signs in words and comments are counted too.
func (w *weight) add(p part) {
	var items, fields, brackets int64
	for i, c := range p.data {
		switch c {
		case ',':
			items++
		case ':':
			fields++
		case '[', '{':
			brackets++
		case '-', '?':
			if i+1 < len(p.data) && p.data[i+1] <= ' ' {
				items++
			}
		}
	}
	w.documents++
	w.text += int64(len(p.data))
	w.kept += perDocument + perByte*int64(len(p.data)) + perItem*items + perField*fields + perBracket*brackets
	w.tree = max(w.tree, perNode*(items+2*fields+brackets))
}

func (w *weight) bytes() int64 { return w.kept + w.tree }

// check refuses what takes more than most.
func (w *weight) check(most int64) *Error {
	if w.bytes() <= most {
		return nil
	}
	return &Error{
		Msg: fmt.Sprintf("the estate is too large: %d documents in %d MiB of text take about %s of memory",
			w.documents, w.text>>20, memory(w.bytes())),
		Want: fmt.Sprintf("at most %s; where the machine has more, set GOMEMLIMIT=%dGiB", memory(most), w.bytes()>>30+1),
	}
}

func memory(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// spare is how many nodes documents with aliases may have in what most leaves.
func (w *weight) spare(most int64) *atomic.Int64 {
	var n atomic.Int64
	n.Store((most - w.bytes()) / perAlias)
	return &n
}
