package linear

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Rule chooses the target step size of a surrogate: [TargetLineSearch],
// [TargetAdagrad] or [TargetNewton].
type Rule interface {
	begin(s *state, rate float64) (weigher, error)
}

// weigher returns eta, or the weights of all targets [b, c] in its place.
type weigher func(factor float64) (eta float64, weights *mat.Dense)

type constant struct{}

func (constant) begin(_ *state, rate float64) (weigher, error) {
	return func(factor float64) (float64, *mat.Dense) { return rate * factor, nil }, nil
}

// TargetLineSearch is SSO-SLS: from the step before times Expand, eta shrinks
// until the losses of the batch fall enough along the gradient by the targets,
//
//	l(z_t - eta G) <= l(z_t) - eta c |G|_F^2/b,
//
// which moves no model and so costs no evaluation of one. It is kept in
// [1e-4, 1e4] and multiplied by the schedule.
type TargetLineSearch struct {
	// Expand is the factor on the step before. Default 1.8.
	Expand float64
	// Shrink is the factor after a trial that fails. Default 0.9.
	Shrink float64
	// Sufficient is the constant c. Default 0.5.
	Sufficient float64
}

func (r TargetLineSearch) begin(s *state, rate float64) (weigher, error) {
	a, err := Armijo{Expand: orDefault(r.Expand, 1.8), Shrink: r.Shrink, Sufficient: r.Sufficient}.check()
	if err != nil {
		return nil, err
	}
	rows, c := s.targets.Dims()
	trial, last := mat.NewDense(rows, c, nil), rate/a.Expand
	return func(factor float64) (float64, *mat.Dense) {
		squared := inner(s.signal, s.signal) / float64(rows)
		eta := last * a.Expand
		for range mostTrials {
			trial.Scale(-eta, s.signal)
			trial.Add(s.targets, trial)
			if meanLoss(s.problem.Loss, trial, s.labels, nil) <= s.loss-eta*a.Sufficient*squared {
				break
			}
			eta *= a.Shrink
		}
		last = min(max(eta, 1e-4), 1e4)
		return last * factor, nil
	}, nil
}

// TargetAdagrad is SSO-Adagrad: eta is the rate over the root of the sum of
// all squared gradients by the targets so far,
//
//	eta_t = eta / sqrt(sum_{s<=t} |G_s|_F^2).
type TargetAdagrad struct {
	// Diagonal keeps a sum for each example and target, clamped to [1e-5,
	// 1e5]; the weight of the target is its root over eta.
	Diagonal bool
}

func (r TargetAdagrad) begin(s *state, rate float64) (weigher, error) {
	if !r.Diagonal {
		sum := 0.0
		return func(factor float64) (float64, *mat.Dense) {
			sum += inner(s.signal, s.signal)
			return rate * factor / math.Sqrt(max(sum, math.SmallestNonzeroFloat64)), nil
		}, nil
	}
	b, c := s.targets.Dims()
	sums, weights := mat.NewDense(s.problem.Examples(), c, nil), mat.NewDense(b, c, nil)
	return func(factor float64) (float64, *mat.Dense) {
		for i := range b {
			row := i
			if s.rows != nil {
				row = s.rows[i]
			}
			for k, g := range s.signal.RawRowView(i) {
				sum := sums.At(row, k) + g*g
				sums.Set(row, k, sum)
				weights.Set(i, k, math.Sqrt(min(max(sum, 1e-5), 1e5))/(rate*factor))
			}
		}
		return math.NaN(), weights
	}, nil
}

// TargetNewton is SSO-Newton: the weight of a target is the second derivative
// of its loss at z_t plus 1e-5, over eta; p(1-p) + 1e-5 for [Logistic]. The
// loss must have one target.
type TargetNewton struct{}

func (TargetNewton) begin(s *state, rate float64) (weigher, error) {
	loss, ok := s.problem.Loss.(curved)
	if !ok {
		return nil, fmt.Errorf("target Newton for %T: expected a loss of one target", s.problem.Loss)
	}
	b, c := s.targets.Dims()
	weights := mat.NewDense(b, c, nil)
	return func(factor float64) (float64, *mat.Dense) {
		for i, y := range s.labels {
			weights.Set(i, 0, (loss.curvature(s.targets.At(i, 0), y)+1e-5)/(rate*factor))
		}
		return math.NaN(), weights
	}, nil
}
