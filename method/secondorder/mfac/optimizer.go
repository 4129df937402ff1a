package mfac

import (
	"fmt"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// Optimizer trains with the inverse of the Fisher matrix of the last gradients.
// A step on a batch with gradient G is
//
//	g = G + wd w            (weight decay is inside the stored gradient)
//	g replaces the oldest gradient of the window
//	u = F^-1 g
//	v = mu v + (1-mu) u     (with momentum; else v = u)
//	w = w - lr v
//
// As g^T F^-1 g < m, the natural size of the learning rate is 1/m: who halves the
// window doubles the rate. Gradients are those of batches, so F is not the Fisher
// matrix of single examples. The defaults are those of the published image runs;
// on small problems a damping near 1e-3 does much better.
//
// The window takes as much memory as Window copies of the weights, in the
// model's number type.
type Optimizer struct {
	// LearningRate is lr where a step is not given one. Default 1e-3.
	LearningRate float64
	// Window is m, the number of gradients. Default 512.
	Window int
	// Damping is lambda, above 0. Default 1e-5.
	Damping float64
	// Momentum is mu in [0, 1). Default 0.
	Momentum float64
	// WeightDecay is wd, at least 0. Default 0.
	WeightDecay float64
	// Form is how the matrix of products is inverted. Default Cholesky.
	Form Form
	// CountFilled is as in WindowSettings: without it the first steps are up to m
	// times as long. Default false, as published.
	CountFilled bool
	// Sparse leaves all weights that are zero before the first step out of every
	// vector, so that they stay at zero: for pruned networks. Biases that begin
	// at zero stay there too.
	Sparse bool
	// Check makes it an error if rounding breaks the bound 0 < g^T F^-1 g < m.
	Check bool
}

// pool spreads the passes of all steppers.
var pool = sync.OnceValue(func() func(tasks int, run func(task int)) { return workers.New(0).Run })

// Stepper makes a stepper for one training of a model in float32 or float64. It
// is an error if a setting is out of its range.
func (o *Optimizer) Stepper(m stepper.Model) (stepper.Stepper, error) {
	settings := *o
	if err := spec.Complete(settings.settings()); err != nil {
		return nil, err
	}
	switch m.DType {
	case dtypes.Float32:
		return newSteps[float32](m, settings)
	case dtypes.Float64:
		return newSteps[float64](m, settings)
	}
	return nil, fmt.Errorf("method %q computes in float32 or float64, and the model in %s", Name, m.DType)
}

// steps is the method at work: one graph computes the loss and the gradient as
// one vector, the product is computed outside of graphs, and one graph moves the
// weights.
type steps[T Float] struct {
	Optimizer
	model    stepper.Model
	gradient *model.Exec
	update   *model.Exec
	weights  []*model.Variable // in the order of the vectors
	size     int               // of all weights

	memory    *memory[T] // nil before the first step
	window    *Window[T]
	direction *tensors.Tensor // [size]
	packed    []T             // gradient and direction of the kept weights, if some are left out
	scale     func(dst, a []T, b T)
	axpy      func(dst, a []T, b T, c []T)
}

func newSteps[T Float](m stepper.Model, o Optimizer) (stepper.Stepper, error) {
	s := &steps[T]{Optimizer: o, model: m, scale: vector.BinaryScalar[T](vector.Mul), axpy: vector.MulAddScalar[T]}
	var err error
	if s.gradient, err = model.NewExec(m.Backend, m.Store, s.gradientGraph); err != nil {
		return nil, err
	}
	s.update, err = model.NewExec(m.Backend, m.Store, s.updateGraph)
	return s, err
}

// gradientGraph returns the loss with both norms of its gradient, and the
// vector g of the gradient with weight decay.
func (s *steps[T]) gradientGraph(scope *model.Scope, x, y *Node) (head, flat *Node) {
	g := x.Graph()
	s.model.Store.SetTraining(g, true)
	loss := s.model.Loss(s.model.Cast(y), s.model.Outputs(scope, s.model.Cast(x)))
	gradients := scope.BuildTrainableVariablesGradientsGraph(loss)
	if len(gradients) == 0 {
		return loss, loss // Compile refuses the model
	}
	l2, l1 := stepper.Norms(gradients)
	s.weights, s.size = s.weights[:0], 0
	parts := make([]*Node, 0, len(gradients))
	for v := range scope.IterVariables() {
		if !v.Trainable || !v.InUseByGraph(g) {
			continue
		}
		part := gradients[len(parts)]
		if s.WeightDecay > 0 {
			part = Add(part, MulScalar(v.NodeValue(g), s.WeightDecay))
		}
		parts = append(parts, ConvertDType(Reshape(part, v.Shape().Size()), s.model.DType))
		s.weights, s.size = append(s.weights, v), s.size+v.Shape().Size()
	}
	head = Stack([]*Node{loss, ConvertDType(l2, loss.DType()), ConvertDType(l1, loss.DType())}, 0)
	return head, Concatenate(parts, 0)
}

// updateGraph moves the weights by the learning rate against a vector.
func (s *steps[T]) updateGraph(scope *model.Scope, direction *Node) *Node {
	g := direction.Graph()
	rate := optimizer.LearningRateVar(scope, s.model.DType, s.LearningRate).NodeValue(g)
	step, at := Mul(direction, rate), 0
	for _, v := range s.weights {
		part := Slice(step, AxisRange(at, at+v.Shape().Size()))
		at += v.Shape().Size()
		v.SetNodeValue(Sub(v.NodeValue(g), ConvertDType(Reshape(part, v.Shape().Dimensions...), v.DType())))
	}
	return rate
}

// Compile implements stepper.Stepper.
func (s *steps[T]) Compile(x, y shapes.Shape) error {
	if _, err := s.gradient.Compile(x, y); err != nil {
		return err
	}
	if len(s.weights) == 0 {
		return fmt.Errorf("method %q: the model has no weights to train", Name)
	}
	_, err := s.update.Compile(shapes.Make(s.model.DType, s.size))
	return err
}

// Step implements stepper.Stepper.
func (s *steps[T]) Step(learningRate float64, x, y *tensors.Tensor) (stepper.Step, error) {
	if err := schedule.Set(s.model.Store, s.model.DType, learningRate); err != nil {
		return stepper.Step{}, err
	}
	outputs, err := s.gradient.Exec(x, y)
	if err != nil {
		return stepper.Step{}, err
	}
	head, err := stepper.Values(outputs[0])
	if err != nil {
		return stepper.Step{}, err
	}
	if err := s.begin(); err != nil {
		return stepper.Step{}, err
	}
	if err := s.turn(outputs[1]); err != nil {
		return stepper.Step{}, err
	}
	rate, err := s.update.Exec(s.direction)
	if err != nil {
		return stepper.Step{}, err
	}
	return stepper.Step{Loss: head[0], GradientL2: head[1], GradientL1: head[2], Gradients: 1, Evaluations: 1, Wrong: -1}, rate[0].FinalizeAll()
}

// begin makes what needs the number of weights, once.
func (s *steps[T]) begin() error {
	if s.memory != nil {
		return nil
	}
	m, err := openMemory[T](s)
	if err != nil {
		return err
	}
	if s.direction, err = tensors.FromShapeForBackend(s.model.Backend, 0, shapes.Make(s.model.DType, s.size)); err != nil {
		return err
	}
	if m.kept != nil {
		s.packed = make([]T, len(m.kept))
	}
	s.memory = m
	return nil
}

// turn stores the gradient, which it finalizes, and sets the direction.
func (s *steps[T]) turn(gradient *tensors.Tensor) error {
	return s.memory.use(s, func(velocity []T) error {
		var err error
		if failed := tensors.ConstFlatData(gradient, func(g []T) { err = s.window.Push(s.pack(g)) }); failed != nil || err != nil {
			return fmt.Errorf("method %q: storing a gradient: %w", Name, firstOf(failed, err))
		}
		if err := gradient.FinalizeAll(); err != nil {
			return err
		}
		failed := tensors.MutableFlatData(s.direction, func(u []T) { err = s.turned(u, velocity) })
		return firstOf(failed, err)
	})
}

// turned sets u to the direction of the step.
func (s *steps[T]) turned(u, velocity []T) error {
	dst := u
	if s.packed != nil {
		dst = s.packed
	}
	square, err := s.window.Direction(dst)
	if err != nil {
		return err
	}
	// A gradient of zero is at a minimum, and NaN is an outcome of its own.
	if bound := s.window.divisor(); s.Check && (square < 0 || square >= bound) {
		return fmt.Errorf("method %q: g^T F^-1 g is %g: expected it in (0, %g)", Name, square, bound)
	}
	if velocity != nil {
		s.scale(dst, dst, T(1-s.Momentum))
		s.axpy(velocity, velocity, T(s.Momentum), dst)
		copy(dst, velocity)
	}
	if s.packed != nil {
		clear(u)
		for i, at := range s.memory.kept {
			u[at] = dst[i]
		}
	}
	return nil
}

// pack returns the elements of the weights that are not left out.
func (s *steps[T]) pack(g []T) []T {
	if s.packed == nil {
		return g
	}
	for i, at := range s.memory.kept {
		s.packed[i] = g[at]
	}
	return s.packed
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
