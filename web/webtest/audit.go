package webtest

import (
	"context"
	"slices"
	"time"

	"bongsu/audit"
	"bongsu/web"
)

// Audit implements [web.Auditor] with two revisions before the present one, which had
// less wrong and something else wrong.
func (b *Backend) Audit(context.Context) (*audit.History, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := &audit.History{}
	if b.facts.Estate == nil {
		return h, nil
	}
	r, err := audit.Check(b.facts.Estate, audit.Options{Now: lostAt().Add(-time.Hour)})
	if err != nil {
		return nil, err
	}
	mark := func(r web.Revision) audit.Mark { return audit.Mark{Number: r.Number, Rev: r.Rev, Who: r.By, At: r.At} }
	now := b.facts.Revision
	fewer, other := *r, *r
	fewer.Findings = slices.Clone(r.Findings[:len(r.Findings)*2/3])
	other.Findings = append(slices.Clone(r.Findings[:len(r.Findings)/2]), audit.Finding{
		ID: "tool-single-site/-/dns", Rule: "tool-single-site", Severity: audit.Warning, Loss: audit.NoLoss, Subject: "dns",
		Sentence: "the tool dns stands in pangyo only", Users: 47_637_000, Proof: audit.Proof{Words: []string{}, Domains: []string{"pangyo"}},
	})
	before := func(n int64, days int, who string) audit.Mark {
		return audit.Mark{Number: now.Number - n, Rev: "sha256:0" + who, Who: who, At: now.At.Add(-time.Duration(days) * 24 * time.Hour)}
	}
	r.WaivesNothing = append(r.WaivesNothing, audit.IdleWaiver{Subject: "mail", Rule: "outage", Loss: "anyang+pangyo", Owner: "minseo", File: "estate.yaml", Line: 40},
		audit.IdleWaiver{Subject: "dns", Rule: "tool-single-site", Owner: "jiwon", File: "tools.yaml", Line: 12})
	bounds := audit.DefaultBounds()
	judged := now.At.Add(2 * time.Second)
	return h.Fold(before(2, 40, "jiwon"), judged, &other, bounds).
		Fold(before(1, 12, "minseo"), judged, &fewer, bounds).
		Fold(mark(now), judged, r, bounds), nil
}
