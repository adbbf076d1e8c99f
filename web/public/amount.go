package public

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"bongsu/settle"
)

// mostAmount is the largest amount of a report: more is a slip or worse.
const mostAmount = 1_000_000_000_000_000

// A sum is an amount of minor units that a sentence tells.
type sum struct {
	n        int64
	currency string
}

// Why an amount is not taken; keys of messages.
const (
	amountUnread   = "report.amount"
	amountNegative = "report.negative"
	amountLarge    = "report.large"
)

// amount reads money as people write it: 50,000, 50000원, 5만, 1억 5천만, ５００００. It says why it does not.
func amount(s, currency string) (n int64, wrong string) {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case unicode.IsSpace(r), r == '₩', r == '￦':
			return -1
		case r == '，':
			return ','
		case r == '−', r == '－':
			return '-'
		}
		return r
	}, s)
	bare := func(s string) string {
		return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(s, currency), currency), "원")
	}
	s = bare(s)
	if less, ok := strings.CutPrefix(s, "-"); ok {
		if _, wrong := amount(less, currency); wrong == amountUnread || strings.HasPrefix(bare(less), "-") {
			return 0, amountUnread
		}
		return 0, amountNegative
	}
	if currency == "KRW" && strings.ContainsAny(s, "십백천만억조") {
		return inUnits(s, 1, largeUnits())
	}
	return times(s, currency, 1)
}

// A unit is how people count won beyond a number; within holds those that stand before it.
type unit struct {
	mark   string
	of     int64
	within []unit
}

func largeUnits() []unit {
	small := []unit{{"천", 1000, nil}, {"백", 100, nil}, {"십", 10, nil}, {"", 1, nil}}
	return []unit{{"조", 1e12, small}, {"억", 1e8, small}, {"만", 1e4, small}, {"", 1, small}}
}

// inUnits reads 5만, 3천만, 1억2,000만, 1.5억 or 만원, with the larger units first, so many times over.
func inUnits(s string, by int64, units []unit) (total int64, wrong string) {
	if s == "" {
		return 0, amountUnread // 억원 without a number
	}
	below := int64(math.MaxInt64)
	for _, u := range units {
		part, rest, is := strings.Cut(s, u.mark)
		if u.mark == "" {
			part, rest, is = s, "", s != ""
		}
		if !is {
			continue
		}
		var n int64
		switch {
		case part == "" && u.of <= 1e4:
			n = u.of * by
		case u.within != nil:
			n, wrong = inUnits(part, u.of*by, u.within)
		default:
			n, wrong = times(part, "KRW", u.of*by)
		}
		switch total += n; {
		case wrong != "":
			return 0, wrong
		case n >= below:
			return 0, amountUnread // 1억20000만: who knows
		case total > mostAmount:
			return 0, amountLarge
		}
		s, below = rest, u.of*by
	}
	return total, ""
}

// times reads a plain number, so many times over.
func times(s, currency string, by int64) (int64, string) {
	part := ""
	if by > 1 { // what follows the point of 1.5억
		var point bool
		if s, part, point = strings.Cut(s, "."); point && (part == "" || strings.Trim(part, "0123456789") != "") {
			return 0, amountUnread
		}
	}
	n, err := settle.ParseAmount(s, currency)
	digits := strings.ReplaceAll(s, ",", "")
	switch {
	case err != nil && len(digits) > 15 && strings.Trim(digits, "0123456789") == "":
		return 0, amountLarge
	case err != nil:
		return 0, amountUnread
	case n > mostAmount/by:
		return 0, amountLarge
	}
	n *= by
	for _, d := range strings.TrimRight(part, "0") {
		if by%10 != 0 {
			return 0, amountUnread // a part of a won
		}
		by /= 10
		n += int64(d-'0') * by
	}
	return n, ""
}

// minorUnits reads what programs send.
func minorUnits(s, _ string) (int64, string) {
	switch n, err := strconv.ParseInt(s, 10, 64); {
	case err != nil:
		return 0, amountUnread
	case n < 0:
		return 0, amountNegative
	case n > mostAmount:
		return 0, amountLarge
	default:
		return n, ""
	}
}

// A minor is an amount in JSON. What does not fit is as large or as small as can be: it is refused with the other fields.
type minor int64

// UnmarshalJSON reads an integer.
func (m *minor) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64) // saturates
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return &json.UnmarshalTypeError{Value: kindOf(s), Type: reflect.TypeFor[int64]()}
	}
	*m = minor(n)
	return nil
}

// kindOf says what a value of JSON is, as package json does.
func kindOf(s string) string {
	switch s[0] {
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case '[':
		return "array"
	case '{':
		return "object"
	}
	return "number " + s
}
