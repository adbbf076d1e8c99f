package desk

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// policiesView lists the policies of an incident.
type policiesView struct {
	Window  claim.Window
	Windows []claim.Window
	Drafts  []claim.Draft
	Active  string
	Text    string
}

// policyView is one policy, handed in or about to be.
type policyView struct {
	Window   claim.Window
	Draft    *claim.Draft // nil: it is only tried
	Policy   *policy.Policy
	Text     string
	Wrong    []string // why it cannot be used: a line each
	Failed   []string // examples that come out differently
	Against  string   // what the lines below are held against
	Lines    []diffLine
	Approved bool // by the reader
	Active   bool
}

func (c *call) policiesPage() error {
	w, all, err := c.window()
	if err != nil {
		return err
	}
	drafts, err := c.s.o.Office.Drafts(c.r.Context(), w.Incident)
	if err != nil {
		return err
	}
	p, err := c.active(w.Incident)
	if err != nil {
		return err
	}
	v := policiesView{Window: w, Windows: all, Drafts: drafts}
	if p != nil {
		v.Active = p.ID
	}
	return c.show("policies", v)
}

// policyText is what was pasted, or the file that was chosen.
func (c *call) policyText() ([]byte, error) {
	if _, data, err := c.upload(); err == nil {
		return data, nil
	}
	text := strings.ReplaceAll(c.r.PostFormValue("text"), "\r\n", "\n")
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("%w: paste a policy, or choose its file", errInput)
	}
	return []byte(text), nil
}

// tried reads a policy for a person to look at, with all that is wrong with it.
func (c *call) tried(w *claim.Window, text []byte) (*policyView, error) {
	v := &policyView{Window: *w, Text: string(text)}
	p, err := policy.Parse("policy.yaml", text)
	if err != nil {
		v.Wrong = strings.Split(err.Error(), "\n")
		return v, nil
	}
	v.Policy, v.Failed = p, p.Try()
	if p.Currency != w.Currency {
		v.Wrong = append(v.Wrong, fmt.Sprintf("currency %s: reports of this incident are in %s", p.Currency, w.Currency))
	}
	active, err := c.active(w.Incident)
	if err != nil || active == nil {
		return v, err
	}
	v.Active = active.ID == p.ID && active.Digest == p.Digest
	if v.Active {
		return v, nil
	}
	drafts, err := c.s.o.Office.Drafts(c.r.Context(), w.Incident)
	if err != nil {
		return nil, err
	}
	for _, d := range drafts {
		if d.ID == active.ID {
			v.Against, v.Lines = d.ID, diff(string(d.Text), string(text))
		}
	}
	return v, nil
}

func (c *call) checkPolicy() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	text, err := c.policyText()
	if err != nil {
		return err
	}
	v, err := c.tried(&w, text)
	if err != nil {
		return err
	}
	return c.show("checked", v)
}

func (c *call) submitPolicy() error {
	w, _, err := c.window()
	if err != nil {
		return err
	}
	text, err := c.policyText()
	if err != nil {
		return err
	}
	d, err := c.s.o.Office.Submit(c.r.Context(), w.Incident, text, c.who)
	if err != nil {
		return err
	}
	return c.to(policyPath(w.Incident, d.ID), "submitted")
}

func policyPath(incident, id string) string {
	return "/policies/" + url.PathEscape(id) + "?incident=" + url.QueryEscape(incident)
}

// draft is the policy that the address names.
func (c *call) draft() (claim.Window, claim.Draft, error) {
	w, _, err := c.window()
	if err != nil {
		return w, claim.Draft{}, err
	}
	all, err := c.s.o.Office.Drafts(c.r.Context(), w.Incident)
	if err != nil {
		return w, claim.Draft{}, err
	}
	i := slices.IndexFunc(all, func(d claim.Draft) bool { return d.ID == c.r.PathValue("id") })
	if i < 0 {
		return w, claim.Draft{}, claim.ErrNotFound
	}
	return w, all[i], nil
}

func (c *call) policyPage() error {
	w, d, err := c.draft()
	if err != nil {
		return err
	}
	v, err := c.tried(&w, d.Text)
	if err != nil {
		return err
	}
	v.Draft = &d
	v.Approved = slices.ContainsFunc(d.Approvals, func(a claim.Approval) bool { return strings.EqualFold(a.By, c.who) })
	return c.show("policy", v)
}

func (c *call) approvePolicy() error {
	w, d, err := c.draft()
	if err != nil {
		return err
	}
	if c.form("digest") != d.Digest { // nobody approves what they have not seen
		return claim.ErrConflict
	}
	got, err := c.s.o.Office.Approve(c.r.Context(), w.Incident, d.ID, d.Digest, c.who)
	if err != nil {
		return err
	}
	said := "approved"
	if !got.Active.IsZero() {
		said = "active"
	}
	return c.to(policyPath(w.Incident, d.ID), said)
}

// A diffLine is one line of what changed: Mark is +, -, a space, or … where lines were left out.
type diffLine struct{ Mark, Text string }

// Bounds of a comparison of texts.
const (
	mostDiff   = 4_000_000 // pairs of lines that are compared
	diffAround = 3         // lines that stay, shown around those that change
)

// diff compares two texts line by line by their longest common subsequence; where they
// are too long for it, what is between their common ends counts as changed.
func diff(from, to string) []diffLine {
	a, b := strings.Split(from, "\n"), strings.Split(to, "\n")
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var all []diffLine
	add := func(mark string, lines []string) {
		for _, l := range lines {
			all = append(all, diffLine{mark, l})
		}
	}
	add(" ", a[:head])
	middle(a[head:len(a)-tail], b[head:len(b)-tail], add)
	add(" ", a[len(a)-tail:])
	return around(all)
}

func middle(a, b []string, add func(mark string, lines []string)) {
	if len(a)*len(b) > mostDiff {
		add("-", a)
		add("+", b)
		return
	}
	width := len(b) + 1
	common := make([]int32, (len(a)+1)*width) // of what follows
	for i, x := range slices.Backward(a) {
		for j, y := range slices.Backward(b) {
			if x == y {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			add(" ", a[i:i+1])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[(i+1)*width+j] >= common[i*width+j+1]:
			add("-", a[i:i+1])
			i++
		default:
			add("+", b[j:j+1])
			j++
		}
	}
}

// around leaves out lines that stay and are far from any that change.
func around(all []diffLine) []diffLine {
	near := make([]bool, len(all))
	for i, l := range all {
		if l.Mark == " " {
			continue
		}
		for n := max(0, i-diffAround); n <= min(len(all)-1, i+diffAround); n++ {
			near[n] = true
		}
	}
	var out []diffLine
	for i, l := range all {
		switch {
		case near[i]:
			out = append(out, l)
		case len(out) > 0 && out[len(out)-1].Mark != "…":
			out = append(out, diffLine{Mark: "…"})
		}
	}
	return out
}

// parsed reads a policy that is compared with others.
func parsed(text []byte) (*policy.Policy, error) {
	p, err := policy.Parse("policy.yaml", text)
	if err != nil {
		return nil, errors.Join(claim.ErrPolicy, err)
	}
	return p, nil
}
