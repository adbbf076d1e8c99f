//go:build real

package node_test

import "testing"

// A sample of TestMeasurePublicCampaign.
func TestRealPublicSitesAreKilled(t *testing.T) { killSites(t, 3) }

// A sample of TestMeasureSlowConnections.
func TestRealSlowConnections(t *testing.T) { slowConnections(t, 2000) }
