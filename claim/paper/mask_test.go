package paper

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMaskNumbers(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"plain", "900101-1234568", "900101-1******"},
		{"in a sentence", "제 번호는 900101-1234568입니다.", "제 번호는 900101-1******입니다."},
		{"no dash", "9001011234568", "9001011******"},
		{"two in one text", "900101-1234568, 900101-1234568", "900101-1******, 900101-1******"},
		{"full-width", "９００１０１－１２３４５６８", "９００１０１－１******"},
		{"en dash and blanks", "900101 – 1234568", "900101 – 1******"},
		{"a blank", "900101 1234568", "900101 1******"},
		{"dots in the date", "90.01.01-1234568", "90.01.01-1******"},
		{"boxes", "9 0 0 1 0 1 - 1 2 3 4 5 6 8", "9 0 0 1 0 1 - 1 * * * * * *"},
		{"a foreigner", "900101-5234561", "900101-5******"},
		{"born in 2001", "010203-3123451", "010203-3******"},
		{"random since 2020, told by a word", "주민등록번호: 210506-3999999", "주민등록번호: 210506-3******"},
		{"RRN in English", "my RRN is 900101-1234567", "my RRN is 900101-1******"},
		{"after a phone number", "010-1234-5678 900101-1234568", "010-1234-5678 900101-1******"},
		{"a leap day", "000229-3123456 주민등록번호 000229-3123456", "000229-3123456 주민등록번호 000229-3******"},

		{"wrong check digit", "900101-1234567", ""},
		{"no such day", "900231-1234568", ""},
		{"no such month", "901301-1234568", ""},
		{"mobile number", "010-1234-5678", ""},
		{"international", "+82 10-1234-5678", ""},
		{"business number", "123-45-67890", ""},
		{"company number", "110111-1129497", ""},
		{"company number, told by a word", "법인등록번호 900101-1234568", ""},
		{"account number", "110-123-456789", ""},
		{"account told by a word", "계좌 9001011234568", ""},
		{"order number", "주문번호 221015-1234567", ""},
		{"card number", "4111-1111-1111-1111", ""},
		{"part of a longer number", "19001011234568", ""},
		{"part of a longer number, dashes", "12-900101-1234568", ""},
		{"continued with a dash", "900101-1234568-01", ""},
		{"amount", "9,001,011,234,568", ""},
		{"decimals", "0.9001011234568", ""},
		{"milliseconds", "1665797580000", ""},
		{"barcode", "8801043015653", ""},
		{"word of another number", "주민등록번호 없음 1, 221015-1234567", ""},
	} {
		want, n := tt.want, strings.Count(tt.want, "*")/6
		if want == "" {
			want = tt.text
		}
		got, masked := MaskNumbers(tt.text)
		if got != want || masked != n {
			t.Errorf("%s: %q, %d; want %q, %d", tt.name, got, masked, want, n)
		}
	}
}

// number makes a resident number that is right, by the formula of the statute and not by the code that is tested.
func number(r *rand.Rand) string {
	month := 1 + r.IntN(12)
	days := []int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	g := 1 + r.IntN(8)
	var year int
	if g == 3 || g == 4 || g == 7 || g == 8 {
		year = r.IntN(26)
	} else {
		year = 23 + r.IntN(77) // nobody who is older than a company number looks
	}
	s := fmt.Sprintf("%02d%02d%02d%d%05d", year, month, 1+r.IntN(days), g, r.IntN(100_000))
	sum := 0
	for i, w := range []int{2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5} {
		sum += int(s[i]-'0') * w
	}
	check := 11 - sum%11
	if g >= 5 {
		check = 13 - sum%11
	}
	return s + fmt.Sprint(check%10)
}

// Every right number is masked however it is written; few of other numbers are.
func TestMaskNumbersFindsAllAndHardlyElse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		s := number(r)
		if c := (s[0]-'0')*10 + s[1] - '0'; c >= 11 && c <= 22 { // may look like a company's
			continue
		}
		for _, sep := range []string{"-", " ", " - ", ".", "–"} {
			text := "번호 " + s[:6] + sep + s[6:] + " 끝"
			got, n := MaskNumbers(text)
			if n != 1 || got != "번호 "+s[:6]+sep+s[6:7]+"****** 끝" {
				t.Fatalf("%q: %q, %d", text, got, n)
			}
		}
	}
	for _, tt := range []struct {
		name string
		make func() string
		most int // of 10,000
	}{
		{"13 digits", func() string { return fmt.Sprintf("%013d", r.Int64N(10_000_000_000_000)) }, 60},
		{"12 digits", func() string { return fmt.Sprintf("%012d", r.Int64N(1_000_000_000_000)) }, 0},
		{"14 digits", func() string { return fmt.Sprintf("%014d", r.Int64N(100_000_000_000_000)) }, 0},
		{"phone numbers", func() string { return fmt.Sprintf("010-%04d-%04d", r.IntN(10_000), r.IntN(10_000)) }, 0},
		{"two phone numbers", func() string {
			return fmt.Sprintf("010%08d 010%08d", r.IntN(100_000_000), r.IntN(100_000_000))
		}, 0},
		{"business numbers", func() string {
			return fmt.Sprintf("%03d-%02d-%05d", r.IntN(1000), r.IntN(100), r.IntN(100_000))
		}, 0},
		{"accounts", func() string {
			return fmt.Sprintf("%06d-%02d-%06d", r.IntN(1_000_000), r.IntN(100), r.IntN(1_000_000))
		}, 0},
		{"cards", func() string {
			return fmt.Sprintf("%04d-%04d-%04d-%04d", r.IntN(10_000), r.IntN(10_000), r.IntN(10_000), r.IntN(10_000))
		}, 0},
		{"moments", func() string { return fmt.Sprintf("%d", 1_664_582_400_000+r.Int64N(100_000_000_000)) }, 40},
		{"stock companies in Seoul", func() string {
			s := fmt.Sprintf("110111%06d", r.IntN(1_000_000))
			sum := 0
			for i := range 12 {
				sum += int(s[i]-'0') * (1 + i%2)
			}
			return s[:6] + "-" + s[6:] + fmt.Sprint((10-sum%10)%10)
		}, 0},
		{"barcodes", func() string {
			s := fmt.Sprintf("880%09d", r.IntN(1_000_000_000))
			sum := 0
			for i := range 12 {
				sum += int(s[i]-'0') * (1 + i%2*2)
			}
			return s + fmt.Sprint((10-sum%10)%10)
		}, 0},
	} {
		n := 0
		for range 10_000 {
			_, masked := MaskNumbers("번호: " + tt.make() + " 입니다")
			n += masked
		}
		if n > tt.most {
			t.Errorf("%s: %d of 10,000 are masked, at most %d may be", tt.name, n, tt.most)
		}
	}
}

func FuzzMaskNumbers(f *testing.F) {
	for _, s := range []string{"900101-1234568", "주민등록번호 ９００１０１－１２３４５６８", "9 0 0 1 0 1 - 1 2 3 4 5 6 8", "\xff900101-1234568\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, n := MaskNumbers(text)
		if (n == 0) != (got == text) || strings.Count(got, "*")-strings.Count(text, "*") != 6*n {
			t.Fatalf("%q: %q, %d", text, got, n)
		}
		if utf8.RuneCountInString(got) != utf8.RuneCountInString(text) {
			t.Fatalf("%q became %q", text, got)
		}
		if again, more := MaskNumbers(got); more != 0 {
			t.Fatalf("%q: masked %q, and again %q", text, got, again)
		}
	})
}
