package claim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/claim/paper"
	"bongsu/internal/kv"
)

// A Session is one meeting of the body that decides on the rules.
type Session struct {
	ID        string            `json:"id"`
	Incident  string            `json:"incident"`
	Title     map[string]string `json:"title"`
	Held      time.Time         `json:"held"`
	Questions []Question        `json:"questions"`
	Minutes   map[string]string `json:"minutes"`
	Decision  map[string]string `json:"decision"`
	Names     bool              `json:"names,omitempty"`    // its members want to be named when it is published
	Published time.Time         `json:"published,omitzero"` // then nothing of it changes any more
	Version   int64             `json:"version"`
}

// A Question is put to the vote.
type Question struct {
	ID       string            `json:"id"`
	Text     map[string]string `json:"text"`
	Drafts   []string          `json:"drafts,omitempty"` // policies that are compared
	Comments []Remark          `json:"comments"`
	Votes    map[string]string `json:"votes"` // yes, no, abstain, by member
}

// A Remark is a comment of a member.
type Remark struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Public is what of a published session everybody may see: its questions with the counts of votes, minutes and
// decision. Comments are the members' own. Unless they want to be named, members are numbers, in no order of theirs.
func (s *Session) Public() Session {
	out := *s
	out.Questions = make([]Question, len(s.Questions))
	for i, q := range s.Questions {
		votes := maps.Clone(q.Votes)
		if !s.Names {
			votes = map[string]string{}
			for n, v := range slices.Sorted(maps.Values(q.Votes)) {
				votes[strconv.Itoa(n+1)] = v
			}
		}
		q.Votes, q.Comments = votes, []Remark{}
		out.Questions[i] = q
	}
	return out
}

// sessionPrefix + incident/ID: sessions.
const sessionPrefix = "claim/s/"

var sessionIDs = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,39}$`)

// What a session has at most.
const (
	mostQuestions = 50
	mostRemarks   = 300
	longMinutes   = 50_000
	longRemark    = 4_000
	mostSession   = 700 << 10 // bytes
)

// Sessions returns those of an incident, the newest first.
func (o *Office) Sessions(ctx context.Context, incident string) ([]Session, error) {
	if !incidents.MatchString(incident) {
		return []Session{}, nil
	}
	all, err := list[Session](ctx, o.Store, sessionPrefix+incident+"/")
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Session) int { return cmp.Or(b.Held.Compare(a.Held), strings.Compare(b.ID, a.ID)) })
	return all, nil
}

// Published returns what everybody may see of the sessions of an incident, the newest first.
func (o *Office) Published(ctx context.Context, incident string) ([]Session, error) {
	all, err := o.Sessions(ctx, incident)
	out := []Session{}
	for i := range all {
		if !all[i].Published.IsZero() {
			out = append(out, all[i].Public())
		}
	}
	return out, err
}

// SaveSession writes a session of this version (0: a new one), until it is published. Comments and votes are those of their
// members, whatever s says; a question that somebody voted or commented on stays as it is.
func (o *Office) SaveSession(ctx context.Context, s Session, by string) (Session, error) {
	if err := who(by); err != nil {
		return Session{}, err
	}
	if s.ID == "" {
		s.ID = NewCode()
	}
	s.Held = s.Held.UTC().Round(time.Microsecond)
	for i := range s.Questions {
		if s.Questions[i].ID == "" {
			s.Questions[i].ID = strconv.Itoa(i + 1)
		}
	}
	if err := s.check(); err != nil {
		return Session{}, err
	}
	for _, q := range s.Questions {
		for _, id := range q.Drafts {
			if _, err := o.Policy(ctx, id); err != nil {
				return Session{}, fmt.Errorf("question %s compares %s: %w", q.ID, id, err)
			}
		}
	}
	return update(ctx, o.Store, sessionKey(s.Incident, s.ID), func(have *Session, exists bool) (kv.Txn, error) {
		switch {
		case exists && !have.Published.IsZero():
			return kv.Txn{}, have.closed()
		case have.Version != s.Version:
			return kv.Txn{}, fmt.Errorf("session %s: %w", s.ID, ErrConflict)
		}
		next := s
		next.Published, next.Version = time.Time{}, s.Version+1
		next.Questions = make([]Question, len(s.Questions))
		for i, q := range s.Questions {
			q.Comments, q.Votes = []Remark{}, map[string]string{}
			next.Questions[i] = q
		}
		for _, old := range have.Questions {
			i := slices.IndexFunc(next.Questions, func(q Question) bool { return q.ID == old.ID })
			touched := len(old.Votes)+len(old.Comments) > 0
			if i < 0 && touched || i >= 0 && len(old.Votes) > 0 && (!maps.Equal(old.Text, next.Questions[i].Text) || !slices.Equal(old.Drafts, next.Questions[i].Drafts)) {
				return kv.Txn{}, fmt.Errorf("question %s was commented or voted on, put another beside it: %w", old.ID, ErrState)
			}
			if i >= 0 {
				next.Questions[i].Comments, next.Questions[i].Votes = old.Comments, old.Votes
			}
		}
		*have = next
		return kv.Txn{}, have.fits()
	})
}

func sessionKey(incident, id string) string { return sessionPrefix + incident + "/" + id }

func (s *Session) closed() error { return fmt.Errorf("session %s was published: %w", s.ID, ErrState) }

// fits refuses what one key cannot hold.
func (s *Session) fits() error {
	o, err := op("", *s)
	if err == nil && len(o.Value) > mostSession {
		return FieldErrors{"session": "long"}
	}
	return err
}

func (s *Session) check() error {
	f := FieldErrors{}
	f.set(!incidents.MatchString(s.Incident), "incident", "form")
	f.set(!sessionIDs.MatchString(s.ID), "id", "form")
	f.set(!bilingual(s.Title, 300), "title", "language")
	f.set(s.Held.IsZero(), "held", "missing")
	f.set(s.Held.Year() < 2000 || s.Held.Year() > 2200, "held", "form")
	f.set(len(s.Questions) > mostQuestions, "questions", "long")
	seen := map[string]bool{}
	for _, q := range s.Questions {
		f.set(!sessionIDs.MatchString(q.ID), "questions", "form")
		f.set(seen[q.ID], "questions", "twice")
		f.set(!bilingual(q.Text, longText), "questions", "language")
		f.set(len(q.Drafts) > 10, "questions", "long")
		seen[q.ID] = true
	}
	for field, text := range map[string]map[string]string{"minutes": s.Minutes, "decision": s.Decision} {
		for lang, t := range text {
			f.set(lang != "ko" && lang != "en", field, "language")
			f.set(!textual(t, longMinutes), field, "text")
		}
	}
	return f.err()
}

// asked changes a question of a session that is not published.
func (o *Office) asked(ctx context.Context, incident, session, question string, change func(*Question) error) error {
	if !incidents.MatchString(incident) || !sessionIDs.MatchString(session) {
		return fmt.Errorf("session %q of %q: %w", session, incident, absent("there is none"))
	}
	_, err := update(ctx, o.Store, sessionKey(incident, session), func(s *Session, exists bool) (kv.Txn, error) {
		i := slices.IndexFunc(s.Questions, func(q Question) bool { return q.ID == question })
		switch {
		case !exists || i < 0:
			return kv.Txn{}, fmt.Errorf("question %q of session %q: %w", question, session, absent("there is none"))
		case !s.Published.IsZero():
			return kv.Txn{}, s.closed()
		}
		if err := change(&s.Questions[i]); err != nil {
			return kv.Txn{}, err
		}
		return kv.Txn{}, s.fits() // its version is that of what is asked: words and votes leave it alone
	})
	return err
}

// Comment adds a member's words to a question, until the session is published.
func (o *Office) Comment(ctx context.Context, incident, session, question, text, by string) error {
	text, _ = paper.MaskNumbers(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")))
	f := FieldErrors{}
	f.set(text == "", "text", "missing")
	f.set(!textual(text, longRemark), "text", "text")
	if err := cmp.Or(who(by), f.err()); err != nil {
		return err
	}
	return o.asked(ctx, incident, session, question, func(q *Question) error {
		if len(q.Comments) >= mostRemarks {
			return FieldErrors{"text": "long"}
		}
		if n := len(q.Comments); n > 0 && q.Comments[n-1].Text == text && same(q.Comments[n-1].By, by) {
			return errSame // pressed twice
		}
		q.Comments = append(q.Comments, Remark{By: by, At: o.now(), Text: text})
		return nil
	})
}

// Vote is yes, no or abstain; a member's last vote counts.
func (o *Office) Vote(ctx context.Context, incident, session, question, vote, by string) error {
	f := FieldErrors{}
	f.set(!slices.Contains([]string{"yes", "no", "abstain"}, vote), "vote", "unknown")
	if err := cmp.Or(who(by), f.err()); err != nil {
		return err
	}
	return o.asked(ctx, incident, session, question, func(q *Question) error {
		for member := range q.Votes {
			if same(member, by) {
				by = member
			}
		}
		if q.Votes[by] == vote {
			return errSame
		}
		q.Votes[by] = vote
		return nil
	})
}

// Publish makes minutes, decision and counts of votes of a session public for good, as they were read at this version, else
// [ErrConflict]. Both languages are needed.
func (o *Office) Publish(ctx context.Context, incident, session string, version int64, by string) error {
	if err := who(by); err != nil {
		return err
	}
	if !incidents.MatchString(incident) || !sessionIDs.MatchString(session) {
		return fmt.Errorf("session %q of %q: %w", session, incident, absent("there is none"))
	}
	_, err := update(ctx, o.Store, sessionKey(incident, session), func(s *Session, exists bool) (kv.Txn, error) {
		switch {
		case !exists:
			return kv.Txn{}, fmt.Errorf("session %q of %q: %w", session, incident, absent("there is none"))
		case !s.Published.IsZero():
			return kv.Txn{}, errSame
		case s.Version != version:
			return kv.Txn{}, fmt.Errorf("%w: session %s is of version %d", ErrConflict, session, s.Version)
		}
		f := FieldErrors{}
		f.set(!bilingual(s.Minutes, longMinutes), "minutes", "language")
		f.set(!bilingual(s.Decision, longMinutes), "decision", "language")
		s.Published = o.now()
		s.Version++
		return kv.Txn{}, f.err()
	})
	return err
}
