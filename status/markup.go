package status

import (
	"bytes"
	"html"
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
)

// HTML turns the Markdown of an update into safe HTML: paragraphs, lists, quotes,
// emphasis, code and links to http, https and mailto. Whatever else it holds is
// shown as the text that it is, or not at all.
func HTML(markdown string) string {
	var b bytes.Buffer
	if err := markup().parser.Convert([]byte(markdown), &b); err != nil {
		return "<p>" + html.EscapeString(markdown) + "</p>" // unreachable: a bytes.Buffer takes all
	}
	return strings.TrimSpace(markup().policy.Sanitize(b.String()))
}

// PlainText turns the Markdown of an update into text of one line, for summaries.
func PlainText(markdown string) string {
	// Only what begins a line is set apart: a word that is strong keeps its particle.
	lines := strings.NewReplacer("\n", " ", "</p>", " ", "<li>", " ", "<br", " <br").Replace(HTML(markdown))
	text := html.UnescapeString(markup().bare.Sanitize(lines))
	return strings.Join(strings.Fields(text), " ")
}

type markdown struct {
	parser goldmark.Markdown
	policy *bluemonday.Policy
	bare   *bluemonday.Policy
}

// markup makes the parser and the allow-list once; both may be used by many at once.
//
//nolint:gochecknoglobals // a constant that takes code to make
var markup = sync.OnceValue(func() *markdown {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "hr")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,4}$`)).OnElements("ol")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return &markdown{
		parser: goldmark.New(goldmark.WithExtensions(extension.Linkify, extension.Strikethrough)),
		policy: p, bare: bluemonday.StrictPolicy(),
	}
})
