//go:build measure

package plan

import "testing"

// The whole of what the tests without Measure try a part of.

func TestMeasureAgainstBruteForce(t *testing.T) { t.Parallel(); againstBruteForce(t, 3000) }

func TestMeasureRandomPlansAreFeasible(t *testing.T) { t.Parallel(); randomPlansAreFeasible(t, 5000) }
func TestMeasureRestOfARun(t *testing.T)             { t.Parallel(); restOfARun(t, 2000) }
