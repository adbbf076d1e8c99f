package recovery

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"bongsu/internal/kv"
)

// The keys of the journal; see doc.go and docs/decisions/0006-journal.md.
const (
	runPrefix  = "recovery/run/"  // recovery/run/<run>: the header
	stepPrefix = "recovery/step/" // recovery/step/<run>/<step>: its record, from the moment it is not pending any more
	planPrefix = "recovery/plan/" // recovery/plan/<run>/<plan>/<chunk>: written before the header that names it
	logPrefix  = "recovery/log/"  // recovery/log/<run>/<writer>/<number>: appended, never edited
	nodePrefix = "presence/"      // presence/<node>: who is there, under the node's lease

	fencePrefix = "fence/" // fence/<site>: gone means that the writers of the site are fenced
)

// Limits of one transaction, well below what the store takes, so that nothing
// else has to wait long for it.
const (
	maxOps   = 100
	maxBytes = 512 << 10
	maxChunk = 256 << 10
)

func runKey(run string) string        { return runPrefix + run }
func stepKey(run, step string) string { return stepPrefix + run + "/" + step }

// FenceKey is what the node of a site keeps under a lease as long as the site's
// writers may write. Its margin is the time that the node takes to fence them.
func FenceKey(site string) string { return fencePrefix + site }

// PresenceClaim says with which key a node is known to be there, and gives the name
// of the session. Each tenure needs a claim of its own: a session that ended is dead.
func PresenceClaim(node, site string, ttl time.Duration) (c kv.Claim, session string) {
	session = node + "." + strings.ToLower(rand.Text()[:10])
	// unreachable: a struct of strings and a number always encodes.
	value, err := json.Marshal(storedPresence{V: 1, Node: node, Site: site, Session: session})
	if err != nil {
		panic(err)
	}
	return kv.Claim{Key: nodePrefix + node, Value: value, TTL: ttl}, session
}

type storedPresence struct {
	V       int    `json:"v"`
	Node    string `json:"node"`
	Site    string `json:"site"`
	Session string `json:"session"`
}

type storedRun struct {
	V int `json:"v"`
	Run
}

type storedRecord struct {
	V int `json:"v"`
	Record
}

type storedLog struct {
	V       int     `json:"v"`
	Entries []Entry `json:"entries"`
}

type storedSpec struct {
	V int `json:"v"`
	Spec
}

// decode reads one stored value of version 1.
func decode(e kv.Entry, version *int, into any) error {
	if err := json.Unmarshal(e.Value, into); err != nil {
		return fmt.Errorf("read %s: %w", e.Key, err)
	}
	if *version != 1 {
		return fmt.Errorf("%s is of version %d, this program knows version 1: update it", e.Key, *version)
	}
	return nil
}

func decodeRun(e kv.Entry) (Run, error) {
	var s storedRun
	err := decode(e, &s.V, &s)
	return s.Run, err
}

func decodeRecord(e kv.Entry) (Record, error) {
	var s storedRecord
	err := decode(e, &s.V, &s)
	return s.Record, err
}

func decodePresence(e kv.Entry) (storedPresence, error) {
	var s storedPresence
	err := decode(e, &s.V, &s)
	return s, err
}

func put(key string, v any) (kv.Op, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return kv.Op{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return kv.Op{Key: key, Value: value}, nil
}

// A scribe writes the journal: each transaction that changes a run carries one
// value with all that it did to it. Scribes never share a key, so they never wait
// for each other; the revisions of the store are the order of the journal.
type scribe struct {
	writer string
	n      atomic.Int64
}

func newScribe(who string) *scribe {
	return &scribe{writer: strings.ReplaceAll(who, "/", "-") + "." + strings.ToLower(rand.Text()[:10])}
}

func (j *scribe) op(run string, entries []Entry) (kv.Op, error) {
	return put(fmt.Sprintf("%s%s/%s/%08d", logPrefix, run, j.writer, j.n.Add(1)), storedLog{V: 1, Entries: entries})
}

// Journal returns everything that happened in a run, oldest first.
func Journal(ctx context.Context, s kv.Store, run string) ([]Entry, error) {
	found, _, err := s.List(ctx, logPrefix+run+"/")
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", run, err)
	}
	slices.SortStableFunc(found, func(a, b kv.Entry) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), strings.Compare(a.Key, b.Key))
	})
	out := []Entry{}
	for _, e := range found {
		var l storedLog
		if err := decode(e, &l.V, &l); err != nil {
			return nil, err
		}
		for _, entry := range l.Entries {
			entry.Rev = e.Created
			out = append(out, entry)
		}
	}
	return out, nil
}

// planOps splits a plan over several keys, because a large one does not fit into
// one transaction. Each is a transaction of its own, before the header names it.
func planOps(run string, plan int, spec Spec) ([]kv.Op, error) {
	all, err := json.Marshal(storedSpec{V: 1, Spec: spec})
	if err != nil {
		return nil, fmt.Errorf("encode plan %d of %s: %w", plan, run, err)
	}
	var ops []kv.Op
	for chunk := range slices.Chunk(all, maxChunk) {
		ops = append(ops, kv.Op{Key: fmt.Sprintf("%s%s/%04d/%04d", planPrefix, run, plan, len(ops)), Value: chunk})
	}
	return ops, nil
}

// loadPlan reads one plan of a run.
func loadPlan(ctx context.Context, s kv.Store, run string, plan int) (Spec, error) {
	prefix := fmt.Sprintf("%s%s/%04d/", planPrefix, run, plan)
	found, _, err := s.List(ctx, prefix)
	if err != nil {
		return Spec{}, fmt.Errorf("read plan %d of %s: %w", plan, run, err)
	}
	var all []byte
	for _, e := range found {
		all = append(all, e.Value...)
	}
	var spec storedSpec
	// A planner that was superseded may have left more chunks of a longer plan.
	dec := json.NewDecoder(strings.NewReader(string(all)))
	if err := dec.Decode(&spec); err != nil {
		return Spec{}, fmt.Errorf("read plan %d of %s: %w", plan, run, err)
	}
	if spec.V != 1 {
		return Spec{}, fmt.Errorf("plan %d of %s is of version %d, this program knows version 1: update it", plan, run, spec.V)
	}
	return spec.Spec, nil
}

// Show returns the header of one run.
func Show(ctx context.Context, s kv.Store, run string) (Run, error) {
	r, _, err := getRun(ctx, s, run)
	return r, err
}

func getRun(ctx context.Context, s kv.Store, run string) (Run, int64, error) {
	e, ok, err := s.Get(ctx, runKey(run))
	switch {
	case err != nil:
		return Run{}, 0, fmt.Errorf("read run %s: %w", run, err)
	case !ok:
		return Run{}, 0, fmt.Errorf("%w: %q; bongsu run list shows all", ErrNotFound, run)
	}
	r, err := decodeRun(e)
	return r, e.Modified, err
}

// List returns the headers of all runs, newest first.
func List(ctx context.Context, s kv.Store) ([]Run, error) {
	found, _, err := s.List(ctx, runPrefix)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	slices.SortStableFunc(found, func(a, b kv.Entry) int { return cmp.Compare(b.Created, a.Created) })
	out := make([]Run, len(found))
	for i, e := range found {
		if out[i], err = decodeRun(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// A stored is a record with the revision that it was last written at; 0 when it
// does not exist yet.
type stored struct {
	Record
	rev int64
}

func getRecord(ctx context.Context, s kv.Store, run, step string) (stored, bool, error) {
	e, ok, err := s.Get(ctx, stepKey(run, step))
	if err != nil || !ok {
		return stored{}, ok, err
	}
	r, err := decodeRecord(e)
	return stored{r, e.Modified}, true, err
}

// A write is one change of one record, with its line in the journal.
type write struct {
	run   string
	rec   Record
	rev   int64 // that the record must still have
	entry Entry
}

// transaction turns writes, of which no two are to one step, into one transaction.
func transaction(fence *kv.Fence, conds []kv.Cond, writes []write, j *scribe) (kv.Txn, error) {
	t := kv.Txn{Fence: fence, If: slices.Clone(conds)}
	logs := map[string][]Entry{}
	var runs []string
	for _, w := range writes {
		key := stepKey(w.run, w.rec.Step.ID)
		op, err := put(key, storedRecord{V: 1, Record: w.rec})
		if err != nil {
			return t, err
		}
		t.If = append(t.If, kv.Cond{Key: key, Modified: w.rev})
		t.Do = append(t.Do, op)
		if logs[w.run] == nil {
			runs = append(runs, w.run)
		}
		logs[w.run] = append(logs[w.run], w.entry)
	}
	for _, run := range runs {
		op, err := j.op(run, logs[run])
		if err != nil {
			return t, err
		}
		t.Do = append(t.Do, op)
	}
	return t, nil
}

// batches splits writes so that each fits into one transaction.
func batches(writes []write) [][]write {
	var out [][]write
	size, from := 0, 0
	for i, w := range writes {
		// Args are the only part of a record that is not small.
		args, err := json.Marshal(w.rec.Step.Args)
		if err != nil {
			args = nil // transaction reports it
		}
		n := 2048 + len(args)
		if i > from && (i-from >= maxOps-8 || size+n > maxBytes) {
			out = append(out, writes[from:i])
			size, from = 0, i
		}
		size += n
	}
	if from < len(writes) {
		out = append(out, writes[from:])
	}
	return out
}
