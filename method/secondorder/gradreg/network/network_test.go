package network_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/secondorder/gradreg/network"
	"github.com/descentml/descent/method/secondorder/gradreg/problem"
	"github.com/descentml/descent/method/stepper"
	networks "github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// computing is one backend for all tests, as tensors belong to one.
var computing = must(compute.NewWithConfig("descent"))

// digits are the first examples of the embedded set.
func digits(count int) (features []float32, labels []int32, width int) {
	table := must(data.Open(context.Background(), "digits", data.Options{}))
	rows := make([]int, count)
	for i := range rows {
		rows[i] = i
	}
	encoder := must(data.Fit(table, rows))
	return must(encoder.Features(table, rows)), must(encoder.Labels(table, rows)), encoder.Width()
}

func batch(features []float32, labels []int32) (x, y *tensors.Tensor) {
	return tensors.FromFlatDataAndDimensions(features, len(labels), len(features)/len(labels)), tensors.FromFlatDataAndDimensions(labels, len(labels), 1)
}

// linear is a linear model without a bias that begins at zero.
func linear(width, outputs int, loss objective.Loss) stepper.Model {
	zero := make([][]float64, width)
	for i := range zero {
		zero[i] = make([]float64, outputs)
	}
	return stepper.Model{
		Backend: computing, Store: model.NewStore(), DType: dtypes.Float64, Loss: loss, StepsPerEpoch: 1,
		Outputs: func(scope *model.Scope, x *graph.Node) *graph.Node {
			return graph.MatMul(x, scope.VariableWithValue("w", zero).NodeValue(x))
		},
	}
}

// named is a network of package model.
func named(specification string, width, outputs int, dtype dtypes.DType) stepper.Model {
	net := must(networks.New(specification, networks.Input{Width: width}))
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(5); err != nil {
		panic(err)
	}
	return stepper.Model{
		Backend: computing, Store: store, DType: dtype, Loss: objective.CrossEntropy, StepsPerEpoch: 1,
		Outputs: func(scope *model.Scope, x *graph.Node) *graph.Node { return net.Logits(scope, x, outputs) },
	}
}

func stepperOf(t *testing.T, text string, m stepper.Model) stepper.Stepper {
	t.Helper()
	build, err := network.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return must(build(m))
}

// On a linear model the methods take the way of package gradreg on softmax
// regression in closed form: losses, norms and the search are the same.
func TestLinearModelTakesTheWayOfTheClosedForm(t *testing.T) {
	features, codes, width := digits(150)
	x, y := batch(features, codes)
	numbers, labels := make([]float64, len(features)), make([]int, len(codes))
	for i, v := range features {
		numbers[i] = float64(v)
	}
	for i, code := range codes {
		labels[i] = int(code)
	}
	f := must(problem.NewSoftmax(mat.NewDense(len(codes), width, numbers), labels, 10, 0))
	for text, curvature := range map[string]gradreg.Dense{"gns-gauss-newton": f.Hessian, "gns-fisher": f.Fisher} {
		run := must(gradreg.Newton{Curvature: curvature, Gamma: 0.5}.Start(f, make([]float64, f.Dim())))
		s := stepperOf(t, text, linear(width, 10, objective.CrossEntropy))
		if err := s.Compile(x.Shape(), y.Shape()); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			want := must(run.Step(t.Context()))
			got := must(s.Step(0.5, x, y))
			if math.Abs(got.Loss-want.Value) > 1e-9 || math.Abs(got.GradientL2-want.Gradient) > 1e-9 || got.Gradients != want.Tries+1 || got.Evaluations != want.Tries+1+f.Dim() || got.Wrong != -1 {
				t.Errorf("%s, step %d: %+v, in closed form %+v", text, i, got, want)
			}
			if got.GradientL1 < got.GradientL2 {
				t.Errorf("%s: l1 norm %g below the l2 norm %g", text, got.GradientL1, got.GradientL2)
			}
		}
	}
}

// Linear regression is a quadratic: at a large gamma one Gauss-Newton step
// solves it.
func TestLinearRegressionTakesOneStep(t *testing.T) {
	x := tensors.FromValue([][]float64{{1, 0}, {0, 1}, {1, 1}, {2, 1}})
	y := tensors.FromValue([][]float64{{2}, {-1}, {1}, {3}})
	m := linear(2, 1, objective.SquaredError)
	s := stepperOf(t, "gns-gauss-newton", m)
	first, second := must(s.Step(1e9, x, y)), must(s.Step(1e9, x, y))
	if first.Loss != 3.75 || second.Loss > 1e-12 || second.GradientL2 > 1e-6 {
		t.Errorf("losses %g and %g, gradient %g", first.Loss, second.Loss, second.GradientL2)
	}
	for range 60 { // at the solution nothing is left to find, for ever
		if step := must(s.Step(1e9, x, y)); !(step.Loss <= second.Loss) {
			t.Errorf("loss %g at the solution, %g before", step.Loss, second.Loss)
		}
	}
}

// A network's loss falls in every step, in both types of numbers, and a
// training goes on from a copy of the store to the same bits.
func TestNetworkDescendsAndGoesOnFromItsStore(t *testing.T) {
	features, codes, width := digits(100)
	x, y := batch(features, codes)
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		for _, text := range []string{"gns-gauss-newton", "gns-fisher"} {
			m := named("mlp:4", width, 10, dtype)
			s := stepperOf(t, text, m)
			var losses []float64
			var copied stepper.Model
			for i := range 6 {
				if i == 3 {
					copied = m
					copied.Store = must(m.Store.Clone())
				}
				losses = append(losses, must(s.Step(1, x, y)).Loss)
				if i > 0 && !(losses[i] < losses[i-1]) {
					t.Errorf("%s in %s: losses %v", text, dtype, losses)
				}
			}
			other := stepperOf(t, text, copied)
			for i := 3; i < 6; i++ {
				if loss := must(other.Step(1, x, y)).Loss; loss != losses[i] {
					t.Errorf("%s in %s, step %d: loss %v from a copy, %v before", text, dtype, i, loss, losses[i])
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	features, codes, width := digits(20)
	x, y := batch(features, codes)
	s := stepperOf(t, "gns-fisher:limit=100", named("mlp:4", width, 10, dtypes.Float32))
	if err := s.Compile(x.Shape(), y.Shape()); err == nil || !strings.Contains(err.Error(), "model's 310 weights, expected at most 100") {
		t.Errorf("a model of 310 weights: %v", err)
	}
	s = stepperOf(t, "gns-gauss-newton", named("mlp:4", width, 10, dtypes.Float32))
	if _, err := s.Step(0, x, y); err == nil || !strings.Contains(err.Error(), "learning rate 0") {
		t.Errorf("a learning rate of 0: %v", err)
	}
	if _, err := must(network.New("gns-fisher"))(named("mlp:4", width, 10, dtypes.Float16)); err == nil || !strings.Contains(err.Error(), "expected float32 or float64") {
		t.Errorf("half precision: %v", err)
	}
	for text, expected := range map[string]string{
		"gns-fishr": `did you mean "gns-fisher"`, "gns-fisher:limt=3": `did you mean "limit"`,
		"gns-fisher:limit=0": "at least 1", "gns-fisher:lr=0": "expected a number", "": "name",
	} {
		if _, err := network.New(text); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("New(%q): %v, expected %q", text, err, expected)
		}
	}
}

// A loss that is NaN is an outcome, as in other methods.
func TestNaNIsALoss(t *testing.T) {
	s := stepperOf(t, "gns-gauss-newton", linear(2, 1, objective.SquaredError))
	x, y := tensors.FromValue([][]float64{{math.NaN(), 1}}), tensors.FromValue([][]float64{{1}})
	for range 2 {
		if step, err := s.Step(1, x, y); err != nil || !math.IsNaN(step.Loss) || !math.IsNaN(step.GradientL2) {
			t.Errorf("%+v, %v", step, err)
		}
	}
}

func TestMethodsDescribeWhatNewReads(t *testing.T) {
	for _, m := range network.Methods() {
		if !m.FullBatch || m.Options[0].Name != "lr" || m.DefaultLearningRate != 1 {
			t.Errorf("%+v", m)
		}
		text := m.Name
		for _, o := range m.Options {
			text += ":" + o.Name + "=" + o.Default
		}
		if _, err := network.New(text); err != nil {
			t.Error(err)
		}
	}
}

func Example() {
	x := tensors.FromValue([][]float64{{1, 0}, {1, 1}, {1, 2}, {1, 3}}) // a column of ones for the bias
	y := tensors.FromValue([][]int32{{0}, {1}, {0}, {1}})
	m := linear(2, 2, objective.CrossEntropy)
	build, err := network.New("gns-gauss-newton")
	if err != nil {
		panic(err)
	}
	s, err := build(m)
	if err != nil {
		panic(err)
	}
	for i := range 6 {
		step, err := s.Step(1, x, y)
		if err != nil {
			panic(err)
		}
		if i%5 == 0 {
			fmt.Printf("loss %.6f before step %d\n", step.Loss, i+1)
		}
	}
	// Output:
	// loss 0.693147 before step 1
	// loss 0.586872 before step 6
}

// BenchmarkStep is a step on 1,400 digits with a hidden layer of 16: 1,210
// weights.
func BenchmarkStep(b *testing.B) {
	features, codes, width := digits(1400)
	x, y := batch(features, codes)
	for _, text := range []string{"gns-gauss-newton", "gns-fisher"} {
		b.Run(text, func(b *testing.B) {
			s := must(must(network.New(text))(named("mlp:16", width, 10, dtypes.Float32)))
			must(s.Step(1, x, y))
			b.ReportAllocs()
			for b.Loop() {
				must(s.Step(1, x, y))
			}
		})
	}
}
