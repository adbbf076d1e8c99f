package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bongsu/web"
)

// Duties are what an account does with claims. Each is given by itself: none holds
// another.
type Duties uint8

// The duties.
const (
	Agent   Duties = 1 << iota // enters reports from phone and post, answers claimants
	Decider                    // decides, confirms, merges; windows and policies
	Payer                      // batches, files, results, recourse
	Body                       // the consultative body: data without persons, comparisons, votes
	Privacy                    // looks, erasure, retention
)

// dutyNames are the words of the configuration, in the order of the bits.
func dutyNames() []string { return []string{"agent", "decider", "payer", "body", "privacy"} }

// Names returns the duties as words, in a fixed order.
func (d Duties) Names() []string {
	out := []string{}
	for i, name := range dutyNames() {
		if d&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// ParseDuties reads the words of the configuration.
func ParseDuties(names []string) (Duties, error) {
	var d Duties
	for _, name := range names {
		i := slices.Index(dutyNames(), name)
		if i < 0 {
			return 0, fmt.Errorf("unknown duty %q: want %s", name, strings.Join(dutyNames(), ", "))
		}
		d |= 1 << i
	}
	return d, nil
}

// Rights are what an account may do at the desk. The roles of incidents (viewer,
// operator, approver) open the questions of readers and nothing of claims.
type Rights struct {
	Questions web.Role
	Claims    Duties
	Version   string // changes with the password and the duties: then its sessions end
}

// Accounts knows who may come in. The node's configuration implements it.
type Accounts interface {
	// Password returns the rights of the account when the password is its own. It must
	// take as long for a name that nobody has as for a wrong password.
	Password(ctx context.Context, name, password string) (Rights, bool)
	// Current returns the rights that the account has now, so that removing an account
	// ends its sessions.
	Current(name string) (Rights, bool)
}

// An access says who may use a route. The zero access lets nobody in.
type access struct {
	anyone bool     // also who has not logged in
	known  bool     // whoever has logged in
	role   web.Role // at least this one
	duties Duties   // any of these
}

func (a access) allows(r Rights) bool {
	return a.anyone || a.known || a.role != web.Nobody && r.Questions >= a.role || a.duties&r.Claims != 0
}
