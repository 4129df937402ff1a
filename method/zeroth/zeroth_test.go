package zeroth_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/zeroth"
)

func generator(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

func uniform(n int, rng *rand.Rand) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.Float64()
	}
	return x
}

func evaluator(t testing.TB, dim int, f func(x []float64) float64) *zeroth.Evaluator {
	t.Helper()
	e, err := zeroth.NewEvaluator(dim, func(_ context.Context, x []float64) (float64, error) { return f(x), nil })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func surrogate(t testing.TB, dim int, s zeroth.Settings) *zeroth.Surrogate {
	t.Helper()
	made, err := zeroth.NewSurrogate(dim, s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func bowl(x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += (v - 0.4) * (v - 0.4) * (1 + float64(i)/float64(len(x)))
	}
	return sum
}

// numeric is the central difference of f at x.
func numeric(f func(x []float64) float64, x []float64, step float64) []float64 {
	g, probe := make([]float64, len(x)), append([]float64{}, x...)
	for i := range x {
		probe[i] = x[i] + step
		up := f(probe)
		probe[i] = x[i] - step
		g[i] = (up - f(probe)) / (2 * step)
		probe[i] = x[i]
	}
	return g
}

// Check 1: the gradient is that of the posterior mean.
func TestGradientAgainstDifferences(t *testing.T) {
	for _, kernel := range []zeroth.Kernel{zeroth.RBF, zeroth.Matern52} {
		rng := generator(1)
		s := surrogate(t, 6, zeroth.Settings{Kernel: kernel, LengthScales: []float64{0.5}, Noise: 1e-3})
		for range 40 {
			x := uniform(6, rng)
			s.Add(x, math.Sin(3*floats.Sum(x)))
		}
		if err := s.Fit(uniform(6, rng), zeroth.Everywhere); err != nil {
			t.Fatal(err)
		}
		x, g := uniform(6, rng), make([]float64, 6)
		s.Gradient(x, g)
		if d := floats.Distance(g, numeric(s.Mean, x, 1e-5), math.Inf(1)); d > 1e-6 {
			t.Errorf("%v: gradient and differences are %g apart", kernel, d)
		}
	}
}

// Check 2: the closed form of two points in one dimension.
func TestTwoPointsClosedForm(t *testing.T) {
	const y, length, noise = 0.3, 1, 1e-6
	for h, want := range map[float64]float64{0.1: 3.01483506, 0.01: math.NaN()} {
		s := surrogate(t, 1, zeroth.Settings{Kernel: zeroth.RBF, LengthScales: []float64{length}, Noise: noise})
		s.Add([]float64{-h}, -y)
		s.Add([]float64{h}, y)
		if err := s.Fit([]float64{0}, zeroth.Everywhere); err != nil {
			t.Fatal(err)
		}
		g := []float64{0}
		s.Gradient([]float64{0}, g)
		closed := 2 * y * h * math.Exp(-h*h/2) / (1 - math.Exp(-2*h*h) + noise)
		if math.Abs(g[0]-closed) > 1e-8*closed {
			t.Errorf("h = %g: gradient %.9g, want %.9g", h, g[0], closed)
		}
		if !math.IsNaN(want) && math.Abs(g[0]-want) > 5e-9 {
			t.Errorf("h = %g: gradient %.9g, the specification has %.9g", h, g[0], want)
		}
		if h == 0.01 && math.Abs(g[0]/(y/h)-1) > 0.01 {
			t.Errorf("h = %g: gradient %g, close to %g as h goes to 0", h, g[0], y/h)
		}
	}
}

// Check 3: knowing more never makes the gradient less certain.
func TestUncertaintyNeverRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := generator(rapid.Uint64().Draw(t, "seed"))
		d := rapid.IntRange(1, 8).Draw(t, "dim")
		length := rapid.SampledFrom([]float64{0.3, 1, 3}).Draw(t, "length")
		kernel := rapid.SampledFrom([]zeroth.Kernel{zeroth.RBF, zeroth.Matern52}).Draw(t, "kernel")
		prior := float64(d) / (length * length)
		if kernel == zeroth.Matern52 {
			prior *= 5.0 / 3
		}
		s, err := zeroth.NewSurrogate(d, zeroth.Settings{Kernel: kernel, LengthScales: []float64{length}})
		if err != nil {
			t.Fatal(err)
		}
		at, last, fast := uniform(d, rng), prior, []float64{0}
		for n := range 12 {
			s.Add(uniform(d, rng), rng.Float64())
			if err := s.Fit(at, zeroth.Everywhere); err != nil {
				t.Fatal(err)
			}
			now := s.Uncertainty(at)
			if now < 0 || now > last+1e-6*prior {
				t.Fatalf("%d points: uncertainty %g after %g of %g", n+1, now, last, prior)
			}
			if s.Uncertainties(at, fast); math.Abs(fast[0]-now) > 1e-5*prior {
				t.Fatalf("%d points: uncertainty %g one way and %g the other", n+1, now, fast[0])
			}
			last = now
		}
	})
}

// Far from all points the uncertainty is that of the prior, and so it begins.
func TestUncertaintyBeginsAtThePrior(t *testing.T) {
	for kernel, want := range map[zeroth.Kernel]float64{zeroth.RBF: 4 / 0.25, zeroth.Matern52: 4 / 0.25 * 5 / 3} {
		s := surrogate(t, 4, zeroth.Settings{Kernel: kernel, LengthScales: []float64{0.5}})
		if !math.IsNaN(s.Uncertainty(make([]float64, 4))) {
			t.Error("an uncertainty before any fit")
		}
		s.Add(make([]float64, 4), 1)
		if err := s.Fit(make([]float64, 4), zeroth.Everywhere); err != nil {
			t.Fatal(err)
		}
		if got := s.Uncertainty([]float64{50, 50, 50, 50}); math.Abs(got-want) > 1e-12*want {
			t.Errorf("%v: uncertainty far away %g, want %g", kernel, got, want)
		}
		// The slope of the kernel at its centre is 0: one value there says nothing of the gradient.
		if got := s.Uncertainty(make([]float64, 4)); math.Abs(got-want) > 1e-12*want {
			t.Errorf("%v: uncertainty at the only point %g, want %g", kernel, got, want)
		}
	}
}

// The length scale is the one of largest marginal likelihood, whichever way it
// is searched for, and the values' scale does not matter.
func TestLengthScaleBySearch(t *testing.T) {
	rng := generator(4)
	every, near := surrogate(t, 3, zeroth.Settings{}), surrogate(t, 3, zeroth.Settings{})
	for range 60 {
		x := uniform(3, rng)
		y := math.Sin(4*x[0]) + x[1]*x[2]
		every.Add(x, y)
		near.Add(x, 1000*y-5)
		if every.Fit(x, zeroth.Everywhere) != nil || near.Fit(x, zeroth.Nearby) != nil {
			t.Fatal("a fit failed")
		}
	}
	if every.LengthScale() != near.LengthScale() || math.Abs(every.Evidence()-near.Evidence()) > 1e-6*math.Abs(every.Evidence()) {
		t.Errorf("length scale %g (%g) and %g (%g): expected the same", every.LengthScale(), every.Evidence(), near.LengthScale(), near.Evidence())
	}
	best := math.Inf(-1)
	for _, length := range []float64{0.1, 0.3, 1, 3, 10, 30} {
		s := surrogate(t, 3, zeroth.Settings{LengthScales: []float64{length}})
		for i, y := range every.Values() {
			s.Add(every.Points()[3*i:3*i+3], y)
		}
		if err := s.Fit(every.Points()[59*3:], zeroth.Everywhere); err != nil {
			t.Fatal(err)
		}
		best = max(best, s.Evidence())
	}
	if best != every.Evidence() {
		t.Errorf("evidence %g, the largest on the grid is %g", every.Evidence(), best)
	}
}

func TestSurrogateKeepsOneOfTwoEqualPoints(t *testing.T) {
	s := surrogate(t, 2, zeroth.Settings{})
	if !s.Add([]float64{0.5, 0.5}, 1) || s.Add([]float64{0.5, 0.5 + 1e-10}, 1) || s.Add([]float64{0.5, math.NaN()}, 1) || s.Add([]float64{1, 0}, math.Inf(1)) {
		t.Error("duplicates or NaN were recorded")
	}
	if s.Len() != 1 {
		t.Errorf("%d points", s.Len())
	}
	// On a plateau the gradient is 0 and nothing fails.
	s.Add([]float64{0.6, 0.5}, 1)
	g := []float64{1, 1}
	if err := s.Fit([]float64{0.5, 0.5}, zeroth.Everywhere); err != nil {
		t.Fatal(err)
	}
	if s.Gradient([]float64{0.5, 0.5}, g); g[0] != 0 || g[1] != 0 {
		t.Errorf("gradient %v on a plateau", g)
	}
}

// Check 5: what differences give on a linear function.
func TestRGFOnLinearFunction(t *testing.T) {
	const d, q, trials = 50, 20, 2000
	rng := generator(5)
	slope := uniform(d, rng)
	e := evaluator(t, d, func(x []float64) float64 { return floats.Dot(slope, x) })
	e.Free = true
	g, mean, sum := make([]float64, d), make([]float64, d), 0.0
	r := zeroth.RGF{}
	for range trials {
		if _, err := r.Estimate(t.Context(), e, uniform(d, rng), nil, g, rng); err != nil {
			t.Fatal(err)
		}
		cosine := floats.Dot(g, slope) / floats.Norm(g, 2) / floats.Norm(slope, 2)
		sum += cosine * cosine
		// g = U U' slope / q: a projection, so g.slope = q g.g.
		if difference := floats.Dot(g, slope) - q*floats.Dot(g, g); math.Abs(difference) > 1e-10 {
			t.Fatalf("q g.g and g.slope differ by %g", difference)
		}
		floats.AddScaled(mean, 1.0/trials, g)
	}
	if math.Abs(sum/trials-q/float64(d)) > 0.01 {
		t.Errorf("mean of cos^2 %.4f, want %.4f", sum/trials, q/float64(d))
	}
	if ratio := floats.Dot(mean, slope) / floats.Dot(slope, slope); math.Abs(ratio-1.0/d) > 0.0005 {
		t.Errorf("the expectation is %.5f of the gradient, want 1/d = %.3f", ratio, 1.0/d)
	}
	if want := int64(trials * (q + 1)); e.Calls() != want {
		t.Errorf("%d calls, want %d", e.Calls(), want)
	}
}

// With as many directions as dimensions RGF is the gradient over d, and times d
// the gradient; a prior along the gradient finds it in one direction.
func TestRGFLimits(t *testing.T) {
	slope := []float64{1, -2, 0.5}
	e := evaluator(t, 3, func(x []float64) float64 { return floats.Dot(slope, x) })
	e.Free = true
	g := make([]float64, 3)
	full := zeroth.RGF{Directions: 3, Unbiased: true}
	if _, err := full.Estimate(t.Context(), e, []float64{0.5, 0.5, 0.5}, nil, g, generator(1)); err != nil {
		t.Fatal(err)
	}
	if !floats.EqualApprox(g, slope, 1e-10) {
		t.Errorf("gradient %v, want %v", g, slope)
	}
	one := zeroth.RGF{Directions: 1}
	if _, err := one.Estimate(t.Context(), e, []float64{0.5, 0.5, 0.5}, slope, g, generator(1)); err != nil {
		t.Fatal(err)
	}
	if floats.Scale(2, g); !floats.EqualApprox(g, slope, 1e-10) {
		t.Errorf("gradient %v along a prior, want %v", g, slope)
	}
	many := zeroth.RGF{Directions: 4}
	if _, err := many.Estimate(t.Context(), e, slope, nil, g, generator(1)); err == nil {
		t.Error("four orthonormal directions in three dimensions")
	}
}

func TestSphereIsUnbiased(t *testing.T) {
	slope := []float64{1, -2, 0.5, 3}
	e := evaluator(t, 4, func(x []float64) float64 { return floats.Dot(slope, x) })
	e.Free = true
	g, rng := make([]float64, 4), generator(2)
	s := zeroth.Sphere{Directions: 200_000}
	if _, err := s.Estimate(t.Context(), e, make([]float64, 4), nil, g, rng); err != nil {
		t.Fatal(err)
	}
	if floats.Distance(g, slope, 2) > 0.05 {
		t.Errorf("gradient %v, want about %v", g, slope)
	}
}

func TestEvaluator(t *testing.T) {
	seen := []float64{}
	e := evaluator(t, 2, func(x []float64) float64 { seen = append([]float64{}, x...); return math.Log(x[0]) })
	if _, err := e.Value(t.Context(), []float64{1.5, -1}); err != nil || seen[0] != 1 || seen[1] != 0 {
		t.Errorf("point %v, error %v: expected the point inside of the cube", seen, err)
	}
	if _, err := e.Value(t.Context(), []float64{0, 0}); !errors.Is(err, zeroth.ErrNotFinite) {
		t.Errorf("error %v for an infinite value", err)
	}
	if _, err := e.Value(t.Context(), []float64{0}); err == nil {
		t.Error("a point of one number was taken")
	}
	e.Limit = 2
	if _, err := e.Value(t.Context(), []float64{1, 1}); !errors.Is(err, zeroth.ErrBudget) || e.Calls() != 2 {
		t.Errorf("error %v, %d calls", err, e.Calls())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Value(ctx, []float64{1, 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the context's end", err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for _, s := range []zeroth.Settings{{Kernel: 7}, {LengthScales: []float64{3, 1}}, {LengthScales: []float64{-1}}, {LengthScales: []float64{}}, {Neighbours: -1}, {Noise: -1}, {Noise: math.NaN()}} {
		if _, err := zeroth.NewSurrogate(2, s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	for _, s := range []zeroth.FeatureSpec{{}, {Dim: 1, Count: 1}, {Dim: 1 << 40, Count: 1 << 40, LengthScale: 1}, {Dim: 2, Count: 5, LengthScale: math.Inf(1)}} {
		if _, err := zeroth.NewFeatures(s); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
	if _, err := zeroth.ParseKernel("linear"); err == nil {
		t.Error("an unknown kernel was accepted")
	}
	if k, err := zeroth.ParseKernel("rbf"); err != nil || k != zeroth.RBF {
		t.Errorf("%v, %v", k, err)
	}
}

// Wrong lengths are errors or NaN, and nothing panics.
func TestWrongLengths(t *testing.T) {
	e, rng := evaluator(t, 3, bowl), generator(1)
	three, two := make([]float64, 3), make([]float64, 2)
	r, s := zeroth.RGF{}, zeroth.Sphere{}
	for _, a := range [][3][]float64{{two, nil, three}, {three, nil, two}, {three, two, three}} {
		if _, err := r.Estimate(t.Context(), e, a[0], a[1], a[2], rng); err == nil {
			t.Errorf("RGF took lengths %d, %d, %d", len(a[0]), len(a[1]), len(a[2]))
		}
	}
	if _, err := s.Estimate(t.Context(), e, three, nil, two, rng); err == nil {
		t.Error("Sphere took a short gradient")
	}
	f := features(t, zeroth.FeatureSpec{Dim: 3, Count: 3, LengthScale: 1})
	if f.Gradient(three, three, two); !math.IsNaN(two[0]) || !math.IsNaN(f.Value(two, three)) {
		t.Error("features took other lengths")
	}
	g := surrogate(t, 3, zeroth.Settings{})
	if g.Fit(three, zeroth.Everywhere) == nil || g.Fit(two, zeroth.Keep) == nil {
		t.Error("a fit without values")
	}
	if chosen := (&zeroth.Explorer{}).Choose(g, two, 1, 4, rng); len(chosen) != 0 {
		t.Error("points around a centre of another dimension")
	}
	if _, err := zeroth.NewWalk(e, surrogate(t, 2, zeroth.Settings{})); err == nil {
		t.Error("a walk in two different dimensions")
	}
}
