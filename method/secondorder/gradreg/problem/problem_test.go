package problem_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/secondorder/gradreg/problem"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func random(seed uint64, n int) []float64 {
	draw := rand.New(rand.NewPCG(seed, 9))
	x := make([]float64, n)
	for i := range x {
		x[i] = draw.NormFloat64()
	}
	return x
}

func matrix(seed uint64, m, n int) *mat.Dense { return mat.NewDense(m, n, random(seed, m*n)) }

func signs(n int) []float64 {
	y := random(77, n)
	for i, x := range y {
		y[i] = math.Copysign(1, x)
	}
	return y
}

func classes(n, count int) []int {
	y := make([]int, n)
	for i := range y {
		y[i] = (i * i) % count
	}
	return y
}

// smooth is a function with its Hessian.
type smooth interface {
	gradreg.Function
	Hessian(x []float64, h *mat.SymDense)
}

var problems = map[string]smooth{
	"logistic":         must(problem.NewLogistic(matrix(1, 30, 5), signs(30), 0)),
	"logistic, ridge":  must(problem.NewLogistic(matrix(1, 30, 5), signs(30), 0.3)),
	"logistic, blocks": must(problem.NewLogistic(matrix(2, 40_000, 4), signs(40_000), 0)), // more than one block of rows
	"softmax":          must(problem.NewSoftmax(matrix(3, 30, 3), classes(30, 4), 4, 0.1)),
	"log-sum-exp":      must(problem.NewLogSumExp(matrix(4, 20, 6), random(5, 20), 0.7)),
	"square":           must(problem.NewPower(problem.Linear{A: matrix(6, 7, 5), B: random(7, 7)}, 2)),
	"third power":      must(problem.NewPower(problem.Linear{A: matrix(6, 7, 5), B: random(7, 7)}, 3)),
	"fourth power":     must(problem.NewPower(problem.Linear{A: matrix(6, 7, 5), B: random(7, 7)}, 4)),
	"Rosenbrock":       must(problem.NewPower(problem.Rosenbrock{}, 5)),
	"Rosenbrock, 2":    must(problem.NewPower(problem.Rosenbrock{}, 2)),
	"Chebyshev":        must(problem.NewPower(problem.Chebyshev{N: 6}, 4)),
	"quadratic":        must(problem.NewQuadratic(mat.NewSymDense(2, []float64{3, 1, 1, -2}), []float64{1, 2})),
	"cubed norm":       problem.CubedNorm{N: 4},
}

func TestGradientsAndHessiansAgainstFiniteDifferences(t *testing.T) {
	for name, f := range problems {
		n := f.Dim()
		for seed := range uint64(3) {
			x, gradient := random(100+seed, n), make([]float64, n)
			f.ValueGradient(x, gradient)
			want := fd.Gradient(nil, func(x []float64) float64 { return f.ValueGradient(x, make([]float64, n)) }, x, &fd.Settings{Formula: fd.Central})
			if d := floats.Distance(gradient, want, math.Inf(1)); d > 1e-6*(1+floats.Norm(want, math.Inf(1))) {
				t.Errorf("%s: gradient %v, by differences %v", name, gradient, want)
			}
			h, jacobian := mat.NewSymDense(n, nil), mat.NewDense(n, n, nil)
			for i := range n {
				h.SetSym(i, i, 1e9) // is written over
			}
			f.Hessian(x, h)
			fd.Jacobian(jacobian, func(g, x []float64) { f.ValueGradient(x, g) }, x, &fd.JacobianSettings{Formula: fd.Central})
			jacobian.Sub(jacobian, h)
			if d := mat.Max(jacobian); math.Max(d, -mat.Min(jacobian)) > 1e-5*(1+mat.Norm(h, 2)) {
				t.Errorf("%s: the Hessian is off by %g, it is\n%v", name, d, mat.Formatted(h))
			}
		}
	}
}

// Fisher's matrix is the mean of outer products of the gradients of single
// examples, which are problems of one example.
func TestFisherIsTheMeanOfOuterProducts(t *testing.T) {
	const count, n, k = 25, 3, 4
	a, labels, kinds := matrix(8, count, n), signs(count), classes(count, k)
	for name, c := range map[string]struct {
		fisher func(x []float64, h *mat.SymDense)
		dim    int
		single func(i int) gradreg.Function
	}{
		"logistic": {must(problem.NewLogistic(a, labels, 0)).Fisher, n, func(i int) gradreg.Function {
			return must(problem.NewLogistic(mat.NewDense(1, n, a.RawRowView(i)), labels[i:i+1], 0))
		}},
		"softmax": {must(problem.NewSoftmax(a, kinds, k, 0)).Fisher, n * k, func(i int) gradreg.Function {
			return must(problem.NewSoftmax(mat.NewDense(1, n, a.RawRowView(i)), kinds[i:i+1], k, 0))
		}},
	} {
		x, g := random(9, c.dim), make([]float64, c.dim)
		h, want := mat.NewSymDense(c.dim, nil), mat.NewSymDense(c.dim, nil)
		c.fisher(x, h)
		for i := range count {
			c.single(i).ValueGradient(x, g)
			want.SymRankOne(want, 1.0/count, mat.NewVecDense(c.dim, g))
		}
		if !mat.EqualApprox(h, want, 1e-12) {
			t.Errorf("%s: %v, want %v", name, mat.Formatted(h), mat.Formatted(want))
		}
	}
}

// spectral is the operator norm of a - b.
func spectral(a, b *mat.SymDense) float64 {
	n := a.SymmetricDim()
	d := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			d.SetSym(i, j, a.At(i, j)-b.At(i, j))
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(d, false) {
		return math.NaN()
	}
	values := eigen.Values(nil)
	return max(-values[0], values[n-1])
}

// Check 4. The weighted Gauss-Newton matrix is off by |g|^2/mu, and Fisher's by
// at most f max |a|^2 for logistic regression, at 100 random x.
func TestErrorsOfStandIns(t *testing.T) {
	const n, mu = 12, 0.6
	lse := must(problem.NewLogSumExp(matrix(10, 20, n), random(11, 20), mu))
	logistic := must(problem.NewLogistic(matrix(12, 40, n), signs(40), 0))
	own, full, g := mat.NewSymDense(n, nil), mat.NewSymDense(n, nil), make([]float64, n)
	for seed := range uint64(100) {
		x := random(1000+seed, n)
		lse.ValueGradient(x, g)
		lse.GaussNewton(x, own)
		lse.Hessian(x, full)
		if want := floats.Dot(g, g) / mu; math.Abs(spectral(own, full)-want) > 1e-10*want {
			t.Errorf("log-sum-exp: error %g, want %g", spectral(own, full), want)
		}
		bound := logistic.ValueGradient(x, g) * math.Pow(logistic.LargestRow(), 2)
		logistic.Fisher(x, own)
		logistic.Hessian(x, full)
		if err := spectral(own, full); err > bound {
			t.Errorf("logistic: error %g above %g", err, bound)
		}
	}
}

// The parts of the Hessian of a power add up, and vanish or stay finite where
// all residuals are zero.
func TestPartsOfPowers(t *testing.T) {
	for _, p := range []float64{2, 2.5, 3, 4, 5} {
		f := must(problem.NewPower(problem.Linear{A: matrix(6, 7, 5), B: random(7, 7)}, p))
		x, u := random(13, 5), make([]float64, 5)
		full, own := mat.NewSymDense(5, nil), mat.NewSymDense(5, nil)
		f.Hessian(x, full)
		f.GaussNewton(x, own)
		own.SymRankOne(own, f.Fisher(x, u), mat.NewVecDense(5, u))
		if !mat.EqualApprox(full, own, 1e-9*mat.Norm(full, 2)) {
			t.Errorf("p = %g: Gauss-Newton and Fisher term are not the Hessian of linear residuals", p)
		}
		rosenbrock := must(problem.NewPower(problem.Rosenbrock{}, p))
		for name, write := range map[string]func([]float64, *mat.SymDense){"Hessian": rosenbrock.Hessian, "inexact": rosenbrock.Inexact} {
			h := mat.NewSymDense(2, nil)
			write([]float64{1, 1}, h)
			want := mat.NewSymDense(2, nil)
			if p == 2 { // J'J
				want = mat.NewSymDense(2, []float64{401, -200, -200, 100})
			}
			if !mat.EqualApprox(h, want, 1e-12) {
				t.Errorf("p = %g, %s at the solution: %v", p, name, mat.Formatted(h))
			}
		}
	}
}

func TestOperatorsMultiplyByTheHessian(t *testing.T) {
	for name, f := range map[string]interface {
		smooth
		gradreg.Operator
	}{
		"logistic":    must(problem.NewLogistic(matrix(1, 30, 5), signs(30), 0.3)),
		"log-sum-exp": must(problem.NewLogSumExp(matrix(4, 20, 5), random(5, 20), 0.7)),
	} {
		x, v, hv := random(14, 5), random(15, 5), make([]float64, 5)
		h, want := mat.NewSymDense(5, nil), mat.NewVecDense(5, nil)
		f.Hessian(x, h)
		want.MulVec(h, mat.NewVecDense(5, v))
		f.Prepare(x)
		f.Times(hv, v)
		if floats.Distance(hv, want.RawVector().Data, math.Inf(1)) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, hv, want.RawVector().Data)
		}
	}
}

// The Hessian in float32 is near the Hessian, over more than one block of rows,
// and leads to the same minimum in as many iterations.
func TestHessianInFloat32(t *testing.T) {
	f := must(problem.NewLogistic(matrix(2, 70_000, 4), signs(70_000), 1e-3))
	x := random(16, 4)
	own, full := mat.NewSymDense(4, nil), mat.NewSymDense(4, nil)
	f.HessianFloat32(x, own)
	f.Hessian(x, full)
	if err := spectral(own, full); err > 1e-5*mat.Norm(full, 2) || err == 0 {
		t.Errorf("off by %g of %g", err, mat.Norm(full, 2))
	}
	var ends [2]*gradreg.Result
	for i, h := range []gradreg.Dense{f.Hessian, f.HessianFloat32} {
		ends[i] = must(gradreg.Newton{Curvature: h}.Minimize(t.Context(), f, x, gradreg.Limits{Gradient: 1e-9}, nil))
	}
	if ends[1].Status != gradreg.Converged || ends[1].Iterations > ends[0].Iterations+2 || floats.Distance(ends[0].X, ends[1].X, 2) > 1e-7 {
		t.Errorf("%+v, in float64 %+v", ends[1], ends[0])
	}
}

func TestLogLossStaysFinite(t *testing.T) {
	f := must(problem.NewLogistic(mat.NewDense(2, 1, []float64{1, 1}), []float64{1, -1}, 0))
	g := make([]float64, 1)
	for _, x := range []float64{1e4, -1e4} {
		if value := f.ValueGradient([]float64{x}, g); math.Abs(value-5000) > 1e-9 || math.Abs(math.Abs(g[0])-0.5) > 1e-12 {
			t.Errorf("at %g: %g with the gradient %g", x, value, g[0])
		}
	}
}

func TestBadProblemsAreErrors(t *testing.T) {
	a := matrix(1, 2, 3)
	for name, build := range map[string]func() error{
		"expected -1 or +1":         func() error { _, err := problem.NewLogistic(a, []float64{1, 0}, 0); return err },
		"3 labels for 2 examples":   func() error { _, err := problem.NewLogistic(a, []float64{1, 1, 1}, 0); return err },
		"ridge is -1":               func() error { _, err := problem.NewLogistic(a, []float64{1, 1}, -1); return err },
		"expected at least one":     func() error { _, err := problem.NewLogistic(nil, nil, 0); return err },
		"label 1 is 5":              func() error { _, err := problem.NewSoftmax(a, []int{0, 5}, 3, 0); return err },
		"1 classes":                 func() error { _, err := problem.NewSoftmax(a, []int{0, 0}, 1, 0); return err },
		"ridge is NaN":              func() error { _, err := problem.NewSoftmax(a, []int{0, 0}, 2, math.NaN()); return err },
		"mu = 0":                    func() error { _, err := problem.NewLogSumExp(a, []float64{1, 2}, 0); return err },
		"1 offsets":                 func() error { _, err := problem.NewLogSumExp(a, []float64{1}, 1); return err },
		"power 1.5":                 func() error { _, err := problem.NewPower(problem.Rosenbrock{}, 1.5); return err },
		"0 residuals":               func() error { _, err := problem.NewPower(problem.Chebyshev{}, 2); return err },
		"order 2 and a vector of 1": func() error { _, err := problem.NewQuadratic(mat.NewSymDense(2, nil), []float64{1}); return err },
	} {
		if err := build(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, expected %q", err, name)
		}
	}
}

func Example() {
	examples := mat.NewDense(4, 2, []float64{1, 0, 1, 1, 1, 2, 1, 3}) // a column of ones for the bias
	f, err := problem.NewLogistic(examples, []float64{-1, 1, -1, 1}, 0.01)
	if err != nil {
		panic(err)
	}
	r, err := gradreg.Newton{Curvature: gradreg.Dense(f.Hessian)}.Minimize(context.Background(), f, make([]float64, 2), gradreg.Limits{}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s after %d iterations: bias %.4f, slope %.4f\n", r.Status, r.Iterations, r.X[0], r.X[1])
	// Output:
	// converged after 6 iterations: bias -1.1392, slope 0.7957
}
