package gradreg

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Gradient is the gradient method with a search for the constant L:
//
//	x+ = x - B^-1 g/L,  accepted if f(x+) <= f + g'(x+ - x) + L |x+ - x|^2/2.
//
// L is halved after each step and doubled at each failure. The paper's plots
// call it Gauss-Newton where B = A'A.
type Gradient struct {
	// Metric is B. Default the identity.
	Metric *Metric
	// L is the constant that the search begins with. Default 1.
	L float64
	// Floor is what L does not fall below. Default 0; the official code has
	// 1e-5, which slows the method down where the function is flat.
	Floor float64
	// Tries is the largest number of steps tried in one iteration. Default 100.
	Tries int
}

// Minimize implements [Method].
func (m Gradient) Minimize(ctx context.Context, f Function, x0 []float64, limits Limits, observe Observer) (*Result, error) {
	d, err := newDescent(m.L, m.Floor, m.Tries, f.Dim())
	if err != nil {
		return nil, err
	}
	run, err := newRun(f, m.Metric, x0, func(*engine) mover { return d })
	if err != nil {
		return nil, err
	}
	return minimize(ctx, run, limits, observe)
}

// descent is Gradient at work.
type descent struct {
	l, floor float64
	tries    int
	raised   []float64 // B^-1 g
}

func newDescent(l, floor float64, tries, dim int) (*descent, error) {
	d := &descent{l: number(l, 1), floor: number(floor, 0), tries: tries, raised: make([]float64, dim)}
	if !(d.l > 0) || math.IsInf(d.l, 0) {
		return nil, fmt.Errorf("setting L is %g: expected a finite number above 0", d.l)
	}
	if d.tries == 0 {
		d.tries = 100
	}
	return d, nil
}

func (d *descent) move(ctx context.Context, e *engine) (Iteration, error) {
	e.metric.raise(d.raised, e.now.gradient)
	it := Iteration{Lambda: math.NaN(), Gamma: math.NaN()}
	for it.Tries < d.tries {
		if err := ctx.Err(); err != nil {
			return it, err
		}
		it.Tries++
		for i, x := range d.raised {
			e.step[i] = -x / d.l
		}
		e.try()
		if d.passes(&e.now, &e.trial, e.step) {
			it.Moved, it.Lambda = true, d.l
			d.l = max(d.l/2, d.floor)
			return it, nil
		}
		d.l *= 2
	}
	return it, nil
}

// passes is the upper bound by L, whose two terms are -|g|_*^2/(2L) together,
// for the step -B^-1 g/L from one point to the other. Beyond rounding it asks
// that the gradient gets smaller.
func (d *descent) passes(from, to *point, step []float64) bool {
	promised := floats.Dot(from.gradient, step) / 2
	if to.value <= from.value+promised {
		return to.finite()
	}
	return math.Abs(to.value-from.value) <= 4*0x1p-52*math.Abs(from.value) && to.norm < from.norm
}

// FastGradient is Nesterov's accelerated gradient method with the search of
// [Gradient], for convex functions. Values do not fall in every step.
type FastGradient struct {
	Metric   *Metric // B. Default the identity.
	L, Floor float64 // as for [Gradient]
	Tries    int     // as for [Gradient]
}

// Minimize implements [Method].
func (m FastGradient) Minimize(ctx context.Context, f Function, x0 []float64, limits Limits, observe Observer) (*Result, error) {
	n := f.Dim()
	d, err := newDescent(m.L, m.Floor, m.Tries, n)
	if err != nil {
		return nil, err
	}
	run, err := newRun(f, m.Metric, x0, func(*engine) mover {
		a := &acceleration{descent: *d, v: append([]float64(nil), x0...)}
		a.y.x, a.y.gradient = make([]float64, n), make([]float64, n)
		return a
	})
	if err != nil {
		return nil, err
	}
	return minimize(ctx, run, limits, observe)
}

// acceleration is FastGradient at work: v is the point of the estimating
// sequence and weight A the sum of its coefficients a.
type acceleration struct {
	descent
	y      point
	v      []float64
	weight float64
}

func (d *acceleration) move(ctx context.Context, e *engine) (Iteration, error) {
	it := Iteration{Lambda: math.NaN(), Gamma: math.NaN()}
	for it.Tries < d.tries {
		if err := ctx.Err(); err != nil {
			return it, err
		}
		it.Tries++
		a := (1 + math.Sqrt(1+4*d.weight*d.l)) / (2 * d.l)
		for i, v := range d.v {
			d.y.x[i] = (a*v + d.weight*e.now.x[i]) / (a + d.weight)
		}
		e.evaluate(&d.y)
		e.metric.raise(d.raised, d.y.gradient)
		for i, x := range d.raised {
			e.step[i] = -x / d.l
			e.trial.x[i] = d.y.x[i] + e.step[i]
		}
		e.evaluate(&e.trial)
		if !d.passes(&d.y, &e.trial, e.step) {
			d.l *= 2
			continue
		}
		for i, x := range e.trial.x {
			e.step[i] = x - e.now.x[i]
			d.v[i] = x + d.weight/a*e.step[i]
		}
		d.weight += a
		it.Moved, it.Lambda = true, d.l
		d.l = max(d.l/2, d.floor)
		return it, nil
	}
	return it, nil
}
