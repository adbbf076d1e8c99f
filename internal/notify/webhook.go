package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bongsu/internal/config"
)

// Headers of a webhook.
const (
	HeaderID        = "Bongsu-Id"        // of the message; the same on every try
	HeaderTime      = "Bongsu-Time"      // seconds since 1970, of this try
	HeaderSignature = "Bongsu-Signature" // v1= and the HMAC-SHA256 of id.time.body in hexadecimal
)

// Webhook posts messages, signed.
type Webhook struct {
	guard  guard
	client *http.Client
	key    config.Secret
}

// NewWebhook makes a sender that posts to [Message.To].
func NewWebhook(c config.Webhook) (*Webhook, error) {
	g, err := newGuard(c.Allow)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	client, err := g.client(c.CA, c.Timeout)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return &Webhook{guard: g, client: client, key: c.Key.Secret()}, nil
}

// Check says why an address would be refused whatever its name leads to.
func (w *Webhook) Check(raw string) error {
	_, err := w.guard.url(raw)
	return err
}

// Send implements [Sender].
func (w *Webhook) Send(ctx context.Context, m Message) error {
	if err := checkID(m.ID); err != nil {
		return err
	}
	body := m.JSON
	if len(body) == 0 {
		var err error
		body, err = json.Marshal(struct {
			ID      string `json:"id"`
			Subject string `json:"subject"`
			Text    string `json:"text"`
			Lang    string `json:"lang,omitempty"`
		}{m.ID, m.Subject, m.Text, m.Lang})
		if err != nil {
			return permanent("webhook: %w", err)
		}
	}
	key := w.key
	if m.Key.Reveal() != "" {
		key = m.Key
	}
	r, err := w.post(ctx, m.To, body)
	if err != nil {
		return err
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set(HeaderID, m.ID)
	r.Header.Set(HeaderTime, now)
	r.Header.Set("Idempotency-Key", m.ID)
	if key.Reveal() != "" {
		r.Header.Set(HeaderSignature, "v1="+sign(key, m.ID, now, body))
	}
	_, err = call(w.client, r)
	return err
}

func (w *Webhook) post(ctx context.Context, to string, body []byte) (*http.Request, error) {
	u, err := w.guard.url(to)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, permanent("webhook: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", agent)
	return r, nil
}

const agent = "bongsu"

func sign(key config.Secret, id, now string, body []byte) string {
	h := hmac.New(sha256.New, []byte(key.Reveal()))
	fmt.Fprintf(h, "%s.%s.", id, now)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// Verify says whether a webhook that was received comes from whoever knows the key,
// and is no older than tolerance: older ones may have been recorded and played back.
func Verify(key config.Secret, h http.Header, body []byte, now time.Time, tolerance time.Duration) error {
	sec, err := strconv.ParseInt(h.Get(HeaderTime), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is missing or no number", HeaderTime)
	}
	if d := now.Sub(time.Unix(sec, 0)); d > tolerance || d < -tolerance {
		return fmt.Errorf("%s is %v from now", HeaderTime, d)
	}
	got, ok := strings.CutPrefix(h.Get(HeaderSignature), "v1=")
	if !ok || !hmac.Equal([]byte(got), []byte(sign(key, h.Get(HeaderID), h.Get(HeaderTime), body))) {
		return errors.New("the signature is not that of the key")
	}
	return nil
}

// Slack posts to incoming webhooks of Slack and of what understands the same: the
// address is the secret, so nothing is signed.
type Slack struct{ hook *Webhook }

// NewSlack makes a sender that posts to [Message.To].
func NewSlack(c config.Webhook) (*Slack, error) {
	w, err := NewWebhook(c)
	if err != nil {
		return nil, err
	}
	return &Slack{hook: w}, nil
}

// Send implements [Sender].
func (s *Slack) Send(ctx context.Context, m Message) error {
	text := escapeSlack(m.Text)
	if m.Subject != "" {
		text = "*" + strings.ReplaceAll(escapeSlack(m.Subject), "*", "∗") + "*\n" + text
	}
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return permanent("slack: %w", err)
	}
	r, err := s.hook.post(ctx, m.To, body)
	if err != nil {
		return err
	}
	_, err = call(s.hook.client, r)
	return err
}

// escapeSlack takes the meaning from what would call a channel or hide a link.
func escapeSlack(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
