package settle

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"bongsu/claim"
	"bongsu/claim/policy"
	"bongsu/incident"
)

// Recourse writes the pack for the counterparty: what p leaves open is filled in. The domains that failed are those of the
// incident that the counterparty operates; without a counterparty it is who operates them all. The currency is that of most of its claims, the assets are the services and parts that the signed record
// says were down, and since when. p.Record is the export of the incident's record, as bytes that are handed through. sign
// signs the manifest; nil: the key of the log does, if there is one.
func (c *Cashier) Recourse(ctx context.Context, p Pack, sign func(manifest []byte) ([]byte, error), w io.Writer) (Summary, error) {
	switch {
	case p.Incident == "":
		return Summary{}, fmt.Errorf("%w: which incident is missing", ErrPack)
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
	if err := p.blame(c.faults(p.Incident)); err != nil {
		return Summary{}, err
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

func (c *Cashier) faults(id string) []incident.Fault {
	if c.Faults == nil {
		return nil
	}
	return c.Faults(id)
}

// domainSep stands between the domains of a ledger line when more than one failed; no name has it.
const domainSep = "+"

// domains writes the domains that failed as ledger lines do.
func domains(faults []incident.Fault) string {
	names := make([]string, len(faults))
	for i, f := range faults {
		names[i] = f.Domain
	}
	return strings.Join(names, domainSep)
}

// blames says whether a ledger line is claimed back for some domains; what does not say why is.
func blames(line, of string) bool {
	if line == "" || of == "" {
		return true
	}
	names := strings.Split(of, domainSep)
	return slices.ContainsFunc(strings.Split(line, domainSep), func(name string) bool { return slices.Contains(names, name) })
}

// blame fills in whom it is claimed from, and for which domains.
func (p *Pack) blame(faults []incident.Fault) error {
	operators := map[string][]incident.Fault{}
	for _, f := range faults {
		operators[f.Operator] = append(operators[f.Operator], f)
	}
	if p.Domain != "" {
		i := slices.IndexFunc(faults, func(f incident.Fault) bool { return f.Domain == p.Domain })
		if i < 0 && len(faults) > 0 {
			return fmt.Errorf("%w: %q did not fail in %s: expected %s", ErrPack, p.Domain, p.Incident, strings.ReplaceAll(domains(faults), domainSep, " or "))
		}
		if i >= 0 {
			p.Counterparty = cmp.Or(p.Counterparty, faults[i].Operator)
		}
	} else if p.Domain = domains(faults); len(operators) > 1 {
		mine := operators[p.Counterparty]
		if p.Counterparty == "" || mine == nil {
			said := make([]string, len(faults))
			for i, f := range faults {
				said[i] = fmt.Sprintf("%s (%s)", f.Domain, cmp.Or(f.Operator, "operator not known"))
			}
			return fmt.Errorf("%w: more than one party was at fault in %s: name the counterparty as it stands here, or one domain: %s", ErrPack, p.Incident, strings.Join(said, ", "))
		}
		p.Domain = domains(mine)
	} else if len(faults) > 0 {
		p.Counterparty = cmp.Or(p.Counterparty, faults[0].Operator)
	}
	if p.Counterparty == "" {
		return fmt.Errorf("%w: whom it is claimed from is missing, and the record of %s names nobody: bongsu incident fault says who operates what failed", ErrPack, p.Incident)
	}
	return nil
}
