package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"bongsu/internal/kv"
	"bongsu/status"
)

// A sink takes letters, after what hook says.
type sink struct {
	mu      sync.Mutex
	letters []status.Letter
	hook    func(status.Letter) error
}

func (s *sink) Send(_ context.Context, l status.Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hook != nil {
		if err := s.hook(l); err != nil {
			return err
		}
	}
	s.letters = append(s.letters, l)
	return nil
}

func (s *sink) take() []status.Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.letters
	s.letters = nil
	return out
}

var (
	errPassing = errors.New("try later")
	errRefused = errors.New("no such mailbox")
)

// A house is the public side on a store in memory.
type house struct {
	t      testing.TB
	store  kv.Store
	desk   *status.Desk
	out    *sink
	signer note.Signer
	known  note.Verifiers
	rev    int64
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, store: kv.NewMemory(), out: &sink{}, rev: 10}
	h.signer, h.known = keys(t)
	var err error
	if h.desk, err = status.NewDesk(h.store, []byte(strings.Repeat("k", 32)), status.DefaultLimits(), nil); err != nil {
		t.Fatal(err)
	}
	return h
}

// run sends until the function that it returns is called.
func (h *house) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	box := status.Outbox{
		Store: h.store, Desk: h.desk, Send: h.out, Permanent: func(err error) bool { return errors.Is(err, errRefused) },
		Page: func() status.Catalog {
			return status.Catalog{Company: "회사", Title: status.Text{"ko": "상태"}, URL: "https://status.example", TimeZone: "Asia/Seoul"}
		},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := box.Run(ctx); err != nil && ctx.Err() == nil {
			h.t.Errorf("the outbox ended: %v", err)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// tell saves an incident with updates of these numbers.
func (h *house) tell(numbers ...int) {
	h.t.Helper()
	h.rev++
	i := status.Incident{ID: "fire", Title: status.Text{"ko": "쇼핑 장애", "en": "Problem with shop"}, StartedAt: time.Now(), Board: []status.Line{{Service: "shop", Level: status.Down}}}
	for _, n := range numbers {
		i.Updates = append(i.Updates, status.Update{ID: fmt.Sprintf("fire-%d", n), At: time.Now(), Phase: status.Identified, Body: status.Text{"ko": fmt.Sprintf("안내 **%d**", n), "en": "word"}})
	}
	signed, err := status.Sign(document(h.t, status.KeyIncident+"fire", h.rev, time.Now(), i), h.signer)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := status.Save(h.t.Context(), h.store, h.known, signed); err != nil {
		h.t.Fatal(err)
	}
}

// join subscribes an address as its owner does: by the link of the letter.
func (h *house) join(kind, address string, services ...string) {
	h.t.Helper()
	if err := h.desk.Subscribe(h.t.Context(), status.Subscription{Kind: kind, Address: address, Services: services, Lang: "ko"}, address); err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
	time.Sleep(time.Second) //nolint:forbidigo // in a bubble it takes no time
	letters := h.out.take()
	if len(letters) != 1 || letters[0].To != address {
		h.t.Fatalf("letters to %s: %+v", address, letters)
	}
	if err := h.desk.Confirm(h.t.Context(), tokenIn(h.t, letters[0], "confirm")); err != nil {
		h.t.Fatal(err)
	}
}

// tokenIn finds the link of a letter.
func tokenIn(t testing.TB, l status.Letter, path string) string {
	t.Helper()
	text := l.Text + " " + l.Unsubscribe
	i := strings.Index(text, "https://status.example/"+path+"?")
	if i < 0 {
		t.Fatalf("no link to %s in %q", path, text)
	}
	u, err := url.Parse(strings.Fields(text[i:])[0])
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

func addresses(letters []status.Letter) []string {
	var to []string
	for _, l := range letters {
		to = append(to, l.To)
	}
	slices.Sort(to)
	return to
}

// settle lets a bubble do what it has to do in d.
func settle(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble it takes no time
	synctest.Wait()
}

func TestNewsReachWhoAskedAndConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		stop := h.run(t.Context())
		defer stop()
		h.join(status.ByMail, "a@example.kr")
		h.join(status.ByMail, "b@example.kr", "shop")
		h.join(status.ByMail, "c@example.kr", "mail") // not affected
		h.join(status.ByWebhook, "https://hook.example/x")
		if err := h.desk.Subscribe(t.Context(), status.Subscription{Kind: status.ByMail, Address: "never@example.kr"}, "x"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		h.out.take()

		h.tell(1)
		settle(time.Second)
		letters := h.out.take()
		if diff := cmp.Diff([]string{"a@example.kr", "b@example.kr", "https://hook.example/x"}, addresses(letters)); diff != "" {
			t.Fatalf("letters (-want +got):\n%s", diff)
		}
		for _, l := range letters {
			switch l.Kind {
			case status.ByMail:
				if !strings.Contains(l.Subject, "쇼핑 장애") || !strings.Contains(l.Text, "안내 1") || !strings.Contains(l.HTML, "<strong>1</strong>") || !strings.Contains(l.Text, "https://status.example/incidents/fire.html") {
					t.Errorf("%+v", l)
				}
			case status.ByWebhook:
				var hook status.Hook
				if err := json.Unmarshal(l.JSON, &hook); err != nil || hook.Update == nil || hook.Update.ID != "fire-1" || l.Secret == "" {
					t.Errorf("%s: %v", l.JSON, err)
				}
			}
		}
		// The same document again, and one more update: only that is news.
		h.tell(2, 1)
		settle(time.Second)
		if got := h.out.take(); len(got) != 3 || !strings.Contains(got[0].Text+string(got[0].JSON), "2") {
			t.Errorf("got %d letters of the second update, want 3", len(got))
		}
		// One click and it is over.
		if err := h.desk.Unsubscribe(t.Context(), tokenIn(t, letters[0], "unsubscribe")); err != nil {
			t.Fatal(err)
		}
		h.tell(3, 2, 1)
		settle(time.Second)
		if got := h.out.take(); len(got) != 2 {
			t.Errorf("after an unsubscription got %d letters, want 2", len(got))
		}
		jobs, err := status.Jobs(t.Context(), h.store)
		if err != nil || len(jobs) != 3 || jobs[0].Sent != 3 || jobs[2].Sent != 2 || jobs[2].Done.IsZero() {
			t.Errorf("jobs %+v, %v", jobs, err)
		}
	})
}

// The sender dies again and again in the middle. Everybody gets the news; what was
// handed over and not yet marked may come twice, with the same ID, and no more than
// one batch of it for each death.
func TestAnOutboxThatDiesGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		const people, deaths = 300, 8
		h.populate(people)
		h.tell(1)
		seen := map[string]string{} // ID of the letter to each
		repeated := 0
		for death := range deaths + 1 {
			ctx, kill := context.WithCancel(t.Context())
			n := 0
			h.out.hook = func(l status.Letter) error {
				if old, ok := seen[l.To]; ok {
					repeated++
					if old != l.ID {
						t.Errorf("%s got %s and %s", l.To, old, l.ID)
					}
				}
				seen[l.To] = l.ID
				if n++; n == 30 && death < deaths {
					kill()
				}
				return nil
			}
			// A node that is killed marks nothing any more.
			dead := &dying{Store: h.store, ctx: ctx}
			box := *h
			box.store = dead
			stop := box.run(ctx)
			if death < deaths {
				<-ctx.Done()
			} else {
				settle(10 * time.Second)
			}
			kill()
			stop()
		}
		if len(seen) != people {
			t.Errorf("%d of %d got the news", len(seen), people)
		}
		if most := deaths * 64; repeated > most {
			t.Errorf("%d letters were sent twice, at most %d can be", repeated, most)
		}
	})
}

// dying is a store that takes no more writes once its node is dead.
type dying struct {
	kv.Store
	ctx context.Context //nolint:containedctx // the life of the node
}

func (d *dying) Commit(ctx context.Context, t kv.Txn) (int64, error) {
	if d.ctx.Err() != nil {
		return 0, kv.ErrFenced
	}
	return d.Store.Commit(ctx, t)
}

// populate makes confirmed subscribers.
func (h *house) populate(n int) {
	h.t.Helper()
	stop := h.run(h.t.Context())
	for i := range n {
		address := fmt.Sprintf("u%05d@example.kr", i)
		if err := h.desk.Subscribe(h.t.Context(), status.Subscription{Kind: status.ByMail, Address: address}, address); err != nil {
			h.t.Fatal(err)
		}
	}
	settle(10 * time.Second)
	stop()
	for _, l := range h.out.take() {
		if err := h.desk.Confirm(h.t.Context(), tokenIn(h.t, l, "confirm")); err != nil {
			h.t.Fatal(err)
		}
	}
}

func TestWhatFailsForTheMomentIsTriedAgainAndWhatIsRefusedIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.populate(3)
		tries := map[string]int{}
		h.out.hook = func(l status.Letter) error {
			tries[l.To]++
			switch {
			case l.To == "u00000@example.kr" && tries[l.To] < 3:
				return errPassing
			case l.To == "u00001@example.kr":
				return errRefused
			}
			return nil
		}
		stop := h.run(t.Context())
		defer stop()
		h.tell(1)
		settle(time.Minute)
		want := map[string]int{"u00000@example.kr": 3, "u00001@example.kr": 1, "u00002@example.kr": 1}
		if diff := cmp.Diff(want, tries); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
		jobs, err := status.Jobs(t.Context(), h.store)
		if err != nil || jobs[0].Sent != 2 || jobs[0].Failed != 1 || jobs[0].Done.IsZero() {
			t.Errorf("%+v, %v", jobs, err)
		}
	})
}

func TestNobodyIsBombedWithLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		stop := sync.OnceFunc(h.run(t.Context()))
		defer stop()
		for i := range 100 { // from everywhere, to one victim
			if err := h.desk.Subscribe(t.Context(), status.Subscription{Kind: status.ByMail, Address: "Victim@example.kr"}, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			settle(time.Minute)
		}
		if got := len(h.out.take()); got > 3 {
			t.Errorf("the victim got %d letters, at most 3 are sent", got)
		}
		refused := 0
		for i := range 100 { // from one place, to everybody
			if err := h.desk.Subscribe(t.Context(), status.Subscription{Kind: status.ByMail, Address: fmt.Sprintf("p%d@example.kr", i)}, "192.0.2.0/24"); errors.Is(err, status.ErrTooMany) {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if refused != 80 {
			t.Errorf("%d of 100 wishes from one place were refused, want 80", refused)
		}
		stop()
		settle(25 * time.Hour)
		if err := h.desk.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left, _, err := h.store.List(t.Context(), status.Prefix+"wish/"); err != nil || len(left) != 0 {
			t.Errorf("%d unconfirmed wishes are kept after a day, %v", len(left), err)
		}
	})
}

func TestWishesThatWaitAreCapped(t *testing.T) {
	h := newHouse(t)
	l := status.DefaultLimits()
	l.Wishes = 5
	desk, err := status.NewDesk(h.store, []byte(strings.Repeat("k", 32)), l, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		err = desk.Subscribe(t.Context(), status.Subscription{Kind: status.ByMail, Address: fmt.Sprintf("p%d@example.kr", i)}, fmt.Sprint(i))
		if want := i == 5; errors.Is(err, status.ErrTooMany) != want {
			t.Fatalf("wish %d: %v", i, err)
		}
	}
}

func TestTokensAndAddressesThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		stop := h.run(t.Context())
		defer stop()
		if err := h.desk.Subscribe(t.Context(), status.Subscription{Kind: status.ByMail, Address: "a@example.kr"}, "x"); err != nil {
			t.Fatal(err)
		}
		settle(time.Second)
		l := h.out.take()[0]
		confirm, bye := tokenIn(t, l, "confirm"), tokenIn(t, l, "unsubscribe")
		for _, token := range []string{"", ".", "a.b", bye, confirm + "x", strings.Replace(confirm, ".", "", 1), "../../doc." + confirm} {
			if err := h.desk.Confirm(t.Context(), token); !errors.Is(err, status.ErrToken) {
				t.Errorf("confirm %q: %v", token, err)
			}
		}
		for _, token := range []string{"", confirm, bye + "x"} {
			if err := h.desk.Unsubscribe(t.Context(), token); !errors.Is(err, status.ErrToken) {
				t.Errorf("unsubscribe %q: %v", token, err)
			}
		}
		if err := h.desk.Confirm(t.Context(), confirm); err != nil {
			t.Fatal(err)
		}
		if err := h.desk.Confirm(t.Context(), confirm); !errors.Is(err, status.ErrToken) {
			t.Errorf("a link that was used: %v", err)
		}
		for _, s := range []status.Subscription{
			{Kind: "fax", Address: "a@example.kr"},
			{Kind: status.ByMail, Address: "nobody"},
			{Kind: status.ByMail, Address: "a@b@c.kr"},
			{Kind: status.ByMail, Address: "a@example.kr\r\nBcc: b@example.kr"},
			{Kind: status.ByMail, Address: strings.Repeat("a", 250) + "@b.kr"},
			{Kind: status.ByWebhook, Address: ""},
		} {
			if err := h.desk.Subscribe(t.Context(), s, "y"); !errors.Is(err, status.ErrInput) {
				t.Errorf("%+v: %v", s, err)
			}
		}
		// The store, and so its backups, tell nobody's address.
		entries, _, err := h.store.List(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.Contains(e.Key+string(e.Value), "example.kr") {
				t.Errorf("%s tells an address: %s", e.Key, e.Value)
			}
		}
	})
}

func TestAnAnswerNeedsTwo(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	if err := h.desk.Ask(ctx, status.Question{Text: "사진은 언제? 010-1234-5678 <script>", Contact: "me@example.kr", Incident: "fire", Lang: "ko"}, "x"); err != nil {
		t.Fatal(err)
	}
	all, err := h.desk.Questions(ctx)
	if err != nil || len(all) != 1 || all[0].Contact != "me@example.kr" {
		t.Fatalf("%+v, %v", all, err)
	}
	id := all[0].ID
	if err := h.desk.Reply(ctx, id, "사진은 언제 돌아옵니까?", status.Text{"ko": "오늘 저녁입니다."}, "agent"); err != nil {
		t.Fatal(err)
	}
	all, _ = h.desk.Questions(ctx)
	seen := all[0].AnsweredAt
	if err := h.desk.Approve(ctx, id, seen, "agent"); !errors.Is(err, status.ErrSame) {
		t.Errorf("who drafted approved: %v", err)
	}
	if err := h.desk.Approve(ctx, id, seen.Add(-time.Second), "editor"); !errors.Is(err, status.ErrInput) {
		t.Errorf("approved what nobody saw: %v", err)
	}
	if _, stock, err := status.Load(ctx, h.store, h.known); err != nil || len(stock.State(noon).Notices) != 0 {
		t.Errorf("published before it was approved: %v", err)
	}
	if err := h.desk.Approve(ctx, id, seen, "editor"); err != nil {
		t.Fatal(err)
	}
	_, stock, err := status.Load(ctx, h.store, h.known)
	if err != nil {
		t.Fatal(err)
	}
	notices := stock.State(noon).Notices
	if len(notices) != 1 || notices[0].Question != "사진은 언제 돌아옵니까?" || notices[0].Incident != "fire" {
		t.Errorf("published: %+v", notices)
	}
	if err := h.desk.Drop(ctx, id, "late", "editor"); !errors.Is(err, status.ErrDecided) {
		t.Errorf("decided twice: %v", err)
	}
	if all, _ = h.desk.Questions(ctx); all[0].Contact != "" {
		t.Error("the contact is kept although the question is over")
	}
	for _, q := range []status.Question{{}, {Text: strings.Repeat("가", status.MaxQuestion+1)}, {Text: "\xff"}} {
		if err := h.desk.Ask(ctx, q, "x"); !errors.Is(err, status.ErrInput) {
			t.Errorf("%.20q: %v", q.Text, err)
		}
	}
}

func TestASavedDocumentIsNotOverwrittenByAnOlder(t *testing.T) {
	h := newHouse(t)
	sign := func(d status.Document) []byte {
		signed, err := status.Sign(d, h.signer)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	newer, older := sign(outage(t, "a", 9, noon)), sign(outage(t, "a", 8, noon))
	for _, c := range []struct {
		signed []byte
		want   error
	}{{newer, nil}, {newer, nil}, {older, status.ErrOlder}, {[]byte("lies"), status.ErrUnsigned}} {
		if err := status.Save(t.Context(), h.store, h.known, c.signed); !errors.Is(err, c.want) {
			t.Errorf("%.30q: %v, want %v", c.signed, err, c.want)
		}
	}
	kept, stock, err := status.Load(t.Context(), h.store, h.known)
	if d, ok := stock.Find("incident/a"); err != nil || !ok || d.Rev != 9 || string(kept.Signed["incident/a"]) != string(newer) {
		t.Errorf("kept %+v, %v", d, err)
	}
}
