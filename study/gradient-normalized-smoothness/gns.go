// Package gns measures the claims of "Gradient-Normalized Smoothness for
// Optimization with Approximate Hessians" (Semenov, Jaggi and Doikov, ICLR
// 2026): that Newton steps regularised by the norm of the gradient need no
// tuning, and are nearly as fast with a cheap stand-in as with the Hessian.
//
// All runs are in float64 on problems in closed form (package gradreg/problem).
package gns

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/descentml/descent/method/secondorder/gradreg"
	"github.com/descentml/descent/study"
)

// New returns the study.
func New() *study.Study { return newExperiment().study() }

// experiment is what is measured. Tests put broken methods in its field.
type experiment struct {
	// newton makes the method of its settings.
	newton func(gradreg.Newton) gradreg.Method
}

func newExperiment() experiment {
	return experiment{newton: func(m gradreg.Newton) gradreg.Method { return m }}
}

func (e experiment) study() *study.Study {
	return &study.Study{Paper: "gradient-normalized-smoothness", Claims: claims(), Cells: e.cells, Sections: sections}
}

// The names of cells.
const (
	rosenbrock = "Rosenbrock"
	chebyshev  = "Chebyshev"
	logSumExp  = "log-sum-exp"
	quartic    = "fourth power"
	separable  = "separable logistic"
	cancer     = "breast cancer"
	fixed      = "fixed step size"
	theory     = "identities and limits"
	published  = "log-sum-exp, 1000 by 1000"
)

// cells plans the work, the longest first.
func (e experiment) cells(setup study.Setup) ([]study.Cell, error) {
	var cells []study.Cell
	if setup.Preset == study.Full {
		cells = append(cells, study.Cell{Name: published, Seed: setup.Seeds[0], Run: func(ctx context.Context) (study.Measured, error) {
			return e.logSumExp(ctx, setup.Seeds[0], 1000, false)
		}})
	}
	for _, seed := range setup.Seeds {
		for _, c := range []struct {
			name string
			run  func(context.Context, uint64) (study.Measured, error)
		}{
			{chebyshev, func(ctx context.Context, seed uint64) (study.Measured, error) {
				return e.chebyshev(ctx, setup.Preset, seed)
			}},
			{logSumExp, func(ctx context.Context, seed uint64) (study.Measured, error) {
				return e.logSumExp(ctx, seed, 100, true)
			}},
			{separable, e.separable}, {quartic, e.quartic}, {fixed, e.fixed}, {theory, e.theory},
		} {
			cells = append(cells, study.Cell{Name: c.name, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return c.run(ctx, seed) }})
		}
	}
	return append(cells, study.Cell{Name: cancer, Run: e.cancer}, study.Cell{Name: rosenbrock, Run: e.rosenbrock}), nil
}

// The streams of random numbers of one seed.
const (
	streamLogSumExp = iota + 1
	streamTall
	streamQuartic
	streamSeparable
	streamChebyshev
	streamPoints
)

func generator(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// uniform fills a vector with numbers between low and high.
func uniform(draw *rand.Rand, n int, low, high float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = low + (high-low)*draw.Float64()
	}
	return x
}

func repeated(x float64, n int) []float64 { return uniform(rand.New(rand.NewPCG(0, 0)), n, x, x) }

// The names of methods in figures and tables.
const (
	exact       = "exact Hessian"
	inexact     = "inexact Hessian"
	gaussNewton = "weighted Gauss-Newton"
	fisher      = "Fisher"
	fisherTerm  = "Fisher term, rank one"
	gradient    = "gradient method"
	conditioned = "gradient method in B"
	accelerated = "fast gradient in B"
	normalised  = "normalised gradient"
	cubic       = "cubic Newton"
	superM      = "older rule 1/M"
	superG      = "older rule |g|/M"
	lbfgs       = "L-BFGS"
)

// contestant is a method with its name.
type contestant struct {
	name   string
	method gradreg.Method
}

// search is the method with these settings. Two guards of the official code are
// left out, of which theory knows nothing and which matter at gammas of 1e-9
// alone: the offset of gamma contradicts |h| <= gamma there, and the least gamma
// the bound on the number of systems.
func (e experiment) search(h gradreg.Curvature, b *gradreg.Metric) gradreg.Method {
	return e.newton(gradreg.Newton{Curvature: h, Metric: b, Offset: math.NaN(), Minimum: math.NaN()})
}

// given is the method with a rule in place of the search.
func (e experiment) given(h gradreg.Curvature, b *gradreg.Metric, rule gradreg.Rule) gradreg.Method {
	return e.newton(gradreg.Newton{Curvature: h, Metric: b, Rule: rule})
}

// older are the rules before this paper, with its search factor of 2.
func older(h gradreg.Curvature, b *gradreg.Metric) []contestant {
	zero := math.NaN()
	return []contestant{
		{superM, gradreg.SuperUniversal{Curvature: h, Metric: b, Factor: 2, Floor: zero}},
		{superG, gradreg.SuperUniversal{Curvature: h, Metric: b, Exponent: zero, Factor: 2, Floor: zero}},
	}
}

// tolerance is the gap f - f* at which iterations are counted.
const tolerance = 1e-8

// The names of values of a contestant's run, which its own name precedes.
const (
	iterations = " iterations"   // to the tolerance; the limit if it is not reached
	reached    = " reached"      // 1 if it is
	under      = " to 1e-9"      // iterations to a gap of 1e-9; infinite if it is not reached
	violations = " violations"   // of the invariants of accepted steps
	excess     = " solves above" // the bound on their number; at most 0
	failed     = " failed"       // factorisations of matrices that are not positive definite
)

// measured is a place for results.
func measured() study.Measured {
	return study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
}

// race runs contestants from a start and records each under its name: the
// numbers above, and the curves of the gap and of gamma over the iterations.
func race(ctx context.Context, m study.Measured, f gradreg.Function, x0 []float64, optimum float64, limit int, field []contestant) error {
	for _, c := range field {
		t := newTrack(f.ValueGradient(x0, make([]float64, len(x0)))-optimum, optimum)
		limits := gradreg.Limits{Iterations: limit, Gradient: math.NaN(), Optimum: optimum, Gap: 1e-9}
		r, err := c.method.Minimize(ctx, f, x0, limits, t.observe)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		m.Values[c.name+iterations], m.Values[c.name+reached] = float64(t.count(limit)), float64(min(t.first, 1))
		m.Values[c.name+under] = math.Inf(1)
		if r.Status == gradreg.Converged {
			m.Values[c.name+under] = float64(r.Iterations)
		}
		m.Values[c.name+violations], m.Values[c.name+excess] = float64(t.violations), t.excess(r)
		m.Values[c.name+failed] = float64(r.Counts.Factorisations - r.Counts.Solves)
		m.Curves[c.name], m.Curves[c.name+" gamma"] = t.gap, t.gamma
	}
	return ctx.Err()
}

// track audits and records a run.
type track struct {
	optimum     float64
	first       int // iteration that reached the tolerance, or 0
	violations  int
	last, least float64 // gamma
	gap, gamma  study.Curve
}

func newTrack(gap, optimum float64) *track {
	return &track{optimum: optimum, last: 1, least: 1, gap: study.Curve{X: []float64{0}, Y: []float64{gap}}}
}

// observe checks what holds for every accepted step: f falls, |h| <= gamma, and
// f falls by |g+|^2/(8 lambda). Steps below the rounding of f are left out.
func (t *track) observe(it gradreg.Iteration) {
	gap := it.Next - t.optimum
	t.gap.X, t.gap.Y = append(t.gap.X, float64(it.Number)), append(t.gap.Y, gap)
	if gap < tolerance && t.first == 0 {
		t.first = it.Number
	}
	if !it.Moved { // the end of a run, after as many halvings as were tried
		t.least = min(t.least, math.Ldexp(2*t.last, -it.Tries))
	}
	if math.IsNaN(it.Gamma) {
		return
	}
	t.last, t.least = it.Gamma, min(t.least, it.Gamma)
	t.gamma.X, t.gamma.Y = append(t.gamma.X, float64(it.Number)), append(t.gamma.Y, it.Gamma)
	promised := it.NextGradient * it.NextGradient / (8 * it.Lambda)
	rounding := 8 * 0x1p-52 * math.Abs(it.Value)
	holds := it.Value-it.Next >= -rounding && it.Length <= it.Gamma*(1+1e-6) && it.Value-it.Next >= promised*(1-1e-9)-rounding
	if it.Moved && !it.Rounded && !holds {
		t.violations++
	}
}

// count is the number of iterations to the tolerance, or the limit if it was
// not reached, however early the run ended.
func (t *track) count(limit int) int {
	if t.first > 0 {
		return t.first
	}
	return limit
}

// excess is by how much the solutions of linear systems are more than
// 2K + 5 + max(0, log2(gamma_0/min gamma)).
func (t *track) excess(r *gradreg.Result) float64 {
	tried := max(r.Counts.Solves, r.Counts.Factorisations)
	return float64(tried) - (2*float64(r.Iterations) + 5 + max(0, -math.Log2(t.least)))
}
