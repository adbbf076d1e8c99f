package mark

import (
	"bytes"
	"html"
	"html/template"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// MaxBytes is how long a text may be that is read as Markdown. What is longer is
// shown as plain text, because nobody wrote it by hand.
const MaxBytes = 64 << 10

// A Renderer makes HTML of Markdown.
type Renderer struct {
	md     goldmark.Markdown
	policy *bluemonday.Policy
}

// New makes a renderer. The parser already leaves out raw HTML; the allow-list
// behind it is a second lock of another make.
func New() *Renderer {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "strong", "em", "del", "ul", "ol", "li", "code", "pre", "blockquote", "hr", "h3", "h4", "h5", "h6")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,9}$`)).OnElements("ol")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return &Renderer{
		md: goldmark.New(
			goldmark.WithExtensions(
				extension.NewLinkify(extension.WithLinkifyAllowedProtocols([]string{"http:", "https:", "mailto:"})),
				extension.Strikethrough,
			),
			goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(shape{}, 100))),
		),
		policy: p,
	}
}

// HTML returns the text as HTML.
func (r *Renderer) HTML(s string) template.HTML {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxBytes {
		var b bytes.Buffer
		if r.md.Convert([]byte(s), &b) == nil {
			return template.HTML(strings.TrimSpace(r.policy.SanitizeReader(&b).String())) //nolint:gosec // the allow-list made it
		}
	}
	return template.HTML("<p>" + html.EscapeString(s) + "</p>") //nolint:gosec // escaped
}

// shape fits a text into a page: its headings go below those of the page, a picture
// becomes its description, and a line break of the writer stays one.
type shape struct{}

func (shape) Transform(doc *ast.Document, r text.Reader, _ parser.Context) {
	var pictures []*ast.Image
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the visitor returns no error
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			n.Level = min(n.Level+2, 6)
		case *ast.Text:
			if n.SoftLineBreak() {
				n.SetHardLineBreak(true)
			}
		case *ast.Image:
			pictures = append(pictures, n)
		}
		return ast.WalkContinue, nil
	})
	for _, p := range pictures {
		parent := p.Parent()
		for c := p.FirstChild(); c != nil; c = p.FirstChild() {
			parent.InsertBefore(parent, p, c)
		}
		parent.RemoveChild(parent, p)
	}
}
