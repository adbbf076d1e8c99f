package notify

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"bongsu/internal/config"
)

// SMS sends text messages through a gateway that speaks HTTP.
type SMS struct {
	c      config.SMS
	guard  guard
	client *http.Client
	escape func(string) string // for the body
}

// NewSMS makes a sender to phone numbers.
func NewSMS(c config.SMS) (*SMS, error) {
	g, err := newGuard(c.Allow)
	if err != nil {
		return nil, fmt.Errorf("sms: %w", err)
	}
	client, err := g.client(c.CA, c.Timeout)
	if err != nil {
		return nil, fmt.Errorf("sms: %w", err)
	}
	s := &SMS{c: c, guard: g, client: client}
	kind, _, err := mime.ParseMediaType(c.ContentType)
	if err != nil {
		return nil, fmt.Errorf("sms: contentType %q: %w", c.ContentType, err)
	}
	switch kind {
	case "application/json":
		s.escape = escapeJSON
	case "application/x-www-form-urlencoded":
		s.escape = url.QueryEscape
	case "application/xml", "text/xml":
		s.escape = escapeXML
	case "text/plain":
		s.escape = func(s string) string { return s }
	default:
		return nil, fmt.Errorf("sms: contentType %q: how to escape is known for application/json, application/x-www-form-urlencoded, application/xml and text/plain", kind)
	}
	for _, text := range append([]string{c.URL, c.Body}, slices.Collect(maps.Values(c.Headers))...) {
		if _, err := fill(text, map[string]string{"to": "", "text": "", "from": "", "id": "", "secret": ""}, s.escape); err != nil {
			return nil, fmt.Errorf("sms: %w", err)
		}
	}
	return s, nil
}

// Send implements [Sender]. Subject and text become one text.
func (s *SMS) Send(ctx context.Context, m Message) error {
	to, err := phone(m.To)
	if err != nil {
		return err
	}
	if err := checkID(m.ID); err != nil {
		return err
	}
	r, err := s.request(ctx, map[string]string{
		"to": to, "from": s.c.From, "id": m.ID, "text": plainText(m), "secret": s.c.Secret.Secret().Reveal(),
	})
	if err != nil {
		return err
	}
	said, err := call(s.client, r)
	switch {
	case err != nil:
		return err
	case s.c.Success != "" && !strings.Contains(said, s.c.Success):
		return fmt.Errorf("%s took the request, but its answer does not contain %s", r.URL.Hostname(), s.c.Success)
	}
	return nil
}

func (s *SMS) request(ctx context.Context, values map[string]string) (*http.Request, error) {
	address, err := fill(s.c.URL, values, url.QueryEscape)
	if err != nil {
		return nil, permanent("sms: %w", err)
	}
	u, err := s.guard.url(address)
	if err != nil {
		return nil, err
	}
	body := ""
	if s.c.Method != http.MethodGet {
		if body, err = fill(s.c.Body, values, s.escape); err != nil {
			return nil, permanent("sms: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, s.c.Method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, permanent("sms: %w", err)
	}
	if body != "" {
		r.Header.Set("Content-Type", s.c.ContentType)
	}
	r.Header.Set("User-Agent", agent)
	for _, name := range slices.Sorted(maps.Keys(s.c.Headers)) {
		value, err := fill(s.c.Headers[name], values, func(s string) string { return s })
		if err != nil {
			return nil, permanent("sms: %w", err)
		}
		if err := oneLine("header "+name, value); err != nil {
			return nil, err
		}
		r.Header.Set(name, value)
	}
	return r, nil
}

// fill puts values in for ${name}. What is put in is not looked at again.
func fill(template string, values map[string]string, escape func(string) string) (string, error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "${")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, after, ok := strings.Cut(rest, "}")
		value, known := values[name]
		if !ok || !known {
			return "", fmt.Errorf("${%s is none of ${to}, ${text}, ${from}, ${id} and ${secret}", strings.TrimSuffix(name, "}"))
		}
		b.WriteString(escape(value))
		template = after
	}
}

func escapeJSON(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return "" // unreachable: every string can be written
	}
	return string(text[1 : len(text)-1])
}

func escapeXML(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return "" // unreachable: a builder takes everything
	}
	return b.String()
}

// plainText is the message without what a telephone cannot show.
func plainText(m Message) string {
	text := m.Text
	if m.Subject != "" {
		text = m.Subject + "\n" + text
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return ' '
		}
		return r
	}, text)
}

// phone takes the usual separators from a number and refuses everything else.
func phone(s string) (string, error) {
	n := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(s)
	if !regexp.MustCompile(`^\+?[0-9]{3,15}$`).MatchString(n) {
		return "", &failure{err: errors.New("the phone number must be 3 to 15 digits, with + before a country code"), permanent: true}
	}
	return n, nil
}
