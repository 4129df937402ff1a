package gradreg_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/secondorder/gradreg/problem"
)

// surface is a function of two variables for tests of outcomes.
type surface func(x, gradient []float64) float64

func (surface) Dim() int { return 2 }

func (f surface) ValueGradient(x, gradient []float64) float64 { return f(x, gradient) }

// bowl is |x|^2/2.
func bowl(x, gradient []float64) float64 {
	copy(gradient, x)
	return (x[0]*x[0] + x[1]*x[1]) / 2
}

func identity(_ []float64, h *mat.SymDense) {
	h.Zero()
	h.SetSym(0, 0, 1)
	h.SetSym(1, 1, 1)
}

var methods = map[string]func(b *gradreg.Metric) gradreg.Method{
	"Newton": func(b *gradreg.Metric) gradreg.Method {
		return gradreg.Newton{Curvature: gradreg.Dense(identity), Metric: b}
	},
	"gradient": func(b *gradreg.Metric) gradreg.Method { return gradreg.Gradient{Metric: b} },
	"fast":     func(b *gradreg.Metric) gradreg.Method { return gradreg.FastGradient{Metric: b} },
	"universal": func(b *gradreg.Metric) gradreg.Method {
		return gradreg.SuperUniversal{Curvature: gradreg.Dense(identity), Metric: b}
	},
	"cubic":  func(b *gradreg.Metric) gradreg.Method { return gradreg.Cubic{Hessian: identity, Metric: b} },
	"L-BFGS": func(b *gradreg.Metric) gradreg.Method { return gradreg.LBFGS{Metric: b} },
}

func TestBadInputIsAnError(t *testing.T) {
	if _, err := gradreg.NewMetric(mat.NewSymDense(2, []float64{1, 2, 2, 1})); err == nil || !strings.Contains(err.Error(), "not positive definite") {
		t.Errorf("an indefinite metric: %v", err)
	}
	if _, err := gradreg.NewMetric(mat.NewSymDense(1, []float64{math.NaN()})); err == nil {
		t.Error("a metric that is NaN")
	}
	three := must(gradreg.NewMetric(mat.NewSymDense(3, []float64{1, 0, 0, 0, 1, 0, 0, 0, 1})))
	for name, method := range methods {
		if _, err := method(nil).Minimize(t.Context(), surface(bowl), []float64{math.NaN(), 0}, gradreg.Limits{}, nil); !errors.Is(err, gradreg.ErrNotFinite) {
			t.Errorf("%s from NaN: %v", name, err)
		}
		if _, err := method(nil).Minimize(t.Context(), surface(bowl), []float64{1}, gradreg.Limits{}, nil); err == nil || !strings.Contains(err.Error(), "length 1") {
			t.Errorf("%s from a point of length 1: %v", name, err)
		}
		if _, err := method(three).Minimize(t.Context(), surface(bowl), []float64{1, 2}, gradreg.Limits{}, nil); err == nil || !strings.Contains(err.Error(), "order 3") {
			t.Errorf("%s in a metric of order 3: %v", name, err)
		}
	}
	for _, m := range []gradreg.Method{
		gradreg.Newton{Gamma: -1}, gradreg.Newton{Gamma: math.NaN()}, gradreg.Newton{Rounding: math.Inf(1)},
		gradreg.Gradient{L: -1}, gradreg.FastGradient{L: math.Inf(1)}, gradreg.Cubic{}, gradreg.Cubic{Hessian: identity, M: -1},
		gradreg.SuperUniversal{Exponent: 2}, gradreg.SuperUniversal{Factor: 1},
	} {
		if _, err := m.Minimize(t.Context(), surface(bowl), []float64{1, 2}, gradreg.Limits{}, nil); err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

// The start is left as it is, and one that is the minimum takes no iteration.
func TestStart(t *testing.T) {
	for name, method := range methods {
		x0 := []float64{3, -4}
		r := minimize(t, method(nil), surface(bowl), x0, gradreg.Limits{}, nil)
		if r.Status != gradreg.Converged || r.Gradient > 1e-8 || x0[0] != 3 || x0[1] != -4 {
			t.Errorf("%s: %+v, start %v", name, r, x0)
		}
		if r := minimize(t, method(nil), surface(bowl), []float64{0, 0}, gradreg.Limits{}, nil); r.Iterations != 0 || r.Status != gradreg.Converged {
			t.Errorf("%s from the minimum: %+v", name, r)
		}
		if r := minimize(t, method(nil), surface(bowl), x0, gradreg.Limits{Iterations: 1, Gradient: 1e-300}, nil); r.Iterations != 1 {
			t.Errorf("%s with a limit of one iteration: %d", name, r.Iterations)
		}
	}
}

// The end of a context ends every method, with what there is so far.
func TestContextEnds(t *testing.T) {
	f := must(problem.NewPower(problem.Rosenbrock{}, 2))
	for name, m := range map[string]gradreg.Method{
		"Newton": gradreg.Newton{Curvature: gradreg.Dense(f.Inexact)}, "gradient": gradreg.Gradient{}, "fast": gradreg.FastGradient{},
		"universal": gradreg.SuperUniversal{Curvature: gradreg.Dense(f.Inexact)}, "cubic": gradreg.Cubic{Hessian: f.Hessian}, "L-BFGS": gradreg.LBFGS{},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := m.Minimize(ctx, f, []float64{-2, 2}, gradreg.Limits{}, func(it gradreg.Iteration) {
			if it.Number == 3 {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) || r == nil || r.Iterations != 3 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// What goes wrong on the way is an outcome: a fixed step into where f is not
// defined diverges, and a search backs off from there.
func TestDivergenceIsAnOutcome(t *testing.T) {
	barrier := surface(func(x, gradient []float64) float64 { // x_1 - log x_1 + x_2^2/2
		gradient[0], gradient[1] = 1-1/x[0], x[1]
		return x[0] - math.Log(x[0]) + x[1]*x[1]/2
	})
	r := minimize(t, gradreg.Newton{Rule: gradreg.Fixed(100)}, barrier, []float64{3, 1}, gradreg.Limits{}, nil)
	if r.Status != gradreg.Diverged || r.X[0] != 3 || r.Iterations != 1 {
		t.Errorf("a long fixed step: %+v", r)
	}
	for _, m := range []gradreg.Method{gradreg.Newton{Gamma: 100}, gradreg.Gradient{L: 0.01}, gradreg.FastGradient{L: 0.01}, gradreg.SuperUniversal{M: 1e-3}} {
		if r := minimize(t, m, barrier, []float64{3, 1}, gradreg.Limits{Iterations: 3000, Gradient: 1e-6}, nil); r.Status != gradreg.Converged || math.Abs(r.X[0]-1) > 1e-5 {
			t.Errorf("%T: %+v", m, r)
		}
	}
}

// An H that is never positive definite, or NaN, stalls the search after its
// tries, and leaves x where it was.
func TestSearchStalls(t *testing.T) {
	for name, value := range map[string]float64{"indefinite": -1e30, "NaN": math.NaN()} {
		h := func(_ []float64, h *mat.SymDense) {
			identity(nil, h)
			h.SetSym(0, 0, value)
		}
		for _, m := range []gradreg.Method{
			gradreg.Newton{Curvature: gradreg.Dense(h)}, gradreg.Newton{Curvature: gradreg.Dense(h), Rule: gradreg.Fixed(1)},
			gradreg.SuperUniversal{Curvature: gradreg.Dense(h), Tries: 10},
			gradreg.Newton{Curvature: gradreg.Diagonal(func(_, d []float64) { d[0], d[1] = value, 1 })},
			gradreg.Newton{Curvature: gradreg.RankOne(func(_, u []float64) float64 { u[0], u[1] = 1, 0; return value })},
		} {
			var last gradreg.Iteration
			r := minimize(t, m, surface(bowl), []float64{1, 2}, gradreg.Limits{Iterations: 5}, func(it gradreg.Iteration) { last = it })
			if r.Status != gradreg.Stalled || r.X[0] != 1 || r.X[1] != 2 || last.Moved {
				t.Errorf("%s, %T: %+v", name, m, r)
			}
		}
	}
}

// Below the rounding of f the search goes on as long as the gradient falls.
func TestRoundingDoesNotStallTheSearch(t *testing.T) {
	high := surface(func(x, gradient []float64) float64 { return 1e12 + bowl(x, gradient) })
	r := minimize(t, gradreg.Newton{Curvature: gradreg.Dense(identity)}, high, []float64{1e-3, 1e-3}, gradreg.Limits{}, nil)
	if r.Status != gradreg.Converged {
		t.Errorf("%+v", r)
	}
}

func Example() {
	f, err := problem.NewPower(problem.Rosenbrock{}, 2) // half the Rosenbrock function
	if err != nil {
		panic(err)
	}
	m := gradreg.Newton{Curvature: gradreg.Dense(f.Inexact)} // J'J, always positive semidefinite
	r, err := m.Minimize(context.Background(), f, []float64{-2, 2}, gradreg.Limits{}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s at (%.6f, %.6f) after %d iterations and %d factorisations\n", r.Status, r.X[0], r.X[1], r.Iterations, r.Counts.Factorisations)
	// Output:
	// converged at (1.000000, 1.000000) after 51 iterations and 102 factorisations
}

// BenchmarkStep is a step of the search on 100 variables, which allocates
// nothing once it is warm.
func BenchmarkStep(b *testing.B) {
	f, metric, _ := centred(1, 100, 100, 1)
	for name, h := range map[string]gradreg.Curvature{
		"dense": gradreg.Dense(f.Hessian), "products": gradreg.Product{Operator: f}, "zero": gradreg.Zero{},
	} {
		b.Run(name, func(b *testing.B) {
			run := must(gradreg.Newton{Curvature: h, Metric: metric}.Start(f, ones(100)))
			b.ReportAllocs()
			for b.Loop() {
				must(run.Step(b.Context()))
				if err := run.Restart(ones(100), 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A step allocates nothing once it is warm.
func TestStepAllocatesNothing(t *testing.T) {
	f, metric, _ := centred(1, 30, 30, 1)
	start := ones(30)
	for name, h := range map[string]gradreg.Curvature{"dense": gradreg.Dense(f.Hessian), "products": gradreg.Product{Operator: f}, "zero": gradreg.Zero{}} {
		run := must(gradreg.Newton{Curvature: h, Metric: metric}.Start(f, start))
		if allocations := testing.AllocsPerRun(10, func() {
			must(run.Step(context.Background()))
			if err := run.Restart(start, 1); err != nil {
				t.Fatal(err)
			}
		}); allocations > 0 {
			t.Errorf("%s: %g allocations a step", name, allocations)
		}
	}
}
