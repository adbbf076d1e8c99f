package settle

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"bongsu/claim/paper"
	"bongsu/claim/policy"
)

// A Pack is what a counterparty is asked for, with all that the demand rests on.
type Pack struct {
	Incident     string    `json:"incident"`
	Counterparty string    `json:"counterparty"`     // the operator of the failed domain
	Domain       string    `json:"domain,omitempty"` // several are joined by +
	Currency     string    `json:"currency,omitempty"`
	Made         time.Time `json:"made,omitzero"`
	Recovery     []Cost    `json:"recovery,omitempty"`    // what bringing the services back cost
	Limit        int64     `json:"limit,omitempty"`       // of the counterparty's insurer; 0: not known
	LimitSource  string    `json:"limitSource,omitempty"` // where that is known from
	Limitation   time.Time `json:"limitation,omitzero"`   // when the claim is barred by time; zero: not known
	Record       []byte    `json:"record,omitempty"`      // the signed export of the incident's record
	Assets       []Asset   `json:"assets,omitempty"`
	Letters      []Letter  `json:"letters,omitempty"`
}

// A Cost is one position of what recovery cost.
type Cost struct {
	What   string `json:"what"`
	Amount int64  `json:"amount"` // minor units
	Source string `json:"source"` // the invoice or the time sheet
}

// An Asset is one thing of ours that the failure stopped.
type Asset struct {
	Kind  string    `json:"kind"`
	Name  string    `json:"name"`
	Title string    `json:"title,omitempty"`
	In    string    `json:"in,omitempty"`
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
}

// A Letter is one piece of the correspondence.
type Letter struct {
	Name string `json:"name"` // of the file
	Data []byte `json:"data"`
}

// A Position sums ledger lines with the same ground, rule and form.
type Position struct {
	Ground policy.Ground `json:"ground"`
	Policy string        `json:"policy"`
	Rule   string        `json:"rule"`
	Form   policy.Form   `json:"form"`
	Count  int           `json:"count"`
	Face   int64         `json:"face"`
	Cost   int64         `json:"cost"`
}

// A Summary is the first page of a pack. Its sums are those of ledger.csv, to the won.
type Summary struct {
	V            int        `json:"v"`
	Incident     string     `json:"incident"`
	Counterparty string     `json:"counterparty"`
	Domain       string     `json:"domain"`
	Currency     string     `json:"currency"`
	Made         time.Time  `json:"made"`
	Positions    []Position `json:"positions"`
	Face         int64      `json:"face"` // of all positions
	Cost         int64      `json:"cost"` // of all positions
	Recovery     []Cost     `json:"recovery"`
	RecoveryCost int64      `json:"recoveryCost"`
	Demand       int64      `json:"demand"` // cost of what was given, and of recovery
	Limit        int64      `json:"limit,omitempty"`
	LimitSource  string     `json:"limitSource,omitempty"`
	OverLimit    int64      `json:"overLimit,omitempty"` // of the demand
	Limitation   time.Time  `json:"limitation,omitzero"`
}

// A Manifest lists what is in a pack.
type Manifest struct {
	V     int            `json:"v"`
	Files []ManifestFile `json:"files"` // by name
}

// A ManifestFile is one file of a pack.
type ManifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// ledgerHead are the columns of ledger.csv.
func ledgerHead() []string {
	return []string{"entry", "at", "claim", "service", "domain", "ground", "policy", "rule", "form", "hours", "face", "cost", "amount", "currency", "reverses"}
}

// WriteZIP writes the pack: summary, ledger lines, assets, record, letters and a manifest, which
// sign signs (nil: nobody does, and the pack says so by having no signature). The
// same pack over the same book gives the same bytes.
func (p *Pack) WriteZIP(ctx context.Context, w io.Writer, b Book, sign func(manifest []byte) ([]byte, error)) (Summary, error) {
	sum, ledger, err := p.reckon(ctx, b)
	if err != nil {
		return Summary{}, err
	}
	page, err := json.MarshalIndent(sum, "", "  ")
	if err != nil {
		return Summary{}, fmt.Errorf("pack: %w", err)
	}
	files := map[string][]byte{"summary.json": append(page, '\n'), "ledger.csv": ledger, "assets.csv": p.assets()}
	if len(p.Record) > 0 {
		files["record.json"] = p.Record
	}
	for _, l := range p.Letters {
		name := "letters/" + l.Name
		if l.Name == "" || path.Base(name) != l.Name || strings.ContainsAny(l.Name, "\\\x00") {
			return Summary{}, fmt.Errorf("%w: letter %q: expected the name of a file, without a folder", ErrPack, l.Name)
		}
		if _, twice := files[name]; twice {
			return Summary{}, fmt.Errorf("%w: letter %q stands twice", ErrPack, l.Name)
		}
		files[name] = l.Data
	}
	var m Manifest
	m.V = 1
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := sha256.Sum256(files[name])
		m.Files = append(m.Files, ManifestFile{name, int64(len(files[name])), hex.EncodeToString(h[:])})
	}
	list, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return Summary{}, fmt.Errorf("pack: %w", err)
	}
	files["manifest.json"] = append(list, '\n')
	if sign != nil {
		if files["manifest.sig"], err = sign(files["manifest.json"]); err != nil {
			return Summary{}, fmt.Errorf("sign the pack: %w", err)
		}
	}
	z := zip.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.Made.UTC()})
		if err != nil {
			return Summary{}, fmt.Errorf("pack %s: %w", name, err)
		}
		if _, err := f.Write(files[name]); err != nil {
			return Summary{}, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := z.Close(); err != nil {
		return Summary{}, fmt.Errorf("pack: %w", err)
	}
	return sum, nil
}

// reckon goes through the expense accounts of the incident. An entry counts with its
// face value and cost, one that reverses it against it.
func (p *Pack) reckon(ctx context.Context, b Book) (Summary, []byte, error) {
	sum := Summary{
		V: 1, Incident: p.Incident, Counterparty: p.Counterparty, Domain: p.Domain, Currency: p.Currency, Made: p.Made.UTC(),
		Positions: []Position{}, Recovery: append([]Cost{}, p.Recovery...), Limit: p.Limit, LimitSource: p.LimitSource, Limitation: p.Limitation,
	}
	var out bytes.Buffer
	c := csv.NewWriter(&out)
	rows := [][]string{ledgerHead()}
	at := map[Position]*Position{}
	err := b.Each(ctx, Account("expense/"+p.Incident+"/"), func(e Entry) error {
		a := e.About
		if e.Currency != p.Currency || !blames(a.Domain, p.Domain) {
			return nil
		}
		var amount int64
		for _, l := range e.Lines {
			if strings.HasPrefix(string(l.Account), "expense/"+p.Incident+"/") {
				amount += l.Amount
			}
		}
		face, cost := a.Face, a.Cost
		sign := 1
		if amount < 0 {
			face, cost, sign = -face, -cost, -1
		}
		k := Position{Ground: a.Ground, Policy: a.Policy, Rule: a.Rule, Form: a.Form}
		pos := at[k]
		if pos == nil {
			pos = &Position{Ground: a.Ground, Policy: a.Policy, Rule: a.Rule, Form: a.Form}
			at[k] = pos
		}
		pos.Count += sign
		pos.Face += face
		pos.Cost += cost
		sum.Face += face
		sum.Cost += cost
		n := func(v int64) string { return strconv.FormatInt(v, 10) }
		row := []string{
			e.ID, e.At.UTC().Format(time.RFC3339), a.Claim, a.Service, a.Domain, string(a.Ground), a.Policy, a.Rule, string(a.Form),
			n(a.Hours), n(face), n(cost), n(amount), e.Currency, e.Reverses,
		}
		for i := range row {
			if i < 9 || i > 12 { // figures may begin with a minus
				row[i] = paper.Cell(row[i])
			}
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return sum, nil, fmt.Errorf("pack of %s: %w", p.Incident, err)
	}
	if len(rows) == 1 {
		return sum, nil, fmt.Errorf("%w: the book has nothing for this incident, currency and domain: there is nothing to claim back", ErrPack)
	}
	for _, pos := range at {
		sum.Positions = append(sum.Positions, *pos)
	}
	slices.SortFunc(sum.Positions, func(x, y Position) int {
		return cmp.Or(cmp.Compare(x.Ground, y.Ground), cmp.Compare(x.Policy, y.Policy), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Form, y.Form))
	})
	for _, r := range p.Recovery {
		sum.RecoveryCost += r.Amount
	}
	sum.Demand = sum.Cost + sum.RecoveryCost
	if p.Limit > 0 {
		sum.OverLimit = max(0, sum.Demand-p.Limit)
	}
	if err := c.WriteAll(rows); err != nil {
		return sum, nil, fmt.Errorf("pack of %s: %w", p.Incident, err)
	}
	return sum, out.Bytes(), nil
}

func (p *Pack) assets() []byte {
	var out bytes.Buffer
	c := csv.NewWriter(&out)
	rows := [][]string{{"kind", "name", "title", "in", "from", "to"}}
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	for _, a := range p.Assets {
		rows = append(rows, []string{paper.Cell(a.Kind), paper.Cell(a.Name), paper.Cell(a.Title), paper.Cell(a.In), stamp(a.From), stamp(a.To)})
	}
	_ = c.WriteAll(rows) // a buffer takes all
	return out.Bytes()
}

// ManifestSigner signs manifests with the key of the company, for [Pack.WriteZIP].
func ManifestSigner(key note.Signer) func(manifest []byte) ([]byte, error) {
	return func(manifest []byte) ([]byte, error) {
		sum := sha256.Sum256(manifest)
		return note.Sign(&note.Note{Text: "bongsu recourse pack\n" + hex.EncodeToString(sum[:]) + "\n"}, key)
	}
}
