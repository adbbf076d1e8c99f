//go:build measure

package impact_test

import "testing"

// The whole of what the tests without Measure try a part of.

func TestMeasureTwin(t *testing.T)             { t.Parallel(); twin(t, 4000) }
func TestMeasureAlsoTwin(t *testing.T)         { t.Parallel(); alsoTwin(t, 5000) }
func TestMeasureViewTwin(t *testing.T)         { t.Parallel(); viewTwin(t, 3000) }
func TestMeasureSweep(t *testing.T)            { t.Parallel(); sweep(t, 3000) }
func TestMeasurePlantedDeadlocks(t *testing.T) { t.Parallel(); plantedDeadlocks(t, 100) }
func TestMeasureStandingIsNew(t *testing.T)    { t.Parallel(); standingIsNew(t, 300) }
