package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"bongsu/estate"
	"bongsu/impact"
	"bongsu/internal/lang"
)

// perPage is how many services or journal entries one page shows.
const perPage = 50

func (s *Server) now(ctx context.Context) (*Now, error) {
	f, err := s.backend.Facts(ctx)
	if err != nil {
		return nil, err
	}
	n := s.composer.compose(f)
	return &n, nil
}

// A pager leads through a long list.
type pager struct {
	Page, Pages int
	Prev, Next  string // links; empty where there is none
}

// paginate cuts one page out of xs. A page that does not exist is the nearest one.
func paginate[T any](xs []T, r *http.Request, base string) ([]T, pager) {
	pages := max(1, (len(xs)+perPage-1)/perPage)
	n, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		n = 1
	}
	n = min(max(n, 1), pages)
	to := func(n int) string {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		return base + r.URL.Path + "?" + q.Encode()
	}
	p := pager{Page: n, Pages: pages}
	if n > 1 {
		p.Prev = to(n - 1)
	}
	if n < pages {
		p.Next = to(n + 1)
	}
	return xs[(n-1)*perPage : min(n*perPage, len(xs))], p
}

type nowView struct {
	pager
	Services []Service
	Filters  []filter
}

type filter struct {
	Name, Href string
	Count      int
	On         bool
}

func (s *Server) nowPage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	n, err := s.now(r.Context())
	if err != nil {
		return err
	}
	on := r.URL.Query().Get("state")
	var v nowView
	counts := map[string]int{"": len(n.Services)}
	shown := n.Services[:0:0]
	for _, svc := range n.Services {
		c := class(svc.State)
		counts[c]++
		if on == "" || on == c {
			shown = append(shown, svc)
		}
	}
	for _, f := range []string{"", "down", "degraded", "up"} {
		href := s.base + "/"
		if f != "" {
			href += "?state=" + f
		}
		v.Filters = append(v.Filters, filter{Name: cmp.Or(f, "all"), Href: href, Count: counts[f], On: f == on})
	}
	v.Services, v.pager = paginate(shown, r, "")
	return s.render(w, r, http.StatusOK, "now", "title.now", &v)
}

func (s *Server) runsPage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	return s.render(w, r, http.StatusOK, "runs", "title.runs", nil)
}

type runPageView struct {
	pager   // of the steps
	Run     *Run
	Steps   []Step // one page of them
	Filters []filter
	Lanes   string // site or crew
	By      []filter
	Can     []Verb
	Journal []Entry // newest first
	More    int     // entries that are not shown
	Asked   []Waiting
	Dead    State
}

// choose cuts out the steps and lanes that the reader asked for. A short list stays in
// the order of the plan; of a long one comes first what somebody should look at.
func (v *runPageView) choose(r *http.Request) {
	q := r.URL.Query()
	if q.Get("lanes") == lanesByCrew {
		v.Lanes = lanesByCrew
	}
	to := func(key, value string) string {
		next := url.Values{}
		for _, k := range []string{"lanes", "state"} {
			if q.Get(k) != "" && k != key {
				next.Set(k, q.Get(k))
			}
		}
		if value != "" {
			next.Set(key, value)
		}
		if len(next) == 0 {
			return r.URL.Path
		}
		return r.URL.Path + "?" + next.Encode()
	}
	for _, by := range []string{lanesBySite, lanesByCrew} {
		v.By = append(v.By, filter{Name: by, Href: to("lanes", by), On: v.Lanes == by})
	}
	counts := make(map[State]int)
	var shown []Step
	for _, st := range v.Run.Steps {
		counts[st.State]++
		if q.Get("state") == "" || q.Get("state") == string(st.State) {
			shown = append(shown, st)
		}
	}
	if len(shown) > perPage {
		slices.SortStableFunc(shown, func(a, b Step) int { return cmp.Compare(attention(a.State), attention(b.State)) })
	}
	v.Filters = []filter{{Name: "all", Href: to("state", ""), Count: len(v.Run.Steps), On: q.Get("state") == ""}}
	for _, st := range []State{StateWaiting, StateFailed, StateRunning, StatePending, StateDone, StateSkipped, StateSuperseded} {
		if counts[st] > 0 {
			v.Filters = append(v.Filters, filter{Name: string(st), Href: to("state", string(st)), Count: counts[st], On: q.Get("state") == string(st)})
		}
	}
	v.Steps, v.pager = paginate(shown, r, "")
}

func (s *Server) runPage(w http.ResponseWriter, r *http.Request, id Identity) error {
	view, err := s.backend.Run(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	run := runOf(&view)
	n, err := s.now(r.Context())
	if err != nil {
		return err
	}
	if n.Estate.Rev != "" {
		s.nameBlockers(r.Context(), &run)
	}
	journal := newestFirst(run.Journal)
	v := runPageView{Run: &run, Journal: journal[:min(len(journal), perPage)], More: max(len(journal)-perPage, 0), Dead: StateUnrecoverable, Lanes: lanesBySite}
	v.choose(r)
	for _, w := range n.Waiting {
		if w.Kind == "second" && w.Run == run.ID {
			v.Asked = append(v.Asked, w)
		}
	}
	if n.Quorum.OK {
		v.Can = allowed(runCan(run.State), runVerbs(), id.Role)
	}
	return s.render(w, r, http.StatusOK, "run", "title.run", &v)
}

// nameBlockers adds the titles that the stored plan does not carry.
func (s *Server) nameBlockers(ctx context.Context, run *Run) {
	f, err := s.backend.Facts(ctx)
	if err != nil || f.Estate == nil {
		return
	}
	for i := range run.Blockers {
		b := &run.Blockers[i]
		if ref, ok := lookupAny(f.Estate, b.Subject); ok {
			b.Title = f.Estate.Doc(ref).Title
		}
	}
}

// lookupAny finds a document by a name as a need writes it.
func lookupAny(snap *estate.Snapshot, name string) (estate.Ref, bool) {
	kind, bare, qualified := strings.Cut(name, "/")
	for _, k := range []estate.Kind{estate.KindService, estate.KindComponent, estate.KindCrew, estate.KindDomain} {
		if qualified && k.String() != kind {
			continue
		}
		if !qualified {
			bare = name
		}
		if ref, ok := snap.Lookup(k, bare); ok {
			return ref, true
		}
	}
	return estate.Ref{}, false
}

// runCan is what can be done with a run in a state.
func runCan(s State) []Verb {
	return map[State][]Verb{
		StateWaiting: {Approve, Abort},
		StateRunning: {Pause, Abort},
		StatePaused:  {Resume, Abort},
	}[s]
}

func incidentCan(s State, proposed []string) []Verb {
	switch {
	case s == StateProposed, s == StateDeclared && len(proposed) > 0:
		return []Verb{Confirm, Withdraw}
	case s == StateDeclared:
		return []Verb{Close, Withdraw}
	default:
		return nil
	}
}

func allowed(can []Verb, verbs map[Verb]Role, role Role) []Verb {
	return slices.DeleteFunc(can, func(v Verb) bool { return role < verbs[v] })
}

func newestFirst(es []Entry) []Entry {
	es = slices.Clone(es)
	slices.Reverse(es)
	return es
}

func findIncident(f Facts, id string) (Incident, error) {
	for i := range f.Incidents {
		if f.Incidents[i].ID == id {
			return incidentOf(&f.Incidents[i]), nil
		}
	}
	return Incident{}, fmt.Errorf("incident %q: %w", id, ErrNotFound)
}

type impactPageView struct {
	pager
	Sites         []choice
	More          string
	Domains       []string
	Problem       string
	Nearest       string
	Impact        *impactShown
	Nothing       bool
	Down          int
	Users         int64
	Tally         []tallyRow
	Services      []outcome
	Components    []outcome
	AllComponents int
	Plan          *forecast
	PlanProblem   string
}

type choice struct {
	Name, Title string
	On          bool
}

type impactShown struct {
	Lost, LostDomains []string
	Deadlocks         [][]string
}

// mostChoices bounds the list of domains that a browser offers while one types.
const mostChoices = 500

func (s *Server) impactPage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	f, err := s.backend.Facts(r.Context())
	if err != nil {
		return err
	}
	if f.Estate == nil {
		return errNoSnapshot
	}
	lost := lossAsked(r.URL.Query())
	v := impactPageView{}
	sites := make(map[string]bool)
	for i := range f.Estate.Domains {
		d := &f.Estate.Domains[i]
		if d.Type == "site" {
			sites[d.Name] = true
			v.Sites = append(v.Sites, choice{d.Name, d.Title, slices.Contains(lost, d.Name)})
		} else if len(v.Domains) < mostChoices {
			v.Domains = append(v.Domains, d.Name)
		}
	}
	v.More = strings.Join(slices.DeleteFunc(slices.Clone(lost), func(d string) bool { return sites[d] }), ", ")
	if len(lost) > 0 {
		s.showImpact(r, f.Estate, lost, &v)
	}
	return s.render(w, r, http.StatusOK, "impact", "title.impact", &v)
}

// lossAsked reads the loss out of a form: names, also several in one field.
func lossAsked(q url.Values) []string {
	var lost []string
	for _, field := range slices.Concat(q["lose"], q["more"]) {
		lost = append(lost, strings.FieldsFunc(field, func(c rune) bool { return c == ',' || c == ' ' })...)
	}
	slices.Sort(lost)
	return slices.Compact(lost)
}

// showImpact fills the page. A question that cannot be answered is shown next to
// the form that it came from, not as an error page.
func (s *Server) showImpact(r *http.Request, snap *estate.Snapshot, lost []string, v *impactPageView) {
	im, err := s.composer.impactOf(snap, lost)
	if err != nil {
		v.Problem = err.Error()
		if unknown, ok := errors.AsType[*impact.UnknownDomainError](err); ok {
			v.Problem = (&impact.UnknownDomainError{Name: unknown.Name}).Error()
			v.Nearest = unknown.Nearest
		}
		return
	}
	shown := impactShown{Lost: lost}
	for _, d := range im.LostDomains {
		shown.LostDomains = append(shown.LostDomains, snap.Domains[d].Name)
	}
	for _, d := range im.Deadlocks {
		shown.Deadlocks = append(shown.Deadlocks, im.Names(d.Cycle))
	}
	services := serviceOutcomes(im)
	for _, o := range services {
		if o.State == StateRecoverable || o.State == StateUnrecoverable {
			v.Down++
			v.Users += o.Users
		}
	}
	v.Impact = &shown
	v.Tally = tally(services, im)
	v.Components, v.AllComponents = componentOutcomes(im)
	v.Nothing = v.Down == 0 && v.AllComponents == 0
	v.Services, v.pager = paginate(services, r, "")
	explain(im, estate.KindService, v.Services)
	explain(im, estate.KindComponent, v.Components)
	spec, err := s.backend.Plan(r.Context(), lost)
	if err != nil {
		v.PlanProblem = err.Error()
		return
	}
	f := forecastOf(spec)
	v.Plan = &f
}

type estateView struct {
	Head *Revision
	Log  []Revision
}

func (s *Server) estatePage(w http.ResponseWriter, r *http.Request, _ Identity) error {
	log, err := s.backend.Log(r.Context())
	if err != nil {
		return err
	}
	v := estateView{Log: log}
	if len(log) > 0 {
		v.Head = &log[0]
	}
	return s.render(w, r, http.StatusOK, "estate", "title.estate", &v)
}

type loginView struct {
	Next, Name, Problem string
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request, id Identity) error {
	next := localPath(r.URL.Query().Get("next"))
	if id.Role > Nobody {
		s.leadTo(w, r, next)
		return nil
	}
	return s.render(w, r, http.StatusOK, "login", "title.login", &loginView{Next: next})
}

// login checks name and password. The limits count every attempt, so that a
// guesser is slowed whether or not the name exists, and the check itself takes
// the same time for a name that nobody has.
func (s *Server) login(w http.ResponseWriter, r *http.Request, _ Identity) error {
	name, password := r.PostFormValue("name"), r.PostFormValue("password")
	if len(name) > 64 || len(password) > 1024 {
		return s.loginFailed(w, r, name[:min(len(name), 64)], errPassword)
	}
	now := time.Now()
	peer, pair := remote(r), name+"\x00"+remote(r)
	wait, ok := s.perPeer.take(peer, now)
	if ok {
		wait, ok = s.perPair.take(pair, now)
	}
	if !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		s.log.Warn("too many log-in attempts", "account", name, "remote", peer)
		return s.loginFailed(w, r, name, errTooMany)
	}
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	role, ok := s.accounts.Password(r.Context(), name, password)
	if !ok || role == Nobody {
		s.log.Warn("log-in refused", "account", name, "remote", peer)
		return s.loginFailed(w, r, name, errPassword)
	}
	s.perPair.reset(pair)
	if err := s.startSession(w, r, name); err != nil {
		return err
	}
	s.log.Info("logged in", "account", name, "remote", peer)
	s.leadTo(w, r, r.PostFormValue("next"))
	return nil
}

func (s *Server) loginFailed(w http.ResponseWriter, r *http.Request, name string, err error) error {
	p := problem(err)
	return s.render(w, r, p.Status, "login", "title.login", &loginView{Next: localPath(r.PostFormValue("next")), Name: name, Problem: p.Code})
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request, _ Identity) error {
	s.setCookie(w, r, sessionCookie, "", -1)
	s.setCookie(w, r, formCookie, "", -1)
	http.Redirect(w, r, s.base+"/login", http.StatusSeeOther)
	return nil
}

func (s *Server) language(w http.ResponseWriter, r *http.Request, _ Identity) error {
	l := lang.Lang(r.PostFormValue("lang"))
	if !slices.Contains(lang.All(), l) {
		return fmt.Errorf("language %q: %w", l, ErrBadInput)
	}
	s.setCookie(w, r, langCookie, string(l), 365*24*time.Hour)
	s.leadTo(w, r, r.PostFormValue("next"))
	return nil
}

// localPath returns p if it leads to a page of this console, else the first page.
func localPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(p, "/") ||
		strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") {
		return "/"
	}
	return p
}

// leadTo sends the browser to a page of this console.
func (s *Server) leadTo(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, s.base+localPath(path), http.StatusSeeOther) //nolint:gosec // localPath lets only paths of this console through
}

func (s *Server) formDeclare(w http.ResponseWriter, r *http.Request, id Identity) error {
	lost := lossAsked(url.Values{"lose": r.PostForm["lost"], "more": r.PostForm["more"]})
	incident, err := s.declare(r.Context(), id, lost, r.PostFormValue("why"))
	if err != nil {
		return err
	}
	http.Redirect(w, r, s.link("incidents", incident), http.StatusSeeOther)
	return nil
}

func (s *Server) formRun(w http.ResponseWriter, r *http.Request, id Identity) error {
	c := Command{Verb: Verb(r.PathValue("verb")), Run: r.PathValue("id"), Why: r.PostFormValue("why")}
	return s.formDo(w, r, id, c, runVerbs())
}

func (s *Server) formStep(w http.ResponseWriter, r *http.Request, id Identity) error {
	step, verb := cutLast(r.PathValue("rest"))
	c := Command{Verb: Verb(verb), Run: r.PathValue("id"), Step: step, Why: r.PostFormValue("why")}
	return s.formDo(w, r, id, c, stepVerbs())
}

func (s *Server) formDo(w http.ResponseWriter, r *http.Request, id Identity, c Command, verbs map[Verb]Role) error {
	if _, err := s.do(r.Context(), id, c, verbs); err != nil && !errors.Is(err, ErrSecond) {
		return err
	}
	s.leadTo(w, r, r.PostFormValue("next"))
	return nil
}

func (s *Server) formRollback(w http.ResponseWriter, r *http.Request, id Identity) error {
	why, err := reason(r.PostFormValue("why"))
	if err != nil {
		return err
	}
	if _, err := s.backend.Rollback(r.Context(), r.PostFormValue("rev"), id.Name, why); err != nil {
		return err
	}
	http.Redirect(w, r, s.base+"/estate", http.StatusSeeOther)
	return nil
}

// cutLast splits "talk-db/promote@anyang/skip" into the step and the verb.
func cutLast(rest string) (step, verb string) {
	i := strings.LastIndexByte(rest, '/')
	if i < 0 {
		return "", rest
	}
	return rest[:i], rest[i+1:]
}

// How long a reason and a note may be, in bytes.
const (
	maxWhy  = 2000
	maxNote = 16 << 10
)

func reason(why string) (string, error) { return reasonOf(why, maxWhy) }

func reasonOf(why string, most int) (string, error) {
	why = strings.TrimSpace(why)
	switch {
	case why == "":
		return "", errWhy
	case len(why) > most:
		return "", fmt.Errorf("the text has %d bytes, at most %d are kept: %w", len(why), most, ErrBadInput)
	}
	return why, nil
}

// do checks that the verb exists and that the role may use it, and has the
// backend carry it out. Forms and API both come through here.
func (s *Server) do(ctx context.Context, id Identity, c Command, verbs map[Verb]Role) (string, error) {
	least, ok := verbs[c.Verb]
	if !ok {
		return "", fmt.Errorf("%q cannot be done here: %w", c.Verb, errNotFound)
	}
	if id.Role < least && !s.seconds(ctx, id, c) {
		return "", fmt.Errorf("%s is %s, and to %s needs %s: %w", id.Name, id.Role, c.Verb, least, errRole)
	}
	most := maxWhy
	if c.Verb == Note || c.Verb == Decide {
		most = maxNote
	}
	why, err := reasonOf(c.Why, most)
	if err != nil && (needsWhy(c.Verb) || !errors.Is(err, errWhy)) {
		return "", err
	}
	c.Who, c.Why = id.Name, why
	done, err := s.backend.Do(ctx, c)
	if err != nil {
		return done, err
	}
	s.log.Info("command", "verb", string(c.Verb), "incident", c.Incident, "run", c.Run, "step", c.Step, "who", c.Who)
	return done, nil
}

// seconds reports whether the decision confirms what somebody with the role for it
// asked for: the second pair of eyes may be an operator's.
func (s *Server) seconds(ctx context.Context, id Identity, c Command) bool {
	if id.Role < Operator || c.Run == "" {
		return false
	}
	asked, err := s.backend.Asked(ctx)
	want := Asked{Verb: c.Verb, Run: c.Run, Step: c.Step}
	return err == nil && slices.ContainsFunc(asked, func(a Asked) bool { return a.Key() == want.Key() && a.Who != id.Name })
}

// declare records a loss: an approver declares it, an operator proposes it.
func (s *Server) declare(ctx context.Context, id Identity, lost []string, why string) (string, error) {
	if len(lost) == 0 {
		return "", fmt.Errorf("no lost domain is named: %w", ErrBadInput)
	}
	verb := Declare
	if id.Role < Approver {
		verb = Propose
	}
	return s.do(ctx, id, Command{Verb: verb, Lost: lost, Why: why}, map[Verb]Role{Declare: Approver, Propose: Operator})
}
