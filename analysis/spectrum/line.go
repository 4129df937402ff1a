package spectrum

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Valued is a loss as a function of parameters, as in package objective.
type Valued interface {
	Dim() int
	SetParameters(w []float64) error
	Value(ctx context.Context) (float64, error)
}

// Profile is a loss along a path: at positions At, 0 and 1 being its ends.
type Profile struct{ At, Loss []float64 }

// Even returns count positions from low to high, both included.
func Even(low, high float64, count int) []float64 {
	if count == 1 {
		return []float64{low}
	}
	return floats.Span(make([]float64, count), low, high)
}

// Line returns the loss at (1 - c) a + c b for every c in at. It leaves the
// loss at the last of these points.
func Line(ctx context.Context, f Valued, a, b, at []float64) (Profile, error) {
	if len(a) != f.Dim() || len(b) != f.Dim() {
		return Profile{}, fmt.Errorf("a line between %d and %d parameters: expected %d", len(a), len(b), f.Dim())
	}
	return profile(ctx, f, at, func(w []float64, c float64) {
		for i := range w {
			w[i] = (1-c)*a[i] + c*b[i]
		}
	})
}

// profile evaluates a loss along a path.
func profile(ctx context.Context, f Valued, at []float64, point func(w []float64, c float64)) (Profile, error) {
	p := Profile{At: at, Loss: make([]float64, len(at))}
	w := make([]float64, f.Dim())
	for i, c := range at {
		if err := ctx.Err(); err != nil {
			return Profile{}, err
		}
		point(w, c)
		if err := f.SetParameters(w); err != nil {
			return Profile{}, err
		}
		var err error
		if p.Loss[i], err = f.Value(ctx); err != nil {
			return Profile{}, err
		}
	}
	return p, nil
}

// Barrier is how far the loss between the ends rises above the higher end:
// max over [0, 1] less the larger of the losses at 0 and 1. It is 0 or below 0 by
// rounding where nothing stands between them, NaN if a loss there is NaN, and
// needs positions 0 and 1.
func (p Profile) Barrier() (float64, error) {
	highest, ends, found := math.Inf(-1), math.Inf(-1), 0
	const rounding = 1e-9 // of positions
	for i, c := range p.At {
		if c < -rounding || c > 1+rounding {
			continue
		}
		highest = max(highest, p.Loss[i]) // max keeps NaN
		if c < rounding || c > 1-rounding {
			ends, found = max(ends, p.Loss[i]), found+1
		}
	}
	if found < 2 {
		return 0, errors.New("a path without its ends 0 and 1: expected the loss at both")
	}
	return highest - ends, nil
}
