package randommatrix_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/randommatrix"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// computing is one backend for all tests, as tensors belong to one.
var computing = func() compute.Backend {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		panic(err)
	}
	return backend
}()

const inputs, examples = 12, 20

// line is the model w'x with the squared error, beginning at w = 0.
func line(store *gomodel.Store) stepper.Model { return lineOf(inputs, store) }

func lineOf(inputs int, store *gomodel.Store) stepper.Model {
	return stepper.Model{
		Backend: computing, Store: store, DType: dtypes.Float64, Loss: objective.SquaredError, StepsPerEpoch: 2,
		Outputs: func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
			return graph.MatMul(x, scope.VariableWithValue("w", tensors.FromFlatDataAndDimensions(make([]float64, inputs), inputs, 1)).NodeValue(x))
		},
	}
}

// rows are examples of it.
func rows() (x, y *tensors.Tensor, a *mat.Dense, b []float64) {
	features, labels := make([]float64, examples*inputs), make([]float64, examples)
	for i := range features {
		features[i] = math.Sin(float64(1 + i*i))
	}
	for i := range labels {
		labels[i] = math.Cos(float64(i))
	}
	return tensors.FromFlatDataAndDimensions(features, examples, inputs), tensors.FromFlatDataAndDimensions(labels, examples, 1), mat.NewDense(examples, inputs, features), labels
}

func made(t testing.TB, text string, m stepper.Model) stepper.Stepper {
	t.Helper()
	build, err := randommatrix.New(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := build(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// On least squares the rates are those of the exact Hessian 2 A'A/n, and the way
// is that of Rates.Step.
func TestStepsAreThoseOfTheLearner(t *testing.T) {
	x, y, a, b := rows()
	hessian := mat.NewSymDense(inputs, nil)
	hessian.SymOuterK(2./examples, a.T())
	var eigen mat.EigenSym
	if !eigen.Factorize(hessian, false) {
		t.Fatal("no eigenvalues")
	}
	even := randommatrix.Ritz{Nodes: eigen.Values(nil), Weights: make([]float64, inputs)} // of whatever weights: none is a spike
	for text, learner := range map[string]randommatrix.Learner{
		"rmt-sgd":                              {},
		"rmt-sgd:variant=polyak":               {Variant: randommatrix.Polyak},
		"rmt-sgd:variant=textbook:median=true": {Variant: randommatrix.TextbookNesterov, Median: true},
	} {
		rates, err := learner.Rates(even)
		if err != nil {
			t.Fatal(err)
		}
		const factor = 0.5
		rates.LearningRate *= factor
		s := made(t, text, line(gomodel.NewStore()))
		w, v, g, residual := make([]float64, inputs), make([]float64, inputs), make([]float64, inputs), make([]float64, examples)
		for step := range 6 {
			mat.NewVecDense(examples, residual).MulVec(a, mat.NewVecDense(inputs, w))
			floats.Sub(residual, b)
			mat.NewVecDense(inputs, g).MulVec(a.T(), mat.NewVecDense(examples, residual))
			floats.Scale(2./examples, g)
			taken, err := s.Step(factor, x, y)
			if err != nil {
				t.Fatal(err)
			}
			within(t, fmt.Sprintf("%s: loss of step %d", text, step), taken.Loss, floats.Dot(residual, residual)/examples, 1e-9)
			within(t, "norm", taken.GradientL2, floats.Norm(g, 2), 1e-9)
			wantGradients := 1
			if step%2 == 0 { // two steps an epoch, and an estimate each
				wantGradients += inputs
			}
			if taken.Gradients != wantGradients || taken.Evaluations != wantGradients || taken.Wrong != -1 {
				t.Errorf("step %d: %+v, want %d gradients", step, taken, wantGradients)
			}
			rates.Step(w, v, g)
		}
	}
}

// All that the method remembers is in the store.
func TestTrainingGoesOnFromTheStore(t *testing.T) {
	x, y, _, _ := rows()
	losses := func(restart int) (list []float64) {
		store := gomodel.NewStore()
		s := made(t, "rmt-sgd:every=2", line(store))
		for step := range 8 {
			if step == restart {
				s = made(t, "rmt-sgd:every=2", line(store))
			}
			taken, err := s.Step(0.9, x, y)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, taken.Loss)
		}
		return list
	}
	if a, b := losses(-1), losses(3); !floats.Equal(a, b) {
		t.Errorf("losses %v, and after a restart %v", a, b)
	}
}

// named is a network of package model on 8x8 images.
func named(specification string, dtype dtypes.DType) stepper.Model {
	net, err := model.New(specification, model.Input{Width: 64, Image: &data.Image{Height: 8, Width: 8, Channels: 1}})
	if err != nil {
		panic(err)
	}
	store := gomodel.NewStore()
	if err := store.SetRNGStateFromSeed(5); err != nil {
		panic(err)
	}
	return stepper.Model{
		Backend: computing, Store: store, DType: dtype, Loss: objective.CrossEntropy, StepsPerEpoch: 3,
		Outputs: func(scope *gomodel.Scope, x *graph.Node) *graph.Node { return net.Logits(scope, x, 4) },
	}
}

// images are 24 random ones of four classes.
func images(scale float64) (x, y *tensors.Tensor) {
	features, labels := make([]float32, 24*64), make([]int32, 24)
	for i := range features {
		features[i] = float32(scale * math.Sin(float64(i*i%1013)))
	}
	for i := range labels {
		labels[i] = int32(i % 4)
		features[i*64+i%4] += float32(2 * scale)
	}
	return tensors.FromFlatDataAndDimensions(features, 24, 64), tensors.FromFlatDataAndDimensions(labels, 24, 1)
}

// A network learns at once, without a rate that was looked for.
func TestNetworkTrains(t *testing.T) {
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64} {
		s := made(t, "rmt-sgd", named("mlp:16", dtype))
		x, y := images(1)
		var first, last stepper.Step
		for step := range 60 {
			taken, err := s.Step(1, x, y)
			if err != nil {
				t.Fatal(err)
			}
			if last = taken; step == 0 {
				first = taken
			}
		}
		if !(last.Loss < 0.2*first.Loss) {
			t.Errorf("%s: loss %g after %g", dtype, last.Loss, first.Loss)
		}
	}
}

func TestTrainingsThatCannotBe(t *testing.T) {
	x, y, _, _ := rows()
	zero := tensors.FromFlatDataAndDimensions(make([]float64, examples*inputs), examples, inputs)
	if _, err := made(t, "rmt-sgd", line(gomodel.NewStore())).Step(1, zero, y); err == nil || !strings.Contains(err.Error(), "the Hessian of the first batch is zero") {
		t.Errorf("no curvature: %v", err)
	}
	// Later batches without curvature keep the rates.
	s := made(t, "rmt-sgd", line(gomodel.NewStore()))
	for _, batch := range []*tensors.Tensor{x, x, zero} {
		if _, err := s.Step(1, batch, y); err != nil {
			t.Errorf("a later batch: %v", err)
		}
	}
	nan := tensors.FromFlatDataAndDimensions(append([]float64{math.NaN()}, make([]float64, examples*inputs-1)...), examples, inputs)
	if taken, err := made(t, "rmt-sgd", line(gomodel.NewStore())).Step(1, nan, y); err != nil || !math.IsNaN(taken.Loss) {
		t.Errorf("NaN: %+v, %v: expected an outcome", taken, err)
	}
	pictures, labels := images(1)
	if _, err := made(t, "rmt-sgd", named("cnn:2,2", dtypes.Float32)).Step(1, pictures, labels); err == nil || !strings.Contains(err.Error(), "no second derivative") {
		t.Errorf("convolutions: %v", err)
	}
	half := line(gomodel.NewStore())
	half.DType = dtypes.Float16
	if _, err := new(randommatrix.Optimizer).Stepper(half); err == nil || !strings.Contains(err.Error(), "float32 or float64") {
		t.Errorf("half precision: %v", err)
	}
	if _, err := (&randommatrix.Optimizer{Steps: 1}).Stepper(line(gomodel.NewStore())); err == nil || !strings.Contains(err.Error(), "steps") {
		t.Errorf("one step: %v", err)
	}
	if _, err := (&randommatrix.Optimizer{Variant: 9}).Stepper(line(gomodel.NewStore())); err == nil || !strings.Contains(err.Error(), "variant") {
		t.Errorf("variant 9: %v", err)
	}
}

func TestSpecifications(t *testing.T) {
	for text, want := range map[string]string{
		"rmt-sdg": "did you mean", "rmt-sgd:variant=polka": "polyak", "rmt-sgd:every=0": "at least 1", "rmt-sgd:step=3": "steps", "rmt-sgd:lr=-1": "lr", "": "no name",
	} {
		if _, err := randommatrix.New(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
	m := randommatrix.Methods()[0]
	if m.DefaultLearningRate != 1 || m.Options[1].Default != "nesterov" || m.Options[3].Default != "20" {
		t.Errorf("%+v", m)
	}
}

// A line through two points, with rates that nobody has chosen.
func Example() {
	x, y := tensors.FromValue([][]float64{{1, 2}, {1, -1}}), tensors.FromValue([][]float64{{1}, {3}})
	s, err := (&randommatrix.Optimizer{Variant: randommatrix.Plain}).Stepper(lineOf(2, gomodel.NewStore()))
	if err != nil {
		panic(err)
	}
	for range 400 {
		if taken, err := s.Step(1, x, y); err != nil || taken.Loss < 1e-6 {
			fmt.Println("the line goes through the points:", taken.Loss < 1e-6, err)
			break
		}
	}
	// Output: the line goes through the points: true <nil>
}

// BenchmarkStep is a step of a network between estimates.
func BenchmarkStep(b *testing.B) {
	m := named("mlp:64", dtypes.Float32)
	m.StepsPerEpoch = 1 << 40
	s := made(b, "rmt-sgd", m)
	x, y := images(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Step(1e-3, x, y); err != nil {
			b.Fatal(err)
		}
	}
}
