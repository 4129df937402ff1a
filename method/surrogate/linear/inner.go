package linear

import (
	"fmt"
	"math"
)

// Solver takes the inner steps on a surrogate: [Armijo] or [Fixed].
type Solver interface {
	begin(*state) (search, error)
}

// search takes m steps on the surrogate.
type search func(g *surrogate, m int)

// Fixed is gradient descent on the surrogate with one step size for all steps.
// With one inner step it is gradient descent on the loss.
type Fixed struct {
	// Step is the step size alpha in theta. Required.
	Step float64
}

func (f Fixed) begin(*state) (search, error) {
	if !(f.Step > 0) {
		return nil, fmt.Errorf("inner step size %g: expected a positive number", f.Step)
	}
	return func(g *surrogate, m int) {
		for range m {
			g.descend()
			axpy(g.s, -f.Step, g.slope)
			g.count.Evaluations++
		}
	}, nil
}

// Armijo is gradient descent on the surrogate with a backtracking line search:
// a step is tried, and made smaller until
//
//	g(theta - alpha d) <= g(theta) - c alpha |d|^2,  d = grad g(theta).
//
// g is quadratic, so whether a trial passes is known in closed form; trials are
// counted as the evaluations that they are for other models. The search ends
// without a step where alpha falls below 1e-6 or after 100 trials, and the
// inner loop where |d| <= 1e-6.
type Armijo struct {
	// Start is the first alpha of every outer step. Default 10.
	Start float64
	// Expand^(1/batches) is the factor on alpha from one inner step to the
	// next, for the number of batches in all examples. Default 2.
	Expand float64
	// Shrink is the factor after a trial that fails. Default 0.9. Badly scaled
	// models need 0.5 to get there in 100 trials.
	Shrink float64
	// Sufficient is the constant c. Default 0.5.
	Sufficient float64
}

// The limits of the published search.
const (
	mostTrials    = 100
	smallestStep  = 1e-6
	smallestSlope = 1e-6
)

func (a Armijo) check() (Armijo, error) {
	a.Start, a.Expand = orDefault(a.Start, 10), orDefault(a.Expand, 2)
	a.Shrink, a.Sufficient = orDefault(a.Shrink, 0.9), orDefault(a.Sufficient, 0.5)
	if !(a.Start > 0 && a.Expand >= 1 && 0 < a.Shrink && a.Shrink < 1 && 0 < a.Sufficient && a.Sufficient < 1) {
		return a, fmt.Errorf("line search from %g with expansion %g, shrinking %g and decrease %g: expected above 0, 1 or more, and two in (0, 1)",
			a.Start, a.Expand, a.Shrink, a.Sufficient)
	}
	return a, nil
}

func (a Armijo) begin(s *state) (search, error) {
	a, err := a.check()
	if err != nil {
		return nil, err
	}
	expand := math.Pow(a.Expand, 1/float64(s.batches))
	limit := 0.0
	passes := func(alpha float64) bool { return alpha <= limit }
	return func(g *surrogate, m int) {
		alpha := a.Start
		for k := range m {
			squared := g.descend()
			g.count.Evaluations++
			if k > 0 {
				alpha *= expand
			}
			if !(math.Sqrt(squared) > smallestSlope) {
				return
			}
			// g(s - alpha d) - g(s) = -alpha |d|^2 + alpha^2 <d, H d>/2.
			limit = 2 * (1 - a.Sufficient) * squared / g.curve(g.product, g.slope)
			var ok bool
			if alpha, ok = g.backtrack(alpha, a.Shrink, passes); !ok {
				return
			}
			axpy(g.s, -alpha, g.slope)
		}
	}, nil
}

// backtrack makes alpha smaller until a trial passes, and counts the trials as
// evaluations of the model.
func (s *state) backtrack(alpha, shrink float64, passes func(alpha float64) bool) (float64, bool) {
	for range mostTrials {
		s.count.Evaluations++
		if passes(alpha) {
			return alpha, true
		}
		if alpha *= shrink; alpha < smallestStep {
			break
		}
	}
	return alpha, false
}
