package mfac_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/method/secondorder/mfac"
)

// pool spreads the work of all tests.
var pool = workers.New(2).Run

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x3fac)) }

func normal[T mfac.Float](rng *rand.Rand, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// fisher is F as a dense matrix, for blocks of a size.
func fisher[T mfac.Float](g []T, m, d, block int, divisor, damping float64) *mat.SymDense {
	f := mat.NewSymDense(d, nil)
	for k := range d {
		for l := k; l < d && l/block == k/block; l++ {
			sum := 0.0
			for i := range m {
				sum += float64(g[i*d+k]) * float64(g[i*d+l])
			}
			if sum /= divisor; k == l {
				sum += damping
			}
			f.SetSym(k, l, sum)
		}
	}
	return f
}

// solved is F^-1 x by a dense factorisation.
func solved[T mfac.Float](t *testing.T, f *mat.SymDense, x []T) []float64 {
	t.Helper()
	var cholesky mat.Cholesky
	if !cholesky.Factorize(f) {
		t.Fatal("F is not positive definite")
	}
	b := mat.NewVecDense(len(x), nil)
	for i, v := range x {
		b.SetVec(i, float64(v))
	}
	var result mat.VecDense
	if err := cholesky.SolveVecTo(&result, b); err != nil {
		t.Fatal(err)
	}
	return result.RawVector().Data
}

func inverse(t *testing.T, f *mat.SymDense) *mat.SymDense {
	t.Helper()
	var cholesky mat.Cholesky
	if !cholesky.Factorize(f) {
		t.Fatal("F is not positive definite")
	}
	var result mat.SymDense
	if err := cholesky.InverseTo(&result); err != nil {
		t.Fatal(err)
	}
	return &result
}

// apart is the norm of the difference over that of the wanted vector.
func apart[T mfac.Float](got []T, want []float64) float64 {
	difference, norm := 0.0, 0.0
	for i, w := range want {
		difference += (float64(got[i]) - w) * (float64(got[i]) - w)
		norm += w * w
	}
	return math.Sqrt(difference / norm)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
