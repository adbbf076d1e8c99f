package verify

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// KindPack is the kind of a recourse pack.
const KindPack = "recourse-pack"

// Limits of a pack: what it unfolds to is bounded before it is unfolded.
const (
	mostPackFiles = 10_000
	mostPackBytes = 1 << 30
)

// PackOptions are what a pack is held against besides itself.
type PackOptions struct {
	Key string // the public key of its signature, and of the record in it, or both, a line each; empty: any
}

// IsPack reports whether a file is a ZIP archive, as packs are.
func IsPack(data []byte) bool { return bytes.HasPrefix(data, []byte("PK\x03\x04")) }

// CheckPack checks a recourse pack: that it holds exactly the files that its manifest
// lists, that the sums on its first page are those of its ledger lines, and that the
// record in it holds. An error says that it is no pack.
func CheckPack(data []byte, o PackOptions) (*Report, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrNotCertificate, err)
	}
	c := packChecker{report: &Report{Kind: KindPack, Proved: []string{}, Unproved: []string{}, Wrong: []string{}}, files: map[string][]byte{}}
	if err := c.unfold(z); err != nil {
		return nil, err
	}
	if _, ok := c.files["manifest.json"]; !ok {
		return nil, fmt.Errorf("%w: an archive without manifest.json", ErrNotCertificate)
	}
	for _, name := range []string{"manifest.json", "summary.json", "record.json"} {
		if err := onceEach(c.files[name]); err != nil {
			return nil, fmt.Errorf("%w: %s: %v", ErrNotCertificate, name, err)
		}
	}
	c.manifest()
	c.signature(o.Key)
	c.sums()
	c.record(o.Key)
	c.report.Valid = len(c.report.Wrong) == 0
	return c.report, nil
}

type packChecker struct {
	report   *Report
	files    map[string][]byte
	incident string // of the first page
}

func (c *packChecker) unfold(z *zip.Reader) error {
	if len(z.File) > mostPackFiles {
		return fmt.Errorf("%w: it has %d files, at most %d are read", ErrNotCertificate, len(z.File), mostPackFiles)
	}
	left := int64(mostPackBytes)
	for _, f := range z.File {
		if _, twice := c.files[f.Name]; twice {
			return fmt.Errorf("%w: %q stands in it twice", ErrNotCertificate, f.Name)
		}
		r, err := f.Open()
		if err != nil {
			return fmt.Errorf("%w: %q: %v", ErrNotCertificate, f.Name, err)
		}
		b, err := io.ReadAll(io.LimitReader(r, left+1))
		_ = r.Close() // it was only read
		if err != nil {
			return fmt.Errorf("%w: %q: %v", ErrNotCertificate, f.Name, err)
		}
		if left -= int64(len(b)); left < 0 {
			return fmt.Errorf("%w: it unfolds to more than %d bytes", ErrNotCertificate, mostPackBytes)
		}
		c.files[f.Name] = b
	}
	return nil
}

func (c *packChecker) manifest() {
	var m struct {
		V     int `json:"v"`
		Files []struct {
			Name   string `json:"name"`
			Size   int64  `json:"size"`
			SHA256 string `json:"sha256"`
		} `json:"files"`
	}
	if err := json.Unmarshal(c.files["manifest.json"], &m); err != nil || m.V != 1 {
		c.report.wrong("manifest.json cannot be read, or is of version %d, not 1: %v", m.V, err)
		return
	}
	listed := []string{"manifest.json", "manifest.sig"}
	for _, f := range m.Files {
		listed = append(listed, f.Name)
		b, ok := c.files[f.Name]
		sum := sha256.Sum256(b)
		switch {
		case !ok:
			c.report.wrong("%s is in the manifest, not in the pack", f.Name)
		case int64(len(b)) != f.Size || hex.EncodeToString(sum[:]) != f.SHA256:
			c.report.wrong("%s is not the file that the manifest lists", f.Name)
		}
	}
	for name := range c.files {
		if !slices.Contains(listed, name) {
			c.report.wrong("%s is in the pack, not in the manifest", name)
		}
	}
	slices.Sort(c.report.Wrong)
	if len(c.report.Wrong) == 0 {
		c.report.proved("it holds exactly the %d files of its manifest", len(m.Files))
	}
}

func (c *packChecker) signature(key string) {
	sig, ok := c.files["manifest.sig"]
	switch {
	case !ok && key != "":
		c.report.wrong("nobody signed the manifest, and a key was given that it is to be signed with")
		return
	case !ok:
		c.report.unproved("nobody signed the manifest")
		return
	}
	if key == "" {
		c.report.unproved("who signed the manifest: no public key was given")
		return
	}
	var known []note.Verifier
	var names []string
	for line := range strings.Lines(key) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		v, err := note.NewVerifier(strings.TrimSpace(line))
		if err != nil {
			c.report.wrong("the public key cannot be used: %v", err)
			return
		}
		known, names = append(known, v), append(names, v.Name())
	}
	n, err := note.Open(sig, note.VerifierList(known...))
	sum := sha256.Sum256(c.files["manifest.json"])
	if err != nil || strings.TrimSpace(n.Text) != "bongsu recourse pack\n"+hex.EncodeToString(sum[:]) {
		c.report.wrong("the signature is not of %s, or not of this manifest", strings.Join(names, " or "))
		return
	}
	c.report.proved("%s signed the manifest", n.Sigs[0].Name)
}

// position is what sums are compared by.
type position struct{ ground, policy, rule, form string }

type packSums struct{ count, face, cost int64 }

func (c *packChecker) sums() {
	var s struct {
		Incident  string `json:"incident"`
		Currency  string `json:"currency"`
		Positions []struct {
			Ground string `json:"ground"`
			Policy string `json:"policy"`
			Rule   string `json:"rule"`
			Form   string `json:"form"`
			Count  int64  `json:"count"`
			Face   int64  `json:"face"`
			Cost   int64  `json:"cost"`
		} `json:"positions"`
		Face         int64 `json:"face"`
		Cost         int64 `json:"cost"`
		RecoveryCost int64 `json:"recoveryCost"`
		Demand       int64 `json:"demand"`
		Limit        int64 `json:"limit"`
		OverLimit    int64 `json:"overLimit"`
		Recovery     []struct {
			Amount int64 `json:"amount"`
		} `json:"recovery"`
	}
	if err := json.Unmarshal(c.files["summary.json"], &s); err != nil {
		c.report.wrong("summary.json cannot be read: %v", err)
		return
	}
	c.incident = s.Incident
	lines, all, n, ok := c.ledger(s.Currency)
	if !ok {
		return
	}
	before := len(c.report.Wrong)
	for _, p := range s.Positions {
		k := position{p.Ground, p.Policy, p.Rule, p.Form}
		if got := lines[k]; got != (packSums{p.Count, p.Face, p.Cost}) {
			c.report.wrong("%s %s %s: the first page says %d of %d at a cost of %d, the lines %d of %d at %d", p.Ground, p.Policy, p.Rule, p.Count, p.Face, p.Cost, got.count, got.face, got.cost)
		}
		delete(lines, k)
	}
	for k := range lines {
		c.report.wrong("%s %s %s is in the lines, not on the first page", k.ground, k.policy, k.rule)
	}
	var recovery int64
	for _, r := range s.Recovery {
		recovery += r.Amount
	}
	over := int64(0)
	if s.Limit > 0 {
		over = max(0, s.Demand-s.Limit)
	}
	if s.Face != all.face || s.Cost != all.cost || s.RecoveryCost != recovery || s.Demand != all.cost+recovery || s.OverLimit != over {
		c.report.wrong("the totals of the first page are not the sums of its positions")
	}
	if len(c.report.Wrong) == before {
		c.report.proved("%d ledger lines sum to face value %d, cost %d and, with recovery, the demand of %d %s", n, all.face, all.cost, s.Demand, s.Currency)
	}
}

// ledger adds up the lines.
func (c *packChecker) ledger(currency string) (map[position]packSums, packSums, int, bool) {
	rows, err := csv.NewReader(bytes.NewReader(c.files["ledger.csv"])).ReadAll()
	if err != nil || len(rows) < 2 {
		c.report.wrong("ledger.csv has no lines or cannot be read: %v", err)
		return nil, packSums{}, 0, false
	}
	at := map[string]int{}
	for i, h := range rows[0] {
		at[h] = i
	}
	for _, h := range []string{"entry", "ground", "policy", "rule", "form", "face", "cost", "amount", "currency"} {
		if _, ok := at[h]; !ok {
			c.report.wrong("ledger.csv has no column %s", h)
			return nil, packSums{}, 0, false
		}
	}
	lines, seen, all := map[position]packSums{}, map[string]bool{}, packSums{}
	for i, row := range rows[1:] {
		face, err1 := strconv.ParseInt(row[at["face"]], 10, 64)
		cost, err2 := strconv.ParseInt(row[at["cost"]], 10, 64)
		amount, err3 := strconv.ParseInt(row[at["amount"]], 10, 64)
		id := row[at["entry"]]
		if err1 != nil || err2 != nil || err3 != nil || seen[id] || row[at["currency"]] != currency {
			c.report.wrong("line %d of ledger.csv: a figure is none, entry %s stands twice, or the currency is not %s", i+2, id, currency)
			return nil, packSums{}, 0, false
		}
		seen[id] = true
		k := position{row[at["ground"]], row[at["policy"]], row[at["rule"]], row[at["form"]]}
		p := lines[k]
		if amount < 0 {
			p.count--
		} else {
			p.count++
		}
		p.face += face
		p.cost += cost
		all.face += face
		all.cost += cost
		lines[k] = p
	}
	return lines, all, len(rows) - 1, true
}

func (c *packChecker) record(key string) {
	data, ok := c.files["record.json"]
	if !ok { // of which the manifest says nothing, so nobody took it out
		c.report.unproved("that the outage was recorded: the pack has no record.json; ask for one that was made with the export of the incident's record")
		return
	}
	var f struct {
		Incident string `json:"incident"`
		Key      string `json:"key"`
	}
	if err := json.Unmarshal(data, &f); err != nil || f.Incident != c.incident {
		c.report.wrong("the record is of incident %q, the first page of %q", f.Incident, c.incident)
		return
	}
	for line := range strings.Lines(key) { // of several, the one that the record says it is signed with
		if strings.TrimSpace(line) == strings.TrimSpace(f.Key) {
			key = line
			break
		}
	}
	r, err := CheckRecord(data, RecordOptions{Key: key})
	if err != nil {
		c.report.wrong("record.json: %v", err)
		return
	}
	for _, p := range r.Proved {
		c.report.proved("record: %s", p)
	}
	for _, p := range r.Unproved {
		c.report.unproved("record: " + p)
	}
	for _, w := range r.Wrong {
		c.report.wrong("record: %s", w)
	}
}
