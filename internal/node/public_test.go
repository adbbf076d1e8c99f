package node_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/incident"
	"bongsu/internal/config"
	"bongsu/internal/node"
	"bongsu/status"
)

// A square is the public side of some sites on this machine, without control: the
// test signs and pushes what control would.
type square struct {
	t      testing.TB
	sites  []string
	made   *config.InitResult
	signer note.Signer
	push   map[string]string // URL
	pages  map[string]string
	desks  map[string]string
	nodes  map[string]*running
	client *http.Client // as control
	sent   *sink
	change func(site string, o *node.PublicOptions)
	launch func(site string) (kill func()) // makes nodes real processes, which are killed and not told to stop
	kills  map[string]func()
	rev    int64
	more   []status.Service // of the catalogue, beside the shop; all were down
}

// A sink takes letters, and remembers them.
type sink struct {
	mu      sync.Mutex
	letters []status.Letter
	refuse  func(status.Letter) error
}

func (s *sink) Send(_ context.Context, l status.Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		if err := s.refuse(l); err != nil {
			return err
		}
	}
	s.letters = append(s.letters, l)
	return nil
}

func (s *sink) all() []status.Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.letters)
}

func newSquare(t testing.TB, sites []string) *square {
	t.Helper()
	return newSquareOf(t, sites, func(c *config.PublicConfig) { c.Store.Quota = 64 << 20 })
}

// newSquareOf is a square whose public nodes are configured in another way.
func newSquareOf(t testing.TB, sites []string, configure func(*config.PublicConfig)) *square {
	t.Helper()
	s := &square{
		t: t, sites: sites, push: map[string]string{}, pages: map[string]string{}, desks: map[string]string{},
		nodes: map[string]*running{}, sent: &sink{}, rev: 100,
	}
	control, given := map[string]config.Ports{}, map[string]config.PublicPorts{}
	for _, site := range sites {
		p := reserve(t, 8)
		control[site] = config.Ports{Peer: p, Client: p + 1, Console: p + 2}
		given[site] = config.PublicPorts{Peer: p + 3, Client: p + 4, Page: p + 5, Push: p + 6, Desk: p + 7}
		s.push[site], s.desks[site] = fmt.Sprintf("https://127.0.0.1:%d", p+6), fmt.Sprintf("http://127.0.0.1:%d", p+7)
	}
	var err error
	s.made, err = config.Init(filepath.Join(t.TempDir(), "sites"), config.InitOptions{
		Cluster: "test", Sites: sites, Ports: control, Public: given,
		ChangePublic: func(_ string, c *config.PublicConfig) { configure(c) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.pages = s.made.Pages
	s.client = s.as(filepath.Join(filepath.Dir(s.made.Files[sites[0]]), "tls"))
	c, err := config.Load(s.made.Files[sites[0]])
	if err != nil {
		t.Fatal(err)
	}
	if s.signer, err = c.Public.Signer(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, r := range s.nodes {
			r.cancel()
		}
		for _, r := range s.nodes {
			<-r.ended
		}
	})
	return s
}

// as is a client with the certificate in a folder; an empty folder is one without.
func (s *square) as(dir string) *http.Client {
	s.t.Helper()
	pem, err := os.ReadFile(s.made.CA)
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	conf := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	if dir != "" {
		cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "node.crt"), filepath.Join(dir, "node.key"))
		if err != nil {
			s.t.Fatal(err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}, Timeout: 15 * time.Second}
	s.t.Cleanup(c.CloseIdleConnections)
	return c
}

func (s *square) options(site string) node.PublicOptions {
	s.t.Helper()
	c, err := config.LoadPublic(s.made.Public[site])
	if err != nil {
		s.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if name := os.Getenv("BONGSU_TEST_LOG"); name != "" {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = f.Close() })
		log = slog.New(slog.NewTextHandler(f, nil)).With("site", site)
	}
	o, err := node.PublicFromConfig(c, log)
	if err != nil {
		s.t.Fatal(err)
	}
	o.Send, o.CheckAddress, o.Lease = s.sent, nil, 2*time.Second
	if s.change != nil {
		s.change(site, &o)
	}
	return o
}

func (s *square) start(sites ...string) {
	s.t.Helper()
	for _, site := range sites {
		if s.launch != nil {
			s.kills[site] = s.launch(site)
			continue
		}
		o := s.options(site)
		ctx, cancel := context.WithCancel(context.Background())
		r := &running{cancel: cancel, ended: make(chan struct{})}
		s.nodes[site] = r
		go func() {
			defer close(r.ended)
			r.err = node.RunPublic(ctx, o)
		}()
	}
	for _, site := range sites {
		eventually(s.t, site+" listens", func(ctx context.Context) error {
			if r := s.nodes[site]; r != nil {
				select {
				case <-r.ended:
					s.t.Fatalf("%s ended: %v", site, r.err)
				default:
				}
			}
			_, err := s.state(ctx, site)
			return err
		})
	}
}

func (s *square) stop(site string) {
	s.t.Helper()
	if s.launch != nil {
		s.kills[site]()
		return
	}
	r := s.nodes[site]
	r.cancel()
	<-r.ended
	delete(s.nodes, site)
	if r.err != nil {
		s.t.Errorf("%s stopped with %v", site, r.err)
	}
}

func (s *square) quorum(sites ...string) {
	s.t.Helper()
	for _, site := range sites {
		eventually(s.t, site+" has a quorum", func(ctx context.Context) error {
			st, err := s.state(ctx, site)
			if err == nil && !st.Quorum {
				err = errors.New("it has none")
			}
			return err
		})
	}
}

func (s *square) state(ctx context.Context, site string) (node.PublicState, error) {
	var st node.PublicState
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.push[site]+"/v1/state", nil)
	if err != nil {
		return st, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return st, err
	}
	defer func() { _ = res.Body.Close() }()
	return st, json.NewDecoder(res.Body).Decode(&st)
}

// A told is what a public node answered to a push.
type told struct {
	Code   int    `json:"-"`
	Stored bool   `json:"stored"`
	Error  string `json:"error"`
}

// post pushes what is signed.
func (s *square) post(ctx context.Context, client *http.Client, site string, signed ...string) (told, error) {
	body, err := json.Marshal(map[string]any{"documents": signed})
	if err != nil {
		return told{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.push[site]+"/v1/documents", bytes.NewReader(body))
	if err != nil {
		return told{}, err
	}
	res, err := client.Do(req)
	if err != nil {
		return told{}, err
	}
	defer func() { _ = res.Body.Close() }()
	a := told{Code: res.StatusCode}
	return a, json.NewDecoder(res.Body).Decode(&a)
}

// sign makes the parcels of an incident with so many updates, with the catalogue and
// the pulse.
func (s *square) sign(updates int) []string {
	s.t.Helper()
	s.rev++
	now := time.Now().UTC()
	i := status.Incident{
		ID: "fire", Title: status.Text{"ko": "쇼핑 장애", "en": "Problem with shop"}, Phase: status.Investigating, Impact: "major", StartedAt: now.Add(-time.Hour),
		UpdatedAt: now, Board: []status.Line{{Service: "shop", Level: status.Down, Since: now.Add(-time.Hour)}}, Intervals: []status.Interval{{Service: "shop", Level: status.Down, From: now.Add(-time.Hour)}}, Updates: []status.Update{},
		Faults: []incident.Fault{{Domain: "north-hall", Operator: "운영사"}},
	}
	for n := updates; n > 0; n-- {
		i.Updates = append(i.Updates, status.Update{ID: fmt.Sprintf("fire-%d", n), At: now, Phase: status.Investigating, Body: status.Text{"ko": fmt.Sprintf("안내 %d", n), "en": fmt.Sprintf("word %d", n)}})
	}
	catalog := status.Catalog{
		Company: "회사", Title: status.Text{"ko": "서비스 상태", "en": "Status"}, URL: "https://status.example", TimeZone: "Asia/Seoul",
		Services: []status.Service{{Name: "shop", Title: status.Text{"ko": "쇼핑", "en": "Shop"}, Users: 1000}},
	}
	catalog.Services = append(catalog.Services, s.more...)
	for n := range s.more {
		down := i.Intervals[0]
		down.Service = s.more[n].Name
		i.Intervals = append(i.Intervals, down)
	}
	var out []string
	holds := map[string]string{}
	for _, d := range []struct {
		key  string
		says any
	}{{status.KeyCatalog, catalog}, {status.KeyIncident + "fire", i}, {status.KeyPulse, status.Pulse{GoodFor: time.Minute, Holds: holds}}} {
		doc, err := status.Make(d.key, s.rev, now, d.says)
		if err != nil {
			s.t.Fatal(err)
		}
		holds[d.key] = status.Digest(doc.Body)
		signed, err := status.Sign(doc, s.signer)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, string(signed))
	}
	return out
}

// publish pushes to a site, which must take and store it.
func (s *square) publish(site string, updates int) {
	s.t.Helper()
	if a, err := s.post(s.t.Context(), s.client, site, s.sign(updates)...); err != nil || a.Code != http.StatusOK || !a.Stored {
		s.t.Fatalf("push to %s: %+v, %v", site, a, err)
	}
}

// shows waits until sites tell of so many updates.
func (s *square) shows(limit time.Duration, updates int, sites ...string) {
	s.t.Helper()
	for _, site := range sites {
		within(s.t, limit, fmt.Sprintf("%s shows update %d", site, updates), func(ctx context.Context) error {
			st, err := s.state(ctx, site)
			if err == nil && (len(st.State.Incidents) != 1 || len(st.State.Incidents[0].Updates) < updates) {
				err = fmt.Errorf("it shows %+v", st.State.Incidents)
			}
			return err
		})
	}
}

// page reads the page of the incident as a reader does.
func (s *square) page(ctx context.Context, site string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.pages[site]+"/ko/incidents/fire.html", nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return string(text), err
}

func TestWhatIsPushedToOneSiteIsShownByAll(t *testing.T) {
	s := newSquare(t, three)
	s.start(three...)
	s.quorum(three...)
	s.publish("north", 1)
	s.shows(20*time.Second, 1, three...)
	for _, site := range three {
		within(t, 20*time.Second, "the page of "+site, func(ctx context.Context) error {
			text, err := s.page(ctx, site)
			if err == nil && !strings.Contains(text, "안내 1") {
				err = errors.New("it does not tell of the update")
			}
			return err
		})
	}
	// What comes again, changed, unsigned or too late.
	parcels := s.sign(2)
	if a, err := s.post(t.Context(), s.client, "south", parcels...); err != nil || !a.Stored {
		t.Fatalf("%+v, %v", a, err)
	}
	again, err := s.post(t.Context(), s.client, "east", parcels...)
	if err != nil || again.Code != http.StatusOK {
		t.Errorf("a repeated delivery: %+v, %v", again, err)
	}
	s.rev -= 2
	if a, err := s.post(t.Context(), s.client, "north", s.sign(0)...); err != nil || a.Code != http.StatusConflict || a.Stored {
		t.Errorf("an older document: %+v, %v", a, err)
	}
	forged := strings.Replace(parcels[1], "fire", "liar", 1)
	if a, err := s.post(t.Context(), s.client, "north", forged); err != nil || a.Code != http.StatusForbidden {
		t.Errorf("a forged document: %+v, %v", a, err)
	}
	if a, err := s.post(t.Context(), s.client, "north", strings.Repeat("x", 9<<20)); err == nil && a.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge delivery: %+v", a)
	}
	if _, err := s.post(t.Context(), s.as(""), "north", parcels...); err == nil {
		t.Error("whoever has no certificate may push")
	}
	s.shows(20*time.Second, 2, three...)
}

func TestAPublicNodeAloneShowsWhatItKnew(t *testing.T) {
	s := newSquare(t, three)
	s.start(three...)
	s.quorum(three...)
	s.publish("north", 1)
	s.shows(20*time.Second, 1, three...)
	s.stop("south")
	s.stop("east")
	// What control pushes is shown although nobody can store it.
	a, err := s.post(t.Context(), s.client, "north", s.sign(2)...)
	if err != nil || a.Code != http.StatusOK || a.Stored {
		t.Fatalf("push without a quorum: %+v, %v; want it shown, and not called stored", a, err)
	}
	s.shows(20*time.Second, 2, "north")
	// Started alone, it has its copy on disk.
	s.stop("north")
	s.start("north")
	s.shows(20*time.Second, 2, "north")
	if text, err := s.page(t.Context(), "north"); err != nil || !strings.Contains(text, "안내 2") {
		t.Fatalf("the page of a node that started alone: %v", err)
	}
	// When another comes back, the two are a quorum, and what one of them had both have.
	s.start("south")
	s.shows(patience, 2, "south")
	s.quorum("north", "south")
	within(t, patience, "north hands over", func(ctx context.Context) error {
		st, err := s.state(ctx, "north")
		if err == nil && st.Behind {
			err = errors.New("it is behind")
		}
		return err
	})
	s.start("east")
	s.shows(patience, 2, "east")
}

// A node is stopped while updates are pushed to it: what was acknowledged is on the
// others, whose pages are there all the time. TestRealPublicSitesAreKilled does it with
// processes and SIGKILL.
func TestAnAcknowledgedUpdateSurvivesItsSite(t *testing.T) { newSquare(t, three).survive(3) }

// survive ends one public node after the other in the middle of a publish, and returns
// how many updates were acknowledged.
func (s *square) survive(rounds int) (total int) {
	t := s.t
	t.Helper()
	s.start(three...)
	s.quorum(three...)
	s.publish("north", 1)
	s.shows(20*time.Second, 1, three...)
	updates := 1
	for round := range rounds {
		victim := three[round%len(three)]
		others := slices.DeleteFunc(slices.Clone(three), func(n string) bool { return n == victim })
		reading := s.readers(others)
		acked, first := updates, make(chan struct{})
		pushing, halt := context.WithCancel(t.Context())
		pushed := make(chan struct{})
		go func() {
			defer close(pushed)
			for pushing.Err() == nil {
				a, err := s.post(pushing, s.client, victim, s.sign(acked+1)...)
				if err != nil || !a.Stored {
					continue
				}
				if acked++; acked == updates+1 {
					close(first)
				}
			}
		}()
		limit := time.NewTimer(patience)
		select {
		case <-first:
		case <-limit.C:
			t.Fatal("nothing is acknowledged")
		}
		limit.Stop()
		if s.launch != nil { // a SIGKILL comes at any moment of a publish
			moment := time.NewTimer(time.Duration(rand.N(200)) * time.Millisecond)
			<-moment.C
		}
		s.stop(victim)
		halt()
		<-pushed
		total += acked - updates
		s.shows(patience, acked, others...)
		// Control goes on with any of the others.
		updates = acked + 2 // beyond what was pushed and not acknowledged
		within(t, patience, "control goes on", func(ctx context.Context) error {
			a, err := s.post(ctx, s.client, others[0], s.sign(updates)...)
			if err == nil && !a.Stored {
				err = fmt.Errorf("%+v", a)
			}
			return err
		})
		s.shows(patience, updates, others...)
		if err := reading(); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		s.start(victim)
		s.shows(patience, updates, victim)
		s.quorum(victim)
	}
	return total
}

// readers reads the pages of sites again and again, and returns what says whether it
// ever failed.
func (s *square) readers(sites []string) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	failed := make([]error, len(sites))
	reads := make([]int, len(sites))
	for i, site := range sites {
		wg.Go(func() {
			for ctx.Err() == nil && failed[i] == nil {
				if _, err := s.page(ctx, site); err != nil && ctx.Err() == nil {
					failed[i] = fmt.Errorf("a reader at %s: %w", site, err)
				}
				reads[i]++
			}
		})
	}
	return func() error {
		cancel()
		wg.Wait()
		if slices.Contains(reads, 0) {
			return errors.New("nobody read")
		}
		return errors.Join(failed...)
	}
}

// Readers subscribe, are told, and ask; agents answer. A node is stopped in between.
func TestReadersAreToldAndAnswered(t *testing.T) {
	s := newSquare(t, three)
	s.start(three...)
	s.quorum(three...)
	s.publish("north", 0)
	s.shows(20*time.Second, 0, three...)
	reader := s.browser()
	const people = 3
	for i := range people {
		s.submit(reader, s.pages["south"]+"/ko/subscribe.html", "/ko/subscribe", url.Values{"kind": {"email"}, "address": {fmt.Sprintf("u%d@example.kr", i)}})
	}
	var letters []status.Letter
	arrived := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d letters", n), func(context.Context) error {
			if letters = s.sent.all(); len(letters) < n {
				return fmt.Errorf("%d are there", len(letters))
			}
			return nil
		})
		if len(letters) > n {
			t.Fatalf("%d letters, want %d", len(letters), n)
		}
	}
	arrived(people)
	for _, l := range letters {
		_, link, _ := strings.Cut(l.Text, "https://status.example")
		link = strings.Fields(link)[0]
		_, token, _ := strings.Cut(link, "token=")
		s.submit(reader, s.pages["east"]+link, "/ko/confirm", url.Values{"token": {token}})
	}
	s.publish("north", 1)
	arrived(2 * people)
	s.stop("north")
	s.quorum("south", "east")
	s.publish("south", 2)
	arrived(3 * people)
	ids := map[string]bool{}
	for _, l := range letters {
		if ids[l.ID] {
			t.Errorf("%s got a letter twice", l.To)
		}
		ids[l.ID] = true
	}

	s.submit(reader, s.pages["south"]+"/ko/incidents/fire.html", "/ko/ask", url.Values{"text": {"언제 돌아옵니까? <script>alert(1)</script>"}, "incident": {"fire"}})
	agent, editor := s.browser(), s.browser()
	for i, b := range []*http.Client{agent, editor} {
		login := s.made.Agents[i]
		s.submit(b, s.desks["east"]+"/", "/login", url.Values{"name": {login.Name}, "password": {login.Password.Reveal()}})
	}
	id := s.find(agent, s.desks["east"]+"/questions", `name="id" value="([^"]+)"`)
	s.submit(agent, s.desks["east"]+"/questions", "/answer", url.Values{"id": {id}, "question": {"언제 돌아옵니까?"}, "ko": {"저녁에 돌아옵니다."}})
	seen := s.find(editor, s.desks["east"]+"/questions", `name="seen" value="([^"]+)"`)
	if code := s.submit(agent, s.desks["east"]+"/questions", "/approve", url.Values{"id": {id}, "seen": {seen}}); code != http.StatusForbidden {
		t.Errorf("the agent approved: %d", code)
	}
	if code := s.submit(editor, s.desks["east"]+"/questions", "/approve", url.Values{"id": {id}, "seen": {seen}}); code != http.StatusOK {
		t.Errorf("the editor could not approve: %d", code)
	}
	for _, site := range []string{"south", "east"} {
		within(t, 10*time.Second, "the answer at "+site, func(ctx context.Context) error {
			text, err := s.page(ctx, site)
			if err == nil && !strings.Contains(text, "저녁에 돌아옵니다.") {
				err = errors.New("it is not there")
			}
			return err
		})
	}
	// Whoever is not logged in, or comes from elsewhere, changes nothing.
	stranger := s.browser()
	if code := s.submit(stranger, s.desks["east"]+"/", "/drop", url.Values{"id": {id}, "why": {"x"}}); code != http.StatusUnauthorized {
		t.Errorf("a stranger at the desk: %d", code)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.desks["east"]+"/drop", strings.NewReader("id="+id))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := editor.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a post from another site: %s", res.Status)
	}
}

// browser keeps cookies.
func (s *square) browser() *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// find reads a page and finds something in it.
func (s *square) find(b *http.Client, page, pattern string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, page, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := b.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	m := regexp.MustCompile(pattern).FindSubmatch(text)
	if m == nil {
		s.t.Fatalf("%s: no %s in\n%s", page, pattern, text)
	}
	return string(m[1])
}

// submit sends the form of a page, as a reader without a script does, and returns how
// it was answered in the end.
func (s *square) submit(b *http.Client, page, action string, values url.Values) int {
	s.t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		s.t.Fatal(err)
	}
	field := "form"
	if slices.Contains(slices.Collect(maps.Values(s.desks)), "http://"+u.Host) {
		field = "token"
	}
	values.Set(field, s.find(b, page, `name="`+field+`" value="([^"]+)"`))
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "http://"+u.Host+action, strings.NewReader(values.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := b.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	if field == "form" && res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s was answered %s:\n%s", action, res.Status, text)
	}
	return res.StatusCode
}
