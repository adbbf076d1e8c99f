package settle

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
)

// Recourse writes the pack for the counterparty: what p leaves open is filled in. The domain that failed is that of the
// incident, the currency that of most of its claims, the assets are the services and parts that the signed record
// says were down, and since when. p.Record is the export of the incident's record, as bytes that are handed through. sign
// signs the manifest; nil: the key of the log does, if there is one.
func (c *Cashier) Recourse(ctx context.Context, p Pack, sign func(manifest []byte) ([]byte, error), w io.Writer) (Summary, error) {
	switch {
	case p.Incident == "" || p.Counterparty == "":
		return Summary{}, fmt.Errorf("%w: which incident, and whom it is claimed from, are missing", ErrPack)
	case p.Limit < 0:
		return Summary{}, fmt.Errorf("%w: the limit is less than nothing", ErrPack)
	}
	for _, r := range p.Recovery {
		if r.Amount <= 0 || r.Amount > largest || strings.TrimSpace(r.What) == "" || strings.TrimSpace(r.Source) == "" {
			return Summary{}, fmt.Errorf("%w: recovery cost %q of %d: expected what it was for, an amount above zero, and the invoice or time sheet", ErrPack, r.What, r.Amount)
		}
	}
	if len(p.Record) > 0 {
		var f struct {
			Incident string `json:"incident"`
		}
		if err := json.Unmarshal(p.Record, &f); err != nil || f.Incident != p.Incident {
			return Summary{}, fmt.Errorf("%w: the record is no export of incident %s: bongsu incident export writes one", ErrPack, p.Incident)
		}
	}
	if p.Domain == "" && c.Domain != nil {
		p.Domain = c.Domain(p.Incident)
	}
	if p.Made.IsZero() {
		p.Made = c.now()
	}
	if p.Currency == "" {
		n := map[string]int{}
		if err := c.Ledger.Each(ctx, p.Incident, func(x claim.Claim) error {
			cur := currencyOf(&x)
			if n[cur]++; n[cur] > n[p.Currency] {
				p.Currency = cur
			}
			return nil
		}); err != nil {
			return Summary{}, err
		}
	}
	if len(p.Assets) == 0 && c.Outages != nil {
		if all, ok := c.Outages(p.Incident); ok {
			all.Each(func(service, part string, x policy.Outage) {
				kind, name := "service", service
				if part != "" {
					kind, name = "part", service+"/"+part
				}
				p.Assets = append(p.Assets, Asset{Kind: kind, Name: name, Title: name, In: p.Domain, From: x.From, To: x.To})
			})
		}
	}
	if sign == nil && c.Log != nil && c.Log.Key != nil {
		sign = ManifestSigner(c.Log.Key)
	}
	return p.WriteZIP(ctx, w, c.Book, sign)
}
