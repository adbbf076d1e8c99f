package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"bongsu/internal/lang"
)

// width is how many cells a line of text output may take.
const width = 80

// terminal reports whether w is shown to a person right away.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// A palette colours words on a terminal and leaves them alone elsewhere. Colour
// never says anything that the word does not say too.
type palette struct{ on bool }

// palette returns the one for standard output; https://no-color.org is respected.
func (a *app) palette() palette {
	return palette{on: terminal(a.out) && os.Getenv("NO_COLOR") == ""}
}

func (p palette) paint(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p palette) bold(s string) string { return p.paint("1", s) }
func (p palette) good(s string) string { return p.paint("32", s) }
func (p palette) warn(s string) string { return p.paint("33", s) }
func (p palette) bad(s string) string  { return p.paint("31", s) }

// cells is how many cells of a terminal s takes: a Korean letter takes two.
// It does not ask the locale, so that the same input gives the same bytes.
func cells(s string) int {
	c := runewidth.Condition{StrictEmojiNeutral: true}
	return c.StringWidth(s)
}

// wrap breaks text at blanks into lines of at most limit cells. A word that is
// longer than a line, such as a name, is broken where it must be.
func wrap(text string, limit int) []string {
	var (
		lines []string
		line  string
	)
	for word := range strings.FieldsSeq(text) {
		if line != "" && cells(line)+1+cells(word) <= limit {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for cells(word) > limit {
			head := cut(word, limit)
			lines = append(lines, head)
			word = word[len(head):]
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// cut returns the longest beginning of s that fits, and at least one letter.
func cut(s string, limit int) string {
	end := 0
	for i, r := range s {
		next := i + len(string(r))
		if end > 0 && cells(s[:next]) > limit {
			break
		}
		end = next
	}
	return s[:end]
}

// paragraph prints text in lines of the full width.
func (a *app) paragraph(text string) {
	for _, line := range wrap(text, width) {
		fmt.Fprintln(a.out, line)
	}
}

// item is one of a list, each with a dash in front.
func (a *app) item(text string) {
	for i, line := range wrap(text, width-2) {
		mark := "  "
		if i == 0 {
			mark = "- "
		}
		fmt.Fprintln(a.out, mark+line)
	}
}

// heading begins a section: a bold label, a colon, and what there is to say.
func (a *app) heading(label, text string) {
	head := label
	if text != "" {
		head += ": " + text
	}
	for i, line := range wrap(head, width) {
		if i == 0 && strings.HasPrefix(line, label) {
			line = a.palette().bold(label) + line[len(label):]
		}
		fmt.Fprintln(a.out, line)
	}
}

// section is heading after an empty line.
func (a *app) section(label, text string) {
	fmt.Fprintln(a.out)
	a.heading(label, text)
}

// A cell is one cell of a table: a text and how to paint it.
type cell struct {
	text  string
	paint func(string) string // nil: as it is
}

// A table lines up columns. The last one is plain text that takes the room that
// is left; it wraps, and each of its lines begins a new one.
type table struct {
	right []bool // by column before the last: aligned to the right
	rows  []row
}

type row struct {
	cells []cell
	text  string // of the last column
}

func (t *table) add(text string, cells ...cell) { t.rows = append(t.rows, row{cells, text}) }

func (t *table) print(w io.Writer) {
	widths := make([]int, len(t.right))
	for _, r := range t.rows {
		for i, c := range r.cells {
			widths[i] = max(widths[i], cells(c.text))
		}
	}
	margin := 0
	for _, n := range widths {
		margin += n + 2
	}
	for _, r := range t.rows {
		var lines []string
		for text := range strings.Lines(r.text) {
			lines = append(lines, wrap(text, max(width-margin, 20))...)
		}
		var line strings.Builder
		for i, c := range r.cells {
			text, pad := c.text, strings.Repeat(" ", widths[i]-cells(c.text))
			if c.paint != nil {
				text = c.paint(text)
			}
			if t.right[i] {
				text, pad = pad, text
			}
			line.WriteString(text + pad + "  ")
		}
		if len(lines) > 0 {
			line.WriteString(lines[0])
			lines = lines[1:]
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
		for _, text := range lines {
			fmt.Fprintln(w, strings.Repeat(" ", margin)+text)
		}
	}
}

// counted is "1 step" or "3 steps".
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return lang.Number(int64(n)) + " " + many
}

// listed joins names and says how many more there are beyond the first most.
func listed(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %s more", strings.Join(names[:most], ", "), lang.Number(int64(len(names)-most)))
}

// titled is a name with its title for people, if it has one.
func titled(name, title string) string {
	if title == "" || title == name {
		return name
	}
	return name + " (" + title + ")"
}

// work does what may take long and cannot be stopped half-way, and says on a
// terminal what it is and for how long already. When ctx ends it no longer waits:
// the process is about to end, and f holds nothing that outlives it.
func work[T any](ctx context.Context, a *app, what string, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	start := time.Now()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	shown := false
	defer func() {
		if shown {
			fmt.Fprint(a.err, "\r\x1b[K")
		}
	}()
	for {
		select {
		case r := <-done:
			return r.value, r.err
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		case <-ticker.C:
			if shown = terminal(a.err); shown {
				fmt.Fprintf(a.err, "\r\x1b[Kbongsu: %s ... %s", what, time.Since(start).Round(time.Second))
			}
		}
	}
}
