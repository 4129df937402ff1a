// Package refine turns the gradient norms of one training run into the learning
// rate schedule of the next one. It is for anyone who trains for a fixed number
// of steps, keeps the last weights, and can afford a first run to learn from.
//
// Source: Defazio, Cutkosky, Mehta and Mishchenko, "When, Why and How Much?
// Adaptive Learning Rate Scheduling by Refinement", 2023, algorithms 1 and 2.
// Where norms are large, steps are made small: a run that begins with large
// norms gets a warm-up, one whose norms fall gets a flat top and a fast end,
// and one whose norms stay gets the straight line to zero.
//
// [Refine] is the whole of it; [Median], [Weights] and [Factors] are its parts.
// A [Curve] can be written to a file, which "refined:FILE" names in a
// specification of package schedule.
package refine

import (
	"fmt"
	"math"
	"slices"
)

// Variant says which norm is recorded and how it becomes a weight.
type Variant string

const (
	// L2Sq is for gradient descent with or without momentum: the weight of a
	// step is 1/||g||², with the l2 norm. Algorithm 1.
	L2Sq Variant = "l2sq"
	// L1 is for Adam and its kin: the weight of a step is 1/||g||₁, with the
	// sum of absolute values over all parameters. Algorithm 2.
	L1 Variant = "l1"
)

// ParseVariant returns the variant of a name.
func ParseVariant(name string) (Variant, error) {
	switch v := Variant(name); v {
	case L2Sq, L1:
		return v, nil
	}
	return "", fmt.Errorf("variant %q: expected %s or %s", name, L2Sq, L1)
}

// DefaultTau is the share of the run that the running median looks at.
const DefaultTau = 0.1

// Options say how norms are refined. The zero value is of no use: it lacks the
// variant.
type Options struct {
	// Variant has to fit the norms: l2 norms for [L2Sq], l1 norms for [L1].
	Variant Variant
	// Tau is the share of the run that the running median looks at, from 0,
	// which leaves the norms as they are, to 1. [DefaultTau] is the usual one.
	Tau float64
	// Steps is the length of the run to come. 0: as long as the recorded one.
	Steps int
}

func (o *Options) check() error {
	if _, err := ParseVariant(string(o.Variant)); err != nil {
		return err
	}
	if !(0 <= o.Tau && o.Tau <= 1) {
		return fmt.Errorf("tau %g: expected a share of the run from 0 to 1", o.Tau)
	}
	if o.Steps < 0 || o.Steps > maxSteps {
		return fmt.Errorf("a run of %d steps: expected 0 to %d", o.Steps, maxSteps)
	}
	return nil
}

// Refine makes a schedule of the gradient norms of a run, one per step in the
// order of the steps. They are those of the gradients as the method used them:
// after averaging over the batch and after clipping, before momentum and
// preconditioning.
//
// The paper's iterates x_1, ..., x_T have T-1 moves and a gradient at x_T that
// moves nothing. A run of n steps is that with T = n+1; the norm at x_T, which
// the run does not have, is taken to be the last one. So the curve has n+1
// factors, and its zero comes after the last step, as it does in
// schedule.Linear, which it equals for constant norms.
//
// Infinite norms are left out. It is an error if a norm is NaN or below 0, if
// none is finite and above 0, and if an option is out of its range.
func Refine(norms []float64, o Options) (*Curve, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	finite, err := finiteNorms(norms)
	if err != nil {
		return nil, err
	}
	smooth := Median(finite, Width(o.Tau, len(finite)))
	smooth = append(smooth, smooth[len(smooth)-1])
	steps := o.Steps
	if steps == 0 {
		steps = len(norms)
	}
	weights, err := Weights(Resample(smooth, steps+1), o.Variant)
	if err != nil {
		return nil, err
	}
	return &Curve{Variant: o.Variant, Tau: o.Tau, Factors: Factors(weights)}, nil
}

// finiteNorms returns the norms without infinities, which are what a step with
// overflowing loss scaling leaves behind.
func finiteNorms(norms []float64) ([]float64, error) {
	if len(norms) == 0 || len(norms) > maxSteps {
		return nil, fmt.Errorf("%d gradient norms: expected 1 to %d", len(norms), maxSteps)
	}
	finite := make([]float64, 0, len(norms))
	for i, norm := range norms {
		if !(norm >= 0) {
			return nil, fmt.Errorf("the gradient norm of step %d is %g: expected a number of 0 or above", i+1, norm)
		}
		if !math.IsInf(norm, 1) {
			finite = append(finite, norm)
		}
	}
	if len(finite) == 0 {
		return nil, fmt.Errorf("all %d gradient norms are infinite: expected finite ones", len(norms))
	}
	return finite, nil
}

// Width is the width of the running median over count norms: the odd number
// 2 floor(floor(tau count)/2) + 1.
func Width(tau float64, count int) int {
	return 2*(int(tau*float64(count))/2) + 1
}

// Resample reads n values off the straight lines between the points of x, with
// the first and the last value at the ends. A single value is repeated; of no
// values it makes zeros.
func Resample(x []float64, n int) []float64 {
	if n == len(x) {
		return slices.Clone(x)
	}
	result := make([]float64, max(n, 0))
	for i := range result {
		result[i] = between(x, i, n-1)
	}
	return result
}

// between reads the value at the share i/n of the way along x.
func between(x []float64, i, n int) float64 {
	last := len(x) - 1
	if last < 0 {
		return 0
	}
	if i >= n {
		return x[last]
	}
	position := float64(i) * float64(last) / float64(n)
	left := int(position)
	if left >= last {
		return x[last]
	}
	part := position - float64(left)
	return (1-part)*x[left] + part*x[left+1]
}

const (
	// floor times the median is the least norm: separable data bring the
	// gradient to zero, and a weight has to stay finite.
	floor = 1e-12
	// ceiling times the median is the largest weight, for the same reason.
	ceiling = 1e6
)

// Weights returns the weight of each step, w = G^-2 or G^-1, in units in which
// the median norm has the weight 1, for norms of 0 or above. Those below 1e-12 of the median count as
// that much, and weights above 1e6 times the median weight are cut to it. It is
// an error if no norm is above 0.
func Weights(norms []float64, v Variant) ([]float64, error) {
	sorted := slices.Sorted(slices.Values(norms))
	typical := middle(sorted)
	if typical == 0 { // half or more are zero
		above, _ := slices.BinarySearch(sorted, math.SmallestNonzeroFloat64)
		typical = middle(sorted[above:])
	}
	if !(typical > 0) || math.IsInf(typical, 1) {
		return nil, fmt.Errorf("all %d gradient norms are 0: expected some above", len(norms))
	}
	weights := make([]float64, len(norms))
	weight := func(norm float64) float64 {
		w := min(typical/norm, 1/floor)
		if v == L2Sq {
			w *= w
		}
		return w
	}
	limit := ceiling * weight(middle(sorted)) // a weight falls with its norm
	for i, norm := range norms {
		weights[i] = min(weight(norm), limit)
	}
	return weights, nil
}

// middle is the upper median of sorted values; 0 of none.
func middle(sorted []float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// Factors returns eta_t = w_t (w_{t+1} + ... + w_T) for each of the T weights,
// divided by the largest: the last factor is exactly 0 and, from two positive
// weights on, the largest exactly 1. Theorem 3.
func Factors(weights []float64) []float64 {
	factors := make([]float64, len(weights))
	tail, peak := 0.0, 0.0
	for t := len(weights) - 1; t >= 0; t-- {
		factors[t] = weights[t] * tail
		tail += weights[t]
		peak = max(peak, factors[t])
	}
	if peak > 0 {
		for t := range factors {
			factors[t] /= peak
		}
	}
	return factors
}
