package sso

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"

	"github.com/descentml/descent/study"
)

// The generator of the official code: Y = A X with A = diag(1 .. 1e-10) U.
const (
	factorInputs, factorOutputs, factorExamples = 6, 10, 1000
)

// factorSteps is the number of gradients of a run.
func factorSteps(preset study.Preset) int {
	if preset == study.Smoke {
		return 10
	}
	return 50
}

// widths are the hidden layers of the linear networks; 0 is none.
var widths = []int{0, 1, 4, 10}

var innerCounts = []int{1, 10, 100}

func widthName(width int) string {
	if width == 0 {
		return "factorisation, no hidden layer"
	}
	return fmt.Sprintf("factorisation, width %d", width)
}

func (e experiment) factorisationCells(setup study.Setup, seed uint64) []study.Cell {
	var cells []study.Cell
	for _, width := range widths {
		cells = append(cells, study.Cell{Name: widthName(width), Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
			return e.factorise(ctx, setup, width, seed)
		}})
	}
	return cells
}

// factorData draws X' and Y'.
func factorData(seed uint64) (x, y *tensors.Tensor) {
	random := generator(seed, streamData)
	var a [factorOutputs][factorInputs]float64
	for i := range a {
		scale := 1 + (1e-10-1)*float64(i)/(factorOutputs-1)
		for j := range a[i] {
			a[i][j] = scale * random.Float64()
		}
	}
	inputs, outputs := make([]float64, 0, factorExamples*factorInputs), make([]float64, 0, factorExamples*factorOutputs)
	for range factorExamples {
		var example [factorInputs]float64
		for j := range example {
			example[j] = random.NormFloat64()
		}
		inputs = append(inputs, example[:]...)
		for i := range a {
			sum := 0.0
			for j := range example {
				sum += a[i][j] * example[j]
			}
			outputs = append(outputs, sum)
		}
	}
	return tensors.FromFlatDataAndDimensions(inputs, factorExamples, factorInputs), tensors.FromFlatDataAndDimensions(outputs, factorExamples, factorOutputs)
}

func linearNetwork(width int) func(scope *model.Scope, x *graph.Node) *graph.Node {
	return func(scope *model.Scope, x *graph.Node) *graph.Node {
		scope = scope.WithInitializer(initializer.GlorotUniformFn(scope))
		if width > 0 {
			x = layers.Dense(scope.In("hidden"), x, false, width)
		}
		return layers.Dense(scope.In("output"), x, false, factorOutputs)
	}
}

// factorise trains a linear network on all examples, by SSO at eta = 1/L and by
// gradient descent and Adam at the best of the decades.
func (e experiment) factorise(ctx context.Context, setup study.Setup, width int, seed uint64) (study.Measured, error) {
	m := newMeasured()
	x, y := factorData(seed)
	field := []learner{}
	for _, count := range innerCounts {
		field = append(field, learner{name: inner(count), method: e.network(count), rate: 1})
	}
	for _, rate := range []float64{1e-3, 1e-2, 1e-1, 1} {
		field = append(field, learner{name: "GD", method: "sgd", rate: rate}, learner{name: "Adam", method: "adam", rate: rate})
	}
	for _, l := range field {
		net, err := networkModel(setup, seed, dtypes.Float64, linearNetwork(width))
		if err != nil {
			return m, err
		}
		s, err := l.stepper(net)
		if err != nil {
			return m, err
		}
		t, mean, err := l.learn(ctx, s, factorSteps(setup.Preset), func(int) (*tensors.Tensor, *tensors.Tensor, error) { return x, y, nil })
		if err != nil {
			return m, fmt.Errorf("%s: %w", l.name, err)
		}
		keepBest(m, l.name, t, mean)
	}
	return m, nil
}

// keepBest records a run unless one of the same name had the smaller mean.
func keepBest(m study.Measured, name string, t track, mean float64) bool {
	if old, ok := m.Values["mean "+name]; ok && !(mean < old) {
		return false
	}
	m.Values["mean "+name] = mean
	if n := len(t.losses); n > 0 {
		m.Values["last "+name] = t.losses[n-1]
		m.Values["evaluations "+name] = t.evaluations[n-1]
	}
	t.record(m, name)
	return true
}
