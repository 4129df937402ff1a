package zeroth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Optimizer minimises a black box on one machine with trajectory-informed
// gradients (ZoRD): Adam on the gradient of a Gaussian process that is fitted
// to all values seen so far, a few of them at points chosen for what they teach.
// The zero value takes one value a step and 10 at the start.
type Optimizer struct {
	// Surrogate are the settings of the process.
	Surrogate Settings
	// LearningRate is Adam's, in units of the unit cube. Default 0.01.
	LearningRate float64
	// Restart resets Adam's moments every so many steps, as rounds of FZooS do.
	// Default 0: never.
	Restart int
	// Start is the number of values around the first point, before the first
	// step, and StartRadius how far away in each coordinate. Default 10 and 0.01.
	Start       int
	StartRadius float64
	// Active is the number of values that a step spends on its surroundings.
	// Default 0. Negative is an error.
	Active int
	// ActiveRadius is how far away those are. Default 0.01.
	ActiveRadius float64
}

// Iterate is what an observer of Optimizer sees after each step. X must not be
// kept or changed.
type Iterate struct {
	Step  int
	Calls int64 // of the black box, so far
	X     []float64
	Value float64
}

// Result is the best point that an optimizer saw.
type Result struct {
	X           []float64
	Value       float64
	Steps       int
	Calls       int64
	LengthScale float64 // of the last fit
	// Stopped is why it ended before the last step: ErrBudget, ErrNotFinite or
	// the end of the context; nil otherwise.
	Stopped error
}

// Minimise goes down from start, a point of the unit cube. A used-up budget, a
// value that is not finite and the end of the context end it early with the best
// point so far, unless not even the first value was had. observe may be nil.
func (o *Optimizer) Minimise(ctx context.Context, e *Evaluator, start []float64, steps int, rng *rand.Rand, observe func(Iterate)) (Result, error) {
	if o.Start < 0 || o.Active < 0 || steps < 0 || o.Restart < 0 || o.LearningRate < 0 || o.StartRadius < 0 || o.ActiveRadius < 0 {
		return Result{}, fmt.Errorf("%d steps with %d values at the start and %d around each step: expected no negative setting", steps, o.Start, o.Active)
	}
	s, err := NewSurrogate(e.Dim(), o.Surrogate)
	if err != nil {
		return Result{}, err
	}
	w, err := NewWalk(e, s)
	if err != nil {
		return Result{}, err
	}
	w.Adam.LearningRate, w.Active, w.Radius = o.LearningRate, o.Active, o.ActiveRadius
	if len(start) != e.Dim() {
		return Result{}, fmt.Errorf("a start of %d numbers: expected %d", len(start), e.Dim())
	}
	done, err := o.walk(ctx, w, start, steps, rng, observe)
	if s.Len() == 0 {
		return Result{}, err
	}
	best := 0
	for i, y := range s.Values() {
		if y < s.Values()[best] {
			best = i
		}
	}
	result := Result{
		X: slices.Clone(s.Points()[best*e.Dim() : (best+1)*e.Dim()]), Value: s.Values()[best],
		Steps: done, Calls: e.Calls(), LengthScale: s.LengthScale(),
	}
	if errors.Is(err, ErrBudget) || errors.Is(err, ErrNotFinite) || (err != nil && ctx.Err() != nil) {
		result.Stopped, err = err, nil
	}
	return result, err
}

// walk takes the steps and returns how many there were.
func (o *Optimizer) walk(ctx context.Context, w *Walk, start []float64, steps int, rng *rand.Rand, observe func(Iterate)) (int, error) {
	count, radius := o.Start, o.StartRadius
	if count == 0 {
		count = 10
	}
	if radius == 0 {
		radius = 0.01
	}
	if err := w.Scatter(ctx, start, radius, count, rng); err != nil {
		return 0, err
	}
	if err := w.Begin(ctx, start); err != nil {
		return 0, err
	}
	for step := range steps {
		if o.Restart > 0 && step%o.Restart == 0 {
			w.Adam.Reset()
		}
		search := Nearby
		if step%10 == 0 {
			search = Everywhere
		}
		if err := w.Step(ctx, search, nil); err != nil {
			return step, err
		}
		if observe != nil {
			observe(Iterate{Step: step + 1, Calls: w.evaluator.Calls(), X: w.Point(), Value: w.Value()})
		}
		if err := w.Explore(ctx, rng); err != nil {
			return step + 1, err
		}
	}
	return steps, nil
}
