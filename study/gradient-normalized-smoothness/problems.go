package gns

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/secondorder/gradreg/problem"
	"github.com/descentml/descent/study"
)

// powers of the table on Rosenbrock's residuals.
var powers = []float64{2, 3, 4, 5}

// rosenbrock runs the table, and for the last power the field of the figure.
func (e experiment) rosenbrock(ctx context.Context) (study.Measured, error) {
	m := measured()
	for _, p := range powers {
		f, err := problem.NewPower(problem.Rosenbrock{}, p)
		if err != nil {
			return m, err
		}
		field := []contestant{
			{exact, e.search(gradreg.Dense(f.Hessian), nil)},
			{inexact, e.search(gradreg.Dense(f.Inexact), nil)},
			{gradient, gradreg.Gradient{}},
		}
		if p == powers[len(powers)-1] {
			field = append(field, contestant{normalised, e.search(gradreg.Zero{}, nil)},
				contestant{cubic, gradreg.Cubic{Hessian: f.Hessian}}, contestant{lbfgs, gradreg.LBFGS{}})
			field = append(field, older(gradreg.Dense(f.Inexact), nil)...)
		}
		for i := range field {
			field[i].name = atPower(field[i].name, p)
		}
		if err := race(ctx, m, f, []float64{-2, 2}, 0, 10_000, field); err != nil {
			return m, err
		}
	}
	return m, nil
}

func atPower(name string, p float64) string { return fmt.Sprintf("p=%g ", p) + name }

// starts of the chain of one seed.
const starts = 10

// chebyshev runs the chain from ten starts; the first has the field of the
// figure.
func (e experiment) chebyshev(ctx context.Context, preset study.Preset, seed uint64) (study.Measured, error) {
	m := measured()
	n := 100
	f, err := problem.NewPower(problem.Chebyshev{N: n}, 4)
	if err != nil {
		return m, err
	}
	draw := generator(seed, streamChebyshev)
	for i := range starts {
		field := []contestant{{inexact, e.search(gradreg.Dense(f.Inexact), nil)}, {gradient, gradreg.Gradient{}}}
		if i == 0 {
			field = append(field, contestant{exact, e.search(gradreg.Dense(f.Hessian), nil)},
				contestant{normalised, e.search(gradreg.Zero{}, nil)}, contestant{lbfgs, gradreg.LBFGS{}})
			if preset != study.Smoke { // eigenvalues take their time
				field = append(field, contestant{cubic, gradreg.Cubic{Hessian: f.Hessian}})
			}
		}
		for k := range field {
			field[k].name = atStart(field[k].name, i)
		}
		if err := race(ctx, m, f, uniform(draw, n, 0, 1), 0, 500, field); err != nil {
			return m, err
		}
	}
	return m, nil
}

func atStart(name string, i int) string { return fmt.Sprintf("start %d ", i+1) + name }

// gram is A'A + 1e-8 I as a metric.
func gram(a *mat.Dense) (*gradreg.Metric, error) {
	_, n := a.Dims()
	b := mat.NewSymDense(n, nil)
	b.SymOuterK(1, a.T())
	for i := range n {
		b.SetSym(i, i, b.At(i, i)+1e-8)
	}
	return gradreg.NewMetric(b)
}

// centred is log-sum-exp of m uniform rows in n variables, moved so that the
// minimum is at 0, and the metric of the rows before that.
func centred(seed, stream uint64, m, n int, mu float64) (f *problem.LogSumExp, b *gradreg.Metric, optimum float64, err error) {
	draw := generator(seed, stream)
	a, offsets := mat.NewDense(m, n, uniform(draw, m*n, -1, 1)), uniform(draw, m, -1, 1)
	if b, err = gram(a); err != nil {
		return nil, nil, 0, err
	}
	if f, err = problem.NewLogSumExp(a, offsets, mu); err != nil {
		return nil, nil, 0, err
	}
	origin, moment := make([]float64, n), make([]float64, n)
	f.ValueGradient(origin, moment)
	for i := range m {
		floats.Sub(a.RawRowView(i), moment)
	}
	if f, err = problem.NewLogSumExp(a, offsets, mu); err != nil {
		return nil, nil, 0, err
	}
	return f, b, f.ValueGradient(origin, moment), nil
}

// logSumExp runs the field on n rows in n variables from x = 1. The baselines
// that nothing is claimed of run in small cells alone.
func (e experiment) logSumExp(ctx context.Context, seed uint64, n int, all bool) (study.Measured, error) {
	m := measured()
	f, b, optimum, err := centred(seed, streamLogSumExp, n, n, 1)
	if err != nil {
		return m, err
	}
	hessian := gradreg.Dense(f.Hessian)
	field := []contestant{
		{exact, e.search(hessian, b)}, {gaussNewton, e.search(gradreg.Dense(f.GaussNewton), b)}, {conditioned, gradreg.Gradient{Metric: b}},
	}
	field = append(field, older(hessian, b)...)
	if all {
		field = append(field, contestant{gradient, gradreg.Gradient{}}, contestant{accelerated, gradreg.FastGradient{Metric: b}},
			contestant{normalised, e.search(gradreg.Zero{}, b)}, contestant{cubic, gradreg.Cubic{Hessian: f.Hessian, Metric: b}}, contestant{lbfgs, gradreg.LBFGS{}})
	}
	return m, race(ctx, m, f, repeated(1, n), optimum, 1500, field)
}

// quartic runs |Ax - b|^4/4 with 100 rows in 200 variables and b in the range.
func (e experiment) quartic(ctx context.Context, seed uint64) (study.Measured, error) {
	const rows, n = 100, 200
	m, draw := measured(), generator(seed, streamQuartic)
	a, solution, b := mat.NewDense(rows, n, uniform(draw, rows*n, -1, 1)), mat.NewVecDense(n, uniform(draw, n, -1, 1)), mat.NewVecDense(rows, nil)
	b.MulVec(a, solution)
	f, err := problem.NewPower(problem.Linear{A: a, B: b.RawVector().Data}, 4)
	if err != nil {
		return m, err
	}
	metric, err := gram(a)
	if err != nil {
		return m, err
	}
	return m, race(ctx, m, f, repeated(1, n), 0, 2000, []contestant{
		{exact, e.search(gradreg.Dense(f.Hessian), metric)}, {fisherTerm, e.search(gradreg.RankOne(f.Fisher), metric)},
		{gradient, gradreg.Gradient{}}, {conditioned, gradreg.Gradient{Metric: metric}},
		{normalised, e.search(gradreg.Zero{}, metric)}, {lbfgs, gradreg.LBFGS{}},
	})
}

// decades of the loss between which iterations are counted.
const firstDecade, lastDecade = 4, 8

// separable runs logistic regression that all examples can be right in.
func (e experiment) separable(ctx context.Context, seed uint64) (study.Measured, error) {
	const count, width, shift = 200, 20, 0.1
	m, draw := measured(), generator(seed, streamSeparable)
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
	f, err := problem.NewLogistic(a, labels, 0)
	if err != nil {
		return m, err
	}
	if err := race(ctx, m, f, make([]float64, width), 0, 3000, []contestant{
		{fisher, e.search(gradreg.Dense(f.Fisher), nil)}, {exact, e.search(gradreg.Dense(f.Hessian), nil)}, {gradient, gradreg.Gradient{}},
	}); err != nil {
		return m, err
	}
	gap := m.Curves[fisher]
	last := math.NaN()
	for decade := firstDecade; decade <= lastDecade; decade++ {
		at := crossing(gap, math.Pow10(-decade))
		if decade > firstDecade {
			m.Values[fmt.Sprintf("decade %d", decade)] = at - last
		}
		last = at
	}
	return m, nil
}

// crossing is the first x at which y is below a level; NaN if there is none.
func crossing(c study.Curve, level float64) float64 {
	for i, y := range c.Y {
		if y < level {
			return c.X[i]
		}
	}
	return math.NaN()
}

// standardised is logistic regression on all examples of breast cancer.
func standardised(ctx context.Context, ridge float64) (*problem.Logistic, error) {
	table, err := data.Open(ctx, "breast-cancer", data.Options{})
	if err != nil {
		return nil, err
	}
	all := make([]int, table.Rows)
	for i := range all {
		all[i] = i
	}
	encoder, err := data.Fit(table, all)
	if err != nil {
		return nil, err
	}
	features, err := encoder.Features(table, all)
	if err != nil {
		return nil, err
	}
	classes, err := encoder.Labels(table, all)
	if err != nil {
		return nil, err
	}
	numbers, labels := make([]float64, len(features)), make([]float64, len(classes))
	for i, x := range features {
		numbers[i] = float64(x)
	}
	for i, class := range classes {
		labels[i] = 2*float64(class) - 1
	}
	return problem.NewLogistic(mat.NewDense(table.Rows, encoder.Width(), numbers), labels, ridge)
}
