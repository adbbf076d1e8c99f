package desk

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"bongsu/claim"
	"bongsu/internal/lang"
)

// sentences are the formats of what code says to people of the desk, by where it stands: those given to calls of these names,
// or put together and appended to a list of one of them.
func sentences(t *testing.T, folder, calls, lists string) map[string]string {
	t.Helper()
	out := map[string]string{}
	says, keeps := regexp.MustCompile(`^(`+calls+`)$`), regexp.MustCompile(`(?i)(`+lists+`)$`)
	set := token.NewFileSet()
	var visit func(n ast.Node)
	take := func(e ast.Expr) {
		if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil && len(s) > 3 {
				out[s] = set.Position(l.Pos()).String()
			}
		}
	}
	visit = func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := c.Fun.(type) {
			case *ast.SelectorExpr:
				name = f.Sel.Name
			case *ast.Ident:
				name = f.Name
			}
			kept := name == "append" && len(c.Args) > 0 && keeps.MatchString(lastName(c.Args[0]))
			if !says.MatchString(name) && !kept {
				return true
			}
			for _, a := range c.Args {
				take(a)
				if f, ok := a.(*ast.CallExpr); ok && len(f.Args) > 0 && lastName(f.Fun) == "Sprintf" {
					take(f.Args[0])
				}
			}
			return true
		})
	}
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test/") {
			return err
		}
		f, err := parser.ParseFile(set, folder+"/"+path, nil, 0)
		if err == nil {
			visit(f)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// TestSentences: what the packages below the desk say to people is told in Korean on a Korean page. It is looked for in their source,
// so that nobody adds a sentence and forgets.
func TestSentences(t *testing.T) {
	r, err := newRenderer(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, x := range []struct{ folder, calls, lists string }{
		{"../../settle", "say", "odd"},
		{"../../claim/policy", "because|person|bad", "warnings"},
		{"../../claim", "toPerson|stop|noTable", "odd"},
		{".", "Errorf", "none"},
	} {
		found := sentences(t, x.folder, x.calls, x.lists)
		if len(found) < 4 {
			t.Errorf("%s: only %d sentences were found: is the test still right?", x.folder, len(found))
		}
		for format, at := range found {
			if x.folder == "." { // the desk says itself what it cannot use
				rest, ok := strings.CutPrefix(format, "%w: ")
				if !ok {
					continue
				}
				format = rest
			}
			all[format] = at
		}
	}
	verb := regexp.MustCompile(`%(\[\d\])?[a-z]`)
	for format, at := range all {
		if verb.ReplaceAllString(format, "") == "" { // an error says it all
			continue
		}
		// Blanks that hold a part of the sentence, as the code fills them.
		format = strings.NewReplacer("%s:%d:", "policy.yaml:17:", "not known%s", "not known", "%q%s", "%q; known: x", "%s: %s: %v", "%s: amount: %v").Replace(format)
		s := verb.ReplaceAllStringFunc(format, func(v string) string {
			switch v[len(v)-1] {
			case 'd':
				return "17"
			case 'q':
				return `"kim"`
			}
			return "x"
		})
		got := r.said(lang.Korean, s)
		if got.Foreign || !strings.ContainsFunc(got.Text, func(c rune) bool { return unicode.Is(unicode.Hangul, c) }) {
			t.Errorf("%s: %q is told in English", at, format)
		}
		if en := r.said(lang.English, s); en.Text != s || en.Foreign {
			t.Errorf("%q in English: %+v", s, en)
		}
	}
}

// Blanks hold sentences and words that are told too; what nobody knows is shown as it stands, and as what it is.
func TestNestedSentences(t *testing.T) {
	r, err := newRenderer(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text, want string
		foreign    bool
	}{
		{"claim 7F3K is approved and should be paid (batch b1): mend it", "접수 7F3K의 상태가 지급 결정인데 지급됨이어야 합니다(묶음 b1). 끊긴 일 마치기를 누르세요", false},
		{"and 3 more: batches", "그 밖에 3건: 지급 묶음", false},
		{"r1: amount: cannot be computed: division by zero", "r1의 금액: 계산할 수 없음. CEL의 설명 \"0으로 나눔\"", false},
		{
			"policy.yaml:8: amount of rule \"r\": line 2, character 6: undeclared reference to 'x'; did you mean claim.loss?",
			`8행: 규칙 "r"의 amount: 2번째 줄 6번째 글자: CEL의 설명 "undeclared reference to 'x'". claim.loss 말인가요?`, false,
		},
		{"read the table: the table is neither UTF-8 nor EUC-KR: save it as CSV UTF-8", "표를 읽지 못했습니다. 글자가 UTF-8도 EUC-KR도 아닙니다. ‘CSV UTF-8’ 형식으로 저장해 다시 올리세요", false},
		{`column "los" is not known; did you mean "loss"?; known: id, loss`, `"los"는 모르는 열입니다. "loss" 말인가요? 쓸 수 있는 열: id, loss`, false},
		{"r1: amount: cannot be computed: integer overflow", "r1의 금액: 계산할 수 없음. CEL의 설명 \"정수의 범위를 넘음\"", false},
		{`amount "5x": expected digits, as 12000 or 12,000`, `금액 "5x": 12000이나 12,000처럼 숫자로 적으세요`, false},
		{"2750000 is more than 100000, which a second person has to see", "2,750,000은 100,000보다 많아 두 번째 사람이 보아야 함", false},
		{"the moon is full", "the moon is full", true},
		{"a: b", "a: b", true},
	} {
		if got := r.said(lang.Korean, tt.text); got.Text != tt.want || got.Foreign != tt.foreign {
			t.Errorf("%q: %+v, want %q", tt.text, got, tt.want)
		}
	}
}

// TestReasons: what programs wrote down of an event is told in the reader's language, and what a person wrote as it stands.
func TestReasons(t *testing.T) {
	r, err := newRenderer(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ who, what, why, want string }{
		{"policy", "decided: review", "kakao-2022@1 small-business, started by editor", "kakao-2022@1 small-business, editor 시작"},
		{"claimant", "looked", "the claimant looks at the own claim", "신고한 사람이 자기 신고를 봄"},
		{"policy", "flagged", "contact: 7F3K-1111-2222, 7F3K-1111-3333; device: 7F3K-1111-4444", "같은 연락처: 7F3K-1111-2222, 7F3K-1111-3333; 같은 기기: 7F3K-1111-4444"},
		{"kim", "flagged", "contact: she called", "contact: she called"},
		{"claimant", "filed", "web", "웹"},
		{"bank", "returned", "batch b1: AC04: the account is closed", "묶음 b1: AC04 해지된 계좌입니다."},
		{"lee", "confirmed: approved", "proposed by kim: 영수증을 보았음", "kim의 제안: 영수증을 보았음"},
		{"kim", "figures", "영수증; proven 45000, best week 9000000, week of the outage 0; before 0, 50000, 12345", "영수증; 확인된 손해 45,000, 가장 좋았던 주 9,000,000, 장애가 난 주 0; 전에는 0, 50,000, 12,345"},
		{"kim", "erased", "asked by letter", "asked by letter"},
	} {
		e := claim.Event{Who: tt.who, What: tt.what, Why: tt.why}
		if got := r.reason(lang.Korean, &e); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.why, got, tt.want)
		}
	}
	if got := r.reason(lang.Korean, &claim.Event{Why: "prepared"}); got != "미리 준비한 대로" {
		t.Errorf("of a window: %q", got)
	}
}

// TestOverBudget: what is left is told with its currency, in both languages.
func TestOverBudget(t *testing.T) {
	r, err := newRenderer(time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	p := problemOf(&claim.OverBudget{Policy: "p@1", Currency: "KRW", Left: 549_990, Budget: 3_000_000, Cost: 600_000})
	for l, want := range map[lang.Lang]string{
		lang.Korean:  "정책 p@1의 예산 3,000,000원 가운데 549,990원이 남았는데 이것은 600,000원입니다. 회의체가 정책의 새 판을 정해야 합니다",
		lang.English: "p@1 has 549,990\u00a0KRW left of 3,000,000\u00a0KRW, and this would cost 600,000\u00a0KRW; let the body decide on another version of the policy",
	} {
		if got := r.said(l, p.Detail); got.Text != want || got.Foreign || p.Code != "budget" {
			t.Errorf("%s: %+v", p.Code, got)
		}
	}
}
