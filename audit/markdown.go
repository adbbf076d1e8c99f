package audit

import (
	"fmt"
	"strings"

	"bongsu/internal/lang"
)

// mostRows is how many findings Markdown lists of each sort: a comment in a pull
// request has a limit.
const mostRows = 100

// Markdown returns the report for a pull request. With a difference, the report
// is the one with only what is new.
func (r *Report) Markdown(d *Difference, reader Reader) (string, error) {
	w, err := reader.writer()
	if err != nil {
		return "", err
	}
	b := &strings.Builder{}
	title := "markdown.title"
	if d != nil {
		title = "markdown.title.diff"
	}
	fmt.Fprintf(b, "## %s\n\n%s `%s`. %s", w.text(title), w.text("estate"), r.Estate, w.text("losses", w.losses(r.Losses)))
	for _, s := range r.Swept {
		b.WriteString(" " + w.swept(s))
	}
	b.WriteString("\n\n**" + r.summary(d, w) + "**\n")
	if d != nil && d.NotJudged > 0 {
		b.WriteString("\n" + w.text("unjudged", d.NotJudged) + "\n")
	}
	if d != nil && len(r.Findings) > 0 {
		b.WriteString("\n### " + w.text("new.title") + "\n")
	}
	w.table(b, r.Findings)
	if d != nil && len(d.Fixed) > 0 {
		b.WriteString("\n### " + w.text("fixed.title") + "\n")
		w.table(b, d.Fixed)
	}
	if len(r.WaivesNothing) > 0 {
		fmt.Fprintf(b, "\n### %s\n\n%s\n\n", w.text("idle"), w.text("idle.what"))
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n| --- | --- | --- | --- | --- |\n", w.text("idle.of"), w.text("idle.rule"), w.text("idle.loss"), w.text("idle.owner"), w.text("idle.place"))
		for _, x := range r.WaivesNothing[:min(len(r.WaivesNothing), mostRows)] {
			loss := x.Loss
			if loss == "" {
				loss = w.text("idle.any")
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s:%d |\n", escaped(x.Subject), x.Rule, escaped(loss), escaped(x.Owner), escaped(x.File), x.Line)
		}
		w.more(b, "more", len(r.WaivesNothing)-mostRows)
	}
	return b.String(), nil
}

// summary counts what was found.
func (r *Report) summary(d *Difference, w *writer) string {
	var parts []string
	note := func(n int, key string) { parts = append(parts, w.text("counts", n, w.text(key))) }
	if d != nil {
		note(len(r.Findings), "new")
		note(len(d.Fixed), "fixed")
		note(d.Same, "same")
		return strings.Join(parts, ", ")
	}
	counts, waived := r.Tally()
	for _, c := range counts {
		if c.N > 0 {
			note(c.N, "severity."+string(c.Severity))
		}
	}
	if waived > 0 {
		note(waived, "waived")
	}
	if len(parts) == 0 {
		return w.text("nothing")
	}
	return strings.Join(parts, ", ")
}

func (w *writer) table(b *strings.Builder, list []Finding) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s | %s | %s | %s |\n| --- | ---: | --- | --- |\n", w.text("column.severity"), w.text("column.users"), w.text("column.finding"), w.text("column.fix"))
	for _, f := range Gravest(list, mostRows) {
		severity := w.text("severity." + string(f.Severity))
		if f.Severity == Error {
			severity = "**" + severity + "**"
		}
		if f.Waived != nil {
			severity += "<br>" + escaped(w.text("waived.by", f.Waived.Until, f.Waived.Owner))
		}
		text := escaped(w.tell(f.Sentence))
		if len(f.Proof.Words) > 0 {
			text += "<br>" + escaped(w.clauses(f.Proof.Words))
		}
		text += "<br>`" + strings.ReplaceAll(f.ID, "|", "\\|") + "`"
		if f.File != "" {
			text += fmt.Sprintf(" (%s:%d)", escaped(f.File), f.Line)
		}
		fix := ""
		if f.Fix != nil {
			fix = escaped(w.tell(f.Fix.Words))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", severity, lang.Number(f.Users), text, fix)
	}
	w.more(b, "more.findings", len(list)-mostRows)
}

// more says how many were left out, if any were.
func (w *writer) more(b *strings.Builder, key string, left int) {
	if left > 0 {
		b.WriteString("\n" + w.text(key, left) + "\n")
	}
}

// escaped keeps names from being read as markup.
func escaped(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "@", "&#64;", "\n", " ").Replace(s)
}
