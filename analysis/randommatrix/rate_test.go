package randommatrix_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/analysis/stability"
)

// sample are per-example Hessians in memory.
type sample []*mat.SymDense

func (s sample) products(ctx context.Context, v []float64, visit func([]float64) error) error {
	out := make([]float64, len(v))
	for _, h := range s {
		mat.NewVecDense(len(out), out).MulVec(h, mat.NewVecDense(len(v), v))
		if err := visit(out); err != nil {
			return err
		}
	}
	return nil
}

// Check 4: the isotropic noise of Wigner matrices around a matrix of rank one.
func TestEstimateNoise(t *testing.T) {
	const rows, s, count = 300, 0.2, 64
	rng := generator(5)
	var examples, batches sample
	for i := range count {
		h := wigner(rows, s*s, rng)
		h.SetSym(0, 0, h.At(0, 0)+5)
		examples = append(examples, h)
		if i%4 == 3 {
			mean := mat.NewSymDense(rows, nil)
			for _, h := range examples[i-3:] {
				mean.AddSym(mean, h)
			}
			mean.ScaleSym(0.25, mean)
			batches = append(batches, mean)
		}
	}
	biased, err := randommatrix.EstimateNoise(t.Context(), rows, examples.products, randommatrix.Estimation{Probes: 2}, generator(6))
	if err != nil {
		t.Fatal(err)
	}
	unbiased, err := randommatrix.EstimateNoise(t.Context(), rows, examples.products, randommatrix.Estimation{Probes: 2, Unbiased: true}, generator(6))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "unbiased estimate", unbiased.Value, rows*s*s, 0.1)
	within(t, "the paper's estimate", biased.Value*count/(count-1), unbiased.Value, 1e-12)
	ofBatches, err := randommatrix.EstimateNoise(t.Context(), rows, batches.products, randommatrix.Estimation{Probes: 2, Unbiased: true, BatchSize: 4}, generator(6))
	if err != nil {
		t.Fatal(err)
	}
	within(t, "estimate from batches", ofBatches.Value, rows*s*s, 0.1)
	// On isotropic noise the directional coefficient is the isotropic one.
	axis := make([]float64, rows)
	axis[0] = 1
	d, err := randommatrix.EstimateDirection(t.Context(), []spectrum.Pair{{Value: 5, Vector: axis}}, examples.products, randommatrix.Estimation{Unbiased: true})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "directional coefficient", d.Plain, rows*s*s/5, 0.1)
	if d.Plain != d.Refined {
		t.Errorf("one eigenpair: plain %g, refined %g, expected the same", d.Plain, d.Refined)
	}
}

// The refined coefficient predicts the top eigenvalue of means of few
// examples, where noise is between two known directions alone.
func TestRefinedDirection(t *testing.T) {
	const count = 2000
	rng := generator(8)
	var examples sample
	mean := mat.NewSymDense(3, nil)
	for range count / 2 {
		x := 0.5 * rng.NormFloat64()
		for _, sign := range []float64{1, -1} { // so that the mean is exact
			h := mat.NewSymDense(3, []float64{4, sign * x, 0, sign * x, 3, 0, 0, 0, 1})
			examples = append(examples, h)
			mean.AddSym(mean, h)
		}
	}
	mean.ScaleSym(1./count, mean)
	e, err := spectrum.Extreme(t.Context(), spectrum.Dense{Matrix: mean}, spectrum.Extremes{Largest: 2, Vectors: true}, rng)
	if err != nil {
		t.Fatal(err)
	}
	d, err := randommatrix.EstimateDirection(t.Context(), e.Largest, examples.products, randommatrix.Estimation{})
	if err != nil {
		t.Fatal(err)
	}
	const batch, repeats = 50, 4000
	excess := 0.0
	for range repeats {
		x := 0.0
		for range batch {
			x += examples[rng.IntN(count)].At(0, 1) / batch
		}
		excess += (3.5 + math.Sqrt(0.25+x*x) - 4) / repeats // top eigenvalue of [[4, x], [x, 3]]
	}
	within(t, "excess of the top eigenvalue", d.Refined/batch, excess, 0.06)
	if d.Plain > 0.5*d.Refined {
		t.Errorf("plain %g, refined %g: expected the neighbouring eigenvalue to count", d.Plain, d.Refined)
	}
}

func TestEstimationErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	one := sample{mat.NewSymDense(2, []float64{1, 0, 0, 1})}
	two := append(one, mat.NewSymDense(2, []float64{2, 0, 0, 1}))
	failed := errors.New("failed")
	for name, run := range map[string]func() error{
		"one Hessian": func() error {
			_, err := randommatrix.EstimateNoise(ctx, 2, one.products, randommatrix.Estimation{}, generator(1))
			return err
		},
		"no dimension": func() error {
			_, err := randommatrix.EstimateNoise(ctx, 0, two.products, randommatrix.Estimation{}, generator(1))
			return err
		},
		"batches of all": func() error {
			_, err := randommatrix.EstimateNoise(ctx, 2, two.products, randommatrix.Estimation{BatchSize: 5, Examples: 5}, generator(1))
			return err
		},
		"failing products": func() error {
			_, err := randommatrix.EstimateNoise(ctx, 2, func(context.Context, []float64, func([]float64) error) error { return failed }, randommatrix.Estimation{}, generator(1))
			if !errors.Is(err, failed) {
				return nil
			}
			return err
		},
		"short products": func() error {
			_, err := randommatrix.EstimateNoise(ctx, 2, func(_ context.Context, _ []float64, visit func([]float64) error) error { return visit([]float64{1}) }, randommatrix.Estimation{}, generator(1))
			return err
		},
		"no pairs": func() error {
			_, err := randommatrix.EstimateDirection(ctx, nil, two.products, randommatrix.Estimation{})
			return err
		},
		"no vectors": func() error {
			_, err := randommatrix.EstimateDirection(ctx, []spectrum.Pair{{Value: 1}}, two.products, randommatrix.Estimation{})
			return err
		},
		"a double top eigenvalue": func() error {
			_, err := randommatrix.EstimateDirection(ctx, []spectrum.Pair{{Value: 1, Vector: []float64{1, 0}}, {Value: 1, Vector: []float64{0, 1}}}, two.products, randommatrix.Estimation{})
			return err
		},
	} {
		if run() == nil {
			t.Errorf("%s: expected an error", name)
		}
	}
	cancel()
	if _, err := randommatrix.EstimateNoise(ctx, 2, two.products, randommatrix.Estimation{}, generator(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

// The largest rate is proportional to the batch, then saturates; without an
// outlier it grows with the root.
func TestModelLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := randommatrix.Model{Top: rapid.Float64Range(0.1, 50).Draw(t, "top"), Noise: rapid.Float64Range(0.1, 50).Draw(t, "noise")}
		directional := randommatrix.Model{Top: m.Top, Excess: m.Noise / m.Top}
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-9*want {
				t.Fatalf("%s: %g, expected %g", what, got, want)
			}
		}
		near("saturation", m.MaxRate(math.Inf(1)), 2/m.Top)
		near("half of it at the knee", directional.MaxRate(m.Knee()), 1/m.Top)
		near("knees", directional.Knee(), m.Knee())
		near("one law above the threshold", m.MaxRate(2*m.Knee()), directional.MaxRate(2*m.Knee()))
		near("root below it", m.MaxRate(m.Knee()/4), 2*m.MaxRate(m.Knee()/16))
		small := m.Knee() * 1e-6
		if ratio := directional.MaxRate(2*small) / directional.MaxRate(small); math.Abs(ratio-2) > 1e-4 {
			t.Fatalf("small batches: a ratio of %g, expected 2", ratio)
		}
		near("adaptive", m.AdaptiveMaxRate(400, 0.1), 2*m.AdaptiveMaxRate(100, 0.1))
	})
	// The directional bound on the rate of an adaptive method, by hand.
	if got := (randommatrix.Model{Noise: 4}).AdaptiveMaxRate(9, 0.2); math.Abs(got-0.3) > 1e-15 {
		t.Errorf("adaptive rate %g, expected 0.3", got)
	}
}

// The rules give the tables of the authors' code.
func TestRules(t *testing.T) {
	within(t, "linear", randommatrix.Linear(0.05, 128, 512), 0.2, 1e-15)
	within(t, "square root", randommatrix.SquareRoot(0.0004, 128, 512), 0.0008, 1e-15)
	within(t, "damping", randommatrix.Damping(16, 16, 128), 2, 1e-15)
	if got := randommatrix.RankBound(3, []int{20, 10}, 2); got != 4*2*33 {
		t.Errorf("rank bound %d, expected 264", got)
	}
	for progress, want := range map[float64]float64{0: 1, 0.5: 1, 0.7: 0.505, 0.9: 0.01, 1: 0.01} {
		within(t, "schedule", randommatrix.Decay(progress, 0.01), want, 1e-12)
	}
}

func TestPlanner(t *testing.T) {
	p := randommatrix.Planner{Model: randommatrix.Model{Top: 2, Excess: 100}, Rate: 0.1, Batch: 10, Examples: 1000}
	for batch, want := range map[int]float64{5: 0.05, 10: 0.1, 20: 0.2, 1000: 0.1 * (2 + 100/(10/0.99)) / 2} {
		got, err := p.At(batch)
		if err != nil {
			t.Fatal(err)
		}
		within(t, "planned rate", got, want, 1e-12)
	}
	for name, bad := range map[string]func() (float64, error){
		"no batch":  func() (float64, error) { return p.At(0) },
		"too large": func() (float64, error) { return p.At(1001) },
		"no rate":   func() (float64, error) { return randommatrix.Planner{Model: p.Model, Batch: 1}.At(1) },
		"no model":  func() (float64, error) { return randommatrix.Planner{Rate: 1, Batch: 1}.At(1) },
	} {
		if rate, err := bad(); err == nil {
			t.Errorf("%s: %g, expected an error", name, rate)
		}
	}
}

// Check 9: the exact threshold of least squares, which the law of the largest
// rate is held against.
func TestExactThresholdOfLeastSquares(t *testing.T) {
	rng := generator(9)
	rows := mat.NewDense(40, 6, nil)
	for j := range 6 {
		scale := 0.3 + 1.7*rng.Float64()
		for i := range 40 {
			rows.Set(i, j, scale*rng.NormFloat64())
		}
	}
	design, err := stability.NewDesign(rows)
	if err != nil {
		t.Fatal(err)
	}
	at := func(batch int) float64 {
		rate, err := design.Threshold(t.Context(), stability.Sampling{Batch: batch})
		if err != nil {
			t.Fatal(err)
		}
		return rate
	}
	last := 0.0
	for _, batch := range []int{1, 2, 8, 40, 1000, 1e6} {
		rate := at(batch)
		if rate < last || rate > float64(batch)*at(1)*(1+1e-12) {
			t.Errorf("batch %d: %g after %g, with %g for a single example", batch, rate, last, at(1))
		}
		last = rate
	}
	if ratio := at(2) / at(1); ratio < 1.5 {
		t.Errorf("two examples allow %g times the rate of one, expected 1.5", ratio)
	}
	h := mat.NewSymDense(6, nil)
	h.SymOuterK(1./40, rows.T())
	values, err := spectrum.Eigenvalues(h)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "limit", last, 2/values[0], 1e-4)
	within(t, "limit of the law", randommatrix.Model{Top: values[0], Noise: 1}.MaxRate(math.Inf(1)), last, 1e-4)
}
