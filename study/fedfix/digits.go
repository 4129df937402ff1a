package fedfix

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/backend/kernel"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/federated/partition"
	"github.com/descentml/descent/study"
)

// The names of cells on digits.
const (
	smallCell   = "digits, small step"
	largeCell   = "digits, large step"
	longCell    = "digits, long"
	controlCell = "digits, equal progress"
)

const (
	smallRate = 0.02
	largeRate = 0.5
	horizon   = 30.0  // units of time
	long      = 100.0 // units of time
	early     = 10.0  // units of time
)

// evaluations of the loss over a horizon, for curves and averages.
func evaluations(preset study.Preset) int {
	if preset == study.Smoke {
		return 60
	}
	return 250
}

// compared are the policies of the headline, with unbiased weights.
var compared = []string{"fedavg", "fedfix:delta=0.5", "async"}

// federation is digits dealt to clients.
type federation struct {
	objective *federated.Softmax
	shards    [][]int
	rows      []int     // all clients' rows, one after the other
	shares    []float64 // of the loss, for each of them: 1/M over the client's number
	losses    []float64
}

// federate deals digits, scaled to [0, 1] with a column of ones, to clients by
// Dirichlet(0.1) draws of their own over the classes, with replacement.
func federate(ctx context.Context, seed uint64, count int) (*federation, error) {
	kernel.UseInGonum()
	table, err := data.Open(ctx, "digits", data.Options{})
	if err != nil {
		return nil, err
	}
	width := len(table.Features)
	x, labels := mat.NewDense(table.Rows, width+1, nil), make([]int, table.Rows)
	for row := range table.Rows {
		for j := range width {
			x.Set(row, j, table.Features[j].Numbers[row]/16)
		}
		x.Set(row, width, 1)
		labels[row] = int(table.Target.Codes[row])
	}
	classes := len(table.Target.Levels)
	objective, err := federated.NewSoftmax(x, labels, classes)
	if err != nil {
		return nil, err
	}
	split, err := partition.Parse("dirichlet:0.1:by=draw")
	if err != nil {
		return nil, err
	}
	f := &federation{objective: objective}
	f.shards, err = split.Split(partition.Rows{Count: table.Rows, Labels: labels, Classes: classes}, count, newRandom(seed, 3))
	if err != nil {
		return nil, err
	}
	for _, shard := range f.shards {
		f.rows = append(f.rows, shard...)
		for range shard {
			f.shares = append(f.shares, 1/float64(len(shard)*count))
		}
	}
	f.losses = make([]float64, len(f.rows))
	return f, nil
}

// loss is the mean over clients of the loss on their training examples.
func (f *federation) loss(parameters []float64) (float64, error) {
	err := f.objective.Evaluate(parameters, f.rows, f.losses, nil)
	return floats.Dot(f.shares, f.losses), err
}

// training is one strategy on digits.
type training struct {
	curve study.Curve // loss over simulated time, at even times
	peak  float64     // largest loss after an aggregation in the early part
}

// late is the mean loss over the last third of the horizon.
func (t *training) late() float64 { return study.Mean(t.curve.Y[len(t.curve.Y)*2/3:]) }

// end is the loss at the horizon.
func (t *training) end() float64 { return t.curve.Y[len(t.curve.Y)-1] }

// digits trains with a strategy. A server rate of 0 is 1.
func (e *experiment) digits(ctx context.Context, strategy string, rate, serverRate, time float64, seed uint64) (*training, error) {
	f, err := federate(ctx, seed, clients)
	if err != nil {
		return nil, err
	}
	times, err := federated.NewSpread(clients, slowest)
	if err != nil {
		return nil, err
	}
	engine, err := e.engine(ctx, setting{strategy: strategy, clients: clients, times: times, horizon: time, seed: seed, serverRate: serverRate,
		local: federated.Local{Steps: 10, Batch: 32, LearningRate: rate}, objective: f.objective.Clone(), shards: f.shards, initial: make([]float64, f.objective.Dim())})
	if err != nil {
		return nil, err
	}
	t, count := &training{}, evaluations(e.preset)
	value, err := f.loss(engine.State().Parameters)
	if err != nil {
		return nil, err
	}
	for k := 1; k <= count; k++ {
		at := time * float64(k) / float64(count)
		err := engine.Until(ctx, at, func(a *federated.Aggregation) (err error) {
			if a.Time > early && sameEvaluation(ctx, engine, at) {
				return nil // the loss is not looked at before the next one
			}
			if value, err = f.loss(engine.State().Parameters); err != nil {
				return err
			}
			if a.Time <= early {
				t.peak = max(t.peak, value)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		t.curve.X, t.curve.Y = append(t.curve.X, at), append(t.curve.Y, value)
	}
	return t, nil
}

// sameEvaluation reports whether another aggregation comes up to a time.
func sameEvaluation(ctx context.Context, engine *federated.Engine, at float64) bool {
	event, err := engine.Peek(ctx)
	return err == nil && event.Time <= at
}

// digitPath is the parameters after every aggregation, for comparisons bit by
// bit.
func (e *experiment) digitPath(ctx context.Context, strategy string, percent, count int, time float64, local federated.Local, seed uint64) ([][]float64, error) {
	f, err := federate(ctx, seed, count)
	if err != nil {
		return nil, err
	}
	times, err := federated.NewSpread(count, percent)
	if err != nil {
		return nil, err
	}
	engine, err := e.engine(ctx, setting{strategy: strategy, clients: count, times: times, horizon: time, seed: seed, local: local,
		objective: f.objective, shards: f.shards, initial: make([]float64, f.objective.Dim())})
	if err != nil {
		return nil, err
	}
	var path [][]float64
	err = engine.Until(ctx, time, func(*federated.Aggregation) error {
		path = append(path, slices.Clone(engine.State().Parameters))
		return nil
	})
	return path, err
}

// What is measured of a training on digits.
const (
	late = " late loss"
	end  = " end"
	peak = " peak"
)

func record(m study.Measured, label string, t *training) {
	m.Values[label+late], m.Values[label+end], m.Values[label+peak] = t.late(), t.end(), t.peak
	m.Curves[label] = t.curve
}

func (e *experiment) digitCells(seed uint64) []study.Cell {
	cell := func(name string, run func(context.Context) (study.Measured, error)) study.Cell {
		return study.Cell{Name: name, Seed: seed, Run: run}
	}
	each := func(strategies []string, rate, time float64) func(context.Context) (study.Measured, error) {
		return func(ctx context.Context) (study.Measured, error) {
			m := newMeasured()
			for _, strategy := range strategies {
				t, err := e.digits(ctx, strategy, rate, 0, time, seed)
				if err != nil {
					return m, err
				}
				record(m, strategy, t)
			}
			return m, nil
		}
	}
	return []study.Cell{
		cell(smallCell, each(compared, smallRate, horizon)),
		cell(largeCell, each(compared, largeRate, horizon)),
		cell(longCell, each([]string{"fedavg", "fedfix:delta=0.5"}, largeRate, long)),
		cell(controlCell, func(ctx context.Context) (study.Measured, error) { return e.control(ctx, seed) }),
	}
}

// control compares FedAvg with Async at a server rate that makes the same
// progress per unit of time.
func (e *experiment) control(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	times, err := federated.NewSpread(clients, slowest)
	if err != nil {
		return m, err
	}
	speed := 0.0
	for i := range clients {
		speed += 1 / times.Mean(i)
	}
	m.Values["server rate"] = 1 / speed // τ_max is 1
	for _, rate := range []float64{smallRate, largeRate} {
		for strategy, serverRate := range map[string]float64{"fedavg": 1, "async": 1 / speed} {
			t, err := e.digits(ctx, strategy, rate, serverRate, horizon, seed)
			if err != nil {
				return m, err
			}
			record(m, fmt.Sprintf("%s %g", strategy, rate), t)
		}
	}
	return m, nil
}

// apart is the relative difference of two numbers.
func apart(a, b float64) float64 { return math.Abs(a-b) / math.Abs(b) }
