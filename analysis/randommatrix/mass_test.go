package randommatrix_test

import (
	"math"
	"testing"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/analysis/spectrum"
)

func TestDegenerateMass(t *testing.T) {
	m := spectrum.Measure{Nodes: []float64{-3, -0.1, 0.05, 2}, Weights: []float64{0.1, 0.3, 0.4, 0.2}}
	for count, want := range []float64{0, 0.4, 0.7, 0.9, 1, 1} {
		if got := randommatrix.DegenerateMass(m, count); math.Abs(got-want) > 1e-15 {
			t.Errorf("mass of %d nodes: %g, expected %g", count, got, want)
		}
	}
}
