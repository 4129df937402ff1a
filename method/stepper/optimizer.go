package stepper

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/descentml/descent/method/schedule"
)

// optimizer steps by a method that needs the gradient of the loss alone.
type optimizer struct {
	model Model
	exec  *model.Exec
	rate  float64
	set   bool // rate is in the store
}

// Optimizer makes a stepper of one of GoMLX's optimizers: one graph computes
// the loss, its gradient with both norms, and the update.
func Optimizer(m Model, method train.OptimizeWithGradients) (Stepper, error) {
	exec, err := model.NewExec(m.Backend, m.Store, func(scope *model.Scope, x, y *graph.Node) *graph.Node {
		m.Store.SetTraining(x.Graph(), true)
		loss := m.Loss(m.Cast(y), m.Outputs(scope, m.Cast(x)))
		gradients := scope.BuildTrainableVariablesGradientsGraph(loss)
		l2, l1 := Norms(gradients)
		method.UpdateGraphWithGradients(scope, gradients, loss.DType())
		return graph.Stack([]*graph.Node{loss, l2, l1}, 0) // one result costs less than three
	})
	if err != nil {
		return nil, err
	}
	return &optimizer{model: m, exec: exec}, nil
}

// Norms returns the l2 and l1 norm of the gradients taken as one vector, as
// scalars of the first one's type.
func Norms(gradients []*graph.Node) (l2, l1 *graph.Node) {
	for i, gradient := range gradients {
		if i > 0 {
			gradient = graph.ConvertDType(gradient, gradients[0].DType())
		}
		squares, sizes := graph.ReduceAllSum(graph.Square(gradient)), graph.ReduceAllSum(graph.Abs(gradient))
		if i == 0 {
			l2, l1 = squares, sizes
			continue
		}
		l2, l1 = graph.Add(l2, squares), graph.Add(l1, sizes)
	}
	return graph.Sqrt(l2), l1
}

// Cast brings a float input to the type that the model computes in.
func (m *Model) Cast(x *graph.Node) *graph.Node {
	if x.DType().IsFloat() && x.DType() != m.DType {
		return graph.ConvertDType(x, m.DType)
	}
	return x
}

func (o *optimizer) Compile(x, y shapes.Shape) error {
	_, err := o.exec.Compile(x, y)
	return err
}

func (o *optimizer) Step(learningRate float64, x, y *tensors.Tensor) (Step, error) {
	if !o.set || learningRate != o.rate {
		if err := schedule.Set(o.model.Store, o.model.DType, learningRate); err != nil {
			return Step{}, err
		}
		o.rate, o.set = learningRate, true
	}
	outputs, err := o.exec.Exec(x, y)
	if err != nil {
		return Step{}, err
	}
	values, err := Values(outputs[0])
	if err != nil {
		return Step{}, err
	}
	return Step{Loss: values[0], GradientL2: values[1], GradientL1: values[2], Gradients: 1, Evaluations: 1, Wrong: -1}, nil
}

// Scalar returns the value of a scalar float tensor and finalizes it.
func Scalar(t *tensors.Tensor) (float64, error) {
	if !t.Shape().IsScalar() {
		return 0, fmt.Errorf("a tensor of shape %s: expected a scalar", t.Shape())
	}
	values, err := Values(t)
	if err != nil {
		return 0, err
	}
	return values[0], nil
}

// Values returns the values of a float32 or float64 tensor in row-major order
// and finalizes it.
func Values(t *tensors.Tensor) ([]float64, error) {
	values := make([]float64, t.Size())
	var err error
	switch t.DType() {
	case dtypes.Float64:
		err = tensors.ConstFlatData(t, func(flat []float64) { copy(values, flat) })
	case dtypes.Float32:
		err = tensors.ConstFlatData(t, func(flat []float32) {
			for i, x := range flat {
				values[i] = float64(x)
			}
		})
	default:
		err = fmt.Errorf("a tensor of type %s: expected float32 or float64", t.DType())
	}
	return values, errors.Join(err, t.FinalizeAll())
}
