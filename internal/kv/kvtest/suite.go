package kvtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/kv"
)

// patience bounds waiting for what must happen; nothing that passes waits for it.
const patience = 20 * time.Second

// Run runs the conformance suite. open returns an empty store, or one that other
// cases wrote to below keys of their own, that lives as long as its test.
func Run(t *testing.T, open func(t *testing.T) kv.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, box)
	}{
		{"get what was put", getPut},
		{"revisions grow by one", revisions},
		{"conditions", conditions},
		{"all or nothing", allOrNothing},
		{"fence", fence},
		{"delete", deletes},
		{"list is sorted and of one revision", listed},
		{"prefixes", prefixes},
		{"bad transactions", badTxns},
		{"large values", largeValues},
		{"watch starts where list ended", watchAfterList},
		{"one slice for each revision", oneSlice},
		{"watch from now on", watchNow},
		{"watch ends with its context", watchEnds},
		{"watchers see the same order", sameOrder},
		{"concurrent counter loses nothing", counter},
		{"lease keeps its keys", leaseKeeps},
		{"closed lease takes its keys along", leaseClosed},
		{"a key moves to another lease", leaseMoves},
		{"unknown lease", leaseUnknown},
		{"cancelled context", cancelled},
		{"campaign", campaign},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
			t.Cleanup(cancel)
			c.test(t, box{ctx, open(t), "kvtest/" + strings.ReplaceAll(c.name, " ", "-") + "/"})
		})
	}
}

// box is a store with the prefix of one case.
type box struct {
	ctx    context.Context //nolint:containedctx // one test case, which ends with its context
	store  kv.Store
	prefix string
}

func (b box) key(k string) string { return b.prefix + k }

func (b box) put(t *testing.T, k, v string) int64 {
	t.Helper()
	return b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key(k), Value: []byte(v)}}})
}

func (b box) commit(t *testing.T, txn kv.Txn) int64 {
	t.Helper()
	rev, err := b.store.Commit(b.ctx, txn)
	if err != nil {
		t.Fatalf("commit%s: %v", describe(txn), err)
	}
	return rev
}

func (b box) get(t *testing.T, k string) (kv.Entry, bool) {
	t.Helper()
	e, ok, err := b.store.Get(b.ctx, b.key(k))
	if err != nil {
		t.Fatalf("get %s: %v", k, err)
	}
	return e, ok
}

func (b box) list(t *testing.T, prefix string) ([]kv.Entry, int64) {
	t.Helper()
	found, rev, err := b.store.List(b.ctx, b.key(prefix))
	if err != nil {
		t.Fatalf("list %s: %v", prefix, err)
	}
	return found, rev
}

func (b box) watch(t *testing.T, prefix string, after int64) <-chan []kv.Event {
	t.Helper()
	events, err := b.store.Watch(b.ctx, b.key(prefix), after)
	if err != nil {
		t.Fatalf("watch %s: %v", prefix, err)
	}
	return events
}

func (b box) refused(t *testing.T, want error, txn kv.Txn) {
	t.Helper()
	if _, err := b.store.Commit(b.ctx, txn); !errors.Is(err, want) {
		t.Errorf("commit%s = %v, want %v", describe(txn), err, want)
	}
}

// show turns entries into text: "k=v" without the prefix of the case.
func (b box) show(entries []kv.Entry) []string {
	shown := []string{}
	for _, e := range entries {
		shown = append(shown, strings.TrimPrefix(e.Key, b.prefix)+"="+string(e.Value))
	}
	return shown
}

func (b box) showEvents(events []kv.Event) string {
	var shown []string
	for _, e := range events {
		s := strings.TrimPrefix(e.Key, b.prefix) + "=" + string(e.Value)
		if e.Deleted {
			s = "-" + strings.TrimPrefix(e.Key, b.prefix)
		}
		shown = append(shown, s)
	}
	return strings.Join(shown, " ")
}

func next(t *testing.T, events <-chan []kv.Event) []kv.Event {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case batch, ok := <-events:
		if !ok {
			t.Fatal("the watch ended")
		}
		return batch
	case <-timer.C:
		t.Fatal("no event came")
		return nil
	}
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func getPut(t *testing.T, b box) {
	if _, ok := b.get(t, "a"); ok {
		t.Error("a key that nobody wrote exists")
	}
	first := b.put(t, "a", "1")
	second := b.put(t, "a", "2")
	e, ok := b.get(t, "a")
	if !ok {
		t.Fatal("the key is gone")
	}
	diff(t, "entry", kv.Entry{Key: b.key("a"), Value: []byte("2"), Created: first, Modified: second}, e)
	e.Value[0] = 'x' // must not reach into the store
	if e, _ := b.get(t, "a"); string(e.Value) != "2" {
		t.Errorf("the value was changed from outside to %q", e.Value)
	}
	b.put(t, "empty", "")
	if e, ok := b.get(t, "empty"); !ok || len(e.Value) != 0 {
		t.Errorf("empty value: %v %v", e, ok)
	}
}

func revisions(t *testing.T, b box) {
	first := b.put(t, "a", "1")
	if second := b.put(t, "a", "1"); second != first+1 {
		t.Errorf("the same value again made revision %d after %d", second, first)
	}
	// What changes nothing makes no revision.
	if rev := b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("none"), Delete: true}}}); rev != first+1 {
		t.Errorf("deleting nothing returned %d, want %d", rev, first+1)
	}
	if rev := b.commit(t, kv.Txn{}); rev != first+1 {
		t.Errorf("an empty transaction returned %d, want %d", rev, first+1)
	}
	if _, rev := b.list(t, ""); rev != first+1 {
		t.Errorf("list is of %d, want %d", rev, first+1)
	}
}

func conditions(t *testing.T, b box) {
	put := func(cond int64, v string) kv.Txn {
		return kv.Txn{If: []kv.Cond{{Key: b.key("a"), Modified: cond}}, Do: []kv.Op{{Key: b.key("a"), Value: []byte(v)}}}
	}
	first := b.commit(t, put(0, "1"))
	b.refused(t, kv.ErrConflict, put(0, "2"))
	second := b.commit(t, put(first, "2"))
	b.refused(t, kv.ErrConflict, put(first, "3"))
	b.commit(t, kv.Txn{If: []kv.Cond{{Key: b.key("a"), Modified: second}}, Do: []kv.Op{{Key: b.key("a"), Delete: true}}})
	b.refused(t, kv.ErrConflict, put(second, "3"))
	b.commit(t, put(0, "4"))
	// Several conditions must all hold; a condition may be on a key that is not written.
	b.refused(t, kv.ErrConflict, kv.Txn{
		If: []kv.Cond{{Key: b.key("none")}, {Key: b.key("a")}},
		Do: []kv.Op{{Key: b.key("c"), Value: []byte("1")}},
	})
	if found, _ := b.list(t, ""); len(found) != 1 || string(found[0].Value) != "4" {
		t.Errorf("left: %v", b.show(found))
	}
}

func allOrNothing(t *testing.T, b box) {
	rev := b.commit(t, kv.Txn{Do: []kv.Op{
		{Key: b.key("b"), Value: []byte("1")},
		{Key: b.key("a"), Value: []byte("1")},
		{Key: b.key("none"), Delete: true},
	}})
	found, _ := b.list(t, "")
	diff(t, "written", []string{"a=1", "b=1"}, b.show(found))
	for _, e := range found {
		if e.Modified != rev || e.Created != rev {
			t.Errorf("%s is of %d, want %d", e.Key, e.Modified, rev)
		}
	}
	b.refused(t, kv.ErrConflict, kv.Txn{
		If: []kv.Cond{{Key: b.key("a")}},
		Do: []kv.Op{{Key: b.key("a"), Delete: true}, {Key: b.key("c"), Value: []byte("1")}},
	})
	after, now := b.list(t, "")
	diff(t, "after a refused transaction", b.show(found), b.show(after))
	if now != rev {
		t.Errorf("a refused transaction made revision %d", now)
	}
}

func fence(t *testing.T, b box) {
	term := b.put(t, "leader", "north")
	fenced := func(term int64, v string) kv.Txn {
		return kv.Txn{Fence: &kv.Fence{Key: b.key("leader"), Term: term}, Do: []kv.Op{{Key: b.key("a"), Value: []byte(v)}}}
	}
	b.commit(t, fenced(term, "1"))
	b.put(t, "leader", "north, again") // the term is the creation: it stays
	b.commit(t, fenced(term, "2"))
	b.refused(t, kv.ErrFenced, fenced(term-1, "3"))
	b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("leader"), Delete: true}}})
	b.refused(t, kv.ErrFenced, fenced(term, "3"))
	newer := b.put(t, "leader", "south")
	b.refused(t, kv.ErrFenced, fenced(term, "3"))
	b.commit(t, fenced(newer, "4"))
	// Fenced comes before conflict: the old leader has to learn that it is none.
	both := fenced(term, "5")
	both.If = []kv.Cond{{Key: b.key("a")}}
	b.refused(t, kv.ErrFenced, both)
	both.Fence.Term = newer
	b.refused(t, kv.ErrConflict, both)
	if e, _ := b.get(t, "a"); string(e.Value) != "4" {
		t.Errorf("a = %q, want 4", e.Value)
	}
}

func deletes(t *testing.T, b box) {
	created := b.put(t, "a", "1")
	gone := b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("a"), Delete: true}}})
	if gone != created+1 {
		t.Errorf("deletion is revision %d after %d", gone, created)
	}
	if _, ok := b.get(t, "a"); ok {
		t.Error("the key is still there")
	}
	again := b.put(t, "a", "2")
	if e, _ := b.get(t, "a"); e.Created != again {
		t.Errorf("created %d, want %d", e.Created, again)
	}
}

func listed(t *testing.T, b box) {
	for _, k := range []string{"m", "z", "a", "m/1", "m/0"} {
		b.put(t, k, "1")
	}
	found, rev := b.list(t, "")
	diff(t, "order", []string{"a=1", "m=1", "m/0=1", "m/1=1", "z=1"}, b.show(found))
	if next := b.put(t, "n", "1"); next != rev+1 {
		t.Errorf("the list was of %d but the next revision is %d", rev, next)
	}
	// Many writers each move two keys together: no list sees them apart.
	var writers sync.WaitGroup
	ctx, stop := context.WithCancel(b.ctx)
	for w := range 2 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil && i < 200; i++ {
				v := fmt.Append(nil, w, "-", i)
				_, _ = b.store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: b.key("pair/x"), Value: v}, {Key: b.key("pair/y"), Value: v}}})
			}
		})
	}
	for range 50 {
		pair, _ := b.list(t, "pair/")
		if len(pair) == 2 && (pair[0].Modified != pair[1].Modified || !bytes.Equal(pair[0].Value, pair[1].Value)) {
			t.Errorf("torn list: %v", b.show(pair))
		}
	}
	stop()
	writers.Wait()
}

func prefixes(t *testing.T, b box) {
	for _, k := range []string{"p", "p/a", "p/b", "pq", "o", "\xff", "\xff\xff", "p\xff", "p\x00"} {
		b.put(t, k, "")
	}
	for _, c := range []struct {
		prefix string
		want   []string
	}{
		{"p", []string{"p=", "p\x00=", "p/a=", "p/b=", "pq=", "p\xff="}},
		{"p/", []string{"p/a=", "p/b="}},
		{"p/a", []string{"p/a="}},
		{"\xff", []string{"\xff=", "\xff\xff="}},
		{"none", []string{}},
	} {
		found, _ := b.list(t, c.prefix)
		diff(t, strconv.Quote(c.prefix), c.want, b.show(found))
	}
	all, _, err := b.store.List(b.ctx, "")
	if err != nil || len(all) < 9 {
		t.Errorf("the empty prefix lists everything: %d keys, %v", len(all), err)
	}
	// Get is exact.
	if _, ok := b.get(t, "p/"); ok {
		t.Error("get found a prefix")
	}
	// A watch knows prefixes alike.
	_, rev := b.list(t, "")
	events := b.watch(t, "\xff", rev)
	b.put(t, "p", "no")
	b.put(t, "\xff\xffz", "yes")
	if got := b.showEvents(next(t, events)); got != "\xff\xffz=yes" {
		t.Errorf("watched %q", got)
	}
}

func badTxns(t *testing.T, b box) {
	put := kv.Op{Key: b.key("a"), Value: []byte("1")}
	for name, txn := range map[string]kv.Txn{
		"no key":   {Do: []kv.Op{{Value: []byte("1")}}},
		"twice":    {Do: []kv.Op{put, put}},
		"put, del": {Do: []kv.Op{put, {Key: b.key("a"), Delete: true}}},
	} {
		if _, err := b.store.Commit(b.ctx, txn); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	many := kv.Txn{}
	for i := range kv.MaxOps {
		many.Do = append(many.Do, kv.Op{Key: b.key(fmt.Sprintf("many/%04d", i)), Value: []byte("1")})
	}
	rev := b.commit(t, many)
	found, _ := b.list(t, "many/")
	if len(found) != kv.MaxOps {
		t.Errorf("%d keys of %d were written", len(found), kv.MaxOps)
	}
	for _, e := range found {
		if e.Modified != rev {
			t.Fatalf("%s is of %d, want %d", e.Key, e.Modified, rev)
		}
	}
	many.Do = append(many.Do, put)
	b.refused(t, kv.ErrTooLarge, many)
	if _, ok := b.get(t, "a"); ok {
		t.Error("a refused transaction left a key")
	}
}

func largeValues(t *testing.T, b box) {
	v := bytes.Repeat([]byte("0123456789abcdef"), kv.MaxBytes/16)
	v = v[:kv.MaxBytes-len(b.key("a"))]
	b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("a"), Value: v}}})
	if e, _ := b.get(t, "a"); !bytes.Equal(e.Value, v) {
		t.Error("a large value came back changed")
	}
	b.refused(t, kv.ErrTooLarge, kv.Txn{Do: []kv.Op{{Key: b.key("a"), Value: append(v, 'x')}}})
	// A list is not bound by the size of a transaction.
	for i := range 4 {
		k := b.key("b" + strconv.Itoa(i))
		b.commit(t, kv.Txn{Do: []kv.Op{{Key: k, Value: v[:kv.MaxBytes-len(k)]}}})
	}
	if found, _ := b.list(t, ""); len(found) != 5 {
		t.Errorf("%d of 5 large values were listed", len(found))
	}
}

func watchAfterList(t *testing.T, b box) {
	b.put(t, "before", "1")
	found, rev := b.list(t, "")
	diff(t, "listed", []string{"before=1"}, b.show(found))
	for i := range 20 { // written before the watch starts
		b.put(t, "k", strconv.Itoa(i))
	}
	events := b.watch(t, "", rev)
	for i := 20; i < 40; i++ {
		b.put(t, "k", strconv.Itoa(i))
	}
	b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("k"), Delete: true}}})
	for i := range 40 {
		batch := next(t, events)
		if got, want := b.showEvents(batch), "k="+strconv.Itoa(i); got != want {
			t.Fatalf("event %d is %q, want %q", i, got, want)
		}
		if batch[0].Modified != rev+int64(i)+1 {
			t.Fatalf("event %d is of %d, want %d", i, batch[0].Modified, rev+int64(i)+1)
		}
	}
	diff(t, "deletion", []kv.Event{{Entry: kv.Entry{Key: b.key("k"), Modified: rev + 41}, Deleted: true}}, next(t, events))
}

func oneSlice(t *testing.T, b box) {
	_, rev := b.list(t, "")
	events := b.watch(t, "in/", rev)
	b.put(t, "in/a", "0")
	b.commit(t, kv.Txn{Do: []kv.Op{
		{Key: b.key("in/b"), Value: []byte("1")},
		{Key: b.key("out"), Value: []byte("1")},
		{Key: b.key("in/a"), Delete: true},
	}})
	b.put(t, "out", "2") // not ours: no slice, not even an empty one
	b.put(t, "in/c", "3")
	var got []string
	for range 3 {
		got = append(got, b.showEvents(next(t, events)))
	}
	diff(t, "slices", []string{"in/a=0", "in/b=1 -in/a", "in/c=3"}, got)

	// Also when it all lies in the past, and when it is large.
	big := kv.Txn{}
	for i := range 600 {
		big.Do = append(big.Do, kv.Op{Key: b.key(fmt.Sprintf("in/big/%03d", i)), Value: bytes.Repeat([]byte("x"), 1000)})
	}
	b.commit(t, big)
	b.commit(t, big)
	past := b.watch(t, "in/", rev)
	sizes := []int{}
	for range 5 {
		sizes = append(sizes, len(next(t, past)))
	}
	diff(t, "sizes of slices", []int{1, 2, 1, 600, 600}, sizes)
}

func watchNow(t *testing.T, b box) {
	b.put(t, "a", "old")
	events := b.watch(t, "", 0)
	b.put(t, "a", "new")
	if got := b.showEvents(next(t, events)); got != "a=new" {
		t.Errorf("first event %q, want a=new", got)
	}
}

func watchEnds(t *testing.T, b box) {
	ctx, cancel := context.WithCancel(b.ctx)
	events, err := b.store.Watch(ctx, b.prefix, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, "a", "1") // nobody reads it
	cancel()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return
			}
		case <-timer.C:
			t.Fatal("the channel stays open after its context ended")
		}
	}
}

func sameOrder(t *testing.T, b box) {
	_, rev := b.list(t, "")
	one, two := b.watch(t, "", rev), b.watch(t, "", rev)
	var writers sync.WaitGroup
	const each = 25
	for w := range 4 {
		writers.Go(func() {
			for i := range each {
				if _, err := b.store.Commit(b.ctx, kv.Txn{Do: []kv.Op{{Key: b.key("k"), Value: fmt.Append(nil, w, i)}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	last := rev
	for range 4 * each {
		x, y := next(t, one), next(t, two)
		diff(t, "two watchers", x, y)
		if x[0].Modified <= last {
			t.Fatalf("revision %d came after %d", x[0].Modified, last)
		}
		last = x[0].Modified
	}
}

func counter(t *testing.T, b box) {
	const writers, each = 4, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				e, _, err := b.store.Get(b.ctx, b.key("n"))
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(e.Value))
				switch _, err := b.store.Commit(b.ctx, kv.Txn{
					If: []kv.Cond{{Key: b.key("n"), Modified: e.Modified}},
					Do: []kv.Op{{Key: b.key("n"), Value: []byte(strconv.Itoa(n + 1))}},
				}); {
				case err == nil:
					done++
				case !errors.Is(err, kv.ErrConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if e, _ := b.get(t, "n"); string(e.Value) != strconv.Itoa(writers*each) {
		t.Errorf("counted to %s, want %d", e.Value, writers*each)
	}
}

func (b box) lease(t *testing.T, ttl time.Duration) kv.Lease {
	t.Helper()
	l, err := b.store.Lease(b.ctx, ttl)
	if err != nil {
		t.Fatalf("lease: %v", err)
	}
	t.Cleanup(func() { _ = l.Close(context.WithoutCancel(b.ctx)) })
	return l
}

func leaseKeeps(t *testing.T, b box) {
	before := time.Now()
	l := b.lease(t, time.Second)
	granted := l.Renewed()
	if granted.Before(before) || granted.After(time.Now()) {
		t.Errorf("granted at %v, not between %v and now", granted, before)
	}
	b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("a"), Value: []byte("1"), Lease: l.ID()}}})
	if e, _ := b.get(t, "a"); e.Lease != l.ID() {
		t.Errorf("the key has lease %d, want %d", e.Lease, l.ID())
	}
	// It lives longer than its ttl, because it is renewed; and says when it was.
	timer := time.NewTimer(1500 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-l.Done():
		t.Fatal("a lease that can be renewed ended")
	case <-timer.C:
	}
	if _, ok := b.get(t, "a"); !ok {
		t.Error("the key of a living lease is gone")
	}
	if r := l.Renewed(); !r.After(granted) || time.Since(r) > time.Second {
		t.Errorf("granted %v, renewed %v, now %v", granted, r, time.Now())
	}
}

func leaseClosed(t *testing.T, b box) {
	l := b.lease(t, 5*time.Second)
	b.commit(t, kv.Txn{Do: []kv.Op{
		{Key: b.key("b"), Lease: l.ID()}, {Key: b.key("a"), Lease: l.ID()}, {Key: b.key("stays")},
	}})
	_, rev := b.list(t, "")
	events := b.watch(t, "", rev)
	if err := l.Close(b.ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.Done():
	default:
		t.Error("a closed lease is not done")
	}
	if got := b.showEvents(next(t, events)); got != "-a -b" {
		t.Errorf("the end of the lease was seen as %q, want -a -b in one slice", got)
	}
	found, _ := b.list(t, "")
	diff(t, "left", []string{"stays="}, b.show(found))
	b.refused(t, kv.ErrNoLease, kv.Txn{Do: []kv.Op{{Key: b.key("a"), Lease: l.ID()}}})
}

func leaseMoves(t *testing.T, b box) {
	old, young := b.lease(t, 5*time.Second), b.lease(t, 5*time.Second)
	b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("moves"), Lease: old.ID()}, {Key: b.key("freed"), Lease: old.ID()}}})
	b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("moves"), Lease: young.ID()}, {Key: b.key("freed")}}})
	if err := old.Close(b.ctx); err != nil {
		t.Fatal(err)
	}
	found, _ := b.list(t, "")
	diff(t, "left", []string{"freed=", "moves="}, b.show(found))
}

func leaseUnknown(t *testing.T, b box) {
	b.refused(t, kv.ErrNoLease, kv.Txn{Do: []kv.Op{{Key: b.key("a"), Lease: 4711}}})
	if _, err := b.store.Lease(b.ctx, 0); err == nil {
		t.Error("a lease without a time to live was granted")
	}
}

func cancelled(t *testing.T, b box) {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, _, err := b.store.Get(ctx, b.key("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if _, _, err := b.store.List(ctx, b.prefix); !errors.Is(err, context.Canceled) {
		t.Errorf("list: %v", err)
	}
	if _, err := b.store.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: b.key("a")}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	if _, err := b.store.Watch(ctx, b.prefix, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v", err)
	}
	if _, err := b.store.Lease(ctx, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("lease: %v", err)
	}
	if _, ok := b.get(t, "a"); ok {
		t.Error("a cancelled commit was applied")
	}
}

func campaign(t *testing.T, b box) {
	lead := func(name string) kv.Leadership {
		t.Helper()
		l, err := kv.Campaign(b.ctx, b.store, kv.Claim{Key: b.key("leader"), Value: []byte(name), TTL: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	north := lead("north")
	write := func(l kv.Leadership) error {
		_, err := b.store.Commit(b.ctx, kv.Txn{Fence: l.Fence(), Do: []kv.Op{{Key: b.key("a")}}})
		return err
	}
	if err := write(north); err != nil {
		t.Fatal(err)
	}
	south := make(chan kv.Leadership)
	go func() {
		l, err := kv.Campaign(b.ctx, b.store, kv.Claim{Key: b.key("leader"), Value: []byte("south"), TTL: 2 * time.Second})
		if err != nil {
			t.Error(err)
		}
		south <- l
	}()
	if err := north.Resign(b.ctx); err != nil {
		t.Fatal(err)
	}
	next := <-south
	if next.Tenure == nil {
		t.Fatal("south never led")
	}
	if next.Term() <= north.Term() {
		t.Errorf("term %d follows %d", next.Term(), north.Term())
	}
	if err := write(north); !errors.Is(err, kv.ErrFenced) {
		t.Errorf("the old leader wrote: %v", err)
	}
	if err := write(next); err != nil {
		t.Error(err)
	}
	// Whoever deletes its key ends a leadership.
	b.commit(t, kv.Txn{Do: []kv.Op{{Key: b.key("leader"), Delete: true}}})
	<-next.Done()
	if next.Alive() {
		t.Error("a leader without its key calls itself alive")
	}
	if err := next.Close(b.ctx); err != nil {
		t.Error(err)
	}
}

// RunFull checks a store with a quota of at most 16 MiB: full, it refuses what
// grows and nothing else, and takes writes again once room was made and repair ran.
func RunFull(t *testing.T, s kv.Store, repair func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	b := box{ctx, s, "kvtest/full/"}
	value := bytes.Repeat([]byte("x"), 256<<10)
	b.put(t, "small", "1")
	full := error(nil)
	written := []string{}
	for i := 0; full == nil && i < 256; i++ {
		k := b.key(fmt.Sprintf("big/%03d", i))
		if _, full = s.Commit(ctx, kv.Txn{Do: []kv.Op{{Key: k, Value: value}}}); full == nil {
			written = append(written, k)
		}
	}
	if !errors.Is(full, kv.ErrFull) {
		t.Fatalf("after %d values of 256 KiB: %v, want %v", len(written), full, kv.ErrFull)
	}
	b.refused(t, kv.ErrFull, kv.Txn{Do: []kv.Op{{Key: b.key("tiny"), Value: []byte("1")}}})
	if _, err := s.Lease(ctx, time.Second); !errors.Is(err, kv.ErrFull) {
		t.Errorf("lease of a full store: %v", err)
	}
	_, err := kv.Campaign(ctx, s, kv.Claim{Key: b.key("leader"), TTL: time.Second})
	if !errors.Is(err, kv.ErrFull) {
		t.Errorf("campaign in a full store: %v", err)
	}
	if e, ok := b.get(t, "small"); !ok || string(e.Value) != "1" {
		t.Error("a full store does not read")
	}
	found, _ := b.list(t, "big/")
	if len(found) < len(written) {
		t.Errorf("%d of %d acknowledged values are there", len(found), len(written))
	}
	for _, e := range found {
		b.commit(t, kv.Txn{Do: []kv.Op{{Key: e.Key, Delete: true}}})
	}
	if err := repair(ctx); err != nil {
		t.Fatalf("repair: %v", err)
	}
	for i := range 4 { // and not only once: the alarm does not come straight back
		b.put(t, fmt.Sprint("again/", i), string(value))
	}
}

// RunBackup checks that a backup of one store restores into an empty other one, while
// the first is written to, and is refused by one that is not empty.
func RunBackup(t *testing.T, from, to kv.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	b := box{ctx, from, ""}
	l := b.lease(t, 10*time.Second)
	b.commit(t, kv.Txn{Do: []kv.Op{
		{Key: "\xff\x00", Value: []byte{0, 255}},
		{Key: "empty"},
		{Key: "한글", Value: []byte("봉수\n")},
		{Key: "alive", Value: []byte("1"), Lease: l.ID()},
	}})
	big := kv.Txn{}
	for i := range 900 {
		big.Do = append(big.Do, kv.Op{Key: fmt.Sprintf("many/%04d", i), Value: bytes.Repeat([]byte{byte(i)}, 1000)})
	}
	b.commit(t, big)
	want, rev := b.list(t, "")
	var text bytes.Buffer
	info, err := kv.Backup(ctx, from, &text, "test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if info.Records != 903 || info.Revision != rev || info.Cluster != "test" {
		t.Errorf("backed up %+v at %d", info, rev)
	}
	restored, err := kv.Restore(ctx, bytes.NewReader(text.Bytes()), to, nil)
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "what the backup says of itself", info, restored)
	values := func(all []kv.Entry) map[string]string {
		m := map[string]string{}
		for _, e := range all {
			if e.Lease == 0 {
				m[e.Key] = string(e.Value)
			}
		}
		return m
	}
	got, _, err := to.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	diff(t, "restored", values(want), values(got))
	if _, err := kv.Restore(ctx, bytes.NewReader(text.Bytes()), to, nil); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a second restore into the same store: %v", err)
	}
}
