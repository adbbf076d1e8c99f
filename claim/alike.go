package claim

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Marked claim is what likeness is judged by.
type Marked struct {
	Claim Claim
	Marks []string
}

// Scores of likeness. A flag never refuses: it puts the claim before a person, with
// the claims that it looks like.
const (
	sameAccount = 0.95
	sameContact = 0.9
	sameWords   = 0.8 // and amount, or device
	sameBank    = 0.8 // of people with other contacts
	oneDevice   = 0.6 // of very many
)

// manyOfOne is from how many reports of one device on they are looked at together: a
// library's computer sends some.
const manyOfOne = 25

// mostOthers is how many others a flag names.
const mostOthers = 5

// Alike flags claims that look like an earlier one, by ID of the later. It is linear in
// the number of marks, and the same for the same claims in any order.
func Alike(all []Marked, now time.Time) map[string][]Flag {
	all = slices.SortedFunc(slices.Values(all), func(a, b Marked) int {
		return cmp.Or(unaskedFirst(&a.Claim, &b.Claim), a.Claim.Filed.Compare(b.Claim.Filed), strings.Compare(a.Claim.ID, b.Claim.ID))
	})
	groups := map[[2]string][]int{} // by kind of likeness and what they share
	join := func(kind, what string, i int) {
		groups[[2]string{kind, what}] = append(groups[[2]string{kind, what}], i)
	}
	for i := range all {
		c := &all[i].Claim
		if c.State == Withdrawn || c.State == Merged {
			continue
		}
		about := c.Report.Service + "\x00" + c.Report.Use
		device, words := "", []string{}
		for _, m := range all[i].Marks {
			switch kind, _, _ := strings.Cut(m, "."); {
			case kind == "account":
				join("account", m+about, i)
			case kind == "mail" || kind == "phone":
				join("contact", m+about, i)
			case kind == "bank":
				join("bank", m, i)
			case kind == "device":
				device = m
			case strings.HasPrefix(kind, "text"):
				words = append(words, m)
			}
		}
		if device != "" {
			join("device", device, i)
		}
		for _, w := range words {
			if c.Report.Loss > 0 {
				join("text", w+about+"\x00"+strconv.FormatInt(c.Report.Loss, 10), i)
			}
			if device != "" {
				join("text", w+about+"\x00"+device, i)
			}
		}
	}
	found := map[string]map[string]*Flag{} // by claim and kind
	for _, k := range slices.SortedFunc(maps.Keys(groups), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		members := groups[k]
		score := map[string]float64{"account": sameAccount, "contact": sameContact, "text": sameWords, "bank": sameBank, "device": oneDevice}[k[0]]
		if len(members) < 2 || k[0] == "device" && len(members) < manyOfOne || k[0] == "bank" && oneContact(all, members) {
			continue
		}
		for n, i := range members[1:] {
			id := all[i].Claim.ID
			if found[id] == nil {
				found[id] = map[string]*Flag{}
			}
			f := found[id][k[0]]
			if f == nil {
				f = &Flag{Kind: k[0], Others: []string{}, Score: score, At: now.UTC()}
				found[id][k[0]] = f
			}
			for _, o := range members[:min(n+1, mostOthers)] {
				if other := all[o].Claim.ID; len(f.Others) < mostOthers && !slices.Contains(f.Others, other) {
					f.Others = append(f.Others, other)
				}
			}
		}
	}
	out := make(map[string][]Flag, len(found))
	for id, kinds := range found {
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			out[id] = append(out[id], *kinds[kind])
		}
		slices.SortStableFunc(out[id], func(a, b Flag) int { return cmp.Compare(b.Score, a.Score) })
	}
	return out
}

// unaskedFirst puts what was given without a claim before what was claimed: the claim is the one to look at.
func unaskedFirst(a, b *Claim) int {
	switch x, y := a.Channel == Unasked, b.Channel == Unasked; {
	case x && !y:
		return -1
	case y && !x:
		return 1
	}
	return 0
}

// oneContact says whether claims share a contact: then the bank account is their own.
func oneContact(all []Marked, members []int) bool {
	contact := func(i int) []string {
		return slices.DeleteFunc(slices.Clone(all[i].Marks), func(m string) bool {
			return !strings.HasPrefix(m, "mail.") && !strings.HasPrefix(m, "phone.")
		})
	}
	first := contact(members[0])
	return !slices.ContainsFunc(members[1:], func(i int) bool {
		return !slices.ContainsFunc(contact(i), func(m string) bool { return slices.Contains(first, m) })
	})
}
