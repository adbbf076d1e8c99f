package status_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"bongsu/status"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// keys makes a signer and what knows it.
func keys(t testing.TB) (note.Signer, note.Verifiers) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "bongsu-control")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, note.VerifierList(verifier)
}

func document(t testing.TB, key string, rev int64, at time.Time, says any) status.Document {
	t.Helper()
	d, err := status.Make(key, rev, at, says)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// outage is an incident document of the public side.
func outage(t testing.TB, id string, rev int64, started time.Time) status.Document {
	t.Helper()
	return document(t, status.KeyIncident+id, rev, noon, status.Incident{ID: id, Title: status.Text{"ko": "장애 " + id}, StartedAt: started})
}

func pulse(t testing.TB, rev int64, at time.Time, docs ...status.Document) status.Document {
	t.Helper()
	holds := map[string]string{}
	for _, d := range docs {
		holds[d.Key] = status.Digest(d.Body)
	}
	return document(t, status.KeyPulse, rev, at, status.Pulse{GoodFor: time.Minute, Holds: holds})
}

func TestWhatIsSignedIsWhatIsOpened(t *testing.T) {
	signer, known := keys(t)
	large := make([]status.Line, 20_000)
	for i := range large {
		large[i] = status.Line{Service: "s" + big.NewInt(int64(i)).String(), Level: status.Down, Since: noon}
	}
	for name, d := range map[string]status.Document{
		"small":     outage(t, "a", 7, noon),
		"large":     document(t, status.KeyIncident+"b", 8, noon.Add(time.Nanosecond), status.Incident{ID: "b", Board: large}),
		"withdrawn": {Key: status.KeyIncident + "c", Rev: 9, At: noon},
		"lines":     {Key: status.KeyAnswer + "d", Rev: 1, At: noon, Body: []byte("{\n\t\"id\": \"d\"\n}")},
	} {
		signed, err := status.Sign(d, signer)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := status.Open(signed, known)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(d.Body, got.Body) {
			t.Errorf("%s: another body was opened", name)
		}
		d.Body, got.Body = nil, nil
		if diff := cmp.Diff(d, got); diff != "" {
			t.Errorf("%s (-signed +opened):\n%s", name, diff)
		}
	}
}

func TestWhatControlDidNotSignIsRefused(t *testing.T) {
	signer, known := keys(t)
	stranger, _ := keys(t) // the same name, another key
	d := outage(t, "a", 7, noon)
	signed, err := status.Sign(d, signer)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := status.Sign(d, stranger)
	if err != nil {
		t.Fatal(err)
	}
	note1, err := note.Sign(&note.Note{Text: "something else that control signs\n"}, signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		want error
	}{
		"nothing":              {nil, status.ErrUnsigned},
		"no signature":         {signed[:bytes.Index(signed, []byte("\n\n"))+1], status.ErrUnsigned},
		"a letter changed":     {bytes.Replace(signed, []byte("\n7\n"), []byte("\n8\n"), 1), status.ErrUnsigned},
		"another key":          {foreign, status.ErrUnsigned},
		"another kind of text": {note1, status.ErrDocument},
		"too large":            {bytes.Repeat([]byte("x"), status.MaxSigned+1), status.ErrDocument},
	} {
		if _, err := status.Open(c.text, known); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestNonsenseIsNotSigned(t *testing.T) {
	signer, _ := keys(t)
	good := outage(t, "a", 7, noon)
	for name, change := range map[string]func(*status.Document){
		"no such kind":     func(d *status.Document) { d.Key = "rumour/a" },
		"no ID":            func(d *status.Document) { d.Key = status.KeyIncident },
		"a path":           func(d *status.Document) { d.Key = "incident/../a" },
		"another ID":       func(d *status.Document) { d.Key = "incident/b" },
		"a line break":     func(d *status.Document) { d.Key = "incident/a\nb" },
		"no revision":      func(d *status.Document) { d.Rev = 0 },
		"no time":          func(d *status.Document) { d.At = time.Time{} },
		"no JSON":          func(d *status.Document) { d.Body = []byte("{") },
		"the body of list": func(d *status.Document) { d.Body = []byte("[]") },
	} {
		d := good
		change(&d)
		if _, err := status.Sign(d, signer); !errors.Is(err, status.ErrDocument) {
			t.Errorf("%s: got %v, want %v", name, err, status.ErrDocument)
		}
	}
}

func TestOlderIsNeverTaken(t *testing.T) {
	var s status.Stock
	put := func(d status.Document, want error) {
		t.Helper()
		next, err := s.Put(d)
		if !errors.Is(err, want) {
			t.Fatalf("rev %d at %s: got %v, want %v", d.Rev, d.At, err, want)
		}
		s = next
	}
	put(outage(t, "a", 7, noon), nil)
	put(outage(t, "a", 7, noon), nil) // delivered again
	put(outage(t, "a", 6, noon), status.ErrOlder)
	put(outage(t, "a", 7, noon.Add(-time.Hour)), status.ErrOlder) // the same moment, another content
	later := outage(t, "a", 7, noon.Add(-time.Hour))
	later.At = noon.Add(time.Second)
	put(later, nil)
	put(outage(t, "a", 8, noon), nil)
	put(status.Document{Key: status.KeyIncident + "a", Rev: 9, At: noon}, nil)
	put(outage(t, "a", 8, noon), status.ErrOlder) // what was withdrawn stays so
	if got := s.State(noon).Incidents; len(got) != 0 {
		t.Errorf("withdrawn, and still there: %v", got)
	}
}

func TestAStateIsFreshOnlyWithAllThatThePulseNames(t *testing.T) {
	a, b := outage(t, "a", 7, noon), outage(t, "b", 7, noon.Add(time.Minute))
	beat := pulse(t, 7, noon, a, b)
	if got := status.StockOf(a, beat).State(noon); !got.AsOf.IsZero() {
		t.Errorf("b is missing, yet it is said to be so as of %s", got.AsOf)
	}
	if missing, err := status.StockOf(a).Missing(beat); err != nil || !cmp.Equal(missing, []string{"incident/b"}) {
		t.Errorf("missing %v, %v; want incident/b", missing, err)
	}
	whole := status.StockOf(a, b, beat).State(noon)
	if !whole.AsOf.Equal(noon) || whole.GoodFor != time.Minute || len(whole.Incidents) != 2 || whole.Incidents[0].ID != "b" {
		t.Errorf("got %+v, want both incidents, newest first, as of noon", whole)
	}
	// A newer document than the pulse counts at once; one that the pulse does not name is gone.
	newer := outage(t, "a", 9, noon.Add(-time.Hour))
	if got := status.StockOf(newer, b, beat).State(noon); got.AsOf.IsZero() || len(got.Incidents) != 2 {
		t.Errorf("got %+v, want a's newer document at once", got)
	}
	if got := status.StockOf(a, b, pulse(t, 8, noon, b)).State(noon); len(got.Incidents) != 1 || got.Incidents[0].ID != "b" {
		t.Errorf("got %+v, want b alone", got.Incidents)
	}
}

func TestOldIncidentsLeaveThePage(t *testing.T) {
	of := func(id string, ended time.Time) status.Document {
		return document(t, status.KeyIncident+id, 7, noon, status.Incident{ID: id, StartedAt: noon.AddDate(0, -6, 0), EndedAt: ended})
	}
	open, fresh, old := of("open", time.Time{}), of("fresh", noon.AddDate(0, 0, -89)), of("old", noon.AddDate(0, 0, -91))
	st := status.StockOf(open, fresh, old, pulse(t, 7, noon, open, fresh, old)).State(noon)
	var got []string
	for _, i := range st.Incidents {
		got = append(got, i.ID)
	}
	if diff := cmp.Diff([]string{"open", "fresh"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// In whatever order and how often documents come, by Put or at once, the state is
// the same.
func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for range 200 {
		var docs []status.Document
		for i := range 1 + random.IntN(12) {
			id := string(rune('a' + random.IntN(3)))
			d := outage(t, id, 1+random.Int64N(4), noon.Add(time.Duration(i)*time.Minute))
			d.At = noon.Add(time.Duration(i) * time.Second)
			docs = append(docs, d)
		}
		docs = append(docs, pulse(t, 3, noon, docs...))
		want := status.StockOf(docs...).State(noon)
		docs = append(docs, docs...)
		random.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
		var s status.Stock
		for _, d := range docs {
			next, err := s.Put(d)
			if err != nil && !errors.Is(err, status.ErrOlder) {
				t.Fatal(err)
			}
			s = next
		}
		if diff := cmp.Diff(want, s.State(noon)); diff != "" {
			t.Fatalf("(-at once +one by one):\n%s", diff)
		}
	}
}

func FuzzOpen(f *testing.F) {
	signer, known := keys(f)
	for _, d := range []status.Document{
		outage(f, "a", 7, noon), pulse(f, 8, noon, outage(f, "a", 7, noon)),
		{Key: status.KeyMaintenance + "m", Rev: 3, At: noon},
		document(f, status.KeyCatalog, 1, noon, status.Catalog{Company: strings.Repeat("회사", 9000)}),
	} {
		signed, err := status.Sign(d, signer)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(signed)
		text, _, _ := bytes.Cut(signed, []byte("\n\n"))
		f.Add(append(text, '\n'))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := status.Open(text, known); err != nil && !errors.Is(err, status.ErrUnsigned) && !errors.Is(err, status.ErrDocument) {
			t.Errorf("an error of neither kind: %v", err)
		}
		// Whatever text control were to sign, it opens to something that can be put
		// together and signed again, or is refused.
		signed, err := note.Sign(&note.Note{Text: string(text)}, signer)
		if err != nil {
			return
		}
		if _, err := note.Open(signed, known); err != nil {
			return // it signs texts that it does not open
		}
		d, err := status.Open(signed, known)
		if err != nil {
			if !errors.Is(err, status.ErrDocument) {
				t.Fatalf("signed, but %v", err)
			}
			return
		}
		if _, err := json.Marshal(status.StockOf(d).State(noon)); err != nil {
			t.Fatal(err)
		}
		again, err := status.Sign(d, signer)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := status.Open(again, known); err != nil || !back.Same(d) {
			t.Fatalf("signed again it is %v, %v", back, err)
		}
	})
}
