package sso

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/surrogate/linear"
	"github.com/descentml/descent/study"
)

// The sizes of the ill-conditioned problem, and its runs.
const (
	examples        = 500
	features        = 20
	theory          = 4.0 // eta = 1/L of logistic loss
	fullCalls       = 200
	halfCalls       = 50
	stochasticCalls = 400
	cancerCalls     = 200
	cancerBatch     = 25
	mark            = 5e-2 // the gap that m = 100 has to reach
	mostCalls       = 4000 // in so many gradients, and gradient descent
	markFactor      = 50   // not in so many times as many
	exactMark       = 1e-10
	exactCalls      = 100 // in which exact inner loops have to reach exactMark
	exactMost       = 1000
)

var batches = []int{25, 125}

func (e experiment) convexCells(setup study.Setup, seed uint64) []study.Cell {
	return []study.Cell{
		{Name: "full batch", Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return e.fullBatch(ctx, seed) }},
		{Name: "batches", Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return e.stochastic(ctx, seed) }},
		{Name: "breast cancer", Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return e.breastCancer(ctx, setup, seed) }},
		{Name: "bound", Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return e.bound(ctx, seed) }},
		{Name: "projection", Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return e.projection(ctx, seed) }},
		{Name: "interpolation", Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return e.interpolation(ctx, seed) }},
	}
}

func inner(m int) string {
	if m == exact {
		return "m=exact"
	}
	return fmt.Sprintf("m=%d", m)
}

// illConditioned is the problem of a seed with its lowest loss.
func illConditioned(ctx context.Context, seed uint64) (p *linear.Problem, lowest float64, err error) {
	if p, err = linear.IllConditioned(examples, features, generator(seed, streamData)); err != nil {
		return nil, 0, err
	}
	_, lowest, err = p.Minimize(ctx)
	return p, lowest, err
}

// fullBatch is the specification's headline A.
func (e experiment) fullBatch(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	p, lowest, err := illConditioned(ctx, seed)
	if err != nil {
		return m, err
	}
	for _, count := range []int{1, 10, 100, exact} {
		if err := run(ctx, m, p, lowest, inner(count), e.closedSSO(count, theory), linear.Plan{Steps: fullCalls}, halfCalls, exactCalls); err != nil {
			return m, err
		}
	}
	calls, err := callsTo(ctx, p, lowest, mark, e.closedSSO(100, theory), mostCalls)
	if err != nil {
		return m, err
	}
	m.Values["calls m=100"] = calls
	if m.Values["calls exact"], err = callsTo(ctx, p, lowest, exactMark, e.closedSSO(exact, theory), exactMost); err != nil {
		return m, err
	}
	steps := fullCalls
	if !math.IsNaN(calls) {
		steps = markFactor * int(calls)
	}
	if err := run(ctx, m, p, lowest, "GD 1/L", linear.Descent{}, linear.Plan{Steps: steps}, fullCalls); err != nil {
		return m, err
	}
	m.Values["gap GD 1/L at the end"] = m.Values[fmt.Sprintf("gap GD 1/L at %d", steps)]
	return m, nil
}

// A contestant is a method in closed form with its name.
type contestant struct {
	name   string
	method linear.Method
}

// stochastic is the specification's headline B, with all baselines.
func (e experiment) stochastic(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	p, lowest, err := illConditioned(ctx, seed)
	if err != nil {
		return m, err
	}
	for _, batch := range batches {
		for _, c := range e.field() {
			plan := linear.Plan{Steps: stochasticCalls, Batch: batch, Random: generator(seed, streamBatches), Schedule: inverseRoot}
			if err := run(ctx, m, p, lowest, fmt.Sprintf("%s, batch %d", c.name, batch), c.method, plan); err != nil {
				return m, err
			}
		}
	}
	return m, nil
}

// field are SSO by the theory's steps, its adaptive forms with 100 inner steps
// and the baselines with their defaults.
func (e experiment) field() []contestant {
	relative := func(rule linear.Rule, rate float64) linear.Method {
		return e.closed(linear.Surrogate{Rate: rate, Inner: 100, Rule: rule, Solver: linear.Armijo{Expand: 1.8}})
	}
	return []contestant{
		{"SGD 1/L", linear.Descent{}},
		{inner(1), e.closedSSO(1, theory)}, {inner(10), e.closedSSO(10, theory)}, {inner(100), e.closedSSO(100, theory)},
		{"SSO-SLS, m=100", relative(linear.TargetLineSearch{}, 10)},
		{"SSO-AdaGrad, m=100", relative(linear.TargetAdagrad{}, 10)},
		{"SSO-Newton, m=100", relative(linear.TargetNewton{}, 1)},
		{"SLS", linear.LineSearch{}}, {"SVRG 1/L", linear.SVRG{}},
		{"Adam", linear.Adam{Rate: 1e-1}}, {"AdaGrad", linear.Adagrad{Rate: 1e-1}}, {"AdaGrad-Norm", linear.Adagrad{Rate: 1, Scalar: true}},
	}
}

// cancerProblem is logistic regression on the embedded set, on all examples.
func cancerProblem(ctx context.Context) (*linear.Problem, error) {
	table, err := data.Open(ctx, "breast-cancer", data.Options{})
	if err != nil {
		return nil, err
	}
	raw := mat.NewDense(table.Rows, len(table.Features), nil)
	for j, c := range table.Features {
		raw.SetCol(j, c.Numbers)
	}
	x, err := linear.WithBias(raw)
	if err != nil {
		return nil, err
	}
	labels := make([]float64, table.Rows)
	for i, code := range table.Target.Codes {
		labels[i] = float64(code)
	}
	return linear.NewProblem(x, labels, linear.Logistic{})
}

// decades are 10^{-3..3}.
func decades(preset study.Preset) []float64 {
	if preset == study.Smoke {
		return []float64{0.1, 1, 10}
	}
	return []float64{1e-3, 1e-2, 1e-1, 1, 10, 100, 1000}
}

// breastCancer runs steps of theory and the best of a grid, decreasing and
// constant.
func (e experiment) breastCancer(ctx context.Context, setup study.Setup, seed uint64) (study.Measured, error) {
	m := newMeasured()
	p, err := cancerProblem(ctx)
	if err != nil {
		return m, err
	}
	end := func(method linear.Method, schedule func(int) float64) (float64, error) {
		theta := p.Zero()
		_, err := linear.Run(ctx, p, theta, method, linear.Plan{Steps: cancerCalls, Batch: cancerBatch, Random: generator(seed, streamBatches), Schedule: schedule})
		return p.Value(theta), err
	}
	counts := []int{1, 5, 20, 100}
	for _, count := range append([]int{-1}, counts...) {
		name, make := "SGD", func(rate float64) linear.Method { return linear.Descent{Rate: rate} }
		if count > 0 {
			name, make = inner(count), func(rate float64) linear.Method { return e.closedSSO(count, rate) }
		}
		plan := linear.Plan{Steps: cancerCalls, Batch: cancerBatch, Random: generator(seed, streamBatches), Schedule: inverseRoot}
		if err := run(ctx, m, p, 0, name, make(0), plan); err != nil {
			return m, err
		}
		m.Values["theory "+name] = m.Values[fmt.Sprintf("gap %s at %d", name, cancerCalls)]
		for kind, schedule := range map[string]func(int) float64{"decreasing ": inverseRoot, "constant ": nil} {
			best := math.Inf(1)
			for _, rate := range decades(setup.Preset) {
				loss, err := end(make(rate), schedule)
				if err != nil {
					return m, err
				}
				if loss < best {
					best = loss
				}
			}
			m.Values[kind+name] = best
		}
	}
	return m, nil
}
