package spectrum

import (
	"context"
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// Differentiable is a loss with its gradient, as in package objective.
type Differentiable interface {
	Valued
	// Gradient sets dst to the gradient at the parameters and returns the loss.
	Gradient(ctx context.Context, dst []float64) (float64, error)
}

// Curves are the settings of [FindCurve]; zero values are the defaults.
type Curves struct {
	Steps        int     // gradients of the loss, 500 by default
	LearningRate float64 // of gradient descent with momentum 0.9, 0.1 by default
}

// Curve is the quadratic Bézier curve (1 - t)² a + 2 t (1 - t) m + t² b.
type Curve struct{ A, Middle, B []float64 }

// FindCurve looks for a path of low loss between two solutions: a quadratic
// Bézier curve whose middle point minimises the mean loss along it, by
// stochastic gradient descent over points t drawn evenly from [0, 1] (Garipov
// et al., NeurIPS 2018, section 3). It begins at the straight line. Steps that
// diverge are an error.
func FindCurve(ctx context.Context, f Differentiable, a, b []float64, c Curves, rng *rand.Rand) (*Curve, error) {
	if c.Steps == 0 {
		c.Steps = 500
	}
	if c.LearningRate == 0 {
		c.LearningRate = 0.1
	}
	if len(a) != f.Dim() || len(b) != f.Dim() || c.Steps < 0 || !(c.LearningRate > 0) {
		return nil, fmt.Errorf("a curve between %d and %d parameters, %d steps at learning rate %g: expected %d parameters and positive settings",
			len(a), len(b), c.Steps, c.LearningRate, f.Dim())
	}
	curve := &Curve{A: a, Middle: make([]float64, f.Dim()), B: b}
	floats.AddTo(curve.Middle, a, b)
	floats.Scale(0.5, curve.Middle)
	w, gradient, velocity := make([]float64, f.Dim()), make([]float64, f.Dim()), make([]float64, f.Dim())
	for range c.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t := rng.Float64()
		curve.Point(w, t)
		if err := f.SetParameters(w); err != nil {
			return nil, fmt.Errorf("the search for a curve at learning rate %g diverged: %w", c.LearningRate, err)
		}
		if _, err := f.Gradient(ctx, gradient); err != nil {
			return nil, err
		}
		// The middle moves the point by 2 t (1 - t) of its own movement.
		floats.Scale(momentum, velocity)
		floats.AddScaled(velocity, -c.LearningRate*2*t*(1-t), gradient)
		floats.Add(curve.Middle, velocity)
	}
	return curve, nil
}

const momentum = 0.9

// Point sets dst to the point at t.
func (c *Curve) Point(dst []float64, t float64) {
	for i := range dst {
		dst[i] = (1-t)*(1-t)*c.A[i] + 2*t*(1-t)*c.Middle[i] + t*t*c.B[i]
	}
}

// Profile returns the loss along the curve. It leaves the loss at the last point.
func (c *Curve) Profile(ctx context.Context, f Valued, at []float64) (Profile, error) {
	return profile(ctx, f, at, c.Point)
}
