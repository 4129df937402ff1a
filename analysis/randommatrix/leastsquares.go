package randommatrix

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// LeastSquaresRate is the exact largest learning rate at which SGD is stable in
// mean square at an interpolating solution of least squares, (1/2n) |A w - y|²,
// with batches of independent draws. rows is A [n, d] with d of at most 16.
//
// The second moment S of the error goes to S - eta (H S + S H) + eta² ((1 - 1/B)
// H S H + (1/B) mean a_i a_i' S a_i a_i'), H = A'A/n. With this as the matrix
// I - eta C + eta² D on S, the threshold is 1/lam_max(C^-1/2 D C^-1/2). It is what
// the law of Model.MaxRate is held against.
func LeastSquaresRate(rows *mat.Dense, batch int) (float64, error) {
	n, d := rows.Dims()
	if batch < 1 || d > 16 {
		return 0, fmt.Errorf("batch size %d with %d columns: expected a positive size and at most 16 columns", batch, d)
	}
	h := mat.NewSymDense(d, nil)
	h.SymOuterK(1/float64(n), rows.T())
	var eigen mat.EigenSym
	if !eigen.Factorize(h, true) {
		return 0, errors.New("the eigenvalues of A'A/n were not found: expected finite rows")
	}
	values := eigen.Values(nil)
	if !(values[0] > 1e-12*values[d-1]) {
		return 0, errors.New("A'A is singular: expected rows that span all columns")
	}
	var basis mat.Dense
	eigen.VectorsTo(&basis)
	var turned mat.Dense // rows in the eigenvectors, where C is diagonal
	turned.Mul(rows, &basis)
	var inverse mat.EigenSym
	if !inverse.Factorize(secondMoment(&turned, values, 1/float64(batch)), false) {
		return 0, errors.New("the eigenvalues of the second moment were not found: expected finite rows")
	}
	all := inverse.Values(nil)
	return 1 / all[len(all)-1], nil
}

// secondMoment is C^-1/2 D C^-1/2 on the d² elements of S.
func secondMoment(rows *mat.Dense, values []float64, p float64) *mat.SymDense {
	n, d := rows.Dims()
	m := mat.NewSymDense(d*d, nil)
	outer := mat.NewVecDense(d*d, nil)
	for i := range n {
		a := rows.RawRowView(i)
		for j := range d {
			for k := range d {
				outer.SetVec(j*d+k, a[j]*a[k])
			}
		}
		m.SymRankOne(m, p/float64(n), outer)
	}
	for j := range d {
		for k := range d {
			at := j*d + k
			m.SetSym(at, at, m.At(at, at)+(1-p)*values[j]*values[k])
		}
	}
	root := func(at int) float64 { return math.Sqrt(values[at/d] + values[at%d]) }
	for i := range d * d {
		for j := i; j < d*d; j++ {
			m.SetSym(i, j, m.At(i, j)/(root(i)*root(j)))
		}
	}
	return m
}
