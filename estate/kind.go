package estate

import (
	"strings"
)

// Kinds returns every kind of document, in the order in which they are written.
func Kinds() []Kind {
	return []Kind{KindDomain, KindComponent, KindService, KindCrew, KindLimit, KindProbe, KindOption}
}

// Title returns the kind as a document writes it, such as "Domain".
func (k Kind) Title() string {
	switch k {
	case KindDomain:
		return "Domain"
	case KindComponent:
		return "Component"
	case KindService:
		return "Service"
	case KindCrew:
		return "Crew"
	case KindLimit:
		return "Limit"
	case KindProbe:
		return "Probe"
	case KindOption:
		return "Option"
	case kinds:
	}
	return "Unknown"
}

// String returns the kind as a reference writes it, such as "domain" in
// "domain/pangyo".
func (k Kind) String() string { return strings.ToLower(k.Title()) }

// KindOf returns the kind that a reference writes as name, such as "domain".
func KindOf(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// String returns the reference with its kind, such as "component/talk-msg".
func (r Ref) String() string { return r.Kind.String() + "/" + r.Name }

// A kindSet is a set of kinds.
type kindSet uint8

func setOf(ks ...Kind) kindSet {
	var s kindSet
	for _, k := range ks {
		s |= 1 << k
	}
	return s
}

func (s kindSet) has(k Kind) bool { return s&(1<<k) != 0 }

// What a need, a domain's need and so on may name.
const (
	onlyDomain  kindSet = 1 << KindDomain
	onlyCrew    kindSet = 1 << KindCrew
	onlyLimit   kindSet = 1 << KindLimit
	anyNeedable kindSet = 1<<KindDomain | 1<<KindComponent | 1<<KindService | 1<<KindCrew
	anyProbed   kindSet = 1<<KindComponent | 1<<KindService
)

// String returns the set for people, such as "a component or a service".
func (s kindSet) String() string {
	var names []string
	for _, k := range Kinds() {
		if s.has(k) {
			names = append(names, "a "+k.String())
		}
	}
	return orList(names)
}

// orList joins choices for people: "a, b or c".
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
