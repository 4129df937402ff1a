// Package gradreg minimises smooth functions of up to a few thousand variables
// by Newton steps that are regularised by the norm of the gradient: Semenov,
// Jaggi and Doikov, "Gradient-Normalized Smoothness for Optimization with
// Approximate Hessians", ICLR 2026.
//
// [Newton] is the method: at x with the gradient g it solves
//
//	(H(x) + lambda B) h = -g,  lambda = |g|_*/gamma,
//
// and goes to x + h. H(x) is the Hessian or any positive semidefinite stand-in
// for it, a [Curvature]: a Gauss-Newton or a Fisher matrix, a matrix of rank
// one, a diagonal, products with vectors, or zero, which makes the method
// normalised gradient descent. B is a [Metric] with |h|^2 = h'Bh and
// |s|_*^2 = s'B^-1 s; the identity by default. The step size gamma bounds the
// step, |h| <= gamma where H is not indefinite, and is searched for: there is nothing to tune, far from
// the solution the method does not diverge, and near to it steps grow into
// Newton's.
//
// The methods that the paper compares with are here too: [Gradient],
// [FastGradient], [SuperUniversal] and [Cubic], with [LBFGS] of gonum. All are
// a [Method] and report to the same [Observer]. Package problem below has
// functions to minimise, and package network trains small networks.
//
// Everything is float64 and runs on gonum's BLAS, so that
// kernel.UseInGonum of package backend/kernel speeds it up.
package gradreg

import (
	"context"
	"errors"
	"fmt"
	"math"
)

// Function is what is minimised.
type Function interface {
	// Dim is the number of variables, at least 1.
	Dim() int
	// ValueGradient returns f(x) and writes its gradient. It keeps neither
	// slice. Where f is not defined it returns NaN or an infinity.
	ValueGradient(x, gradient []float64) float64
}

// Method is a way to minimise a function.
type Method interface {
	// Minimize goes from x0, which it leaves as it is, until one of the limits
	// is reached. observe may be nil; it is told of every iteration.
	//
	// It is an error if the lengths of x0, the function and the metric differ,
	// if a setting is out of its range, if the value or the gradient at x0 is
	// not finite, or if ctx ends; the result so far comes with the error of
	// ctx.
	Minimize(ctx context.Context, f Function, x0 []float64, limits Limits, observe Observer) (*Result, error)
}

// Limits say when a minimisation ends. The zero value is of use.
type Limits struct {
	// Iterations is the largest number of them. Default 1000.
	Iterations int
	// Gradient ends where the dual norm of the gradient is at most that.
	// Default 1e-8; NaN never ends.
	Gradient float64
	// Gap ends where f(x) - Optimum < Gap. Default 0, which never ends.
	Optimum, Gap float64
}

func (l Limits) reached(f, norm float64) bool {
	return norm <= l.Gradient || norm == 0 || f-l.Optimum < l.Gap
}

// ErrNotFinite is the error of a minimisation that would begin where the
// function is NaN or infinite.
var ErrNotFinite = errors.New("the function is not finite at the start, expected a finite value and gradient")

// Counts say what a minimisation has cost so far.
type Counts struct {
	Gradients      int // evaluations of the function, always with its gradient
	Curvatures     int // matrices H(x) made
	Factorisations int // Cholesky and eigenvalue factorisations, failed ones with them
	Solves         int // solutions of a regularised system
	Products       int // products of H with a vector, by [Product]
}

// Iteration is what happened in one of them.
type Iteration struct {
	Number int       // from 1
	X      []float64 // point reached; valid until the observer returns
	// Value and Gradient are f and the dual norm of its gradient before the
	// step, Next and NextGradient after it.
	Value, Gradient, Next, NextGradient float64
	Length                              float64 // |h| in the metric
	// Lambda and Gamma are the accepted regularisation |g|_*/gamma and step
	// size; NaN if the method has none.
	Lambda, Gamma float64
	Tries         int // steps tried, the accepted one with them
	// Moved is false if no step was accepted, so that x stayed where it was.
	Moved bool
	// Rounded says that the decrease was below rounding, and the step was
	// accepted because it made the gradient smaller.
	Rounded bool
	Counts  Counts // since the start
}

// Observer is told of iterations.
type Observer func(Iteration)

// Status says how a minimisation ended.
type Status string

// The ends of a minimisation.
const (
	Converged Status = "converged"       // a limit on gradient or gap is reached
	Exhausted Status = "iteration limit" // not within the iterations
	Stalled   Status = "stalled"         // no step was accepted
	Diverged  Status = "diverged"        // value or gradient became infinite or NaN
)

// Result is the end of a minimisation.
type Result struct {
	X          []float64
	Value      float64 // f(X)
	Gradient   float64 // dual norm of the gradient at X
	Iterations int
	Status     Status
	Counts     Counts
}

// point is an x with what is known there.
type point struct {
	x, gradient []float64
	value, norm float64 // norm of the gradient, dual
}

func (p *point) finite() bool { return finite(p.value) && finite(p.norm) }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// engine holds what all methods share: where they are and where they may go.
type engine struct {
	function   Function
	metric     *Metric
	counts     Counts
	now, trial point
	step, work []float64 // from now to trial, and a place to work
}

func newEngine(f Function, metric *Metric) (*engine, error) {
	n := f.Dim()
	if n < 1 {
		return nil, fmt.Errorf("a function of %d variables: expected at least 1", n)
	}
	if metric != nil && metric.Dim() != n {
		return nil, fmt.Errorf("a metric of order %d for a function of %d variables: expected the same", metric.Dim(), n)
	}
	space := make([]float64, 6*n)
	e := &engine{function: f, metric: metric}
	for i, part := range []*[]float64{&e.now.x, &e.now.gradient, &e.trial.x, &e.trial.gradient, &e.step, &e.work} {
		*part = space[i*n : (i+1)*n : (i+1)*n]
	}
	return e, nil
}

// begin evaluates the function where a minimisation begins.
func (e *engine) begin(x0 []float64) error {
	if len(x0) != len(e.now.x) {
		return fmt.Errorf("a start of length %d for a function of %d variables: expected the same", len(x0), len(e.now.x))
	}
	copy(e.now.x, x0)
	e.evaluate(&e.now)
	if !e.now.finite() {
		return fmt.Errorf("%w: value %g and norm of the gradient %g", ErrNotFinite, e.now.value, e.now.norm)
	}
	return nil
}

func (e *engine) evaluate(p *point) {
	e.counts.Gradients++
	p.value = e.function.ValueGradient(p.x, p.gradient)
	p.norm = e.metric.dualNorm(p.gradient, e.work)
}

// try evaluates the function one step further.
func (e *engine) try() {
	for i, x := range e.now.x {
		e.trial.x[i] = x + e.step[i]
	}
	e.evaluate(&e.trial)
}

// A mover takes the steps of a method.
type mover interface {
	// move tries steps until one is accepted, and leaves it in e.step and
	// e.trial. It fills in how it went, except for what holds for all methods.
	move(ctx context.Context, e *engine) (Iteration, error)
}

// Run is a minimisation taken step by step, by a caller who decides when it
// ends. It must not be used by several goroutines at once.
type Run struct {
	engine *engine
	mover  mover
	number int
}

func newRun(f Function, metric *Metric, x0 []float64, build func(*engine) mover) (*Run, error) {
	e, err := newEngine(f, metric)
	if err != nil {
		return nil, err
	}
	if err := e.begin(x0); err != nil {
		return nil, err
	}
	return &Run{engine: e, mover: build(e)}, nil
}

// Step takes one step. Where none is accepted, or where the function is not
// finite behind it, it stays where it is and says so. The only error is that
// of ctx, after which it is where it was.
func (r *Run) Step(ctx context.Context) (Iteration, error) {
	e := r.engine
	it, err := r.mover.move(ctx, e)
	if err != nil {
		return Iteration{}, err
	}
	r.number++
	it.Number, it.Value, it.Gradient = r.number, e.now.value, e.now.norm
	it.Next, it.NextGradient = e.now.value, e.now.norm
	if it.Moved {
		it.Next, it.NextGradient, it.Length = e.trial.value, e.trial.norm, e.metric.Norm(e.step)
		if it.Moved = e.trial.finite(); it.Moved {
			e.now, e.trial = e.trial, e.now
		}
	}
	it.X, it.Counts = e.now.x, e.counts
	return it, nil
}

// Counts say what the run has cost so far.
func (r *Run) Counts() Counts { return r.engine.counts }

// X is where the run is, valid until its next step.
func (r *Run) X() []float64 { return r.engine.now.x }

// minimize runs until a limit is reached.
func minimize(ctx context.Context, r *Run, limits Limits, observe Observer) (*Result, error) {
	limits = limits.complete()
	status := Exhausted
	var err error
	for status == Exhausted && r.number < limits.Iterations && !limits.reached(r.engine.now.value, r.engine.now.norm) {
		if err = ctx.Err(); err != nil {
			break
		}
		var it Iteration
		if it, err = r.Step(ctx); err != nil {
			break
		}
		if observe != nil {
			observe(it)
		}
		switch {
		case it.Moved:
		case finite(it.Next) && finite(it.NextGradient):
			status = Stalled
		default:
			status = Diverged
		}
	}
	e := r.engine
	if limits.reached(e.now.value, e.now.norm) {
		status = Converged
	}
	return &Result{
		X: append([]float64(nil), e.now.x...), Value: e.now.value, Gradient: e.now.norm,
		Iterations: r.number, Status: status, Counts: e.counts,
	}, err
}

func (l Limits) complete() Limits {
	if l.Iterations == 0 {
		l.Iterations = 1000
	}
	if l.Gradient == 0 {
		l.Gradient = 1e-8
	}
	return l
}

// number is a setting: zero stands for its default and NaN for zero.
func number(x, standard float64) float64 {
	switch {
	case x == 0:
		return standard
	case math.IsNaN(x):
		return 0
	}
	return x
}
