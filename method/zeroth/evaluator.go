// Package zeroth minimises functions of which only values can be had: a
// simulator, a metric without a gradient, somebody else's service. Every value
// costs something, so every call goes through an Evaluator, which counts it.
//
// Two families of gradients are here. Finite differences along random
// directions (RGF, Sphere) spend new values on every gradient. A Surrogate, a
// Gaussian process through all values seen so far, spends none: its gradient is
// that of the fit, and its gradient uncertainty says where a further value
// teaches most. Features turn such a fit into a short vector of weights, which
// can be sent to others and averaged. Optimizer puts the surrogate to work on
// one machine; package fleet/federated/zeroth on many.
//
// Points lie in the unit cube [0,1]^d; map your own box to it.
//
// Source: Shu, Lin, Dai and Low, "Federated Zeroth-Order Optimization using
// Trajectory-Informed Surrogate Gradients", 2023, arXiv 2308.04077 (FZooS), and
// its ancestor on one machine, Shu, Dai, Sng, Verma, Jaillet and Low,
// "Zeroth-Order Optimization with Trajectory-Informed Derivative Estimation",
// ICLR 2023 (ZoRD).
package zeroth

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
)

// Function is a black box: its value at a point of the unit cube. It must not
// keep or change x, and ends with an error soon after its context.
type Function func(ctx context.Context, x []float64) (float64, error)

var (
	// ErrNotFinite says that a black box gave NaN or an infinity.
	ErrNotFinite = errors.New("the value is not finite")
	// ErrBudget says that an evaluator's limit of calls is used up.
	ErrBudget = errors.New("the budget of function values is used up")
)

// Evaluator is the one way to a black box: it keeps points inside of the unit
// cube, refuses values that are not finite and counts every call. One goroutine
// may use it at a time; Calls may be read by others.
type Evaluator struct {
	// Limit is the most calls; 0: no limit.
	Limit int64
	// Free leaves points as they are instead of clipping them to [0,1].
	Free bool

	function Function
	calls    atomic.Int64
	clipped  []float64
}

// NewEvaluator makes an evaluator of a function of dim variables.
func NewEvaluator(dim int, f Function) (*Evaluator, error) {
	if dim < 1 {
		return nil, fmt.Errorf("a black box of %d variables: expected at least 1", dim)
	}
	if f == nil {
		return nil, errors.New("there is no black box: expected a function")
	}
	return &Evaluator{function: f, clipped: make([]float64, dim)}, nil
}

// Dim is the number of variables.
func (e *Evaluator) Dim() int { return len(e.clipped) }

// Calls is the number of values asked for so far.
func (e *Evaluator) Calls() int64 { return e.calls.Load() }

// SetCalls sets the number of calls, for work that goes on from a saved state.
func (e *Evaluator) SetCalls(n int64) { e.calls.Store(n) }

// Value asks for the value at x, dim numbers. Its errors are those of the
// function and of the context, ErrNotFinite and ErrBudget. A call counts even
// if it fails.
func (e *Evaluator) Value(ctx context.Context, x []float64) (float64, error) {
	if len(x) != len(e.clipped) {
		return 0, fmt.Errorf("a point of %d numbers: expected %d", len(x), len(e.clipped))
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if e.Limit > 0 && e.calls.Load() >= e.Limit {
		return 0, ErrBudget
	}
	for i, v := range x {
		if math.IsNaN(v) {
			return 0, fmt.Errorf("coordinate %d of the point is NaN: expected a number", i)
		}
		if !e.Free {
			v = min(max(v, 0), 1)
		}
		e.clipped[i] = v
	}
	n := e.calls.Add(1)
	y, err := e.function(ctx, e.clipped)
	if err != nil {
		return 0, fmt.Errorf("call %d of the black box: %w", n, err)
	}
	if math.IsNaN(y) || math.IsInf(y, 0) {
		return 0, fmt.Errorf("call %d of the black box gave %v: %w", n, y, ErrNotFinite)
	}
	return y, nil
}
