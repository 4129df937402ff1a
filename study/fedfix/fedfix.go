// Package fedfix measures the claims of "A General Theory for Federated
// Optimization with Asynchronous and Heterogeneous Clients Updates" (Fraboni,
// Vidal, Kameni and Lorenzi, 2023, arXiv 2206.10189): which weights make
// asynchronous federated training converge to the right point, and what it
// gains and loses in speed and stability. Strategies are compared at equal
// simulated time.
package fedfix

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/study"
)

// name is that of the paper in the catalogue.
const name = "fedfix"

// New is the study.
func New() *study.Study { return (&experiment{}).study() }

// experiment lets a test break the method.
type experiment struct {
	change func(*federated.Config) // of every engine; nil for none
	preset study.Preset
}

func (e *experiment) study() *study.Study {
	return &study.Study{Paper: name, Claims: claims(), Cells: e.cells, Sections: sections}
}

// clients is the number M of clients in all experiments but those that say
// otherwise; their times are F-80, from 1 down to 0.2.
const (
	clients = 10
	slowest = 80
)

// setting is one training.
type setting struct {
	strategy   string
	clients    int
	times      federated.Times
	local      federated.Local
	horizon    float64
	seed       uint64
	serverRate float64
	objective  federated.Objective
	shards     [][]int
	initial    []float64
	importance []float64 // nil: equal
}

// engine makes the server of a training.
func (e *experiment) engine(ctx context.Context, s setting) (*federated.Engine, error) {
	worker, err := federated.NewTrainer(s.objective, s.shards, nil)
	if err != nil {
		return nil, err
	}
	pool, err := federated.NewPool(worker)
	if err != nil {
		return nil, err
	}
	strategy, err := federated.ParseStrategy(s.strategy)
	if err != nil {
		return nil, err
	}
	c := federated.Config{Clients: s.clients, Importance: s.importance, Local: s.local, Seed: s.seed, Executor: pool, ServerRate: s.serverRate}
	if err := strategy.Configure(ctx, &c, s.times, s.horizon); err != nil {
		return nil, err
	}
	if e.change != nil {
		e.change(&c)
	}
	return federated.NewEngine(c, s.initial)
}

// newRandom makes a generator for one use of a seed.
func newRandom(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// points are standard normal centres in five dimensions.
func points(seed uint64, count int) [][]float64 {
	rng := newRandom(seed, 1)
	list := make([][]float64, count)
	for i := range list {
		for range 5 {
			list[i] = append(list[i], rng.NormFloat64())
		}
	}
	return list
}

// weighted is the mean of points with weights.
func weighted(points [][]float64, weights []float64) []float64 {
	mean := make([]float64, len(points[0]))
	for i, p := range points {
		floats.AddScaled(mean, weights[i]/floats.Sum(weights), p)
	}
	return mean
}

func equal(n int) []float64 { return slices.Repeat([]float64{1 / float64(n)}, n) }

// newMeasured is a cell's findings, to be filled.
func newMeasured() study.Measured {
	return study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
}

// settled is where a strategy ends on quadratics.
type settled struct {
	offset, bias, reached float64
	swing                 float64 // RMS distance of the second half from its mean
	path                  study.Curve
}

// settle runs a strategy on L_i = |x - c_i|²/2 with one step of the full
// gradient, and averages the second half over time.
func (e *experiment) settle(ctx context.Context, strategy string, rate float64, seed uint64) (*settled, error) {
	centres := points(seed, clients)
	q, err := federated.NewQuadratic(centres, nil)
	if err != nil {
		return nil, err
	}
	times, err := federated.NewSpread(clients, slowest)
	if err != nil {
		return nil, err
	}
	horizon := 40 / rate
	engine, err := e.engine(ctx, setting{strategy: strategy, clients: clients, times: times, horizon: horizon, seed: seed,
		local: federated.Local{Steps: 1, LearningRate: rate}, objective: q, shards: federated.Singles(clients), initial: make([]float64, q.Dim())})
	if err != nil {
		return nil, err
	}
	s, err := federated.ParseStrategy(strategy)
	if err != nil {
		return nil, err
	}
	weights, err := s.Weights(ctx, times, equal(clients), horizon)
	if err != nil {
		return nil, err
	}
	target, optimum := weighted(centres, weights.Surrogate), weighted(centres, equal(clients))
	out := &settled{bias: floats.Distance(target, optimum, 2)}
	average := federated.NewTimeAverage(q.Dim())
	sum, squares, count := make([]float64, q.Dim()), 0.0, 0.0
	err = engine.Until(ctx, horizon, func(a *federated.Aggregation) error {
		x := engine.State().Parameters
		if n := len(out.path.X); n == 0 || a.Time > out.path.X[n-1]+horizon/400 {
			out.path.X, out.path.Y = append(out.path.X, a.Time), append(out.path.Y, floats.Distance(x, optimum, 2))
		}
		if a.Time >= horizon/2 {
			average.Add(a.Time, x)
			floats.Add(sum, x)
			squares += floats.Dot(x, x)
			count++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	mean := average.Mean(horizon)
	out.offset, out.reached = floats.Distance(mean, target, 2), floats.Distance(mean, optimum, 2)
	floats.Scale(1/count, sum)
	out.swing = math.Sqrt(max(0, squares/count-floats.Dot(sum, sum)))
	return out, nil
}
