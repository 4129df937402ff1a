package separation_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomlxmodel "github.com/gomlx/gomlx/ml/model"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/method/separation"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/objective"
)

// computing is one backend for all tests, as tensors belong to one.
var computing = must(compute.NewWithConfig("descent"))

// linear is a linear model without a bias that begins at the given weights,
// [width][classes].
func linear(weights [][]float64, loss objective.Loss) stepper.Model {
	return stepper.Model{
		Backend: computing, Store: gomlxmodel.NewStore(), DType: dtypes.Float64, Loss: loss,
		Outputs: func(scope *gomlxmodel.Scope, x *graph.Node) *graph.Node {
			return graph.MatMul(x, scope.VariableWithValue("w", weights).NodeValue(x))
		},
		StepsPerEpoch: 1,
	}
}

func zeros(rows, columns int) [][]float64 {
	list := make([][]float64, rows)
	for i := range list {
		list[i] = make([]float64, columns)
	}
	return list
}

func newStepper(t *testing.T, text string, m stepper.Model) stepper.Stepper {
	t.Helper()
	build, err := separation.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return must(build(m))
}

// batch is the examples as tensors, of which label +1 is class 1.
func (e examples) batch() (x, y *tensors.Tensor) {
	rows, columns := e.Dims()
	codes := make([]int32, rows)
	for i, label := range e.labels {
		codes[i] = int32(label+1) / 2
	}
	return tensors.FromFlatDataAndDimensions(e.numbers, rows, columns), tensors.FromFlatDataAndDimensions(codes, rows, 1)
}

// With two classes and a linear model from zero the steppers take the path of
// this package at twice the rate.
func TestSteppersTakeThePathOfTheClosedForm(t *testing.T) {
	for name, e := range map[string]examples{"digits": digits(t, "3", "8"), "worst case": worstCase(t, 200)} {
		for text, methods := range map[string]map[float64]separation.Method{
			"gd":                          {5: gd{10}, 50: gd{100}},
			"normalized-gd":               {.5: ngd{1}, 5: ngd{10}},
			"batch-perceptron":            {.5: bp{}, 3: bp{}},
			"normalized-batch-perceptron": {.5: nbp{}},
			"perceptron":                  {2: separation.Perceptron{}},
		} {
			for rate, m := range methods {
				_, columns := e.Dims()
				s := newStepper(t, text, linear(zeros(columns, 2), objective.CrossEntropy))
				x, y := e.batch()
				if err := s.Compile(x.Shape(), y.Shape()); err != nil {
					t.Fatal(err)
				}
				want := run(t, e, m)
				for step := range want.Iterations + 1 {
					got, err := s.Step(rate, x, y)
					if err != nil {
						t.Fatal(err)
					}
					if got.Wrong != want.Wrong[step] {
						t.Fatalf("%s, %s at %g: %d wrong after %d steps, want %d", name, text, rate, got.Wrong, step, want.Wrong[step])
					}
					if loss := want.Losses[step]; strings.HasSuffix(text, "gd") && math.Abs(got.Loss-loss) > 1e-8*max(1, loss) {
						t.Fatalf("%s, %s at %g: loss %g after %d steps, want %g", name, text, rate, got.Loss, step, loss)
					}
				}
			}
		}
	}
}

// At any weights and with many classes the normalised step is the gradient
// divided by the mean probability of error.
func TestNormalizedStepWithManyClasses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1006, 0))
	weights := zeros(3, 4)
	for _, row := range weights {
		for j := range row {
			row[j] = rng.NormFloat64()
		}
	}
	var numbers []float64
	codes := []int32{0, 1, 2, 3, 1, 1}
	for range 18 {
		numbers = append(numbers, rng.NormFloat64())
	}
	x, y := tensors.FromFlatDataAndDimensions(numbers, 6, 3), tensors.FromFlatDataAndDimensions(codes, 6, 1)
	wrong, errors := 0, 0.0
	for i, code := range codes {
		logits, total, larger := make([]float64, 4), 0.0, false
		for k := range logits {
			for j := range 3 {
				logits[k] += numbers[3*i+j] * weights[j][k]
			}
			total += math.Exp(logits[k])
		}
		for k, z := range logits {
			larger = larger || k != int(code) && z >= logits[code]
		}
		errors += (1 - math.Exp(logits[code])/total) / 6
		if larger {
			wrong++
		}
	}
	plain := must(newStepper(t, "gd", linear(weights, objective.CrossEntropy)).Step(.1, x, y))
	normalized := must(newStepper(t, "normalized-gd", linear(weights, objective.CrossEntropy)).Step(.1, x, y))
	if math.Abs(normalized.GradientL2-plain.GradientL2/errors) > 1e-12 || math.Abs(normalized.GradientL1-plain.GradientL1/errors) > 1e-12 {
		t.Errorf("norms %g and %g, want %g and %g divided by %g", normalized.GradientL2, normalized.GradientL1, plain.GradientL2, plain.GradientL1, errors)
	}
	if plain.Wrong != wrong || normalized.Wrong != wrong || plain.Loss != normalized.Loss || plain.Gradients != 1 || plain.Evaluations != 1 {
		t.Errorf("steps %+v and %+v, want %d wrong", plain, normalized, wrong)
	}
}

// Every method goes on from a copy of the store: the batch perceptron knows that
// its first step is behind it.
func TestStateIsInTheStore(t *testing.T) {
	e := worstCase(t, 10)
	x, y := e.batch()
	for _, method := range separation.Methods() {
		straight := newStepper(t, method.Name, linear(zeros(2, 2), objective.CrossEntropy))
		m := linear(zeros(2, 2), objective.CrossEntropy)
		first := newStepper(t, method.Name, m)
		second := newStepper(t, method.Name, m)
		for step := range 6 {
			continued := first
			if step >= 1 {
				continued = second
			}
			a, b := must(straight.Step(.5, x, y)), must(continued.Step(.5, x, y))
			if a != b {
				t.Errorf("%s: step %d is %+v, want %+v", method.Name, step, b, a)
			}
		}
		if method.DefaultLearningRate != 1 || !method.FullBatch || method.Summary == "" {
			t.Errorf("%+v", method)
		}
	}
}

func TestSteppersAndValues(t *testing.T) {
	x, y := tensors.FromValue([][]float64{{1}, {2}}), tensors.FromValue([][]float64{{1}, {0}})
	plain := newStepper(t, "gd", linear(zeros(1, 1), objective.SquaredError))
	if got := must(plain.Step(.1, x, y)); got.Wrong != -1 || got.Loss != .5 || got.GradientL2 != 1 {
		t.Errorf("%+v: expected the loss 0.5, a gradient of 1 and nothing counted", got)
	}
	for _, text := range []string{"normalized-gd", "batch-perceptron", "perceptron"} {
		err := newStepper(t, text, linear(zeros(1, 1), objective.SquaredError)).Compile(x.Shape(), shapes.Make(dtypes.Float32, 2, 1))
		if err == nil || !strings.Contains(err.Error(), "expected a classification") {
			t.Errorf("%s takes values: %v", text, err)
		}
	}
	for text, want := range map[string]string{"gd:lr=-1": "option \"lr\"", "gd:momentum=1": "unknown option", "normalised-gd": `"normalized-gd"`, "": "no name"} {
		if _, err := separation.New(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, expected one with %s", text, err, want)
		}
	}
}
