//go:build measure

package node_test

import "testing"

// Fifty times a site is killed in the middle of a publish: no acknowledged update is
// lost, and the pages of the others are there throughout.
func TestMeasurePublicCampaign(t *testing.T) { killSites(t, 50) }

// Ten thousand connections that send a byte now and then.
func TestMeasureSlowConnections(t *testing.T) { slowConnections(t, 10_000) }
