//go:build measure

package estate

import "testing"

// The whole of what the tests without Measure try a part of.

func TestMeasureGenerateLarge(t *testing.T) { t.Parallel(); generateLarge(t, 10_000) }
func TestMeasureLoaderIsLoad(t *testing.T)  { t.Parallel(); loaderIsLoad(t, 300) }
