package randommatrix

import (
	"cmp"
	"math"
	"slices"

	"github.com/descentml/descent/analysis/spectrum"
)

// DegenerateMass is the weight of the count nodes closest to 0, the share of
// flat directions (section 7): the paper takes one for Gauss-Newton matrices and
// two for Hessians, after 100 Lanczos steps.
func DegenerateMass(m spectrum.Measure, count int) float64 {
	order := make([]int, len(m.Nodes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(math.Abs(m.Nodes[i]), math.Abs(m.Nodes[j])) })
	mass := 0.0
	for _, i := range order[:max(0, min(count, len(order)))] {
		mass += m.Weights[i]
	}
	return mass
}
