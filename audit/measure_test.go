//go:build measure

package audit_test

import "testing"

// The whole of what the tests without Measure try a part of.

func TestMeasureCheckerIsCheck(t *testing.T)     { t.Parallel(); checkerIsCheck(t, 160, 40, 5) }
func TestMeasureColdStartTwin(t *testing.T)      { t.Parallel(); coldStartTwin(t, 2000) }
func TestMeasureColdStartDeadlocks(t *testing.T) { t.Parallel(); plantedColdStartDeadlocks(t, 50) }
func TestMeasurePlantedDeadlocks(t *testing.T)   { t.Parallel(); plantedDeadlocks(t, 50) }
func TestMeasurePairsAreExact(t *testing.T)      { t.Parallel(); pairsAreExact(t, 3000) }
func TestMeasureQuorumPlan(t *testing.T)         { t.Parallel(); quorumPlanIsBruteForce(t, 600) }
func TestMeasureFixIsCheapest(t *testing.T)      { t.Parallel(); fixIsCheapest(t, 1500) }
func TestMeasureFixOfFindings(t *testing.T)      { t.Parallel(); fixOfFindingsCarriedOut(t, 3000) }
