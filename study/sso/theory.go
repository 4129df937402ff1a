package sso

import (
	"context"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/surrogate/linear"
	"github.com/descentml/descent/study"
)

// bound measures by how much the loss is above the surrogate, and that above
// where it started: numbers above rounding contradict the theory.
func (e experiment) bound(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	p, _, err := illConditioned(ctx, seed)
	if err != nil {
		return m, err
	}
	worst := math.Inf(-1)
	for _, count := range []int{1, 10, 100, exact} {
		before := p.Zero()
		_, err := linear.Run(ctx, p, p.Zero(), e.closedSSO(count, theory), linear.Plan{Steps: fullCalls, Observe: func(now linear.Progress) {
			if now.Step > 0 {
				g := linear.NewBound(p, before, theory).Value(now.Theta)
				worst = max(worst, p.Value(now.Theta)-g, g-p.Value(before))
			}
			before.Copy(now.Theta)
		}})
		if err != nil {
			return m, err
		}
	}
	m.Values["excess along runs"] = worst
	random := generator(seed, streamPoints)
	m.Values["excess at random points"] = excess(p, normal(random.NormFloat64, features, 1), theory, 1000, random.NormFloat64, 10)
	// At z_t = 0 the curvature of the loss is L, and small steps see it.
	m.Values["excess with twice the step"] = excess(p, p.Zero(), 2*theory, 1000, random.NormFloat64, 0.1)
	return m, ctx.Err()
}

// excess is the largest h - g at random points around theta.
func excess(p *linear.Problem, theta *mat.Dense, eta float64, points int, draw func() float64, scale float64) float64 {
	g, worst := linear.NewBound(p, theta, eta), math.Inf(-1)
	for range points {
		there := normal(draw, features, scale)
		there.Add(there, theta)
		worst = max(worst, p.Value(there)-g.Value(there))
	}
	return worst
}

func normal(draw func() float64, rows int, scale float64) *mat.Dense {
	m := mat.NewDense(rows, 1, nil)
	for i := range rows {
		m.Set(i, 0, scale*draw())
	}
	return m
}

// projection measures how far the method is from its closed forms.
func (e experiment) projection(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	random := generator(seed, streamPoints)
	gaps := []struct {
		name string
		of   func() (float64, error)
	}{
		{"pseudo-inverse", func() (float64, error) { return e.longInnerLoop(ctx, random.NormFloat64) }},
		{"least squares", func() (float64, error) { return e.leastSquares(ctx, random.NormFloat64) }},
		{"target space", func() (float64, error) { return e.targetSpace(ctx, seed) }},
		{"one inner step", func() (float64, error) { return e.oneInnerStep(ctx, seed) }},
	}
	for _, g := range gaps {
		value, err := g.of()
		if err != nil {
			return m, err
		}
		m.Values[g.name] = value
	}
	return m, nil
}

// drawn is a problem of normal features, with signs of normal numbers or the
// numbers as labels.
func drawn(draw func() float64, loss linear.Loss, n, d int) (*linear.Problem, error) {
	x, labels := mat.NewDense(n, d, nil), make([]float64, n)
	for i := range n {
		for j := range d {
			x.Set(i, j, draw())
		}
		labels[i] = draw()
		if _, ok := loss.(linear.Logistic); ok {
			labels[i] = math.Round((1 + math.Copysign(1, labels[i])) / 2)
		}
	}
	return linear.NewProblem(x, labels, loss)
}

// longInnerLoop compares 20000 inner steps with theta - eta X^+ G, for one
// example and for batches on either side of the number of features.
func (e experiment) longInnerLoop(ctx context.Context, draw func() float64) (float64, error) {
	worst := 0.0
	for _, n := range []int{1, 5, 20} {
		p, err := drawn(draw, linear.Logistic{}, n, 10)
		if err != nil {
			return 0, err
		}
		start := normal(draw, 10, 1)
		step := theory * p.Loss.Smoothness() / p.LargestCurvature()
		ends := [2]*mat.Dense{}
		for i, s := range []linear.Surrogate{{Inner: 20_000, Solver: linear.Fixed{Step: step}}, {Inner: exact}} {
			ends[i] = mat.DenseCopyOf(start)
			if _, err := linear.Run(ctx, p, ends[i], e.closed(s), linear.Plan{Steps: 1}); err != nil {
				return 0, err
			}
		}
		worst = max(worst, distance(ends[0], ends[1]))
	}
	return worst, nil
}

// leastSquares compares one exact step at eta = 1 on (z-y)^2/2 with the
// least-squares solution.
func (e experiment) leastSquares(ctx context.Context, draw func() float64) (float64, error) {
	p, err := drawn(draw, linear.Squared{}, 50, 10)
	if err != nil {
		return 0, err
	}
	var expected mat.Dense
	if err := expected.Solve(p.Features, mat.NewDense(50, 1, p.Labels)); err != nil {
		return 0, err
	}
	theta := normal(draw, 10, 1)
	_, err = linear.Run(ctx, p, theta, e.closed(linear.Surrogate{Rate: 1, Inner: exact}), linear.Plan{Steps: 1})
	return distance(theta, &expected), err
}

// targetSpace compares 20 exact steps in the weights with projected gradient
// descent in the targets.
func (e experiment) targetSpace(ctx context.Context, seed uint64) (float64, error) {
	p, _, err := illConditioned(ctx, seed)
	if err != nil {
		return 0, err
	}
	var qr mat.QR
	var q, coordinates, step, own mat.Dense
	qr.Factorize(p.Features)
	qr.QTo(&q)
	basis := q.Slice(0, examples, 0, features)
	z, g := mat.NewDense(examples, 1, nil), mat.NewDense(examples, 1, nil)
	worst := 0.0
	_, err = linear.Run(ctx, p, p.Zero(), e.closed(linear.Surrogate{Inner: exact}), linear.Plan{Steps: 20, Observe: func(now linear.Progress) {
		if now.Step > 0 {
			for i, y := range p.Labels {
				p.Loss.Value(z.RawRowView(i), y, g.RawRowView(i))
			}
			coordinates.Mul(basis.T(), g)
			step.Mul(basis, &coordinates)
			step.Scale(theory, &step)
			z.Sub(z, &step)
		}
		own.Mul(p.Features, now.Theta)
		own.Sub(&own, z)
		worst = max(worst, mat.Max(&own), -mat.Min(&own))
	}})
	return worst, err
}

// oneInnerStep is the relative distance of SSO with one inner step of a fixed
// size from (stochastic) gradient descent.
func (e experiment) oneInnerStep(ctx context.Context, seed uint64) (float64, error) {
	p, _, err := illConditioned(ctx, seed)
	if err != nil {
		return 0, err
	}
	worst := 0.0
	for _, batch := range []int{0, 25} {
		ends := [2]*mat.Dense{p.Zero(), p.Zero()}
		for i, method := range []linear.Method{e.closed(linear.Surrogate{Inner: 1, Solver: linear.Fixed{Step: 0.5}}), linear.Descent{Rate: 0.5}} {
			if _, err := linear.Run(ctx, p, ends[i], method, linear.Plan{Steps: 50, Batch: batch, Random: generator(seed, streamBatches)}); err != nil {
				return 0, err
			}
		}
		worst = max(worst, distance(ends[0], ends[1])/mat.Norm(ends[1], 2))
	}
	return worst, nil
}

// interpolation runs exact stochastic steps of a constant size on squared loss
// with labels that a model fits, and with others.
func (e experiment) interpolation(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	random := generator(seed, streamData)
	p, err := drawn(random.NormFloat64, linear.Squared{}, 200, 20)
	if err != nil {
		return m, err
	}
	var z mat.Dense
	z.Mul(p.Features, normal(random.NormFloat64, 20, 1))
	fitted := &linear.Problem{Features: p.Features, Labels: mat.Col(nil, 0, &z), Loss: p.Loss}
	for name, problem := range map[string]*linear.Problem{"fitted": fitted, "noisy": p} {
		_, lowest, err := problem.Minimize(ctx)
		if err != nil {
			return m, err
		}
		plan := linear.Plan{Steps: 1000, Batch: 10, Random: generator(seed, streamBatches)}
		if err := run(ctx, m, problem, lowest, name, e.closed(linear.Surrogate{Inner: exact}), plan); err != nil {
			return m, err
		}
	}
	return m, nil
}
