package federated_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/federated"
)

// Check 3: with the interval of the slowest client, a buffer of all clients or
// equal times, the iterates are FedAvg's, bit for bit.
func TestReductionsToFedAvg(t *testing.T) {
	const clients = 6
	p := problem{strategy: "fedavg", times: spread(t, clients, 80), clients: clients, local: small, horizon: 12, seed: 3}
	want := path(t, p.classify(t), 12)
	if len(want) != 12 {
		t.Fatalf("%d rounds of FedAvg in 12 units of time, want 12", len(want))
	}
	for _, c := range []struct {
		strategy string
		percent  int
	}{{"fedfix:delta=1", 80}, {"fedbuff:count=6", 80}, {"fedfix:delta=1", 0}, {"fedbuff:count=6", 0}, {"fedavg", 0}, {"fedfix:delta=1:weights=identical", 0}} {
		p.strategy, p.times = c.strategy, spread(t, clients, c.percent)
		got := path(t, p.classify(t), 12)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s with F-%d differs from FedAvg", c.strategy, c.percent)
		}
	}
	// With equal times and half the interval, every second tick is empty and
	// the weights make up for it: FedAvg with twice the server's learning rate.
	p.strategy, p.times = "fedfix:delta=0.5", spread(t, clients, 0)
	halves := path(t, p.classify(t), 12)
	p.strategy, p.change = "fedavg", func(c *federated.Config) { c.ServerRate = 2 }
	double := path(t, p.classify(t), 12)
	for n := range double {
		if !floats.EqualApprox(halves[2*n+1], double[n], 1e-12) || n > 0 && fmt.Sprint(halves[2*n]) != fmt.Sprint(halves[2*n-1]) {
			t.Fatalf("tick %d of FedFix with equal times", 2*n+1)
		}
	}
}

// Check 3: identical clients that take one step each are one client with the
// batches of all.
func TestOneStepIsLargeBatch(t *testing.T) {
	const clients, batch = 4, 5
	o := softmax(t, 80)
	shards := slices.Repeat([][]int{sequence(80)}, clients)
	p := problem{strategy: "fedavg", times: spread(t, clients, 0), clients: clients, local: federated.Local{Steps: 1, Batch: batch, LearningRate: 0.3}, seed: 8}
	got := path(t, p.engine(t, func() federated.Objective { return o.Clone() }, shards, make([]float64, o.Dim())), 20)

	w, g := make([]float64, o.Dim()), make([]float64, o.Dim())
	for n := range 20 {
		var rows []int
		for client := range clients {
			rows = append(rows, firstBatch(t, p.seed, client, n, 80, p.local)...)
		}
		if _, err := o.Gradient(w, g, rows); err != nil {
			t.Fatal(err)
		}
		floats.AddScaled(w, -0.3, g)
		if !floats.EqualApprox(got[n], w, 1e-12) {
			t.Fatalf("round %d differs from SGD with %d examples", n, clients*batch)
		}
	}
}

func sequence(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// firstBatch is the first batch that a task is given.
func firstBatch(t testing.TB, seed uint64, client, work, rows int, local federated.Local) []int {
	t.Helper()
	var s federated.Shuffled
	if err := s.Begin(&federated.Task{Seed: seed, Client: client, Work: work, Local: local}, sequence(rows), nil); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(s.Next(0))
}

// Check 10: one client is plain SGD on its own stream of batches, bit for bit,
// whatever the strategy and the times.
func TestOneClientIsSGD(t *testing.T) {
	o := softmax(t, 50)
	const works = 12
	local := federated.Local{Steps: 4, Batch: 8, LearningRate: 0.2}
	w, g := make([]float64, o.Dim()), make([]float64, o.Dim())
	var s federated.Shuffled
	for work := range works {
		if err := s.Begin(&federated.Task{Seed: 9, Work: work, Local: local}, sequence(50), o); err != nil {
			t.Fatal(err)
		}
		start := slices.Clone(w)
		for k := range local.Steps {
			if _, err := o.Gradient(w, g, s.Next(k)); err != nil {
				t.Fatal(err)
			}
			floats.AddScaled(w, -local.LearningRate, g)
		}
		// The server adds differences: θ + (y - θ), which rounds as it does.
		floats.Sub(w, start)
		floats.Add(start, w)
		copy(w, start)
	}
	for _, strategy := range []string{"fedavg", "fednova", "async", "async:weights=identical", "async:weights=learning-rate", "fedbuff:count=1", "fedfix:delta=0.2:weights=identical", "fedfix:delta=2"} {
		p := problem{strategy: strategy, times: mustTimes(t, "0.7", 1), clients: 1, local: local, seed: 9, horizon: 100}
		e := p.engine(t, func() federated.Objective { return o.Clone() }, [][]int{sequence(50)}, make([]float64, o.Dim()))
		for e.State().Contributions < works {
			if _, err := e.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(e.State().Parameters, w) {
			t.Errorf("%s with one client differs from SGD: %v, want %v", strategy, e.State().Parameters[:3], w[:3])
		}
	}
}

func mustTimes(t testing.TB, text string, clients int) federated.Times {
	t.Helper()
	times, err := federated.ParseTimes(text, clients, 1)
	if err != nil {
		t.Fatal(err)
	}
	return times
}

// Check 6: with unequal curvatures and several local steps FedAvg converges to
// the solution of sum_i p_i (1-(1-η a_i)^K)(x-c_i) = 0.
func TestLocalDrift(t *testing.T) {
	const clients, dim, rate, steps = 5, 3, 0.1, 7
	points, curvatures := centres(clients, dim, 2), []float64{0.2, 0.5, 1, 2, 4}
	importance := []float64{0.1, 0.15, 0.2, 0.25, 0.3}
	p := problem{strategy: "fedavg", times: spread(t, clients, 80), clients: clients, importance: importance, local: federated.Local{Steps: steps, LearningRate: rate}}
	e := p.quadratic(t, points, curvatures)
	if err := e.Until(t.Context(), 400, nil); err != nil {
		t.Fatal(err)
	}
	want, optimum := weighted(points, func(i int) float64 { return importance[i] * (1 - math.Pow(1-rate*curvatures[i], steps)) }),
		weighted(points, func(i int) float64 { return importance[i] * curvatures[i] })
	if d := floats.Distance(e.State().Parameters, want, 2); d > 1e-8 {
		t.Errorf("FedAvg ends %g from the fixed point of its local work", d)
	}
	if d := floats.Distance(e.State().Parameters, optimum, 2); d < 0.05 {
		t.Errorf("FedAvg ends %g from the optimum, expected a drift", d)
	}
	// SCAFFOLD removes the drift where all clients are of equal importance.
	p.strategy, p.importance = "scaffold", nil
	e = p.quadratic(t, points, curvatures)
	if err := e.Until(t.Context(), 2000, nil); err != nil {
		t.Fatal(err)
	}
	if d := floats.Distance(e.State().Parameters, weighted(points, func(i int) float64 { return curvatures[i] }), 2); d > 1e-6 {
		t.Errorf("SCAFFOLD ends %g from the optimum", d)
	}
}

// weighted is the mean of points with weights, normalised.
func weighted(points [][]float64, weight func(i int) float64) []float64 {
	mean, total := make([]float64, len(points[0])), 0.0
	for i, c := range points {
		floats.AddScaled(mean, weight(i), c)
		total += weight(i)
	}
	floats.Scale(1/total, mean)
	return mean
}

// centre is the closed form of check 4 for one strategy.
type centre struct {
	offset   float64 // of the time average from the surrogate's centre
	bias     float64 // of the surrogate's centre from the federated optimum
	reached  float64 // distance of the time average from the federated optimum
	spreadOf float64 // RMS distance of the second half from its mean
}

// settle runs a strategy on M=10, F-80, K=1, full gradients and averages the
// second half of the iterates over time.
func settle(t testing.TB, strategy string, rate float64, seed uint64) centre {
	t.Helper()
	const clients, dim = 10, 5
	points := centres(clients, dim, seed)
	horizon := 40 / rate
	times := spread(t, clients, 80)
	p := problem{strategy: strategy, times: times, clients: clients, local: federated.Local{Steps: 1, LearningRate: rate}, horizon: horizon}
	e := p.quadratic(t, points, nil)
	mean, square := federated.NewTimeAverage(dim), 0.0
	var list [][]float64
	var since []float64
	err := e.Until(t.Context(), horizon, func(a *federated.Aggregation) error {
		if a.Time >= horizon/2 {
			mean.Add(a.Time, e.State().Parameters)
			list = append(list, slices.Clone(e.State().Parameters))
			since = append(since, a.Time)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	average := mean.Mean(horizon)
	for _, x := range list {
		square += math.Pow(floats.Distance(x, average, 2), 2)
	}
	s, err := federated.ParseStrategy(strategy)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Weights(t.Context(), times, uniformImportance(clients), horizon)
	if err != nil {
		t.Fatal(err)
	}
	target := weighted(points, func(i int) float64 { return w.Surrogate[i] })
	optimum := weighted(points, func(int) float64 { return 1 })
	return centre{
		offset: floats.Distance(average, target, 2), bias: floats.Distance(target, optimum, 2),
		reached: floats.Distance(average, optimum, 2), spreadOf: math.Sqrt(square / float64(len(list))),
	}
}

func uniformImportance(n int) []float64 { return slices.Repeat([]float64{1 / float64(n)}, n) }

// Checks 4 and 5: where the strategies settle, and how widely they swing.
func TestSurrogateOptimum(t *testing.T) {
	// The offset of a biased strategy depends on the draw of the centres; this
	// one shows all of them.
	const rate, draw = 0.005, 12
	swing := map[string]float64{}
	for _, strategy := range []string{
		"fedavg", "async", "async:weights=identical", "async:weights=learning-rate", "fedfix:delta=0.5", "fedfix:delta=0.5:weights=identical",
		"fedfix:delta=0.2", "fedfix:delta=0.2:weights=identical", "fedbuff:count=3", "fedbuff:count=3:weights=identical",
	} {
		c := settle(t, strategy, rate, draw)
		swing[strategy] = c.spreadOf
		if c.offset > 0.02 {
			t.Errorf("%s settles %g from the centre of its surrogate", strategy, c.offset)
		}
		s, _ := federated.ParseStrategy(strategy)
		if biased := s.Weighting == federated.Identical; biased && c.reached < 0.2 || !biased && c.reached > 0.02 {
			t.Errorf("%s settles %g from the federated optimum", strategy, c.reached)
		}
		if testing.Short() {
			continue
		}
		if s.Policy == federated.Async || s.Policy == federated.FedFix {
			if ratio := settle(t, strategy, 4*rate, draw).spreadOf / c.spreadOf; ratio < 3 || ratio > 5 {
				t.Errorf("%s swings %g times as widely at 4 times the learning rate", strategy, ratio)
			}
		}
	}
	if !(swing["fedavg"] < swing["fedfix:delta=0.5"] && swing["fedfix:delta=0.5"] < swing["fedfix:delta=0.2"] && swing["fedfix:delta=0.2"] < swing["async"]) {
		t.Errorf("swings %v: expected FedAvg < FedFix(0.5) < FedFix(0.2) < Async", swing)
	}
}
