package surrogate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/method/surrogate"
	"github.com/descentml/descent/objective"
)

var ownBackend = sync.OnceValues(func() (compute.Backend, error) { return compute.NewWithConfig("descent") })

// A network maps x to outputs; a task is a network with a batch and a loss.
type network func(scope *model.Scope, x *Node) *Node

func linearModel(outputs int) network {
	return func(scope *model.Scope, x *Node) *Node {
		return layers.Dense(scope.In("output"), x, false, outputs)
	}
}

func tanhNetwork(hidden, outputs int) network {
	return func(scope *model.Scope, x *Node) *Node {
		scope = scope.WithInitializer(initializer.GlorotUniformFn(scope))
		return layers.DenseWithBias(scope.In("output"), Tanh(layers.DenseWithBias(scope.In("hidden"), x, hidden)), outputs)
	}
}

// halfSquared is the mean of (z-y)^2/2, and logistic that of the loss of one
// logit for labels 0 and 1: losses that the objectives lack.
func halfSquared(y, z *Node) *Node { return MulScalar(objective.SquaredError(y, z), 0.5) }

func logistic(y, z *Node) *Node {
	return ReduceAllMean(Sub(Add(MaxScalar(z, 0), Log1P(Exp(Neg(Abs(z))))), Mul(y, z)))
}

// trainee is a model in a store with one batch.
type trainee struct {
	stepper.Model
	x, y *tensors.Tensor
}

// newTrainee makes a model with weights from a seed and a batch of normal
// inputs. Labels are classes below classes, or normal numbers where that is 0.
func newTrainee(t testing.TB, net network, loss objective.Loss, dtype dtypes.DType, batch, width, classes int) *trainee {
	t.Helper()
	backend, err := ownBackend()
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(3); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(4, 5))
	x, y, labels := make([]float64, batch*width), make([]float64, batch), make([]int32, batch)
	for i := range x {
		x[i] = random.NormFloat64()
	}
	for i := range y {
		y[i] = random.NormFloat64()
		if classes > 0 {
			labels[i] = random.Int32N(int32(classes))
			y[i] = float64(labels[i])
		}
	}
	m := &trainee{Model: stepper.Model{Backend: backend, Store: store, DType: dtype, Outputs: net, Loss: loss, StepsPerEpoch: 4, Steps: 40}}
	m.x, m.y = tensors.FromFlatDataAndDimensions(x, batch, width), tensors.FromFlatDataAndDimensions(y, batch, 1)
	if dtype == dtypes.Float32 {
		m.x = tensors.FromFlatDataAndDimensions(narrow(x), batch, width)
		m.y = tensors.FromFlatDataAndDimensions(narrow(y), batch, 1)
	}
	if classes > 2 {
		m.y = tensors.FromFlatDataAndDimensions(labels, batch, 1)
	}
	return m
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return y
}

// classifier is a tanh network with softmax cross entropy, in float64.
func classifier(t testing.TB) *trainee {
	return newTrainee(t, tanhNetwork(5, 3), objective.CrossEntropy, dtypes.Float64, 12, 4, 3)
}

// binary is a linear model with logistic loss, in float64.
func binary(t testing.TB, batch, width int) *trainee {
	return newTrainee(t, linearModel(1), logistic, dtypes.Float64, batch, width, 2)
}

func (m *trainee) stepper(t testing.TB, text string) stepper.Stepper {
	t.Helper()
	build, err := surrogate.New(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := build(m.Model)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Compile(m.x.Shape(), m.y.Shape()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *trainee) firstOrder(t testing.TB, text string) stepper.Stepper {
	t.Helper()
	o, err := firstorder.New(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := stepper.Optimizer(m.Model, o.(train.OptimizeWithGradients))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (m *trainee) step(t testing.TB, s stepper.Stepper, rate float64) stepper.Step {
	t.Helper()
	step, err := s.Step(rate, m.x, m.y)
	if err != nil {
		t.Fatal(err)
	}
	return step
}

// weights are the trainable numbers of the store, in its order.
func (m *trainee) weights(t testing.TB) []float64 {
	t.Helper()
	var all []float64
	for v := range m.Store.IterVariables() {
		if !v.Trainable {
			continue
		}
		value := v.MustValue()
		if m.DType == dtypes.Float64 {
			all = append(all, tensors.MustCopyFlatData[float64](value)...)
			continue
		}
		for _, x := range tensors.MustCopyFlatData[float32](value) {
			all = append(all, float64(x))
		}
	}
	return all
}

// evaluate is the loss and the outputs [b, c] at the present weights.
func (m *trainee) evaluate(t testing.TB) (loss float64, outputs []float64) {
	t.Helper()
	exec, err := model.NewExec(m.Backend, m.Store, func(scope *model.Scope, x, y *Node) (*Node, *Node) {
		z := m.Outputs(scope, x)
		return m.Loss(y, z), z
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := exec.Exec(m.x, m.y)
	if err != nil {
		t.Fatal(err)
	}
	return tensors.ToScalar[float64](found[0]), tensors.MustCopyFlatData[float64](found[1])
}

func far(a, b []float64) float64 {
	worst := math.Abs(float64(len(a) - len(b)))
	for i := range min(len(a), len(b)) {
		worst = max(worst, math.Abs(a[i]-b[i]))
		if math.IsNaN(a[i]) || math.IsNaN(b[i]) {
			return math.Inf(1)
		}
	}
	return worst
}

func Example() {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		panic(err)
	}
	build, err := surrogate.New("sso:inner=20")
	if err != nil {
		panic(err)
	}
	method, err := build(stepper.Model{
		Backend: backend, Store: model.NewStore(), DType: dtypes.Float64, Loss: objective.SquaredError,
		Outputs: func(scope *model.Scope, x *Node) *Node { return layers.Dense(scope, x, false, 1) },
	})
	if err != nil {
		panic(err)
	}
	x, y := tensors.FromValue([][]float64{{1, 0}, {1, 1}, {1, 3}}), tensors.FromValue([][]float64{{-1}, {1}, {5}})
	var step stepper.Step
	for range 3 { // a target step of 1/2 goes to the least squares
		if step, err = method.Step(0.5, x, y); err != nil {
			panic(err)
		}
	}
	fmt.Printf("loss below 0.1 after %d gradients a step: %v\n", step.Gradients, step.Loss < 0.1)
	// Output: loss below 0.1 after 1 gradients a step: true
}
