package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/incident"
)

// Headline is what an incident is called, after the services that it affects, those
// with the most users first.
func Headline(services []Text) Text {
	if len(services) == 0 {
		return Text{"ko": "서비스 장애", "en": "Service disruption"}
	}
	first, more := services[0], len(services)-1
	ko, en := first.In("ko")+" 장애", "Problem with "+first.In("en")
	switch {
	case more == 1:
		ko = fmt.Sprintf("%s 외 1개 서비스 장애", first.In("ko"))
		en += " and 1 other service"
	case more > 1:
		ko = fmt.Sprintf("%s 외 %d개 서비스 장애", first.In("ko"), more)
		en += fmt.Sprintf(" and %d other services", more)
	}
	return Text{"ko": ko, "en": en}
}

// In returns the text in a language, or in another one when there is none in it.
func (t Text) In(lang string) string {
	if s := t[lang]; s != "" {
		return s
	}
	for _, l := range []string{"ko", "en"} {
		if s := t[l]; s != "" {
			return s
		}
	}
	return ""
}

// TemplateFirst is what the record calls an update that [FirstWord] wrote.
const TemplateFirst = "first-word"

// FirstWord is the word that goes out before anybody has had the time to write one: what
// does not work, since when, and when we speak next. It says nothing that is not
// in the record.
func FirstWord(p Page, s *estate.Snapshot, r *incident.Record, now time.Time) incident.Update {
	c := composer{Input: Input{Page: p, Snapshot: s, Now: now}, at: map[string]int{}}
	c.catalog()
	var names []string
	for _, v := range r.Intervals {
		if _, public := c.at[v.Service]; public && v.To.IsZero() && !slices.Contains(names, v.Service) {
			names = append(names, v.Service)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(c.at[a], c.at[b]) })
	next := now.Add(nextWord).Truncate(time.Minute)
	return incident.Update{
		Phase: string(Investigating), Template: TemplateFirst, NextAt: next,
		Body: firstWords(c.titles(names), r.LostAt, next, zone(p.TimeZone)),
	}
}

// nextWord is how soon after the first word the second one is promised.
const nextWord = 30 * time.Minute

func firstWords(services []Text, since, next time.Time, in *time.Location) map[string]string {
	const most = 3
	list := func(lang string) string {
		var names []string
		for _, s := range services[:min(most, len(services))] {
			names = append(names, escape(s.In(lang)))
		}
		return strings.Join(names, ", ")
	}
	rest := len(services) - most
	ko, en := "일부 서비스", "some services"
	switch {
	case len(services) == 0:
	case rest > 0:
		ko = fmt.Sprintf("%s 등 %d개 서비스", list("ko"), len(services))
		en = fmt.Sprintf("%s and %d more", list("en"), rest)
	default:
		ko, en = list("ko"), list("en")
	}
	since, next = since.In(in), next.In(in)
	return map[string]string{
		"ko": fmt.Sprintf("%s부터 %s에서 문제가 확인되어 원인을 파악하고 있습니다. 이용에 불편을 드려 죄송합니다.\n\n다음 안내는 %s까지 드리겠습니다.",
			since.Format("1월 2일 15:04(MST)"), ko, next.Format("15:04")),
		"en": fmt.Sprintf("Since %s we see a problem with %s. We are looking into it and are sorry for the trouble.\n\nWe will speak next by %s.",
			since.Format("2 January 15:04 MST"), en, next.Format("15:04")),
	}
}

// escape keeps a name from being taken for Markdown.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_{}[]<>()#+!|~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func zone(name string) *time.Location {
	if l, err := time.LoadLocation(name); err == nil {
		return l
	}
	return time.UTC
}
