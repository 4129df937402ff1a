package objective_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/backend/kernel/sparse"
	"github.com/descentml/descent/objective"
)

// function is what both implementations of a mean loss share.
type function interface {
	Dim() int
	SetParameters(w []float64) error
	Value(ctx context.Context) (float64, error)
	Gradient(ctx context.Context, dst []float64) (float64, error)
	Hessian(ctx context.Context) *objective.Operator
	GaussNewton(ctx context.Context) *objective.Operator
	Fisher(ctx context.Context) *objective.Operator
	ExampleGradients(ctx context.Context, visit func(first int, gradients *mat.Dense) error) error
}

var (
	_ function = (*objective.Risk)(nil)
	_ function = (*objective.Linear)(nil)
)

// linearCase is a generalised linear model in closed form and as a graph.
type linearCase struct {
	name    string
	options objective.LinearOptions
	loss    objective.Loss
}

var linearCases = []linearCase{
	{"least squares", objective.LinearOptions{Family: objective.LeastSquares, Intercept: true}, halfSquared},
	{"logistic", objective.LinearOptions{Family: objective.LogisticRegression}, logLoss},
	{"softmax", objective.LinearOptions{Family: objective.SoftmaxRegression, Classes: 3, Intercept: true}, objective.CrossEntropy},
}

func halfSquared(y, o *Node) *Node { return MulScalar(objective.SquaredError(y, o), 0.5) }

func logLoss(y, o *Node) *Node { return ReduceAllMean(Sub(Log1P(Exp(o)), Mul(y, o))) }

const linearRows, linearColumns = 30, 4

// made returns the closed form over dense and over sparse features, and the graph.
func (c linearCase) made(t *testing.T) map[string]function {
	t.Helper()
	rng := rand.New(rand.NewPCG(8, 9))
	features, targets := mat.NewDense(linearRows, linearColumns, nil), make([]float64, linearRows)
	rows := &sparse.Matrix{Columns: linearColumns, Offsets: []int{0}}
	for i := range linearRows {
		for j := range linearColumns {
			if rng.IntN(2) == 0 {
				features.Set(i, j, rng.NormFloat64())
				rows.Indices, rows.Values = append(rows.Indices, int32(j)), append(rows.Values, features.At(i, j))
			}
		}
		rows.Offsets = append(rows.Offsets, len(rows.Values))
		switch c.options.Family {
		case objective.LeastSquares:
			targets[i] = rng.NormFloat64()
		case objective.LogisticRegression:
			targets[i] = float64(rng.IntN(2))
		case objective.SoftmaxRegression:
			targets[i] = float64(rng.IntN(3))
		}
	}
	dense, err := objective.NewLinear(features, targets, c.options)
	if err != nil {
		t.Fatal(err)
	}
	scattered, err := objective.NewSparseLinear(rows, targets, c.options, nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]function{"dense": dense, "sparse": scattered, "graph": c.graph(t, features, targets)}
}

func (c linearCase) graph(t *testing.T, features *mat.Dense, targets []float64) *objective.Risk {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	outputs := max(1, c.options.Classes)
	m := objective.Model{Backend: backend, Store: model.NewStore(), DType: dtypes.Float64, Loss: c.loss,
		Outputs: func(scope *model.Scope, x *Node) *Node {
			w := scope.VariableWithValue("w", tensors.FromFlatDataAndDimensions(make([]float64, linearColumns*outputs), linearColumns, outputs))
			z := MatMul(x, w.NodeValue(x))
			if c.options.Intercept {
				z = Add(z, scope.VariableWithValue("x", tensors.FromFlatDataAndDimensions(make([]float64, outputs), 1, outputs)).NodeValue(x))
			}
			return z
		}}
	y := tensors.FromFlatDataAndDimensions(targets, linearRows, 1)
	if c.options.Family == objective.SoftmaxRegression {
		labels := make([]int32, linearRows)
		for i, target := range targets {
			labels[i] = int32(target)
		}
		y = tensors.FromFlatDataAndDimensions(labels, linearRows, 1)
	}
	f, err := objective.NewRisk(m, tensors.FromFlatDataAndDimensions(features.RawMatrix().Data, linearRows, linearColumns), y, objective.Options{Chunk: 17})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The closed forms, dense and sparse, are the graph's: value, gradient, Hessian,
// Gauss-Newton, Fisher and the gradients of the examples.
func TestClosedFormsAreThoseOfTheGraph(t *testing.T) {
	for _, c := range linearCases {
		made := c.made(t)
		want := made["graph"]
		dim := want.Dim()
		w := normal(rand.New(rand.NewPCG(1, 5)), dim)
		if err := want.SetParameters(w); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"dense", "sparse"} {
			got := made[name]
			if got.Dim() != dim {
				t.Fatalf("%s, %s: %d parameters, want %d", c.name, name, got.Dim(), dim)
			}
			if err := got.SetParameters(w); err != nil {
				t.Fatal(err)
			}
			a, b := make([]float64, dim), make([]float64, dim)
			valueA, errA := got.Gradient(t.Context(), a)
			valueB, errB := want.Gradient(t.Context(), b)
			plain, err := got.Value(t.Context())
			if errA != nil || errB != nil || err != nil || plain != valueA || relative([]float64{valueA}, []float64{valueB}) > 1e-12 || relative(a, b) > 1e-12 {
				t.Errorf("%s, %s: value %g, want %g; gradient off by %g", c.name, name, valueA, valueB, relative(a, b))
			}
			for what, of := range map[string]func(function) *objective.Operator{
				"Hessian":      func(f function) *objective.Operator { return f.Hessian(t.Context()) },
				"Gauss-Newton": func(f function) *objective.Operator { return f.GaussNewton(t.Context()) },
				"Fisher":       func(f function) *objective.Operator { return f.Fisher(t.Context()) },
			} {
				x, _, errX := objective.Matrix(of(got))
				y, _, errY := objective.Matrix(of(want))
				if errX != nil || errY != nil || !mat.EqualApprox(x, y, 1e-12) {
					t.Errorf("%s, %s: another %s than the graph's (%v, %v)", c.name, name, what, errX, errY)
				}
			}
			x, y := exampleGradients(t, got.ExampleGradients, linearRows, dim), exampleGradients(t, want.ExampleGradients, linearRows, dim)
			if !mat.EqualApprox(x, y, 1e-12) {
				t.Errorf("%s, %s: other gradients of examples", c.name, name)
			}
		}
	}
}

// Check 2: where outputs are linear in the parameters, the Hessian is the
// Gauss-Newton matrix and has no negative eigenvalue; with half the squared
// error it is X'X/N whatever the parameters.
func TestLinearModelsHaveNoResidual(t *testing.T) {
	for _, c := range linearCases {
		f := c.made(t)["graph"]
		if err := f.SetParameters(normal(rand.New(rand.NewPCG(4, 4)), f.Dim())); err != nil {
			t.Fatal(err)
		}
		residual, err := objective.Difference(f.Hessian(t.Context()), f.GaussNewton(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		r, _, err1 := objective.Matrix(residual)
		h, _, err2 := objective.Matrix(f.Hessian(t.Context()))
		if err1 != nil || err2 != nil || mat.Norm(r, 2) > 1e-12*mat.Norm(h, 2) {
			t.Errorf("%s: |H - G| = %g and |H| = %g", c.name, mat.Norm(r, 2), mat.Norm(h, 2))
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(h, false) || eigen.Values(nil)[0] < -1e-12*mat.Norm(h, 2) {
			t.Errorf("%s: the smallest eigenvalue is %g", c.name, eigen.Values(nil)[0])
		}
	}
	x := mat.NewDense(3, 2, []float64{1, 2, 3, 4, 5, 7})
	f, err := objective.NewLinear(x, []float64{1, 2, 3}, objective.LinearOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var want mat.Dense
	want.Mul(x.T(), x)
	want.Scale(1.0/3, &want)
	for _, w := range [][]float64{{0, 0}, {5, -3}} {
		if err := f.SetParameters(w); err != nil {
			t.Fatal(err)
		}
		if h, _, err := objective.Matrix(f.Hessian(t.Context())); err != nil || !mat.EqualApprox(h, &want, 1e-15) {
			t.Errorf("at %v the Hessian is not X'X/N (%v)", w, err)
		}
	}
}

func TestLinearRefuses(t *testing.T) {
	x := mat.NewDense(2, 1, []float64{1, 2})
	for says, c := range map[string]struct {
		targets []float64
		options objective.LinearOptions
	}{
		"2 rows":     {[]float64{1}, objective.LinearOptions{}},
		"target 1":   {[]float64{0, 2}, objective.LinearOptions{Family: objective.LogisticRegression}},
		"target 0":   {[]float64{3, 2}, objective.LinearOptions{Family: objective.SoftmaxRegression, Classes: 3}},
		"0 classes":  {[]float64{0, 1}, objective.LinearOptions{Family: objective.SoftmaxRegression}},
		"family 9":   {[]float64{0, 1}, objective.LinearOptions{Family: 9}},
		"from 0 to ": {[]float64{0, 0.5}, objective.LinearOptions{Family: objective.SoftmaxRegression, Classes: 3}},
	} {
		if _, err := objective.NewLinear(x, c.targets, c.options); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: want an error with %q", err, says)
		}
	}
}

func TestLinearProductsDoNotAllocate(t *testing.T) {
	for _, c := range linearCases {
		made := c.made(t)
		for _, name := range []string{"dense", "sparse"} {
			h := made[name].Hessian(t.Context())
			v, dst := make([]float64, h.Dim()), make([]float64, h.Dim())
			if n := testing.AllocsPerRun(20, func() {
				if err := h.Apply(dst, v); err != nil {
					t.Fatal(err)
				}
			}); n > 0 {
				t.Errorf("%s, %s: %g allocations a product", c.name, name, n)
			}
		}
	}
}

func ExampleLinear() {
	x := mat.NewDense(4, 1, []float64{-2, -1, 1, 2})
	f, err := objective.NewLinear(x, []float64{0, 0, 1, 1}, objective.LinearOptions{Family: objective.LogisticRegression})
	if err != nil {
		panic(err)
	}
	g, hv := make([]float64, 1), make([]float64, 1)
	loss, err := f.Gradient(context.Background(), g)
	if err != nil {
		panic(err)
	}
	if err := f.HessianVector(context.Background(), hv, []float64{1}); err != nil {
		panic(err)
	}
	fmt.Printf("loss %.3f, gradient %.2f, second derivative %.3f\n", loss, g[0], hv[0])
	// Output: loss 0.693, gradient -0.75, second derivative 0.625
}
