package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/internal/etcd"
	"bongsu/internal/kv"
	"bongsu/status"
	"bongsu/web/desk"
	"bongsu/web/public"
)

// PublicOptions are what one public node is made of.
type PublicOptions struct {
	Site  string
	Dir   string // of its own small files; a member's data is below it
	Store etcd.Config
	Known note.Verifiers // whose documents are taken

	Page         string // address for readers
	PageCert     string // TLS; empty serves plain HTTP
	PageKey      string
	Trust        []netip.Prefix // of proxies whose word about a reader's address is believed
	Push         string         // address for control
	PushTLS      *tls.Config    // nil serves plain HTTP
	Desk         string         // address for agents; empty: none
	DeskCert     string
	DeskKey      string
	Accounts     desk.Accounts
	SessionKey   []byte
	SealKey      []byte
	Limits       status.Limits
	CheckAddress func(kind, address string) error // nil checks the form only

	Send      status.Sender // nil: nobody is told
	Permanent func(error) bool
	Lease     time.Duration // after which another node sends the letters; 0: 5 s

	Claims *ClaimOptions // nil: no damage reports are taken in

	Exports     []Exporter
	ExportEvery time.Duration

	Log *slog.Logger
	// Ready is called once, with the addresses of the page, for control, and of the desk.
	Ready func(page, push, desk net.Addr)
}

// A Public is one running public node. It never calls control.
type Public struct {
	o      PublicOptions
	log    *slog.Logger
	store  *etcd.Node
	desk   *status.Desk
	board  *board
	claims *claims // nil: none are taken
	// behind says that something was pushed here that the store did not take yet.
	behind atomic.Bool
}

// RunPublic runs one public node until ctx ends. The error says what kept it from running.
func RunPublic(ctx context.Context, o PublicOptions) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Lease == 0 {
		o.Lease = 5 * time.Second
	}
	var lc net.ListenConfig
	var listeners []net.Listener
	defer func() {
		for _, ln := range listeners {
			_ = ln.Close()
		}
	}()
	addrs := make([]net.Addr, 3)
	for i, a := range []struct{ what, addr string }{{"page", o.Page}, {"push", o.Push}, {"desk", o.Desk}} {
		if a.addr == "" {
			listeners = append(listeners, closedListener{})
			continue
		}
		ln, err := lc.Listen(ctx, "tcp", a.addr)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", a.what, o.Site, err)
		}
		listeners, addrs[i] = append(listeners, ln), ln.Addr()
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	store, err := etcd.Open(ctx, o.Store, o.Log)
	if err != nil {
		return err
	}
	p := &Public{o: o, log: o.Log, store: store, board: newBoard(filepath.Join(o.Dir, copyFile), o.Known, o.Log)}
	if p.desk, err = status.NewDesk(store, o.SealKey, o.Limits, o.CheckAddress); err != nil {
		return errors.Join(err, store.Close())
	}
	p.board.recall()
	if o.Claims != nil {
		if p.claims, err = p.openClaims(ctx); err != nil {
			return errors.Join(err, store.Close())
		}
	}
	if o.Ready != nil {
		o.Ready(addrs[0], addrs[1], addrs[2])
	}

	told := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(name string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("page", func(ctx context.Context) error { return p.servePage(ctx, listeners[0]) })
	start("push", func(ctx context.Context) error { return p.servePush(ctx, listeners[1]) })
	if o.Desk != "" {
		start("desk", func(ctx context.Context) error { return p.serveDesk(ctx, listeners[2]) })
	}
	start("board", p.follow)
	start("copy", p.board.keep)
	start("letters", p.sendLetters)
	if p.claims != nil {
		start("claims", p.claims.whole)
		start("claims", p.claims.run)
	}
	for _, e := range o.Exports {
		start("export", func(ctx context.Context) error { return p.export(ctx, e) })
	}
	select {
	case <-ctx.Done():
	case <-store.Done():
		cancel(errors.New("the store of this node stopped: it was removed from the cluster, or its disk failed"))
	}
	wg.Wait()
	if err = context.Cause(ctx); told.Err() != nil {
		err = nil
	}
	if cerr := store.Close(); cerr != nil && err == nil {
		err = fmt.Errorf("close the store: %w", cerr)
	}
	return err
}

// closedListener stands where nothing listens.
type closedListener struct{}

func (closedListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (closedListener) Close() error              { return nil }
func (closedListener) Addr() net.Addr            { return nil }

// serveHTTP serves until ctx ends.
func serveHTTP(ctx context.Context, log *slog.Logger, ln net.Listener, srv *http.Server, cert, key string) error {
	srv.BaseContext = func(net.Listener) context.Context { return ctx }
	srv.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer done()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close()
		}
	})
	var err error
	switch {
	case cert != "":
		err = srv.ServeTLS(ln, cert, key)
	case srv.TLSConfig != nil:
		err = srv.ServeTLS(ln, "", "")
	default:
		err = srv.Serve(ln)
	}
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (p *Public) servePage(ctx context.Context, ln net.Listener) error {
	o := public.Options{Source: p.board, Desk: counter{p.desk, p.o.Send != nil}, Key: p.o.SessionKey, Log: p.log, Trust: p.o.Trust}
	if p.claims != nil {
		o.Claims = p.claims.pages()
	}
	site, err := public.New(o)
	if err != nil {
		return err
	}
	srv := &http.Server{} //nolint:gosec // Configure sets the time limits
	site.Configure(srv)
	return serveHTTP(ctx, p.log, site.Guard(ln), srv, p.o.PageCert, p.o.PageKey)
}

// A board is what this node holds for true: it implements [public.Source]. What control
// pushed is on it at once, with or without a quorum: it is signed, and a newer one
// always wins, so nodes that saw different pushes come to the same in the end.
type board struct {
	known note.Verifiers
	file  string
	log   *slog.Logger
	state atomic.Pointer[status.State]
	dirty chan struct{} // the copy on disk is behind

	mu      sync.Mutex
	stock   status.Stock
	signed  map[string][]byte // by key; answers have none
	readers map[chan struct{}]struct{}
}

func newBoard(file string, known note.Verifiers, log *slog.Logger) *board {
	return &board{known: known, file: file, log: log, dirty: make(chan struct{}, 1), signed: map[string][]byte{}, readers: map[chan struct{}]struct{}{}}
}

// State implements [public.Source].
func (b *board) State() *status.State {
	if s := b.state.Load(); s != nil {
		return s
	}
	return status.Stock{}.State(time.Time{})
}

// Changes implements [public.Source].
func (b *board) Changes(ctx context.Context) <-chan struct{} {
	ch := make(chan struct{}, 1)
	b.mu.Lock()
	b.readers[ch] = struct{}{}
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.readers, ch)
		close(ch)
	})
	return ch
}

// An item is a document on its way, with what was signed of it.
type item struct {
	status.Document
	signed []byte
}

// put takes documents in, those that are newer than what is there. A pulse that
// names what is missing is left out, and what is missing returned.
func (b *board) put(items ...item) (taken int, missing []string, older []status.Document) {
	// Pulses last: they name the others.
	slices.SortStableFunc(items, func(x, y item) int { return pulseLast(x.Key) - pulseLast(y.Key) })
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range items {
		if err := it.CheckClock(time.Now()); err != nil {
			b.log.Warn("a pulse was left out", "err", err)
			continue
		}
		if it.Key == status.KeyPulse {
			lacks, err := b.stock.Missing(it.Document)
			if err != nil || len(lacks) > 0 {
				missing = append(missing, lacks...)
				continue
			}
		}
		have, known := b.stock.Find(it.Key)
		next, err := b.stock.Put(it.Document)
		switch {
		case errors.Is(err, status.ErrOlder):
			older = append(older, have)
		case err != nil:
			b.log.Warn("a document was left out", "key", it.Key, "err", err)
		case known && it.Same(have):
		default:
			b.stock, taken = next, taken+1
			if it.signed != nil {
				b.signed[it.Key] = it.signed
			}
		}
	}
	if taken > 0 {
		b.publish(time.Now().UTC())
	}
	return taken, missing, older
}

// newest is the document of the highest revision among those of these keys, as it was signed.
func (b *board) newest(among []status.Document) string {
	if len(among) == 0 {
		return ""
	}
	d := slices.MaxFunc(among, func(x, y status.Document) int { return cmp.Compare(x.Rev, y.Rev) })
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.signed[d.Key])
}

func pulseLast(key string) int {
	if key == status.KeyPulse {
		return 1
	}
	return 0
}

// publish makes the state anew. The caller holds mu.
func (b *board) publish(received time.Time) {
	b.state.Store(b.stock.State(received))
	for ch := range b.readers {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	select {
	case b.dirty <- struct{}{}:
	default:
	}
}

// all returns what is signed of what is there, and the documents.
func (b *board) all() (status.Stock, map[string][]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stock, maps.Clone(b.signed)
}

// boardCopy is the copy on disk; version 1.
type boardCopy struct {
	V        int               `json:"v"`
	Received time.Time         `json:"received"`
	Signed   []string          `json:"signed"`
	Answers  []status.Document `json:"answers"`
}

// recall reads the copy on disk, so that a node that starts alone shows what it knew.
func (b *board) recall() {
	text, err := os.ReadFile(b.file)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	var c boardCopy
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil || c.V != 1 {
		b.log.Warn("the copy of what was told cannot be read: waiting for the others or control", "file", b.file, "version", c.V, "err", err)
		return
	}
	items := make([]item, 0, len(c.Signed)+len(c.Answers))
	for _, s := range c.Signed {
		if d, err := status.Open([]byte(s), b.known); err == nil {
			items = append(items, item{d, []byte(s)})
		}
	}
	for _, a := range c.Answers {
		if strings.HasPrefix(a.Key, status.KeyAnswer) {
			items = append(items, item{a, nil})
		}
	}
	b.put(items...)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.Store(b.stock.State(c.Received))
}

// Recall is what a public node with this data folder last knew, by its copy on disk. It
// needs neither the node nor a network.
func Recall(dir string, known note.Verifiers) (*status.State, error) {
	file := filepath.Join(dir, copyFile)
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("this node has been told nothing yet: %w", err)
	}
	b := newBoard(file, known, slog.New(slog.DiscardHandler))
	b.recall()
	return b.State(), nil
}

// copyFile is the copy on disk of what a public node was told.
const copyFile = "documents.json"

// keep writes the copy on disk after changes, until ctx ends.
func (b *board) keep(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			select {
			case <-b.dirty:
				b.save()
			default:
			}
			return nil
		case <-b.dirty:
			b.save()
		}
		pause(ctx, 200*time.Millisecond) // a burst is one copy
	}
}

func (b *board) save() {
	stock, signed := b.all()
	c := boardCopy{V: 1, Received: b.State().Received, Signed: []string{}, Answers: []status.Document{}}
	for _, d := range stock.Documents() {
		if s, ok := signed[d.Key]; ok {
			c.Signed = append(c.Signed, string(s))
		} else {
			c.Answers = append(c.Answers, d)
		}
	}
	text, err := json.Marshal(c)
	if err == nil {
		err = replaceFile(b.file, text)
	}
	if err != nil {
		b.log.Warn("the copy of what was told cannot be written", "file", b.file, "err", err)
	}
}

// replaceFile makes the file appear whole or not at all.
func replaceFile(file string, data []byte) error {
	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	if err = errors.Join(err, part.Sync(), part.Close()); err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

// follow keeps the board at what the store says, and the store at what was pushed here
// while there was no quorum.
func (p *Public) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		err := p.followOnce(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to end
		}
		p.log.Debug("showing what this node has", "err", err)
		if found, _, err := p.store.LocalList(ctx, status.Prefix); err == nil {
			p.take(found)
		}
		pause(ctx, 200*time.Millisecond)
	}
	return nil
}

func (p *Public) followOnce(ctx context.Context) error {
	_, stock, err := status.Load(ctx, p.store, p.o.Known)
	if err != nil {
		return err
	}
	entries, rev, err := p.store.List(ctx, status.Prefix)
	if err != nil {
		return err
	}
	p.take(entries)
	events, err := p.store.Watch(ctx, status.Prefix, rev)
	if err != nil {
		return err
	}
	if err := p.handOver(ctx, stock); err != nil {
		return err
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case batch, ok := <-events:
			if !ok {
				return kv.ErrUnavailable
			}
			var changed []kv.Entry
			for _, e := range batch {
				if !e.Deleted {
					changed = append(changed, e.Entry)
				}
			}
			p.take(changed)
		case <-tick.C:
			if !p.behind.Load() || !p.store.Status().Quorum {
				continue
			}
			// A member without quorum keeps its watch, so nothing else tells.
			_, stock, err := status.Load(ctx, p.store, p.o.Known)
			if err != nil {
				return err
			}
			if err := p.handOver(ctx, stock); err != nil {
				return err
			}
		}
	}
}

// take puts entries of the store on the board.
func (p *Public) take(entries []kv.Entry) {
	var items []item
	for _, e := range entries {
		if d, signed, ok := status.Told(e, p.o.Known); ok {
			items = append(items, item{d, signed})
		}
	}
	if len(items) == 0 {
		return
	}
	if _, missing, _ := p.board.put(items...); len(missing) > 0 {
		p.log.Debug("a pulse names what is not here yet", "missing", missing)
	}
}

// handOver gives the store what only this node has.
func (p *Public) handOver(ctx context.Context, has status.Stock) error {
	p.behind.Store(false)
	stock, signed := p.board.all()
	docs := stock.Documents()
	slices.SortStableFunc(docs, func(a, b status.Document) int { return pulseLast(a.Key) - pulseLast(b.Key) })
	for _, d := range docs {
		if have, ok := has.Find(d.Key); ok && !d.Newer(have) || signed[d.Key] == nil {
			continue
		}
		if err := status.Save(ctx, p.store, p.o.Known, signed[d.Key]); err != nil && !errors.Is(err, status.ErrOlder) {
			p.behind.Store(true)
			return err
		}
	}
	return nil
}

// sendLetters sends what is in the outbox while this node holds the lease for it.
func (p *Public) sendLetters(ctx context.Context) error {
	if p.o.Send == nil {
		return nil
	}
	for ctx.Err() == nil {
		l, err := kv.Campaign(ctx, p.store, kv.Claim{Key: status.LeaderKey, Value: []byte(p.o.Site), TTL: p.o.Lease})
		if err != nil {
			if ctx.Err() == nil {
				p.log.Warn("nobody sends letters from here", "err", err)
				pause(ctx, time.Second)
			}
			continue
		}
		p.log.Info("sending letters", "term", l.Term())
		reign, stop := during(ctx, l.Done())
		box := status.Outbox{
			Store: under{p.store, l.Fence()}, Desk: p.desk, Send: p.o.Send, Permanent: p.o.Permanent,
			Page: func() status.Catalog { return p.board.State().Catalog }, Log: p.log,
		}
		err = box.Run(reign)
		stop()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		if cerr := l.Close(closing); cerr != nil {
			p.log.Debug("lease left to run out", "err", cerr)
		}
		cancel()
		if err != nil && ctx.Err() == nil {
			p.log.Warn("sending letters no more", "term", l.Term(), "err", err)
			pause(ctx, 200*time.Millisecond)
		}
	}
	return nil
}

// counter hands what readers send to the desk, in the words of the pages.
type counter struct {
	desk *status.Desk
	tell bool // somebody can be told
}

func (c counter) Subscribe(ctx context.Context, s public.Subscription) error {
	if !c.tell {
		return public.ErrUnavailable
	}
	return forReaders(c.desk.Subscribe(ctx, status.Subscription{Kind: s.Kind, Address: s.Address, Services: s.Services, Lang: s.Lang}, s.From))
}

func (c counter) Confirm(ctx context.Context, token string) error {
	return forReaders(c.desk.Confirm(ctx, token))
}

func (c counter) Unsubscribe(ctx context.Context, token string) error {
	return forReaders(c.desk.Unsubscribe(ctx, token))
}

func (c counter) Ask(ctx context.Context, q public.Question) error {
	return forReaders(c.desk.Ask(ctx, status.Question{Incident: q.Incident, Text: q.Text, Contact: q.Contact, Lang: q.Lang}, q.From))
}

// forReaders turns errors into those that the pages explain.
func forReaders(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, status.ErrTooMany):
		return fmt.Errorf("%w: %w", public.ErrTooMany, err)
	case errors.Is(err, status.ErrInput):
		return fmt.Errorf("%w: %w", public.ErrInput, err)
	case errors.Is(err, status.ErrToken):
		return fmt.Errorf("%w: %w", public.ErrToken, err)
	case errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrFull), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", public.ErrUnavailable, err)
	}
	return err
}

// sameBut says whether two states differ in nothing but when they were said to be so.
func sameBut(a, b *status.State) bool {
	x, y := *a, *b
	x.Rev, x.AsOf, x.Received = y.Rev, y.AsOf, y.Received
	return reflect.DeepEqual(x, y)
}
