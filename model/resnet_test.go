package model_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/model"
)

// evaluator computes the sum of squares of a network's outputs on a fixed
// batch, with its gradient by every weight.
type evaluator struct {
	store   *gomodel.Store
	exec    *gomodel.Exec
	weights []*gomodel.Variable
}

func newEvaluator(t *testing.T, specification string, in model.Input, batch int) *evaluator {
	t.Helper()
	n, err := model.New(specification, in)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, batch*in.Width)
	for i := range x {
		x[i] = random.NormFloat64()
	}
	e := &evaluator{store: gomodel.NewStore()}
	if err := e.store.SetRNGStateFromSeed(4); err != nil {
		t.Fatal(err)
	}
	e.exec, err = gomodel.NewExec(newBackend(t), e.store, func(scope *gomodel.Scope, g *graph.Graph) []*graph.Node {
		input := graph.Const(g, tensors.FromFlatDataAndDimensions(x, batch, in.Width))
		value := graph.ReduceAllSum(graph.Square(n.Logits(scope, input, 3)))
		return append([]*graph.Node{value}, scope.BuildTrainableVariablesGradientsGraph(value)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	e.call(t)
	for v := range e.store.IterVariables() {
		if v.Trainable {
			e.weights = append(e.weights, v)
		}
	}
	return e
}

func (e *evaluator) call(t *testing.T) (value float64, gradients [][]float64) {
	t.Helper()
	outputs, err := e.exec.Exec()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outputs[1:] {
		gradients = append(gradients, tensors.MustCopyFlatData[float64](o))
	}
	return tensors.ToScalar[float64](outputs[0]), gradients
}

// difference is the central difference quotient by one number of a variable.
func (e *evaluator) difference(t *testing.T, v *gomodel.Variable, at int, h float64) float64 {
	t.Helper()
	flat := tensors.MustCopyFlatData[float64](v.MustValue())
	shifted := func(by float64) float64 {
		moved := slices.Clone(flat)
		moved[at] += by
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(moved, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
		value, _ := e.call(t)
		return value
	}
	quotient := (shifted(h) - shifted(-h)) / (2 * h)
	shifted(0)
	return quotient
}

// Through both kinds of shortcuts and every activation, the gradient is that of
// finite differences and reaches every layer.
func TestResNetGradientAgreesWithDifferences(t *testing.T) {
	in := model.Input{Width: 36, Image: &data.Image{Height: 6, Width: 6, Channels: 1}}
	for _, activation := range []string{"relu", "leaky_relu", "elu", "selu"} {
		e := newEvaluator(t, "resnet:2,2,3:activation="+activation, in, 2)
		_, gradients := e.call(t)
		if len(gradients) != len(e.weights) || len(gradients) != 2*(1+2+2+3+1) {
			t.Fatalf("%d gradients of %d variables: expected weights and biases of 9 layers", len(gradients), len(e.weights))
		}
		for i, v := range e.weights {
			norm := 0.0
			for at, got := range gradients[i] {
				norm += got * got
				if at%5 > 0 {
					continue
				}
				if want := e.difference(t, v, at, 1e-6); math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
					t.Errorf("%s, %s: derivative by number %d is %g, the difference quotient is %g", activation, v.Path(), at, got, want)
				}
			}
			if norm == 0 {
				t.Errorf("%s: no gradient reaches %s", activation, v.Path())
			}
		}
	}
}

// The factor on the branches bounds the signal: 32 blocks give outputs of the
// size of those of 2 blocks, where without it they would be thousands of times
// as large.
func TestResNetKeepsItsScaleWithDepth(t *testing.T) {
	in := model.Input{Width: 64, Image: &data.Image{Height: 8, Width: 8, Channels: 1}}
	size := func(specification string) float64 {
		value, _ := newEvaluator(t, specification, in, 2).call(t)
		return math.Sqrt(value)
	}
	shallow, deep := size("resnet:8,8"), size("resnet:8"+strings.Repeat(",8", 31))
	if ratio := deep / shallow; !(ratio > 0.2 && ratio < 5) {
		t.Errorf("outputs of 32 blocks are %g times as large as those of 2", ratio)
	}
}

// The activations are their formulas, also where an exponential overflows, and
// so are their derivatives.
func TestActivations(t *testing.T) {
	const alpha, scale = 1.6733, 1.0507
	for name, formula := range map[string]func(x float64) (value, derivative float64){
		"relu":       func(x float64) (float64, float64) { return max(x, 0), step(x, 0) },
		"leaky_relu": func(x float64) (float64, float64) { return max(x, 0.1*x), step(x, 0.1) },
		"elu":        func(x float64) (float64, float64) { return max(x, math.Expm1(min(x, 0))), step(x, math.Exp(x)) },
		"selu": func(x float64) (float64, float64) {
			return scale * (max(x, 0) + alpha*math.Expm1(min(x, 0))), scale * step(x, alpha*math.Exp(x))
		},
	} {
		n, err := model.New("mlp:1:activation="+name, model.Input{Width: 1})
		if err != nil {
			t.Fatal(err)
		}
		store := gomodel.NewStore()
		exec, err := gomodel.NewExec(newBackend(t), store, func(scope *gomodel.Scope, x *graph.Node) (y, derivative *graph.Node) {
			y = n.Logits(scope, x, 1)
			return y, graph.Gradient(graph.ReduceAllSum(y), x)[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exec.Exec([][]float64{{0}}); err != nil { // makes the weights
			t.Fatal(err)
		}
		for _, layer := range []string{"hidden_1", "output"} { // both become the identity
			if err := store.GetVariable("/network/" + layer + "/dense/weights").SetValue(tensors.FromValue([][]float64{{1}})); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range []float64{-1000, -30, -2, -0.5, -1e-3, 1e-3, 0.5, 2, 30, 1000} {
			outputs, err := exec.Exec([][]float64{{x}})
			if err != nil {
				t.Fatal(err)
			}
			want, wantDerivative := formula(x)
			got, gotDerivative := tensors.MustCopyFlatData[float64](outputs[0])[0], tensors.MustCopyFlatData[float64](outputs[1])[0]
			if math.Abs(got-want) > 1e-4*max(1, math.Abs(want)) || math.Abs(gotDerivative-wantDerivative) > 1e-4 {
				t.Errorf("%s(%g) is %g with derivative %g, want %g and %g", name, x, got, gotDerivative, want, wantDerivative)
			}
		}
	}
}

// step is 1 above zero and below at and under it.
func step(x, below float64) float64 {
	if x > 0 {
		return 1
	}
	return below
}
