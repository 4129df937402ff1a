package zeroth

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// Adam is the update of that name on plain numbers, with b1 = 0.9, b2 = 0.999
// and epsilon 1e-8:
//
//	z <- z - lr mhat / (sqrt(vhat) + epsilon)
type Adam struct {
	// LearningRate is lr. Default 0.01.
	LearningRate float64

	step   int
	m1, m2 []float64
}

// Reset forgets the moments.
func (a *Adam) Reset() { a.step = 0 }

// Step moves z down the gradient g of the same length. A change of dimension
// resets it.
func (a *Adam) Step(z, g []float64) {
	const b1, b2, epsilon = 0.9, 0.999, 1e-8
	if a.step == 0 || len(a.m1) != len(z) {
		a.step, a.m1, a.m2 = 0, resize(a.m1, len(z)), resize(a.m2, len(z))
		clear(a.m1)
		clear(a.m2)
	}
	a.step++
	rate := a.LearningRate
	if rate == 0 {
		rate = 0.01
	}
	c1, c2 := 1-math.Pow(b1, float64(a.step)), 1-math.Pow(b2, float64(a.step))
	for i, v := range g {
		a.m1[i] = b1*a.m1[i] + (1-b1)*v
		a.m2[i] = b2*a.m2[i] + (1-b2)*v*v
		z[i] -= rate * a.m1[i] / c1 / (math.Sqrt(a.m2[i]/c2) + epsilon)
	}
}

// Walk goes down the gradient of a surrogate that learns from every value along
// the way. It is the local work of FZooS's clients and, alone, ZoRD.
type Walk struct {
	// Adam turns gradients into moves.
	Adam Adam
	// Active is how many values a step spends on points around it that teach
	// most about the gradient there. Default 0: none.
	Active int
	// Radius is how far from the point, in each coordinate, those are. Default 0.01.
	Radius float64
	// Explorer chooses them.
	Explorer Explorer

	evaluator *Evaluator
	surrogate *Surrogate
	z, g      []float64
	value     float64
}

// NewWalk makes a walk over the points of an evaluator and a surrogate of the
// same dimension.
func NewWalk(e *Evaluator, s *Surrogate) (*Walk, error) {
	if e.Dim() != s.Dim() {
		return nil, fmt.Errorf("a surrogate in %d dimensions for a black box of %d variables: expected the same", s.Dim(), e.Dim())
	}
	return &Walk{evaluator: e, surrogate: s, z: make([]float64, e.Dim()), g: make([]float64, e.Dim())}, nil
}

// Point is where the walk is. It must not be changed.
func (w *Walk) Point() []float64 { return w.z }

// Value is the function there.
func (w *Walk) Value() float64 { return w.value }

// Query asks for the value at a point and teaches it to the surrogate.
func (w *Walk) Query(ctx context.Context, x []float64) (float64, error) {
	y, err := w.evaluator.Value(ctx, x)
	if err == nil {
		w.surrogate.Add(x, y)
	}
	return y, err
}

// Scatter queries count points from x + radius U[-1,1]^d, clipped to the unit
// cube: what a walk needs to know before its first step.
func (w *Walk) Scatter(ctx context.Context, x []float64, radius float64, count int, rng *rand.Rand) error {
	random := Explorer{Random: true}
	return w.queryAll(ctx, random.Choose(w.surrogate, x, radius, count, rng))
}

func (w *Walk) queryAll(ctx context.Context, points []float64) error {
	for i := 0; i < len(points); i += len(w.z) {
		if _, err := w.Query(ctx, points[i:i+len(w.z)]); err != nil {
			return err
		}
	}
	return nil
}

// Begin puts the walk at x with fresh moments, and queries x.
func (w *Walk) Begin(ctx context.Context, x []float64) (err error) {
	if len(x) != len(w.z) {
		return fmt.Errorf("a walk from a point of %d numbers: expected %d", len(x), len(w.z))
	}
	w.Adam.Reset()
	copy(w.z, x)
	clip(w.z)
	w.value, err = w.Query(ctx, w.z)
	return err
}

// Step fits the surrogate, goes down its gradient, stays in the unit cube and
// queries the new point. correct, unless nil, changes the gradient g at z first.
func (w *Walk) Step(ctx context.Context, search Search, correct func(z, g []float64)) (err error) {
	if err := w.surrogate.Fit(w.z, search); err != nil {
		return err
	}
	w.surrogate.Gradient(w.z, w.g)
	if correct != nil {
		correct(w.z, w.g)
	}
	if norm := floats.Norm(w.g, math.Inf(1)); math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("the gradient at the walk's point: %w", ErrNotFinite)
	}
	w.Adam.Step(w.z, w.g)
	clip(w.z)
	w.value, err = w.Query(ctx, w.z)
	return err
}

// Explore queries Active points around the walk's point.
func (w *Walk) Explore(ctx context.Context, rng *rand.Rand) error {
	radius := w.Radius
	if radius == 0 {
		radius = 0.01
	}
	return w.ExploreAround(ctx, w.z, radius, w.Active, rng)
}

// ExploreAround queries count points from x + radius U[-1,1]^d, those that teach
// most about the gradient of a fit near x.
func (w *Walk) ExploreAround(ctx context.Context, x []float64, radius float64, count int, rng *rand.Rand) error {
	if count <= 0 {
		return nil
	}
	if !w.Explorer.Random {
		if err := w.surrogate.Fit(x, Keep); err != nil {
			return err
		}
	}
	return w.queryAll(ctx, w.Explorer.Choose(w.surrogate, x, radius, count, rng))
}

func clip(x []float64) {
	for i, v := range x {
		x[i] = min(max(v, 0), 1)
	}
}
