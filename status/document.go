package status

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/internal/kv"
)

// Errors of documents that callers branch on.
var (
	ErrUnsigned = errors.New("not signed by control")
	ErrDocument = errors.New("not a document of status")
	ErrOlder    = errors.New("a newer document is known")
)

const (
	// MaxSigned is the size of a signed document that is taken at most: it fits
	// into one transaction of the store.
	MaxSigned = 900 << 10
	// MaxBody is the size of a body at most.
	MaxBody = 8 << 20

	maxKey   = 200
	plain    = 16 << 10 // bodies up to here stand in the document as they are
	heading  = "bongsu status document v1"
	kept     = 90 * 24 * time.Hour
	plainly  = "json"
	squeezed = "gzip"
)

// Sign returns the document as a signed note: text that a person can read as well,
// with the signature below it. Large bodies are compressed.
func Sign(d Document, by note.Signer) ([]byte, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	form, body := plainly, string(d.Body)
	if len(d.Body) > plain || bytes.ContainsFunc(d.Body, func(r rune) bool { return r < ' ' || r == '\uFFFD' }) {
		small, err := kv.Pack(d.Body)
		if err != nil {
			return nil, err
		}
		form, body = squeezed, base64.StdEncoding.EncodeToString(small)
	}
	text := strings.Join([]string{
		heading, d.Key, strconv.FormatInt(d.Rev, 10),
		d.At.UTC().Format(time.RFC3339Nano), form, body, "",
	}, "\n")
	signed, err := note.Sign(&note.Note{Text: text}, by)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", d.Key, err)
	}
	if len(signed) > MaxSigned {
		return nil, fmt.Errorf("%w: %s has %d bytes when signed, at most %d are taken", ErrDocument, d.Key, len(signed), MaxSigned)
	}
	return signed, nil
}

// Open checks the signature and returns the document. [ErrUnsigned] says that none
// of the known keys signed it, [ErrDocument] that what was signed is not one.
func Open(signed []byte, known note.Verifiers) (Document, error) {
	if len(signed) > MaxSigned {
		return Document{}, fmt.Errorf("%w: it has %d bytes, at most %d are taken", ErrDocument, len(signed), MaxSigned)
	}
	n, err := note.Open(signed, known)
	if err != nil {
		return Document{}, fmt.Errorf("%w: %v", ErrUnsigned, err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 7 || lines[0] != heading {
		return Document{}, fmt.Errorf("%w: its heading is not %q", ErrDocument, heading)
	}
	d := Document{Key: lines[1]}
	if d.Rev, err = strconv.ParseInt(lines[2], 10, 64); err != nil {
		return Document{}, fmt.Errorf("%w: its revision is %q", ErrDocument, lines[2])
	}
	if d.At, err = time.Parse(time.RFC3339Nano, lines[3]); err != nil {
		return Document{}, fmt.Errorf("%w: its time is %q", ErrDocument, lines[3])
	}
	switch lines[4] {
	case plainly:
		d.Body = []byte(lines[5])
	case squeezed:
		if d.Body, err = unsqueeze(lines[5]); err != nil {
			return Document{}, fmt.Errorf("%w: its body: %v", ErrDocument, err)
		}
	default:
		return Document{}, fmt.Errorf("%w: its body is in the form %q", ErrDocument, lines[4])
	}
	return d, d.Check()
}

func unsqueeze(text string) ([]byte, error) {
	small, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return kv.Unpack(small, MaxBody)
}

// Make makes a document of what it is to say: a [Catalog], [Incident],
// [Maintenance], [Answer] or [Pulse].
func Make(key string, rev int64, at time.Time, says any) (Document, error) {
	body, err := json.Marshal(says)
	if err != nil {
		return Document{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return Document{Key: key, Rev: rev, At: at.UTC().Round(0), Body: body}, nil
}

// ErrClock says that a pulse comes from later than now: whoever believed it would hold
// what is old for fresh.
var ErrClock = errors.New("control's clock and this one do not agree")

// aheadAtMost is how far the clock of control may be before that of a public node.
const aheadAtMost = time.Minute

// CheckClock says whether a document that says how long to believe the others is from
// later than now, by the clock of whoever was told.
func (d Document) CheckClock(now time.Time) error {
	if d.Key == KeyPulse && d.At.After(now.Add(aheadAtMost)) {
		return fmt.Errorf("%w: a pulse of %s came at %s; set the clock that is wrong", ErrClock, d.At.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// Digest tells two bodies of one key apart.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:12])
}

// Withdrawn says that the document takes back what an earlier one of its key said.
func (d Document) Withdrawn() bool { return len(d.Body) == 0 }

// Newer says whether d replaces old. Two documents of one revision are told apart
// by their time: what only the clock changes leaves the revision as it is.
func (d Document) Newer(old Document) bool { return newest(d, old) > 0 }

func newest(a, b Document) int {
	return cmp.Or(cmp.Compare(a.Rev, b.Rev), a.At.Compare(b.At))
}

// Same says whether d is old again, as a repeated delivery is.
func (d Document) Same(old Document) bool {
	return d.Key == old.Key && newest(d, old) == 0 && bytes.Equal(d.Body, old.Body)
}

// Check says what is wrong with a document, be it signed or not.
func (d Document) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrDocument, fmt.Sprintf(format, args...))
	}
	if len(d.Key) > maxKey || strings.ContainsFunc(d.Key, func(r rune) bool { return r <= ' ' || r == '\uFFFD' }) {
		return wrong("its key %.40q is too long, or has spaces", d.Key)
	}
	switch {
	case d.Rev <= 0:
		return wrong("%s: its revision is %d", d.Key, d.Rev)
	case d.At.IsZero() || d.At.Year() > 9999:
		return wrong("%s: it has no time", d.Key)
	case len(d.Body) > MaxBody:
		return wrong("%s: its body has %d bytes, at most %d are taken", d.Key, len(d.Body), MaxBody)
	}
	_, err := d.decode()
	return err
}

// decode returns what the document says, or nil when it is withdrawn.
func (d Document) decode() (any, error) {
	kind, id, _ := strings.Cut(d.Key, "/")
	var says any
	said := func() string { return id } // the ID that the body names
	switch {
	case d.Key == KeyCatalog:
		says = new(Catalog)
	case d.Key == KeyPulse:
		says = new(Pulse)
	case id == "" || strings.Contains(id, "/"):
		return nil, fmt.Errorf("%w: its key is %q", ErrDocument, d.Key)
	case kind+"/" == KeyIncident:
		i := new(Incident)
		says, said = i, func() string { return i.ID }
	case kind+"/" == KeyMaintenance:
		m := new(Maintenance)
		says, said = m, func() string { return m.ID }
	case kind+"/" == KeyAnswer:
		a := new(Answer)
		says, said = a, func() string { return a.ID }
	default:
		return nil, fmt.Errorf("%w: its key is %q", ErrDocument, d.Key)
	}
	if d.Withdrawn() {
		return nil, nil //nolint:nilnil // withdrawn is neither a value nor an error
	}
	if err := json.Unmarshal(d.Body, says); err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrDocument, d.Key, err)
	}
	if said() != id {
		return nil, fmt.Errorf("%w: %s says that it is %q", ErrDocument, d.Key, said())
	}
	return says, nil
}

// A Stock is the newest document of each key. The zero Stock is empty; Put returns
// another one, so that a stock can be read while the next is made.
type Stock struct {
	docs []Document // sorted by key
}

// StockOf returns the newest of each key among documents in any order. Those that
// say nothing that can be understood are left out.
func StockOf(docs ...Document) Stock {
	sorted := slices.DeleteFunc(slices.Clone(docs), func(d Document) bool { return d.Check() != nil })
	slices.SortFunc(sorted, func(a, b Document) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), newest(b, a), bytes.Compare(a.Body, b.Body))
	})
	return Stock{slices.CompactFunc(sorted, func(a, b Document) bool { return a.Key == b.Key })}
}

// Find returns the document of a key.
func (s Stock) Find(key string) (Document, bool) {
	i, ok := s.find(key)
	if !ok {
		return Document{}, false
	}
	return s.docs[i], true
}

func (s Stock) find(key string) (int, bool) {
	return slices.BinarySearchFunc(s.docs, key, func(d Document, key string) int { return strings.Compare(d.Key, key) })
}

// Documents returns all of them, sorted by key.
func (s Stock) Documents() []Document { return slices.Clone(s.docs) }

// Put returns the stock with d in it. [ErrOlder] says that d is not newer than what
// the stock has; the very same document once more is no error and changes nothing.
func (s Stock) Put(d Document) (Stock, error) {
	if err := d.Check(); err != nil {
		return s, err
	}
	i, ok := s.find(d.Key)
	if !ok {
		return Stock{slices.Insert(slices.Clone(s.docs), i, d)}, nil
	}
	switch have := s.docs[i]; {
	case d.Same(have):
		return s, nil
	case !d.Newer(have):
		return s, fmt.Errorf("%w: %s has revision %d of %s, this one is %d of %s", ErrOlder,
			d.Key, have.Rev, have.At.Format(time.RFC3339), d.Rev, d.At.Format(time.RFC3339))
	}
	next := slices.Clone(s.docs)
	next[i] = d
	return Stock{next}, nil
}

// Missing lists the documents that a pulse says stand and that the stock does not
// have, sorted. A pulse may be taken only when nothing is missing.
func (s Stock) Missing(pulse Document) ([]string, error) {
	says, err := pulse.decode()
	if err != nil {
		return nil, err
	}
	p, ok := says.(*Pulse)
	if !ok {
		return nil, nil
	}
	var missing []string
	for key, digest := range p.Holds {
		if d, ok := s.Find(key); !ok || !d.Newer(pulse) && Digest(d.Body) != digest {
			missing = append(missing, key)
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// State puts together what the documents say. It is pure: the same documents make
// the same state, on every node and in whatever order they came. What the last
// pulse does not name any more and no newer document says is gone; and without
// all that the pulse names, nothing is held for fresh.
func (s Stock) State(received time.Time) *State {
	st := &State{
		Incidents: []Incident{}, Maintenances: []Maintenance{}, Notices: []Answer{},
		Catalog: Catalog{Services: []Service{}}, Received: received,
	}
	pulse, beats := s.Find(KeyPulse)
	var stands map[string]string
	if says, err := pulse.decode(); beats && err == nil && says != nil {
		if p, ok := says.(*Pulse); ok {
			stands = p.Holds
			if missing, err := s.Missing(pulse); err == nil && len(missing) == 0 {
				st.AsOf, st.GoodFor = pulse.At, p.GoodFor
				if st.AsOf.After(received) {
					st.AsOf = received // by its own clock a node believes nothing for longer than it may
				}
			}
		}
	}
	for _, d := range s.docs {
		st.Rev += d.Rev
		_, named := stands[d.Key]
		if beats && !named && !d.Newer(pulse) && !strings.HasPrefix(d.Key, KeyAnswer) {
			continue
		}
		says, err := d.decode()
		if err != nil {
			continue // unreachable: a stock takes only what decodes
		}
		switch v := says.(type) {
		case *Catalog:
			st.Catalog = *v
		case *Incident:
			if v.EndedAt.IsZero() || st.AsOf.Sub(v.EndedAt) < kept {
				st.Incidents = append(st.Incidents, *v)
			}
		case *Maintenance:
			st.Maintenances = append(st.Maintenances, *v)
		case *Answer:
			st.Notices = append(st.Notices, *v)
		}
	}
	slices.SortFunc(st.Incidents, func(a, b Incident) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), strings.Compare(b.ID, a.ID))
	})
	slices.SortFunc(st.Maintenances, func(a, b Maintenance) int {
		return cmp.Or(a.From.Compare(b.From), strings.Compare(a.ID, b.ID))
	})
	slices.SortFunc(st.Notices, func(a, b Answer) int {
		return cmp.Or(b.At.Compare(a.At), strings.Compare(a.ID, b.ID))
	})
	return st
}

// Merge is [Stock.State] of loose documents.
func Merge(docs []Document, received time.Time) *State { return StockOf(docs...).State(received) }
