package desk

import (
	"context"

	"bongsu/claim"
	"bongsu/claim/policy"
)

type early struct{ *claim.Office }

func (e early) Case(_ context.Context, c *claim.Claim) (policy.Case, error) {
	o, _ := e.Outages(c.Incident)
	d := claim.Decider{Outages: o, Accounts: e.Accounts}
	return d.Case(c), nil
}
