// Package stepper is what a training loop and a training method agree on: a
// [Model] to train, and a [Stepper] that takes one step on one batch. Every
// optimizer of GoMLX is one through [Optimizer]; methods that need more than a
// gradient, such as surrogates, bring their own.
package stepper

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Model is a function to train as a method sees it: outputs of the weights in
// a store, and a loss of these outputs.
type Model struct {
	Backend compute.Backend
	Store   *model.Store // holds weights, state of the method and learning rate
	DType   dtypes.DType // of weights and computation, a float type
	// Outputs maps inputs [batch, width] to targets in the sense of
	// target-space methods: logits or predicted values [batch, outputs].
	Outputs func(scope *model.Scope, x *graph.Node) *graph.Node
	// Loss is the mean over the batch of the loss of each example, as a
	// scalar, given labels or values [batch, 1].
	Loss func(y, outputs *graph.Node) *graph.Node
	// StepsPerEpoch is the number of batches in a pass over the training part;
	// Steps that of the whole training, 0 if that is not known before.
	StepsPerEpoch, Steps int
}

// Step is what a stepper says of the step that it took.
type Step struct {
	// Loss is the mean loss of the batch before the step.
	Loss float64
	// GradientL2 and GradientL1 are the norms of the gradient of the batch's
	// loss by all weights, as the method used it; NaN if it has none.
	GradientL2, GradientL1 float64
	// Gradients counts the gradients of the loss that were computed, and
	// Evaluations all evaluations of the model, with and without a gradient.
	Gradients, Evaluations int
	// Wrong is the number of examples of the batch that were not on the right
	// side before the step; -1 if the method does not count them.
	Wrong int
}

// Stepper takes the steps of one training. All that it remembers from one step
// to the next is in variables of the model's store, so that a training goes on
// from a copy of the store to the same bits.
type Stepper interface {
	// Compile makes ready for batches of x and y's shapes, so that the first
	// step does not take longer than others.
	Compile(x, y shapes.Shape) error
	// Step takes one step on inputs x [batch, width] and labels y [batch, 1].
	Step(learningRate float64, x, y *tensors.Tensor) (Step, error)
}
