package gns

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/method/secondorder/gradreg/problem"
	"github.com/descentml/descent/study"
)

// shapes of log-sum-exp for the fixed step size, rows by variables.
var shapes = [][2]int{{100, 100}, {200, 50}}

// fixed runs log-sum-exp at gamma = mu/2.
func (e experiment) fixed(ctx context.Context, seed uint64) (study.Measured, error) {
	m := measured()
	for i, shape := range shapes {
		f, b, optimum, err := centred(seed, []uint64{streamLogSumExp, streamTall}[i], shape[0], shape[1], 1)
		if err != nil {
			return m, err
		}
		if err := race(ctx, m, f, repeated(1, shape[1]), optimum, 1000, []contestant{
			{fmt.Sprintf("%d by %d", shape[0], shape[1]), e.given(gradreg.Dense(f.Hessian), b, gradreg.Fixed(0.5))},
		}); err != nil {
			return m, err
		}
	}
	return m, nil
}

// gradients that the runs on |x|^3/3 go to.
var gradients = []float64{1, 1e-2, 1e-4}

// cancer runs the two other rules for gamma: 1/max |a_i| on a logistic
// regression, and sqrt(2 |g|/L) on |x|^3/3.
func (e experiment) cancer(ctx context.Context) (study.Measured, error) {
	m := measured()
	f, err := standardised(ctx, 0.01)
	if err != nil {
		return m, err
	}
	best, err := gradreg.Newton{Curvature: gradreg.Dense(f.Hessian)}.Minimize(ctx, f, make([]float64, f.Dim()), gradreg.Limits{Gradient: 1e-12}, nil)
	if err != nil {
		return m, err
	}
	err = race(ctx, m, f, make([]float64, f.Dim()), best.Value, 1000, []contestant{
		{"rule", e.given(gradreg.Dense(f.Hessian), nil, gradreg.Fixed(1/f.LargestRow()))},
		{exact, e.search(gradreg.Dense(f.Hessian), nil)}, {fisher, e.search(gradreg.Dense(f.Fisher), nil)}, {gradient, gradreg.Gradient{}},
	})
	if err != nil {
		return m, err
	}
	const lipschitz = 2
	cubed := problem.CubedNorm{N: 5}
	x0 := repeated(10, 5)
	g := make([]float64, 5)
	value := cubed.ValueGradient(x0, g)
	for _, goal := range gradients {
		t := newTrack(value, 0)
		r, err := e.given(gradreg.Dense(cubed.Hessian), nil, gradreg.Hölder(lipschitz, 1)).Minimize(ctx, cubed, x0, gradreg.Limits{Gradient: goal}, t.observe)
		if err != nil {
			return m, err
		}
		name := fmt.Sprintf("cubed to %g", goal)
		m.Values[name+iterations], m.Values[name+violations] = float64(r.Iterations), float64(t.violations)
		// The rate for gamma = |g|^alpha/M with alpha = 1/2 and M = sqrt(L/2).
		m.Values[name+" bound"] = max(2*math.Log(floats.Norm(g, 2)/goal), 8*math.E*math.Sqrt(lipschitz/2)*value*math.Pow(goal, -1.5))
	}
	return m, nil
}

// theory measures the errors of the stand-ins, limits and the scale.
func (e experiment) theory(ctx context.Context, seed uint64) (study.Measured, error) {
	m := measured()
	for _, part := range []func(context.Context, study.Measured, uint64) error{e.gaussNewtonError, e.fisherError, e.limits, e.scale} {
		if err := part(ctx, m, seed); err != nil {
			return m, err
		}
	}
	return m, nil
}

// points at which identities are checked.
const points = 100

// gaussNewtonError is how far |H - Hessian| is from |g|^2/mu, relatively.
func (e experiment) gaussNewtonError(ctx context.Context, m study.Measured, seed uint64) error {
	const n, mu = 30, 0.5
	f, _, _, err := centred(seed, streamPoints, n, n, mu)
	if err != nil {
		return err
	}
	draw, g := generator(seed, streamPoints+1), make([]float64, n)
	h, hessian := mat.NewSymDense(n, nil), mat.NewSymDense(n, nil)
	worst := 0.0
	for range points {
		x := uniform(draw, n, -2, 2)
		f.ValueGradient(x, g)
		f.GaussNewton(x, h)
		f.Hessian(x, hessian)
		want := floats.Dot(g, g) / mu
		worst = max(worst, math.Abs(spectral(h, hessian)-want)/want)
	}
	m.Values["Gauss-Newton error"] = worst
	return ctx.Err()
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

// fisherError is the largest |Fisher - Hessian| as a share of its bound
// f max |a|^2.
func (e experiment) fisherError(ctx context.Context, m study.Measured, seed uint64) error {
	f, err := standardised(ctx, 0)
	if err != nil {
		return err
	}
	n := f.Dim()
	draw, g := generator(seed, streamPoints+2), make([]float64, n)
	h, hessian := mat.NewSymDense(n, nil), mat.NewSymDense(n, nil)
	worst := 0.0
	for range points {
		if err := ctx.Err(); err != nil {
			return err
		}
		x := uniform(draw, n, -1, 1)
		bound := f.ValueGradient(x, g) * math.Pow(f.LargestRow(), 2)
		f.Fisher(x, h)
		f.Hessian(x, hessian)
		worst = max(worst, spectral(h, hessian)/bound)
	}
	m.Values["Fisher error"] = worst
	return nil
}

// limits measure that H = 0 is normalised gradient descent, that a quadratic
// takes one step, and that the solution by rank one is that of the matrix.
func (e experiment) limits(ctx context.Context, m study.Measured, seed uint64) error {
	const n = 20
	f, _, _, err := centred(seed, streamPoints, n, n, 1)
	if err != nil {
		return err
	}
	x0, g := repeated(1, n), make([]float64, n)
	f.ValueGradient(x0, g)
	one := gradreg.Limits{Iterations: 1}
	r, err := e.given(gradreg.Zero{}, nil, gradreg.Fixed(0.1)).Minimize(ctx, f, x0, one, nil)
	if err != nil {
		return err
	}
	want := append([]float64(nil), x0...)
	floats.AddScaled(want, -0.1/floats.Norm(g, 2), g)
	m.Values["normalised gradient"] = floats.Distance(r.X, want, math.Inf(1))

	draw := generator(seed, streamPoints+3)
	a, c := mat.NewDense(n, n, uniform(draw, n*n, -1, 1)), uniform(draw, n, -1, 1)
	q := mat.NewSymDense(n, nil)
	q.SymOuterK(1, a)
	for i := range n {
		q.SetSym(i, i, q.At(i, i)+1)
	}
	quadratic, err := problem.NewQuadratic(q, c)
	if err != nil {
		return err
	}
	r, err = e.newton(gradreg.Newton{Curvature: gradreg.Dense(quadratic.Hessian), Gamma: 1e12}).Minimize(ctx, quadratic, x0, gradreg.Limits{}, nil)
	if err != nil {
		return err
	}
	m.Values["quadratic"+iterations] = float64(r.Iterations)

	power, err := problem.NewPower(problem.Linear{A: a, B: c}, 4)
	if err != nil {
		return err
	}
	outer := func(x []float64, h *mat.SymDense) {
		u := mat.NewVecDense(n, nil)
		scale := power.Fisher(x, u.RawVector().Data)
		h.Zero()
		h.SymRankOne(h, scale, u)
	}
	quick, err := e.search(gradreg.RankOne(power.Fisher), nil).Minimize(ctx, power, x0, one, nil)
	if err != nil {
		return err
	}
	full, err := e.search(gradreg.Dense(outer), nil).Minimize(ctx, power, x0, one, nil)
	if err != nil {
		return err
	}
	m.Values["rank one"] = floats.Distance(quick.X, full.X, math.Inf(1)) / floats.Norm(full.X, math.Inf(1))
	return nil
}

// scaled is a function times a factor.
type scaled struct {
	gradreg.Function
	factor float64
}

func (s scaled) ValueGradient(x, gradient []float64) float64 {
	value := s.Function.ValueGradient(x, gradient)
	floats.Scale(s.factor, gradient)
	return s.factor * value
}

// scale is how far iterates move when f and H are multiplied by a number.
func (e experiment) scale(ctx context.Context, m study.Measured, seed uint64) error {
	const rows, n, steps = 200, 50, 8 // a metric that does not blow up rounding
	f, b, _, err := centred(seed, streamTall, rows, n, 1)
	if err != nil {
		return err
	}
	run := func(factor float64) ([]float64, error) {
		h := gradreg.Dense(func(x []float64, h *mat.SymDense) {
			f.Hessian(x, h)
			h.ScaleSym(factor, h)
		})
		r, err := e.search(h, b).Minimize(ctx, scaled{f, factor}, repeated(1, n), gradreg.Limits{Iterations: steps, Gradient: math.NaN()}, nil)
		if err != nil {
			return nil, err
		}
		return r.X, nil
	}
	plain, err := run(1)
	if err != nil {
		return err
	}
	worst := 0.0
	for _, factor := range []float64{1e-3, 1e3} {
		x, err := run(factor)
		if err != nil {
			return err
		}
		worst = max(worst, floats.Distance(x, plain, math.Inf(1)))
	}
	m.Values["scale"] = worst
	return nil
}
