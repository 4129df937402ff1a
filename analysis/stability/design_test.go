package stability

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

func normal(rng *rand.Rand, n, p int) *mat.Dense {
	x := mat.NewDense(n, p, nil)
	for i := range x.RawMatrix().Data {
		x.RawMatrix().Data[i] = rng.NormFloat64()
	}
	return x
}

func design(t testing.TB, gradients *mat.Dense) *Design {
	t.Helper()
	d, err := NewDesign(gradients)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func limit(t testing.TB, d *Design, s Sampling) float64 {
	t.Helper()
	rate, err := d.Threshold(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return rate
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.12g, want %.12g", what, got, want)
	}
}

// samplings are all ways to draw for 40 examples that the tests go through.
var samplings = []Sampling{
	{}, {Batch: 2}, {Batch: 8}, {Batch: 40}, {Batch: 2, WithoutReplacement: true}, {Batch: 8, WithoutReplacement: true}, FullBatch(40),
}

// The measures of H are those of the p x p matrix, whichever side is longer.
func TestMeasuresAreThoseOfTheHessian(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n, p := rapid.IntRange(1, 12).Draw(r, "examples"), rapid.IntRange(1, 12).Draw(r, "parameters")
		d, err := NewDesign(normal(generator(rapid.Uint64().Draw(r, "seed")), n, p))
		if err != nil {
			r.Fatal(err)
		}
		h := d.Hessian()
		var eigen mat.EigenSym
		if !eigen.Factorize(h, false) {
			r.Fatal("no eigenvalues")
		}
		for what, pair := range map[string][2]float64{
			"trace": {d.Trace(), mat.Trace(h)}, "norm": {d.Frobenius(), mat.Norm(h, 2)},
			"sharpness": {d.Sharpness(), floats.Max(eigen.Values(nil))}, "rank": {float64(d.Rank()), float64(min(n, p))},
		} {
			if math.Abs(pair[0]-pair[1]) > 1e-10*math.Abs(pair[1]) {
				r.Errorf("%s: %g, want %g", what, pair[0], pair[1])
			}
		}
	})
}

// Check 1: the threshold is below every necessary condition, grows with the
// batch and is that of gradient descent for a batch of all examples.
func TestThresholdIsBelowEveryCondition(t *testing.T) {
	for seed := range uint64(20) {
		d := design(t, normal(generator(seed), 40, 6))
		before := 0.0
		for _, s := range samplings {
			c, err := d.Conditions(s)
			if err != nil {
				t.Fatal(err)
			}
			rate := limit(t, d, s)
			for _, bound := range []float64{c.Trace, c.Bracket, c.Sharpness, c.Direction} {
				if rate > bound*(1+1e-9) {
					t.Errorf("seed %d, %+v: threshold %g above one of %+v", seed, s, rate, c)
				}
			}
			if !(c.Direction <= c.Sharpness*(1+1e-12)) || !(c.Bracket <= c.Trace*(1+1e-12)) {
				t.Errorf("seed %d, %+v: the sharper conditions are not sharper: %+v", seed, s, c)
			}
			if s.WithoutReplacement {
				with := limit(t, d, Sampling{Batch: s.Batch})
				if rate < with {
					t.Errorf("seed %d, batch %d: %g without replacement, %g with", seed, s.Batch, rate, with)
				}
				continue
			}
			if rate < before {
				t.Errorf("seed %d: batch %d has the threshold %g, a smaller one %g", seed, s.Batch, rate, before)
			}
			before = rate
		}
		near(t, "gradient descent", limit(t, d, FullBatch(40)), 2/d.Sharpness(), 1e-12)
	}
}

// Check 2: closed forms.
func TestThresholdOfKnownDesigns(t *testing.T) {
	constant := normal(generator(1), 200, 6)
	for i := range 200 {
		floats.Scale(1.7/floats.Norm(constant.RawRowView(i), 2), constant.RawRowView(i))
	}
	d := design(t, constant)
	near(t, "gradients of one norm", limit(t, d, Sampling{}), 2/d.Trace(), 1e-8)
	near(t, "2 over the trace", 2/d.Trace(), 0.6920415, 1e-7)
	d = design(t, mat.NewDense(4, 4, []float64{1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0.5}))
	near(t, "orthogonal gradients", limit(t, d, Sampling{}), 2.0/9, 1e-12)
	near(t, "2 over their trace", 2/d.Trace(), 0.5614, 1e-4)
}

// The two ways to the threshold agree, also where there are fewer examples than
// parameters.
func TestIterativeAndDenseThresholdsAgree(t *testing.T) {
	for _, shape := range [][2]int{{40, 6}, {40, 12}, {9, 30}, {3, 1}} {
		d := design(t, normal(generator(3), shape[0], shape[1]))
		for _, s := range []Sampling{{}, {Batch: 2}, {Batch: 3, WithoutReplacement: true}} {
			dense, err := d.thresholdDense(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			iterative, err := d.thresholdIterative(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "eigenvalue", iterative, dense, 1e-8*dense)
		}
	}
}

// Bisection on the growth of the mean square, itself by power iteration on the
// recursion plus the identity, is a third way.
func TestBisectionOnGrowthFindsTheThreshold(t *testing.T) {
	for _, shape := range [][2]int{{40, 6}, {20, 30}} {
		d := design(t, normal(generator(4), shape[0], shape[1]))
		for _, s := range []Sampling{{}, {Batch: 4, WithoutReplacement: true}} {
			low, high := 0.0, 2/d.Sharpness()
			for range 40 {
				rate := (low + high) / 2
				growth, err := d.Growth(t.Context(), rate, s)
				if err != nil {
					t.Fatal(err)
				}
				if growth <= 1 {
					low = rate
				} else {
					high = rate
				}
			}
			// Small curvatures leave the growth within rounding of 1 below
			// the threshold, but not above.
			near(t, "bisection", low, limit(t, d, s), 1e-6*low)
		}
	}
}

func TestGrowthIsThatOfPowerIteration(t *testing.T) {
	d := design(t, normal(generator(5), 40, 6))
	for _, rate := range []float64{0.9, 1.1} {
		rate *= limit(t, d, Sampling{})
		want := powerIteration(t, d, rate, 4000)
		got, err := d.Growth(t.Context(), rate, Sampling{})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "growth", got, want, 1e-8)
	}
	wide := design(t, normal(generator(5), 13, 40))
	rate := 1.1 * limit(t, wide, Sampling{})
	got, err := wide.Growth(t.Context(), rate, Sampling{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "growth of 40 parameters", got, powerIteration(t, wide, rate, 1000), 1e-6)
}

// powerIteration is the growth of the trace of the second moment in the last of
// some steps, from the identity.
func powerIteration(t *testing.T, d *Design, rate float64, steps int) float64 {
	t.Helper()
	r, err := d.Recursion(rate, Sampling{})
	if err != nil {
		t.Fatal(err)
	}
	_, p := d.Dims()
	s, size := mat.NewSymDense(p, nil), 0.0
	for i := range p {
		s.SetSym(i, i, 1)
	}
	for range steps {
		s.ScaleSym(1/mat.Trace(s), s)
		r.Step(s)
		size = mat.Trace(s)
	}
	return size
}

// Check 4: the second moment shrinks below the threshold and grows above it.
func TestSecondMomentAroundTheThreshold(t *testing.T) {
	d := design(t, normal(generator(6), 40, 6))
	for _, s := range samplings {
		rate := limit(t, d, s)
		for _, multiple := range []float64{0.97, 1.03} {
			r, err := d.Recursion(multiple*rate, s)
			if err != nil {
				t.Fatal(err)
			}
			moment, logarithm := mat.NewSymDense(6, nil), 0.0
			for i := range 6 {
				moment.SetSym(i, i, 1.0/6)
			}
			for range 5000 {
				r.Step(moment)
				size := mat.Trace(moment)
				logarithm += math.Log(size)
				moment.ScaleSym(1/size, moment)
			}
			if grows := logarithm > 0; grows != (multiple > 1) {
				t.Errorf("%+v at %g of the threshold: the average factor is %g", s, multiple, math.Exp(logarithm/5000))
			}
		}
	}
}

// Check 3: T is self-adjoint and keeps positive semidefinite matrices.
func TestRecursionIsSelfAdjointAndPositive(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rng := generator(rapid.Uint64().Draw(r, "seed"))
		d, err := NewDesign(normal(rng, 20, 5))
		if err != nil {
			r.Fatal(err)
		}
		s := Sampling{Batch: rapid.IntRange(1, 20).Draw(r, "batch"), WithoutReplacement: rapid.Bool().Draw(r, "without")}
		step, err := d.Recursion(rapid.Float64Range(0, 2).Draw(r, "rate"), s)
		if err != nil {
			r.Fatal(err)
		}
		a, b := symmetric(rng, 5), symmetric(rng, 5)
		ta, tb := mat.NewSymDense(5, nil), mat.NewSymDense(5, nil)
		ta.CopySym(a)
		tb.CopySym(b)
		step.Step(ta)
		step.Step(tb)
		if left, right := inner(ta, b), inner(a, tb); math.Abs(left-right) > 1e-12*(1+mat.Norm(ta, 2)+mat.Norm(tb, 2)) {
			r.Errorf("<T(a), b> = %g, <a, T(b)> = %g", left, right)
		}
		var square mat.SymDense
		square.SymOuterK(1, normal(rng, 5, 2))
		step.Step(&square)
		var eigen mat.EigenSym
		eigen.Factorize(&square, false)
		if values := eigen.Values(nil); values[0] < -1e-12*values[4] {
			r.Errorf("a positive semidefinite matrix became one with the eigenvalues %v", values)
		}
	})
}

// symmetric has norm 1.
func symmetric(rng *rand.Rand, p int) *mat.SymDense {
	s := mat.NewSymDense(p, nil)
	for i := range p {
		for j := i; j < p; j++ {
			s.SetSym(i, j, rng.NormFloat64())
		}
	}
	s.ScaleSym(1/mat.Norm(s, 2), s)
	return s
}

func inner(a, b *mat.SymDense) float64 {
	var product mat.Dense
	product.MulElem(a, b)
	return mat.Sum(&product)
}

// The mean square over many paths of the linearised dynamics is that of the
// recursion, for every way to draw.
func TestSimulationFollowsTheRecursion(t *testing.T) {
	const p, paths, steps = 3, 60_000, 4
	d := design(t, normal(generator(8), 5, p))
	for _, s := range []Sampling{{}, {Batch: 3}, {Batch: 3, WithoutReplacement: true}, FullBatch(5)} {
		rate, rng := 0.3/d.Trace(), generator(9)
		r, err := d.Recursion(rate, s)
		if err != nil {
			t.Fatal(err)
		}
		moment := mat.NewSymDense(p, nil)
		for i := range p {
			moment.SetSym(i, i, 1)
		}
		for range steps {
			r.Step(moment)
		}
		squares := make([]float64, paths)
		for k := range squares {
			delta := []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
			m, err := d.Linearised(delta)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Train(t.Context(), m, make([]float64, 5), Training{Rate: rate, Sampling: s, Steps: steps}, rng); err != nil {
				t.Fatal(err)
			}
			squares[k] = floats.Dot(delta, delta)
		}
		mean, deviation := stat.MeanStdDev(squares, nil)
		near(t, "mean square", mean, mat.Trace(moment), 5*deviation/math.Sqrt(paths))
	}
}

// The threshold scales with the inverse square of the gradients, up to the
// largest that are taken and at both sides of the rank where the way changes.
func TestThresholdScales(t *testing.T) {
	for _, p := range []int{denseRank, denseRank + 1} {
		gradients := normal(generator(12), 30, p)
		want := limit(t, design(t, gradients), Sampling{})
		for _, scale := range []float64{1e-20, 1e60} {
			var scaled mat.Dense
			scaled.Scale(scale, gradients)
			near(t, "scaled threshold", limit(t, design(t, &scaled), Sampling{})*scale*scale, want, 1e-8*want)
		}
	}
}

// A model whose gradients are all zero cannot be left by training.
func TestZeroGradientsAreStable(t *testing.T) {
	d := design(t, mat.NewDense(3, 2, nil))
	growth, err := d.Growth(t.Context(), 1, Sampling{})
	if err != nil || growth != 1 || !math.IsInf(limit(t, d, Sampling{}), 1) || d.Sharpness() != 0 || d.Trace() != 0 {
		t.Errorf("growth %g, %v", growth, err)
	}
	c, err := d.Conditions(Sampling{})
	if err != nil || !math.IsInf(c.Tightest(), 1) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestDesignErrors(t *testing.T) {
	if _, err := NewDesign(mat.NewDense(1, 1, []float64{math.NaN()})); err == nil {
		t.Error("NaN was taken")
	}
	if _, err := NewDesign(mat.NewDense(1, 1, []float64{1e71})); err == nil {
		t.Error("a huge gradient was taken")
	}
	d := design(t, normal(generator(1), 20, 14))
	for _, rate := range []float64{-1, math.NaN(), math.Inf(1)} {
		_, growth := d.Growth(t.Context(), rate, Sampling{})
		_, recursion := d.Recursion(rate, Sampling{})
		if growth == nil || recursion == nil {
			t.Errorf("the rate %g was taken", rate)
		}
	}
	for _, s := range []Sampling{{Batch: -1}, {Batch: 21, WithoutReplacement: true}} {
		_, threshold := d.Threshold(t.Context(), s)
		_, growth := d.Growth(t.Context(), 1, s)
		_, conditions := d.Conditions(s)
		_, recursion := d.Recursion(1, s)
		for _, err := range []error{threshold, growth, conditions, recursion} {
			if err == nil {
				t.Errorf("%+v was taken", s)
			}
		}
	}
	if _, err := d.Alignment(nil); err == nil {
		t.Error("no residuals were taken")
	}
	if _, err := d.Linearised(nil); err == nil {
		t.Error("no distance was taken")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Threshold(ended, Sampling{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
