package zeroth_test

import (
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/backend/kernel"
	"github.com/descentml/descent/method/zeroth"
)

func features(t testing.TB, spec zeroth.FeatureSpec) *zeroth.Features {
	t.Helper()
	f, err := zeroth.NewFeatures(spec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Check 4: the features' products are the kernel up to 1/sqrt(M).
func TestFeaturesApproachTheKernel(t *testing.T) {
	const n, d = 30, 6
	rng := generator(9)
	points := uniform(n*d, rng)
	for _, m := range []int{100, 1000, 10000} {
		f := features(t, zeroth.FeatureSpec{Dim: d, Count: m, LengthScale: 1, Seed: 3})
		mapped := make([][]float64, n)
		for i := range mapped {
			mapped[i] = make([]float64, m)
			f.Map(points[i*d:(i+1)*d], mapped[i])
		}
		sum := 0.0
		for i := range n {
			for j := range n {
				r := floats.Distance(points[i*d:(i+1)*d], points[j*d:(j+1)*d], 2)
				e := floats.Dot(mapped[i], mapped[j]) - math.Exp(-r*r/2)
				sum += e * e
			}
		}
		if rms := math.Sqrt(sum/(n*n)) * math.Sqrt(float64(m)); rms < 0.5 || rms > 1.2 {
			t.Errorf("M = %d: error times sqrt(M) is %.2f, want 0.5 to 1.2", m, rms)
		}
	}
}

func TestFeatureGradientAgainstDifferences(t *testing.T) {
	f := features(t, zeroth.FeatureSpec{Dim: 5, Count: 300, LengthScale: 0.7, Seed: 1})
	rng := generator(2)
	x, w, g := uniform(5, rng), uniform(300, rng), make([]float64, 5)
	f.Gradient(x, w, g)
	value := func(x []float64) float64 { return f.Value(x, w) }
	if d := floats.Distance(g, numeric(value, x, 1e-5), math.Inf(1)); d > 1e-8 {
		t.Errorf("gradient and differences are %g apart", d)
	}
}

// Weights fitted to values reproduce their differences, and averaging weights
// averages functions and gradients (check 6, first half).
func TestFeatureFitAndLinearity(t *testing.T) {
	const d, m, n = 4, 400, 60
	f := features(t, zeroth.FeatureSpec{Dim: d, Count: m, LengthScale: 1, Seed: 5})
	rng := generator(3)
	weights := [2][]float64{make([]float64, m), make([]float64, m)}
	for k := range weights {
		points, values := uniform(n*d, rng), make([]float64, n)
		for i := range values {
			values[i] = 10*bowl(points[i*d:(i+1)*d]) + float64(k)
		}
		if err := f.Fit(points, values, 1e-6, weights[k]); err != nil {
			t.Fatal(err)
		}
		low := floats.Min(values)
		for i, y := range values {
			if got := f.Value(points[i*d:(i+1)*d], weights[k]); math.Abs(got-(y-low)) > 0.05 {
				t.Errorf("value %g, want %g above the least", got, y-low)
			}
		}
	}
	mean := make([]float64, m)
	floats.AddTo(mean, weights[0], weights[1])
	floats.Scale(0.5, mean)
	x, a, b, g := uniform(d, rng), make([]float64, d), make([]float64, d), make([]float64, d)
	f.Gradient(x, weights[0], a)
	f.Gradient(x, weights[1], b)
	f.Gradient(x, mean, g)
	for i := range g {
		if math.Abs(g[i]-(a[i]+b[i])/2) > 1e-12*max(1, math.Abs(g[i])) {
			t.Errorf("coordinate %d: %g for mean weights, %g and %g apart", i, g[i], a[i], b[i])
		}
	}
	if f.Fit(nil, nil, 1e-6, mean) == nil || f.Fit(make([]float64, d), []float64{1}, 1e-6, mean[:3]) == nil || f.Fit(make([]float64, d), []float64{1}, 0, mean) == nil {
		t.Error("wrong arguments were accepted")
	}
}

// The surrogate's gradient points the right way where it has walked, and the
// optimizer needs few values.
func TestOptimizerMinimises(t *testing.T) {
	e := evaluator(t, 10, bowl)
	start := make([]float64, 10)
	for i := range start {
		start[i] = 0.9
	}
	last := zeroth.Iterate{}
	o := zeroth.Optimizer{LearningRate: 0.02, Active: 1}
	result, err := o.Minimise(t.Context(), e, start, 80, generator(1), func(i zeroth.Iterate) { last = i })
	if err != nil || result.Stopped != nil {
		t.Fatal(err, result.Stopped)
	}
	if want := int64(1 + 10 + 80 + 80); result.Calls != want || last.Calls != want-1 || last.Step != 80 {
		t.Errorf("%d calls, %d at the last step %d: want %d", result.Calls, last.Calls, last.Step, want)
	}
	if result.Value > bowl(start)/1000 || bowl(result.X) != result.Value {
		t.Errorf("from %g down to %g", bowl(start), result.Value)
	}
	again := evaluator(t, 10, bowl)
	same, err := o.Minimise(t.Context(), again, start, 80, generator(1), nil)
	if err != nil || !floats.Equal(same.X, result.X) {
		t.Error("the same seed gave another result")
	}
}

// What ends a minimisation early leaves the best point so far.
func TestOptimizerStops(t *testing.T) {
	e := evaluator(t, 3, bowl)
	e.Limit = 30
	o := zeroth.Optimizer{Restart: 10}
	result, err := o.Minimise(t.Context(), e, []float64{1, 1, 1}, 100, generator(1), nil)
	if err != nil || !errors.Is(result.Stopped, zeroth.ErrBudget) || result.Calls != 30 || result.Steps != 19 {
		t.Errorf("%+v, %v: expected a stop at 30 calls", result, err)
	}
	calls := 0
	ill := evaluator(t, 3, func(x []float64) float64 {
		if calls++; calls > 15 {
			return math.NaN()
		}
		return bowl(x)
	})
	if result, err = o.Minimise(t.Context(), ill, []float64{1, 1, 1}, 100, generator(1), nil); err != nil || !errors.Is(result.Stopped, zeroth.ErrNotFinite) {
		t.Errorf("%+v, %v: expected a stop at NaN", result, err)
	}
	bad := zeroth.Optimizer{Active: -1}
	if _, err := bad.Minimise(t.Context(), e, []float64{1, 1, 1}, 1, generator(1), nil); err == nil {
		t.Error("negative settings were accepted")
	}
}

// Chosen points are those of the largest uncertainty among the drawn.
func TestExplorerChoosesTheMostUncertain(t *testing.T) {
	rng := generator(6)
	s := surrogate(t, 5, zeroth.Settings{})
	for range 50 {
		x := uniform(5, rng)
		s.Add(x, bowl(x))
	}
	centre := []float64{0.5, 0.5, 0.5, 0.5, 0.5}
	if err := s.Fit(centre, zeroth.Everywhere); err != nil {
		t.Fatal(err)
	}
	chosen := (&zeroth.Explorer{}).Choose(s, centre, 0.3, 4, generator(8))
	drawn := (&zeroth.Explorer{Random: true}).Choose(s, centre, 0.3, 100, generator(8))
	least := math.Inf(1)
	for i := range 4 {
		least = min(least, s.Uncertainty(chosen[5*i:5*i+5]))
	}
	above := 0
	for i := range 100 {
		if s.Uncertainty(drawn[5*i:5*i+5]) > least*(1+1e-9) {
			above++
		}
	}
	if above > 3 {
		t.Errorf("%d of the drawn are more uncertain than the fourth chosen", above)
	}
}

func BenchmarkFit(b *testing.B) {
	s, at := known(b)
	for name, search := range map[string]zeroth.Search{"everywhere": zeroth.Everywhere, "nearby": zeroth.Nearby, "keep": zeroth.Keep} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Fit(at, search); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// known is a surrogate of 600 points in 50 dimensions.
func known(b *testing.B) (*zeroth.Surrogate, []float64) {
	kernel.UseInGonum()
	rng := generator(1)
	s := surrogate(b, 50, zeroth.Settings{})
	for range 600 {
		x := uniform(50, rng)
		floats.Scale(0.1, x)
		s.Add(x, bowl(x))
	}
	at := s.Points()[:50]
	if err := s.Fit(at, zeroth.Everywhere); err != nil {
		b.Fatal(err)
	}
	return s, at
}

func BenchmarkGradient(b *testing.B) {
	s, at := known(b)
	g := make([]float64, 50)
	b.ReportAllocs()
	for b.Loop() {
		s.Gradient(at, g)
	}
}

// One way of 100 uncertainties, the other of one.
func BenchmarkUncertainty(b *testing.B) {
	s, at := known(b)
	candidates, into := s.Points()[:100*50], make([]float64, 100)
	b.Run("100 together", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Fit(at, zeroth.Keep); err != nil { // so that the inverse is part of the time
				b.Fatal(err)
			}
			s.Uncertainties(candidates, into)
		}
	})
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Uncertainty(at)
		}
	})
}

func BenchmarkFeatures(b *testing.B) {
	s, at := known(b)
	f := features(b, zeroth.FeatureSpec{Dim: 50, Count: 1000, LengthScale: 1})
	points, values := s.Nearest(at, 500, nil, nil)
	w, g := make([]float64, 1000), make([]float64, 50)
	b.Run("fit 500", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := f.Fit(points, values, 1e-6, w); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gradient", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Gradient(at, w, g)
		}
	})
}

func BenchmarkRGF(b *testing.B) {
	e, g, x, rng := evaluator(b, 50, bowl), make([]float64, 50), make([]float64, 50), generator(1)
	r := zeroth.RGF{}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Estimate(b.Context(), e, x, nil, g, rng); err != nil {
			b.Fatal(err)
		}
	}
}
