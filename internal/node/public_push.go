package node

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"bongsu/internal/kv"
	"bongsu/status"
)

const (
	pushPath  = "/v1/documents"
	statePath = "/v1/state"
	// maxPush is the size of one delivery at most; a pusher cuts what is larger.
	maxPush = 8 << 20
)

// delivery is what control posts: documents, each as it was signed.
type delivery struct {
	Documents []string `json:"documents"`
}

// receipt is what it is answered.
type receipt struct {
	Site string `json:"site"`
	// Stored says that the quorum of the public side has them all: every site shows
	// them, and losing this one loses nothing.
	Stored  bool     `json:"stored"`
	Missing []string `json:"missing,omitempty"` // named by the pulse, and not here: send everything again
	Older   []held   `json:"older,omitempty"`   // what is here is newer
	// Newest is the document of the highest revision among those that are newer, as it
	// was signed: control believes no number that it has not signed.
	Newest string `json:"newest,omitempty"`
	Error  string `json:"error,omitempty"`
}

// held is one document that a public node has.
type held struct {
	Key string    `json:"key"`
	Rev int64     `json:"rev"`
	At  time.Time `json:"at"`
}

// PublicState is what a public node says of itself to its operators.
type PublicState struct {
	Site   string        `json:"site"`
	Quorum bool          `json:"quorum"`
	Since  time.Time     `json:"since"` // since when quorum is what it is
	Behind bool          `json:"behind"`
	State  *status.State `json:"state"`
	Jobs   []status.Job  `json:"jobs"` // of the outbox; empty without a quorum
}

// servePush takes what control pushes. It has an address of its own, so that no flood
// of readers stands in its way.
func (p *Public) servePush(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pushPath, p.receive)
	mux.HandleFunc("GET "+statePath, p.tellState)
	srv := &http.Server{
		Handler: mux, TLSConfig: p.o.PushTLS,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	return serveHTTP(ctx, p.log, ln, srv, "", "")
}

// receive shows what was pushed at once, and answers when the store has it or cannot
// have it now.
func (p *Public) receive(w http.ResponseWriter, r *http.Request) {
	answer := func(code int, a receipt) {
		a.Site = p.o.Site
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		if err := json.NewEncoder(w).Encode(a); err != nil {
			p.log.Debug("whoever pushed did not wait for the answer", "err", err)
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	var d delivery
	if err == nil {
		err = json.Unmarshal(body, &d)
	}
	if err != nil {
		code := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			code = http.StatusRequestEntityTooLarge
		}
		answer(code, receipt{Error: err.Error()})
		return
	}
	items := make([]item, 0, len(d.Documents))
	var ahead error
	for _, text := range d.Documents {
		doc, err := status.Open([]byte(text), p.o.Known)
		switch {
		case err == nil && doc.CheckClock(time.Now()) != nil:
			ahead = doc.CheckClock(time.Now())
			continue // what it is with is shown all the same
		case errors.Is(err, status.ErrUnsigned):
			p.log.Warn("refused what control did not sign", "from", r.RemoteAddr, "err", err)
			answer(http.StatusForbidden, receipt{Error: err.Error()})
			return
		case err != nil:
			answer(http.StatusBadRequest, receipt{Error: err.Error()})
			return
		}
		items = append(items, item{doc, []byte(text)})
	}
	taken, missing, older := p.board.put(items...)
	a := receipt{Missing: missing}
	for _, o := range older {
		a.Older = append(a.Older, held{o.Key, o.Rev, o.At})
	}
	a.Newest = p.board.newest(older)
	if err := p.commit(r.Context(), items, missing); err != nil {
		a.Error = err.Error()
		p.behind.Store(taken > 0 || p.behind.Load())
	} else {
		a.Stored = len(missing) == 0 && len(older) == 0
	}
	code := http.StatusOK
	if len(older) > 0 || len(missing) > 0 {
		code = http.StatusConflict
	}
	if ahead != nil {
		code, a.Error, a.Stored = http.StatusUnprocessableEntity, ahead.Error(), false
	}
	answer(code, a)
}

// commit gives the store what was pushed, pulses last and only when all that they
// name is there.
func (p *Public) commit(ctx context.Context, items []item, missing []string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, it := range items { // put has sorted them
		if it.Key == status.KeyPulse && len(missing) > 0 {
			continue
		}
		if err := status.Save(ctx, p.store, p.o.Known, it.signed); err != nil && !errors.Is(err, status.ErrOlder) {
			return err
		}
	}
	return nil
}

func (p *Public) tellState(w http.ResponseWriter, r *http.Request) {
	st := p.store.Status()
	out := PublicState{Site: p.o.Site, Quorum: st.Quorum, Since: st.Since, Behind: p.behind.Load(), State: p.board.State(), Jobs: []status.Job{}}
	if st.Quorum {
		jobs, err := status.Jobs(r.Context(), p.store)
		if err != nil && !errors.Is(err, kv.ErrUnavailable) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		out.Jobs = append(out.Jobs, jobs...)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		p.log.Debug("whoever asked did not wait for the answer", "err", err)
	}
}
