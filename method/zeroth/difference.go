package zeroth

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// RGF estimates a gradient by random gradient-free forward differences:
//
//	g = (1/q) sum_j ((f(x + mu u_j) - f(x)) / mu) u_j
//
// with q random directions u_j, made orthonormal. On a linear function g is
// (1/q) U U' grad f exactly, and its expectation is grad f / d: optimizers that
// normalise, such as Adam, do not mind, others want Unbiased. It costs q + 1
// values, one of them at x, and one more with a prior direction (PRGF).
type RGF struct {
	// Directions is q, at most d. Default: the smaller of 20 and d.
	Directions int
	// Step is mu. Default 0.01.
	Step float64
	// Unbiased multiplies by d, so that the expectation is the gradient of a
	// linear function.
	Unbiased bool

	directions, probe []float64 // (q+1) x d row by row, and d
}

func (r *RGF) check(d, extra int) (q int, step float64, err error) {
	q, step = r.Directions, r.Step
	if q == 0 {
		q = min(20, d-extra)
	}
	if step == 0 {
		step = 0.01
	}
	if q < 0 || q+extra > d || q+extra == 0 {
		return 0, 0, fmt.Errorf("%d orthonormal directions in %d dimensions: expected 1 to %d", q+extra, d, d)
	}
	if !(step > 0) || math.IsInf(step, 0) {
		return 0, 0, fmt.Errorf("a difference step of %g: expected a positive number", step)
	}
	return q, step, nil
}

// Estimate writes the gradient estimate at x into g and returns the value there.
// prior is an extra direction that is tried beside the random ones, such as the
// last update (PRGF); nil or zero: none.
func (r *RGF) Estimate(ctx context.Context, e *Evaluator, x, prior, g []float64, rng *rand.Rand) (value float64, err error) {
	d := e.Dim()
	if len(x) != d || len(g) != d || prior != nil && len(prior) != d {
		return 0, errLengths(d)
	}
	extra := 0
	if prior != nil && floats.Norm(prior, 2) > 0 {
		extra = 1
	}
	q, step, err := r.check(d, extra)
	if err != nil {
		return 0, err
	}
	q += extra
	r.directions = slices.Grow(r.directions[:0], q*d)[:q*d]
	if extra == 1 {
		copy(r.directions, prior)
	}
	for i := extra * d; i < q*d; i++ {
		r.directions[i] = rng.NormFloat64()
	}
	orthonormalise(r.directions, d)
	if value, err = e.Value(ctx, x); err != nil {
		return 0, err
	}
	scale := 1 / (step * float64(q))
	if r.Unbiased {
		scale *= float64(d)
	}
	r.probe = slices.Grow(r.probe[:0], d)[:d]
	clear(g)
	for u := range slices.Chunk(r.directions, d) {
		floats.AddScaledTo(r.probe, x, step, u)
		y, err := e.Value(ctx, r.probe)
		if err != nil {
			return 0, err
		}
		floats.AddScaled(g, scale*(y-value), u)
	}
	return value, nil
}

// orthonormalise makes the rows of a matrix with d columns orthonormal, in
// order. Each is projected twice, as once is not enough when rows are almost
// dependent.
func orthonormalise(rows []float64, d int) {
	for i := 0; i < len(rows); i += d {
		row := rows[i : i+d]
		for range 2 {
			floats.Scale(1/floats.Norm(row, 2), row)
			for j := 0; j < i; j += d {
				floats.AddScaled(row, -floats.Dot(row, rows[j:j+d]), rows[j:j+d])
			}
		}
		floats.Scale(1/floats.Norm(row, 2), row)
	}
}

// Sphere estimates a gradient as the original FedZO does:
//
//	g = (1/q) sum_j (d/mu) (f(x + mu v_j) - f(x)) v_j
//
// with v_j uniform on the unit sphere and independent. It is unbiased on linear
// functions and costs q + 1 values.
type Sphere struct {
	// Directions is q. Default 20.
	Directions int
	// Step is mu. Default 0.01.
	Step float64

	direction, probe []float64
}

// Estimate writes the gradient estimate at x into g and returns the value there.
// It has no use for a prior direction.
func (s *Sphere) Estimate(ctx context.Context, e *Evaluator, x, _, g []float64, rng *rand.Rand) (value float64, err error) {
	d, q, step := e.Dim(), s.Directions, s.Step
	if q == 0 {
		q = 20
	}
	if step == 0 {
		step = 0.01
	}
	if len(x) != d || len(g) != d {
		return 0, errLengths(d)
	}
	if q < 0 || !(step > 0) || math.IsInf(step, 0) {
		return 0, fmt.Errorf("%d directions with a difference step of %g: expected positive numbers", q, step)
	}
	if value, err = e.Value(ctx, x); err != nil {
		return 0, err
	}
	s.direction, s.probe = slices.Grow(s.direction[:0], d)[:d], slices.Grow(s.probe[:0], d)[:d]
	clear(g)
	for range q {
		for i := range s.direction {
			s.direction[i] = rng.NormFloat64()
		}
		floats.Scale(1/floats.Norm(s.direction, 2), s.direction)
		floats.AddScaledTo(s.probe, x, step, s.direction)
		y, err := e.Value(ctx, s.probe)
		if err != nil {
			return 0, err
		}
		floats.AddScaled(g, float64(d)*(y-value)/(step*float64(q)), s.direction)
	}
	return value, nil
}

func errLengths(d int) error {
	return fmt.Errorf("a point, direction or gradient of another length: expected %d numbers each", d)
}
