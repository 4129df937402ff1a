package separation

import (
	"context"
	"math"
)

// Settings are those of [Run].
type Settings struct {
	// MaxIterations is the number of steps after which an attempt ends without
	// success. Default 20,000.
	MaxIterations int
	// Observe, if not nil, is told of every iterate, the first and the last
	// included, with the model divided by the learning rate, which it must not
	// keep. An error ends the run with that error.
	Observe func(it Iterate, state []float64) error
}

// Result is how a run ended.
type Result struct {
	// Separated tells whether the last iterate has all examples on the right
	// side, and Iterations the number of steps before it: the first t with
	// z_i . theta_t > 0 for all i.
	Separated  bool
	Iterations int
	// State is the last model divided by the learning rate.
	State []float64
	// Losses and Wrong are those of every iterate, of which the first is 0.
	Losses []float64
	Wrong  []int
	// MaxLoss is the largest of the losses, and Increases counts the steps that
	// raised the loss.
	MaxLoss   float64
	Increases int
}

// Run runs a method from 0 until all examples are on the right side, which it
// looks at before every step. It ends with ctx's error when ctx ends. Data that
// no model separates is an outcome, not an error.
func Run(ctx context.Context, p *Problem, m Method, s Settings) (*Result, error) {
	d, err := NewDescent(p, m)
	if err != nil {
		return nil, err
	}
	limit := s.MaxIterations
	if limit <= 0 {
		limit = 20_000
	}
	r := &Result{MaxLoss: math.Inf(-1)}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		it := d.Measure()
		r.add(it)
		if s.Observe != nil {
			if err := s.Observe(it, d.State()); err != nil {
				return nil, err
			}
		}
		if it.Wrong == 0 || it.Step >= limit {
			r.Separated, r.Iterations, r.State = it.Wrong == 0, it.Step, d.State()
			return r, nil
		}
		d.Advance(1)
	}
}

// add records an iterate.
func (r *Result) add(it Iterate) {
	if count := len(r.Losses); count > 0 && it.Loss > r.Losses[count-1] {
		r.Increases++
	}
	r.MaxLoss = max(r.MaxLoss, it.Loss)
	r.Losses, r.Wrong = append(r.Losses, it.Loss), append(r.Wrong, it.Wrong)
}
