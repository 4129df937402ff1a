// Package randommatrix trains without a grid of learning rates: it reads the
// learning rate and the momentum from the Hessian of a batch, by a few Lanczos
// steps, and reads them again now and then as the curvature changes.
//
// [Learner] is the rule from Ritz values to rates, for any loop; [Optimizer] is
// the training method of the catalogue, rmt-sgd.
//
// Source: Granziol, Zohren and Roberts, "Learning Rates as a Function of Batch
// Size: A Random Matrix Theory Approach to Neural Network Training", JMLR 23,
// 2022, section 10.2.
package randommatrix

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"

	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// Optimizer is SGD with momentum whose rate alpha and momentum rho come from the
// Hessian of the batch at hand (section 10.2). A step with gradient g is
//
//	v = rho v + g
//	w = w - lr alpha (g + rho v)    in Nesterov's form, else w - lr alpha v
//
// where lr, the learning rate that a step is given, is a factor on what is read: 1
// as published, and smaller for safety. On small networks the curvature grows
// within few epochs, so that rates are read every epoch and not every 20. The
// authors average the weights of the last epochs, which is left to the caller.
//
// An estimate takes as many products with the Hessian as Steps, of about two
// gradients each.
type Optimizer struct {
	// LearningRate is lr where a step is not given one. Default 1.
	LearningRate float64
	// Variant is how rates are made of the spectrum. Default Nesterov.
	Variant Variant
	// Median takes the median of the Ritz values for mu instead of the smallest.
	Median bool
	// Steps is the number of Lanczos steps of an estimate, at least 2. Default 20.
	Steps int
	// Every is the number of epochs between estimates, at least 1. Default 1.
	Every int
}

// ratesPath is where the store keeps alpha, rho and the number of steps so far.
const ratesPath = "/rmt-sgd/rates"

// lanczosStream separates the random numbers of the starting vectors from other
// uses of a seed.
const lanczosStream = 0x12a7

// Stepper makes a stepper for one training of a model in float32 or float64. It
// is an error if a setting is out of its range.
func (o *Optimizer) Stepper(m stepper.Model) (stepper.Stepper, error) {
	s := &steps{Optimizer: *o, model: m}
	if err := spec.Complete(s.settings()); err != nil {
		return nil, err
	}
	if m.DType != dtypes.Float32 && m.DType != dtypes.Float64 {
		return nil, fmt.Errorf("method %q computes in float32 or float64, and the model in %s", Name, m.DType)
	}
	var err error
	if s.move, err = model.NewExec(m.Backend, m.Store, s.moveGraph); err != nil {
		return nil, err
	}
	s.product, err = model.NewExec(m.Backend, m.Store, s.productGraph)
	return s, err
}

// steps is the method at work.
type steps struct {
	Optimizer
	model   stepper.Model
	move    *model.Exec       // one step, given the rates
	product *model.Exec       // of the Hessian of the loss with a vector
	weights []*model.Variable // in the order of the vector
	size    int               // of all weights
}

// find lists the weights that a graph uses.
func (s *steps) find(g *Graph) {
	s.weights, s.size = s.weights[:0], 0
	for v := range s.model.Store.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			s.weights, s.size = append(s.weights, v), s.size+v.Shape().Size()
		}
	}
}

// moveGraph takes one step with rates [2], and returns the loss before it with
// both norms of the gradient.
func (s *steps) moveGraph(scope *model.Scope, x, y, rates *Node) *Node {
	g := x.Graph()
	s.model.Store.SetTraining(g, true)
	loss := s.model.Loss(s.model.Cast(y), s.model.Outputs(scope, s.model.Cast(x)))
	if s.find(g); s.size == 0 {
		return loss // Compile refuses the model
	}
	gradients := scope.BuildTrainableVariablesGradientsGraph(loss)
	l2, l1 := stepper.Norms(gradients)
	alpha, rho := Squeeze(Slice(rates, AxisElem(0))), Squeeze(Slice(rates, AxisElem(1)))
	for i, v := range s.weights {
		memory := s.model.Store.Scope(model.JoinPath("/", Name, v.Path())).WithInitializer(initializer.Zero).
			VariableWithShape("velocity", v.Shape()).SetTrainable(false)
		alpha, rho := ConvertDType(alpha, v.DType()), ConvertDType(rho, v.DType())
		velocity := Add(Mul(memory.NodeValue(g), rho), gradients[i])
		memory.SetNodeValue(velocity)
		if s.nesterov() {
			velocity = Add(gradients[i], Mul(velocity, rho))
		}
		v.SetNodeValue(Sub(v.NodeValue(g), Mul(velocity, alpha)))
	}
	return Stack([]*Node{loss, l2, l1}, 0)
}

// productGraph is the product of the Hessian of the batch's loss with a vector,
// with what changes during training as it is.
func (s *steps) productGraph(scope *model.Scope, x, y, vector *Node) *Node {
	g := x.Graph()
	s.model.Store.SetTraining(g, false)
	loss := s.model.Loss(s.model.Cast(y), s.model.Outputs(scope, s.model.Cast(x)))
	s.find(g)
	var params []*Node
	for _, v := range s.weights {
		params = append(params, v.NodeValue(g))
	}
	var along *Node // inner product of the gradient with the vector
	first := 0
	for i, gradient := range Gradient(loss, params...) {
		size := params[i].Shape().Size()
		term := ReduceAllSum(Mul(ConvertDType(Reshape(gradient, size), vector.DType()), Slice(vector, AxisRange(first, first+size))))
		if first += size; along == nil {
			along = term
		} else {
			along = Add(along, term)
		}
	}
	parts := Gradient(along, params...)
	for i, part := range parts {
		parts[i] = ConvertDType(Reshape(part, part.Shape().Size()), vector.DType())
	}
	return Concatenate(parts, 0)
}

// Compile implements stepper.Stepper.
func (s *steps) Compile(x, y shapes.Shape) error {
	if _, err := s.move.Compile(x, y, shapes.Make(s.model.DType, 2)); err != nil {
		return err
	}
	if s.size == 0 {
		return fmt.Errorf("method %q: the model has no trainable weights, expected at least one", Name)
	}
	if _, err := s.product.Compile(x, y, shapes.Make(s.model.DType, s.size)); err != nil {
		return fmt.Errorf("method %q multiplies with the Hessian, and GoMLX has no second derivative of an operation in the model; of convolutions and slices it has none", Name)
	}
	return nil
}

// Step implements stepper.Stepper. Where it is time, it reads the rates from the
// batch first. A batch without curvature leaves them as they were; it is an error
// if there are none yet.
func (s *steps) Step(learningRate float64, x, y *tensors.Tensor) (stepper.Step, error) {
	if s.size == 0 {
		if err := s.Compile(x.Shape(), y.Shape()); err != nil {
			return stepper.Step{}, err
		}
	}
	state, err := s.state()
	if err != nil {
		return stepper.Step{}, err
	}
	taken := stepper.Step{Gradients: 1, Evaluations: 1, Wrong: -1}
	if int(state.step)%(s.Every*max(1, s.model.StepsPerEpoch)) == 0 {
		products, finite, err := s.estimate(&state, x, y)
		taken.Gradients, taken.Evaluations = taken.Gradients+products, taken.Evaluations+products
		if err != nil {
			return stepper.Step{}, err
		}
		if !finite { // the training has diverged, which is no error
			nan := math.NaN()
			taken.Loss, taken.GradientL2, taken.GradientL1 = nan, nan, nan
			return taken, nil
		}
	}
	rates := s.tensor([]float64{learningRate * state.alpha, state.rho})
	defer rates.MustFinalizeAll()
	outputs, err := s.move.Exec(x, y, rates)
	if err != nil {
		return stepper.Step{}, err
	}
	values, err := stepper.Values(outputs[0])
	if err != nil {
		return stepper.Step{}, err
	}
	taken.Loss, taken.GradientL2, taken.GradientL1 = values[0], values[1], values[2]
	state.step++
	return taken, s.keep(state)
}

// state is what the method goes on from, next to the velocities.
type state struct{ alpha, rho, step float64 }

func (s *steps) state() (state, error) {
	v := s.model.Store.GetVariable(ratesPath)
	if v == nil {
		return state{}, nil
	}
	value, err := v.Value()
	if err != nil {
		return state{}, err
	}
	list, ok := value.Value().([]float64)
	if !ok || len(list) != 3 {
		return state{}, fmt.Errorf("variable %s has shape %s, expected 3 numbers in float64", ratesPath, value.Shape())
	}
	return state{list[0], list[1], list[2]}, nil
}

func (s *steps) keep(st state) error {
	value := tensors.FromValue([]float64{st.alpha, st.rho, st.step})
	if v := s.model.Store.GetVariable(ratesPath); v != nil {
		return v.SetValue(value)
	}
	v, err := s.model.Store.CreateVariable(ratesPath, value)
	if err != nil {
		return err
	}
	v.SetTrainable(false)
	return nil
}

// estimate reads alpha and rho from the Hessian of a batch, and counts the
// products that it took. Without finite products there is nothing to read.
func (s *steps) estimate(st *state, x, y *tensors.Tensor) (products int, finite bool, err error) {
	rng := rand.New(rand.NewPCG(uint64(st.step), lanczosStream))
	start := make([]float64, s.size)
	for i := range start {
		start[i] = rng.NormFloat64()
	}
	ritz, err := lanczos(start, s.Steps, func(dst, v []float64) error {
		products++
		return s.multiply(dst, v, x, y)
	})
	switch {
	case err == errNotFinite:
		return products, false, nil
	case err != nil:
		return products, false, err
	}
	if top, _ := ends(ritz); !(top > 0) {
		if st.alpha > 0 {
			return products, true, nil
		}
		return products, false, fmt.Errorf("method %q: the Hessian of the first batch is zero: expected some curvature to read a learning rate from", Name)
	}
	r, err := Learner{Variant: s.Variant, Median: s.Median}.Rates(ritz)
	st.alpha, st.rho = r.LearningRate, r.Momentum
	return products, true, err
}

// multiply sets dst to the product of the batch's Hessian with v.
func (s *steps) multiply(dst, v []float64, x, y *tensors.Tensor) error {
	vector := s.tensor(v)
	defer vector.MustFinalizeAll()
	outputs, err := s.product.Exec(x, y, vector)
	if err != nil {
		return err
	}
	values, err := stepper.Values(outputs[0])
	if err != nil {
		return err
	}
	for _, value := range values {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return errNotFinite
		}
	}
	copy(dst, values)
	return nil
}

// tensor holds numbers in the model's type.
func (s *steps) tensor(values []float64) *tensors.Tensor {
	if s.model.DType == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, len(values))
	}
	short := make([]float32, len(values))
	for i, v := range values {
		short[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(short, len(short))
}
