package randommatrix

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// symmetric is a random symmetric matrix with a product.
func symmetric(n int) (*mat.SymDense, func(dst, v []float64) error) {
	rng := rand.New(rand.NewPCG(4, 5))
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			a.SetSym(i, j, rng.NormFloat64())
		}
	}
	return a, func(dst, v []float64) error {
		mat.NewVecDense(n, dst).MulVec(a, mat.NewVecDense(n, v))
		return nil
	}
}

// Ritz values and weights have the moments v'A^p v/v'v of the start up to p = 2
// steps - 1, and are the eigenvalues after as many steps as rows.
func TestLanczosMoments(t *testing.T) {
	const n, steps = 12, 4
	a, multiply := symmetric(n)
	start := make([]float64, n)
	for i := range start {
		start[i] = math.Cos(float64(i))
	}
	power, moved, scale := append([]float64{}, start...), make([]float64, n), floats.Dot(start, start)
	want := make([]float64, 2*steps)
	for p := range want {
		want[p] = floats.Dot(start, power) / scale
		if err := multiply(moved, power); err != nil {
			t.Fatal(err)
		}
		copy(power, moved)
	}
	r, err := lanczos(append([]float64{}, start...), steps, multiply)
	if err != nil || len(r.Nodes) != steps {
		t.Fatalf("%+v, %v", r, err)
	}
	for p := range want {
		got := 0.0
		for i, node := range r.Nodes {
			got += r.Weights[i] * math.Pow(node, float64(p))
		}
		if math.Abs(got-want[p]) > 1e-9*(1+math.Abs(want[p])) {
			t.Errorf("moment %d is %g, want %g", p, got, want[p])
		}
	}
	r, err = lanczos(start, 100, multiply)
	var eigen mat.EigenSym
	if !eigen.Factorize(a, false) || err != nil || !floats.EqualApprox(r.Nodes, eigen.Values(nil), 1e-9) {
		t.Errorf("Ritz values %v, eigenvalues %v, %v", r.Nodes, eigen.Values(nil), err)
	}
}

func TestLanczosEnds(t *testing.T) {
	r, err := lanczos([]float64{0, 2, 0}, 20, func(dst, v []float64) error { floats.ScaleTo(dst, 3, v); return nil })
	if err != nil || len(r.Nodes) != 1 || r.Nodes[0] != 3 || r.Weights[0] != 1 {
		t.Errorf("a closed space: %+v, %v", r, err)
	}
	r, err = lanczos([]float64{1, 1}, 20, func(dst, _ []float64) error { clear(dst); return nil })
	if err != nil || len(r.Nodes) != 1 || r.Nodes[0] != 0 {
		t.Errorf("the matrix 0: %+v, %v", r, err)
	}
	stop := errors.New("stop")
	if _, err := lanczos([]float64{1}, 20, func(_, _ []float64) error { return stop }); err != stop {
		t.Errorf("a product that fails: %v", err)
	}
}
