package sso

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/method/surrogate"
	"github.com/descentml/descent/study"
)

// networkSSO is SSO with m inner steps and the constants of the published runs.
func networkSSO(m int) string { return fmt.Sprintf("sso:inner=%d:expand=1.8:shrink=0.9", m) }

// A learner is a method at a learning rate and schedule, and its name here.
type learner struct {
	name, method string
	rate         float64
	schedule     func(step int) float64 // nil: constant
}

func (l learner) at(step int) float64 {
	if l.schedule == nil {
		return l.rate
	}
	return l.rate * l.schedule(step)
}

// networkModel is a model with weights from a seed.
func networkModel(setup study.Setup, seed uint64, dtype dtypes.DType, outputs func(scope *model.Scope, x *graph.Node) *graph.Node) (stepper.Model, error) {
	store := model.NewStore()
	err := store.SetRNGStateFromSeed(int64(seed))
	return stepper.Model{Backend: setup.Backend, Store: store, DType: dtype, Outputs: outputs, Loss: halfSquares, StepsPerEpoch: 1}, err
}

// halfSquares is the mean over the examples of |z - y|^2/2, so that L = 1.
func halfSquares(y, z *graph.Node) *graph.Node {
	return graph.MulScalar(graph.ReduceAllSum(graph.Square(graph.Sub(z, y))), 0.5/float64(z.Shape().Dimensions[0]))
}

// stepper makes the method's stepper for a model.
func (l learner) stepper(m stepper.Model) (stepper.Stepper, error) {
	if build, err := surrogate.New(l.method); err == nil {
		return build(m)
	}
	o, err := firstorder.New(l.method)
	if err != nil {
		return nil, err
	}
	return stepper.Optimizer(m, o.(train.OptimizeWithGradients))
}

// learn takes steps on the batches that next gives and follows the loss before
// each step. A loss that is not finite ends it: the mean is infinite then.
func (l learner) learn(ctx context.Context, s stepper.Stepper, steps int, next func(step int) (x, y *tensors.Tensor, err error)) (t track, mean float64, err error) {
	var gradients, evaluations int
	var seconds, sum float64
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return t, 0, err
		}
		x, y, err := next(step)
		if err != nil {
			return t, 0, err
		}
		if x == nil {
			return t, math.Inf(1), nil
		}
		started := time.Now()
		done, err := s.Step(l.at(step), x, y)
		if err != nil {
			return t, 0, err
		}
		seconds += time.Since(started).Seconds()
		t.add(gradients, evaluations, seconds, done.Loss)
		gradients += done.Gradients
		evaluations += done.Evaluations
		sum += done.Loss
		if math.IsNaN(sum) || sum > 1e6*float64(steps) {
			return t, math.Inf(1), nil
		}
	}
	return t, sum / float64(steps), nil
}
