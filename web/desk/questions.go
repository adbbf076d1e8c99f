package desk

import (
	"strconv"
	"strings"
	"time"

	"bongsu/status"
	"bongsu/web"
)

// shownOver is how many questions that are done with the desk lists.
const shownOver = 50

// questionsView is what the tab of readers' questions shows.
type questionsView struct {
	Waiting, Over []question
}

type question struct {
	status.Question

	Ko, En, Seen string
	MayApprove   bool
}

func (c *call) questionsPage() error {
	all, err := c.s.o.Questions.Questions(c.r.Context())
	if err != nil {
		return err
	}
	var v questionsView
	for _, q := range all {
		one := question{
			Question: q, Ko: q.Answer["ko"], En: q.Answer["en"],
			Seen: strconv.FormatInt(q.AnsweredAt.UnixNano(), 10), MayApprove: c.rights.Questions >= web.Approver && q.AnsweredBy != c.who,
		}
		switch {
		case !q.Over():
			v.Waiting = append(v.Waiting, one)
		case len(v.Over) < shownOver:
			v.Over = append(v.Over, one)
		}
	}
	return c.show("questions", v)
}

func (c *call) answer() error {
	answer := status.Text{}
	for _, lang := range []string{"ko", "en"} {
		if s := strings.TrimSpace(c.r.PostFormValue(lang)); s != "" {
			answer[lang] = s
		}
	}
	if err := c.s.o.Questions.Reply(c.r.Context(), c.form("id"), c.r.PostFormValue("question"), answer, c.who); err != nil {
		return err
	}
	return c.to("/questions", "saved")
}

func (c *call) approveAnswer() error {
	seen, err := strconv.ParseInt(c.form("seen"), 10, 64)
	if err != nil {
		return status.ErrInput
	}
	if err := c.s.o.Questions.Approve(c.r.Context(), c.form("id"), time.Unix(0, seen).UTC(), c.who); err != nil {
		return err
	}
	return c.to("/questions", "published")
}

func (c *call) dropQuestion() error {
	if err := c.s.o.Questions.Drop(c.r.Context(), c.form("id"), c.r.PostFormValue("why"), c.who); err != nil {
		return err
	}
	return c.to("/questions", "saved")
}
