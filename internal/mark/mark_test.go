package mark_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"bongsu/internal/mark"
)

func TestHTML(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"paragraphs", "톡이 **돌아왔습니다**.\n\n메일은 복구 중입니다.", "<p>톡이 <strong>돌아왔습니다</strong>.</p>\n<p>메일은 복구 중입니다.</p>"},
		{"line break stays", "one\ntwo", "<p>one<br>\ntwo</p>"},
		{"list", "- 톡\n- 메일", "<ul>\n<li>톡</li>\n<li>메일</li>\n</ul>"},
		{"numbers from", "3. three", "<ol start=\"3\">\n<li>three</li>\n</ol>"},
		{"headings go down", "# One\n\n##### Five", "<h3>One</h3>\n<h6>Five</h6>"},
		{"link", "[page](https://status.example/a?b=1&c=2)", `<p><a href="https://status.example/a?b=1&amp;c=2" rel="nofollow noreferrer">page</a></p>`},
		{"bare link", "see https://status.example.", `<p>see <a href="https://status.example" rel="nofollow noreferrer">https://status.example</a>.</p>`},
		{"struck", "~~soon~~", "<p><del>soon</del></p>"},
		{"code", "`a < b`", "<p><code>a &lt; b</code></p>"},
		{"raw html is left out", "<script>alert(1)</script>", ""},
		{"inline html is left out", "a <b onclick=x>b</b> c", "<p>a b c</p>"},
		{"script link", "[x](javascript:alert(1))", "<p>x</p>"},
		{"data link", "[x](data:text/html;base64,PHNjcmlwdD4=)", "<p>x</p>"},
		{"relative link", "[x](//evil.example/)", "<p>x</p>"},
		{"picture becomes words", "![a *map*](https://evil.example/x.png)", "<p>a <em>map</em></p>"},
		{"comparison", "1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>"},
		{"broken bytes", "a\xffb", "<p>a\uFFFDb</p>"},
		{"too long", strings.Repeat("<", mark.MaxBytes+1), "<p>" + strings.Repeat("&lt;", mark.MaxBytes+1) + "</p>"},
	} {
		if got := string(mark.New().HTML(c.in)); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got[:min(len(got), 300)], c.want[:min(len(c.want), 300)])
		}
	}
}

// FuzzHTML: whatever is written, only elements and attributes of the allow-list
// come out, no link leads to a script, and elements are closed.
func FuzzHTML(f *testing.F) {
	for _, s := range []string{
		"# a\n\n- b\n- c", "<script>alert(1)</script>", "[x](javascript:alert(1))", "<img src=x onerror=alert(1)>", "![x](x \"y\")",
		"<a href='java\tscript:x'>", "[a]: https://x\n\n[a]", "> q\n>> r", "```\n</code><script>\n```", "&#x6a;avascript:x", "<svg/onload=x>", "**a*b**c*", "\x00\ufffe", "3) x",
	} {
		f.Add(s)
	}
	r := mark.New()
	allowed := strings.Fields("p br strong em del ul ol li code pre blockquote hr h3 h4 h5 h6 a")
	link := regexp.MustCompile(`(?i)^(https?|mailto):`)
	f.Fuzz(func(t *testing.T, s string) {
		out := []byte(r.HTML(s))
		z := html.NewTokenizer(bytes.NewReader(out))
		var open []string
		for {
			kind := z.Next()
			if kind == html.ErrorToken {
				break
			}
			tok := z.Token()
			switch kind {
			case html.StartTagToken, html.SelfClosingTagToken:
				if !slices.Contains(allowed, tok.Data) {
					t.Fatalf("%q gives <%s>: %q", s, tok.Data, out)
				}
				for _, a := range tok.Attr {
					ok := tok.Data == "a" && a.Key == "rel" || tok.Data == "ol" && a.Key == "start" ||
						tok.Data == "a" && a.Key == "href" && link.MatchString(a.Val)
					if !ok {
						t.Fatalf("%q gives %s=%q on <%s>", s, a.Key, a.Val, tok.Data)
					}
				}
				if kind == html.StartTagToken && tok.Data != "br" && tok.Data != "hr" {
					open = append(open, tok.Data)
				}
			case html.EndTagToken:
				if len(open) == 0 || open[len(open)-1] != tok.Data {
					t.Fatalf("%q closes <%s> while %v are open: %q", s, tok.Data, open, out)
				}
				open = open[:len(open)-1]
			case html.CommentToken, html.DoctypeToken:
				t.Fatalf("%q gives %s", s, tok)
			case html.TextToken, html.ErrorToken:
			}
		}
		if len(open) > 0 {
			t.Fatalf("%q leaves %v open: %q", s, open, out)
		}
	})
}

func BenchmarkHTML(b *testing.B) {
	r := mark.New()
	text := strings.Repeat("톡이 **돌아왔습니다**. 메일은 [복구 중](https://status.example)입니다.\n\n- 사진 62 %\n- 검색\n\n", 8)
	for b.Loop() {
		r.HTML(text)
	}
}
