package surrogate

import (
	"errors"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// A rule chooses the target step size of each outer step.
type rule interface {
	// eta is a tensor, scalar or [1, c], that the caller lets go of. The loss is
	// the mean over the batch.
	eta(learningRate, loss float64, y, targets, signal *tensors.Tensor) (*tensors.Tensor, error)
	compile(y, targets shapes.Shape) error
	// shape is that of eta for a number of outputs.
	shape(outputs int) shapes.Shape
}

// given takes the learning rate.
type given struct{ t *trained }

func (g given) shape(int) shapes.Shape { return shapes.Make(g.t.DType) }

func (given) compile(_, _ shapes.Shape) error { return nil }

func (g given) eta(learningRate, _ float64, _, _, _ *tensors.Tensor) (*tensors.Tensor, error) {
	return g.t.number(learningRate)
}

// The range of the searched target step size.
const (
	leastTarget = 1e-4
	mostTarget  = 1e4
)

// searched looks for a step of the targets themselves along -G.
type searched struct {
	given
	expand, shrink, decrease float64
	last                     remembered
	trial                    *model.Exec // y, z, G and alpha to [loss at z - alpha G, |G|^2/b]
}

func newSearched(t *trained, expand, shrink, decrease, start float64) (rule, error) {
	s := &searched{given: given{t}, expand: expand, shrink: shrink, decrease: decrease}
	var err error
	if s.last, err = t.remember("target_step", start/expand); err != nil {
		return nil, err
	}
	s.trial, err = model.NewExec(t.Backend, t.Store, func(_ *model.Scope, in []*Node) *Node {
		y, z, signal, alpha := t.Cast(in[0]), in[1], in[2], in[3]
		squared := MulScalar(ReduceAllSum(Square(signal)), 1/batchSize(z))
		return Stack([]*Node{t.Loss(y, Sub(z, Mul(alpha, signal))), squared}, 0)
	})
	return s, err
}

func (s *searched) compile(y, targets shapes.Shape) error {
	_, err := s.trial.Compile(y, targets, targets, shapes.Make(s.t.DType))
	return err
}

func (s *searched) eta(learningRate, loss float64, y, targets, signal *tensors.Tensor) (*tensors.Tensor, error) {
	last, err := s.last.get()
	if err != nil {
		return nil, err
	}
	alpha := last * s.expand
	for range mostTrials {
		size, err := s.t.number(alpha)
		if err != nil {
			return nil, err
		}
		found, err := values(s.trial.Exec(y, targets, signal, size))
		if err = errors.Join(err, release(size)); err != nil {
			return nil, err
		}
		if found[0] <= loss-s.decrease*alpha*found[1] {
			break
		}
		alpha *= s.shrink
	}
	alpha = min(max(alpha, leastTarget), mostTarget)
	if err := s.last.set(alpha); err != nil {
		return nil, err
	}
	return s.t.number(alpha * learningRate)
}

// accumulated divides the learning rate by the root of summed squares of G.
type accumulated struct {
	given
	byOutput bool
	exec     *model.Exec // rate and G to eta
}

func newAccumulated(t *trained, byOutput bool) (rule, error) {
	a := &accumulated{given: given{t}, byOutput: byOutput}
	var err error
	a.exec, err = model.NewExec(t.Backend, t.Store, func(_ *model.Scope, rate, signal *Node) *Node {
		squares, low, high := ReduceAllSum(Square(signal)), math.SmallestNonzeroFloat32, math.Inf(1)
		if byOutput {
			squares, low, high = ReduceAndKeep(Square(signal), ReduceMean, 0), 1e-5, 1e5
		}
		sum := t.Store.Scope(scopeName).WithInitializer(initializer.Zero).VariableWithShape("sum_of_squares", squares.Shape())
		sum.SetTrainable(false)
		total := Add(sum.NodeValue(rate), squares)
		sum.SetNodeValue(total)
		bounded := MaxScalar(total, low)
		if !math.IsInf(high, 1) {
			bounded = MinScalar(bounded, high)
		}
		return Div(rate, Sqrt(bounded))
	})
	return a, err
}

func (a *accumulated) shape(outputs int) shapes.Shape {
	if a.byOutput {
		return shapes.Make(a.t.DType, 1, outputs)
	}
	return a.given.shape(outputs)
}

func (a *accumulated) compile(_, targets shapes.Shape) error {
	_, err := a.exec.Compile(shapes.Make(a.t.DType), targets)
	return err
}

func (a *accumulated) eta(learningRate, _ float64, _, _, signal *tensors.Tensor) (*tensors.Tensor, error) {
	rate, err := a.t.number(learningRate)
	if err != nil {
		return nil, err
	}
	outputs, err := a.exec.Exec(rate, signal)
	if err = errors.Join(err, release(rate)); err != nil {
		return nil, err
	}
	return outputs[0], nil
}
