package claim_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/korean"

	"bongsu/claim"
	"bongsu/claim/policy"
)

func down(string, string) policy.Outage { return policy.Outage{Known: true, Minutes: 600} }

// The same table in three encodings, with the quotes that spreadsheets leave behind.
func TestReadCases(t *testing.T) {
	const table = "접수번호,서비스,이용구분,신고자구분,피해액,증빙서류\r\nA1,kakaotalk,free,small-business,\"300,000\",business-certificate;sales-proof\r\nA2,melon,paid,,,\r\n,,,,,\r\nA3,\"ka\"kao\",none,person,0,\r\n"
	euc, err := korean.EUCKR.NewEncoder().Bytes([]byte(table))
	if err != nil {
		t.Fatal(err)
	}
	want := []policy.Case{
		{Claim: policy.Claim{ID: "A1", Service: "kakaotalk", Use: "free", Kind: "small-business", Loss: 300_000, Evidence: []string{"business-certificate", "sales-proof"}}},
		{Claim: policy.Claim{ID: "A2", Service: "melon", Use: "paid", Kind: "person"}},
		{Claim: policy.Claim{ID: "A3", Service: `ka"kao`, Use: "none", Kind: "person"}},
	}
	for i := range want {
		want[i].Outage = down("", "")
		want[i].Account.Service = want[i].Claim.Service
	}
	for name, data := range map[string][]byte{"utf-8": []byte(table), "byte order mark": []byte("\ufeff" + table), "euc-kr": euc} {
		got, wrong, err := claim.ReadCases(bytes.NewReader(data), down)
		if err != nil || len(wrong) > 0 {
			t.Errorf("%s: %v, %v", name, wrong, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A row that is wrong is told, and the others are read.
func TestWrongRows(t *testing.T) {
	got, wrong, err := claim.ReadCases(strings.NewReader("id,service,use,kind,loss\n1,a,paid,person,5\n2,a,payd,person,5\n3,a,paid,robot,5\n4,,paid,person,5\n5,a,paid,person,-5\n6,a,paid,person,NaN\n7,a,paid,person,9223372036854775808\n1,a,paid,person,5\n"), nil)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	var rows []string
	for _, w := range wrong {
		rows = append(rows, w.Error())
	}
	want := []string{
		`row 3: use "payd": expected paid, free or none`, `row 4: kind "robot": expected person, small-business or company`, "row 5: no service",
		`row 6: loss "-5": expected a whole number from 0 to 1000000000000000`, `row 7: loss "NaN": expected a whole number from 0 to 1000000000000000`,
		`row 8: loss "9223372036854775808": expected a whole number from 0 to 1000000000000000`, `row 9: id "1" stands in row 2 too`,
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct{ text, says string }{
		{"", "no header"},
		{"id,servise,use\n", `column "servise" is not known`},
		{"id,service\n", "no column use"},
		{"service,service,use\n", "stands twice"},
		{"service,use\n\xff\xff\xff\n", "neither UTF-8 nor EUC-KR"},
	} {
		if _, _, err := claim.ReadCases(strings.NewReader(tt.text), nil); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.says)
		}
	}
}

func FuzzReadCases(f *testing.F) {
	f.Add([]byte("id,service,use,loss\n1,a,paid,\"5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cases, _, err := claim.ReadCases(bytes.NewReader(data), down)
		if err != nil {
			return
		}
		for _, c := range cases {
			if c.Claim.Loss < 0 || c.Claim.Service == "" || c.Claim.ID == "" {
				t.Fatalf("%+v", c)
			}
		}
	})
}
