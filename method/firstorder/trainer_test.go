package firstorder_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/descentml/descent/method/firstorder"
)

// A line is fitted with diffGrad in GoMLX's own trainer.
func Example() {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		panic(err)
	}
	store := model.NewStore()
	trainer := train.NewTrainer(backend, store, line, loss.MeanSquaredError, &firstorder.DiffGrad{LearningRate: 0.1}, nil, nil)
	for range 500 {
		if _, err := trainer.TrainStep(points([]float64{-1, 0, 1, 2}, []float64{-5, -2, 1, 4})); err != nil {
			panic(err)
		}
	}
	fmt.Printf("y = %.3f x %+.3f\n", store.GetVariable("/slope").MustValue().Value(), store.GetVariable("/offset").MustValue().Value())
	// Output: y = 3.000 x -2.000
}

func ExampleNew() {
	method, err := firstorder.New("diffgrad:lr=0.01:friction=dfc2")
	fmt.Printf("%+v %v\n", method, err)
	_, err = firstorder.New("difgrad")
	fmt.Println(err)
	// Output:
	// &{LearningRate:0.01 Beta1:0 Beta2:0 Epsilon:0 WeightDecay:0 Friction:dfc2} <nil>
	// unknown method "difgrad", did you mean "diffgrad"? expected sgd, momentum, nesterov, adagrad, adadelta, rmsprop, adam, adamw, amsgrad, diffgrad
}

// line is the model slope x + offset.
func line(scope *model.Scope, x *graph.Node) *graph.Node {
	slope, offset := scope.VariableWithValue("slope", 0.0), scope.VariableWithValue("offset", 0.0)
	return graph.Add(graph.Mul(slope.NodeValue(x), x), offset.NodeValue(x))
}

func points(x, y []float64) train.Batch {
	return train.Batch{Inputs: []*tensors.Tensor{tensors.FromValue(x)}, Labels: []*tensors.Tensor{tensors.FromValue(y)}}
}

// Two halves of a batch, accumulated, give the step of the whole batch.
func TestAccumulatedGradients(t *testing.T) {
	x, y := []float64{-1, 0.5, 1, 2}, []float64{-5, -2, 1.5, 4}
	for _, m := range firstorder.Methods() {
		whole, halves := newTrainer(t, m.Name), newTrainer(t, m.Name)
		if err := halves.AccumulateGradients(2); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			trainStep(t, whole, x, y)
			trainStep(t, halves, x[:2], y[:2])
			trainStep(t, halves, x[2:], y[2:])
		}
		for _, name := range []string{"/slope", "/offset"} {
			got := halves.Store().GetVariable(name).MustValue().Value().(float64)
			expected := whole.Store().GetVariable(name).MustValue().Value().(float64)
			if !near(got, expected, 1e-12) || expected == 0 {
				t.Errorf("%s: %s is %.17g in halves, %.17g in whole batches", m.Name, name, got, expected)
			}
		}
		if got := optimizer.GetGlobalStep(halves.Store()); got != 5 {
			t.Errorf("%s: global step %d after 5 updates", m.Name, got)
		}
	}
}

func TestEveryMethodFitsALine(t *testing.T) {
	x, y := []float64{-1, 0, 1, 2}, []float64{-5, -2, 1, 4}
	for text, steps := range map[string]int{
		"sgd": 200, "momentum": 300, "nesterov": 300, "adagrad:lr=1": 300, "adadelta:lr=0.3:epsilon=0.1": 300, "rmsprop": 900,
		"adam:lr=0.1": 500, "adamw:lr=0.1:weight_decay=1e-6": 500, "amsgrad:lr=0.1": 500, "diffgrad:lr=0.1": 500,
	} {
		trainer := newTrainer(t, text)
		for range steps {
			trainStep(t, trainer, x, y)
		}
		slope := trainer.Store().GetVariable("/slope").MustValue().Value().(float64)
		offset := trainer.Store().GetVariable("/offset").MustValue().Value().(float64)
		if math.Abs(slope-3) > 0.02 || math.Abs(offset+2) > 0.02 {
			t.Errorf("%s: fitted %g x %+g in %d steps, expected 3 x -2", text, slope, offset, steps)
		}
	}
}

func newTrainer(t *testing.T, text string) *train.Trainer {
	t.Helper()
	m, err := firstorder.New(text)
	if err != nil {
		t.Fatal(err)
	}
	return train.NewTrainer(newBackend(t), model.NewStore(), line, loss.MeanSquaredError, m, nil, nil)
}

func trainStep(t *testing.T, trainer *train.Trainer, x, y []float64) {
	t.Helper()
	if _, err := trainer.TrainStep(points(x, y)); err != nil {
		t.Fatal(err)
	}
}
