package claim

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
	"bongsu/estate"
)

// A RowError is one row of a table that cannot be used.
type RowError struct {
	Row    int    // as a spreadsheet counts: the header is 1
	Column string // empty: the row as a whole
	Msg    string
	Korean string // the same; empty where nobody has said it in Korean
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %s", e.Row, e.Msg) }

// Is says that every RowError is an [ErrInput].
func (e *RowError) Is(target error) bool { return target == ErrInput }

// Text is what is wrong, in ko or en, without the row.
func (e *RowError) Text(lang string) string {
	if lang == "ko" {
		return cmp.Or(e.Korean, e.Msg)
	}
	return e.Msg
}

// A tableError is why a table cannot be read at all. It is an [ErrInput].
type tableError struct{ error }

func (tableError) Is(target error) bool { return target == ErrInput }

// noTable says why a table cannot be read, in a sentence that the desk knows in Korean too.
func noTable(format string, args ...any) error { return tableError{fmt.Errorf(format, args...)} }

// A column of a table, with what else it is called.
type column struct {
	name  string
	known []string
}

// caseColumns are the columns of a table of cases, with what Korean offices call them.
func caseColumns() []column {
	return []column{
		{"id", []string{"접수번호"}},
		{"service", []string{"서비스"}},
		{"part", []string{"기능"}},
		{"use", []string{"이용구분"}},
		{"kind", []string{"신고자구분"}},
		{"loss", []string{"피해액"}},
		{"proven", []string{"증빙액"}},
		{"best", []string{"최고주매출"}},
		{"week", []string{"장애주매출"}},
		{"evidence", []string{"증빙서류"}},
		{"account", []string{"계정"}},
		{"plan", []string{"상품"}},
		{"fee", []string{"월이용료"}},
		{"minutes", []string{"장애분"}},
	}
}

// reportColumns are the columns of a table of reports.
func reportColumns() []column {
	return []column{
		{"service", []string{"서비스"}},
		{"part", []string{"기능", "세부기능"}},
		{"use", []string{"이용구분"}},
		{"kind", []string{"신고자구분"}},
		{"loss", []string{"피해액", "피해금액"}},
		{"best", []string{"최고주매출"}},
		{"week", []string{"장애주매출"}},
		{"from", []string{"피해시작", "시작", "시작일시"}},
		{"to", []string{"피해종료", "종료", "종료일시"}},
		{"name", []string{"이름", "성명", "신고자"}},
		{"email", []string{"이메일", "메일", "전자우편"}},
		{"phone", []string{"전화번호", "전화", "연락처", "휴대전화", "휴대폰"}},
		{"business", []string{"사업자등록번호", "사업자번호", "business number"}},
		{"bank", []string{"은행", "은행명"}},
		{"number", []string{"계좌번호", "account number"}},
		{"holder", []string{"예금주"}},
		{"text", []string{"내용", "피해내용", "description"}},
		{"account", []string{"계정", "가입자"}},
		{"filed", []string{"접수일시", "접수일", "신고일시"}},
		{"late", []string{"지연사유", "늦은이유"}},
		{"lang", []string{"언어", "language"}},
		{"consent", []string{"동의"}},
		{"note", []string{"비고", "메모"}}, // of the office; it is not kept
	}
}

// accountColumns are the columns of a table of subscribers.
func accountColumns() []column {
	return []column{
		{"account", []string{"계정", "가입자", "고객번호"}},
		{"service", []string{"서비스"}},
		{"plan", []string{"상품", "요금제"}},
		{"fee", []string{"월이용료", "이용료"}},
		{"since", []string{"가입일"}},
	}
}

// fold is a header as it is compared: small letters, no blanks, no unit in brackets.
func fold(h string) string {
	h = strings.ToLower(strings.Trim(strings.TrimSpace(h), `"'`))
	h, _, _ = strings.Cut(h, "(")
	return strings.NewReplacer(" ", "", "-", "", "_", "", "*", "").Replace(h)
}

// A layout is what a table may and has to have.
type layout struct {
	columns []column
	needs   []string
	others  bool // other columns are left alone: what is exported has many
}

// otherColumn stands for the names of those.
const otherColumn = "-"

// columnsOf says where each column is.
func (l *layout) columnsOf(head []string) (map[string]int, error) {
	at := map[string]int{}
	for i, h := range head {
		f := fold(h)
		if f == "" {
			continue
		}
		c := slices.IndexFunc(l.columns, func(c column) bool {
			return f == c.name || slices.ContainsFunc(c.known, func(k string) bool { return f == fold(k) })
		})
		if c < 0 && l.others {
			continue
		}
		if c < 0 {
			var names []string
			for _, c := range l.columns {
				names = append(names, c.name)
			}
			near := ""
			if n := estate.Nearest(f, names); n != "" {
				near = fmt.Sprintf("; did you mean %q?", n)
			}
			return nil, noTable("column %q is not known%s; known: %s", clipped(strings.TrimSpace(h)), near, strings.Join(names, ", "))
		}
		if _, twice := at[l.columns[c].name]; twice {
			return nil, noTable("column %q stands twice", clipped(h))
		}
		at[l.columns[c].name] = i
	}
	for _, need := range l.needs {
		if _, ok := at[need]; !ok {
			return nil, noTable("the table has no column %s", need)
		}
	}
	return at, nil
}

// A cellReader reads the cells of one row, and notes what is wrong with them.
type cellReader struct {
	row   tableRow
	at    map[string]int
	names []string // of the columns, as at has them
	wrong []*RowError
	torn  bool // its cells are not where they should be: what else is wrong does not matter
}

// bad notes that a cell cannot be used.
func (c *cellReader) bad(name, en, ko string) {
	if !c.torn {
		c.wrong = append(c.wrong, &RowError{c.row.n, name, strings.TrimSpace(name + " " + en), strings.TrimSpace(name + " " + ko)})
	}
}

// text is a cell.
func (c *cellReader) text(name string) string {
	if i, ok := c.at[name]; ok && i < len(c.row.cells) {
		return strings.TrimSpace(c.row.cells[i])
	}
	return ""
}

// empty says whether the row has nothing in it.
func (c *cellReader) empty() bool {
	return !slices.ContainsFunc(c.row.cells, func(s string) bool { return strings.TrimSpace(s) != "" })
}

// shape notes what is wrong with the row as a whole: cells beside the columns, and rows that a quote which was not closed
// has taken into a cell. prose names the columns in which people write several lines.
func (c *cellReader) shape(prose ...string) {
	defer func() { c.torn = len(c.wrong) > 0 }()
	for i, cell := range c.row.cells {
		name := ""
		if i < len(c.names) {
			name = c.names[i]
		}
		switch {
		case name == "" && strings.TrimSpace(cell) != "":
			c.bad("", fmt.Sprintf("cell %d (%q) is under no column: is a number with commas not in quotes?", i+1, clipped(cell)),
				fmt.Sprintf("%d번째 칸(%q)에 해당하는 열이 없습니다. 쉼표가 있는 금액을 따옴표로 묶었는지 보세요", i+1, clipped(cell)))
			return
		case !strings.Contains(cell, "\n"):
			continue
		}
		lines := strings.Split(strings.TrimSpace(cell), "\n")
		rows := slices.ContainsFunc(lines[1:], func(l string) bool { return len(c.names) > 1 && strings.Count(l, ",") >= len(c.names)-1 })
		if rows || len(lines) > 1 && !slices.Contains(prose, name) {
			c.bad(name, "goes over several lines: a quote in it is not closed, and the rows after it are in it", "칸이 여러 줄입니다. 따옴표가 닫히지 않아 다음 행들이 이 칸에 들어갔습니다")
		}
	}
}

// amount is a cell with whole minor units.
func (c *cellReader) amount(name string) int64 {
	s := c.digits(name)
	if s == "" {
		return 0
	}
	n, err := amountOf(s)
	if err != nil {
		c.bad(name, err.Error(), fmt.Sprintf("%q: 0부터 %d까지의 정수여야 합니다", clipped(s), int64(mostAmount)))
	}
	return n
}

// digits is a cell with a number that is no quantity; a workbook may hold it as one.
func (c *cellReader) digits(name string) string {
	s := c.text(name)
	if f, err := strconv.ParseFloat(s, 64); c.row.exact && err == nil && strings.ContainsAny(s, ".eE") && math.Abs(f) <= 1<<53 && f == math.Trunc(f) {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return s
}

// phone is a cell with a number whose first zero a spreadsheet may have taken away.
func (c *cellReader) phone(name string) string {
	s := c.digits(name)
	if plain := digits(s); plain == s && (len(s) == 9 || len(s) == 10) && s[0] != '0' && (s[0] == '1' || s[0] == '2') {
		return "0" + s
	}
	return s
}

// A word of a choice, with what else it is called.
type word struct {
	name  string
	known []string
}

// choice is a cell with one of some words.
func (c *cellReader) choice(name string, words []word) string {
	s := c.text(name)
	if s == "" {
		return ""
	}
	var names []string
	for _, w := range words {
		if strings.EqualFold(s, w.name) || slices.ContainsFunc(w.known, func(k string) bool { return strings.EqualFold(s, k) }) {
			return w.name
		}
		names = append(names, w.name)
	}
	listed := names[0]
	if n := len(names) - 1; n > 0 {
		listed = strings.Join(names[:n], ", ") + " or " + names[n]
	}
	en := fmt.Sprintf("%q: expected %s", clipped(s), listed)
	if len(names) > 12 {
		en = fmt.Sprintf("%q is not known", clipped(s))
	}
	if near := estate.Nearest(s, names); near != "" && len(names) > 12 {
		en += fmt.Sprintf("; did you mean %q?", near)
	}
	c.bad(name, en, fmt.Sprintf("%q: %s 가운데 하나여야 합니다", clipped(s), strings.Join(names[:min(12, len(names))], ", ")))
	return ""
}

// when is a cell with a moment.
func (c *cellReader) when(name string, zone *time.Location, end bool) time.Time {
	s := c.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := parseWhen(s, zone, end)
	if err != nil {
		c.bad(name, err.Error(), fmt.Sprintf("%q: 2022-10-15 15:19 또는 2022년 10월 15일 오후 3시 19분처럼 적어 주세요", clipped(s)))
		return time.Time{}
	}
	return t.UTC()
}

func uses() []word {
	return []word{{"paid", []string{"유료"}}, {"free", []string{"무료"}}, {"none", []string{"피해없음", "문의", "불편", "없음"}}}
}

func kinds() []word {
	return []word{
		{"person", []string{"개인"}},
		{"small-business", []string{"소상공인", "소기업", "개인사업자", "small business"}},
		{"company", []string{"기업", "법인", "회사"}},
	}
}

// eachRow visits the rows below the header.
func eachRow(rows iter.Seq2[tableRow, error], l layout, visit func(*cellReader) bool) error {
	var at map[string]int
	var names []string
	for row, err := range rows {
		if err != nil {
			return tableError{err}
		}
		if at == nil {
			if at, err = l.columnsOf(row.cells); err != nil {
				return err
			}
			names = make([]string, len(row.cells))
			for i, h := range row.cells {
				if l.others && strings.TrimSpace(h) != "" {
					names[i] = otherColumn
				}
			}
			for name, i := range at {
				names[i] = name
			}
			continue
		}
		c := &cellReader{row: row, at: at, names: names}
		if row.stray {
			c.bad("", "a quote in it stands alone or is not closed: write it twice, within a cell in quotes, or take it out", "따옴표가 홀로 있거나 닫히지 않았습니다. 따옴표로 묶은 칸 안에서 두 번 쓰거나 지우세요")
			c.torn = true
		} else if c.empty() { // at the end of a sheet
			continue
		}
		if !visit(c) {
			return nil
		}
	}
	if at == nil {
		return noTable("the table has no header: expected columns such as %s", strings.Join(l.needs, ", "))
	}
	return nil
}

// ReadCases reads reports for a policy to be tried on, from a table: an XLSX workbook, or CSV in UTF-8 with or
// without a byte order mark, in UTF-16, or in EUC-KR as Korean spreadsheets save it; a stray quote is
// taken as it is, unless it hides where its cell ends. Rows that cannot be used are errors of their own, the others are
// returned: nothing is dropped in silence. outage fills in what was recorded where the
// table has no column minutes.
func ReadCases(r io.Reader, outage func(service, part string) policy.Outage) ([]policy.Case, []*RowError, error) {
	var cases []policy.Case
	var wrong []*RowError
	seen := map[string]int{}
	err := eachRow(tableRows(r, mostTable), layout{columns: caseColumns(), needs: []string{"service", "use"}}, func(c *cellReader) bool {
		x := caseOf(c, outage)
		if x.Claim.ID == "" {
			x.Claim.ID = "row " + strconv.Itoa(c.row.n)
		}
		if first, twice := seen[x.Claim.ID]; twice && len(c.wrong) == 0 {
			c.bad("id", fmt.Sprintf("%q stands in row %d too", x.Claim.ID, first), fmt.Sprintf("%q는 %d행에도 있습니다", x.Claim.ID, first))
		}
		if len(c.wrong) > 0 {
			wrong = append(wrong, c.wrong...)
			return true
		}
		seen[x.Claim.ID] = c.row.n
		cases = append(cases, x)
		return true
	})
	if err != nil {
		return nil, nil, err
	}
	return cases, wrong, nil
}

func caseOf(c *cellReader, outage func(service, part string) policy.Outage) policy.Case {
	c.shape()
	x := policy.Case{Claim: policy.Claim{
		ID: c.text("id"), Service: c.text("service"), Part: c.text("part"), Use: c.choice("use", uses()), Kind: cmp.Or(c.choice("kind", kinds()), "person"),
		Loss: c.amount("loss"), Proven: c.amount("proven"), Best: c.amount("best"), Week: c.amount("week"),
	}}
	x.Account.Fee, x.Outage.Minutes = c.amount("fee"), c.amount("minutes")
	if x.Claim.Service == "" {
		c.bad("", "no service", "서비스가 없습니다")
	}
	if c.text("use") == "" {
		c.bad("use", `"": expected paid, free or none`, "이용구분(paid, free, none)이 없습니다")
	}
	if e := c.text("evidence"); e != "" {
		x.Claim.Evidence = strings.FieldsFunc(e, func(r rune) bool { return r == ';' || r == ' ' })
	}
	if _, ok := c.at["minutes"]; ok {
		x.Outage.Known = x.Outage.Minutes > 0
	} else if outage != nil {
		x.Outage = outage(x.Claim.Service, x.Claim.Part)
	}
	x.Account.Service, x.Account.Plan = x.Claim.Service, c.text("plan")
	if x.Account.ID = c.text("account"); x.Account.ID == "" && x.Account.Fee > 0 {
		x.Account.ID = x.Claim.ID
	}
	return x
}

// A Reading says how a table of reports is understood.
type Reading struct {
	Zone     *time.Location // of times that name none; nil: Korea's
	Services []Service      // that may be called by their titles; empty: by name only
	Reasons  []Named        // for reports that are late, likewise
}

// seoul is Korean time; there has been no summer time since 1988.
func seoul() *time.Location { return time.FixedZone("KST", 9*60*60) }

// ReadReports reads whole reports, as agents write them up, from a table as [ReadCases] does. [Office.Import] files
// them, and checks what only a window knows. All that is wrong with a row is told; a row with an error is not returned. Resident
// numbers are masked.
func ReadReports(r io.Reader, in Reading) ([]Report, []*RowError, error) {
	if in.Zone == nil {
		in.Zone = seoul()
	}
	var reports []Report
	var wrong []*RowError
	err := eachRow(tableRows(r, mostTable), layout{columns: reportColumns(), needs: []string{"service", "use"}}, func(c *cellReader) bool {
		x := in.report(c)
		if len(c.wrong) > 0 {
			wrong = append(wrong, c.wrong...)
			return true
		}
		reports = append(reports, x)
		return true
	})
	if err != nil {
		return nil, nil, err
	}
	return reports, wrong, nil
}

// report is what one row says.
func (in *Reading) report(c *cellReader) Report {
	c.shape("text", "note")
	x := policy.Claim{
		Service: c.text("service"), Part: c.text("part"), Use: c.choice("use", uses()), Kind: cmp.Or(c.choice("kind", kinds()), "person"),
		Loss: c.amount("loss"), Best: c.amount("best"), Week: c.amount("week"), From: c.when("from", in.Zone, false), To: c.when("to", in.Zone, true),
	}
	if len(in.Services) > 0 {
		x.Service = c.choice("service", servicesAsWords(in.Services))
		if at := slices.IndexFunc(in.Services, func(s Service) bool { return s.Name == x.Service }); at >= 0 && x.Part != "" && len(in.Services[at].Parts) > 0 {
			x.Part = c.choice("part", namedAsWords(in.Services[at].Parts))
		}
	}
	for _, name := range []string{"service", "use"} {
		if c.text(name) == "" {
			c.bad(name, "is missing", "칸이 비었습니다")
		}
	}
	if !x.From.IsZero() && !x.To.IsZero() && x.To.Before(x.From) {
		c.bad("to", "is before from", "시각이 from보다 앞섭니다")
	}
	p := Personal{
		Name: c.text("name"), Email: c.text("email"), Phone: c.phone("phone"), Business: c.digits("business"),
		Bank: c.digits("bank"), Number: c.digits("number"), Holder: c.text("holder"), Text: c.text("text"),
	}
	for _, s := range []*string{&p.Name, &p.Business, &p.Number, &p.Holder, &p.Text} {
		*s, _ = paper.MaskNumbers(*s)
	}
	if p.Bank != "" && p.Bank == digits(p.Bank) && len(p.Bank) < 3 { // a spreadsheet makes 088 88
		p.Bank = strings.Repeat("0", 3-len(p.Bank)) + p.Bank
	}
	if _, asked := c.at["consent"]; asked && c.choice("consent", []word{{"yes", []string{"y", "o", "예", "동의", "동의함", "true", "1"}}}) == "" && c.text("consent") == "" {
		c.bad("consent", "is missing: nothing is kept of a person who did not agree", "동의가 없습니다. 동의하지 않은 사람의 신고는 보관할 수 없습니다")
	}
	late := c.text("late")
	if late != "" && len(in.Reasons) > 0 {
		late = c.choice("late", namedAsWords(in.Reasons))
	}
	account := c.text("account")
	return Report{
		Row: c.row.n,
		Claim: Claim{
			Channel: ByImport, Lang: c.choice("lang", []word{{"ko", []string{"한국어", "korean"}}, {"en", []string{"영어", "english"}}}),
			Filed: c.when("filed", in.Zone, false), Late: late, Account: account, Report: x,
		},
		Personal: p, Marks: MarksOf(&p, account, ""),
	}
}

func namedAsWords(named []Named) []word {
	out := make([]word, len(named))
	for i, n := range named {
		out[i] = word{n.Name, []string{n.Title["ko"], n.Title["en"]}}
	}
	return out
}

func servicesAsWords(services []Service) []word {
	named := make([]Named, len(services))
	for i, s := range services {
		named[i] = s.Named
	}
	return namedAsWords(named)
}

// AccountsIn is [ReadAccounts] of a table in memory, which can be gone through more than once.
func AccountsIn(table []byte) iter.Seq2[policy.Account, error] {
	return func(yield func(policy.Account, error) bool) { ReadAccounts(bytes.NewReader(table))(yield) }
}

// ReadAccounts reads subscribers, for what is given unasked: pseudonymous account, service, plan, fee a month in minor units, and
// since when; other columns are left alone. It reads row by row: a CSV file may have millions. A row that cannot be used is a [*RowError], and
// reading goes on; after any other error it ends.
func ReadAccounts(r io.Reader) iter.Seq2[policy.Account, error] {
	zone := seoul()
	return func(yield func(policy.Account, error) bool) {
		stopped := false
		err := eachRow(tableRows(r, 0), layout{columns: accountColumns(), needs: []string{"account", "service"}, others: true}, func(c *cellReader) bool {
			c.shape(otherColumn)
			a := policy.Account{ID: c.text("account"), Service: c.text("service"), Plan: c.text("plan"), Fee: c.amount("fee"), Since: c.when("since", zone, false)}
			for _, name := range []string{"account", "service"} {
				if c.text(name) == "" {
					c.bad(name, "is missing", "칸이 비었습니다")
				}
			}
			if _, n := paper.MaskNumbers(a.ID); n > 0 {
				c.bad("account", "is a resident registration number, which must not be used: give a pseudonym", "칸에 주민등록번호가 있습니다. 가명 번호를 쓰세요")
			}
			for _, e := range c.wrong {
				if stopped = !yield(policy.Account{}, e); stopped {
					return false
				}
			}
			if len(c.wrong) == 0 {
				stopped = !yield(a, nil)
			}
			return !stopped
		})
		if err != nil && !stopped {
			yield(policy.Account{}, err)
		}
	}
}

// mostAmount is the largest amount of a report: more is a slip or worse.
const mostAmount = 1_000_000_000_000_000

// amountOf reads whole minor units, with or without commas between thousands and the name of the currency.
func amountOf(s string) (int64, error) {
	plain := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(s, "₩"), "KRW"), "원"))
	whole := plain
	if grouped(plain) {
		whole = strings.ReplaceAll(plain, ",", "")
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || n > mostAmount || strings.HasPrefix(whole, "+") {
		return 0, fmt.Errorf("%q: expected a whole number from 0 to %d", clipped(s), int64(mostAmount))
	}
	return n, nil
}

// grouped says whether commas stand before every third digit: 5,00 is no whole number.
func grouped(s string) bool {
	parts := strings.Split(s, ",")
	return len(parts[0]) > 0 && len(parts[0]) <= 3 && !slices.ContainsFunc(parts[1:], func(p string) bool { return len(p) != 3 })
}
