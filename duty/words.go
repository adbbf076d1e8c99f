package duty

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/incident"
)

// Words is what a person is told.
type Words struct {
	Lang    string
	Subject string
	Text    string
}

// Say words a call for its person: what happened, since when, and where to answer. The
// first link is that of the node that calls; the others lead to the same at others.
func Say(c incident.Call, r *incident.Record, who *Person, s *estate.Snapshot, links []string, zone *time.Location) Words {
	lang := cmp.Or(who.Lang, "ko")
	t := func(ko, en string) string {
		if lang == "en" {
			return en
		}
		return ko
	}
	lost := make([]string, 0, len(r.Lost)+len(r.Proposed))
	for _, d := range append(append([]string{}, r.Lost...), r.Proposed...) {
		if s != nil {
			if ref, ok := s.Lookup(estate.KindDomain, d); ok {
				d = cmp.Or(s.Domains[ref.Index].Title, d)
			}
		}
		lost = append(lost, d)
	}
	what := strings.Join(lost, ", ")
	var said []string
	for key := range strings.SplitSeq(c.Reason, ",") {
		kind, rest, _ := strings.Cut(key, ":")
		switch kind {
		case Proposed:
			said = append(said, t(what+" 손실이 의심됩니다. 사람의 확인이 필요합니다", "the loss of "+what+" is suspected and waits for somebody to confirm it"))
		case Declared:
			said = append(said, t(what+" 손실이 선언되었습니다", "the loss of "+what+" was declared"))
		case Waiting:
			said = append(said, t(what+" 복구가 사람의 결정을 기다립니다", "the recovery of "+what+" waits for a person"))
		case Overdue:
			said = append(said, t("기한이 지난 의무가 있습니다: "+rest, "a duty is overdue: "+rest))
		case "test":
			said = append(said, t("시험 호출입니다. 아무 일도 없습니다", "this is a test: nothing has happened"))
		}
	}
	drill := ""
	if r.Drill {
		drill = t("[훈련] ", "[drill] ")
	}
	w := Words{Lang: lang, Subject: "[bongsu] " + drill + said[0]}
	var b strings.Builder
	for _, line := range said {
		fmt.Fprintf(&b, "%s.\n", line)
	}
	if !r.LostAt.IsZero() {
		at := r.LostAt.In(zone).Format("2006-01-02 15:04 MST")
		fmt.Fprintf(&b, t("%s부터. 사건 %s\n", "Since %s. Incident %s\n"), at, r.ID)
	}
	if c.Level > 0 || c.Step > 0 {
		b.WriteString(t("앞선 호출에 아무도 응답하지 않았습니다.\n", "Nobody has answered the calls before.\n"))
	}
	if c.Detail != "" {
		b.WriteString(t("같은 호출을 두 번 받을 수 있습니다.\n", "You may get this call twice.\n"))
	}
	if len(links) > 0 {
		fmt.Fprintf(&b, t("응답: %s\n", "Answer: %s\n"), links[0])
	}
	if len(links) > 1 && c.Channel != SMS {
		fmt.Fprintf(&b, t("열리지 않으면: %s\n", "If that does not open: %s\n"), strings.Join(links[1:], "  "))
	}
	w.Text = b.String()
	return w
}
