package spectrum_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/analysis/spectrum"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x5bec)) }

// withEigenvalues is a matrix with the given eigenvalues in a random basis.
func withEigenvalues(rng *rand.Rand, values ...float64) spectrum.Dense {
	n := len(values)
	random := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			random.Set(i, j, rng.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(random)
	var q, product mat.Dense
	qr.QTo(&q)
	product.Mul(&q, mat.NewDiagDense(n, values))
	product.Mul(&product, q.T())
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			a.SetSym(i, j, (product.At(i, j)+product.At(j, i))/2)
		}
	}
	return spectrum.Dense{Matrix: a}
}

// spread are n numbers with a bulk at zero, outliers above and a tail below.
func spread(rng *rand.Rand, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = 0.01 * rng.NormFloat64()
	}
	for i := range min(6, n/4) {
		values[i] = 2 + float64(i)
	}
	values[n-1] = -0.5
	return values
}

// moment is v'A^p v for the random vector of signs of a one-probe quadrature
// with the same generator.
func moment(a spectrum.Dense, rng *rand.Rand, p int) float64 {
	n := a.Dim()
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(int64(rng.Uint64()&2)) - 1
	}
	floats.Scale(1/math.Sqrt(float64(n)), v)
	power, next := slices.Clone(v), make([]float64, n)
	for range p {
		_ = a.Apply(next, power) // of a matrix in memory: never fails
		power, next = next, power
	}
	return floats.Dot(v, power)
}

// Check 4 of the specification: m steps give all moments below 2m exactly, and
// not the next one.
func TestQuadratureIsExactForMomentsBelowTwiceTheSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(2, 8).Draw(t, "steps")
		n := rapid.IntRange(2*m+4, 40).Draw(t, "rows")
		seed := rapid.Uint64Range(0, 1e6).Draw(t, "seed")
		rng := newRand(seed)
		values := make([]float64, n)
		for i := range values {
			values[i] = 2*rng.Float64() - 0.7
		}
		a := withEigenvalues(rng, values...)
		d, err := spectrum.Quadrature(context.Background(), a, spectrum.Quadratures{Probes: 1, Steps: m}, newRand(seed+1))
		if err != nil {
			t.Fatal(err)
		}
		if sum := floats.Sum(d.Probes[0].Weights); math.Abs(sum-1) > 1e-12 {
			t.Fatalf("the weights add up to %.15g", sum)
		}
		for p := range 2 * m {
			want := moment(a, newRand(seed+1), p)
			if got := d.Probes[0].Moment(p); math.Abs(got-want) > 1e-8*math.Abs(want)+1e-13 {
				t.Fatalf("moment %d of %d steps is %.12g, want %.12g", p, m, got, want)
			}
		}
		want := moment(a, newRand(seed+1), 2*m)
		if got := d.Probes[0].Moment(2 * m); math.Abs(got-want) < 1e-13*math.Abs(want) {
			t.Fatalf("moment %d of %d steps is exact too: %.15g", 2*m, m, got)
		}
	})
}

// Check 4, second part: with as many steps as rows the nodes are the eigenvalues.
func TestNodesOfAllStepsAreTheEigenvalues(t *testing.T) {
	rng := newRand(1)
	values := make([]float64, 50)
	for i := range values {
		values[i] = float64(i) + 0.5*rng.Float64() - 10
	}
	d, err := spectrum.Quadrature(t.Context(), withEigenvalues(rng, values...), spectrum.Quadratures{Probes: 1, Steps: 50}, rng)
	if err != nil {
		t.Fatal(err)
	}
	for i, theta := range d.Probes[0].Nodes {
		if math.Abs(theta-values[i]) > 1e-8 {
			t.Errorf("node %d is %.12g, the eigenvalue %.12g", i, theta, values[i])
		}
	}
}

// Estimates lie within a few standard errors of what they estimate, and the
// density within a hundredth of the spectrum's width of the eigenvalues.
func TestQuadratureOfAKnownSpectrum(t *testing.T) {
	rng := newRand(2)
	values := spread(rng, 300)
	a := withEigenvalues(rng, values...)
	d, err := spectrum.Quadrature(t.Context(), a, spectrum.Quadratures{Probes: 20, Steps: 50}, rng)
	if err != nil {
		t.Fatal(err)
	}
	low, high := d.Range()
	if math.Abs(low+0.5) > 1e-9 || math.Abs(high-7) > 1e-9 {
		t.Errorf("the range is %g to %g, want -0.5 to 7", low, high)
	}
	if w := spectrum.Wasserstein(d.Measure(), spectrum.Equal(values)); w > 1e-2*(high-low) {
		t.Errorf("the density is %g away from the eigenvalues", w)
	}
	within(t, "trace", d.Trace(), floats.Sum(values))
	within(t, "squared norm", d.SquaredNorm(), floats.Dot(values, values))
	within(t, "mass above 1", d.Mass(1, math.Inf(1)), 6.0/300)
	at := spectrum.Even(-2, 9, 1101)
	density, standardError := d.Smooth(at, 0)
	if area := floats.Sum(density) * 0.01; math.Abs(area-1) > 1e-3 || floats.Max(standardError) <= 0 {
		t.Errorf("the area under the density is %g", area)
	}
}

// rounded is an operator whose products have the precision of float32.
type rounded struct{ spectrum.Dense }

func (rounded) Single() bool { return true }

func (r rounded) Apply(dst, v []float64) error {
	err := r.Dense.Apply(dst, v)
	for i := range dst {
		dst[i] = float64(float32(dst[i]))
	}
	return err
}

// With a basis in float32 the quadrature is that of float64 but for rounding,
// and no outlier comes twice.
func TestQuadratureInSinglePrecision(t *testing.T) {
	rng := newRand(12)
	values := spread(rng, 300)
	a := withEigenvalues(rng, values...)
	q := spectrum.Quadratures{Probes: 3, Steps: 100}
	wide, err1 := spectrum.Quadrature(t.Context(), a, q, newRand(13))
	narrow, err2 := spectrum.Quadrature(t.Context(), rounded{a}, q, newRand(13))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if w := spectrum.Wasserstein(wide.Measure(), narrow.Measure()); w > 1e-5 || w == 0 {
		t.Errorf("the densities are %g apart: expected the rounding of float32", w)
	}
	for _, p := range narrow.Probes {
		if outliers := len(p.Nodes) - slices.IndexFunc(p.Nodes, func(x float64) bool { return x > 1 }); outliers != 6 {
			t.Errorf("%d nodes above 1, want the 6 outliers", outliers)
		}
	}
}

func within(t *testing.T, what string, e spectrum.Estimate, want float64) {
	t.Helper()
	if !(math.Abs(e.Value-want) < 4*e.StandardError+1e-12*math.Abs(want)) || math.IsNaN(e.StandardError) {
		t.Errorf("%s: %g with the standard error %g, want %g", what, e.Value, e.StandardError, want)
	}
}

func TestExtremePairs(t *testing.T) {
	rng := newRand(3)
	values := spread(rng, 200)
	a := withEigenvalues(rng, values...)
	ends, err := spectrum.Extreme(t.Context(), a, spectrum.Extremes{Largest: 4, Smallest: 2, Vectors: true}, rng)
	if err != nil || !ends.Converged {
		t.Fatalf("%+v, %v", ends, err)
	}
	slices.Sort(values)
	for i, p := range slices.Concat(ends.Largest, ends.Smallest) {
		want := append(slices.Clone(values[:2]), values[199], values[198], values[197], values[196])
		want = append(want[2:], want[:2]...)
		if math.Abs(p.Value-want[i]) > 1e-8*math.Abs(want[i]) {
			t.Errorf("pair %d is %.12g, want %.12g", i, p.Value, want[i])
		}
		product := make([]float64, 200)
		if err := a.Apply(product, p.Vector); err != nil {
			t.Fatal(err)
		}
		floats.AddScaled(product, -p.Value, p.Vector)
		if residual := floats.Norm(product, 2); math.Abs(residual-p.Residual) > 1e-12 || math.Abs(floats.Norm(p.Vector, 2)-1) > 1e-12 {
			t.Errorf("pair %d: residual %g, said to be %g", i, residual, p.Residual)
		}
	}
}

// Equal eigenvalues are found as often as they are there, and a matrix of zeros
// and the identity are no trouble.
func TestExtremeFindsEqualEigenvalues(t *testing.T) {
	rng := newRand(4)
	values := make([]float64, 40)
	for i := range 3 {
		values[i] = 5
	}
	values[3], values[4] = 1, -2
	ends, err := spectrum.Extreme(t.Context(), withEigenvalues(rng, values...), spectrum.Extremes{Largest: 5, Smallest: 2}, rng)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{5, 5, 5, 1, 0} {
		if math.Abs(ends.Largest[i].Value-want) > 1e-10 {
			t.Errorf("eigenvalue %d is %g, want %g", i, ends.Largest[i].Value, want)
		}
	}
	if math.Abs(ends.Smallest[0].Value+2) > 1e-10 || math.Abs(ends.Smallest[1].Value) > 1e-10 {
		t.Errorf("the smallest are %+v", ends.Smallest)
	}
	for _, value := range []float64{0, 1} {
		same := slices.Repeat([]float64{value}, 12)
		ends, err := spectrum.Extreme(t.Context(), withEigenvalues(rng, same...), spectrum.Extremes{Largest: 2, Smallest: 1}, rng)
		if err != nil || math.Abs(ends.Largest[1].Value-value) > 1e-12 || math.Abs(ends.Smallest[0].Value-value) > 1e-12 {
			t.Errorf("%g times the identity: %+v, %v", value, ends, err)
		}
	}
}

func TestTraces(t *testing.T) {
	rng := newRand(5)
	values := spread(rng, 150)
	a := withEigenvalues(rng, values...)
	trace := floats.Sum(values)
	plain, err := spectrum.Hutchinson(t.Context(), a, 60, rng)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "Hutchinson", plain, trace)
	better, err := spectrum.HutchPP(t.Context(), a, 60, rng)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "Hutch++", better, trace)
	if better.StandardError > plain.StandardError/5 {
		t.Errorf("Hutch++ has the standard error %g, Hutchinson %g: expected far less on a matrix with outliers", better.StandardError, plain.StandardError)
	}
	squares, err := spectrum.SquaredNorm(t.Context(), a, 60, rng)
	if err != nil {
		t.Fatal(err)
	}
	within(t, "squared norm", squares, floats.Dot(values, values))
	if all, err := spectrum.HutchPP(t.Context(), a, 450, rng); err != nil || math.Abs(all.Value-trace) > 1e-10 {
		t.Errorf("with as many vectors as rows Hutch++ gives %g, %v, want %g", all.Value, err, trace)
	}
}

func TestWasserstein(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		a := rapid.SliceOfN(rapid.Float64Range(-5, 5), n, n).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Float64Range(-5, 5), n, n).Draw(t, "b")
		got := spectrum.Wasserstein(spectrum.Equal(a), spectrum.Equal(b))
		slices.Sort(a)
		slices.Sort(b)
		want := 0.0 // of equal weights: the mean distance in order
		for i := range a {
			want += math.Abs(a[i]-b[i]) / float64(n)
		}
		if math.Abs(got-want) > 1e-12 {
			t.Fatalf("%g, want %g", got, want)
		}
	})
}

func TestOutlierRules(t *testing.T) {
	values := []float64{20, 5, 4.5, 4, 0.1, 0.09, 1e-9, 0, -1}
	if got := spectrum.GapCount(values); got != 1 {
		t.Errorf("gap: %d, want 1", got)
	}
	for _, c := range []struct{ low, high, want int }{{2, 5, 4}, {1, 3, 1}, {1, 8, 6}, {7, 8, 0}} {
		if got, err := spectrum.RatioCount(values, c.low, c.high); err != nil || got != c.want {
			t.Errorf("ratio from %d to %d: %d, %v, want %d", c.low, c.high, got, err, c.want)
		}
	}
	if got := spectrum.AboveCount(values, 0.095); got != 5 {
		t.Errorf("above 0.095: %d, want 5", got)
	}
	if _, err := spectrum.RatioCount(values, 3, 2); err == nil {
		t.Error("a window from 3 to 2 is none")
	}
}

// Check 5: the largest eigenvalue of sample covariances with a spike.
func TestSpikeSeparatesAboveTheThreshold(t *testing.T) {
	for _, c := range []struct {
		ell, want float64
		separated bool
	}{{2, 5.828, false}, {4, 6.667, true}, {8, 10.286, true}} {
		got, separated := spectrum.Spike(c.ell, 2)
		if math.Abs(got-c.want) > 1e-3 || separated != c.separated {
			t.Errorf("ell = %g: %g, %t", c.ell, got, separated)
		}
		rng := newRand(uint64(c.ell))
		mean := 0.0
		const draws, m, n = 2, 200, 100
		for range draws {
			x := mat.NewDense(n, m, nil)
			for i := range n {
				for j := range m {
					x.Set(i, j, rng.NormFloat64())
				}
				x.Set(i, 0, x.At(i, 0)*math.Sqrt(c.ell))
			}
			var gram mat.SymDense
			gram.SymOuterK(1.0/n, x)
			values, err := spectrum.Eigenvalues(&gram)
			if err != nil {
				t.Fatal(err)
			}
			mean += values[0] / draws
		}
		if math.Abs(mean/got-1) > 0.15 { // half the size of the specification's, so three times its tolerance
			t.Errorf("ell = %g: the mean largest eigenvalue is %g, predicted %g", c.ell, mean, got)
		}
	}
}

// failing breaks after some products.
type failing struct {
	spectrum.Dense
	left int
	stop func()
}

func (f *failing) Apply(dst, v []float64) error {
	if f.left--; f.left == 0 {
		if f.stop == nil {
			return errors.New("broken")
		}
		f.stop()
	}
	return f.Dense.Apply(dst, v)
}

// The error of an operator and the end of a context end all work at once.
func TestErrorsAndContextsEndTheWork(t *testing.T) {
	rng := newRand(6)
	a := withEigenvalues(rng, spread(rng, 60)...)
	for name, work := range map[string]func(context.Context, spectrum.Operator) error{
		"quadrature": func(ctx context.Context, op spectrum.Operator) error {
			_, err := spectrum.Quadrature(ctx, op, spectrum.Quadratures{}, rng)
			return err
		},
		"extreme": func(ctx context.Context, op spectrum.Operator) error {
			_, err := spectrum.Extreme(ctx, op, spectrum.Extremes{Largest: 20}, rng)
			return err
		},
		"Hutchinson": func(ctx context.Context, op spectrum.Operator) error {
			_, err := spectrum.Hutchinson(ctx, op, 30, rng)
			return err
		},
		"Hutch++": func(ctx context.Context, op spectrum.Operator) error {
			_, err := spectrum.HutchPP(ctx, op, 30, rng)
			return err
		},
	} {
		if err := work(t.Context(), &failing{Dense: a, left: 5}); err == nil || err.Error() != "broken" {
			t.Errorf("%s with a broken operator: %v", name, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		f := &failing{Dense: a, left: 5, stop: cancel}
		if err := work(ctx, f); !errors.Is(err, context.Canceled) || f.left < -1 {
			t.Errorf("%s: %v after %d more products", name, err, -f.left)
		}
	}
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	rng := newRand(7)
	a := withEigenvalues(rng, 1, 2, 3)
	_, err1 := spectrum.Quadrature(t.Context(), a, spectrum.Quadratures{Probes: -1}, rng)
	_, err2 := spectrum.Extreme(t.Context(), a, spectrum.Extremes{}, rng)
	_, err3 := spectrum.Extreme(t.Context(), a, spectrum.Extremes{Largest: 4}, rng)
	_, err4 := spectrum.Hutchinson(t.Context(), a, 0, rng)
	_, err5 := spectrum.HutchPP(t.Context(), a, 2, rng)
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if err == nil || !strings.Contains(err.Error(), "expected") {
			t.Errorf("case %d: %v", i+1, err)
		}
	}
	bad := mat.NewSymDense(1, []float64{math.NaN()})
	if _, err := spectrum.Eigenvalues(bad); err == nil {
		t.Error("the eigenvalue of NaN")
	}
}

func Example() {
	a := mat.NewSymDense(100, nil)
	for i := range 100 {
		a.SetSym(i, i, 0.01)
	}
	a.SetSym(0, 0, 5)
	a.SetSym(1, 1, -1)
	rng := rand.New(rand.NewPCG(1, 1))
	ends, err := spectrum.Extreme(context.Background(), spectrum.Dense{Matrix: a}, spectrum.Extremes{Largest: 1, Smallest: 1}, rng)
	if err != nil {
		panic(err)
	}
	fmt.Printf("from %.3f to %.3f\n", ends.Smallest[0].Value, ends.Largest[0].Value)
	// Output: from -1.000 to 5.000
}
