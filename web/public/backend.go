package public

import (
	"context"
	"errors"
	"time"

	"bongsu/status"
)

// Errors of a [Desk] that pages explain.
var (
	ErrUnavailable = errors.New("nothing can be taken in now") // no quorum of the public store, or it is full: keep what was typed
	ErrTooMany     = errors.New("too many requests")
	ErrInput       = errors.New("what was typed cannot be used") // an address that nothing can be sent to
	ErrToken       = errors.New("the link is not valid, or not any more")
)

// A Source is where the pages come from. Reading never waits: a node that lost its
// quorum goes on with what it last knew.
type Source interface {
	// State returns what is known now; the same pointer until it changes.
	State() *status.State
	// Changes sends after State changed, until ctx ends; a slow reader misses
	// repetitions, never the last change.
	Changes(ctx context.Context) <-chan struct{}
}

// A Desk takes what readers send.
type Desk interface {
	// Subscribe stores the wish and sends the letter that asks for confirmation.
	// It says the same whether or not the address was known.
	Subscribe(ctx context.Context, s Subscription) error
	// Confirm makes a subscription real, by the token of the letter.
	Confirm(ctx context.Context, token string) error
	// Unsubscribe ends one, by the token of any letter (RFC 8058).
	Unsubscribe(ctx context.Context, token string) error
	// Ask files a question of a reader.
	Ask(ctx context.Context, q Question) error
}

// A Subscription is where a reader wants news to go.
type Subscription struct {
	Kind     string   // email, webhook, slack
	Address  string   // e-mail address or URL
	Services []string // empty: all
	Lang     string   // ko or en
	From     string   // address prefix of the reader, for limits; never stored
}

// A Question of a reader.
type Question struct {
	Incident string
	Text     string
	Contact  string // optional
	Lang     string
	From     string // address prefix of the reader, for limits; never stored
	At       time.Time
}
