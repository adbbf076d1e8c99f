package duty

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/incident"
	"bongsu/internal/kv"
)

// Errors that callers branch on.
var (
	ErrLink    = errors.New("this link is not one of ours")
	ErrExpired = errors.New("this link has expired")
	ErrNoCall  = fmt.Errorf("%w: no call of it waits for an answer", incident.ErrState)
)

// LinkTime is how long the link of a call can be used.
const LinkTime = 24 * time.Hour

// A Signer makes links by which the person who was called answers, and reads them.
type Signer struct{ key []byte }

// NewSigner makes a signer of the key that all nodes share.
func NewSigner(key []byte) Signer {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("bongsu duty acknowledgement v1"))
	return Signer{h.Sum(nil)}
}

const macSize = 16

func (s Signer) mac(payload []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(payload)
	return h.Sum(nil)[:macSize]
}

// Token is what stands in the link of a call. It is good for that call of that incident,
// until expires.
func (s Signer) Token(incident, call string, expires time.Time) string {
	payload := binary.BigEndian.AppendUint32([]byte{1}, uint32(expires.Unix())) //nolint:gosec // good until 2106
	payload = append(payload, incident+"\x00"+call...)
	return base64.RawURLEncoding.EncodeToString(append(payload, s.mac(payload)...))
}

// Read returns the call of a token.
func (s Signer) Read(token string, now time.Time) (id, call string, err error) {
	if len(token) > 1024 {
		return "", "", ErrLink
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 5+macSize || raw[0] != 1 {
		return "", "", ErrLink
	}
	payload, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	if !hmac.Equal(mac, s.mac(payload)) {
		return "", "", ErrLink
	}
	id, call, ok := strings.Cut(string(payload[5:]), "\x00")
	if !ok {
		return "", "", ErrLink
	}
	if now.Unix() > int64(binary.BigEndian.Uint32(payload[1:5])) {
		return "", "", ErrExpired
	}
	return id, call, nil
}

// Answer notes that the person of a call answered it, by its link. Once is enough: a
// second answer changes nothing. It returns the call as the record has it then.
func Answer(ctx context.Context, s kv.Store, id, call string, now time.Time) (incident.Call, error) {
	r, err := incident.LoadRecord(ctx, s, id)
	if err != nil {
		return incident.Call{}, err
	}
	i := slices.IndexFunc(r.Calls, func(c incident.Call) bool { return c.ID == call })
	if i < 0 {
		return incident.Call{}, ErrNoCall
	}
	c := r.Calls[i]
	if !c.Answered.IsZero() {
		return c, nil
	}
	c.Outcome, c.Answered, c.Detail = Acknowledged, now, "by the link of the call"
	_, err = incident.LogCall(ctx, s, id, c, c.Person)
	return c, err
}

// Acknowledge notes that somebody who logged in sees to an incident: every alarm of it
// that nobody has answered is answered. It returns how many those were.
func Acknowledge(ctx context.Context, s kv.Store, id, by string, now time.Time) (int, error) {
	r, err := incident.LoadRecord(ctx, s, id)
	if err != nil {
		return 0, err
	}
	type alarm struct {
		name   string
		number int
	}
	calls := map[alarm][]incident.Call{}
	var order []alarm
	for _, c := range r.Calls {
		k := alarm{c.Alarm, c.Number}
		if calls[k] == nil {
			order = append(order, k)
		}
		calls[k] = append(calls[k], c)
	}
	n := 0
	for _, k := range order {
		if !Answered(calls[k]).IsZero() {
			continue
		}
		c := calls[k][len(calls[k])-1]
		// Their own call if there is one, or else the last: somebody answered for them.
		for _, own := range calls[k] {
			if own.Person == by {
				c = own
			}
		}
		c.Outcome, c.Answered, c.Detail = Acknowledged, now, fmt.Sprintf("by %s, who was logged in", by)
		if _, err := incident.LogCall(ctx, s, id, c, by); err != nil {
			return n, err
		}
		n++
	}
	if n == 0 {
		return 0, ErrNoCall
	}
	return n, nil
}
