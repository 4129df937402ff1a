package diffgrad

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/descentml/descent/method/firstorder"
)

// updates is the length of every run: 300 iterations of the paper, of which
// the first is the start.
const updates = 299

// A particle starts at a point and descends a function.
type particle struct {
	function Function
	start    float64
}

// descend lets all particles descend by the method that text specifies, as the
// coordinates of one float64 variable, and returns the path of each: the start
// and the point after each update.
func descend(backend compute.Backend, text string, particles []particle) ([][]float64, error) {
	x, gradient := make([]float64, len(particles)), make([]float64, len(particles))
	paths := make([][]float64, len(particles))
	for i, p := range particles {
		x[i] = p.start
		paths[i] = append(make([]float64, 0, updates+1), p.start)
	}
	step, err := newStep(backend, text, x)
	if err != nil {
		return nil, err
	}
	for update := 1; update <= updates; update++ {
		for i, p := range particles {
			gradient[i] = p.function.Derivative(x[i])
		}
		if x, err = step(gradient); err != nil {
			return nil, fmt.Errorf("method %q, update %d: %w", text, update, err)
		}
		for i := range particles {
			paths[i] = append(paths[i], x[i])
		}
	}
	return paths, nil
}

// newStep returns a function that takes one step of the method down a gradient
// and returns the new point, beginning at start. It keeps neither slice.
func newStep(backend compute.Backend, text string, start []float64) (func(gradient []float64) ([]float64, error), error) {
	method, err := firstorder.New(text)
	if err != nil {
		return nil, err
	}
	down := method.(train.OptimizeWithGradients)
	exec, err := model.NewExec(backend, model.NewStore(), func(scope *model.Scope, gradient *graph.Node) *graph.Node {
		x := scope.VariableWithValue("x", start)
		x.NodeValue(gradient)
		down.UpdateGraphWithGradients(scope, []*graph.Node{gradient}, gradient.DType())
		return x.NodeValue(gradient)
	})
	if err != nil {
		return nil, fmt.Errorf("method %q: %w", text, err)
	}
	return func(gradient []float64) ([]float64, error) {
		x, err := exec.Call1(gradient)
		if err != nil {
			return nil, err
		}
		defer x.MustFinalizeAll()
		return tensors.CopyFlatData[float64](x)
	}, nil
}
