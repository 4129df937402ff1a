//go:build unix

package main

import (
	"github.com/descentml/descent/backend/kernel/sparse"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
)

// The sparse matrix of the work: the size of a bag of words.
const (
	sparseRows    = 100_000
	sparseColumns = 50_000
	sparsePerRow  = 50
)

// sparseGradient is a gradient of logistic regression over sparse rows,
// A' sigmoid(A w). On the peer's side it is SciPy's two products of the same
// matrix alone, A @ w and A.T @ r.
func sparseGradient() work {
	return work{name: "sparse gradient f64", prepare: func() (func() error, error) {
		matrix := sparseMatrix()
		s, err := sparse.NewMultiplier(matrix, workers.New(0).Run)
		if err != nil {
			return nil, err
		}
		w, y, gradient := make([]float64, sparseColumns), make([]float64, sparseRows), make([]float64, sparseColumns)
		for i := range w {
			w[i] = float64((i*7919)%1009)/1009 - 0.5
		}
		sigmoid := vector.Unary[float64](vector.Sigmoid)
		weigh := func(_ int, y []float64) { sigmoid(y, y) }
		return func() error {
			s.Through(gradient, y, w, weigh)
			return nil
		}, nil
	}}
}

// sparseMatrix has entries scattered by a formula that torch_side.py has too.
func sparseMatrix() *sparse.Matrix {
	m := &sparse.Matrix{Columns: sparseColumns, Offsets: make([]int, sparseRows+1)}
	for row := range sparseRows {
		for i := range sparsePerRow {
			m.Indices = append(m.Indices, int32((row*7919+i*(2*row+104729)+i*i*31)%sparseColumns))
			m.Values = append(m.Values, float64((row*31+i*17)%1009)/1009-0.5)
		}
		m.Offsets[row+1] = len(m.Values)
	}
	return m
}
