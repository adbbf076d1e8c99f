package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/internal/kv"
)

// Keys of the store of the public side. What is below them is of version 1.
const (
	Prefix       = "status/"
	docPrefix    = Prefix + "doc/"    // + key of the document; as it was signed
	answerPrefix = Prefix + "answer/" // + ID; published by the desk, so nobody of control signed it
	subPrefix    = Prefix + "sub/"    // + ID
	wishPrefix   = Prefix + "wish/"   // + ID; subscriptions that wait for confirmation
	outPrefix    = Prefix + "out/"    // + ID of the update
	sentPrefix   = Prefix + "sent/"   // + ID of the update / number
	askPrefix    = Prefix + "ask/"    // + ID
	// LeaderKey is held by the public node that sends what is in the outbox.
	LeaderKey = Prefix + "leader"
)

// fresh is how old an update may be and still be sent to subscribers when it is
// first seen: a store that was lost and is filled again tells nobody old news.
const fresh = 6 * time.Hour

// Save takes a signed document into the store, together with the jobs that tell
// subscribers of the updates in it: both or neither. A document that is there
// already is no error; [ErrOlder] says that a newer one is.
func Save(ctx context.Context, s kv.Store, known note.Verifiers, signed []byte) error {
	d, err := Open(signed, known)
	if err != nil {
		return err
	}
	for {
		txn, err := saving(ctx, s, known, d, signed)
		if err != nil || len(txn.Do) == 0 {
			return err
		}
		switch _, err := s.Commit(ctx, txn); {
		case err == nil:
			return nil
		case !errors.Is(err, kv.ErrConflict) || ctx.Err() != nil:
			return fmt.Errorf("keep %s: %w", d.Key, err)
		}
	}
}

// saving makes the transaction, empty when there is nothing to do.
func saving(ctx context.Context, s kv.Store, known note.Verifiers, d Document, signed []byte) (kv.Txn, error) {
	e, ok, err := s.Get(ctx, docPrefix+d.Key)
	if err != nil {
		return kv.Txn{}, fmt.Errorf("look for %s: %w", d.Key, err)
	}
	var old Document
	if ok {
		if old, err = Open(e.Value, known); err == nil {
			switch {
			case d.Same(old):
				return kv.Txn{}, nil
			case !d.Newer(old):
				return kv.Txn{}, fmt.Errorf("%w: %s", ErrOlder, d.Key)
			}
		} // else it was signed by a key that is not known any more: any other is better
	}
	txn := kv.Txn{
		If: []kv.Cond{{Key: docPrefix + d.Key, Modified: e.Modified}},
		Do: []kv.Op{{Key: docPrefix + d.Key, Value: signed}},
	}
	for _, j := range news(old, d) {
		key := outPrefix + j.ID
		if _, ok, err := s.Get(ctx, key); err != nil {
			return kv.Txn{}, fmt.Errorf("look for news of %s: %w", d.Key, err)
		} else if ok {
			continue
		}
		value, err := json.Marshal(storedJob{V: 1, Job: j})
		if err != nil {
			return kv.Txn{}, fmt.Errorf("encode news: %w", err)
		}
		txn.If = append(txn.If, kv.Cond{Key: key})
		txn.Do = append(txn.Do, kv.Op{Key: key, Value: value})
	}
	return txn, nil
}

// news are the updates of a document that the one before it did not have.
func news(old, d Document) []Job {
	says, err := d.decode()
	i, ok := says.(*Incident)
	if err != nil || !ok {
		return nil
	}
	var had []Update
	if said, err := old.decode(); err == nil {
		if o, ok := said.(*Incident); ok {
			had = o.Updates
		}
	}
	var jobs []Job
	for _, u := range i.Updates {
		if d.At.Sub(u.At) > fresh || u.ID == "" || strings.Contains(u.ID, "/") ||
			slices.ContainsFunc(had, func(o Update) bool { return o.ID == u.ID }) {
			continue
		}
		j := Job{ID: u.ID, Incident: i.ID, Title: i.Title, Update: u, NextAt: i.NextAt, Queued: d.At}
		for _, l := range i.Board {
			if !slices.Contains(j.Services, l.Service) {
				j.Services = append(j.Services, l.Service)
			}
		}
		jobs = append(jobs, j)
	}
	return jobs
}

type storedAnswer struct {
	V int `json:"v"`
	Answer
}

// Kept is what a store of the public side says to everybody: the documents, as they
// were signed, and the answers that its desk published.
type Kept struct {
	Signed  map[string][]byte // by key
	Answers []Document
	Rev     int64
}

// Load reads what is kept, as far as it can be read: what somebody else signed is left out.
func Load(ctx context.Context, s kv.Store, known note.Verifiers) (Kept, Stock, error) {
	entries, rev, err := s.List(ctx, docPrefix)
	if err != nil {
		return Kept{}, Stock{}, fmt.Errorf("read the documents: %w", err)
	}
	k := Kept{Signed: map[string][]byte{}, Rev: rev}
	var docs []Document
	for _, e := range entries {
		d, err := Open(e.Value, known)
		if err != nil || docPrefix+d.Key != e.Key {
			continue
		}
		k.Signed[d.Key], docs = e.Value, append(docs, d)
	}
	entries, _, err = s.List(ctx, answerPrefix)
	if err != nil {
		return Kept{}, Stock{}, fmt.Errorf("read the answers: %w", err)
	}
	for _, e := range entries {
		if d, ok := answerOf(e); ok {
			k.Answers = append(k.Answers, d)
		}
	}
	return k, StockOf(append(docs, k.Answers...)...), nil
}

// Told returns the document that an entry of the store is, and whether it is one.
// signed is nil for an answer.
func Told(e kv.Entry, known note.Verifiers) (d Document, signed []byte, ok bool) {
	if strings.HasPrefix(e.Key, answerPrefix) {
		d, ok = answerOf(e)
		return d, nil, ok
	}
	if !strings.HasPrefix(e.Key, docPrefix) {
		return Document{}, nil, false
	}
	d, err := Open(e.Value, known)
	return d, e.Value, err == nil && docPrefix+d.Key == e.Key
}

// answerOf makes a document of an answer, of the revision that wrote it.
func answerOf(e kv.Entry) (Document, bool) {
	var stored storedAnswer
	if json.Unmarshal(e.Value, &stored) != nil || stored.V != 1 {
		return Document{}, false
	}
	d, err := Make(KeyAnswer+stored.ID, e.Modified, stored.At, stored.Answer)
	return d, err == nil && d.Check() == nil
}

// list decodes all entries below a prefix; what is of another version is an error.
func list[T any](ctx context.Context, s kv.Store, prefix string, version func(*T) int) (all []T, entries []kv.Entry, err error) {
	entries, _, err = s.List(ctx, prefix)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", prefix, err)
	}
	all = make([]T, 0, len(entries))
	for _, e := range entries {
		v, err := decodeEntry(e, version)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, v)
	}
	return all, entries, nil
}

func decodeEntry[T any](e kv.Entry, version func(*T) int) (T, error) {
	var v T
	if err := json.Unmarshal(e.Value, &v); err != nil {
		return v, fmt.Errorf("entry %s: %w", e.Key, err)
	}
	if n := version(&v); n != 1 {
		return v, fmt.Errorf("entry %s is of version %d, this program knows version 1: update it", e.Key, n)
	}
	return v, nil
}
