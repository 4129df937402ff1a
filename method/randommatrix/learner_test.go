package randommatrix_test

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/randommatrix"
)

// logged are Ritz values of a training log of the paper's code; the last one is
// the spike at zero.
var logged = []float64{
	184.497, 91.6072, 82.4955, 74.9932, 68.8208, 59.1834, 51.7545, 43.9251, 43.055, 37.6525, 32.2158, 32.1924, 25.6551, 22.0987,
	18.8549, 12.0788, 10.78, 3.50091, 3.18029, 0.00236677,
}

func loggedRitz() randommatrix.Ritz {
	weights := make([]float64, len(logged))
	for i := range weights {
		weights[i] = (1 - 0.995802) / 19
	}
	weights[19] = 0.995802
	nodes := slices.Clone(logged)
	nodes[3] = -nodes[3] // magnitudes count
	return randommatrix.Ritz{Nodes: nodes, Weights: weights}
}

// Check 5: the numbers of the paper's own log.
func TestLearnerAgreesWithTheLog(t *testing.T) {
	for _, c := range []struct {
		variant        randommatrix.Variant
		rate, momentum float64
	}{
		{randommatrix.Nesterov, 0.131292, 0.767890},
		{randommatrix.Polyak, 0.0169403, 0.589655},
		{randommatrix.TextbookNesterov, 1 / 184.497, 0.767890},
		{randommatrix.Plain, 2 / (184.497 + 37.6525), 0},
	} {
		r, err := randommatrix.Learner{Variant: c.variant, Unguarded: true}.Rates(loggedRitz())
		if err != nil {
			t.Fatal(err)
		}
		within(t, c.variant.String()+" rate", r.LearningRate, c.rate, 1e-5)
		within(t, c.variant.String()+" momentum", r.Momentum, c.momentum, 1e-5)
		if r.Largest != 184.497 || c.variant != randommatrix.Plain && r.Smallest != 3.18029 {
			t.Errorf("%s: L %g and mu %g", c.variant, r.Largest, r.Smallest)
		}
		guarded, err := randommatrix.Learner{Variant: c.variant, Safety: 0.5}.Rates(loggedRitz())
		if err != nil {
			t.Fatal(err)
		}
		within(t, "guarded rate", guarded.LearningRate, 0.5*min(c.rate, 2/184.497), 1e-5)
	}
}

func TestLearnerSettings(t *testing.T) {
	r, err := randommatrix.Learner{Variant: randommatrix.Polyak, Median: true}.Rates(loggedRitz())
	if err != nil || r.Smallest != 37.6525 {
		t.Errorf("mu = %g, %v: expected the median 37.6525", r.Smallest, err)
	}
	r, err = randommatrix.Learner{}.Rates(randommatrix.Ritz{Nodes: []float64{-4}, Weights: []float64{1}})
	if err != nil || r.Largest != 4 || math.Abs(r.Smallest-4e-3) > 1e-15 {
		t.Errorf("all mass removed: L = %g, mu = %g, %v", r.Largest, r.Smallest, err)
	}
	r, err = randommatrix.Learner{}.Rates(randommatrix.Ritz{Nodes: []float64{1e-12, 1e-10, 1}, Weights: []float64{0.4, 0.3, 0.3}})
	if err != nil || r.Momentum != 0.99 {
		t.Errorf("momentum %g, %v: expected the guard 0.99", r.Momentum, err)
	}
	for _, bad := range []randommatrix.Ritz{
		{}, {Nodes: []float64{1}}, {Nodes: []float64{0}, Weights: []float64{1}},
		{Nodes: []float64{math.NaN()}, Weights: []float64{1}}, {Nodes: []float64{math.Inf(1)}, Weights: []float64{1}},
	} {
		if _, err := (randommatrix.Learner{}).Rates(bad); err == nil {
			t.Errorf("%v: expected an error", bad)
		}
	}
	for _, bad := range []randommatrix.Learner{{Variant: 9}, {Safety: -1}} {
		if _, err := bad.Rates(loggedRitz()); err == nil {
			t.Errorf("%v: expected an error", bad)
		}
	}
}

// Check 6: the Polyak pair on a quadratic, and the rate that the paper prints
// without the square.
func TestPolyakOnQuadratic(t *testing.T) {
	curvature := make([]float64, 50)
	weights := make([]float64, 50)
	for i := range curvature {
		curvature[i], weights[i] = 1+99*float64(i)/49, 0.02
	}
	r, err := randommatrix.Learner{Variant: randommatrix.Polyak, Unguarded: true}.Rates(randommatrix.Ritz{Nodes: curvature, Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	descend := func(r randommatrix.Rates) float64 {
		x, v, g := make([]float64, 50), make([]float64, 50), make([]float64, 50)
		floats.AddConst(1, x)
		for range 200 {
			floats.MulTo(g, curvature, x)
			r.Step(x, v, g)
		}
		return floats.Norm(x, 2)
	}
	if got := descend(r); !(got <= 1e-12) {
		t.Errorf("the Polyak pair ends at %g, expected at most 1e-12", got)
	}
	r.LearningRate = math.Sqrt(r.LearningRate)
	if got := descend(r); got <= 1e12 {
		t.Errorf("the printed rate ends at %g, expected divergence", got)
	}
}

// The form of Nesterov is the textbook's, with a look-ahead point: y = w - alpha
// rho v is where the gradient is taken, up to a shift of variables.
func TestNesterovForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := randommatrix.Rates{LearningRate: rapid.Float64Range(0.01, 0.5).Draw(t, "rate"), Momentum: rapid.Float64Range(0, 0.95).Draw(t, "momentum"), Nesterov: true}
		curvature := rapid.Float64Range(0.1, 2).Draw(t, "curvature")
		w, v, g := []float64{1}, []float64{0}, []float64{0}
		point, before := 1.0, 1.0 // the textbook's x_t and x_{t-1}
		ahead := 1.0
		for range 20 {
			g[0] = curvature * w[0]
			r.Step(w, v, g)
			before, point = point, ahead-r.LearningRate*curvature*ahead
			ahead = point + r.Momentum*(point-before)
			if math.Abs(w[0]-ahead) > 1e-9 {
				t.Fatalf("%g, textbook %g", w[0], ahead)
			}
		}
	})
}

// stepped are the vectors that steps are measured on.
func stepped() (rates randommatrix.Rates, weights, velocity, gradient []float64) {
	const parameters = 10_000
	return randommatrix.Rates{LearningRate: 0.1, Momentum: 0.9, Nesterov: true}, make([]float64, parameters), make([]float64, parameters), make([]float64, parameters)
}

func TestStepAllocatesNothing(t *testing.T) {
	r, w, v, g := stepped()
	if count := testing.AllocsPerRun(10, func() { r.Step(w, v, g) }); count != 0 {
		t.Errorf("%g allocations a step", count)
	}
}

func BenchmarkRatesStep(b *testing.B) {
	r, w, v, g := stepped()
	b.ReportAllocs()
	b.SetBytes(int64(3 * 8 * len(w)))
	for b.Loop() {
		r.Step(w, v, g)
	}
}

func within(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s: %.6g, expected %.6g within %g %%", what, got, want, 100*relative)
	}
}
