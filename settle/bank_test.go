package settle

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"

	"bongsu/internal/kv"
)

func payee(_ context.Context, claim string) (Payee, error) {
	return Payee{Holder: "=홍길동 <" + claim + ">", Bank: "088", Number: "110-" + claim}, nil
}

// sent returns a batch of three payments that went to the bank.
func sent(t *testing.T) (*Payout, Batch, []Item) {
	t.Helper()
	s, items := owing(t, 3)
	p := &Payout{Store: s, Book: NewBook(s)}
	if _, err := p.Draft(t.Context(), draft("b"), items); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Approve(t.Context(), "b", "lee", day(2)); err != nil {
		t.Fatal(err)
	}
	b, err := p.Dispatch(t.Context(), "b", day(3))
	if err != nil {
		t.Fatal(err)
	}
	items, err = p.Items(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	return p, b, items
}

func TestPain001(t *testing.T) {
	_, b, items := sent(t)
	var one, two bytes.Buffer
	for _, w := range []io.Writer{&one, &two} {
		if err := WritePain001(t.Context(), w, b, items, Debtor{"봉수 주식회사", "004", "123-45"}, payee, "서비스 장애 보상", time.UTC); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("the same batch gives other bytes")
	}
	var got struct {
		XMLName xml.Name `xml:"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09 Document"`
		Message string   `xml:"CstmrCdtTrfInitn>GrpHdr>MsgId"`
		Count   int      `xml:"CstmrCdtTrfInitn>GrpHdr>NbOfTxs"`
		Sum     string   `xml:"CstmrCdtTrfInitn>GrpHdr>CtrlSum"`
		Out     []struct {
			ID     string `xml:"PmtId>EndToEndId"`
			Amount struct {
				Currency string `xml:"Ccy,attr"`
				Text     string `xml:",chardata"`
			} `xml:"Amt>InstdAmt"`
			Bank   string `xml:"CdtrAgt>FinInstnId>ClrSysMmbId>MmbId"`
			Name   string `xml:"Cdtr>Nm"`
			Number string `xml:"CdtrAcct>Id>Othr>Id"`
		} `xml:"CstmrCdtTrfInitn>PmtInf>CdtTrfTxInf"`
	}
	if err := xml.Unmarshal(one.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Count != 3 || got.Sum != "6000" || len(got.Out) != 3 || len(got.Message) != 35 {
		t.Errorf("%+v", got)
	}
	for i, o := range got.Out {
		c := fmt.Sprintf("c%d", i)
		if o.ID != items[i].ID || len(o.ID) != 35 || o.Amount.Text != fmt.Sprint((i+1)*1000) || o.Amount.Currency != "KRW" || o.Bank != "088" ||
			o.Name != "=홍길동 <"+c+">" || o.Number != "110-"+c {
			t.Errorf("payment %d: %+v", i, o)
		}
	}
	b.State = Drafted
	if err := WritePain001(t.Context(), io.Discard, b, items, Debtor{}, payee, "", time.UTC); !errors.Is(err, ErrState) {
		t.Errorf("a file before anybody approved: %v", err)
	}
	b.State = Sent
	if err := WritePain001(t.Context(), io.Discard, b, items[:2], Debtor{}, payee, "", time.UTC); err == nil {
		t.Error("a file of two of the three that were approved")
	}
}

// A batch that was approved in the morning in Seoul is to be paid on that day, when it is still the day before in UTC.
func TestPain001Day(t *testing.T) {
	_, b, items := sent(t)
	seoul := time.FixedZone("KST", 9*60*60)
	for _, tt := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2022, 11, 2, 8, 59, 0, 0, seoul), "2022-11-02"},
		{time.Date(2022, 11, 2, 0, 0, 0, 0, seoul), "2022-11-02"},
		{time.Date(2022, 11, 2, 23, 59, 0, 0, seoul), "2022-11-02"},
	} {
		var out bytes.Buffer
		b.ApprovedAt = tt.at.UTC()
		if err := WritePain001(t.Context(), &out, b, items, Debtor{}, payee, "", seoul); err != nil || !strings.Contains(out.String(), "<Dt>"+tt.want+"</Dt>") {
			t.Errorf("%s: %v\n%s", tt.at, err, out.String())
		}
	}
}

// The answers of a bank in both forms lead to the same book.
func TestAnswers(t *testing.T) {
	for _, form := range []string{"pain.002", "csv"} {
		t.Run(form, func(t *testing.T) {
			p, b, items := sent(t)
			ctx := t.Context()
			var results Answers
			var err error
			if form == "csv" {
				results, err = ReadCSV(strings.NewReader("\ufeff거래번호,처리결과,오류코드,오류내용\r\n" +
					items[0].ID + ",정상,,\r\n" + items[1].ID + ",오류,NM01,예금주명 불일치\r\n" + items[2].ID + ",처리중,,\r\n"))
			} else {
				results, err = ReadPain002(strings.NewReader(`<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
					<OrgnlGrpInfAndSts><OrgnlMsgId>x</OrgnlMsgId><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts>
					<TxInfAndSts><OrgnlEndToEndId>`+items[0].ID+`</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts>
					<TxInfAndSts><OrgnlEndToEndId>`+items[1].ID+`</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>NM01</Cd></Rsn><AddtlInf>예금주명 불일치</AddtlInf></StsRsnInf></TxInfAndSts>
					<TxInfAndSts><OrgnlEndToEndId>`+items[2].ID+`</OrgnlEndToEndId><TxSts>PDNG</TxSts></TxInfAndSts>
					</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>`), nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			want := []Result{{ID: items[0].ID, Done: true}, {ID: items[1].ID, Code: "NM01", Detail: "예금주명 불일치"}}
			if diff := cmp.Diff(want, results.Results); diff != "" {
				t.Fatal(diff)
			}
			changed, odd, err := p.Apply(ctx, results.Results, day(4))
			if len(changed) != 2 || len(odd) > 0 || err != nil {
				t.Fatal(changed, odd, err)
			}
			got, err := p.Book.Balances(ctx, "", b.Currency)
			if err != nil {
				t.Fatal(err)
			}
			wantBook := []Line{{Bank("main"), -1_000}, {Clearing("b"), -3_000}, {Claimant("c1"), -2_000}, {Expense("i", "goodwill"), 6_000}}
			if diff := cmp.Diff(wantBook, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is said of a message, or of a payment information, holds for each payment in it of which nothing is said.
func TestWholeMessage(t *testing.T) {
	const group = `<OrgnlGrpInfAndSts><OrgnlMsgId>MESSAGE</OrgnlMsgId><GrpSts>%s</GrpSts></OrgnlGrpInfAndSts>`
	const info = `<OrgnlPmtInfAndSts><OrgnlPmtInfId>INFO</OrgnlPmtInfId><PmtInfSts>%s</PmtInfSts>`
	const end = `</OrgnlPmtInfAndSts>`
	const first = `<TxInfAndSts><OrgnlEndToEndId>FIRST</OrgnlEndToEndId><TxSts>%s</TxSts></TxInfAndSts>`
	const why = `<StsRsnInf><Rsn><Cd>AM04</Cd></Rsn><AddtlInf>잔액 부족</AddtlInf></StsRsnInf>`
	say := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	for _, tt := range []struct {
		name, report        string
		paid, back, waiting int
		code, says          string
	}{
		{"rejected", say(group, "RJCT"), 0, 3, 0, "RJCT", ""},
		{"cancelled", say(group, "CANC"), 0, 3, 0, "CANC", ""},
		{"rejected for a reason", strings.Replace(say(group, "RJCT"), "</GrpSts>", "</GrpSts>"+why, 1), 0, 3, 0, "AM04", ""},
		{"settled", say(group, "ACSC"), 3, 0, 0, "", ""},
		{"credited", say(group, " ACCC\n"), 3, 0, 0, "", ""},
		{"accepted", say(group, "ACCP"), 0, 0, 3, "", ""},
		{"being settled", say(group, "ACSP"), 0, 0, 3, "", ""},
		{"pending", say(group, "PDNG"), 0, 0, 3, "", ""},
		{"received", say(group, "RCVD"), 0, 0, 3, "", ""},
		{"information rejected", say(group, "PART") + say(info, "RJCT") + end, 0, 3, 0, "RJCT", ""},
		{"information settled", say(info, "ACSC") + end, 3, 0, 0, "", ""},
		{"information says more than the message", say(group, "ACCP") + say(info, "ACSC") + end, 3, 0, 0, "", ""},
		{"one is named, the others are settled", say(group, "ACSC") + say(info, "PART") + say(first, "PDNG") + end, 2, 0, 1, "", ""},
		{"one is named, the others are rejected", say(group, "RJCT") + say(info, "") + say(first, "RJCT") + end, 0, 3, 0, "RJCT", ""},
		{"some, and which is not said", say(group, "PART") + say(info, "PART") + say(first, "RJCT") + end, 0, 1, 0, "", ""},
		{"nothing", "", 0, 0, 0, "", "of no payment"},
		{"nobody is named", say(group, "PART"), 0, 0, 0, "", "of no payment"},
		{"unknown", say(group, "OKAY"), 0, 0, 0, "", `message MESSAGE has the status "OKAY"`},
		{"unknown information", say(info, "NOPE") + end, 0, 0, 0, "", `status "NOPE"`},
		{"against itself", say(group, "RJCT") + say(info, "") + say(first, "ACSC") + end, 0, 0, 0, "", "said to be otherwise: ask the bank"},
		{"against itself, lower", say(info, "ACSC") + say(first, "RJCT") + end, 0, 0, 0, "", "said to be otherwise: ask the bank"},
		{"not ours", strings.ReplaceAll(say(group, "RJCT"), "MESSAGE", "OTHER"), 0, 0, 0, "", "no batch of ours went out as"},
		{"not ours, on its way", strings.ReplaceAll(say(group, "RCVD"), "MESSAGE", "OTHER"), 0, 0, 0, "", "no batch of ours went out as"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, _, items := sent(t)
			text := `<Document><CstmrPmtStsRpt>` + strings.NewReplacer("MESSAGE", digest35("bongsu message", "b"), "INFO", digest35("bongsu information", "b"),
				"FIRST", items[0].ID).Replace(tt.report) + `</CstmrPmtStsRpt></Document>`
			got, err := ReadPain002(strings.NewReader(text), func(r string) ([]string, error) { return p.Message(t.Context(), r) })
			says := strings.Replace(tt.says, "MESSAGE", digest35("bongsu message", "b"), 1)
			if tt.says != "" {
				if !errors.Is(err, errFile) || !strings.Contains(err.Error(), says) || len(got.Results) > 0 {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			if err != nil || got.Waiting != tt.waiting {
				t.Fatalf("%+v, %v", got, err)
			}
			changed, odd, err := p.Apply(t.Context(), got.Results, day(4))
			if err != nil || len(odd) > 0 || len(changed) != tt.paid+tt.back {
				t.Fatalf("%+v, %v, %v", changed, odd, err)
			}
			for _, it := range changed {
				if want := map[bool]ItemState{true: Posted, false: Voided}[tt.paid > 0]; it.State != want || it.Code != tt.code && it.ID != items[0].ID {
					t.Errorf("%+v", it)
				}
			}
		})
	}
}

// What a bank says of a message that is none of ours changes nothing, though it names payments of ours; so does what it says of a
// payment that did not go out with the message that it answers.
func TestOtherMessage(t *testing.T) {
	p, _, items := sent(t)
	ctx := t.Context()
	if err := p.Book.Post(ctx, Entry{ID: "more", At: day(1), By: "kim", Why: "more", Currency: "KRW", Lines: []Line{{Expense("i", "goodwill"), 5}, {Claimant("d"), -5}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Draft(ctx, draft("b2"), []Item{{Claim: "d", Amount: 5}}); err != nil {
		t.Fatal(err)
	}
	ours, info := digest35("bongsu message", "b"), digest35("bongsu information", "b")
	for _, tt := range []struct {
		name, message, info, payment, says string
		taken, odd                         int
	}{
		{"ours", ours, info, items[0].ID, "", 1, 0},
		{"not said which", "", "", items[0].ID, "", 1, 0},
		{"none was provided", "NOTPROVIDED", "NOTPROVIDED", items[0].ID, "", 1, 0},
		{"another's", "OTHER", info, items[0].ID, `went out as "OTHER"`, 0, 0},
		{"another's information", ours, "OTHER", items[0].ID, `went out as "OTHER"`, 0, 0},
		{"another of ours", digest35("bongsu message", "b2"), "", items[0].ID, "", 0, 1},
		{"another information of ours", ours, digest35("bongsu information", "b2"), items[0].ID, "", 0, 1},
		{"a payment of nobody", ours, info, "X", "", 0, 1},
	} {
		for _, group := range []string{"", "PART", "ACCP"} {
			got, err := ReadPain002(strings.NewReader(`<Document><CstmrPmtStsRpt><OrgnlGrpInfAndSts><OrgnlMsgId>`+tt.message+`</OrgnlMsgId><GrpSts>`+group+`</GrpSts></OrgnlGrpInfAndSts>
				<OrgnlPmtInfAndSts><OrgnlPmtInfId>`+tt.info+`</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>`+tt.payment+`</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>
				</CstmrPmtStsRpt></Document>`), func(r string) ([]string, error) { return p.Message(ctx, r) })
			if tt.says != "" {
				if !errors.Is(err, errFile) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s, %s: %+v, %v", tt.name, group, got, err)
				}
				continue
			}
			if err != nil || len(got.Results) != tt.taken || len(got.Odd) != tt.odd {
				t.Errorf("%s, %s: %+v, %v", tt.name, group, got, err)
			}
		}
	}
}

// A message that is rejected when it was paid takes nothing back by itself.
func TestWholeMessageOdd(t *testing.T) {
	p, _, items := sent(t)
	idsOf := func(r string) ([]string, error) { return p.Message(t.Context(), r) }
	if _, _, err := p.Apply(t.Context(), []Result{{ID: items[0].ID, Done: true}}, day(4)); err != nil {
		t.Fatal(err)
	}
	got, err := ReadPain002(strings.NewReader(`<Document><CstmrPmtStsRpt><OrgnlGrpInfAndSts><OrgnlMsgId>`+digest35("bongsu message", "b")+
		`</OrgnlMsgId><GrpSts>RJCT</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>`), idsOf)
	if err != nil {
		t.Fatal(err)
	}
	changed, odd, err := p.Apply(t.Context(), got.Results, day(5))
	if len(changed) != 2 || len(odd) != 1 || err != nil {
		t.Errorf("%+v, %v, %v", changed, odd, err)
	}
}

func TestBadAnswers(t *testing.T) {
	for _, tt := range []struct{ text, says string }{
		{"a,b\n1,2\n", "no column id"},
		{"id,result\nX,maybe\nY,ok\n,ok\n", "line 2: result \"maybe\""},
		{"id,result\nX,ok\n,ok\n", "line 3: no id"},
		{"", "no header"},
	} {
		if _, err := ReadCSV(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.says)
		}
	}
	for _, tt := range []struct{ text, says string }{
		{"<a/>", "expected element type <Document>"},
		{"<Document/>", "expected a pain.002"},
		{`<!DOCTYPE x [<!ENTITY a "aaaa">]><Document><CstmrPmtStsRpt>&a;</CstmrPmtStsRpt></Document>`, "entity"},
		{`<Document><CstmrPmtStsRpt><OrgnlPmtInfAndSts><TxInfAndSts><TxSts>YES</TxSts></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>`, `status "YES"`},
	} {
		if _, err := ReadPain002(strings.NewReader(tt.text), nil); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.says)
		}
	}
}

// What goes into a spreadsheet is never computed there.
func TestCSVHasNoFormulas(t *testing.T) {
	_, b, items := sent(t)
	var out bytes.Buffer
	if err := WriteCSV(t.Context(), &out, b, items, payee, "@SUM(A1)"); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(out.String(), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatal(rows, err)
	}
	if rows[1][3] != "'=홍길동 <c0>" || rows[1][6] != "'@SUM(A1)" || rows[1][4] != "1000" {
		t.Errorf("%q", rows[1])
	}
	b.Form = "points"
	b.Digest = digest(&b, items)
	out.Reset()
	if err := WriteGrants(&out, b, items, func(c string) (string, error) { return "acct-" + c, nil }); err != nil || !strings.Contains(out.String(), ",acct-c1,points,2000,KRW,") {
		t.Errorf("%v\n%s", err, out.String())
	}
	b.Form = "money"
	if err := WriteGrants(io.Discard, b, items, nil); err == nil {
		t.Error("money was granted, not paid")
	}
}

func TestAmounts(t *testing.T) {
	for _, tt := range []struct {
		text, currency string
		want           int64
		bad            bool
	}{
		{"12000", "KRW", 12_000, false},
		{" 1,234,567 ", "KRW", 1_234_567, false},
		{"12.5", "USD", 1_250, false},
		{"0", "KRW", 0, false},
		{"12.5", "KRW", 0, true},
		{"-1", "KRW", 0, true},
		{"+1", "KRW", 0, true},
		{"NaN", "KRW", 0, true},
		{"1e9", "KRW", 0, true},
		{"9223372036854775808", "KRW", 0, true},
		{"1,23", "KRW", 0, true},
		{",123", "KRW", 0, true},
		{"", "KRW", 0, true},
		{".5", "USD", 0, true},
		{"１２", "KRW", 0, true},
	} {
		got, err := ParseAmount(tt.text, tt.currency)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%q %s: %d, %v", tt.text, tt.currency, got, err)
		}
	}
	if err := quick.Check(func(n int64, c uint8) bool {
		n = int64(math.Abs(float64(n % largest)))
		currency := []string{"KRW", "USD", "KWD"}[c%3]
		back, err := ParseAmount(decimal(n, currency), currency)
		return back == n && err == nil
	}, nil); err != nil {
		t.Error(err)
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("id,result\nX,ok\n"))
	f.Add([]byte("\ufeff거래번호,처리결과\r\n\"X\"\"\",오류"))
	f.Fuzz(func(t *testing.T, data []byte) {
		results, err := ReadCSV(bytes.NewReader(data))
		if err != nil {
			return
		}
		s := kv.NewMemory()
		p := &Payout{Store: s, Book: NewBook(s)}
		changed, odd, err := p.Apply(t.Context(), results.Results, day(1))
		if len(changed) > 0 || err != nil || len(odd) != len(results.Results) {
			t.Fatal(changed, odd, err)
		}
	})
}

func FuzzReadPain002(f *testing.F) {
	f.Add([]byte(`<Document><CstmrPmtStsRpt><OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>X</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts></OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ReadPain002(bytes.NewReader(data), func(string) ([]string, error) { return nil, nil }); err != nil && !errors.Is(err, errFile) {
			t.Fatal(err)
		}
	})
}
