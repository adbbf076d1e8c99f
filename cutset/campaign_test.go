//go:build measure

package cutset_test

import "testing"

// The whole campaigns, of which every run of the tests takes a sample.
func TestMeasureCampaigns(t *testing.T) {
	t.Run("all sets", func(t *testing.T) { solveAgainstTryingAllSets(t, 40_000) })
	t.Run("knots and large bounds", func(t *testing.T) { orderBoundedWithKnotsAndLargeBounds(t, 6000) })
	t.Run("top", func(t *testing.T) { topAgainstSortingAllSets(t, 15_000) })
	t.Run("reported sets", func(t *testing.T) { reportedSetsHold(t, 10, 90) })
	t.Run("orders", func(t *testing.T) { ordersAgree(t, 20) })
	t.Run("round trip", func(t *testing.T) { openPSARoundTrip(t, 8000, 80) })
	t.Run("estates", func(t *testing.T) { fromEstateEqualsImpact(t, 8000) })
	t.Run("cache", func(t *testing.T) { cacheChangesNothing(t, 2000, 100) })
	t.Run("proofs", func(t *testing.T) { proofs(t, 3000) })
}
