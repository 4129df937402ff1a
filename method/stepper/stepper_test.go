package stepper_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/stepper"
)

// line is the model y = w x with the loss of half the mean squared error,
// beginning at w = 0.
func line() (stepper.Model, error) {
	backend, err := compute.NewWithConfig("descent")
	return stepper.Model{
		Backend: backend, Store: model.NewStore(), DType: dtypes.Float64,
		Outputs: func(scope *model.Scope, x *graph.Node) *graph.Node {
			return graph.MatMul(x, scope.VariableWithValue("w", [][]float64{{0}, {0}}).NodeValue(x))
		},
		Loss: func(y, outputs *graph.Node) *graph.Node {
			return graph.MulScalar(graph.ReduceAllMean(graph.Square(graph.Sub(outputs, y))), 0.5)
		},
	}, err
}

// The two steps are worked out by hand: with the examples (3, 4) -> 1 and
// (0, 0) -> 0 the gradient at 0 is (-3, -4)/2 and the loss 1/4.
func TestOptimizerStep(t *testing.T) {
	m, err := line()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stepper.Optimizer(m, &firstorder.SGD{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Compile(shapes.Make(dtypes.Float32, 2, 2), shapes.Make(dtypes.Float32, 2, 1)); err != nil {
		t.Fatal(err)
	}
	x, y := tensors.FromValue([][]float32{{3, 4}, {0, 0}}), tensors.FromValue([][]float32{{1}, {0}})
	first, err := s.Step(0.04, x, y)
	if err != nil {
		t.Fatal(err)
	}
	want := stepper.Step{Loss: 0.25, GradientL2: 2.5, GradientL1: 3.5, Gradients: 1, Evaluations: 1, Wrong: -1}
	if !near(first, want) {
		t.Errorf("first step %+v, want %+v", first, want)
	}
	// w = 0.04 (1.5, 2), so the output is 0.04 * 12.5 = 0.5 and everything halves.
	second, err := s.Step(0, x, y)
	if err != nil {
		t.Fatal(err)
	}
	want.Loss, want.GradientL2, want.GradientL1 = 0.0625, 1.25, 1.75
	if !near(second, want) {
		t.Errorf("second step %+v, want %+v", second, want)
	}
	// The learning rate was 0: nothing has moved.
	third, err := s.Step(0.1, x, y)
	if err != nil || third != second {
		t.Errorf("after a step at rate 0: %+v, %v, want %+v", third, err, second)
	}
}

func near(a, b stepper.Step) bool {
	const tolerance = 1e-12
	return math.Abs(a.Loss-b.Loss) < tolerance && math.Abs(a.GradientL1-b.GradientL1) < tolerance &&
		math.Abs(a.GradientL2-b.GradientL2) < tolerance && a.Gradients == b.Gradients && a.Evaluations == b.Evaluations && a.Wrong == b.Wrong
}

func TestNaNIsALoss(t *testing.T) {
	m, err := line()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stepper.Optimizer(m, &firstorder.SGD{})
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	step, err := s.Step(0.1, tensors.FromValue([][]float32{{nan, 1}}), tensors.FromValue([][]float32{{1}}))
	if err != nil || !math.IsNaN(step.Loss) || !math.IsNaN(step.GradientL2) {
		t.Errorf("step %+v, %v: want NaN and no error", step, err)
	}
}

func TestScalarRefusesOthers(t *testing.T) {
	for _, value := range []*tensors.Tensor{tensors.FromValue([]float64{1, 2}), tensors.FromValue(int32(3))} {
		if x, err := stepper.Scalar(value); err == nil {
			t.Errorf("%s is the scalar %g", value, x)
		}
	}
	if x, err := stepper.Scalar(tensors.FromValue(float32(0.5))); err != nil || x != 0.5 {
		t.Errorf("0.5 is %g, %v", x, err)
	}
}

func Example() {
	m, err := line()
	if err != nil {
		panic(err)
	}
	s, err := stepper.Optimizer(m, &firstorder.Momentum{})
	if err != nil {
		panic(err)
	}
	x, y := tensors.FromValue([][]float64{{1, 0}, {0, 1}}), tensors.FromValue([][]float64{{1}, {2}})
	for range 200 {
		if _, err := s.Step(0.2, x, y); err != nil {
			panic(err)
		}
	}
	fmt.Printf("w = %.3f\n", m.Store.GetVariable("/w").MustValue().Value())
	// Output: w = [[1.000] [2.000]]
}
