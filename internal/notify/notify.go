package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"bongsu/internal/config"
)

// A Message is one word to one receiver.
type Message struct {
	ID      string // the same on every try; letters, digits and . _ -
	To      string // mail address, phone number or URL
	Subject string
	Text    string
	HTML    string // besides Text; mail only
	Lang    string // of the text, such as ko

	UnsubscribeURL string            // https; one click there ends it; mail only
	Headers        map[string]string // more headers; mail only

	JSON []byte        // body of a webhook; empty: made from the fields above
	Key  config.Secret // signs a webhook instead of the sender's key
}

// A Sender hands messages over. Send returns once the other side has taken the message
// on; it may be called by many at once.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// failure is why a message did not go out.
type failure struct {
	err       error
	permanent bool
	after     time.Duration
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

// Permanent says whether sending the same message again is in vain.
func Permanent(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.permanent
}

// RetryAfter is how long the other side asked us to wait, or 0.
func RetryAfter(err error) time.Duration {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.after
	}
	return 0
}

func permanent(format string, args ...any) error {
	return &failure{err: fmt.Errorf(format, args...), permanent: true}
}

// oneLine refuses what could end a header or a command early.
func oneLine(what, text string) error {
	for _, r := range text {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
			return permanent("the %s has a line break or control character in it: refused", what)
		}
	}
	return nil
}

func checkID(id string) error {
	if id == "" || len(id) > 200 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
		return permanent("%q is no ID of a message: use 1 to 200 letters, digits and . _ -", id)
	}
	return nil
}
