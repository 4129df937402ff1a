package federated_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/federated"
)

// Check 1: for any times and importances the weights make up for how often a
// client takes part.
func TestWeightIdentities(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(rt, "clients")
		means, p := make([]float64, n), make([]float64, n)
		for i := range n {
			means[i] = rapid.Float64Range(0.05, 3).Draw(rt, "time")
			p[i] = rapid.Float64Range(0.01, 1).Draw(rt, "importance")
		}
		floats.Scale(1/floats.Sum(p), p)
		times, err := federated.NewFixed(means)
		if err != nil {
			rt.Fatal(err)
		}
		count := rapid.IntRange(1, n).Draw(rt, "count")
		for _, strategy := range []string{"fedavg", "async", "async:weights=learning-rate", fmt.Sprintf("fedfix:delta=%g", rapid.Float64Range(0.1, 3).Draw(rt, "delta")), fmt.Sprintf("fedbuff:count=%d", count)} {
			s, err := federated.ParseStrategy(strategy)
			if err != nil {
				rt.Fatal(err)
			}
			w, err := s.Weights(t.Context(), times, p, 200)
			if err != nil {
				rt.Fatal(err)
			}
			sum := 0.0
			for i := range n {
				share := w.Frequencies[i] * w.Coefficients[i]
				if w.Rates != nil {
					share *= w.Rates[i]
				}
				sum += share
				if w.Frequencies[i] > 0 && math.Abs(share-p[i]) > 1e-12 {
					rt.Fatalf("%s: f_%d d_%d = %g, want %g", strategy, i, i, share, p[i])
				}
				if math.Abs(w.Surrogate[i]-p[i]) > 1e-12 && !slices.Contains(w.Frequencies, 0) {
					rt.Fatalf("%s: surrogate importance %g, want %g", strategy, w.Surrogate[i], p[i])
				}
			}
			if math.Abs(sum-1) > 1e-12 && !slices.Contains(w.Frequencies, 0) {
				rt.Fatalf("%s: sum of f_i d_i = %g", strategy, sum)
			}
		}
	})
}

// The surrogate importances of identical weights are the table's, and those of
// FedBuff are counted.
func TestSurrogateImportance(t *testing.T) {
	times := spread(t, 10, 80)
	p := uniformImportance(10)
	for _, c := range []struct {
		strategy string
		want     func(tau float64) float64
	}{
		{"async:weights=identical", func(tau float64) float64 { return 1 / tau }},
		{"fedfix:delta=0.2:weights=identical", func(tau float64) float64 { return 1 / math.Ceil(tau/0.2-1e-9) }},
		{"fedfix:delta=0.5:weights=identical", func(tau float64) float64 { return 1 / math.Ceil(tau/0.5-1e-9) }},
	} {
		s, err := federated.ParseStrategy(c.strategy)
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.Weights(t.Context(), times, p, 0)
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for i := range p {
			total += c.want(times.Mean(i))
		}
		for i := range p {
			if want := c.want(times.Mean(i)) / total; math.Abs(w.Surrogate[i]-want) > 1e-12 {
				t.Errorf("%s: client %d has the surrogate importance %g, want %g", c.strategy, i, w.Surrogate[i], want)
			}
		}
	}
	// Progress: FedAvg 1/τ_max, FedFix 1/Δt, Async sum_j 1/τ_j, which is 21.3
	// times FedAvg's with M=10, F-80.
	for strategy, want := range map[string]float64{"fedavg": 1, "fedfix:delta=0.5": 2, "async": 21.29} {
		s, _ := federated.ParseStrategy(strategy)
		w, err := s.Weights(t.Context(), times, p, 0)
		if err != nil || math.Abs(w.Progress-want) > 0.01*want {
			t.Errorf("%s makes a progress of %g, %v, want %g", strategy, w.Progress, err, want)
		}
	}
}

// Check 2: how often clients take part.
func TestScheduleCounts(t *testing.T) {
	const clients, horizon = 20, 1000
	times := spread(t, clients, 80)
	for _, delta := range []float64{0.2, 0.5, 0.8} {
		parts, ticks, err := federated.Count(t.Context(), &federated.Interval{Times: times, Delta: delta}, clients, horizon)
		if err != nil || ticks != int(horizon/delta+1e-9) {
			t.Fatalf("Δt = %g: %d ticks, %v", delta, ticks, err)
		}
		for i, got := range parts {
			if want := ticks / int(math.Ceil(times.Mean(i)/delta-1e-9)); got < want-1 || got > want+1 {
				t.Errorf("Δt = %g: client %d takes part %d times, want %d", delta, i, got, want)
			}
		}
	}
	// A period that all times divide: each client once per time, exactly.
	rational := mustTimes(t, "1,0.5,0.25,0.2,0.1", 5)
	parts, aggregations, err := federated.Count(t.Context(), &federated.Asynchronous{Times: rational}, 5, 300)
	if err != nil || fmt.Sprint(parts) != "[300 600 1200 1500 3000]" || aggregations != 6600 {
		t.Errorf("asynchronous counts %v of %d, %v", parts, aggregations, err)
	}
}

// The lowest client is first among those that return together.
func TestOrderOfTies(t *testing.T) {
	p := problem{strategy: "async", times: mustTimes(t, "1,0.5,1", 3), clients: 3, local: federated.Local{Steps: 1, LearningRate: 0.1}}
	e := p.quadratic(t, centres(3, 2, 1), nil)
	var order []int
	err := e.Until(t.Context(), 2, func(a *federated.Aggregation) error {
		order = append(order, a.Clients...)
		return nil
	})
	if err != nil || fmt.Sprint(order) != "[1 0 1 2 1 0 1 2]" {
		t.Errorf("order %v, %v", order, err)
	}
}

// Check 7: with exponential times FedFix's weights are right in the mean.
func TestExponentialTimes(t *testing.T) {
	const ticks, clients, delta = 100_000, 4, 0.5
	times := mustTimes(t, "exponential:F-80", clients)
	p := []float64{0.1, 0.2, 0.3, 0.4}
	s, err := federated.ParseStrategy("fedfix:delta=0.5")
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Weights(t.Context(), times, p, 0)
	if err != nil {
		t.Fatal(err)
	}
	parts, n, err := federated.Count(t.Context(), &federated.Interval{Times: times, Delta: delta}, clients, ticks*delta)
	if err != nil || n != ticks {
		t.Fatalf("%d ticks, %v", n, err)
	}
	for i, count := range parts {
		f := w.Frequencies[i]
		if want := 1 - math.Exp(-delta/times.Mean(i)); math.Abs(f-want) > 1e-12 {
			t.Errorf("client %d has the frequency %g, want %g", i, f, want)
		}
		mean, deviation := w.Coefficients[i]*float64(count)/ticks, w.Coefficients[i]*math.Sqrt(f*(1-f)/ticks)
		if math.Abs(mean-p[i]) > 3*deviation {
			t.Errorf("client %d has the mean weight %g, want %g ± %g", i, mean, p[i], 3*deviation)
		}
	}
	var draws []float64
	for work := range 20_000 {
		draws = append(draws, float64(times.Ticks(1, work))/times.PerUnit())
	}
	if mean, deviation := stat.MeanStdDev(draws, nil); math.Abs(mean-times.Mean(1)) > 0.02 || math.Abs(deviation-mean) > 0.03 {
		t.Errorf("exponential times of mean %g have mean %g and deviation %g", times.Mean(1), mean, deviation)
	}
}

func TestStrategyText(t *testing.T) {
	for text, want := range map[string]string{
		"fedavg": "fedavg", "fedavg:clients=5": "fedavg:clients=5", "fedprox:mu=0.1": "fedprox:mu=0.1", "async:weights=learning-rate": "async:weights=learning-rate",
		"fedfix:weights=weight:delta=0.20": "fedfix:delta=0.2", "fedbuff:count=3:weights=identical": "fedbuff:count=3:weights=identical",
	} {
		s, err := federated.ParseStrategy(text)
		if err != nil || s.String() != want {
			t.Errorf("%q is %q, %v, want %q", text, s, err, want)
		}
	}
	for _, text := range []string{
		"", "fed", "fedavg:delta=1", "fedavg:clients=0", "fedfix:delta=0", "fedfix:delta=NaN", "fedfix:delta=Inf", "fedfix:weights=learning-rate",
		"fedbuff:count=1.5", "fedprox:mu=-1", "async:weights=none", "async:count=2", "fedfix:delta=1:delta=2",
	} {
		if s, err := federated.ParseStrategy(text); err == nil {
			t.Errorf("%q is read as %s", text, s)
		}
	}
	for _, d := range federated.Strategies() {
		if s, err := federated.ParseStrategy(string(d.Policy)); err != nil || s.String() != string(d.Policy) {
			t.Errorf("%s is read as %s, %v", d.Policy, s, err)
		}
	}
}

func TestTimesText(t *testing.T) {
	times := mustTimes(t, "F-80", 5)
	for i, want := range []float64{1, 0.8, 0.6, 0.4, 0.2} {
		if times.Mean(i) != want || float64(times.Ticks(i, 3)) != want*times.PerUnit() {
			t.Errorf("F-80: client %d needs %g, want %g", i, times.Mean(i), want)
		}
	}
	for _, text := range []string{"", "F-", "F-100", "F--1", "F-8.5", "0", "-1", "NaN", "1e99", "1,2", "exponential:", "exponential:1,2", "exponential:F-100", "1,x,3,4,5"} {
		if times, err := federated.ParseTimes(text, 5, 1); err == nil {
			t.Errorf("%q is read as %v", text, times)
		}
	}
}

func FuzzParseStrategy(f *testing.F) {
	for _, d := range federated.Strategies() {
		f.Add(string(d.Policy))
	}
	f.Add("fedfix:delta=0.2:weights=identical")
	f.Add("fedbuff:count=3")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := federated.ParseStrategy(text)
		if err != nil {
			return
		}
		again, err := federated.ParseStrategy(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q is read as %s, and that as %s, %v", text, s, again, err)
		}
	})
}

func FuzzParseTimes(f *testing.F) {
	for _, text := range []string{"F-80", "1", "1,0.5,0.2", "exponential:F-30", "exponential:2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		times, err := federated.ParseTimes(text, 3, 1)
		if err != nil {
			return
		}
		for i := range 3 {
			if !(times.Mean(i) > 0) || times.Ticks(i, 0) < 1 {
				t.Errorf("%q: client %d needs %g, %d ticks", text, i, times.Mean(i), times.Ticks(i, 0))
			}
		}
	})
}
