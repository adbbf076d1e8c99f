package status

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"time"
)

// words are one update in one language.
type words struct {
	lang, subject, text, html string
}

// words writes an update once in each language.
func (s *sending) words(j Job) map[string]words {
	c := s.Page()
	out := map[string]words{}
	for _, lang := range []string{"ko", "en"} {
		title, body := j.Title.In(lang), j.Update.Body.In(lang)
		at := j.Update.At.In(zone(c.TimeZone))
		link := c.URL + "/incidents/" + url.PathEscape(j.Incident) + ".html"
		subject := fmt.Sprintf("[%s] %s: %s", c.Company, title, phaseName(j.Update.Phase, lang))
		said := at.Format("2006-01-02 15:04 MST")
		next := ""
		if !j.NextAt.IsZero() {
			by := j.NextAt.In(zone(c.TimeZone)).Format("15:04 MST")
			next = map[string]string{"ko": "다음 안내: " + by, "en": "Next word by " + by}[lang]
		}
		more := map[string]string{"ko": "자세한 내용과 복구 현황", "en": "Details and how far it is"}[lang]
		text := strings.Join(without([]string{title + " (" + phaseName(j.Update.Phase, lang) + ")", said, PlainText(body), next, more + ": " + link}), "\n\n")
		page := fmt.Sprintf(`<!doctype html><html lang="%s"><body><h1>%s</h1><p><strong>%s</strong> · %s</p>%s<p>%s</p><p><a href="%s">%s</a></p>`,
			lang, html.EscapeString(title), html.EscapeString(phaseName(j.Update.Phase, lang)), html.EscapeString(said), HTML(body),
			html.EscapeString(next), html.EscapeString(link), html.EscapeString(more))
		out[lang] = words{lang, oneLine(subject), text, page}
	}
	return out
}

func without(parts []string) []string {
	out := parts[:0]
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// oneLine keeps a subject on one line, whatever a title holds.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func phaseName(p Phase, lang string) string {
	names := map[Phase]Text{
		Investigating: {"ko": "확인 중", "en": "investigating"},
		Identified:    {"ko": "원인 파악", "en": "identified"},
		Monitoring:    {"ko": "경과 관찰", "en": "monitoring"},
		Resolved:      {"ko": "해결됨", "en": "resolved"},
		Postmortem:    {"ko": "사후 보고", "en": "post-mortem"},
	}
	if t, ok := names[p]; ok {
		return t.In(lang)
	}
	return string(p)
}

// A Hook is what a webhook gets.
type Hook struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"` // update or confirm
	Page        string    `json:"page"`
	At          time.Time `json:"at"`
	Incident    string    `json:"incident,omitempty"`
	Title       Text      `json:"title,omitempty"`
	Update      *Update   `json:"update,omitempty"`
	Services    []string  `json:"services,omitempty"`
	NextAt      time.Time `json:"nextAt,omitzero"`
	URL         string    `json:"url,omitempty"`
	Confirm     string    `json:"confirm,omitempty"` // URL that a person opens
	Secret      string    `json:"secret,omitempty"`  // told once: signs what is sent later
	Unsubscribe string    `json:"unsubscribe"`
}

// letter is what one subscriber gets of an update.
func (s *sending) letter(j Job, w words, sub Subscriber) Letter {
	c := s.Page()
	l := Letter{
		ID: letterID(j.ID, sub.ID), Kind: sub.Kind, To: sub.Address, Lang: w.lang, Subject: w.subject,
		Text: w.text, HTML: w.html, Unsubscribe: c.URL + "/unsubscribe?token=" + s.Desk.unsubscribeToken(sub.ID),
	}
	switch sub.Kind {
	case ByMail:
		bye := map[string]string{"ko": "구독 해지", "en": "Unsubscribe"}[w.lang]
		l.Text += "\n\n" + bye + ": " + l.Unsubscribe + "\n"
		l.HTML += fmt.Sprintf(`<hr><p><a href="%s">%s</a></p></body></html>`, html.EscapeString(l.Unsubscribe), bye)
	case ByWebhook:
		u := j.Update
		l.Secret = s.Desk.secret(sub.ID)
		l.JSON = hook(Hook{
			ID: l.ID, Kind: "update", Page: c.URL, At: u.At, Incident: j.Incident, Title: j.Title, Update: &u, Services: j.Services,
			NextAt: j.NextAt, URL: c.URL + "/incidents/" + url.PathEscape(j.Incident) + ".html", Unsubscribe: l.Unsubscribe,
		})
	}
	return l
}

// confirmation asks whether whoever owns an address wants the news.
func (s *sending) confirmation(id string, w storedWish) Letter {
	c := s.Page()
	confirm := c.URL + "/confirm?token=" + s.Desk.confirmToken(id, w.Nonce)
	l := Letter{
		ID: letterID("confirm", id, w.Nonce), Kind: w.Kind, To: w.Address, Lang: w.Lang,
		Unsubscribe: c.URL + "/unsubscribe?token=" + s.Desk.unsubscribeToken(id),
	}
	var lines []string
	title := oneLine(c.Title.In(w.Lang))
	if w.Lang == "en" {
		l.Subject = fmt.Sprintf("[%s] Please confirm your subscription", c.Company)
		lines = []string{
			"Somebody, probably you, asked for news of " + title + " at this address.", "To get them, open this within a day:", confirm,
			"If it was not you, do nothing: nothing more will be sent.",
		}
	} else {
		l.Subject = fmt.Sprintf("[%s] 구독을 확인해 주세요", c.Company)
		lines = []string{
			"이 주소로 " + title + " 소식을 받겠다는 신청이 있었습니다.", "받으시려면 하루 안에 다음 주소를 열어 주세요.", confirm,
			"신청하지 않으셨다면 그대로 두세요. 더는 아무것도 보내지 않습니다.",
		}
	}
	l.Subject = oneLine(l.Subject)
	l.Text = strings.Join(lines, "\n\n") + "\n"
	var b strings.Builder
	fmt.Fprintf(&b, `<!doctype html><html lang="%s"><body>`, w.Lang)
	for _, p := range lines {
		if p == confirm {
			fmt.Fprintf(&b, `<p><a href="%s">%s</a></p>`, html.EscapeString(p), html.EscapeString(p))
			continue
		}
		b.WriteString("<p>" + html.EscapeString(p) + "</p>")
	}
	l.HTML = b.String() + "</body></html>"
	if w.Kind == ByWebhook {
		l.Secret = s.Desk.secret(id)
		l.JSON = hook(Hook{ID: l.ID, Kind: "confirm", Page: c.URL, At: w.Asked, Confirm: confirm, Secret: l.Secret, Unsubscribe: l.Unsubscribe})
	}
	return l
}

func hook(h Hook) []byte {
	body, err := json.Marshal(h) //nolint:gosec // its secret is for whoever owns the address, and only for them
	if err != nil {
		panic(err) // unreachable: a hook has nothing that cannot be encoded
	}
	return body
}

// secret signs what goes to one webhook; only its owner and we know it.
func (d *Desk) secret(id string) string { return d.mac("webhook", id) }
