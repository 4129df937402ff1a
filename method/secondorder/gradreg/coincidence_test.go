package gradreg_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/secondorder/gradreg/problem"
)

var one = gradreg.Limits{Iterations: 1, Gradient: math.NaN()}

// Check 5. H = 0 is normalised gradient descent, in any metric.
func TestZeroIsTheNormalisedGradient(t *testing.T) {
	f, b, _ := centred(1, 12, 10, 1)
	g := make([]float64, 10)
	f.ValueGradient(ones(10), g)
	for name, metric := range map[string]*gradreg.Metric{"identity": nil, "A'A": b} {
		r := minimize(t, gradreg.Newton{Metric: metric, Rule: gradreg.Fixed(0.3)}, f, ones(10), one, nil)
		moved := make([]float64, 10)
		floats.SubTo(moved, r.X, ones(10))
		// |h| = gamma, and <g, h> = -gamma |g|_*: nothing else of that length descends as fast.
		if length, slope := metric.Norm(moved), floats.Dot(g, moved); math.Abs(length-0.3) > 1e-9 || math.Abs(slope+0.3*metric.DualNorm(g)) > 1e-9 {
			t.Errorf("%s: length %g, slope %g for |g| = %g", name, length, slope, metric.DualNorm(g))
		}
	}
}

// Check 5. A quadratic takes one step at a large gamma, by all methods that
// know the Hessian.
func TestQuadraticTakesOneStep(t *testing.T) {
	q := mat.NewSymDense(3, []float64{4, 1, 0, 1, 3, -1, 0, -1, 2})
	f := must(problem.NewQuadratic(q, []float64{1, 2, 3}))
	want := mat.NewVecDense(3, nil)
	if err := want.SolveVec(q, mat.NewVecDense(3, []float64{1, 2, 3})); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]gradreg.Method{
		"Newton":          gradreg.Newton{Curvature: gradreg.Dense(f.Hessian), Gamma: 1e12},
		"super-universal": gradreg.SuperUniversal{Curvature: gradreg.Dense(f.Hessian), M: 1e-12},
		"cubic":           gradreg.Cubic{Hessian: f.Hessian, M: 1e-12},
	} {
		r := minimize(t, m, f, []float64{5, -7, 9}, gradreg.Limits{}, nil)
		if r.Iterations != 1 || floats.Distance(r.X, want.RawVector().Data, 2) > 1e-8 {
			t.Errorf("%s: %v after %d iterations, want %v after 1", name, r.X, r.Iterations, want.RawVector().Data)
		}
	}
}

// Check 6. Multiplying f and H by a number changes no iterate.
func TestScaleChangesNothing(t *testing.T) {
	f, b, _ := centred(1, 200, 50, 1)
	run := func(factor float64) []float64 {
		h := gradreg.Dense(func(x []float64, h *mat.SymDense) {
			f.Hessian(x, h)
			h.ScaleSym(factor, h)
		})
		m := gradreg.Newton{Curvature: h, Metric: b, Offset: math.NaN()}
		return minimize(t, m, times{f, factor}, ones(50), gradreg.Limits{Iterations: 8, Gradient: math.NaN()}, nil).X
	}
	plain := run(1)
	for _, factor := range []float64{1e-3, 1e3} {
		if d := floats.Distance(run(factor), plain, math.Inf(1)); d > 1e-9 {
			t.Errorf("times %g moves x by %g", factor, d)
		}
	}
}

// times is a function multiplied by a number.
type times struct {
	gradreg.Function
	factor float64
}

func (f times) ValueGradient(x, gradient []float64) float64 {
	value := f.Function.ValueGradient(x, gradient)
	floats.Scale(f.factor, gradient)
	return f.factor * value
}

// fixture is a function of which only the start is of interest: a gradient.
type fixture []float64

func (f fixture) Dim() int { return len(f) }

func (f fixture) ValueGradient(x, gradient []float64) float64 {
	copy(gradient, f)
	return floats.Dot(f, x)
}

// Check 5 and more: all ways to solve a system agree with the matrix, in the
// identity and in other metrics, and solve it: (H + lambda B) h = -g, so that
// |h| <= gamma.
func TestCurvaturesSolveTheirSystems(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		number := rapid.Float64Range(-3, 3)
		vector := func(name string) []float64 { return rapid.SliceOfN(number, n, n).Draw(t, name) }
		g, u, d := fixture(vector("g")), vector("u"), vector("d")
		g[0] += 4 // not zero
		for i := range d {
			d[i] = math.Abs(d[i])
		}
		a, gamma := math.Abs(number.Draw(t, "a")), rapid.Float64Range(0.01, 100).Draw(t, "gamma")
		var b *gradreg.Metric
		bMatrix := mat.NewSymDense(n, nil)
		for i := range n {
			bMatrix.SetSym(i, i, 1)
		}
		if rapid.Bool().Draw(t, "metric") {
			bMatrix.SymRankOne(bMatrix, 1, mat.NewVecDense(n, vector("b")))
			b = must(gradreg.NewMetric(bMatrix))
		}
		outer := func(h *mat.SymDense) { h.SymRankOne(h, a, mat.NewVecDense(n, u)) }
		for name, c := range map[string]struct {
			h    gradreg.Curvature
			full func(h *mat.SymDense)
		}{
			"rank one": {gradreg.RankOne(func(_, out []float64) float64 { copy(out, u); return a }), outer},
			"diagonal": {gradreg.Diagonal(func(_, out []float64) { copy(out, d) }), func(h *mat.SymDense) {
				for i, x := range d {
					h.SetSym(i, i, x)
				}
			}},
			"product": {gradreg.Product{Operator: operator{u, a}, Tolerance: 1e-13}, outer},
			"zero":    {gradreg.Zero{}, func(*mat.SymDense) {}},
			"dense": {gradreg.Dense(func(_ []float64, h *mat.SymDense) { h.Zero(); outer(h) }).Shifted(0.5), func(h *mat.SymDense) {
				outer(h)
				for i := range n {
					h.SetSym(i, i, h.At(i, i)+0.5)
				}
			}},
		} {
			var it gradreg.Iteration
			r, err := gradreg.Newton{Curvature: c.h, Metric: b, Rule: gradreg.Fixed(gamma)}.Minimize(t.Context(), g, make([]float64, n), one, func(now gradreg.Iteration) { it = now })
			if err != nil {
				t.Fatal(err)
			}
			h := mat.NewSymDense(n, nil)
			c.full(h)
			product := mat.NewVecDense(n, nil)
			product.MulVec(h, mat.NewVecDense(n, r.X))
			metric := mat.NewVecDense(n, nil)
			metric.MulVec(bMatrix, mat.NewVecDense(n, r.X))
			product.AddScaledVec(product, it.Lambda, metric)
			product.AddVec(product, mat.NewVecDense(n, g))
			if size := mat.Norm(product, 2); !(size <= 1e-8*floats.Norm(g, 2)) || it.Length > gamma*(1+1e-9) {
				t.Fatalf("%s: residual %g of %g, |h| = %g for gamma = %g", name, size, floats.Norm(g, 2), it.Length, gamma)
			}
		}
	})
}

// operator is a u u'.
type operator struct {
	u []float64
	a float64
}

func (operator) Prepare([]float64) {}

func (o operator) Times(hv, v []float64) { floats.ScaleTo(hv, o.a*floats.Dot(o.u, v), o.u) }

// A search by products takes the way of the search by matrices.
func TestProductsTakeTheWayOfTheMatrix(t *testing.T) {
	f := cancer(t, 0.01)
	full := minimize(t, gradreg.Newton{Curvature: gradreg.Dense(f.Hessian)}, f, make([]float64, 30), gradreg.Limits{}, nil)
	own := minimize(t, gradreg.Newton{Curvature: gradreg.Product{Operator: f}}, f, make([]float64, 30), gradreg.Limits{}, nil)
	if own.Iterations != full.Iterations || floats.Distance(own.X, full.X, 2) > 1e-7 || own.Counts.Factorisations != 0 || own.Counts.Products == 0 {
		t.Errorf("products: %d iterations, %+v; matrices: %d", own.Iterations, own.Counts, full.Iterations)
	}
}

// The step of the cubic method is the minimiser of its model, over random
// points and along the way, for indefinite H too; and in the hard case, where
// the gradient has no part along the lowest eigenvector.
func TestCubicStepMinimisesItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 4
		number := rapid.Float64Range(-3, 3)
		vector := func(name string) []float64 { return rapid.SliceOfN(number, n, n).Draw(t, name) }
		h := mat.NewSymDense(n, nil)
		for i := range n {
			for j := i; j < n; j++ {
				h.SetSym(i, j, number.Draw(t, "h"))
			}
		}
		g := vector("g")
		g[1] += 4
		if rapid.Bool().Draw(t, "hard case") {
			for j := range n {
				h.SetSym(0, j, 0)
			}
			h.SetSym(0, 0, -20)
			g[0] = 0
		}
		m := rapid.Float64Range(0.1, 10).Draw(t, "M")
		f := must(problem.NewQuadratic(h, g))
		model := func(x []float64) float64 {
			return f.ValueGradient(x, make([]float64, n)) + m/6*math.Pow(floats.Norm(x, 2), 3)
		}
		r, err := gradreg.Cubic{Hessian: f.Hessian, M: m}.Minimize(t.Context(), f, make([]float64, n), one, nil)
		if err != nil {
			t.Fatal(err)
		}
		best := model(r.X)
		for range 20 {
			other := vector("other")
			for _, scale := range []float64{1, 1e-3} {
				x := append([]float64(nil), r.X...)
				floats.AddScaled(x, scale, other)
				if model(x) < best-1e-9*(1+math.Abs(best)) {
					t.Fatalf("the model is %g at the step and %g beside it", best, model(x))
				}
			}
			if model(other) < best-1e-9*(1+math.Abs(best)) {
				t.Fatalf("the model is %g at the step and %g at another point", best, model(other))
			}
		}
	})
}

// All methods find the minimum of a convex problem, in a metric too.
func TestMethodsAgree(t *testing.T) {
	f, b, optimum := centred(2, 60, 20, 1)
	h := gradreg.Dense(f.Hessian)
	for name, m := range map[string]gradreg.Method{
		"Newton": gradreg.Newton{Curvature: h, Metric: b}, "normalised": gradreg.Newton{Metric: b},
		"gradient": gradreg.Gradient{Metric: b}, "fast": gradreg.FastGradient{Metric: b},
		"super": gradreg.SuperUniversal{Curvature: h, Metric: b}, "super 0": gradreg.SuperUniversal{Curvature: h, Metric: b, Exponent: math.NaN()},
		"cubic": gradreg.Cubic{Hessian: f.Hessian, Metric: b}, "cubic, identity": gradreg.Cubic{Hessian: f.Hessian}, "L-BFGS": gradreg.LBFGS{Metric: b},
	} {
		count := 0
		r := minimize(t, m, f, ones(20), gap(optimum), func(it gradreg.Iteration) {
			if count++; it.Number != count || !it.Moved {
				t.Errorf("%s: iteration %d is number %d, moved %t", name, count, it.Number, it.Moved)
			}
		})
		if r.Status != gradreg.Converged || math.Abs(r.Value-optimum) > 1e-8 || r.Iterations != count || r.Counts.Gradients == 0 {
			t.Errorf("%s: %s at %g above the minimum after %d iterations, %d observed", name, r.Status, r.Value-optimum, r.Iterations, count)
		}
	}
}

// A run taken step by step, and one that starts again in the middle, go where
// Minimize goes.
func TestRestartGoesOn(t *testing.T) {
	f, b, _ := centred(2, 60, 20, 1)
	m := gradreg.Newton{Curvature: gradreg.Dense(f.Hessian), Metric: b}
	want := minimize(t, m, f, ones(20), gradreg.Limits{Iterations: 6, Gradient: math.NaN()}, nil)
	run := must(m.Start(f, ones(20)))
	for i := range 6 {
		if i == 3 {
			middle, gamma := append([]float64(nil), run.X()...), run.Gamma()
			run = must(m.Start(f, make([]float64, 20)))
			if err := run.Restart(middle, gamma); err != nil {
				t.Fatal(err)
			}
		}
		must(run.Step(t.Context()))
	}
	if !floats.Equal(run.X(), want.X) {
		t.Errorf("step by step %v, at once %v", run.X(), want.X)
	}
	if err := run.Restart(ones(20), 0); err == nil {
		t.Error("a restart at gamma = 0")
	}
	if err := run.Restart(ones(3), 1); err == nil {
		t.Error("a restart of another length")
	}
}
