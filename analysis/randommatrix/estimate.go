package randommatrix

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/analysis/spectrum"
)

// Products gives the products H_i v of the Hessians of single examples, or of
// batches of equal size, with one vector: it calls visit for each of them in
// turn, with a slice that is valid during the visit only. v must stay as it is.
type Products func(ctx context.Context, v []float64, visit func(product []float64) error) error

// Estimation are the settings of the estimators; zero values are the defaults.
type Estimation struct {
	Probes int // random vectors of EstimateNoise, 5 by default
	// BatchSize is the number of examples of each Hessian, 1 by default, and
	// Examples the number of all, of which batches are drawn without
	// replacement; 0 for independent draws. Results are for single examples.
	BatchSize, Examples int
	// Unbiased divides by one less than the number of Hessians: right where they
	// are a sample, while the paper divides by their number.
	Unbiased bool
}

// scale brings a variance between batches to that between single examples.
func (e Estimation) scale(hessians int) (float64, error) {
	if e.BatchSize < 0 || e.Examples < 0 || e.Examples > 0 && e.BatchSize >= e.Examples {
		return 0, fmt.Errorf("batches of %d of %d examples: expected fewer than all", e.BatchSize, e.Examples)
	}
	if hessians < 2 {
		return 0, fmt.Errorf("products with %d Hessians: expected at least 2", hessians)
	}
	scale := 1.0
	if e.BatchSize > 1 {
		scale = EffectiveBatch(e.BatchSize, e.Examples)
	}
	if e.Unbiased {
		scale *= float64(hessians) / float64(hessians-1)
	}
	return scale, nil
}

// EstimateNoise estimates P s², P times the variance of an element of the
// Hessian of an example, by Algorithm 1: mean_i |H_i z|² - |mean_i H_i z|² for
// random vectors z of length 1. It already has the factor P. dim is P.
func EstimateNoise(ctx context.Context, dim int, products Products, e Estimation, rng *rand.Rand) (spectrum.Estimate, error) {
	if dim < 1 || e.Probes < 0 {
		return spectrum.Estimate{}, fmt.Errorf("%d probes of dimension %d: expected positive numbers", e.Probes, dim)
	}
	probes := e.Probes
	if probes == 0 {
		probes = 5
	}
	z, values := make([]float64, dim), make([]float64, probes)
	for i := range values {
		for j := range z {
			z[j] = rng.NormFloat64()
		}
		floats.Scale(1/floats.Norm(z, 2), z)
		s, err := scatter(ctx, products, z, nil)
		if err != nil {
			return spectrum.Estimate{}, err
		}
		scale, err := e.scale(s.count)
		if err != nil {
			return spectrum.Estimate{}, err
		}
		values[i] = scale * s.total
	}
	return estimate(values), nil
}

// estimate is the mean of values with its standard error.
func estimate(values []float64) spectrum.Estimate {
	n := float64(len(values))
	mean := floats.Sum(values) / n
	squares := 0.0
	for _, value := range values {
		squares += (value - mean) * (value - mean)
	}
	return spectrum.Estimate{Value: mean, StandardError: math.Sqrt(squares / (n - 1) / n)}
}

// Direction is the noise of the Hessian along its top eigenvector.
type Direction struct {
	// Plain is (mean |d_i|² - mean (phi'd_i)²)/lam_1 with d_i = (H_i - H) phi:
	// what the top eigenvalue of a batch gains is Plain/b if all eigenvalues
	// but lam_1 were 0.
	Plain float64
	// Refined divides the part along each other eigenvector u_j by
	// lam_1 - lam_j instead, by second-order perturbation.
	Refined float64
}

// EstimateDirection estimates the coefficient c in lam_1' = lam_1 + c/b from the
// noise along the top eigenvector. pairs are the largest eigenpairs of the
// Hessian of all data with vectors, the top first, as spectrum.Extreme finds
// them; the others count as 0. Replaces the isotropic coefficient where per-example
// Hessians are of low rank and aligned, as in small networks.
func EstimateDirection(ctx context.Context, pairs []spectrum.Pair, products Products, e Estimation) (Direction, error) {
	if len(pairs) == 0 || !(pairs[0].Value > 0) {
		return Direction{}, errors.New("eigenpairs: expected at least one, with a positive value first")
	}
	for i, p := range pairs {
		if len(p.Vector) == 0 || len(p.Vector) != len(pairs[0].Vector) {
			return Direction{}, fmt.Errorf("eigenpair %d has a vector of length %d: expected vectors of one length, see spectrum.Extremes.Vectors", i, len(p.Vector))
		}
	}
	s, err := scatter(ctx, products, pairs[0].Vector, pairs)
	if err != nil {
		return Direction{}, err
	}
	scale, err := e.scale(s.count)
	if err != nil {
		return Direction{}, err
	}
	top, rest := pairs[0].Value, s.total-s.along[0]
	d := Direction{Plain: scale * rest / top}
	for j := 1; j < len(pairs); j++ {
		gap := top - pairs[j].Value
		if !(gap > 0) {
			return Direction{}, fmt.Errorf("eigenpair %d has the value %g of the top one: expected a single top eigenvalue", j, top)
		}
		d.Refined += scale * s.along[j] / gap
		rest -= s.along[j]
	}
	d.Refined += scale * rest / top
	return d, nil
}

// scattered are variances of products over Hessians, with their number as divisor.
type scattered struct {
	count int
	total float64   // of all components together
	along []float64 // in the direction of each vector
}

// scatter measures the products with v, in all directions and in given ones.
func scatter(ctx context.Context, products Products, v []float64, pairs []spectrum.Pair) (scattered, error) {
	s := scattered{along: make([]float64, len(pairs))}
	mean, shifted := make([]float64, len(v)), make([]float64, len(v))
	var first []float64 // taken off, so that the variance is no difference of large numbers
	sums := make([]float64, len(pairs))
	err := products(ctx, v, func(product []float64) error {
		if len(product) != len(v) {
			return fmt.Errorf("a product of length %d: expected %d", len(product), len(v))
		}
		if first == nil {
			first = append([]float64{}, product...)
		}
		floats.SubTo(shifted, product, first)
		s.count++
		s.total += floats.Dot(shifted, shifted)
		floats.Add(mean, shifted)
		for j, p := range pairs {
			part := floats.Dot(p.Vector, shifted)
			sums[j] += part
			s.along[j] += part * part
		}
		return ctx.Err()
	})
	if err != nil || s.count == 0 {
		return s, err
	}
	n := float64(s.count)
	floats.Scale(1/n, mean)
	s.total = s.total/n - floats.Dot(mean, mean)
	for j := range s.along {
		s.along[j] = s.along[j]/n - sums[j]*sums[j]/(n*n)
	}
	return s, nil
}
