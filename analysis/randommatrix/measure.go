package randommatrix

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/descentml/descent/analysis/spectrum"
)

const (
	// measuredPairs is the number of eigenpairs that the directional coefficient
	// has exactly; the others count as 0.
	measuredPairs = 20
	measuredSteps = 200
	measuredNear  = 1e-4 // residual of the pairs, as a share of the largest
)

// Measure finds the model of a point: its largest eigenvalue, the isotropic
// noise and the directional coefficient, from products with the Hessian of all
// data and with those of single examples. It takes up to 200 of the first and six
// passes over the second, or two if the noise is wanted by one probe. It is an
// error if no direction is curved upwards.
func Measure(ctx context.Context, hessian spectrum.Operator, products Products, e Estimation, rng *rand.Rand) (Model, error) {
	ends, err := spectrum.Extreme(ctx, hessian, spectrum.Extremes{
		Largest: min(measuredPairs, hessian.Dim()), Steps: measuredSteps, Tolerance: measuredNear, Vectors: true}, rng)
	if err != nil {
		return Model{}, err
	}
	top := ends.Largest[0].Value
	if !(top > 0) {
		return Model{}, fmt.Errorf("the largest eigenvalue of the Hessian is %.3g: expected a positive one, as no step is too large where nothing curves upwards", top)
	}
	noise, err := EstimateNoise(ctx, hessian.Dim(), products, e, rng)
	if err != nil {
		return Model{}, err
	}
	direction, err := EstimateDirection(ctx, distinct(ends.Largest), products, e)
	if err != nil {
		return Model{}, err
	}
	return Model{Top: top, Noise: noise.Value, Excess: direction.Refined}, nil
}

// distinct leaves out pairs that cannot be told from the top one, as
// perturbation along them has no second order.
func distinct(pairs []spectrum.Pair) []spectrum.Pair {
	kept := pairs[:1]
	for _, p := range pairs[1:] {
		if pairs[0].Value-p.Value > measuredNear*pairs[0].Value {
			kept = append(kept, p)
		}
	}
	return kept
}

// Search finds the largest learning rate at which a training is stable, by trial.
type Search struct {
	// Stable trains at a rate and reports whether that went well.
	Stable func(ctx context.Context, rate float64) (bool, error)
	// From is where the search begins, above 0: a prediction saves trials.
	From float64
	// Ratio is how near the answer is: that rate is stable, and this multiple of
	// it is not. Default: 1.05.
	Ratio float64
	// Furthest bounds the search to rates from From/Furthest to From Furthest.
	// Default: 1e6.
	Furthest float64
}

// Largest doubles or halves the rate until one stable and one unstable rate
// are next to each other, and halves the logarithm of their ratio until that is
// small. It returns 0 if no rate is stable and +Inf if all are, within the bounds.
func (s Search) Largest(ctx context.Context) (float64, error) {
	if s.Ratio == 0 {
		s.Ratio = 1.05
	}
	if s.Furthest == 0 {
		s.Furthest = 1e6
	}
	if !(s.From > 0) || math.IsInf(s.From, 0) || !(s.Ratio > 1) || !(s.Furthest > 1) {
		return 0, fmt.Errorf("a search from rate %g to a ratio of %g, at most %g away: expected a positive finite rate and numbers above 1", s.From, s.Ratio, s.Furthest)
	}
	stable, err := s.Stable(ctx, s.From)
	if err != nil {
		return 0, err
	}
	low, high := s.From, s.From
	for ok := stable; ok == stable; {
		if stable {
			low, high = high, 2*high
		} else {
			low, high = low/2, low
		}
		edge := high
		if !stable {
			edge = low
		}
		if edge > s.From*s.Furthest {
			return math.Inf(1), nil
		} else if edge < s.From/s.Furthest {
			return 0, nil
		}
		if ok, err = s.Stable(ctx, edge); err != nil {
			return 0, err
		}
	}
	for high > low*s.Ratio {
		middle := math.Sqrt(low * high)
		ok, err := s.Stable(ctx, middle)
		if err != nil {
			return 0, err
		}
		if ok {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}
