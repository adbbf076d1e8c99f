package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bongsu/audit"
	"bongsu/cutset"
	"bongsu/estate"
	"bongsu/impact"
	"bongsu/verify"
)

// writeCertificate writes the file whole or not at all.
func writeCertificate(file string, c *verify.Certificate) error {
	c.Version = verify.Version
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	if len(data) > verify.MaxBytes {
		return usagef("ask for fewer sets, or fewer losses at a time", "the certificate would take %d MiB; at most %d are read", len(data)>>20, verify.MaxBytes>>20)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".certificate-*")
	if err != nil {
		return usagef("name a file in a folder that can be written to", "the certificate: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone once it has its name
	_, err = f.Write(append(data, '\n'))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644) //nolint:gosec // a certificate is for others to read
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	return nil
}

func certifiedEstate(s *estate.Snapshot) *verify.Estate {
	return &verify.Estate{Rev: s.Rev, YAML: string(s.Encode())}
}

// certifyImpact writes the claim of an impact and its proof.
func certifyImpact(file string, im *impact.Impact) error {
	c, err := provenImpact(im)
	if err != nil {
		return err
	}
	return writeCertificate(file, &verify.Certificate{Kind: verify.KindImpact, Estate: certifiedEstate(im.Snapshot), Impact: c})
}

func provenImpact(im *impact.Impact) (*verify.Impact, error) {
	c := &verify.Impact{}
	claim, err := json.Marshal(im)
	if err == nil {
		err = json.Unmarshal(claim, &c.Claim)
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	c.Proof = proofOf(im)
	return c, nil
}

// proofOf shows what a loss takes down, and what comes back.
func proofOf(im *impact.Impact) verify.ImpactProof {
	p := prover{s: im.Snapshot, ev: im.Evaluator(), lost: map[int]bool{}, down: map[string]bool{}}
	for _, d := range im.Lost {
		p.lost[d] = true
	}
	proof := verify.ImpactProof{Fall: p.order(nil), Rounds: []verify.Round{}}
	ran := map[impact.ActionRef]bool{}
	for _, a := range im.Runnable() {
		one := impact.ActionRef{Component: a.Component, Action: a.Action, At: -1}
		if ran[one] {
			continue // the same at another place of its own
		}
		ran[one] = true
		round := verify.Round{Run: []string{a.ID(p.s)}, Rise: []string{}}
		for _, change := range p.ev.Run(a) {
			name := change.Ref.String()
			if change.Part >= 0 {
				name += "/" + p.s.Services[change.Ref.Index].Parts[change.Part].Name
			}
			round.Rise = append(round.Rise, name)
		}
		proof.Rounds = append(proof.Rounds, round)
	}
	settled := map[string]bool{}
	for _, d := range proof.Fall {
		if strings.HasPrefix(d.Thing, "domain/") {
			settled[d.Thing] = true
		}
	}
	p.down = settled
	proof.Stay = p.order(settled)
	return proof
}

// A prover puts what is down in an order in which each thing lacks something
// that is down before it.
type prover struct {
	s    *estate.Snapshot
	ev   *impact.Evaluator // says what is down
	lost map[int]bool      // domains that are lost by themselves
	down map[string]bool   // what is in the order already
}

// A fallen is one thing that is down and has no place in the order yet.
type fallen struct {
	name  string
	needs estate.Need
	core  string // of a part: its service
	lacks []string
	waits bool // for something in needs; false: it is down whatever that is
}

// order lists everything that is down, domains too unless they are known.
func (p *prover) order(domains map[string]bool) []verify.Down {
	list := []verify.Down{}
	var open []*fallen
	byName := map[string][]*fallen{} // who waits for a thing
	add := func(f *fallen) {
		open = append(open, f)
		refsIn(f.needs, func(r estate.Ref) { byName[r.String()] = append(byName[r.String()], f) })
		if f.core != "" {
			byName[f.core] = append(byName[f.core], f)
		}
	}
	s := p.s
	drain := func() {
		for len(open) > 0 {
			f := open[0]
			open = open[1:]
			if p.down[f.name] || f.waits && p.met(f.needs) && !p.down[f.core] {
				continue
			}
			lacks := f.lacks
			if lacks == nil {
				lacks = []string{}
			}
			refsIn(f.needs, func(r estate.Ref) {
				if p.down[r.String()] && !slices.Contains(lacks, r.String()) {
					lacks = append(lacks, r.String())
				}
			})
			if p.down[f.core] {
				lacks = append(lacks, f.core)
			}
			p.down[f.name] = true
			list = append(list, verify.Down{Thing: f.name, Lacks: lacks})
			open = append(open, byName[f.name]...)
		}
	}
	if domains == nil {
		for i := range s.Domains {
			r := estate.Ref{Kind: estate.KindDomain, Index: i, Name: s.Domains[i].Name}
			if !p.ev.Up(r) {
				add(&fallen{name: r.String(), needs: s.Domains[i].Needs, waits: !p.lost[i]})
			}
		}
		drain()
	}
	for i := range s.Components {
		c := &s.Components[i]
		r := estate.Ref{Kind: estate.KindComponent, Index: i, Name: c.Name}
		if p.ev.Up(r) {
			continue
		}
		f := &fallen{name: r.String(), needs: c.Needs, waits: p.ev.Holds(i)}
		if !f.waits {
			for _, replica := range c.Replicas {
				if d := "domain/" + s.Domains[replica.In].Name; p.down[d] && !slices.Contains(f.lacks, d) {
					f.lacks = append(f.lacks, d)
				}
			}
		}
		add(f)
	}
	for i := range s.Services {
		r := estate.Ref{Kind: estate.KindService, Index: i, Name: s.Services[i].Name}
		if !p.ev.Up(r) {
			add(&fallen{name: r.String(), needs: s.Services[i].Needs, waits: true})
		}
		for j := range s.Services[i].Parts {
			if part := &s.Services[i].Parts[j]; !p.ev.PartUp(i, j) {
				add(&fallen{name: r.String() + "/" + part.Name, needs: part.Needs, core: r.String(), waits: true})
			}
		}
	}
	for i := range s.Crews {
		r := estate.Ref{Kind: estate.KindCrew, Index: i, Name: s.Crews[i].Name}
		if !p.ev.Up(r) {
			add(&fallen{name: r.String(), needs: s.Crews[i].Needs, waits: true})
		}
	}
	drain()
	return list
}

// met reports whether a need is met by what is not in the order yet.
func (p *prover) met(n estate.Need) bool {
	if n.Empty() {
		return true
	}
	if n.Ref != nil {
		return !p.down[n.Ref.String()]
	}
	k := 0
	for _, o := range n.Of {
		if p.met(o) {
			k++
		}
	}
	return k >= n.K
}

func refsIn(n estate.Need, f func(estate.Ref)) {
	if n.Ref != nil {
		f(*n.Ref)
	}
	for _, o := range n.Of {
		refsIn(o, f)
	}
}

// certify writes what was found with the estate, or with the tree as it was read.
func (c *cutsetsRun) certify(t *cutset.Tree, r *cutset.Result) error {
	claim := &verify.Cutsets{Claim: verify.CutsetsClaim(c.answer(t, r))}
	v := &verify.Certificate{Kind: verify.KindCutsets, Cutsets: claim}
	if c.snap != nil {
		v.Estate = certifiedEstate(c.snap)
	} else {
		claim.Tree = plainTree(t)
		claim.Claim.Of = claim.Tree.Gates[0].Name
	}
	var err error
	if claim.Proof, err = completeness(t, r); err != nil {
		return err
	}
	return writeCertificate(c.certificate, v)
}

// plainTree writes a tree with thresholds only, the top first.
func plainTree(t *cutset.Tree) *verify.Tree {
	out := &verify.Tree{Leaves: []string{}, Gates: make([]verify.Gate, 0, len(t.Gates)+3)}
	for i := range t.Leaves {
		out.Leaves = append(out.Leaves, t.Leaves[i].Name)
	}
	// Gate 0 stands for the top, 1 and 2 for the constants, and the rest follow.
	name := "top"
	if i, ok := t.Top.Gate(); ok {
		name = t.Gates[i].Name
	}
	input := func(r cutset.Ref) int {
		if i, ok := r.Leaf(); ok {
			return i
		}
		if i, ok := r.Gate(); ok {
			return -i - 4
		}
		if r == cutset.True {
			return -3
		}
		return -2
	}
	out.Gates = append(out.Gates,
		verify.Gate{Name: name, K: 1, In: []int{input(t.Top)}},
		verify.Gate{Name: "false", K: 1, In: []int{}},
		verify.Gate{Name: "true", K: 0, In: []int{}})
	for i := range t.Gates {
		g := &t.Gates[i]
		v := verify.Gate{Name: g.Name, In: []int{}}
		for _, r := range g.In {
			if x := input(r); g.Op == cutset.AtLeast || !slices.Contains(v.In, x) {
				v.In = append(v.In, x)
			}
		}
		switch g.Op {
		case cutset.Or:
			v.K = 1
		case cutset.And:
			v.K = len(v.In)
		case cutset.AtLeast:
			v.K, v.Weights = g.K, g.Weights
		}
		out.Gates = append(out.Gates, v)
	}
	return out
}

// certifyAudit writes the impact of each loss that was asked for by name, and what findings say
// of things that go down, with the impact of the losses that they are about.
func certifyAudit(file string, s *estate.Snapshot, r *audit.Report) error {
	c := &verify.Audit{Findings: []verify.Finding{}, Losses: []verify.Impact{}}
	losses := slices.Clone(r.Losses)
	for _, f := range r.Findings {
		wanted := f.Loss == audit.ColdStart || strings.HasSuffix(f.Subject, ">wants") // that is about another estate
		if f.Rule != "unrecoverable" && f.Rule != "outage" && (f.Rule != "deadlock" || wanted) {
			continue
		}
		c.Findings = append(c.Findings, verify.Finding{ID: f.ID, Rule: f.Rule, Lost: lostIn(f.Loss), Subject: f.Subject})
		losses = append(losses, f.Loss)
	}
	engine := impact.NewEngine(s)
	known := map[string]bool{}
	for _, loss := range losses {
		if known[loss] {
			continue
		}
		known[loss] = true
		im, err := engine.Of(lostIn(loss))
		if err != nil {
			return err
		}
		proven, err := provenImpact(im)
		if err != nil {
			return err
		}
		c.Losses = append(c.Losses, *proven)
	}
	return writeCertificate(file, &verify.Certificate{Kind: verify.KindAudit, Estate: certifiedEstate(s), Audit: c})
}

// lostIn returns the domains that a loss of the audit names.
func lostIn(loss string) []string {
	if loss == audit.NoLoss {
		return []string{}
	}
	return strings.Split(loss, "+")
}

// provenFix is what measures do, with the proof of what the loss does without them.
func provenFix(s *estate.Snapshot, lost []string, fix *audit.BreakGlass) (*verify.Certificate, error) {
	im, err := impact.Of(s, lost)
	if err != nil {
		return nil, err
	}
	measures := make([]verify.Measure, len(fix.Measures))
	for i, m := range fix.Measures {
		measures[i] = verify.Measure{Subject: m.Subject, Cost: m.Cost}
	}
	return &verify.Certificate{Kind: verify.KindFix, Estate: certifiedEstate(s), Fix: &verify.Fix{
		Claim: verify.FixClaim{
			Lost: lost, Tier: fix.Tier, Services: fix.Services, Impossible: fix.Impossible, Measures: measures,
			Cost: fix.Cost, Optimal: fix.Optimal,
			LowerBound: fix.Certificate.LowerBound, Disjoint: fix.Certificate.Disjoint, Blocked: fix.Certificate.Blocked,
		},
		Proof: proofOf(im),
	}}, nil
}
