package estate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Error is one thing that is wrong at one place of an estate's files.
type Error struct {
	File      string
	Line, Col int    // start at 1; 0 where the error is about a whole file or folder
	Msg       string // what is wrong
	Want      string // what was expected; may be empty
	Nearest   string // the nearest valid choice; may be empty
}

// Error returns "file:line:col: what is wrong; expected …; did you mean "x"?".
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		b.WriteString(":")
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", e.Line, e.Col)
	}
	if b.Len() > 0 {
		b.WriteString(" ")
	}
	b.WriteString(e.Msg)
	if e.Want != "" {
		b.WriteString("; expected ")
		b.WriteString(e.Want)
	}
	if e.Nearest != "" {
		b.WriteString("; did you mean ")
		b.WriteString(strconv.Quote(e.Nearest))
		b.WriteString("?")
	}
	return b.String()
}

// Errors are all the errors of one load, sorted by file, line and column.
type Errors []*Error

// Error returns the errors, one a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one, for [errors.As].
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// sorted returns the errors in the order of the files, each once.
func sorted(es []*Error) Errors {
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Msg, b.Msg))
	})
	return slices.CompactFunc(es, func(a, b *Error) bool { return *a == *b })
}
