//go:build real

package node_test

import "testing"

// A sample of TestMeasureClaimCampaign.
func TestRealClaimNodesAreKilled(t *testing.T) { killClaims(t, 3) }
