package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/recovery"
)

// A place is a place in the journal: what is older than At, and of what happened at At
// all but the first Skip entries, which were shown. The zero place is its newest end.
type place struct {
	At   time.Time
	Skip int
}

func (m place) String() string {
	if m.At.IsZero() {
		return ""
	}
	return m.At.UTC().Format(time.RFC3339Nano) + "~" + strconv.Itoa(m.Skip)
}

func parsePlace(s string) (place, error) {
	if s == "" {
		return place{}, nil
	}
	at, skip, _ := strings.Cut(s, "~")
	t, err := time.Parse(time.RFC3339Nano, at)
	n, err2 := strconv.Atoi(cmp.Or(skip, "0"))
	if err != nil || err2 != nil || n < 0 {
		return place{}, fmt.Errorf("before=%q: take it from the answer before: %w", s, ErrBadInput)
	}
	return place{t, n}, nil
}

// How many entries of the journal one answer has.
const (
	journalPage = perPage
	journalMost = 1000
)

// journal joins what was recorded of incidents, runs and the estate, newest first, from
// a place on. Of the runs it reads only those that can have something among the newest
// that are asked for, so that its cost does not grow with the years.
func (s *Server) journal(ctx context.Context, from place, run string, limit int) (page []Entry, next place, err error) {
	f, err := s.backend.Facts(ctx)
	if err != nil {
		return nil, place{}, err
	}
	var all []Entry
	add := func(es ...Entry) {
		for _, e := range es {
			if from.At.IsZero() || !e.At.After(from.At) {
				all = append(all, e)
			}
		}
	}
	if run == "" {
		for i := range f.Incidents {
			add(incidentOf(&f.Incidents[i]).History...)
		}
		log, err := s.backend.Log(ctx)
		if err != nil {
			return nil, place{}, err
		}
		for _, rev := range log {
			add(Entry{At: rev.At, Who: rev.By, What: "push", Why: rev.Why, Text: rev.Rev})
		}
	}
	want := limit + from.Skip + 1
	for _, r := range byLast(f.Runs, f.At) {
		if run != "" && r.ID != run || !from.At.IsZero() && r.Created.After(from.At) {
			continue
		}
		newer := 0 // entries that are surely newer than all of this run
		for i := range all {
			if all[i].At.After(lastOf(r, f.At)) {
				newer++
			}
		}
		if newer >= want {
			break
		}
		view, err := s.backend.Run(ctx, r.ID)
		if err != nil {
			return nil, place{}, err
		}
		add(runOf(&view).Journal...)
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Rev, a.Rev)) })
	shown := 0 // of what happened at the mark itself
	for shown < len(all) && shown < from.Skip && all[shown].At.Equal(from.At) {
		shown++
	}
	all = all[shown:]
	if len(all) <= limit {
		return all, place{}, nil
	}
	page = all[:limit]
	next.At = page[limit-1].At
	for _, e := range slices.Backward(page) {
		if !e.At.Equal(next.At) {
			break
		}
		next.Skip++
	}
	if next.At.Equal(from.At) {
		next.Skip += shown
	}
	return page, next, nil
}

// lastOf is when a run can have written last: what is journaled after its end (a late
// report) comes within the hour.
func lastOf(r recovery.Run, now time.Time) time.Time {
	if r.State.Live() || r.Ended.IsZero() {
		return now
	}
	return r.Ended.Add(time.Hour)
}

// byLast sorts runs by when they can have written last, latest first.
func byLast(runs []recovery.Run, now time.Time) []recovery.Run {
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b recovery.Run) int { return lastOf(b, now).Compare(lastOf(a, now)) })
	return runs
}

type journalView struct {
	Entries       []Entry
	Run           string
	Newest, Older string // links; empty where there is none
}

func (s *Server) journalPage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	q := r.URL.Query()
	from, err := parsePlace(q.Get("before"))
	if err != nil {
		return err
	}
	v := journalView{Run: q.Get("run")}
	page, next, err := s.journal(r.Context(), from, v.Run, journalPage)
	if err != nil {
		return err
	}
	v.Entries = page
	to := func(m place) string {
		q := url.Values{}
		if v.Run != "" {
			q.Set("run", v.Run)
		}
		if m != (place{}) {
			q.Set("before", m.String())
		}
		if len(q) == 0 {
			return r.URL.Path
		}
		return r.URL.Path + "?" + q.Encode()
	}
	if from != (place{}) {
		v.Newest = to(place{})
	}
	if next != (place{}) {
		v.Older = to(next)
	}
	return s.render(w, r, http.StatusOK, "journal", "title.journal", &v)
}

// A Journal is one page of the journal: the answer of GET /api/v1/journal.
type Journal struct {
	Journal []Entry `json:"journal"`        // newest first
	Next    string  `json:"next,omitempty"` // goes on with ?before=…; empty: that is all
}

func (s *Server) apiJournal(w http.ResponseWriter, r *http.Request, _ Identity) error {
	q := r.URL.Query()
	from, err := parsePlace(q.Get("before"))
	if err != nil {
		return err
	}
	limit := journalMost
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > journalMost {
			return fmt.Errorf("limit=%q: it is a number from 1 to %d: %w", text, journalMost, ErrBadInput)
		}
	}
	page, next, err := s.journal(r.Context(), from, q.Get("run"), limit)
	if err != nil {
		return err
	}
	if page == nil {
		page = []Entry{}
	}
	writeJSON(w, http.StatusOK, Journal{Journal: page, Next: next.String()})
	return nil
}
