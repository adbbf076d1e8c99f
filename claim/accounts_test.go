package claim_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/korean"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// accounts reads a table to its end, or to the row that cannot be read.
func accounts(t testing.TB, data []byte) ([]policy.Account, error) {
	t.Helper()
	list, err := claim.ReadAccounts(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var out []policy.Account
	for a, err := range list {
		if err != nil {
			return out, err
		}
		out = append(out, a)
	}
	return out, nil
}

func TestReadAccounts(t *testing.T) {
	want := []policy.Account{
		{ID: "s1", Service: "melon", Plan: "기본", Fee: 10_900, Since: time.Date(2021, 3, 31, 0, 0, 0, 0, time.UTC)},
		{ID: "s2", Service: "melon"},
	}
	text := "고객번호,서비스,상품,월이용료,가입일\r\ns1,melon,기본,\"10,900\",2021.03.31\r\n\r\n,,,,\r\ns2,melon,,,\r\n"
	old, err := korean.EUCKR.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"utf-8": text, "bom": "\ufeff" + text, "euc-kr": old} {
		got, err := accounts(t, []byte(data))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestBadAccounts(t *testing.T) {
	for _, tt := range []struct{ text, says string }{
		{"", "no header"},
		{"a,b\n", "no column account"},
		{"account\nx\n", "no column service"},
		{"account,service,fee\ns1,melon,5\ns2,melon,NaN\n", "row 3: fee \"NaN\""},
		{"account,service,fee\ns1,melon,-5\n", "row 2: fee"},
		{"account,service,fee\ns1,melon,9223372036854775808\n", "row 2: fee"},
		{"account,service\n,melon\n", "row 2: no account"},
		{"account,service,since\ns1,melon,soon\n", "row 2: since"},
		{"\xff\xff\xff", "neither UTF-8 nor EUC-KR"},
	} {
		if _, err := accounts(t, []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.says)
		}
	}
}

func FuzzReadAccounts(f *testing.F) {
	f.Add([]byte("account,service,fee\ns1,melon,5\n"))
	f.Add([]byte("\ufeff고객번호,서비스\n\"x\"\"\",y"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := accounts(t, data)
		var row *claim.RowError
		if err != nil && list != nil && !errors.As(err, &row) {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.ID == "" || a.Service == "" || a.Fee < 0 {
				t.Fatalf("%+v", a)
			}
		}
	})
}
