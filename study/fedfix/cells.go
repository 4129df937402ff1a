package fedfix

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/study"
)

// The names of cells; those of digits are in digits.go.
const (
	limitCell     = "limit"
	instancesCell = "instances"
	scheduleCell  = "schedule"
	driftCell     = "local drift"
	randomCell    = "random times"
)

// unbiased and biased are the strategies whose limits are compared.
var (
	unbiased = []string{"fedavg", "async", "fedfix:delta=0.5", "fedfix:delta=0.2", "fedbuff:count=3"}
	biased   = []string{"async:weights=identical", "fedfix:delta=0.5:weights=identical", "fedfix:delta=0.2:weights=identical", "fedbuff:count=3:weights=identical"}
	// swinging are those whose swings are compared at two learning rates.
	swinging = []string{"async", "fedfix:delta=0.5", "fedfix:delta=0.2"}
)

const (
	limitRate = 0.005
	wideRate  = 4 * limitRate
)

func (e *experiment) cells(setup study.Setup) ([]study.Cell, error) {
	e = &experiment{change: e.change, preset: setup.Preset}
	list := []study.Cell{{Name: scheduleCell, Run: e.schedule}}
	for _, seed := range setup.Seeds {
		list = append(list, e.digitCells(seed)...) // the longest first
		for _, c := range []struct {
			name string
			run  func(context.Context, uint64) (study.Measured, error)
		}{{limitCell, e.limit}, {instancesCell, e.instances}, {driftCell, e.drift}, {randomCell, e.random}} {
			list = append(list, study.Cell{Name: c.name, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return c.run(ctx, seed) }})
		}
	}
	return list, nil
}

// What limit measures of a strategy.
const (
	offset  = " offset"
	bias    = " bias"
	reached = " reached"
	swing   = " swing"
	wide    = " swing at 4 times the rate"
)

func (e *experiment) limit(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	for _, strategy := range slices.Concat(unbiased, biased) {
		s, err := e.settle(ctx, strategy, limitRate, seed)
		if err != nil {
			return m, err
		}
		m.Values[strategy+offset], m.Values[strategy+bias], m.Values[strategy+reached], m.Values[strategy+swing] = s.offset, s.bias, s.reached, s.swing
		m.Curves[strategy] = s.path
	}
	for _, strategy := range swinging {
		s, err := e.settle(ctx, strategy, wideRate, seed)
		if err != nil {
			return m, err
		}
		m.Values[strategy+wide] = s.swing
	}
	return m, nil
}

// instances counts the aggregations after which a strategy that is FedAvg in
// another guise differs from it in any bit.
func (e *experiment) instances(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	const rounds = 20
	run := func(strategy string, percent, count int, horizon float64, local federated.Local) ([][]float64, error) {
		return e.digitPath(ctx, strategy, percent, count, horizon, local, seed)
	}
	local := federated.Local{Steps: 10, Batch: 32, LearningRate: 0.1}
	reference, err := run("fedavg", slowest, clients, rounds, local)
	if err != nil {
		return m, err
	}
	for _, c := range []struct {
		strategy string
		percent  int
	}{{"fedfix:delta=1", slowest}, {"fedbuff:count=10", slowest}, {"fedfix:delta=1", 0}, {"fedbuff:count=10", 0}} {
		path, err := run(c.strategy, c.percent, clients, rounds, local)
		if err != nil {
			return m, err
		}
		m.Values["aggregations compared"] += rounds
		m.Values["aggregations that differ"] += float64(differing(path, reference))
	}
	// One client: every strategy is plain SGD.
	single, err := run("fedavg", 0, 1, rounds, local)
	if err != nil {
		return m, err
	}
	for _, strategy := range []string{"async:weights=identical", "fedbuff:count=1:weights=identical", "fedfix:delta=1:weights=identical"} {
		path, err := run(strategy, 0, 1, rounds, local)
		if err != nil {
			return m, err
		}
		m.Values["aggregations compared"] += rounds
		m.Values["aggregations that differ"] += float64(differing(path, single))
	}
	return m, nil
}

func differing(a, b [][]float64) int {
	count := max(len(a), len(b)) - min(len(a), len(b))
	for n := range min(len(a), len(b)) {
		if !slices.Equal(a[n], b[n]) {
			count++
		}
	}
	return count
}

// schedule counts how often clients take part, and adds up weights.
func (e *experiment) schedule(ctx context.Context) (study.Measured, error) {
	m := newMeasured()
	const many, horizon = 20, 1000
	times, err := federated.NewSpread(many, slowest)
	if err != nil {
		return m, err
	}
	for _, delta := range []float64{0.2, 0.5, 0.8} {
		parts, ticks, err := federated.Count(ctx, &federated.Interval{Times: times, Delta: delta}, many, horizon)
		if err != nil {
			return m, err
		}
		for i, got := range parts {
			want := ticks / int(math.Ceil(times.Mean(i)/delta-1e-9))
			m.Values["schedule error"] = max(m.Values["schedule error"], math.Abs(float64(got-want)))
		}
	}
	for _, strategy := range unbiased {
		s, err := federated.ParseStrategy(strategy)
		if err != nil {
			return m, err
		}
		w, err := s.Weights(ctx, times, equal(many), horizon)
		if err != nil {
			return m, err
		}
		for i, p := range equal(many) {
			m.Values["weight error"] = max(m.Values["weight error"], math.Abs(w.Frequencies[i]*w.Coefficients[i]-p))
		}
		m.Values[strategy+" progress"] = w.Progress
	}
	return m, nil
}

// drift compares FedAvg's limit under several local steps with its closed form.
func (e *experiment) drift(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	const rate, steps = 0.1, 10
	centres, curvatures := points(seed, clients), make([]float64, clients)
	rng := newRandom(seed, 2)
	for i := range curvatures {
		curvatures[i] = math.Exp(rng.NormFloat64())
	}
	q, err := federated.NewQuadratic(centres, curvatures)
	if err != nil {
		return m, err
	}
	times, err := federated.NewSpread(clients, slowest)
	if err != nil {
		return m, err
	}
	engine, err := e.engine(ctx, setting{strategy: "fedavg", clients: clients, times: times, horizon: 600, seed: seed,
		local: federated.Local{Steps: steps, LearningRate: rate}, objective: q, shards: federated.Singles(clients), initial: make([]float64, q.Dim())})
	if err != nil {
		return m, err
	}
	if err := engine.Until(ctx, 600, nil); err != nil {
		return m, err
	}
	pulls := make([]float64, clients)
	for i, a := range curvatures {
		pulls[i] = 1 - math.Pow(1-rate*a, steps)
	}
	x := engine.State().Parameters
	m.Values["from the fixed point"] = floats.Distance(x, weighted(centres, pulls), 2)
	m.Values["from the optimum"] = floats.Distance(x, weighted(centres, curvatures), 2)
	return m, nil
}

// random is FedFix with exponential times: mean weights in standard errors.
func (e *experiment) random(ctx context.Context, seed uint64) (study.Measured, error) {
	m := newMeasured()
	const ticks, delta = 100_000, 0.5
	times, err := federated.ParseTimes(fmt.Sprintf("exponential:F-%d", slowest), clients, seed)
	if err != nil {
		return m, err
	}
	s, err := federated.ParseStrategy(fmt.Sprintf("fedfix:delta=%g", delta))
	if err != nil {
		return m, err
	}
	w, err := s.Weights(ctx, times, equal(clients), 0)
	if err != nil {
		return m, err
	}
	parts, _, err := federated.Count(ctx, &federated.Interval{Times: times, Delta: delta}, clients, ticks*delta)
	if err != nil {
		return m, err
	}
	for i, count := range parts {
		d, f := w.Coefficients[i], w.Frequencies[i]
		error := math.Abs(d*float64(count)/ticks-1.0/clients) / (d * math.Sqrt(f*(1-f)/ticks))
		m.Values["standard errors"] = max(m.Values["standard errors"], error)
	}
	return m, nil
}
