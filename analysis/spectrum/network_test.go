package spectrum_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/spectrum"
	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// classifier is a network of 20 inputs on n examples of 4 noisy clusters, at
// its initial weights of a seed.
func classifier(t testing.TB, specification string, n int, seed uint64) *objective.Risk {
	t.Helper()
	const inputs, classes = 20, 4
	rng := newRand(8)
	centres := make([]float64, inputs*classes)
	for i := range centres {
		centres[i] = rng.NormFloat64()
	}
	x, y := make([]float64, n*inputs), make([]int32, n)
	for i := range n {
		y[i] = int32(i % classes)
		for j := range inputs {
			x[i*inputs+j] = centres[int(y[i])*inputs+j] + 0.7*rng.NormFloat64()
		}
	}
	return risk(t, specification, objective.CrossEntropy, classes, seed,
		tensors.FromFlatDataAndDimensions(x, n, inputs), tensors.FromFlatDataAndDimensions(y, n, 1))
}

func risk(t testing.TB, specification string, loss objective.Loss, outputs int, seed uint64, x, y *tensors.Tensor) *objective.Risk {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.New(specification, model.Input{Width: x.Shape().Dimensions[1]})
	if err != nil {
		t.Fatal(err)
	}
	store := gomodel.NewStore()
	if err := store.SetRNGStateFromSeed(int64(seed)); err != nil {
		t.Fatal(err)
	}
	f, err := objective.NewRisk(objective.Model{
		Backend: backend, Store: store, DType: dtypes.Float64, Loss: loss,
		Outputs: func(scope *gomodel.Scope, x *graph.Node) *graph.Node { return net.Logits(scope, x, outputs) },
	}, x, y, objective.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// descend takes steps of gradient descent and returns the parameters.
func descend(t testing.TB, f *objective.Risk, rate float64, steps int) []float64 {
	t.Helper()
	w, g := make([]float64, f.Dim()), make([]float64, f.Dim())
	f.Parameters(w)
	for range steps {
		if _, err := f.Gradient(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		floats.AddScaled(w, -rate, g)
		if err := f.SetParameters(w); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// Against gonum's eigenvalues of exact Hessians: the density within a hundredth
// of the spectrum's width, extreme eigenvalues within 1e-8.
func TestHessiansOfNetworksAgainstExactEigenvalues(t *testing.T) {
	sizes := map[string]int{"mlp:16": 404, "mlp:10,8:activation=elu": 334}
	if !testing.Short() {
		sizes["mlp:40,16:activation=elu"] = 1564
	}
	for specification, dim := range sizes {
		f := classifier(t, specification, 150, 3)
		if f.Dim() != dim {
			t.Fatalf("%s has %d parameters, want %d", specification, f.Dim(), dim)
		}
		descend(t, f, 0.3, 60)
		h := f.Hessian(t.Context())
		matrix, asymmetry, err := objective.Matrix(h)
		if err != nil || asymmetry > 1e-12 {
			t.Fatalf("%s: asymmetry %g, %v", specification, asymmetry, err)
		}
		exact, err := spectrum.Eigenvalues(matrix)
		if err != nil {
			t.Fatal(err)
		}
		width := exact[0] - exact[dim-1]
		d, err := spectrum.Quadrature(t.Context(), h, spectrum.Quadratures{}, newRand(1))
		if err != nil {
			t.Fatal(err)
		}
		if w := spectrum.Wasserstein(d.Measure(), spectrum.Equal(exact)); !(w < 1e-2*width) {
			t.Errorf("%s: the density is %.2g of the width away", specification, w/width)
		}
		within(t, specification+": trace", d.Trace(), floats.Sum(exact))
		ends, err := spectrum.Extreme(t.Context(), h, spectrum.Extremes{Largest: 6, Smallest: 3}, newRand(2))
		if err != nil || !ends.Converged {
			t.Fatalf("%s: %+v, %v", specification, ends, err)
		}
		for i, p := range ends.Largest {
			if math.Abs(p.Value-exact[i]) > 1e-8*math.Abs(exact[i]) {
				t.Errorf("%s: eigenvalue %d is %.12g, want %.12g", specification, i, p.Value, exact[i])
			}
		}
		for i, p := range ends.Smallest {
			if want := exact[dim-1-i]; math.Abs(p.Value-want) > 1e-8*math.Abs(want) {
				t.Errorf("%s: eigenvalue %d from below is %.12g, want %.12g", specification, i, p.Value, want)
			}
		}
	}
}

// Check 3: the Gauss-Newton matrix has no more than N (k - 1) eigenvalues above
// zero with cross entropy, no more than N with one output, and no negative one.
func TestRankOfTheGaussNewtonMatrix(t *testing.T) {
	const n = 12
	x, y := make([]float64, 3*n), make([]float64, n)
	rng := newRand(9)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	for i := range y {
		y[i] = rng.NormFloat64()
	}
	one := risk(t, "mlp:8:activation=elu", objective.SquaredError, 1, 1,
		tensors.FromFlatDataAndDimensions(x, n, 3), tensors.FromFlatDataAndDimensions(y, n, 1))
	for name, c := range map[string]struct {
		f    *objective.Risk
		rank int
	}{
		"one output": {one, n},
		"softmax":    {classifier(t, "mlp:10:activation=elu", n, 1), 3 * n},
	} {
		matrix, _, err := objective.Matrix(c.f.GaussNewton(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		values, err := spectrum.Eigenvalues(matrix)
		if err != nil {
			t.Fatal(err)
		}
		if rank := spectrum.AboveCount(values, 1e-10*values[0]); rank > c.rank || rank < c.rank/2 || c.f.Dim() <= c.rank {
			t.Errorf("%s: rank %d of %d parameters, want at most %d", name, rank, c.f.Dim(), c.rank)
		}
		if last := values[len(values)-1]; last < -1e-12*values[0] {
			t.Errorf("%s: an eigenvalue of %g", name, last)
		}
	}
}

// The spectrum of the gradients' covariance is that of the matrix, whether there
// are more examples or more parameters; not centred it is the Fisher matrix's.
func TestCovarianceOfGradients(t *testing.T) {
	for _, n := range []int{30, 200} { // of 104 parameters
		f := classifier(t, "mlp:4", n, 5)
		got, err := spectrum.Covariance(t.Context(), f, false)
		if err != nil {
			t.Fatal(err)
		}
		matrix, _, err := objective.Matrix(f.Fisher(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		want, err := spectrum.Eigenvalues(matrix)
		if err != nil || len(got) != min(n, f.Dim()) || !floats.EqualApprox(got, want[:len(got)], 1e-10) {
			t.Errorf("%d examples: the spectrum is not the Fisher matrix's (%v)", n, err)
		}
		gradient := make([]float64, f.Dim())
		if _, err := f.Gradient(t.Context(), gradient); err != nil {
			t.Fatal(err)
		}
		matrix.SymRankOne(matrix, -1, mat.NewVecDense(len(gradient), gradient))
		if want, err = spectrum.Eigenvalues(matrix); err != nil {
			t.Fatal(err)
		}
		if got, err = spectrum.Covariance(t.Context(), f, true); err != nil || !floats.EqualApprox(got, want[:len(got)], 1e-10) {
			t.Errorf("%d examples: the spectrum is not that of the covariance (%v)", n, err)
		}
	}
}

// Between two ends of one training there is no barrier, between two trainings
// from other weights there is one on the line, and a curve goes around it.
func TestBarriersAndCurves(t *testing.T) {
	f := classifier(t, "mlp:16", 100, 1)
	a := descend(t, f, 0.3, 150)
	further := descend(t, f, 0.3, 100)
	b := descend(t, classifier(t, "mlp:16", 100, 2), 0.3, 150)
	at := spectrum.Even(-1, 2, 61)
	barrier := func(a, b []float64) float64 {
		line, err := spectrum.Line(t.Context(), f, a, b, at)
		if err != nil {
			t.Fatal(err)
		}
		height, err := line.Barrier()
		if err != nil {
			t.Fatal(err)
		}
		return height
	}
	same, other := barrier(a, further), barrier(a, b)
	if same > 1e-6 || other < 0.02 {
		t.Fatalf("barriers of %g and %g", same, other)
	}
	curve, err := spectrum.FindCurve(t.Context(), f, a, b, spectrum.Curves{Steps: 400, LearningRate: 0.3}, newRand(3))
	if err != nil {
		t.Fatal(err)
	}
	around, err := curve.Profile(t.Context(), f, spectrum.Even(0, 1, 21))
	if err != nil {
		t.Fatal(err)
	}
	height, err := around.Barrier()
	if err != nil || height > other/4 {
		t.Errorf("along the curve the barrier is %g, on the line %g (%v)", height, other, err)
	}
	if _, err := spectrum.FindCurve(t.Context(), f, a, b, spectrum.Curves{LearningRate: 1e300}, newRand(3)); err == nil {
		t.Error("steps of 1e300 do not diverge")
	}
}

// bowl is the sum of squares less a hill in the middle of [-1, 1].
type bowl struct{ w float64 }

func (b *bowl) Dim() int                        { return 1 }
func (b *bowl) SetParameters(w []float64) error { b.w = w[0]; return nil }
func (b *bowl) Value(context.Context) (float64, error) {
	return (1 - b.w*b.w) * (1 - b.w*b.w), nil
}

func TestBarrierOfADoubleWell(t *testing.T) {
	line, err := spectrum.Line(t.Context(), &bowl{}, []float64{-1}, []float64{1}, spectrum.Even(-1, 2, 31))
	if err != nil {
		t.Fatal(err)
	}
	if height, err := line.Barrier(); err != nil || math.Abs(height-1) > 1e-12 {
		t.Errorf("the barrier is %g, %v, want 1", height, err)
	}
	line.Loss[12] = math.NaN()
	if height, _ := line.Barrier(); !math.IsNaN(height) {
		t.Errorf("with NaN on the way the barrier is %g", height)
	}
	if _, err := (spectrum.Profile{At: []float64{0, 0.5}, Loss: []float64{1, 1}}).Barrier(); err == nil {
		t.Error("a path without its end has a barrier")
	}
}

func ExampleLine() {
	line, err := spectrum.Line(context.Background(), &bowl{}, []float64{-1}, []float64{1}, spectrum.Even(0, 1, 5))
	if err != nil {
		panic(err)
	}
	barrier, err := line.Barrier()
	if err != nil {
		panic(err)
	}
	fmt.Printf("barrier %.1f\n", barrier)
	// Output: barrier 1.0
}
