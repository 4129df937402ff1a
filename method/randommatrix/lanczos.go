package randommatrix

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// breakdown is the share of the largest coefficient below which the rest of a
// product counts as zero, as the space so far is closed.
const breakdown = 1e-10

// lanczos runs the Lanczos process with full reorthogonalisation from a start,
// which it overwrites, and returns the Ritz values. multiply sets dst to the
// product of a symmetric matrix with v. It is for the few steps of a learner;
// package analysis/spectrum, which stands above methods, has one for many.
func lanczos(start []float64, steps int, multiply func(dst, v []float64) error) (Ritz, error) {
	floats.Scale(1/floats.Norm(start, 2), start)
	basis, product := [][]float64{start}, make([]float64, len(start))
	var alpha, beta []float64
	largest := 0.0
	for {
		last := basis[len(basis)-1]
		if err := multiply(product, last); err != nil {
			return Ritz{}, err
		}
		a := floats.Dot(last, product)
		alpha = append(alpha, a)
		for range 2 { // once leaves rounding of the size of what was taken away
			for _, q := range basis {
				floats.AddScaled(product, -floats.Dot(q, product), q)
			}
		}
		b := floats.Norm(product, 2)
		largest = max(largest, math.Abs(a), b)
		if len(basis) == min(steps, len(start)) || !(b > breakdown*largest) {
			return ritz(alpha, beta)
		}
		beta = append(beta, b)
		next := make([]float64, len(product))
		floats.ScaleTo(next, 1/b, product)
		basis = append(basis, next)
	}
}

// ritz are the eigenvalues of the tridiagonal matrix of alpha and beta.
func ritz(alpha, beta []float64) (Ritz, error) {
	n := len(alpha)
	m := mat.NewSymDense(n, nil)
	for i, a := range alpha {
		m.SetSym(i, i, a)
		if i+1 < n {
			m.SetSym(i, i+1, beta[i])
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(m, true) {
		return Ritz{}, errors.New("the eigenvalues of the Lanczos process did not converge: expected finite products")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	r := Ritz{Nodes: eigen.Values(nil), Weights: make([]float64, n)}
	for i := range r.Weights {
		r.Weights[i] = vectors.At(0, i) * vectors.At(0, i)
	}
	return r, nil
}
