package randommatrix

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Ritz are the Ritz values of a Lanczos run with their weights, which add up to 1:
// the squares of the first components of the eigenvectors.
type Ritz struct{ Nodes, Weights []float64 }

// Variant is how a Learner turns the ends mu and L of the spectrum into a
// learning rate and a momentum.
type Variant int

// The variants (section 10.2). The paper's Nesterov rate has no unit, so it
// depends on the scale of the loss.
const (
	Nesterov         Variant = iota // sqrt(mu/L), the paper's SSGDMN
	Polyak                          // 4/(sqrt L + sqrt mu)², heavy ball, the paper's SSGDM
	TextbookNesterov                // 1/L with the momentum of Nesterov
	Plain                           // 2/(L + median), no momentum, the paper's SSGD
)

// Learner reads the learning rate and the momentum from Ritz values of the
// Hessian of a mini-batch, 20 Lanczos steps in the paper. On small networks
// curvature grows within few epochs: estimate anew every epoch.
type Learner struct {
	Variant Variant
	// Median takes the median for mu instead of the smallest Ritz value.
	Median bool
	// Safety is a factor on the learning rate, 1 by default.
	Safety float64
	// Unguarded leaves out the guards, which are not the paper's: momentum is at
	// most 0.99 and the learning rate at most 2/L.
	Unguarded bool
}

// Rates is what a Learner found.
type Rates struct {
	LearningRate, Momentum float64
	Nesterov               bool    // the form of the step, see Step
	Largest, Smallest      float64 // L and mu, magnitudes of Ritz values
}

const (
	spikeWeight      = 0.5  // a Ritz value of more weight is that of the null space
	greatestMomentum = 0.99 // of the guards
	smallestShare    = 1e-3 // of L, for mu if no other Ritz value is left
)

// Rates turns Ritz values into a learning rate and a momentum. L is the largest
// magnitude of all nodes; mu is the smallest of those that are left when the
// largest weights are removed as long as they are above one half, or L/1000 if
// none is left.
func (l Learner) Rates(m Ritz) (Rates, error) {
	if len(m.Nodes) == 0 || len(m.Nodes) != len(m.Weights) {
		return Rates{}, fmt.Errorf("%d Ritz values with %d weights: expected one weight for each, and at least one", len(m.Nodes), len(m.Weights))
	}
	if l.Variant < Nesterov || l.Variant > Plain || !(l.Safety >= 0) {
		return Rates{}, fmt.Errorf("%s with safety %g: expected one of the four variants and a factor that is not negative", l.Variant, l.Safety)
	}
	top, kept := ends(m)
	if !(top > 0) || math.IsInf(top, 0) {
		return Rates{}, fmt.Errorf("the largest Ritz value is %g: expected a positive number", top)
	}
	low := smallestShare * top
	if len(kept) > 0 {
		low = kept[0]
		if l.Median || l.Variant == Plain {
			low = median(kept)
		}
	}
	return l.guard(l.rates(top, low)), nil
}

// ends are the largest magnitude, and those that are left without spikes in
// rising order.
func ends(m Ritz) (top float64, kept []float64) {
	type pair struct{ size, weight float64 }
	pairs := make([]pair, len(m.Nodes))
	for i, node := range m.Nodes {
		pairs[i] = pair{math.Abs(node), m.Weights[i]}
		if math.IsNaN(node) {
			return math.NaN(), nil
		}
		top = max(top, pairs[i].size)
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.size, b.size) })
	for _, p := range pairs {
		if p.weight <= spikeWeight {
			kept = append(kept, p.size)
		}
	}
	return top, kept
}

func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// rates are the formulas.
func (l Learner) rates(top, low float64) Rates {
	r := Rates{Largest: top, Smallest: low}
	rootTop, rootLow := math.Sqrt(top), math.Sqrt(low)
	share := (rootTop - rootLow) / (rootTop + rootLow)
	switch l.Variant {
	case Polyak:
		r.LearningRate, r.Momentum = 4/((rootTop+rootLow)*(rootTop+rootLow)), share*share
	case TextbookNesterov:
		r.LearningRate, r.Momentum, r.Nesterov = 1/top, share, true
	case Plain:
		r.LearningRate = 2 / (top + low)
	default:
		r.LearningRate, r.Momentum, r.Nesterov = rootLow/rootTop, share, true
	}
	return r
}

func (l Learner) guard(r Rates) Rates {
	if !l.Unguarded {
		r.LearningRate, r.Momentum = min(r.LearningRate, 2/r.Largest), min(r.Momentum, greatestMomentum)
	}
	if l.Safety > 0 {
		r.LearningRate *= l.Safety
	}
	return r
}

// Step takes one step on weights with their gradient: v <- rho v + g, then
// w <- w - alpha v, or w <- w - alpha (g + rho v) in Nesterov's form. The three
// have the same length; velocity begins at 0 and stays with the caller.
func (r Rates) Step(weights, velocity, gradient []float64) {
	for i, g := range gradient {
		v := r.Momentum*velocity[i] + g
		velocity[i] = v
		if r.Nesterov {
			v = g + r.Momentum*v
		}
		weights[i] -= r.LearningRate * v
	}
}
