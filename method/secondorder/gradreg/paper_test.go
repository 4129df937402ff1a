package gradreg_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/secondorder/gradreg/problem"
)

// must returns a value that a test cannot go on without.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// gap are the limits of runs that end at f - optimum < 1e-8.
func gap(optimum float64) gradreg.Limits {
	return gradreg.Limits{Iterations: 10000, Gradient: math.NaN(), Optimum: optimum, Gap: 1e-8}
}

func minimize(t *testing.T, m gradreg.Method, f gradreg.Function, x0 []float64, limits gradreg.Limits, observe gradreg.Observer) *gradreg.Result {
	t.Helper()
	r, err := m.Minimize(t.Context(), f, x0, limits, observe)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Check 1. The twelve integers are those of a third party's run of the
// official code.
func TestRosenbrockTable(t *testing.T) {
	for i, p := range []float64{2, 3, 4, 5} {
		f := must(problem.NewPower(problem.Rosenbrock{}, p))
		for name, c := range map[string]struct {
			method gradreg.Method
			counts [4]int
		}{
			"exact":    {gradreg.Newton{Curvature: gradreg.Dense(f.Hessian)}, [4]int{51, 53, 55, 56}},
			"inexact":  {gradreg.Newton{Curvature: gradreg.Dense(f.Inexact)}, [4]int{49, 50, 55, 57}},
			"gradient": {gradreg.Gradient{Floor: 1e-5}, [4]int{6852, 4331, 2892, 2132}},
		} {
			r := minimize(t, c.method, f, []float64{-2, 2}, gap(0), nil)
			if math.Abs(float64(r.Iterations-c.counts[i])) > 1 || r.Status != gradreg.Converged {
				t.Errorf("p = %g, %s: %s after %d iterations, want %d", p, name, r.Status, r.Iterations, c.counts[i])
			}
		}
	}
}

// centred is log-sum-exp of m rows in n variables with its minimum at 0, and
// the metric A'A of the rows before they were centred.
func centred(seed uint64, m, n int, mu float64) (*problem.LogSumExp, *gradreg.Metric, float64) {
	draw := rand.New(rand.NewPCG(seed, 1))
	a, b := mat.NewDense(m, n, nil), make([]float64, m)
	for i := range m {
		for j := range n {
			a.Set(i, j, 2*draw.Float64()-1)
		}
		b[i] = 2*draw.Float64() - 1
	}
	gram := mat.NewSymDense(n, nil)
	gram.SymOuterK(1, a.T())
	for i := range n {
		gram.SetSym(i, i, gram.At(i, i)+1e-8)
	}
	moment, origin := make([]float64, n), make([]float64, n)
	must(problem.NewLogSumExp(a, b, mu)).ValueGradient(origin, moment)
	for i := range m {
		floats.Sub(a.RawRowView(i), moment)
	}
	f := must(problem.NewLogSumExp(a, b, mu))
	return f, must(gradreg.NewMetric(gram)), f.ValueGradient(origin, moment)
}

func ones(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

// separable is the specification's logistic regression of which all examples
// can be on the right side.
func separable(seed uint64) *problem.Logistic {
	const count, width, shift = 200, 20, 0.1
	draw := rand.New(rand.NewPCG(seed, 2))
	w := make([]float64, width)
	for j := range w {
		w[j] = draw.NormFloat64()
	}
	floats.Scale(1/floats.Norm(w, 2), w)
	a, labels := mat.NewDense(count, width, nil), make([]float64, count)
	for i := range labels {
		row := a.RawRowView(i)
		for j := range row {
			row[j] = draw.NormFloat64()
		}
		labels[i] = math.Copysign(1, floats.Dot(row, w))
		floats.AddScaled(row, shift*labels[i], w)
	}
	return must(problem.NewLogistic(a, labels, 0))
}

func cancer(t testing.TB, ridge float64) *problem.Logistic {
	table := must(data.Open(context.Background(), "breast-cancer", data.Options{}))
	all := make([]int, table.Rows)
	for i := range all {
		all[i] = i
	}
	encoder := must(data.Fit(table, all))
	features, classes := must(encoder.Features(table, all)), must(encoder.Labels(table, all))
	a, labels := mat.NewDense(table.Rows, encoder.Width(), nil), make([]float64, table.Rows)
	for i, x := range features {
		a.RawMatrix().Data[i] = float64(x)
	}
	for i, class := range classes {
		labels[i] = 2*float64(class) - 1
	}
	return must(problem.NewLogistic(a, labels, ridge))
}

// quartic is |Ax - b|^4/4 with b in the range of A, and the metric A'A.
func quartic(seed uint64, m, n int) (*problem.Power, *gradreg.Metric) {
	draw := rand.New(rand.NewPCG(seed, 3))
	a, x, b := mat.NewDense(m, n, nil), make([]float64, n), make([]float64, m)
	for i := range m {
		for j := range n {
			a.Set(i, j, 2*draw.Float64()-1)
		}
	}
	for j := range x {
		x[j] = 2*draw.Float64() - 1
	}
	mat.NewVecDense(m, b).MulVec(a, mat.NewVecDense(n, x))
	gram := mat.NewSymDense(n, nil)
	gram.SymOuterK(1, a.T())
	for i := range n {
		gram.SetSym(i, i, gram.At(i, i)+1e-8)
	}
	return must(problem.NewPower(problem.Linear{A: a, B: b}, 4)), must(gradreg.NewMetric(gram))
}

// audit checks the invariants of accepted steps: f falls, |h| <= gamma for an H
// that is not indefinite, and f falls by |g+|^2/(8 lambda), but for steps that
// the method took as rounding.
func audit(t *testing.T, name string) gradreg.Observer {
	slack := 1e-6
	if strings.HasSuffix(name, "indefinite") {
		slack = math.Inf(1)
	}
	return func(it gradreg.Iteration) {
		rounding := 8 * 0x1p-52 * math.Abs(it.Value)
		decrease, promised := it.Value-it.Next, it.NextGradient*it.NextGradient/(8*it.Lambda)
		if it.Moved && !it.Rounded && (decrease < -rounding || decrease < promised*(1-1e-9)-rounding || it.Length > it.Gamma*(1+slack)) {
			t.Errorf("%s, iteration %d: f falls by %g of %g, and |h| = %g for gamma = %g", name, it.Number, decrease, promised, it.Length, it.Gamma)
		}
	}
}

// Checks 2 and 7, on every problem and curvature: what holds for every accepted
// step, and that systems are at most 2K + 5 + max(0, log2(gamma_0/min gamma)).
func TestAcceptedStepsAndNumberOfSystems(t *testing.T) {
	lse, b, _ := centred(3, 40, 40, 1)
	fourth, gram := quartic(3, 20, 30)
	chain, rosenbrock := must(problem.NewPower(problem.Chebyshev{N: 20}, 4)), must(problem.NewPower(problem.Rosenbrock{}, 5))
	points, tumours := separable(3), cancer(t, 0.01)
	third := make([]float64, 20)
	for i := range third {
		third[i] = float64(i%7) / 7
	}
	for name, c := range map[string]struct {
		f       gradreg.Function
		h       gradreg.Curvature
		b       *gradreg.Metric
		x0      []float64
		maximum int
	}{
		"log-sum-exp, Hessian":      {lse, gradreg.Dense(lse.Hessian), b, ones(40), 100},
		"log-sum-exp, Gauss-Newton": {lse, gradreg.Dense(lse.GaussNewton), b, ones(40), 100},
		"log-sum-exp, zero":         {lse, gradreg.Zero{}, nil, ones(40), 100},
		"log-sum-exp, products":     {lse, gradreg.Product{Operator: lse}, b, ones(40), 100},
		"fourth power, rank one":    {fourth, gradreg.RankOne(fourth.Fisher), gram, ones(30), 100},
		"fourth power, shifted":     {fourth, gradreg.Dense(fourth.Hessian).Shifted(3), gram, ones(30), 100},
		"chain, inexact":            {chain, gradreg.Dense(chain.Inexact), nil, third, 100},
		"chain, indefinite":         {chain, gradreg.Dense(chain.Hessian), nil, third, 100},
		"Rosenbrock, indefinite":    {rosenbrock, gradreg.Dense(rosenbrock.Hessian), nil, []float64{-2, 2}, 100},
		"separable, Fisher":         {points, gradreg.Dense(points.Fisher), nil, make([]float64, 20), 100},
		"breast cancer, Hessian":    {tumours, gradreg.Dense(tumours.Hessian), nil, make([]float64, 30), 100},
	} {
		least, check := 1.0, audit(t, name)
		r := minimize(t, gradreg.Newton{Curvature: c.h, Metric: c.b, Offset: math.NaN()}, c.f, c.x0, gradreg.Limits{Iterations: c.maximum}, func(it gradreg.Iteration) {
			check(it)
			least = min(least, it.Gamma)
		})
		systems := float64(max(r.Counts.Solves, r.Counts.Factorisations))
		if bound := 2*float64(r.Iterations) + 5 + max(0, -math.Log2(least)); systems > bound || r.Iterations == 0 {
			t.Errorf("%s: %g systems in %d iterations, expected at most %g", name, systems, r.Iterations, bound)
		}
		if r.Status == gradreg.Diverged || r.Status == gradreg.Stalled {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
}

// Check 3. With the step sizes of theory Lemma 1 holds without a search.
func TestStepSizesOfTheory(t *testing.T) {
	for _, shape := range [][2]int{{100, 100}, {200, 50}} {
		f, b, optimum := centred(1, shape[0], shape[1], 1)
		r := minimize(t, gradreg.Newton{Curvature: gradreg.Dense(f.Hessian), Metric: b, Rule: gradreg.Fixed(0.5)}, f, ones(shape[1]), gap(optimum), audit(t, "log-sum-exp"))
		if r.Status != gradreg.Converged || r.Iterations > 250 {
			t.Errorf("log-sum-exp of %v: %s after %d iterations", shape, r.Status, r.Iterations)
		}
	}
	f := cancer(t, 0.01)
	r := minimize(t, gradreg.Newton{Curvature: gradreg.Dense(f.Hessian), Rule: gradreg.Fixed(1 / f.LargestRow())}, f, make([]float64, 30), gradreg.Limits{}, audit(t, "breast cancer"))
	if r.Status != gradreg.Converged || r.Iterations > 75 {
		t.Errorf("breast cancer: %s after %d iterations, the specification has 64", r.Status, r.Iterations)
	}
	x0 := ones(5)
	floats.Scale(10, x0)
	for goal, count := range map[float64]int{1: 8, 1e-2: 14, 1e-4: 20} {
		cubed := problem.CubedNorm{N: 5}
		r := minimize(t, gradreg.Newton{Curvature: gradreg.Dense(cubed.Hessian), Rule: gradreg.Hölder(2, 1)}, cubed, x0, gradreg.Limits{Gradient: goal}, audit(t, "|x|^3/3"))
		bound := max(2*math.Log(500/goal), 8*math.E*math.Pow(500, 1.5)/3*math.Pow(goal, -1.5))
		if r.Iterations != count || float64(r.Iterations) > bound {
			t.Errorf("|x|^3/3 to %g: %d iterations, want %d", goal, r.Iterations, count)
		}
	}
}

// Check 8 (i), on a smaller number of seeds than the study.
func TestGaussNewtonIsNearlyAsFastAsTheHessian(t *testing.T) {
	f, b, optimum := centred(11, 100, 100, 1)
	limits := gap(optimum)
	limits.Iterations = 1000
	full := minimize(t, gradreg.Newton{Curvature: gradreg.Dense(f.Hessian), Metric: b}, f, ones(100), limits, nil).Iterations
	own := minimize(t, gradreg.Newton{Curvature: gradreg.Dense(f.GaussNewton), Metric: b}, f, ones(100), limits, nil).Iterations
	if plain := minimize(t, gradreg.Gradient{}, f, ones(100), limits, nil); own > 60 || full > 60 || float64(own) > 2.5*float64(full) || plain.Status != gradreg.Exhausted {
		t.Errorf("exact %d, Gauss-Newton %d, gradient method %s after %d", full, own, plain.Status, plain.Iterations)
	}
}

// Check 8 (ii). Between the decades of the loss from 1e-4 to 1e-8 there are
// equally many iterations.
func TestFisherIsLinearOnSeparablePoints(t *testing.T) {
	f := separable(11)
	var at [9]int
	minimize(t, gradreg.Newton{Curvature: gradreg.Dense(f.Fisher)}, f, make([]float64, 20), gap(0), func(it gradreg.Iteration) {
		for decade := range at {
			if at[decade] == 0 && it.Next < math.Pow10(-decade) {
				at[decade] = it.Number
			}
		}
	})
	mean := float64(at[8]-at[4]) / 4
	for decade := 5; decade <= 8; decade++ {
		if count := float64(at[decade] - at[decade-1]); at[decade] == 0 || math.Abs(count/mean-1) > 0.2 {
			t.Errorf("decades are reached after %v iterations", at)
		}
	}
}

// Check 9.
func TestRankOneIsEnoughForTheFourthPower(t *testing.T) {
	f, b := quartic(11, 100, 200)
	full := minimize(t, gradreg.Newton{Curvature: gradreg.Dense(f.Hessian), Metric: b}, f, ones(200), gap(0), nil).Iterations
	own := minimize(t, gradreg.Newton{Curvature: gradreg.RankOne(f.Fisher), Metric: b}, f, ones(200), gap(0), nil)
	plain := minimize(t, gradreg.Gradient{}, f, ones(200), gap(0), nil).Iterations
	if own.Iterations > full+5 || float64(plain) < 2.5*float64(own.Iterations) || own.Counts.Factorisations != 0 {
		t.Errorf("Fisher term %d with %d factorisations, exact %d, gradient method %d", own.Iterations, own.Counts.Factorisations, full, plain)
	}
}

// Check 10, from three starts.
func TestChebyshevChain(t *testing.T) {
	f := must(problem.NewPower(problem.Chebyshev{N: 100}, 4))
	draw := rand.New(rand.NewPCG(11, 4))
	var own, plain []int
	for range 3 {
		x0 := make([]float64, 100)
		for i := range x0 {
			x0[i] = draw.Float64()
		}
		own = append(own, minimize(t, gradreg.Newton{Curvature: gradreg.Dense(f.Inexact)}, f, x0, gap(0), nil).Iterations)
		plain = append(plain, minimize(t, gradreg.Gradient{}, f, x0, gap(0), nil).Iterations)
	}
	slices.Sort(own)
	slices.Sort(plain)
	if own[1] > 25 || plain[1] < 6*own[1] {
		t.Errorf("inexact %v, gradient method %v", own, plain)
	}
}
