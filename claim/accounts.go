package claim

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
)

// accountColumns are the columns of a table of accounts, with what Korean offices call them.
func accountColumns() map[string][]string {
	return map[string][]string{
		"account": {"account", "계정", "고객번호"},
		"service": {"service", "서비스"},
		"plan":    {"plan", "상품", "요금제"},
		"fee":     {"fee", "월이용료", "이용료"},
		"since":   {"since", "가입일"},
	}
}

// mostAccounts is the largest table of accounts that is read: some millions of rows.
const mostAccounts = 256 << 20

// ReadAccounts reads a table of subscribers, for [Office.Unasked]: CSV in UTF-8, with a byte order mark or without, UTF-16 with a
// mark, or EUC-KR; with a header of account (a pseudonym), service, plan, fee (a month) and since. A row that cannot be
// read ends the list with an error that names it.
func ReadAccounts(r io.Reader) (iter.Seq2[policy.Account, error], error) {
	data, err := io.ReadAll(io.LimitReader(r, mostAccounts+1))
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	if len(data) > mostAccounts {
		return nil, fmt.Errorf("the table is larger than %d bytes: split it", mostAccounts)
	}
	text, err := paper.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	c := csv.NewReader(strings.NewReader(text))
	c.LazyQuotes, c.FieldsPerRecord, c.ReuseRecord = true, -1, true
	head, err := c.Read()
	if err != nil {
		return nil, errors.New("the table has no header: expected account, service, plan, fee, since")
	}
	at := map[string]int{}
	for i, h := range head {
		for name, known := range accountColumns() {
			if slices.Contains(known, strings.ToLower(strings.Trim(strings.TrimSpace(h), `"'`))) {
				at[name] = i
			}
		}
	}
	for _, name := range []string{"account", "service"} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("the table has no column %s (or %s)", name, strings.Join(accountColumns()[name][1:], ", "))
		}
	}
	return func(yield func(policy.Account, error) bool) {
		for {
			row, err := c.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			n, _ := c.FieldPos(0)
			var a policy.Account
			if err == nil {
				if !slices.ContainsFunc(row, func(s string) bool { return strings.TrimSpace(s) != "" }) {
					continue // an empty row at the end of a sheet
				}
				a, err = accountOf(row, at)
			}
			if err != nil {
				yield(policy.Account{}, &RowError{n, err.Error()})
				return
			}
			if !yield(a, nil) {
				return
			}
		}
	}, nil
}

func accountOf(row []string, at map[string]int) (policy.Account, error) {
	cell := func(name string) string {
		if i, ok := at[name]; ok && i < len(row) {
			return strings.Clone(strings.TrimSpace(row[i]))
		}
		return ""
	}
	a := policy.Account{ID: cell("account"), Service: cell("service"), Plan: cell("plan")}
	if a.ID == "" || a.Service == "" {
		return a, errors.New("no account, or no service")
	}
	if s := cell("fee"); s != "" {
		n, err := amountOf(s)
		if err != nil {
			return a, fmt.Errorf("fee %w", err)
		}
		a.Fee = n
	}
	if s := cell("since"); s != "" {
		t, err := time.Parse(time.DateOnly, strings.NewReplacer(".", "-", "/", "-").Replace(s))
		if err != nil {
			return a, fmt.Errorf("since %q: expected a date such as 2021-03-31", s)
		}
		a.Since = t
	}
	return a, nil
}
