package lastiterate

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/optimize"
)

// Bound is the bound on f(x_T) - f(x*) of subgradient descent with any steps
// eta_1, ..., eta_T above 0. With S_k the sum of eta_t and Q_k that of
// eta_t² ||g_t||² over t = k..T, it is
//
//	U = (distance² + Q_1)/(2 S_1) + 1/2 sum over k < T of eta_k Q_k/(S_{k+1} S_k).
//
// A Bound keeps buffers: one goroutine may use it at a time.
type Bound struct {
	distance float64
	squares  []float64 // ||g_t||²
	s, q     []float64 // S_k and Q_k
}

// NewBound makes the bound for a distance and the T gradient norms. It is an
// error if one of them is not finite and above 0.
func NewBound(distance float64, norms []float64) (*Bound, error) {
	if err := checkProblem(distance, norms); err != nil {
		return nil, err
	}
	b := &Bound{distance: distance, squares: make([]float64, len(norms)), s: make([]float64, len(norms)), q: make([]float64, len(norms))}
	for t, g := range norms {
		b.squares[t] = g * g
	}
	return b, nil
}

// suffixes sets the sums S_k and Q_k.
func (b *Bound) suffixes(eta []float64) {
	s, q := 0.0, 0.0
	for k := len(eta) - 1; k >= 0; k-- {
		s += eta[k]
		q += eta[k] * eta[k] * b.squares[k]
		b.s[k], b.q[k] = s, q
	}
}

// Value is U at the steps. It is +Inf if one of them is not above 0, and so it
// is for schedules that end at 0: their last step has to be taken off first. It
// is NaN if their number is not that of the norms.
func (b *Bound) Value(eta []float64) float64 {
	if len(eta) != len(b.squares) {
		return math.NaN()
	}
	for _, e := range eta {
		if !(e > 0) {
			return math.Inf(1)
		}
	}
	b.suffixes(eta)
	u := (b.distance*b.distance + b.q[0]) / (2 * b.s[0])
	for k := range len(eta) - 1 {
		u += eta[k] * b.q[k] / (2 * b.s[k+1] * b.s[k])
	}
	return u
}

// Gradient sets gradient to the derivatives of U by the steps, which are above
// 0; both have as many entries as there are norms. It goes once back and once
// forth: S_k and Q_k are sums of the later steps, so their derivatives add up
// on the way to them.
func (b *Bound) Gradient(gradient, eta []float64) {
	b.suffixes(eta)
	last := len(eta) - 1
	byS := -(b.distance*b.distance + b.q[0]) / (2 * b.s[0] * b.s[0]) // by S_k, summed over k up to here
	byQ := 1 / (2 * b.s[0])                                          // by Q_k, the same
	for k, e := range eta {
		own := 0.0
		if k < last {
			own = b.q[k] / (2 * b.s[k+1] * b.s[k])
			byS -= e * own / b.s[k]
			byQ += e / (2 * b.s[k+1] * b.s[k])
		}
		gradient[k] = own + byS + 2*e*b.squares[k]*byQ
		if k < last {
			byS -= e * own / b.s[k+1]
		}
	}
}

// Tuned is the least value of U among the multiples of a shape, and the factor
// on the shape that reaches it. Errors of the shape are those of
// [Bound.Value], as values.
func (b *Bound) Tuned(shape []float64) (bound, factor float64) {
	u := b.Value(shape)
	// U(c eta) = a/c + r c with a = distance²/(2 S_1), and U(eta) = a + r.
	a := b.distance * b.distance / (2 * b.s[0])
	r := u - a
	return 2 * math.Sqrt(a*r), math.Sqrt(a / r)
}

// Minimize returns the steps that minimise U, found by L-BFGS in the logarithms
// of the steps, from constant ones, and the minimum. It is an error if no
// minimum is found, or if ctx ends, which stops it between two evaluations.
func (b *Bound) Minimize(ctx context.Context) (eta []float64, bound float64, err error) {
	count := len(b.squares)
	total := 0.0
	for _, g := range b.squares {
		total += g
	}
	unit := b.distance / math.Sqrt(total) // the best constant step but for a factor
	scale := unit / (b.distance * b.distance)
	eta = make([]float64, count)
	steps := func(logs []float64) []float64 {
		for t, x := range logs {
			eta[t] = unit * math.Exp(x)
		}
		return eta
	}
	problem := optimize.Problem{
		Func: func(logs []float64) float64 {
			if u := scale * b.Value(steps(logs)); !math.IsNaN(u) {
				return u
			}
			return math.Inf(1)
		},
		Grad: func(gradient, logs []float64) {
			b.Gradient(gradient, steps(logs))
			for t := range gradient {
				gradient[t] *= scale * eta[t]
			}
		},
		Status: func() (optimize.Status, error) {
			if err := ctx.Err(); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
	result, err := optimize.Minimize(problem, make([]float64, count), &optimize.Settings{
		GradientThreshold: 1e-9,
		Converger:         &optimize.FunctionConverge{Relative: 1e-13, Iterations: 50},
	}, &optimize.LBFGS{})
	switch {
	case ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case result == nil:
		return nil, 0, fmt.Errorf("the bound of %d steps was not minimised: %w", count, err)
	case err != nil && !b.flat(result.X, problem.Grad):
		return nil, 0, errors.Join(fmt.Errorf("the bound of %d steps was not minimised: it stopped at %g", count, result.F/scale), err)
	}
	return steps(result.X), result.F / scale, nil
}

// flat reports whether the gradient is small: at rounding error's distance from
// the minimum a line search finds nothing better, which is no failure.
func (b *Bound) flat(logs []float64, gradientOf func(gradient, logs []float64)) bool {
	gradient := make([]float64, len(logs))
	gradientOf(gradient, logs)
	for _, g := range gradient {
		if !(math.Abs(g) < 1e-6) {
			return false
		}
	}
	return true
}
