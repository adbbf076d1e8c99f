package settle

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
)

// WriteCSV writes a batch as the file that firm banking takes: one line for each
// payment, UTF-8 with a byte order mark, which Korean spreadsheets need. Cells that a
// spreadsheet would take for a formula are written as text.
func WriteCSV(ctx context.Context, w io.Writer, b Batch, items []Item, payees Payees, memo string) error {
	return writeRows(w, b, items, []string{"id", "bank", "account", "holder", "amount", "currency", "memo"}, func(it *Item) ([]string, error) {
		p, err := payees(ctx, it.Claim)
		if err != nil {
			return nil, err
		}
		return []string{it.ID, p.Bank, p.Number, clip(p.Holder, 140), decimal(it.Amount, b.Currency), b.Currency, clip(memo, 140)}, nil
	})
}

// WriteGrants writes a batch of credit, points or coupons, for the system that grants
// them; account gives the pseudonym that it knows a claim by.
func WriteGrants(w io.Writer, b Batch, items []Item, account func(claim string) (string, error)) error {
	if b.Form == policy.Money {
		return fmt.Errorf("batch %s is money, which a bank pays, not a system that grants", b.ID)
	}
	return writeRows(w, b, items, []string{"id", "account", "form", "amount", "currency", "rule"}, func(it *Item) ([]string, error) {
		a, err := account(it.Claim)
		if err != nil {
			return nil, fmt.Errorf("account of %s: %w", it.Claim, err)
		}
		return []string{it.ID, a, string(b.Form), strconv.FormatInt(it.Amount, 10), b.Currency, it.About.Rule}, nil
	})
}

func writeRows(w io.Writer, b Batch, items []Item, head []string, row func(*Item) ([]string, error)) error {
	if !b.goesOut() {
		return fmt.Errorf("%w: %s is %s, its file is not to be written", ErrState, b.ID, b.State)
	}
	if err := b.holds(items); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return fmt.Errorf("write payments: %w", err)
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	rows := [][]string{head}
	for i := range items {
		r, err := row(&items[i])
		if err != nil {
			return err
		}
		for n := range r {
			r[n] = paper.Cell(r[n])
		}
		rows = append(rows, r)
	}
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("write payments: %w", err)
	}
	return nil
}

// ReadCSV reads the answer of a bank: a header with id and result, and code and detail
// where the bank says why, in any order, in English or Korean. Every line that cannot be
// read is an error of its own; none is then applied.
func ReadCSV(r io.Reader) (Answers, error) {
	in := bufio.NewReader(io.LimitReader(r, mostAnswer))
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(3) // was peeked at
	}
	c := csv.NewReader(in)
	c.Comma = separator(in)
	c.FieldsPerRecord = -1
	c.LazyQuotes = true
	head, err := c.Read()
	if err != nil {
		return Answers{}, fmt.Errorf("%w: no header: %w", errFile, err)
	}
	at := map[string]int{}
	for i, h := range head {
		for name, known := range columns() {
			if slices.Contains(known, strings.ToLower(strings.TrimSpace(h))) {
				at[name] = i
			}
		}
	}
	for _, name := range []string{"id", "result"} {
		if _, ok := at[name]; !ok {
			return Answers{}, fmt.Errorf("%w: no column %s (or %s) in %s", errFile, name, strings.Join(columns()[name][1:], ", "), strings.Join(head, ", "))
		}
	}
	out := Answers{}
	var wrong []error
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, errors.Join(wrong...)
		}
		if err != nil {
			return Answers{}, fmt.Errorf("%w: %w", errFile, err)
		}
		line, _ := c.FieldPos(0)
		cell := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		res := Result{ID: cell("id"), Code: clip(cell("code"), 35), Detail: clip(cell("detail"), 210)}
		switch word := strings.ToLower(cell("result")); {
		case slices.Contains([]string{"ok", "done", "정상", "성공", "완료"}, word):
			res.Done = true
		case slices.Contains([]string{"fail", "failed", "rejected", "returned", "오류", "실패", "반려", "불능"}, word):
		case slices.Contains([]string{"pending", "처리중", "대기"}, word):
			out.Waiting++
			continue
		default:
			wrong = append(wrong, fmt.Errorf("%w: line %d: result %q: expected ok, fail or pending (정상, 오류, 처리중)", errFile, line, clip(word, 20)))
			continue
		}
		if res.ID == "" {
			wrong = append(wrong, fmt.Errorf("%w: line %d: no id", errFile, line))
			continue
		}
		out.Results = append(out.Results, res)
	}
}

// separator is what the header is separated by most: a comma, a semicolon or a tab.
func separator(in *bufio.Reader) rune {
	head, _ := in.Peek(4096) // a short file gives what it has
	head, _, _ = bytes.Cut(head, []byte("\n"))
	best, most := ',', 0
	for _, r := range []rune{',', ';', '\t'} {
		if n := bytes.Count(head, []byte(string(r))); n > most {
			best, most = r, n
		}
	}
	return best
}

// columns is what banks call what we read.
func columns() map[string][]string {
	return map[string][]string{
		"id":     {"id", "거래번호", "거래고유번호", "end-to-end id"},
		"result": {"result", "처리결과", "결과", "status"},
		"code":   {"code", "오류코드", "사유코드"},
		"detail": {"detail", "오류내용", "사유", "비고"},
	}
}
