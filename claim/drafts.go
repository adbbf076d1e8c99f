package claim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"bongsu/claim/policy"
	"bongsu/internal/kv"
)

// Keys of policies. A policy is kept for ever, as what was decided by it names it.
const (
	policyPrefix = "claim/y/" // + name@version: its text
	draftPrefix  = "claim/d/" // + incident/name@version
	activePrefix = "claim/a/" // + incident
)

// A Draft is a policy that was handed in.
type Draft struct {
	ID        string     `json:"id"` // name@version
	Incident  string     `json:"incident"`
	Digest    string     `json:"digest"`
	Text      []byte     `json:"text"`
	By        string     `json:"by"`
	At        time.Time  `json:"at"`
	Approvals []Approval `json:"approvals"` // of two different people it is active
	Active    time.Time  `json:"active,omitzero"`
}

// An Approval is one person's.
type Approval struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

type storedPolicy struct {
	Text []byte `json:"text"`
}

type storedActive struct {
	ID     string    `json:"id"`
	Digest string    `json:"digest"`
	At     time.Time `json:"at"`
}

// mostPolicy is the largest policy that is handed in.
const mostPolicy = 512 << 10

// approvals is how many people have to approve of a policy.
const approvals = 2

var policyIDs = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*@[0-9]{1,9}$`)

// Submit hands in a policy for an incident. It has to parse, its examples to come out as written, and its currency to be that
// of the window; another text under a name and version that were used is refused ([ErrPolicy]). The same again is what it was.
func (o *Office) Submit(ctx context.Context, incident string, text []byte, by string) (Draft, error) {
	if err := who(by); err != nil {
		return Draft{}, err
	}
	if !incidents.MatchString(incident) {
		return Draft{}, fmt.Errorf("policy for %q: %w", incident, absent("no incident has such a name"))
	}
	p, err := usable(text)
	if err != nil {
		return Draft{}, err
	}
	switch w, err := o.Window(ctx, incident); {
	case errors.Is(err, ErrNotFound):
		if _, ok := o.outages(incident); !ok {
			return Draft{}, fmt.Errorf("policy for %q: %w", incident, absent("no reports were ever taken about such an incident, and nothing of it is recorded"))
		}
	case err != nil:
		return Draft{}, err
	case w.Currency != p.Currency:
		return Draft{}, fmt.Errorf("%w: it is in %s, and reports are in %s", ErrPolicy, p.Currency, w.Currency)
	}
	kept, err := update(ctx, o.Store, policyPrefix+p.ID, func(s *storedPolicy, exists bool) (kv.Txn, error) {
		if exists {
			return kv.Txn{}, errSame
		}
		s.Text = text
		return kv.Txn{}, nil
	})
	if err != nil {
		return Draft{}, err
	}
	if !bytes.Equal(kept.Text, text) {
		return Draft{}, fmt.Errorf("%w: %s was handed in with another content: give it another version", ErrPolicy, p.ID)
	}
	d, err := update(ctx, o.Store, draftPrefix+incident+"/"+p.ID, func(d *Draft, exists bool) (kv.Txn, error) {
		if exists {
			return kv.Txn{}, errSame
		}
		*d = Draft{ID: p.ID, Incident: incident, Digest: p.Digest, By: by, At: o.now(), Approvals: []Approval{}}
		return kv.Txn{}, nil
	})
	d.Text = text
	return d, err
}

// usable is a policy that could be activated.
func usable(text []byte) (*policy.Policy, error) {
	if len(text) > mostPolicy {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are taken", ErrPolicy, len(text), mostPolicy)
	}
	p, err := policy.Parse("policy.yaml", text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if wrong := p.Try(); len(wrong) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrPolicy, strings.Join(wrong, "; "))
	}
	return p, nil
}

// Approve counts a person's approval of the draft of this digest; the second makes it active, and what
// was decided before keeps its version. Who handed it in may be one of the two, as who drafts a payment is one of its two:
// each policy is seen by two people. The same person twice is [ErrSame].
func (o *Office) Approve(ctx context.Context, incident, id, digest, by string) (Draft, error) {
	if err := who(by); err != nil {
		return Draft{}, err
	}
	if !incidents.MatchString(incident) || !policyIDs.MatchString(id) {
		return Draft{}, fmt.Errorf("policy %q of %q: %w", id, incident, absent("nobody handed it in"))
	}
	text, _, err := read[storedPolicy](ctx, o.Store, policyPrefix+id)
	if err != nil {
		return Draft{}, err
	}
	d, err := update(ctx, o.Store, draftPrefix+incident+"/"+id, func(d *Draft, exists bool) (kv.Txn, error) {
		var t kv.Txn
		switch {
		case !exists:
			return t, fmt.Errorf("policy %q of %q: %w", id, incident, absent("nobody handed it in"))
		case d.Digest != digest:
			return t, fmt.Errorf("%w: what was looked at has digest %s, what was handed in %s", ErrDigest, digest, d.Digest)
		case slices.ContainsFunc(d.Approvals, func(a Approval) bool { return same(a.By, by) }):
			return t, fmt.Errorf("%w: %s has approved of %s already", ErrSame, by, id)
		case !d.Active.IsZero():
			return t, errSame // two were enough
		}
		now := o.now()
		d.Approvals = append(d.Approvals, Approval{by, now})
		if len(d.Approvals) < approvals {
			return t, nil
		}
		if _, err := usable(text.Text); err != nil {
			return t, err
		}
		d.Active = now
		key := activePrefix + incident
		_, modified, err := read[storedActive](ctx, o.Store, key)
		if err != nil {
			return t, err
		}
		do, err := op(key, storedActive{d.ID, d.Digest, now})
		if err != nil {
			return t, err
		}
		t.If, t.Do = append(t.If, kv.Cond{Key: key, Modified: modified}), append(t.Do, do)
		return t, nil
	})
	d.Text = text.Text
	return d, err
}

// Drafts returns the policies handed in for an incident, the newest first.
func (o *Office) Drafts(ctx context.Context, incident string) ([]Draft, error) {
	if !incidents.MatchString(incident) {
		return []Draft{}, nil
	}
	all, err := list[Draft](ctx, o.Store, draftPrefix+incident+"/")
	if err != nil {
		return nil, err
	}
	for i := range all {
		text, _, err := read[storedPolicy](ctx, o.Store, policyPrefix+all[i].ID)
		if err != nil {
			return nil, err
		}
		all[i].Text = text.Text
	}
	slices.SortStableFunc(all, func(a, b Draft) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(b.ID, a.ID)) })
	return all, nil
}

// Active returns the policy in force for an incident, or [ErrNoPolicy].
func (o *Office) Active(ctx context.Context, incident string) (*policy.Policy, error) {
	if !incidents.MatchString(incident) {
		return nil, ErrNoPolicy
	}
	a, modified, err := read[storedActive](ctx, o.Store, activePrefix+incident)
	switch {
	case err != nil:
		return nil, err
	case modified == 0:
		return nil, ErrNoPolicy
	}
	return o.Policy(ctx, a.ID)
}

// Policy returns a policy that was ever handed in, by name@version.
func (o *Office) Policy(ctx context.Context, id string) (*policy.Policy, error) {
	if p, ok := o.policies.get(id, time.Time{}); ok { // what has a name and a version never changes
		return p, nil
	}
	if !policyIDs.MatchString(id) {
		return nil, fmt.Errorf("policy %q: %w", id, absent("nobody handed it in"))
	}
	text, modified, err := read[storedPolicy](ctx, o.Store, policyPrefix+id)
	switch {
	case err != nil:
		return nil, err
	case modified == 0:
		return nil, fmt.Errorf("policy %q: %w", id, absent("nobody handed it in"))
	}
	p, err := policy.Parse(id, text.Text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	o.policies.put(id, p, o.now())
	return p, nil
}
