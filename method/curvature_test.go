package method_test

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/objective"
)

// curved are the methods that look at second derivatives or at products of
// gradients.
var curved = []string{"m-fac:window=4:damping=1e-3", "gns-fisher", "gns-gauss-newton", "rmt-sgd"}

var computing = func() compute.Backend {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		panic(err)
	}
	return backend
}()

// twoLayers is tanh(x A) B of 2 inputs and 1 output, with some of its variables
// frozen.
func twoLayers(frozen ...string) stepper.Model {
	freeze := func(v *gomodel.Variable) *gomodel.Variable {
		for _, name := range frozen {
			if name == v.Name() {
				v.SetTrainable(false)
			}
		}
		return v
	}
	return stepper.Model{
		Backend: computing, Store: gomodel.NewStore(), DType: dtypes.Float64, Loss: objective.SquaredError, StepsPerEpoch: 1,
		Outputs: func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
			a := freeze(scope.VariableWithValue("a", [][]float64{{0.5, -0.3}, {0.2, 0.8}})).NodeValue(x)
			b := freeze(scope.VariableWithValue("b", [][]float64{{0.7}, {-0.4}})).NodeValue(x)
			return graph.MatMul(graph.Tanh(graph.MatMul(x, a)), b)
		},
	}
}

func start(t *testing.T, text string, m stepper.Model) stepper.Stepper {
	t.Helper()
	builder, err := method.New(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := builder.Stepper(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func column(values ...float64) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, len(values), 1)
}

// An equal pair of columns makes every curvature matrix singular, and one example
// seen again and again makes it of rank one: trainings go on with finite losses
// that fall.
func TestSingularCurvature(t *testing.T) {
	x, y := tensors.FromValue([][]float64{{1, 1}, {-0.5, -0.5}, {2, 2}}), column(0.5, -0.2, 0.9)
	one, label := tensors.FromValue([][]float64{{1, 1}}), column(0.5)
	for _, text := range curved {
		for name, batch := range map[string][2]*tensors.Tensor{"equal columns": {x, y}, "one example": {one, label}} {
			s := start(t, text, twoLayers())
			var losses []float64
			for range 20 {
				taken, err := s.Step(0.01, batch[0], batch[1])
				if err != nil {
					t.Fatalf("%s, %s: %v", text, name, err)
				}
				losses = append(losses, taken.Loss)
			}
			if last := losses[len(losses)-1]; math.IsNaN(last) || math.IsInf(last, 0) || !(last < losses[0]) {
				t.Errorf("%s, %s: losses %v", text, name, losses)
			}
		}
	}
}

// With inputs of zero no weight moves the loss: the weights stay, or one sentence
// says that there is no curvature to go by.
func TestZeroGradients(t *testing.T) {
	x, y := tensors.FromValue([][]float64{{0, 0}, {0, 0}}), column(1, -1)
	for _, text := range curved {
		m := twoLayers()
		s := start(t, text, m)
		for range 3 {
			taken, err := s.Step(0.1, x, y)
			if text == "rmt-sgd" {
				if err == nil || !strings.Contains(err.Error(), "the Hessian of the first batch is zero") {
					t.Errorf("%s: error %v", text, err)
				}
				break
			}
			if err != nil || taken.Loss != 1 || taken.GradientL2 != 0 {
				t.Errorf("%s: %+v, %v: expected a loss that stays at 1", text, taken, err)
			}
		}
		if got := weight(t, m, "a"); got != 0.5 {
			t.Errorf("%s: a weight became %g", text, got)
		}
	}
}

// weight is the first number of a variable.
func weight(t *testing.T, m stepper.Model, name string) (first float64) {
	t.Helper()
	value, err := m.Store.GetVariable("/" + name).Value()
	if err == nil {
		err = tensors.ConstFlatData(value, func(flat []float64) { first = flat[0] })
	}
	if err != nil {
		t.Fatal(err)
	}
	return first
}

// What is frozen stays, and a model in which everything is has nothing to train.
func TestFrozenParts(t *testing.T) {
	x, y := tensors.FromValue([][]float64{{1, 0.3}, {-0.5, 2}, {0.1, -1}}), column(0.5, -0.2, 0.9)
	for _, text := range curved {
		m := twoLayers("a")
		s := start(t, text, m)
		for range 3 {
			if _, err := s.Step(0.01, x, y); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if a, b := weight(t, m, "a"), weight(t, m, "b"); a != 0.5 || b == 0.7 {
			t.Errorf("%s: the frozen weight is %g and the other %g", text, a, b)
		}
		if err := start(t, text, twoLayers("a", "b")).Compile(x.Shape(), y.Shape()); err == nil || !strings.Contains(err.Error(), "weights") || strings.Contains(err.Error(), "GoMLX") {
			t.Errorf("%s, all frozen: error %v", text, err)
		}
	}
}

// A loss that is no number is an outcome.
func TestNoNumber(t *testing.T) {
	x, y := tensors.FromValue([][]float64{{math.NaN(), 1}, {1, 1}}), column(1, -1)
	for _, text := range curved {
		if taken, err := start(t, text, twoLayers()).Step(0.1, x, y); err != nil || !math.IsNaN(taken.Loss) {
			t.Errorf("%s: %+v, %v: expected a loss of NaN", text, taken, err)
		}
	}
}

// Of convolutions GoMLX has no second derivative.
func TestPartsWithoutASecondDerivative(t *testing.T) {
	m := twoLayers()
	m.Outputs = func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
		w := scope.VariableWithValue("w", tensors.FromFlatDataAndDimensions([]float64{1, 2, 3, 4}, 2, 1, 2)).NodeValue(x)
		z := graph.Convolve(graph.Reshape(x, -1, 2, 1), w).PadSame().Done()
		return graph.ReduceAndKeep(graph.Reshape(z, -1, 4), graph.ReduceSum, -1)
	}
	x, y := tensors.FromValue([][]float64{{1, 0.3}, {-0.5, 2}}), column(0.5, -0.2)
	for _, text := range curved[1:] { // m-fac has gradients alone
		m.Store = gomodel.NewStore()
		if _, err := start(t, text, m).Step(0.1, x, y); err == nil || !strings.Contains(err.Error(), "GoMLX has no second derivative") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}
