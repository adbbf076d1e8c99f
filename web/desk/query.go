package desk

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"bongsu/claim"
	"bongsu/settle"
)

// Sizes of a page of the queue.
const (
	usualRows = 50
	mostRows  = 500
	mostWord  = 200 // bytes of one filter
)

// states are all of a claim, in the order of its life.
func states() []claim.State {
	return []claim.State{
		claim.Received, claim.Review, claim.Asked, claim.Appealed, claim.Approved, claim.Decided, claim.Paying, claim.Paid, claim.Returned,
		claim.Withdrawn, claim.Merged,
	}
}

// openStates are those that wait for somebody at the desk: what the queue shows first.
func openStates() []claim.State {
	return []claim.State{claim.Received, claim.Review, claim.Appealed, claim.Returned}
}

func uses() []string  { return []string{"paid", "free", "none"} }
func kinds() []string { return []string{"person", "small-business", "company"} }
func channels() []string {
	return []string{claim.ByWeb, claim.ByPhone, claim.ByPost, claim.ByImport, claim.ByAPI, claim.Unasked}
}

// A filter is what the queue is asked for, as its address says it.
type filter struct {
	claim.Query

	Currency string
	Wrong    []string // fields that say nothing that can be asked for
}

// parseFilter reads the address of the queue. What cannot be asked for is left out
// and named, so that nobody takes another list for the one they wanted.
func parseFilter(v url.Values, currency string, zone *time.Location) filter {
	f := filter{Currency: currency}
	word := func(name string, known []string) string {
		s := trimmed(v.Get(name))
		if s == "" {
			return ""
		}
		if len(s) > mostWord || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) || known != nil && !slices.Contains(known, s) {
			f.Wrong = append(f.Wrong, name)
			return ""
		}
		return s
	}
	f.Incident, f.Service, f.Rule = word("incident", nil), word("service", nil), word("rule", nil)
	f.Use, f.Kind, f.Channel = word("use", uses()), word("kind", kinds()), word("channel", channels())
	f.After = word("after", nil)
	for _, s := range v["state"] {
		switch st := claim.State(s); {
		case s == "": // any
		case !slices.Contains(states(), st):
			if !slices.Contains(f.Wrong, "state") {
				f.Wrong = append(f.Wrong, "state")
			}
		case !slices.Contains(f.States, st):
			f.States = append(f.States, st)
		}
	}
	f.Flagged = v.Get("flagged") == "1"
	f.OldestFirst = v.Get("order") != "amount"
	amount := func(name string) int64 {
		s := trimmed(v.Get(name))
		if s == "" {
			return 0
		}
		n, err := settle.ParseAmount(s, currency)
		if err != nil {
			f.Wrong = append(f.Wrong, name)
			return 0
		}
		return n
	}
	f.MinAmount, f.MaxAmount = amount("min"), amount("max")
	if s := trimmed(v.Get("before")); s != "" {
		t, err := time.ParseInLocation(time.DateOnly, s, zone)
		if err != nil || t.Year() < 1970 {
			f.Wrong = append(f.Wrong, "before")
		} else {
			f.Before = t.UTC()
		}
	}
	f.Limit = usualRows
	if s := v.Get("rows"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > mostRows {
			f.Wrong = append(f.Wrong, "rows")
		} else {
			f.Limit = n
		}
	}
	return f
}

// values writes the filter as the address says it.
func (f *filter) values(zone *time.Location) url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("incident", f.Incident)
	set("service", f.Service)
	set("use", f.Use)
	set("kind", f.Kind)
	set("channel", f.Channel)
	set("rule", f.Rule)
	for _, s := range f.States {
		v.Add("state", string(s))
	}
	if f.Flagged {
		v.Set("flagged", "1")
	}
	if !f.OldestFirst {
		v.Set("order", "amount")
	}
	if f.MinAmount > 0 {
		v.Set("min", settle.Decimal(f.MinAmount, f.Currency))
	}
	if f.MaxAmount > 0 {
		v.Set("max", settle.Decimal(f.MaxAmount, f.Currency))
	}
	if !f.Before.IsZero() {
		v.Set("before", f.Before.In(zone).Format(time.DateOnly))
	}
	if f.Limit != usualRows {
		v.Set("rows", fmt.Sprint(f.Limit))
	}
	set("after", f.After)
	return v
}

// markOf is what a claim is found by of what somebody read out: an address, a phone
// number, or the pseudonym of an account.
func markOf(s string) string {
	p, account := claim.Personal{}, ""
	switch {
	case strings.Contains(s, "@"):
		p.Email = s
	case strings.Trim(s, "0123456789+-() .") == "":
		p.Phone = s
	default:
		account = s
	}
	marks := claim.MarksOf(&p, account, "")
	if len(marks) == 0 {
		return ""
	}
	return marks[0]
}
