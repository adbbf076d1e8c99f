package claim

import (
	"maps"
	"slices"
	"strings"

	"bongsu/claim/policy"
)

// Each visits every service, and part, that something is recorded of, by name.
func (o Outages) Each(visit func(service, part string, x policy.Outage)) {
	for _, k := range slices.SortedFunc(maps.Keys(o.of), func(a, b [2]string) int {
		return strings.Compare(a[0]+"\x00"+a[1], b[0]+"\x00"+b[1])
	}) {
		visit(k[0], k[1], o.of[k])
	}
}
