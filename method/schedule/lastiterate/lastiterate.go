// Package lastiterate makes the last point of an online learner good, and
// bounds how good it is. It is the theory beneath linear decay and refined
// schedules.
//
// Source: Defazio, Cutkosky, Mehta and Mishchenko, "When, Why and How Much?
// Adaptive Learning Rate Scheduling by Refinement", 2023. Throughout, f is
// convex with a minimiser x*, distance is at least ||x_1 - x*||, norms are
// those of the subgradients g_1, ..., g_T, and x_T is what is returned: T
// subgradients, T-1 moves.
//
//   - [Converter] runs any learner (Theorem 1).
//   - [LinearSteps] is linear decay, with the bound distance norm/sqrt(T).
//   - [WeightedBound] and [BestWeights] are those of weighted subgradient
//     descent (Theorem 3), from which refined schedules come.
//   - [Bound] holds for any sequence of steps and can be minimised.
package lastiterate

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Converter runs any online learner so that its last point is good: the learner
// moves its own points z_t, gradients are taken at x_t, and
//
//	x_{t+1} = x_t + (w_{t+1} + ... + w_T)/(w_1 + ... + w_T) (z_{t+1} - z_t).
//
// Then f(x_T) - f(x*) is at most the learner's weighted mean regret, the sum of
// w_t <g_t, z_t - x*> over the sum of w_t, in expectation if gradients are
// stochastic. Theorem 1. To schedule is to multiply a learner's steps by these
// tail fractions.
type Converter struct {
	point   []float64
	factors []float64
	taken   int
}

// NewConverter starts at x_1 = start, which is copied, with the T weights: T-1
// moves follow. Constant weights give linear decay. It is an error if there are
// none, if one is negative or not finite and if their sum is 0.
func NewConverter(start, weights []float64) (*Converter, error) {
	factors, err := TailFractions(weights)
	if err != nil {
		return nil, err
	}
	return &Converter{point: slices.Clone(start), factors: factors}, nil
}

// Point is x_t, where the next gradient belongs. It is the converter's own: it
// changes with the next move, and is not to be written to.
func (c *Converter) Point() []float64 { return c.point }

// Left is the number of moves left; with 0 the point is the last.
func (c *Converter) Left() int { return len(c.factors) - 1 - c.taken }

// Factor is what the next move will be multiplied by; 0 when none is left.
func (c *Converter) Factor() float64 { return c.factors[c.taken] }

// Move takes the learner's move z_{t+1} - z_t. It is an error if none is left
// or if the move has another length than the point.
func (c *Converter) Move(delta []float64) error {
	if c.Left() == 0 {
		return fmt.Errorf("move %d of %d: expected no more", c.taken+1, len(c.factors)-1)
	}
	if len(delta) != len(c.point) {
		return fmt.Errorf("a move of %d numbers, expected %d", len(delta), len(c.point))
	}
	factor := c.Factor()
	for i, d := range delta {
		c.point[i] += factor * d
	}
	c.taken++
	return nil
}

// TailFractions returns (w_{t+1} + ... + w_T)/(w_1 + ... + w_T) for t = 1..T,
// the last exactly 0. Errors are those of [NewConverter].
func TailFractions(weights []float64) ([]float64, error) {
	fractions := make([]float64, len(weights))
	sum := 0.0
	for t := len(weights) - 1; t >= 0; t-- {
		fractions[t] = sum
		if w := weights[t]; !(w >= 0) || math.IsInf(w, 1) {
			return nil, fmt.Errorf("weight %d is %g: expected a finite number of 0 or above", t+1, w)
		}
		sum += weights[t]
	}
	if !(sum > 0) || math.IsInf(sum, 1) {
		return nil, fmt.Errorf("%d weights with the sum %g: expected a finite sum above 0", len(weights), sum)
	}
	for t := range fractions {
		fractions[t] /= sum
	}
	return fractions, nil
}

// LinearSteps returns the steps of linear decay for T subgradients of norms up
// to norm: eta_t = distance/(norm sqrt(T)) (1 - t/T), t = 1..T. The last point
// is within distance norm/sqrt(T) of the minimum, without a factor log T.
func LinearSteps(distance, norm float64, T int) []float64 {
	steps := make([]float64, max(T, 0))
	for i := range steps {
		steps[i] = distance / (norm * math.Sqrt(float64(T))) * float64(T-1-i) / float64(T)
	}
	return steps
}

// WeightedSteps returns eta_t = w_t (w_{t+1} + ... + w_T)/(w_1 + ... + w_T),
// the steps of subgradient descent with the moves -w_t g_t under a [Converter].
// Errors are those of [NewConverter].
func WeightedSteps(weights []float64) ([]float64, error) {
	steps, err := TailFractions(weights)
	for t := range steps {
		steps[t] *= weights[t]
	}
	return steps, err
}

// WeightedBound is B(w) = (distance² + sum of w_t² ||g_t||²)/(2 sum of w_t), by
// which f(x_T) - f(x*) is bounded with the steps of [WeightedSteps]. Theorem 3.
// It is an error if there are not as many weights as norms, or none.
func WeightedBound(distance float64, weights, norms []float64) (float64, error) {
	if len(weights) != len(norms) || len(norms) == 0 {
		return 0, fmt.Errorf("%d weights for %d norms: expected the same number, at least 1", len(weights), len(norms))
	}
	sum, squares := 0.0, distance*distance
	for t, w := range weights {
		sum += w
		squares += w * w * norms[t] * norms[t]
	}
	return squares / (2 * sum), nil
}

// BestWeights returns the weights that minimise [WeightedBound],
// w_t = ||g_t||^-2 distance/sqrt(sum of ||g_s||^-2), and the minimum, which is
// distance/sqrt(sum of ||g_s||^-2). It is an error if a norm is not above 0.
func BestWeights(distance float64, norms []float64) (weights []float64, bound float64, err error) {
	if err := checkProblem(distance, norms); err != nil {
		return nil, 0, err
	}
	sum := 0.0
	for _, g := range norms {
		sum += 1 / (g * g)
	}
	weights = make([]float64, len(norms))
	bound = distance / math.Sqrt(sum)
	for t, g := range norms {
		weights[t] = bound / (g * g)
	}
	return weights, bound, nil
}

func checkProblem(distance float64, norms []float64) error {
	if !(distance > 0) || math.IsInf(distance, 1) {
		return fmt.Errorf("distance %g to the minimiser: expected a finite number above 0", distance)
	}
	if len(norms) == 0 {
		return errors.New("no gradient norms: expected at least one")
	}
	for t, g := range norms {
		if !(g > 0) || math.IsInf(g, 1) {
			return fmt.Errorf("gradient norm %d is %g: expected a finite number above 0", t+1, g)
		}
	}
	return nil
}
