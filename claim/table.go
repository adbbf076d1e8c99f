package claim

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"

	"bongsu/claim/policy"
)

// mostTable is the largest table that is read.
const mostTable = 128 << 20

// A RowError is one row of a table that cannot be used.
type RowError struct {
	Row int // as a spreadsheet counts: the header is 1
	Msg string
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %s", e.Row, e.Msg) }

// tableColumns are the columns of a table of cases, with what Korean offices call them.
func tableColumns() []struct {
	name  string
	known []string
} {
	return []struct {
		name  string
		known []string
	}{
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

// ReadCases reads reports for a policy to be tried on, from a CSV table: UTF-8 with or
// without a byte order mark, or EUC-KR as Korean spreadsheets save it; stray quotes are
// taken as they are. Rows that cannot be used are errors of their own, the others are
// returned: nothing is dropped in silence. outage fills in what was recorded where the
// table has no column minutes.
func ReadCases(r io.Reader, outage func(service, part string) policy.Outage) ([]policy.Case, []*RowError, error) {
	data, err := io.ReadAll(io.LimitReader(r, mostTable+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read the table: %w", err)
	}
	if len(data) > mostTable {
		return nil, nil, fmt.Errorf("the table is larger than %d bytes", mostTable)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		if data, err = korean.EUCKR.NewDecoder().Bytes(data); err != nil || bytes.ContainsRune(data, utf8.RuneError) {
			return nil, nil, errors.New("the table is neither UTF-8 nor EUC-KR: save it as CSV UTF-8")
		}
	}
	c := csv.NewReader(bytes.NewReader(data))
	c.LazyQuotes, c.FieldsPerRecord = true, -1
	head, err := c.Read()
	if err != nil {
		return nil, nil, errors.New("the table has no header: expected columns such as id, service, use, kind, loss")
	}
	at, err := columnsOf(head)
	if err != nil {
		return nil, nil, err
	}
	var cases []policy.Case
	var wrong []*RowError
	seen := map[string]int{}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return cases, wrong, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the table: %w", err)
		}
		n, _ := c.FieldPos(0)
		if !slices.ContainsFunc(row, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			continue // an empty row at the end of a sheet
		}
		x, err := caseOf(row, at, outage)
		if err != nil {
			wrong = append(wrong, &RowError{n, err.Error()})
			continue
		}
		if x.Claim.ID == "" {
			x.Claim.ID = "row " + strconv.Itoa(n)
		}
		if first, twice := seen[x.Claim.ID]; twice {
			wrong = append(wrong, &RowError{n, fmt.Sprintf("id %q stands in row %d too", x.Claim.ID, first)})
			continue
		}
		seen[x.Claim.ID] = n
		cases = append(cases, *x)
	}
}

func columnsOf(head []string) (map[string]int, error) {
	at := map[string]int{}
	for i, h := range head {
		h = strings.ToLower(strings.Trim(strings.TrimSpace(h), `"'`))
		found := false
		for _, c := range tableColumns() {
			if h == c.name || slices.Contains(c.known, h) {
				if _, twice := at[c.name]; twice {
					return nil, fmt.Errorf("column %q stands twice", h)
				}
				at[c.name], found = i, true
			}
		}
		if !found {
			var names []string
			for _, c := range tableColumns() {
				names = append(names, c.name)
			}
			return nil, fmt.Errorf("column %q is not known; known: %s", h, strings.Join(names, ", "))
		}
	}
	for _, need := range []string{"service", "use"} {
		if _, ok := at[need]; !ok {
			return nil, fmt.Errorf("the table has no column %s", need)
		}
	}
	return at, nil
}

func caseOf(row []string, at map[string]int, outage func(service, part string) policy.Outage) (*policy.Case, error) {
	cell := func(name string) string {
		if i, ok := at[name]; ok && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	x := &policy.Case{Claim: policy.Claim{ID: cell("id"), Service: cell("service"), Part: cell("part"), Use: cell("use"), Kind: cell("kind")}}
	c := &x.Claim
	if c.Service == "" {
		return nil, errors.New("no service")
	}
	if c.Kind == "" {
		c.Kind = "person"
	}
	if !slices.Contains([]string{"paid", "free", "none"}, c.Use) {
		return nil, fmt.Errorf("use %q: expected paid, free or none", c.Use)
	}
	if !slices.Contains([]string{"person", "small-business", "company"}, c.Kind) {
		return nil, fmt.Errorf("kind %q: expected person, small-business or company", c.Kind)
	}
	for name, to := range map[string]*int64{"loss": &c.Loss, "proven": &c.Proven, "best": &c.Best, "week": &c.Week, "fee": &x.Account.Fee, "minutes": &x.Outage.Minutes} {
		if cell(name) == "" {
			continue
		}
		n, err := amountOf(cell(name))
		if err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
		*to = n
	}
	if e := cell("evidence"); e != "" {
		c.Evidence = strings.FieldsFunc(e, func(r rune) bool { return r == ';' || r == ' ' })
	}
	if _, ok := at["minutes"]; ok {
		x.Outage.Known = x.Outage.Minutes > 0
	} else if outage != nil {
		x.Outage = outage(c.Service, c.Part)
	}
	x.Account.Service, x.Account.Plan = c.Service, cell("plan")
	if x.Account.ID = cell("account"); x.Account.ID == "" && x.Account.Fee > 0 {
		x.Account.ID = c.ID
	}
	return x, nil
}

// mostAmount is the largest amount of a report: more is a slip or worse.
const mostAmount = 1_000_000_000_000_000

// amountOf reads whole minor units, with or without commas between thousands.
func amountOf(s string) (int64, error) {
	plain := strings.ReplaceAll(s, ",", "")
	n, err := strconv.ParseInt(plain, 10, 64)
	if err != nil || n < 0 || n > mostAmount || strings.HasPrefix(plain, "+") {
		return 0, fmt.Errorf("%q: expected a whole number from 0 to %d", s, int64(mostAmount))
	}
	return n, nil
}
