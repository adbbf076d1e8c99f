package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/impact"
	"bongsu/internal/kv"
)

// The keys, all below "audit/".
const (
	keyHead = "audit/head"
	keyData = "audit/data/" // and the sum of the history, a slash, the piece, five digits
)

const (
	pieceBytes    = 256 << 10 // of a value
	piecesPerTxn  = 3         // so that a transaction stays below kv.MaxBytes
	mostStored    = 256 << 20 // of a history, unpacked: more is damage
	storedVersion = 1
)

// storedHead is the value of keyHead: where the history is that counts.
type storedHead struct {
	V      int    `json:"v"`
	Number int64  `json:"number"` // of the revision that was audited last
	Sum    string `json:"sum"`    // SHA-256 of the history, in hex
	Pieces int    `json:"pieces"` // of its gzip
}

// storedHistory is a history; the findings name revisions by number.
type storedHistory struct {
	V            int             `json:"v"`
	Marks        []storedMark    `json:"marks"`
	Audits       []storedAudit   `json:"audits"`
	Losses       []string        `json:"losses,omitempty"`
	Services     []storedRow     `json:"services,omitempty"`
	Standing     []storedFinding `json:"standing,omitempty"`
	Brief        []storedBrief   `json:"brief,omitempty"`
	Fixed        []storedFinding `json:"fixed,omitempty"`
	Implied      []storedBrief   `json:"implied,omitempty"`
	OtherLosses  []string        `json:"otherLosses,omitempty"`
	Idle         []storedWaiver  `json:"idle,omitempty"`
	MoreWaivers  int             `json:"moreWaivers,omitempty"`
	MoreLosses   int             `json:"moreLosses,omitempty"`
	MoreServices int             `json:"moreServices,omitempty"`
	MoreFindings int             `json:"moreFindings,omitempty"`
	MoreFixed    int             `json:"moreFixed,omitempty"`
}

type storedMark struct {
	Number int64     `json:"n"`
	Rev    string    `json:"rev"`
	Who    string    `json:"who,omitempty"`
	At     time.Time `json:"at"`
}

type storedAudit struct {
	storedMark

	Judged   time.Time `json:"judged"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Infos    int       `json:"infos"`
	Waived   int       `json:"waived"`
	Opened   int       `json:"opened"`
	Fixed    int       `json:"fixed"`
}

type storedRow struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Users int64  `json:"users"`
	// A letter for each loss: u up, d degraded, b returns, r recoverable, x
	// unrecoverable; a capital is late.
	States string    `json:"states"`
	After  []float64 `json:"after,omitempty"` // of those that are b or r, in order
}

type storedBrief struct {
	ID       string   `json:"id"`
	Severity Severity `json:"s"`
	Opened   int64    `json:"o"`
}

type storedFinding struct {
	ID       string       `json:"id"`
	Severity Severity     `json:"severity"`
	Sentence string       `json:"sentence,omitempty"`
	Users    int64        `json:"users,omitempty"`
	File     string       `json:"file,omitempty"`
	Line     int          `json:"line,omitempty"`
	Opened   int64        `json:"opened"`
	Fixed    int64        `json:"fixed,omitempty"`
	Words    []string     `json:"words,omitempty"`
	Blocking [][]string   `json:"blocking,omitempty"`
	Cycle    []string     `json:"cycle,omitempty"`
	Path     []storedStep `json:"path,omitempty"`
	Domains  []string     `json:"domains,omitempty"`
	Services []string     `json:"services,omitempty"`
	Fix      string       `json:"fix,omitempty"`
	Cost     float64      `json:"cost,omitempty"`
	Owner    string       `json:"owner,omitempty"` // of a waiver, with the next two
	Reason   string       `json:"reason,omitempty"`
	Until    string       `json:"until,omitempty"`
	Graph    *storedGraph `json:"graph,omitempty"`
}

type storedWaiver struct {
	Subject string `json:"subject"`
	Rule    string `json:"rule"`
	Loss    string `json:"loss,omitempty"`
	Owner   string `json:"owner"`
	File    string `json:"file"`
	Line    int    `json:"line"`
}

type storedStep struct {
	ID     string  `json:"id"`
	Start  float64 `json:"start"`
	Finish float64 `json:"finish"`
}

type storedGraph struct {
	Nodes  []storedNode  `json:"nodes"`
	Arrows []storedArrow `json:"arrows"`
}

type storedNode struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Kind  string `json:"kind"`
	Lost  bool   `json:"lost,omitempty"`
	Level int    `json:"level,omitempty"`
}

type storedArrow struct {
	From   int    `json:"f"`
	To     int    `json:"t"`
	Why    string `json:"w"`
	Action string `json:"a,omitempty"`
}

// A Place is where a stored history is: what [Keep] needs to know that nobody wrote
// another one meanwhile, and by which a reader knows one that it has read before.
type Place struct {
	Number   int64 // of the revision that was audited last; 0: nothing is stored
	sum      string
	pieces   int
	modified int64
}

// At says where the history is, without reading it.
func At(ctx context.Context, st kv.Store) (Place, error) {
	e, ok, err := st.Get(ctx, keyHead)
	if err != nil {
		return Place{}, fmt.Errorf("read where the history of the audit is: %w", err)
	}
	if !ok {
		return Place{}, nil
	}
	var h storedHead
	if err := json.Unmarshal(e.Value, &h); err != nil {
		return Place{}, fmt.Errorf("%s holds no history of the audit: %w", keyHead, err)
	}
	if h.V != storedVersion {
		return Place{}, fmt.Errorf("%s has version %d, but this program knows version %d only; use the program that wrote it", keyHead, h.V, storedVersion)
	}
	return Place{h.Number, h.Sum, h.Pieces, e.Modified}, nil
}

// Read returns the history at a place. One that was replaced meanwhile is a
// [kv.ErrConflict]: ask [At] again.
func Read(ctx context.Context, st kv.Store, p Place) (*History, error) {
	if p.Number == 0 {
		return &History{}, nil
	}
	var packed []byte
	for i := range p.pieces {
		e, ok, err := st.Get(ctx, pieceKey(p.sum, i))
		if err != nil {
			return nil, fmt.Errorf("read the history of the audit: %w", err)
		}
		if !ok {
			return nil, fmt.Errorf("read the history of the audit: %w", kv.ErrConflict)
		}
		packed = append(packed, e.Value...)
	}
	data, err := kv.Unpack(packed, mostStored)
	if err != nil {
		return nil, fmt.Errorf("the history of the audit is damaged: %w", err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.sum {
		return nil, errors.New("the history of the audit is damaged: its sum does not match")
	}
	return decodeHistory(data)
}

// Keep makes h the history, in place of the one at p. It is there as a whole or not at
// all: pieces that a writer left that died on the way are never read, and go with the
// next write. The error is [kv.ErrConflict] when somebody wrote another one since p,
// and [kv.ErrFenced] when the store's fence is gone.
func Keep(ctx context.Context, st kv.Store, p Place, h *History) (Place, error) {
	last, ok := h.Last()
	if !ok {
		return Place{}, errors.New("a history without an audit is none to keep")
	}
	data := encodeHistory(h)
	sum := sha256.Sum256(data)
	packed, err := kv.Pack(data)
	if err != nil {
		return Place{}, fmt.Errorf("compress the history of the audit: %w", err)
	}
	head := storedHead{V: storedVersion, Number: last.Number, Sum: hex.EncodeToString(sum[:])}
	same := []kv.Cond{{Key: keyHead, Modified: p.modified}}
	var ops []kv.Op
	for piece := range slices.Chunk(packed, pieceBytes) {
		ops = append(ops, kv.Op{Key: pieceKey(head.Sum, head.Pieces), Value: piece})
		head.Pieces++
	}
	for some := range slices.Chunk(ops, piecesPerTxn) {
		if _, err := st.Commit(ctx, kv.Txn{If: same, Do: some}); err != nil {
			return Place{}, fmt.Errorf("store the history of the audit: %w", err)
		}
	}
	modified, err := st.Commit(ctx, kv.Txn{If: same, Do: []kv.Op{{Key: keyHead, Value: encode(head)}}})
	if err != nil {
		return Place{}, fmt.Errorf("store the history of the audit: %w", err)
	}
	now := Place{head.Number, head.Sum, head.Pieces, modified}
	if err := drop(ctx, st, now); err != nil && !errors.Is(err, kv.ErrConflict) {
		return now, fmt.Errorf("the history of the audit is stored, but the one before could not be dropped: %w", err)
	}
	return now, nil
}

// drop deletes every piece that is not of the history at p, as long as that is the
// one that counts.
func drop(ctx context.Context, st kv.Store, p Place) error {
	found, _, err := st.List(ctx, keyData)
	if err != nil {
		return err
	}
	var ops []kv.Op
	for _, e := range found {
		if !strings.HasPrefix(e.Key, keyData+p.sum+"/") {
			ops = append(ops, kv.Op{Key: e.Key, Delete: true})
		}
	}
	for some := range slices.Chunk(ops, 100) {
		if _, err := st.Commit(ctx, kv.Txn{If: []kv.Cond{{Key: keyHead, Modified: p.modified}}, Do: some}); err != nil {
			return err
		}
	}
	return nil
}

func pieceKey(sum string, i int) string { return fmt.Sprintf("%s%s/%05d", keyData, sum, i) }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // unreachable: the stored structs hold numbers, strings and times only
	}
	return b
}

func encodeHistory(h *History) []byte {
	s := storedHistory{
		V: storedVersion, Losses: h.Losses, OtherLosses: h.OtherLosses,
		MoreLosses: h.MoreLosses, MoreServices: h.MoreServices, MoreFindings: h.MoreFindings, MoreFixed: h.MoreFixed,
		MoreWaivers: h.MoreWaivers,
	}
	for _, w := range h.WaivesNothing {
		s.Idle = append(s.Idle, storedWaiver{w.Subject, w.Rule, w.Loss, w.Owner, w.File, w.Line})
	}
	for _, m := range h.marks() {
		s.Marks = append(s.Marks, storedMark(m))
	}
	for _, a := range h.Audits {
		s.Audits = append(s.Audits, storedAudit{storedMark(a.Mark), a.Judged, a.Errors, a.Warnings, a.Infos, a.Waived, a.Opened, a.Fixed})
	}
	for i := range h.Services {
		s.Services = append(s.Services, storeRow(&h.Services[i]))
	}
	for i := range h.Standing {
		s.Standing = append(s.Standing, storeFinding(&h.Standing[i]))
	}
	for _, b := range h.Brief {
		s.Brief = append(s.Brief, storedBrief{b.ID, b.Severity, b.Opened.Number})
	}
	for _, b := range h.Implied {
		s.Implied = append(s.Implied, storedBrief{b.ID, b.Severity, b.Opened.Number})
	}
	for i := range h.Fixed {
		s.Fixed = append(s.Fixed, storeFinding(&h.Fixed[i]))
	}
	return encode(s)
}

func decodeHistory(data []byte) (*History, error) {
	var s storedHistory
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("the history of the audit is damaged: %w", err)
	}
	if s.V != storedVersion {
		return nil, fmt.Errorf("the history of the audit has version %d, but this program knows version %d only; use the program that wrote it", s.V, storedVersion)
	}
	h := &History{
		Losses: s.Losses, OtherLosses: s.OtherLosses,
		MoreLosses: s.MoreLosses, MoreServices: s.MoreServices, MoreFindings: s.MoreFindings, MoreFixed: s.MoreFixed,
		MoreWaivers: s.MoreWaivers,
	}
	for _, w := range s.Idle {
		h.WaivesNothing = append(h.WaivesNothing, IdleWaiver{Subject: w.Subject, Rule: w.Rule, Loss: w.Loss, Owner: w.Owner, File: w.File, Line: w.Line})
	}
	marks := map[int64]Mark{}
	for _, m := range s.Marks {
		marks[m.Number] = Mark(m)
	}
	for _, a := range s.Audits {
		h.Audits = append(h.Audits, Audited{Mark(a.storedMark), a.Judged, a.Errors, a.Warnings, a.Infos, a.Waived, a.Opened, a.Fixed})
	}
	for i := range s.Services {
		h.Services = append(h.Services, s.Services[i].row())
	}
	for i := range s.Standing {
		h.Standing = append(h.Standing, s.Standing[i].held(marks))
	}
	for _, b := range s.Brief {
		h.Brief = append(h.Brief, Brief{b.ID, b.Severity, marks[b.Opened]})
	}
	for _, b := range s.Implied {
		h.Implied = append(h.Implied, Brief{b.ID, b.Severity, marks[b.Opened]})
	}
	for i := range s.Fixed {
		h.Fixed = append(h.Fixed, s.Fixed[i].held(marks))
	}
	return h, nil
}

// The letters of states in a stored row.
const (
	letters     = "udbrx"
	lateLetters = "UDBRX"
)

func stateOrder() []impact.State {
	return []impact.State{impact.Up, impact.Degraded, impact.Returns, impact.Recoverable, impact.Unrecoverable}
}

func storeRow(r *Row) storedRow {
	out := storedRow{Name: r.Name, Title: r.Title, Users: r.Users}
	var b strings.Builder
	for _, c := range r.States {
		i := max(slices.Index(stateOrder(), c.State), 0)
		if c.Late {
			b.WriteByte(lateLetters[i])
		} else {
			b.WriteByte(letters[i])
		}
		if letters[i] == 'b' || letters[i] == 'r' {
			out.After = append(out.After, c.After)
		}
	}
	out.States = b.String()
	return out
}

func (r *storedRow) row() Row {
	out := Row{Name: r.Name, Title: r.Title, Users: r.Users, States: make([]Cell, 0, len(r.States))}
	after := r.After
	for _, x := range []byte(r.States) {
		i := strings.IndexByte(letters, x)
		late := i < 0
		if late {
			i = max(strings.IndexByte(lateLetters, x), 0)
		}
		c := Cell{State: stateOrder()[i], Late: late}
		if (letters[i] == 'b' || letters[i] == 'r') && len(after) > 0 {
			c.After, after = after[0], after[1:]
		}
		out.States = append(out.States, c)
	}
	return out
}

func storeFinding(h *Held) storedFinding {
	f := storedFinding{
		ID: h.ID, Severity: h.Severity, Sentence: h.Sentence, Users: h.Users, File: h.File, Line: h.Line, Opened: h.Opened.Number,
		Words: h.Proof.Words, Blocking: h.Proof.Blocking, Cycle: h.Proof.Cycle, Domains: h.Proof.Domains, Services: h.Proof.Services,
	}
	for _, st := range h.Proof.Path {
		f.Path = append(f.Path, storedStep(st))
	}
	if h.Fixed != nil {
		f.Fixed = h.Fixed.Number
	}
	if h.Fix != nil {
		f.Fix, f.Cost = h.Fix.Words, h.Fix.Cost
	}
	if w := h.Waived; w != nil {
		f.Owner, f.Reason, f.Until = w.Owner, w.Reason, w.Until
	}
	if h.Graph != nil {
		g := &storedGraph{}
		for _, n := range h.Graph.Nodes {
			g.Nodes = append(g.Nodes, storedNode(n))
		}
		for _, a := range h.Graph.Arrows {
			g.Arrows = append(g.Arrows, storedArrow(a))
		}
		f.Graph = g
	}
	return f
}

func (f *storedFinding) held(marks map[int64]Mark) Held {
	h := Held{
		Finding: Finding{
			ID: f.ID, Severity: f.Severity, Sentence: f.Sentence, Users: f.Users, File: f.File, Line: f.Line,
			Proof: Proof{Words: f.Words, Blocking: f.Blocking, Cycle: f.Cycle, Domains: f.Domains, Services: f.Services},
		},
		Opened: marks[f.Opened],
	}
	h.Rule, h.Loss, h.Subject = parts(f.ID)
	if h.Proof.Words == nil {
		h.Proof.Words = []string{}
	}
	for _, st := range f.Path {
		h.Proof.Path = append(h.Proof.Path, Step(st))
	}
	if f.Fixed > 0 {
		m := marks[f.Fixed]
		h.Fixed = &m
	}
	if f.Fix != "" {
		h.Fix = &Measure{Words: f.Fix, Cost: f.Cost}
	}
	if f.Until != "" {
		h.Waived = &Waived{f.Owner, f.Reason, f.Until}
	}
	if f.Graph != nil {
		h.Graph = &Graph{}
		for _, n := range f.Graph.Nodes {
			h.Graph.Nodes = append(h.Graph.Nodes, Node(n))
		}
		for _, a := range f.Graph.Arrows {
			h.Graph.Arrows = append(h.Graph.Arrows, Arrow(a))
		}
	}
	return h
}
