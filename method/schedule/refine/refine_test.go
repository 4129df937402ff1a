package refine_test

import (
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/method/schedule/refine"
)

func Example() {
	norms := []float64{4, 4, 2, 1, 1, 1, 1, 1} // one per step of a recorded run
	curve, err := refine.Refine(norms, refine.Options{Variant: refine.L1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("peak at step %d; half-way through a run of 1000 steps: %.2f\n", curve.Peak(), curve.At(500, 1000))
	for step := range curve.Steps() {
		fmt.Printf("%.2f ", curve.At(step, curve.Steps()))
	}
	// Output:
	// peak at step 3; half-way through a run of 1000 steps: 0.80
	// 0.34 0.33 0.60 1.00 0.80 0.60 0.40 0.20
}

// factors are the spec's steps 3 to 5 for norms that need no smoothing.
func factors(t testing.TB, norms []float64, v refine.Variant) []float64 {
	t.Helper()
	weights, err := refine.Weights(norms, v)
	if err != nil {
		t.Fatal(err)
	}
	return refine.Factors(weights)
}

func constant(n int, value float64) []float64 { return slices.Repeat([]float64{value}, n) }

var variants = []refine.Variant{refine.L2Sq, refine.L1}

// Constant norms give the straight line: (1 - t/T)/(1 - 1/T) in the paper's
// count of steps, and 1 - step/n for a run of n steps.
func TestConstantNormsGiveTheStraightLine(t *testing.T) {
	for _, v := range variants {
		for _, n := range []int{2, 7, 1000} {
			got := factors(t, constant(n, 3.7), v)
			if got[n-1] != 0 || slices.Max(got) != 1 {
				t.Errorf("%s, T = %d: last factor %g and largest %g, expected exactly 0 and 1", v, n, got[n-1], slices.Max(got))
			}
			for i, factor := range got {
				T, step := float64(n), float64(i+1)
				if want := (1 - step/T) / (1 - 1/T); math.Abs(factor-want) > 1e-12 {
					t.Fatalf("%s, T = %d: factor %g at t = %g, expected %g", v, n, factor, step, want)
				}
			}
			curve, err := refine.Refine(constant(n, 3.7), refine.Options{Variant: v, Tau: 0.1})
			if err != nil {
				t.Fatal(err)
			}
			for _, total := range []int{1, n, 3*n + 1} {
				for step := range total + 2 {
					want := max(0, 1-float64(step)/float64(total))
					if got := curve.At(step, total); math.Abs(got-want) > 1e-12 {
						t.Fatalf("%s of %d norms at step %d of %d: %g, expected %g", v, n, step, total, got, want)
					}
				}
			}
		}
	}
}

func TestTinyCase(t *testing.T) {
	got := factors(t, []float64{1, 2, 1, 1}, refine.L2Sq)
	for i, want := range []float64{1, 2. / 9, 4. / 9, 0} {
		if math.Abs(got[i]-want) > 1e-15 {
			t.Errorf("factors %v, expected 1, 2/9, 4/9, 0", got)
		}
	}
}

// The unit of the norms does not matter, and norms over sixteen orders of
// magnitude overflow nothing.
func TestScaleInvariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		exponents := rapid.SliceOfN(rapid.Float64Range(-8, 8), 2, 60).Draw(t, "exponents")
		scale := rapid.SampledFrom([]float64{1e-6, 1e6, 1e-150, 1e150}).Draw(t, "scale")
		norms, scaled := make([]float64, len(exponents)), make([]float64, len(exponents))
		for i, e := range exponents {
			norms[i] = math.Pow(10, e)
			scaled[i] = scale * norms[i]
		}
		for _, o := range []refine.Options{{Variant: refine.L2Sq}, {Variant: refine.L1, Tau: 0.3}} {
			a, err := refine.Refine(norms, o)
			if err != nil {
				t.Fatal(err)
			}
			b, err := refine.Refine(scaled, o)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Max(a.Factors) != 1 || slices.Min(a.Factors) != 0 {
				t.Fatalf("factors from %g to %g, expected 0 to 1", slices.Min(a.Factors), slices.Max(a.Factors))
			}
			for i := range a.Factors {
				if !(math.Abs(a.Factors[i]-b.Factors[i]) <= 1e-12) {
					t.Fatalf("%s: factor %d is %g, and %g in another unit", o.Variant, i, a.Factors[i], b.Factors[i])
				}
			}
		}
	})
}

// profile reads the official synthetic norms at n points of [0, 1].
func profile(n int, end float64) []float64 {
	xs, ys := []float64{0, .003, .02, .03, .1, 1}, []float64{15, 6, 4, 2, 1, end}
	norms := make([]float64, n)
	for i := range norms {
		x := float64(i) / float64(n-1)
		piece := 0
		for x > xs[piece+1] {
			piece++
		}
		part := (x - xs[piece]) / (xs[piece+1] - xs[piece])
		norms[i] = (1-part)*ys[piece] + part*ys[piece+1]
	}
	return norms
}

// The shapes of the official script: rising norms fall below the straight line
// after the warm-up, falling ones stay above it.
func TestOfficialProfiles(t *testing.T) {
	for end, want := range map[float64][4]float64{
		1:   {.00463, .83324, .55531, .27738},
		2:   {.00481, .52464, .18420, .05428},
		0.7: {.00457, .97194, .85327, .57733},
	} {
		const n = 2000
		got := factors(t, profile(n, end), refine.L2Sq)
		peak := slices.Index(got, 1)
		if peak != 200 {
			t.Errorf("end %g: peak at %d, expected 200", end, peak)
		}
		for i, at := range []int{0, n / 4, n / 2, 3 * n / 4} {
			if tolerance := 1e-4; math.Abs(got[at]-want[i]) > tolerance {
				t.Errorf("end %g: factor %.5f at %d, expected %.5f", end, got[at], at, want[i])
			}
		}
	}
}

// A schedule for another length is the one that norms read off at its points
// would give, and close to the curve read off there.
func TestOtherLengths(t *testing.T) {
	norms := profile(2000, 0.7)
	recorded, err := refine.Refine(norms, refine.Options{Variant: refine.L2Sq})
	if err != nil {
		t.Fatal(err)
	}
	for _, steps := range []int{500, 1999, 2000, 10_000} {
		made, err := refine.Refine(norms, refine.Options{Variant: refine.L2Sq, Steps: steps})
		if err != nil {
			t.Fatal(err)
		}
		if made.Steps() != steps || made.Factors[steps] != 0 {
			t.Fatalf("%d steps, last factor %g; expected %d and 0", made.Steps(), made.Factors[made.Steps()], steps)
		}
		for step := range steps {
			if a, b := made.At(step, steps), recorded.At(step, steps); math.Abs(a-b) > 5e-3 {
				t.Fatalf("%d steps: %g at step %d, the interpolated curve has %g", steps, a, step, b)
			}
		}
	}
}

func TestResample(t *testing.T) {
	x := []float64{0, 10, 40}
	for n, want := range map[int][]float64{-1: {}, 0: {}, 1: {40}, 2: {0, 40}, 3: x, 5: {0, 5, 10, 25, 40}} {
		if got := refine.Resample(x, n); !slices.Equal(got, want) {
			t.Errorf("%d points: %v, expected %v", n, got, want)
		}
	}
	if got := refine.Resample([]float64{7}, 3); !slices.Equal(got, []float64{7, 7, 7}) {
		t.Errorf("one value at three points: %v", got)
	}
	if got := refine.Resample(nil, 2); !slices.Equal(got, []float64{0, 0}) {
		t.Errorf("no values at two points: %v", got)
	}
}

// Norms that vanish keep the schedule finite: the weights reach their ceiling.
func TestVanishingNorms(t *testing.T) {
	for _, norms := range [][]float64{{1, 1, 1, 0, 0}, {1, 0, 0, 0, 0}, {1, 1e-300, 1, 1}, {5, 0}} {
		for _, v := range variants {
			weights, err := refine.Weights(norms, v)
			if err != nil {
				t.Fatal(err)
			}
			curve, err := refine.Refine(norms, refine.Options{Variant: v})
			if err != nil {
				t.Fatal(err)
			}
			for i, factor := range curve.Factors {
				if !(0 <= factor && factor <= 1) {
					t.Errorf("%s of %v: factor %g at step %d", v, norms, factor, i)
				}
			}
			if norms[0] == 1 && norms[2] == 1 && slices.Max(weights) != 1e6*weights[0] {
				t.Errorf("%s of %v: weights %v, expected the ceiling of 1e6 times the median", v, norms, weights)
			}
		}
	}
}

// An overflow here and there is not part of the curve.
func TestInfiniteNormsAreLeftOut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1000, 2))
	norms := make([]float64, 100)
	for i := range norms {
		norms[i] = 1 + rng.Float64()
	}
	spoilt := slices.Clone(norms)
	spoilt = slices.Insert(spoilt, 40, math.Inf(1))
	want, err := refine.Refine(norms, refine.Options{Variant: refine.L1, Steps: 100})
	if err != nil {
		t.Fatal(err)
	}
	got, err := refine.Refine(spoilt, refine.Options{Variant: refine.L1, Steps: 100})
	if err != nil || !slices.Equal(got.Factors, want.Factors) {
		t.Errorf("an infinite norm changes the schedule: %v", err)
	}
}

func TestRefineRejects(t *testing.T) {
	good := refine.Options{Variant: refine.L1}
	for expected, c := range map[string]struct {
		norms []float64
		o     refine.Options
	}{
		`variant "": expected l2sq or l1`:                  {[]float64{1}, refine.Options{}},
		"tau 1.5: expected a share of the run from 0 to 1": {[]float64{1}, refine.Options{Variant: refine.L1, Tau: 1.5}},
		"tau NaN":                                            {[]float64{1}, refine.Options{Variant: refine.L1, Tau: math.NaN()}},
		"a run of -1 steps":                                  {[]float64{1}, refine.Options{Variant: refine.L1, Steps: -1}},
		"0 gradient norms: expected 1 to":                    {nil, good},
		"the gradient norm of step 2 is NaN":                 {[]float64{1, math.NaN()}, good},
		"the gradient norm of step 1 is -1":                  {[]float64{-1}, good},
		"all 2 gradient norms are infinite: expected finite": {[]float64{math.Inf(1), math.Inf(1)}, good},
		"all 3 gradient norms are 0: expected some above":    {[]float64{0, 0}, good},
	} {
		if curve, err := refine.Refine(c.norms, c.o); err == nil || curve != nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("error %v, expected one with %q", err, expected)
		}
	}
}
