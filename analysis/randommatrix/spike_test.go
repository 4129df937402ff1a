package randommatrix_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/analysis/spectrum"
)

func generator(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(7, stream)) }

// wigner draws a symmetric matrix whose elements have a variance.
func wigner(rows int, variance float64, rng *rand.Rand) *mat.SymDense {
	a := mat.NewSymDense(rows, nil)
	for i := range rows {
		for j := i; j < rows; j++ {
			a.SetSym(i, j, math.Sqrt(variance)*rng.NormFloat64())
		}
	}
	return a
}

// covariance draws E E' for E [rows, columns] with elements of variance/columns.
func covariance(rows, columns int, variance float64, rng *rand.Rand) *mat.SymDense {
	e := mat.NewDense(rows, columns, nil)
	for i := range rows {
		for j := range columns {
			e.Set(i, j, rng.NormFloat64())
		}
	}
	a := mat.NewSymDense(rows, nil)
	a.SymOuterK(variance/float64(columns), e)
	return a
}

// top adds lambda e_1 e_1' to a matrix and returns the largest eigenvalue and the
// squared overlap of its vector with e_1.
func top(t *testing.T, a *mat.SymDense, lambda float64, rng *rand.Rand) (value, overlap float64) {
	t.Helper()
	a.SetSym(0, 0, a.At(0, 0)+lambda)
	e, err := spectrum.Extreme(t.Context(), spectrum.Dense{Matrix: a}, spectrum.Extremes{Largest: 1, Tolerance: 1e-3, Vectors: true}, rng)
	if err != nil {
		t.Fatal(err)
	}
	return e.Largest[0].Value, e.Largest[0].Vector[0] * e.Largest[0].Vector[0]
}

// draws is the mean over five draws.
func draws(draw func() (float64, float64)) (value, overlap float64) {
	for range 5 {
		v, o := draw()
		value, overlap = value+v/5, overlap+o/5
	}
	return value, overlap
}

func within(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s: %.6g, expected %.6g within %g %%", what, got, want, 100*relative)
	}
}

// Check 1: the additive model on a Wigner matrix plus rank one.
func TestAdditiveAgreesWithSimulation(t *testing.T) {
	const rows, s, b = 400, 0.3, 50.0
	model := randommatrix.Additive{Noise: rows * s * s / b}
	rng := generator(1)
	for _, multiple := range []float64{0.5, 1.5, 3} {
		lambda := multiple * model.Threshold()
		value, overlap := draws(func() (float64, float64) { return top(t, wigner(rows, s*s/b, rng), lambda, rng) })
		within(t, "top eigenvalue", value, model.Outlier(lambda), 0.02)
		if want := model.Overlap(lambda); !(math.Abs(overlap-want) <= 0.08) {
			t.Errorf("overlap at %g t: %.3f, expected %.3f", multiple, overlap, want)
		}
		if model.Outlier(-lambda) != -model.Outlier(lambda) {
			t.Error("the lower end does not mirror the upper one")
		}
	}
}

// Check 2: the positive model on both sides of its threshold.
func TestPositiveAgreesWithSimulation(t *testing.T) {
	const rows = 400
	rng := generator(2)
	for _, q := range []float64{0.5, 2} {
		model := randommatrix.Positive{Law: randommatrix.MarchenkoPastur{Ratio: q, Variance: 1}}
		for _, multiple := range []float64{0.5, 1.5, 3} {
			lambda := multiple * model.Threshold()
			value, overlap := draws(func() (float64, float64) { return top(t, covariance(rows, int(rows/q), 1, rng), lambda, rng) })
			within(t, "top eigenvalue", value, model.Outlier(lambda), 0.03)
			if want := model.Overlap(lambda); !(math.Abs(overlap-want) <= 0.08) {
				t.Errorf("q = %g, overlap at %g thresholds: %.3f, expected %.3f", q, multiple, overlap, want)
			}
		}
	}
}

// Check 2, last part: the printed branch lies above the corrected one but for
// q = 1. Both agree where both stand out, and the corrected one is continuous.
func TestPrintedBranch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		law := randommatrix.MarchenkoPastur{Ratio: rapid.Float64Range(0.01, 100).Draw(t, "q"), Variance: rapid.Float64Range(0.01, 100).Draw(t, "variance")}
		printed, corrected := randommatrix.Positive{Law: law, Printed: true}, randommatrix.Positive{Law: law}
		if below := corrected.Outlier(0); printed.Outlier(0) < below*(1-1e-12) {
			t.Fatalf("printed %g below corrected %g", printed.Outlier(0), below)
		}
		above := max(printed.Threshold(), corrected.Threshold()) * 1.01
		if printed.Outlier(above) != corrected.Outlier(above) {
			t.Fatal("the branches differ above both thresholds")
		}
		at := corrected.Threshold()
		if a, b := corrected.Outlier(at), corrected.Outlier(at*(1+1e-9)); math.Abs(a-b) > 1e-6*a {
			t.Fatalf("a jump from %g to %g at the threshold", a, b)
		}
	})
	one := randommatrix.MarchenkoPastur{Ratio: 1, Variance: 2}
	if a, b := (randommatrix.Positive{Law: one}).Outlier(0), (randommatrix.Positive{Law: one, Printed: true}).Outlier(0); a != b {
		t.Errorf("q = 1: %g and %g, expected the same", a, b)
	}
}

// An overlap is the derivative of its outlier.
func TestOverlapIsTheDerivative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		variance := rapid.Float64Range(0.1, 10).Draw(t, "variance")
		above := rapid.Float64Range(1.1, 10).Draw(t, "multiple of the threshold")
		models := []interface {
			Threshold() float64
			Outlier(float64) float64
			Overlap(float64) float64
		}{
			randommatrix.Additive{Noise: variance},
			randommatrix.Positive{Law: randommatrix.MarchenkoPastur{Ratio: rapid.Float64Range(0.1, 10).Draw(t, "q"), Variance: variance}},
		}
		for _, m := range models {
			lambda := above * m.Threshold()
			step := 1e-5 * lambda
			slope := (m.Outlier(lambda+step) - m.Outlier(lambda-step)) / (2 * step)
			if math.Abs(slope-m.Overlap(lambda)) > 1e-6 {
				t.Fatalf("%T: overlap %g, slope %g", m, m.Overlap(lambda), slope)
			}
			if m.Overlap(0.9*m.Threshold()) != 0 {
				t.Fatal("an overlap below the threshold")
			}
		}
	})
}

// Densities have the total mass that they should have, and simulated spectra
// have as much of it on either side of a point.
func TestLaws(t *testing.T) {
	rng := generator(3)
	check := func(name string, a *mat.SymDense, density func(float64) float64, low, high, atZero float64) {
		t.Helper()
		if total := quad.Fixed(density, low, high, 20_000, nil, 0); math.Abs(total+atZero-1) > 1e-3 {
			t.Errorf("%s: mass %g with %g at 0", name, total, atZero)
		}
		values, err := spectrum.Eigenvalues(a)
		if err != nil {
			t.Fatal(err)
		}
		within(t, name+", largest eigenvalue", values[0], high, 0.05)
		for _, share := range []float64{0.25, 0.5, 0.75} {
			x := low + share*(high-low)
			below := atZero + quad.Fixed(density, low, x, 20_000, nil, 0)
			count := 0
			for _, value := range values {
				if value < x {
					count++
				}
			}
			if got := float64(count) / float64(len(values)); math.Abs(got-below) > 0.02 {
				t.Errorf("%s: a share of %g below %g, expected %g", name, got, x, below)
			}
		}
	}
	circle := randommatrix.Wigner(200, 0.04)
	low, high := circle.Edges()
	check("semicircle", wigner(200, 0.04, rng), circle.Density, low, high, 0)
	for _, q := range []float64{0.5, 2} {
		law := randommatrix.MarchenkoPastur{Ratio: q, Variance: 3}
		low, high := law.Edges()
		check("Marchenko-Pastur", covariance(200, int(200/q), 3, rng), law.Density, low, high, law.AtZero())
	}
	if circle.Density(2*high) != 0 || (randommatrix.MarchenkoPastur{Ratio: 1, Variance: 1}).Density(-1) != 0 {
		t.Error("a density outside of the edges")
	}
}

// Check 3: the variance of means of subsets, with the factor for finite
// populations.
func TestFluctuation(t *testing.T) {
	const n = 60
	rng := generator(4)
	population := make([]float64, n)
	for i := range population {
		population[i] = rng.ExpFloat64()
	}
	variance := stat.PopVariance(population, nil)
	means := make([]float64, 20_000)
	for _, batch := range []int{1, 5, 20, n} {
		for i := range means {
			for j := range batch {
				k := j + rng.IntN(n-j)
				population[j], population[k] = population[k], population[j]
			}
			means[i] = stat.Mean(population[:batch], nil)
		}
		want := randommatrix.Fluctuation(variance, batch, n)
		if batch == n {
			if want != 0 || stat.Variance(means, nil) > 1e-25 {
				t.Errorf("all examples: predicted %g, found %g, expected 0", want, stat.Variance(means, nil))
			}
			continue
		}
		within(t, "variance of means", stat.Variance(means, nil), want, 0.05)
		within(t, "in terms of the effective batch", variance/randommatrix.EffectiveBatch(batch, n), want, 1.01/n)
	}
	if b := randommatrix.EffectiveBatch(n, n); !math.IsInf(b, 1) {
		t.Errorf("effective batch of all examples: %g, expected infinite", b)
	}
	if b := randommatrix.EffectiveBatch(32, 0); b != 32 {
		t.Errorf("effective batch of independent draws: %g, expected 32", b)
	}
}
