package gradreg

import (
	"context"
	"math"

	"gonum.org/v1/gonum/optimize"
)

// LBFGS is gonum's limited-memory BFGS, as a [Method] for comparison.
type LBFGS struct {
	// Metric measures the gradient for the limits and reports; the method
	// itself knows no metric. Default the identity.
	Metric *Metric
	// Store is the number of pairs remembered. Default 15, gonum's.
	Store int
}

// Minimize implements [Method]. Where gonum's line search gives up, the method
// has stalled.
func (m LBFGS) Minimize(ctx context.Context, f Function, x0 []float64, limits Limits, observe Observer) (*Result, error) {
	e, err := newEngine(f, m.Metric)
	if err != nil {
		return nil, err
	}
	if err := e.begin(x0); err != nil {
		return nil, err
	}
	limits = limits.complete()
	w := &watch{ctx: ctx, engine: e, limits: limits, observe: observe}
	status := Exhausted
	if !limits.reached(e.now.value, e.now.norm) {
		memory := memo{function: f, counts: &e.counts, x: make([]float64, f.Dim()), gradient: make([]float64, f.Dim())}
		// The error of a line search that fails is a way to end, not a fault.
		_, _ = optimize.Minimize(optimize.Problem{Func: memory.value, Grad: memory.grad}, x0,
			&optimize.Settings{Converger: w}, &optimize.LBFGS{Store: m.Store})
		if w.number < limits.Iterations {
			status = Stalled
		}
	}
	if limits.reached(e.now.value, e.now.norm) {
		status = Converged
	}
	return &Result{X: e.now.x, Value: e.now.value, Gradient: e.now.norm, Iterations: w.number, Status: status, Counts: e.counts}, ctx.Err()
}

// memo evaluates value and gradient at once for gonum, which asks for them
// apart.
type memo struct {
	function Function
	counts   *Counts
	x        []float64
	gradient []float64
	f        float64
	known    bool
}

func (m *memo) load(x []float64) {
	for i, v := range x {
		if !m.known || m.x[i] != v {
			copy(m.x, x)
			m.counts.Gradients++
			m.f, m.known = m.function.ValueGradient(m.x, m.gradient), true
			return
		}
	}
}

func (m *memo) value(x []float64) float64 {
	m.load(x)
	return m.f
}

func (m *memo) grad(gradient, x []float64) {
	m.load(x)
	copy(gradient, m.gradient)
}

// watch is gonum's Converger: it is told of every major iteration, of which the
// first is the start, and ends them.
type watch struct {
	ctx     context.Context
	engine  *engine
	limits  Limits
	observe Observer
	number  int
	begun   bool
}

// Init implements optimize.Converger.
func (w *watch) Init(int) {}

// Converged implements optimize.Converger.
func (w *watch) Converged(location *optimize.Location) optimize.Status {
	if w.begun && location.Gradient != nil {
		w.record(location)
	}
	w.begun = true
	now := &w.engine.now
	if w.ctx.Err() != nil || w.number >= w.limits.Iterations || w.limits.reached(now.value, now.norm) {
		return optimize.MethodConverge
	}
	return optimize.NotTerminated
}

func (w *watch) record(location *optimize.Location) {
	e := w.engine
	copy(e.trial.x, location.X)
	copy(e.trial.gradient, location.Gradient)
	e.trial.value, e.trial.norm = location.F, e.metric.dualNorm(location.Gradient, e.work)
	if !e.trial.finite() {
		return
	}
	w.number++
	for i, x := range e.trial.x {
		e.step[i] = x - e.now.x[i]
	}
	e.now, e.trial = e.trial, e.now
	if w.observe != nil {
		w.observe(Iteration{
			Number: w.number, X: e.now.x, Value: e.trial.value, Gradient: e.trial.norm, Next: e.now.value, NextGradient: e.now.norm,
			Length: e.metric.Norm(e.step), Lambda: math.NaN(), Gamma: math.NaN(), Tries: 1, Moved: true, Counts: e.counts,
		})
	}
}
