// Package network trains small networks by gradient-regularised Newton steps on
// all training examples at once, as package gradreg minimises any function: its
// curvature is the Gauss-Newton matrix of the loss, or the empirical Fisher
// matrix. It is for models of up to a few thousand weights, where it needs no
// learning rate and tens of steps where first-order methods need thousands.
//
// A step makes the matrix column by column from products with the Jacobian,
// factors it, and searches for the step size gamma. Weights and gradients have
// the model's type; matrices and their factors are float64.
package network

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/stepper"
)

// gammaPath is where the store keeps the step size that is tried next.
const gammaPath = "/gradreg/gamma"

// steps is a method of the catalogue at work on a network. To package gradreg
// it is the function to minimise.
type steps struct {
	trained
	kind  kind
	limit int

	read, write, evaluate, columns *model.Exec

	x, y    *tensors.Tensor // of the step that is being taken
	failure error           // of a graph, from inside of the search
	run     *gradreg.Run
	l1      float64 // norm of the last gradient
}

func newSteps(m stepper.Model, k kind, limit int) (stepper.Stepper, error) {
	if m.DType != dtypes.Float32 && m.DType != dtypes.Float64 {
		return nil, fmt.Errorf("method %q on a model of %s: expected float32 or float64", k.name, m.DType)
	}
	return &steps{trained: trained{Model: m}, kind: k, limit: limit}, nil
}

// Compile implements stepper.Stepper. It is an error if the model has more
// weights than the limit.
func (s *steps) Compile(x, y shapes.Shape) error {
	if s.columns == nil {
		if err := s.prepare(x, y); err != nil {
			return err
		}
	}
	vector, first := shapes.Make(s.DType, s.size), shapes.Make(dtypes.Int32)
	_, evaluateErr := s.evaluate.Compile(vector, x, y)
	if evaluateErr != nil {
		return evaluateErr
	}
	if _, err := s.columns.Compile(vector, first, x, y); err != nil {
		return fmt.Errorf("method %q multiplies with the Jacobian, and GoMLX has no second derivative of an operation in the model; of convolutions and slices it has none", s.kind.name)
	}
	return nil
}

func (s *steps) prepare(x, y shapes.Shape) error {
	if err := s.discover(x, y); err != nil {
		return err
	}
	if err := s.checkSize(s.kind.name, s.limit); err != nil {
		return err
	}
	var errs [4]error
	s.read, errs[0] = model.NewExec(s.Backend, s.Store, s.trained.read)
	s.write, errs[1] = model.NewExec(s.Backend, s.Store, s.trained.write)
	s.evaluate, errs[2] = model.NewExec(s.Backend, s.Store, s.valueGradient)
	s.columns, errs[3] = model.NewExec(s.Backend, s.Store, s.trained.columns(s.kind.outer))
	return errors.Join(errs[:]...)
}

// Step implements stepper.Stepper. The learning rate is the gamma of the first
// step's search. A step that finds no decrease leaves the weights as they are.
func (s *steps) Step(learningRate float64, x, y *tensors.Tensor) (stepper.Step, error) {
	if s.columns == nil {
		if err := s.Compile(x.Shape(), y.Shape()); err != nil {
			return stepper.Step{}, err
		}
	}
	s.x, s.y, s.failure = x, y, nil
	start, err := s.weightsNow()
	if err != nil {
		return stepper.Step{}, err
	}
	gamma, err := s.gamma(learningRate)
	if err != nil {
		return stepper.Step{}, err
	}
	err = s.begin(start, gamma)
	if s.failure == nil && errors.Is(err, gradreg.ErrNotFinite) {
		nan := math.NaN() // the training has diverged, which is no error
		return stepper.Step{Loss: nan, GradientL2: nan, GradientL1: nan, Gradients: 1, Evaluations: 1, Wrong: -1}, nil
	}
	if err = errors.Join(err, s.failure); err != nil {
		return stepper.Step{}, err
	}
	l1, before := s.l1, s.run.Counts().Gradients-1
	it, err := s.run.Step(context.Background())
	if err = errors.Join(err, s.failure); err != nil {
		return stepper.Step{}, err
	}
	gradients := it.Counts.Gradients - before
	step := stepper.Step{
		Loss: it.Value, GradientL2: it.Gradient, GradientL1: l1,
		Gradients: gradients, Evaluations: gradients + s.size, Wrong: -1,
	}
	if !it.Moved { // gamma stays too: many such steps would halve it down to 0
		return step, nil
	}
	return step, s.keep()
}

// begin goes to the weights that the store has now.
func (s *steps) begin(start []float64, gamma float64) (err error) {
	if s.run != nil {
		return s.run.Restart(start, gamma)
	}
	rounding := 0x1p-52
	if s.DType == dtypes.Float32 {
		rounding = 0x1p-23
	}
	s.run, err = gradreg.Newton{Curvature: gradreg.Dense(s.matrix), Gamma: gamma, Rounding: rounding}.Start(s, start)
	return err
}

// gamma is the step size to be tried first, that of the store or the learning
// rate.
func (s *steps) gamma(learningRate float64) (float64, error) {
	v := s.Store.GetVariable(gammaPath)
	if v == nil {
		if !(learningRate > 0) || math.IsInf(learningRate, 0) {
			return 0, fmt.Errorf("method %q: learning rate %g: expected a finite number above 0, as the search begins with it", s.kind.name, learningRate)
		}
		return learningRate, nil
	}
	value, err := v.Value()
	if err != nil {
		return 0, err
	}
	gamma, ok := value.Value().(float64)
	if !ok {
		return 0, fmt.Errorf("variable %s has shape %s, expected a float64", gammaPath, value.Shape())
	}
	return gamma, nil
}

// keep puts where the run is into the store.
func (s *steps) keep() error {
	gamma := tensors.FromValue(s.run.Gamma())
	if v := s.Store.GetVariable(gammaPath); v != nil {
		if err := v.SetValue(gamma); err != nil {
			return err
		}
	} else {
		v, err := s.Store.CreateVariable(gammaPath, gamma)
		if err != nil {
			return err
		}
		v.SetTrainable(false)
	}
	vector := s.vector(s.run.X())
	defer vector.MustFinalizeAll()
	_, err := s.write.Exec(vector)
	return err
}

// weightsNow are the weights that the store has.
func (s *steps) weightsNow() ([]float64, error) {
	outputs, err := s.read.Exec()
	if err != nil {
		return nil, err
	}
	return stepper.Values(outputs[0])
}

// vector is x in the model's type.
func (s *steps) vector(x []float64) *tensors.Tensor {
	if s.DType == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(x, len(x))
	}
	short := make([]float32, len(x))
	for i, v := range x {
		short[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(short, len(short))
}

// Dim implements gradreg.Function.
func (s *steps) Dim() int { return s.size }

// ValueGradient implements gradreg.Function. A graph that fails leaves its
// error and NaN.
func (s *steps) ValueGradient(x, gradient []float64) float64 {
	values, err := s.call(s.evaluate, x)
	if err != nil {
		s.failure = err
		return math.NaN()
	}
	copy(gradient, values[1:])
	s.l1 = values[len(values)-1]
	return values[0]
}

// matrix writes the curvature of the loss at x.
func (s *steps) matrix(x []float64, h *mat.SymDense) {
	full := h.RawSymmetric()
	for first := 0; first < s.size; first += columnsPerCall {
		index := tensors.FromValue(int32(first))
		values, err := s.call(s.columns, x, index)
		index.MustFinalizeAll()
		if err != nil {
			s.failure = err
			return
		}
		// The matrix is symmetric: columns are rows.
		for i := first; i < min(first+columnsPerCall, s.size); i++ {
			copy(full.Data[i*full.Stride+i:i*full.Stride+s.size], values[(i-first)*s.size+i:(i-first+1)*s.size])
		}
	}
}

// call runs a graph at the weights x on the examples of the step.
func (s *steps) call(exec *model.Exec, x []float64, more ...any) ([]float64, error) {
	vector := s.vector(x)
	defer vector.MustFinalizeAll()
	outputs, err := exec.Exec(append(append([]any{vector}, more...), s.x, s.y)...)
	if err != nil {
		return nil, err
	}
	return stepper.Values(outputs[0])
}
