package audit

import (
	"fmt"
	"strings"
)

// mostRows is how many findings Markdown lists of each sort: a comment in a pull
// request has a limit.
const mostRows = 100

// Markdown returns the report for a pull request. With a difference, the report
// is the one with only what is new.
func (r *Report) Markdown(d *Difference) string {
	var b strings.Builder
	title := "Audit of the estate"
	if d != nil {
		title = "What this changes in the audit"
	}
	fmt.Fprintf(&b, "## %s\n\nEstate `%s`", title, r.Estate)
	if len(r.Losses) > 0 {
		fmt.Fprintf(&b, ", losses: %s", join(r.Losses))
	}
	b.WriteString(".\n")
	if d != nil {
		fmt.Fprintf(&b, "\n**%d new, %d fixed**, %d as before.\n", len(r.Findings), len(d.Fixed), d.Same)
		if d.NotJudged > 0 {
			fmt.Fprintf(&b, "\n%s of the baseline not judged this time: nobody asked for their losses, rules or severities.\n", counted(d.NotJudged, "finding", "findings"))
		}
		if len(r.Findings) > 0 {
			b.WriteString("\n### New\n")
		}
	}
	markdownTable(&b, r.Findings)
	if d != nil && len(d.Fixed) > 0 {
		b.WriteString("\n### Fixed\n")
		markdownTable(&b, d.Fixed)
	}
	if d == nil && len(r.Findings) == 0 {
		b.WriteString("\nNothing was found.\n")
	}
	if len(r.WaivesNothing) > 0 {
		b.WriteString("\n### Waivers that waive nothing\n\nThe rule finds nothing there: either the finding is gone, or it has another loss or another subject than was meant.\n\n")
		for _, w := range r.WaivesNothing[:min(len(r.WaivesNothing), mostRows)] {
			fmt.Fprintf(&b, "- %s:%d: %s\n", escaped(w.File), w.Line, escaped(w.words()))
		}
		more(&b, len(r.WaivesNothing)-mostRows)
	}
	return b.String()
}

func markdownTable(b *strings.Builder, list []Finding) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n| severity | users | finding | fix |\n| --- | ---: | --- | --- |\n")
	for _, f := range list[:min(len(list), mostRows)] {
		severity := map[Severity]string{Error: "**error**", Warning: "warning", Info: "info"}[f.Severity]
		if f.Waived != nil {
			severity += "<br>waived until " + f.Waived.Until + " by " + escaped(f.Waived.Owner)
		}
		text := escaped(f.Sentence)
		if len(f.Proof.Words) > 0 {
			text += "<br>" + escaped(strings.Join(f.Proof.Words, "; "))
		}
		text += "<br>`" + strings.ReplaceAll(f.ID, "|", "\\|") + "`"
		if f.File != "" {
			text += fmt.Sprintf(" (%s:%d)", escaped(f.File), f.Line)
		}
		fix := ""
		if f.Fix != nil {
			fix = escaped(f.Fix.Words)
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s |\n", severity, f.Users, text, fix)
	}
	more(b, len(list)-mostRows)
}

// more says how many were left out, if any were.
func more(b *strings.Builder, left int) {
	if left > 0 {
		fmt.Fprintf(b, "\n… and %d more.\n", left)
	}
}

// escaped keeps names from being read as markup.
func escaped(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_", "`", "\\`", "[", "\\[", "@", "&#64;", "\n", " ").Replace(s)
}
