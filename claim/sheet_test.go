package claim_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// workbook is one with these cells on its first sheet.
func workbook(t testing.TB, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	for i, row := range rows {
		at, err := excelize.CoordinatesToCellName(1, i+1)
		if err == nil {
			err = f.SetSheetRow("Sheet1", at, &row)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := errors.Join(f.Write(&b), f.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func errorsOf(wrong []*claim.RowError) []string {
	var out []string
	for _, w := range wrong {
		out = append(out, w.Error())
		if w.Text("ko") == w.Text("en") {
			out = append(out, "not told in Korean: "+w.Msg)
		}
	}
	return out
}

// A workbook is read as the same table in CSV is: values and not formulas, numbers as they were meant.
func TestWorkbookOfCases(t *testing.T) {
	f := excelize.NewFile()
	for at, v := range map[string]any{
		"A1": "접수번호", "B1": "서비스", "C1": "이용구분", "D1": "신고자구분", "E1": "피해액(원)",
		"A2": "A1", "B2": "kakaotalk", "C2": "무료", "D2": "소상공인", "E2": 300_000,
		"A4": "A2", "B4": "melon", "C4": "paid", "E4": "1,500원",
		"A5": "A3", "B5": "melon", "C5": "paid", "E5": 1.5,
		"A6": "A4", "B6": "melon", "C6": "paid", "E6": 7,
	} {
		if err := f.SetCellValue("Sheet1", at, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.SetCellFormula("Sheet1", "E6", "1/0"); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, wrong, err := claim.ReadCases(&b, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []policy.Case{
		{Claim: policy.Claim{ID: "A1", Service: "kakaotalk", Use: "free", Kind: "small-business", Loss: 300_000}, Account: policy.Account{Service: "kakaotalk"}},
		{Claim: policy.Claim{ID: "A2", Service: "melon", Use: "paid", Kind: "person", Loss: 1_500}, Account: policy.Account{Service: "melon"}},
		{Claim: policy.Claim{ID: "A4", Service: "melon", Use: "paid", Kind: "person", Loss: 7}, Account: policy.Account{Service: "melon"}}, // its formula was never computed
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`row 5: loss "1.5": expected a whole number from 0 to 1000000000000000`}, errorsOf(wrong)); diff != "" {
		t.Error(diff)
	}
}

const agents = `서비스*,기능,이용구분,신고자구분,피해액(원),피해시작,피해종료,이름,이메일,전화번호,사업자번호,은행,계좌번호,예금주,내용,접수일시,비고
카카오톡,,무료,소상공인,"300,000",2022-10-15 15:19,2022. 10. 16. 오전 1:31,홍길동,,010-1234-5678,123-45-67890,88,110123456789,홍길동,"예약을 못 받았어요.
제 번호는 900101-1234568",2022년 10월 20일 오후 3시,전화
melon,,유료,,,2022-10-15,2022-10-15,,a@example.com,,,,,,음악이 안 나와요,,
`

func services() []claim.Service {
	return []claim.Service{
		{Named: claim.Named{Name: "kakaotalk", Title: map[string]string{"ko": "카카오톡", "en": "KakaoTalk"}}},
		{Named: claim.Named{Name: "melon", Title: map[string]string{"ko": "멜론", "en": "Melon"}}},
	}
}

// What an agent wrote down, in every encoding and as a workbook.
func TestReadReports(t *testing.T) {
	euc, err := korean.EUCKR.NewEncoder().Bytes([]byte(agents))
	utf16, err2 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(agents))
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	first := claim.Personal{
		Name: "홍길동", Phone: "010-1234-5678", Business: "123-45-67890", Bank: "088", Number: "110123456789", Holder: "홍길동",
		Text: "예약을 못 받았어요.\n제 번호는 900101-1******",
	}
	second := claim.Personal{Email: "a@example.com", Text: "음악이 안 나와요"}
	at := func(day, hour, minute int) time.Time { return time.Date(2022, 10, day, hour-9, minute, 0, 0, time.UTC) }
	want := []claim.Report{
		{Row: 2, Personal: first, Marks: claim.MarksOf(&first, "", ""), Claim: claim.Claim{
			Channel: claim.ByImport, Filed: at(20, 15, 0),
			Report: policy.Claim{Service: "kakaotalk", Use: "free", Kind: "small-business", Loss: 300_000, From: at(15, 15, 19), To: at(16, 1, 31)},
		}},
		{Row: 3, Personal: second, Marks: claim.MarksOf(&second, "", ""), Claim: claim.Claim{
			Channel: claim.ByImport, Report: policy.Claim{Service: "melon", Use: "paid", Kind: "person", From: at(15, 0, 0), To: at(16, 0, 0)},
		}},
	}
	sheet := workbook(t,
		[]any{"service", "use", "kind", "loss", "from", "to", "name", "phone", "business", "bank", "number", "holder", "text", "filed", "email"},
		[]any{"kakaotalk", "free", "small-business", 300_000, at(15, 15, 19).Add(9 * time.Hour), "2022-10-16T01:31:00+09:00", "홍길동", 1012345678, "123-45-67890", 88, 110123456789, "홍길동", first.Text, 44854.625},
		[]any{"MELON", "paid", "", "", 44849, "2022/10/15", "", "", "", "", "", "", "음악이 안 나와요", "", "a@example.com"})
	for name, data := range map[string][]byte{"utf-8": []byte(agents), "mark": []byte("\ufeff" + agents), "euc-kr": euc, "utf-16": utf16, "workbook": sheet, "semicolons": []byte(strings.ReplaceAll(strings.ReplaceAll(agents, "300,000", "300000"), ",", ";"))} {
		t.Run(name, func(t *testing.T) {
			got, wrong, err := claim.ReadReports(bytes.NewReader(data), claim.Reading{Services: services()})
			if err != nil || len(wrong) > 0 {
				t.Fatal(errorsOf(wrong), err)
			}
			if name == "workbook" {
				want[0].Personal.Phone = "01012345678"
				want[0].Marks = claim.MarksOf(&want[0].Personal, "", "")
			} else {
				want[0].Personal.Phone = "010-1234-5678"
				want[0].Marks = claim.MarksOf(&first, "", "")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Everything that is wrong with a row is told, with its column, and the others are read.
func TestWrongReports(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		read       int
		want       []string
	}{
		{"all at once", "service,use,kind,loss,from,to,consent\ntalk,payd,robot,-5,2022-13-01,yesterday,no\nmelon,paid,,,,,예\n", 1, []string{
			`row 2: use "payd": expected paid, free or none`, `row 2: kind "robot": expected person, small-business or company`,
			`row 2: loss "-5": expected a whole number from 0 to 1000000000000000`,
			`row 2: from "2022-13-01": expected a time as 2022-10-15 15:19 or 2022년 10월 15일 오후 3시 19분`,
			`row 2: to "yesterday": expected a time as 2022-10-15 15:19 or 2022년 10월 15일 오후 3시 19분`,
			`row 2: service "talk": expected kakaotalk or melon`,
			`row 2: consent "no": expected yes`,
		}},
		{"amounts", "service,use,loss\nmelon,paid,NaN\nmelon,paid,9223372036854775808\nmelon,paid,=1+1\nmelon,paid,1e5\nmelon,paid,\"5,00\"\nmelon,paid,\"₩5,000\"\nmelon,paid,1.5\n", 1, []string{
			`row 2: loss "NaN": expected a whole number from 0 to 1000000000000000`, `row 3: loss "9223372036854775808": expected a whole number from 0 to 1000000000000000`,
			`row 4: loss "=1+1": expected a whole number from 0 to 1000000000000000`, `row 5: loss "1e5": expected a whole number from 0 to 1000000000000000`,
			`row 6: loss "5,00": expected a whole number from 0 to 1000000000000000`, `row 8: loss "1.5": expected a whole number from 0 to 1000000000000000`,
		}},
		{"a number with commas that is not quoted", "service,use,loss\nmelon,paid,300,000\n", 0, []string{`row 2: cell 4 ("000") is under no column: is a number with commas not in quotes?`}},
		{"a quote that is not closed", "service,use,text\nmelon,paid,\"hello\nmelon,free,x\nmelon,paid,y\n", 2, []string{"row 2: a quote in it stands alone or is not closed: write it twice, within a cell in quotes, or take it out"}},
		{"a quote in another column", "service,use,text\n\"melon,paid,hello\nmelon,free,x\n", 1, []string{"row 2: a quote in it stands alone or is not closed: write it twice, within a cell in quotes, or take it out"}},
		{"a quote that a row further down closes", "service,use,text\n\"melon,paid,hello\nmelon,free,x\"\nmelon,free,y\n", 1, []string{"row 2: service goes over several lines: a quote in it is not closed, and the rows after it are in it"}},
		{"a quote after a cell in quotes", "service,use,text,name\nmelon,paid,\"a\"b,kim\nmelon,free,\"x\",lee\nmelon,paid,y,\"park\"\n", 2, []string{"row 2: a quote in it stands alone or is not closed: write it twice, within a cell in quotes, or take it out"}},
		{"one that hides the end of a cell", "service,use,text,name\nmelon,paid,\"a\"b,\"kim\"\nmelon,free,x,lee\n", 1, []string{"row 2: a quote in it stands alone or is not closed: write it twice, within a cell in quotes, or take it out"}},
		{"one below cells of several lines", "service,use,text\nmelon,free,\"x\ny\"\nmelon,paid,\"a\"b\nmelon,free,\"x\ny\"\nmelon,x,\n", 2, []string{"row 3: a quote in it stands alone or is not closed: write it twice, within a cell in quotes, or take it out", `row 5: use "x": expected paid, free or none`}},
		{"quotes that are parts of a cell", "service,use,text\nmelon,paid,a\"b\"\nmelon,paid,\"a\"b\"\nmelon,paid,\"a\"\"b\"\r\nmelon,paid,\"\"\n", 4, nil},
		{"nothing of what is needed", "service,use,text\n,,x\n", 0, []string{"row 2: service is missing", "row 2: use is missing"}},
		{"backwards", "service,use,from,to\nmelon,paid,2022-10-16,2022-10-15 10:00\n", 0, []string{"row 2: to is before from"}},
		{"rows are counted as a spreadsheet does", "service,use,text\nmelon,paid,\"a\nb\"\n\nmelon,x,\n", 1, []string{`row 4: use "x": expected paid, free or none`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, wrong, err := claim.ReadReports(strings.NewReader(tt.text), claim.Reading{Services: services()})
			if err != nil || len(got) != tt.read {
				t.Errorf("%d are read, %v", len(got), err)
			}
			if diff := cmp.Diff(tt.want, errorsOf(wrong)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Tables that cannot be read at all say what to do.
func TestTablesThatAreNone(t *testing.T) {
	var squeezed bytes.Buffer
	fw, err := flate.NewWriter(&squeezed, flate.BestSpeed)
	if err == nil {
		_, err = io.CopyN(fw, zeros{}, 130<<20)
	}
	if err = errors.Join(err, fw.Close()); err != nil {
		t.Fatal(err)
	}
	bomb := func(size uint64) []byte { // each part says that it has this size
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, name := range []string{"[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"} {
			f, err := w.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, CompressedSize64: uint64(squeezed.Len()), UncompressedSize64: size})
			if err == nil {
				_, err = f.Write(squeezed.Bytes())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	wide := workbook(t, []any{"service", "use"}, make([]any, 300))
	f, err := excelize.OpenReader(bytes.NewReader(wide))
	if err == nil {
		err = f.SetCellStr("Sheet1", "XFD2", "x")
	}
	var far bytes.Buffer
	if err = errors.Join(err, f.Write(&far)); err != nil {
		t.Fatal(err)
	}
	var valueless bytes.Buffer
	if err := errors.Join(f.SetCellFormula("Sheet1", "A2", "1+1"), f.Write(&valueless)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		data []byte
		says string
	}{
		{"empty", nil, "no header"},
		{"a bomb", bomb(130 << 20), "unpacks to more than 256 MB"},
		{"a bomb that lies about its size", bomb(10), "damaged"},
		{"a ZIP", []byte("PK\x03\x04 hello"), "damaged"},
		{"XLS", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "save it as XLSX"},
		{"a formula without a value", valueless.Bytes(), "open it in a spreadsheet program and save it"},
		{"a cell far away", far.Bytes(), "16384 columns"},
		{"a typing error", []byte("service,use,los\n"), `column "los" is not known; did you mean "loss"?`},
		{"twice", []byte("service,use,서비스\n"), "stands twice"},
		{"neither", []byte("service,use\nmelon,\xff\xff\n"), "neither UTF-8 nor EUC-KR"},
		{"UTF-8 that ends being it", []byte("service,use,text\nmelon,paid,가\n" + strings.Repeat("melon,paid,가나다\n", 10_000) + "melon,paid,\xb0\xa1\n"), "neither UTF-8 nor EUC-KR"},
		{"a row without end", []byte("service,use,text\nmelon,paid,\"" + strings.Repeat("x", 1<<21)), "a quote in it is not closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := claim.ReadReports(bytes.NewReader(tt.data), claim.Reading{}); err == nil || !strings.Contains(err.Error(), tt.says) || !errors.Is(err, claim.ErrInput) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// lines gives so many rows of subscribers, one after the other.
type lines struct {
	n, most int
	rest    string
}

func (l *lines) Read(p []byte) (int, error) {
	if l.rest == "" {
		if l.n > l.most {
			return 0, io.EOF
		}
		if l.rest = fmt.Sprintf("a%d,melon,standard,10900,2020-01-02\n", l.n); l.n == 0 {
			l.rest = "account,service,plan,fee,since\n"
		}
		l.n++
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// Subscribers are read one by one: many take no more memory than few.
func TestAccountsStream(t *testing.T) {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	for a, err := range claim.ReadAccounts(&lines{most: 50_000}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; a.ID != fmt.Sprintf("a%d", n) || a.Fee != 10_900 {
			t.Fatalf("row %d is %+v", n, a)
		}
		if n%25_000 == 0 { // what is held of so many would be twice what is let pass
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	if grown := int64(most) - int64(before.HeapAlloc); n != 50_000 || grown > 4<<20 {
		t.Errorf("%d rows, %d bytes are held", n, grown)
	}
}

func TestReadAccounts(t *testing.T) {
	const table = "계정,서비스,요금제,월이용료,가입일,지점\nu1,melon,standard,\"10,900\",2020. 1. 2.,\"강남\n2층\"\nu2,,x,5,\nu3,melon,x,-5,\n900101-1234568,melon,,,\nu4,melon,,,,서초\n"
	want := []policy.Account{
		{ID: "u1", Service: "melon", Plan: "standard", Fee: 10_900, Since: time.Date(2020, 1, 1, 15, 0, 0, 0, time.UTC)},
		{ID: "u4", Service: "melon"},
	}
	sheet := workbook(t, []any{"account", "service", "plan", "fee", "since"}, []any{"u1", "melon", "standard", 10_900, 43832}, []any{"u2", "", "x", 5}, []any{"u3", "melon", "x", -5}, []any{"900101-1234568", "melon"}, []any{"u4", "melon"})
	for name, data := range map[string][]byte{"CSV": []byte(table), "workbook": sheet} {
		var got []policy.Account
		var wrong []*claim.RowError
		for a, err := range claim.ReadAccounts(bytes.NewReader(data)) {
			var row *claim.RowError
			switch {
			case errors.As(err, &row):
				wrong = append(wrong, row)
			case err != nil:
				t.Fatal(err)
			default:
				got = append(got, a)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff([]string{
			"row 3: service is missing", `row 4: fee "-5": expected a whole number from 0 to 1000000000000000`,
			"row 5: account is a resident registration number, which must not be used: give a pseudonym",
		}, errorsOf(wrong)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	// Who has seen enough stops.
	for a, err := range claim.ReadAccounts(strings.NewReader(table)) {
		if err != nil || a.ID != "u1" {
			t.Error(a, err)
		}
		break
	}
	for _, err := range claim.ReadAccounts(strings.NewReader("account,service\n\"a\xff\xff,b\n")) {
		if err == nil || !strings.Contains(err.Error(), "neither") {
			t.Error(err)
		}
	}
}

// A blank table is read as what it is: a header, and nothing below it.
func TestBlank(t *testing.T) {
	for _, lang := range []string{"ko", "en"} {
		for _, xlsx := range []bool{false, true} {
			var b bytes.Buffer
			if err := (&claim.Blank{Lang: lang, Services: services(), Workbook: xlsx, Reasons: []claim.Named{{Name: "ill"}}}).Write(&b); err != nil {
				t.Fatal(err)
			}
			if !xlsx && !strings.HasPrefix(b.String(), "\ufeff") {
				t.Error("Korean spreadsheets need the mark")
			}
			got, wrong, err := claim.ReadReports(bytes.NewReader(b.Bytes()), claim.Reading{})
			if err != nil || len(got)+len(wrong) > 0 {
				t.Errorf("%s, workbook %v: %v, %v, %v", lang, xlsx, got, wrong, err)
			}
			if !xlsx {
				continue
			}
			f, err := excelize.OpenReader(&b)
			if err != nil {
				t.Fatal(err)
			}
			sheet := f.GetSheetList()[0]
			lists, err := f.GetDataValidations(sheet)
			if err != nil || len(lists) < 5 {
				t.Errorf("%d lists of choices, %v", len(lists), err)
			}
			for at, v := range map[string]string{"A2": "melon", "C2": map[string]string{"ko": "유료", "en": "paid"}[lang], "L2": "01012345678", "V2": map[string]string{"ko": "예", "en": "yes"}[lang]} {
				if err := f.SetCellStr(sheet, at, v); err != nil {
					t.Fatal(err)
				}
			}
			var filled bytes.Buffer
			if err := f.Write(&filled); err != nil {
				t.Fatal(err)
			}
			got, wrong, err = claim.ReadReports(&filled, claim.Reading{Services: services()})
			if err != nil || len(wrong) > 0 || len(got) != 1 || got[0].Claim.Report.Use != "paid" || got[0].Personal.Phone != "01012345678" {
				t.Errorf("filled in: %+v, %v, %v", got, errorsOf(wrong), err)
			}
		}
	}
}

// The workbook says what the comparison says, computes nothing, and has charts.
func TestWriteComparison(t *testing.T) {
	s := func(amount int64) policy.Sums {
		return policy.Sums{Cases: 3, Paid: 2, Amount: amount, Pending: 7, More: 1}
	}
	c := policy.Comparison{Cases: 3, Drafts: []policy.Result{
		{Policy: "a@1", Total: s(100), ByRule: []policy.Segment{{Name: "r", Sums: s(100)}, {Name: "", Sums: s(0)}}, ByService: []policy.Segment{{Name: `=HYPERLINK("http://x")`, Sums: s(100)}}, Spread: []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Borders: []policy.Border{{Percent: -10, Changed: 4, Amount: 90}}},
		{Policy: "a@2", Total: s(200), ByRule: []policy.Segment{{Name: "q", Sums: s(200)}}, Budget: 50, OverBudget: 157},
	}}
	for _, lang := range []string{"ko", "en"} {
		var b bytes.Buffer
		if err := claim.WriteComparison(&b, c, lang); err != nil {
			t.Fatal(err)
		}
		f, err := excelize.OpenReader(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		sheets := f.GetSheetList()
		if len(sheets) != 7 {
			t.Fatalf("sheets %q", sheets)
		}
		for _, x := range []struct {
			sheet int
			at    string
			want  string
		}{
			{0, "B1", "a@1"},
			{0, "B2", "100"},
			{0, "C2", "200"},
			{0, "C6", "157"},
			{1, "A2", "r"},
			{1, "B2", "100"},
			{1, "C2", "0"},
			{1, "A4", "q"},
			{1, "C4", "200"},
			{1, "A3", map[string]string{"ko": "(없음)", "en": "(none)"}[lang]},
			{4, "A2", `'=HYPERLINK("http://x")`},
			{5, "B12", "10"},
			{5, "C12", "0"},
			{6, "C2", "4"},
			{6, "B2", "-10"},
		} {
			if got, err := f.GetCellValue(sheets[x.sheet], x.at, excelize.Options{RawCellValue: true}); err != nil || got != x.want {
				t.Errorf("%s!%s is %q, want %q: %v", sheets[x.sheet], x.at, got, x.want, err)
			}
		}
		z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		charts := 0
		for _, part := range z.File {
			if strings.HasPrefix(part.Name, "xl/charts/chart") {
				charts++
			}
			r, err := part.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(part.Name, "xl/worksheets/") && bytes.Contains(text, []byte("<f>")) {
				t.Errorf("%s computes something", part.Name)
			}
		}
		if charts != 4 {
			t.Errorf("%d charts", charts)
		}
	}
	if err := claim.WriteComparison(io.Discard, policy.Comparison{}, "ko"); err != nil {
		t.Error("nothing to compare:", err)
	}
}

func FuzzReadReports(f *testing.F) {
	f.Add([]byte(agents))
	f.Add(workbook(f, []any{"service", "use", "loss"}, []any{"melon", "paid", 5}))
	f.Add([]byte("service\tuse\tfrom\nm\tpaid\t2022-10-15 24:00\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		reports, wrong, err := claim.ReadReports(bytes.NewReader(data), claim.Reading{})
		if err != nil && len(reports)+len(wrong) > 0 {
			t.Fatal("both rows and an error")
		}
		for _, r := range reports {
			c := r.Claim.Report
			if c.Service == "" || c.Use == "" || c.Loss < 0 || c.Loss > 1e15 || r.Row < 2 || !c.To.IsZero() && c.To.Before(c.From) {
				t.Fatalf("%+v", r)
			}
			if _, err := c.From.MarshalJSON(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzReadAccounts(f *testing.F) {
	f.Add([]byte("account,service,fee\nu1,melon,5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ended := false
		for a, err := range claim.ReadAccounts(bytes.NewReader(data)) {
			var row *claim.RowError
			if ended || err == nil && (a.ID == "" || a.Service == "" || a.Fee < 0) {
				t.Fatalf("%+v after the end: %v", a, ended)
			}
			ended = err != nil && !errors.As(err, &row)
		}
	})
}

func BenchmarkReadAccounts(b *testing.B) {
	for b.Loop() {
		for _, err := range claim.ReadAccounts(&lines{most: 10_000}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// Whatever people wrote into a cell that a program put into quotes is read as it is, and counts as one row.
func TestCellsInQuotes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for n := range 300 {
		letters := []string{"a\",; b", "a\"\n b"}[n%2] // lines with commas in a cell are taken for rows that a quote swallowed
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.UseCRLF = r.IntN(2) == 0
		rows := [][]string{{"service", "use", "text"}}
		var want []string
		for range 1 + r.IntN(4) {
			text := make([]byte, r.IntN(12))
			for i := range text {
				text[i] = letters[r.IntN(len(letters))]
			}
			want = append(want, strings.TrimSpace(string(text)))
			rows = append(rows, []string{"melon", "paid", string(text)})
		}
		if err := w.WriteAll(append(rows, []string{"melon", "payd", "x"})); err != nil {
			t.Fatal(err)
		}
		table := b.String()
		got, wrong, err := claim.ReadReports(strings.NewReader(table), claim.Reading{})
		if err != nil || len(wrong) != 1 || wrong[0].Row != len(rows)+1 {
			t.Fatalf("%q: %v, %v", table, errorsOf(wrong), err)
		}
		var texts []string
		for i := range got {
			texts = append(texts, got[i].Personal.Text)
		}
		if diff := cmp.Diff(want, texts); diff != "" {
			t.Fatalf("%q: %s", table, diff)
		}
	}
}
