package settle

import (
	"fmt"
	"strconv"
	"strings"
)

// exponent is how many decimals a currency has (ISO 4217): the won and the yen have none.
func exponent(currency string) int {
	switch currency {
	case "KRW", "JPY", "VND", "CLP", "ISK", "UGX":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}

// decimal writes minor units as banks want them: 3000 KRW is 3000, 3000 USD is 30.00.
func decimal(amount int64, currency string) string {
	n := exponent(currency)
	s := strconv.FormatInt(amount, 10)
	if n == 0 {
		return s
	}
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for len(s) <= n {
		s = "0" + s
	}
	return sign + s[:len(s)-n] + "." + s[len(s)-n:]
}

// ParseAmount reads an amount in a currency as minor units: digits with thousands
// separated or not, and as many decimals as the currency has. It refuses signs, NaN,
// exponents and what is beyond any payment.
func ParseAmount(s, currency string) (int64, error) {
	whole, part, point := strings.Cut(strings.TrimSpace(s), ".")
	if strings.Contains(whole, ",") {
		groups := strings.Split(whole, ",")
		for i, g := range groups {
			if len(g) != 3 && (i > 0 || len(g) > 3 || g == "") {
				return 0, fmt.Errorf("amount %q: commas separate thousands", s)
			}
		}
		whole = strings.Join(groups, "")
	}
	n := exponent(currency)
	if point && (len(part) == 0 || len(part) > n) {
		return 0, fmt.Errorf("amount %q: %s has %d decimals", s, currency, n)
	}
	digits := whole + part + strings.Repeat("0", n-len(part))
	if whole == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, fmt.Errorf("amount %q: expected digits, as 12000 or 12,000", s)
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || v > largest {
		return 0, fmt.Errorf("amount %q is more than %d", s, int64(largest))
	}
	return v, nil
}
