package desk

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"bongsu/claim"
)

// bodyView lists the sessions of the consultative body.
type bodyView struct {
	Window   claim.Window
	Windows  []claim.Window
	Sessions []claim.Session
	Jobs     []jobRow // comparisons of drafts
}

// sessionView is one session.
type sessionView struct {
	claim.Session

	Incident  string
	Open      bool
	Questions []questionView
	Drafts    []claim.Draft
}

type questionView struct {
	claim.Question

	Yes, No, Abstain int
	Mine             string
	Members          []string // who voted, in order of name
}

func (c *call) bodyPage() error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	v := bodyView{Window: w, Windows: all}
	if v.Sessions, err = c.s.o.Office.Sessions(c.r.Context(), w.Incident); err != nil {
		return err
	}
	if v.Jobs, err = c.jobsOf(w.Incident, "whatif"); err != nil {
		return err
	}
	return c.show("body", v)
}

// dataset gives the body the claims without anything that tells who.
func (c *call) dataset() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff") // spreadsheets read it as UTF-8 then
	if err := c.s.o.Office.Dataset(c.r.Context(), w.Incident, &b); err != nil {
		return err
	}
	return c.send("claims-"+w.Incident+".csv", "text/csv; charset=utf-8", b.Bytes())
}

func (c *call) session() (claim.Window, claim.Session, error) {
	w, _, err := c.window()
	if err != nil {
		return w, claim.Session{}, err
	}
	all, err := c.s.o.Office.Sessions(c.r.Context(), w.Incident)
	if err != nil {
		return w, claim.Session{}, err
	}
	i := slices.IndexFunc(all, func(s claim.Session) bool { return s.ID == c.r.PathValue("session") })
	if i < 0 {
		return w, claim.Session{}, claim.ErrNotFound
	}
	return w, all[i], nil
}

func (c *call) sessionPage() error {
	w, s, err := c.session()
	if err != nil {
		return err
	}
	v := sessionView{Session: s, Incident: w.Incident, Open: s.Published.IsZero()}
	if v.Drafts, err = c.s.o.Office.Drafts(c.r.Context(), w.Incident); err != nil {
		return err
	}
	for _, q := range s.Questions {
		one := questionView{Question: q, Members: slices.Sorted(maps.Keys(q.Votes))}
		for member, vote := range q.Votes {
			switch vote {
			case "yes":
				one.Yes++
			case "no":
				one.No++
			default:
				one.Abstain++
			}
			if strings.EqualFold(member, c.who) {
				one.Mine = vote
			}
		}
		v.Questions = append(v.Questions, one)
	}
	return c.show("session", v)
}

func sessionPath(incident, id string) string {
	return "/body/" + url.PathEscape(id) + "?incident=" + url.QueryEscape(incident)
}

// both reads a text in both languages.
func (c *call) both(name string) map[string]string {
	out := map[string]string{}
	for _, l := range []string{"ko", "en"} {
		if s := c.form(name + "-" + l); s != "" {
			out[l] = s
		}
	}
	return out
}

func (c *call) openSession() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	held, err := time.ParseInLocation(minute, c.form("held"), c.s.o.Zone)
	if err != nil {
		return fmt.Errorf("%w: say when it is held", errInput)
	}
	s, err := c.s.o.Office.SaveSession(c.r.Context(), claim.Session{Incident: w.Incident, Title: c.both("title"), Held: held}, c.who)
	if err != nil {
		return err
	}
	return c.to(sessionPath(w.Incident, s.ID), "saved")
}

// changed changes the session that the form was made of.
func (c *call) changed(change func(*claim.Session) error) error {
	w, s, err := c.session()
	if err != nil {
		return err
	}
	if s.Version, err = c.version(); err != nil {
		return err
	}
	if err := change(&s); err != nil {
		return err
	}
	if _, err := c.s.o.Office.SaveSession(c.r.Context(), s, c.who); err != nil {
		return err
	}
	return c.to(sessionPath(w.Incident, s.ID), "saved")
}

func (c *call) saveSession() error {
	return c.changed(func(s *claim.Session) error {
		s.Minutes, s.Decision, s.Names = c.both("minutes"), c.both("decision"), c.form("names") == "1"
		return nil
	})
}

func (c *call) askBody() error {
	return c.changed(func(s *claim.Session) error {
		q := claim.Question{Text: c.both("question"), Drafts: c.r.PostForm["draft"]}
		for n := len(s.Questions) + 1; ; n++ { // a name that no other question has
			q.ID = fmt.Sprint(n)
			if !slices.ContainsFunc(s.Questions, func(o claim.Question) bool { return o.ID == q.ID }) {
				break
			}
		}
		s.Questions = append(slices.Clone(s.Questions), q)
		return nil
	})
}

func (c *call) comment() error {
	w, s, err := c.session()
	if err != nil {
		return err
	}
	if err := c.s.o.Office.Comment(c.r.Context(), w.Incident, s.ID, c.form("question"), c.form("text"), c.who); err != nil {
		return err
	}
	return c.to(sessionPath(w.Incident, s.ID), "saved")
}

func (c *call) vote() error {
	w, s, err := c.session()
	if err != nil {
		return err
	}
	if err := c.s.o.Office.Vote(c.r.Context(), w.Incident, s.ID, c.form("question"), c.form("vote"), c.who); err != nil {
		return err
	}
	return c.to(sessionPath(w.Incident, s.ID), "voted")
}

func (c *call) publish() error {
	w, s, err := c.session()
	if err != nil {
		return err
	}
	v, err := c.version() // what is published is what was read
	if err != nil {
		return err
	}
	if err := c.s.o.Office.Publish(c.r.Context(), w.Incident, s.ID, v, c.who); err != nil {
		return err
	}
	return c.to(sessionPath(w.Incident, s.ID), "published")
}
