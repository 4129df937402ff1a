package lastiterate_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/schedule/lastiterate"
)

func newBound(t testing.TB, distance float64, norms []float64) *lastiterate.Bound {
	t.Helper()
	b, err := lastiterate.NewBound(distance, norms)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ones(n int) []float64 { return slices.Repeat([]float64{1}, n) }

// Constant steps have a closed form with a harmonic number: the factor log T
// of a flat schedule.
func TestBoundOfConstantSteps(t *testing.T) {
	for _, T := range []int{1, 2, 10, 500} {
		const distance, norm, eta = 1.3, 0.8, 0.2
		harmonic := 0.0
		for i := 1; i < T; i++ {
			harmonic += 1 / float64(i)
		}
		want := distance*distance/(2*float64(T)*eta) + eta*norm*norm/2*(1+harmonic)
		b := newBound(t, distance, slices.Repeat([]float64{norm}, T))
		if got := b.Value(slices.Repeat([]float64{eta}, T)); math.Abs(got-want) > 1e-12 {
			t.Errorf("T = %d: U = %.15g, expected %.15g", T, got, want)
		}
	}
}

// shape is a schedule's factors at the steps of a run of T.
func shape(f schedule.Func, T int) []float64 {
	factors := make([]float64, T)
	for i := range factors {
		factors[i] = f(i)
	}
	return factors
}

// The tuned bounds of the specification's table, times sqrt(T).
func TestBoundTable(t *testing.T) {
	for T, row := range map[int][5]float64{
		50:  {2.341, 2.157, 2.731, 2.123, 2.058},
		200: {2.622, 2.350, 3.797, 2.075, 2.022},
		10:  {math.NaN(), 1.929, math.NaN(), math.NaN(), 2.117},
	} {
		b := newBound(t, 1, ones(T))
		for i, f := range []schedule.Func{
			schedule.Constant, schedule.InverseSqrt, schedule.Inverse(1), schedule.Cosine(T, 0), schedule.Linear(T, 0),
		} {
			got, factor := b.Tuned(shape(f, T))
			if got *= math.Sqrt(float64(T)); math.Abs(got-row[i]) > 2e-3 {
				t.Errorf("T = %d, schedule %d: %.4f, expected %.3f", T, i, got, row[i])
			}
			// The factor is where the bound is reached, and a minimum.
			at := func(c float64) float64 {
				scaled := shape(f, T)
				for j := range scaled {
					scaled[j] *= c
				}
				return b.Value(scaled) * math.Sqrt(float64(T))
			}
			if math.Abs(at(factor)-got) > 1e-12 || at(1.01*factor) < got || at(factor/1.01) < got {
				t.Errorf("T = %d, schedule %d: %g at the factor %g, said to be %g", T, i, at(factor), factor, got)
			}
		}
	}
}

func TestGradientAgreesWithDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		T := rapid.IntRange(1, 12).Draw(t, "T")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		norms, eta, gradient := make([]float64, T), make([]float64, T), make([]float64, T)
		for i := range T {
			norms[i], eta[i] = 0.5+rng.Float64(), 0.2+rng.Float64()
		}
		b, err := lastiterate.NewBound(0.5+rng.Float64(), norms)
		if err != nil {
			t.Fatal(err)
		}
		b.Gradient(gradient, eta)
		for i, e := range eta {
			const h = 1e-5
			eta[i] = e + h
			up := b.Value(eta)
			eta[i] = e - h
			down := b.Value(eta)
			eta[i] = e
			if difference := (up - down) / (2 * h); math.Abs(difference-gradient[i]) > 1e-7*(1+math.Abs(difference)) {
				t.Fatalf("derivative %d of %d is %.10g, the difference quotient is %.10g", i, T, gradient[i], difference)
			}
		}
	})
}

// For constant norms the minimum is the published one, nearly a straight line.
func TestMinimumForConstantNorms(t *testing.T) {
	const T = 50
	b := newBound(t, 1, ones(T))
	eta, bound, err := b.Minimize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := bound * math.Sqrt(T); math.Abs(got-1.989) > 2e-3 {
		t.Errorf("the minimum is %.4f, expected 1.989", got)
	}
	if r := stat.Correlation(eta, shape(schedule.Linear(T, 0), T), nil); r <= 0.99 {
		t.Errorf("the correlation with linear decay is %g, expected above 0.99", r)
	}
	if math.Abs(b.Value(eta)-bound) > 1e-12 {
		t.Errorf("the steps have U = %g, said to be %g", b.Value(eta), bound)
	}
}

// The minimum is below every schedule's, scales as distance times norm, and no
// perturbation goes below it.
func TestMinimumForVaryingNorms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1000, 2))
	const T = 60
	norms, large := make([]float64, T), make([]float64, T)
	for i := range norms {
		norms[i] = (1 + 4*math.Exp(-float64(i)/5)) * math.Exp(0.2*rng.NormFloat64())
		large[i] = 1e4 * norms[i]
	}
	b := newBound(t, 1, norms)
	eta, bound, err := b.Minimize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, scaled, err := newBound(t, 1e-3, large).Minimize(t.Context())
	if err != nil || math.Abs(scaled/(10*bound)-1) > 1e-6 {
		t.Errorf("the minimum is %g in other units, expected %g: %v", scaled, 10*bound, err)
	}
	if tuned, _ := b.Tuned(shape(schedule.Linear(T, 0), T)); tuned <= bound {
		t.Errorf("linear decay has U = %g, not above the minimum %g", tuned, bound)
	}
	other := make([]float64, T)
	for range 500 {
		spread := math.Exp(-6 * rng.Float64())
		for i, e := range eta {
			other[i] = e * math.Exp(spread*rng.NormFloat64())
		}
		if u := b.Value(other); u < bound*(1-1e-9) {
			t.Fatalf("steps moved by %g have U = %.12g, below %.12g", spread, u, bound)
		}
	}
}

func TestBoundAtItsLimits(t *testing.T) {
	b := newBound(t, 1, ones(3))
	if u := b.Value([]float64{1, 1, 0}); !math.IsInf(u, 1) {
		t.Errorf("a last step of 0 has U = %g, expected +Inf", u)
	}
	if u := b.Value([]float64{1, 1}); !math.IsNaN(u) {
		t.Errorf("two steps for three norms have U = %g, expected NaN", u)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.Minimize(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	for expected, err := range map[string]error{
		"distance 0 to the minimiser":              second(lastiterate.NewBound(0, ones(2))),
		"no gradient norms":                        second(lastiterate.NewBound(1, nil)),
		"gradient norm 2 is 0: expected a finite":  second(lastiterate.NewBound(1, []float64{1, 0})),
		"gradient norm 1 is +Inf":                  second(lastiterate.NewBound(1, []float64{math.Inf(1)})),
		"2 weights for 1 norms: expected the same": second(lastiterate.WeightedBound(1, ones(2), ones(1))),
	} {
		if err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("error %v, expected one with %q", err, expected)
		}
	}
	if _, _, err := lastiterate.BestWeights(math.NaN(), ones(2)); err == nil {
		t.Error("a distance of NaN was accepted")
	}
}

func second[T any](_ T, err error) error { return err }

func TestGradientAllocatesNothing(t *testing.T) {
	b := newBound(t, 1, ones(100))
	gradient := make([]float64, 100)
	if n := testing.AllocsPerRun(10, func() { b.Gradient(gradient, ones100) }); n != 0 {
		t.Errorf("a gradient makes %g allocations", n)
	}
}

var ones100 = ones(100)

func BenchmarkGradient(b *testing.B) {
	bound := newBound(b, 1, ones(10_000))
	eta, gradient := ones(10_000), make([]float64, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		bound.Gradient(gradient, eta)
	}
}
