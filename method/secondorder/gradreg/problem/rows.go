// Package problem has smooth functions to minimise, in closed form and
// float64, with their Hessians and what stands for them: logistic and softmax
// regression, log-sum-exp, powers of the norm of residuals, and small ones for
// tests. All fulfil gradreg.Function, and the methods that write matrices have
// the form of gradreg.Dense and gradreg.RankOne:
//
//	gradreg.Newton{Curvature: gradreg.Dense(logistic.Fisher)}
//
// A problem has space to work in, so that it must not be used by several
// goroutines at once.
package problem

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// rows is a matrix A with one example per row.
type rows struct {
	a      blas64.General
	scaled blas64.General // a block of rows
	at     []float64      // where z was made
	z      []float64      // A x - b
	known  bool
}

// blockSize is how many numbers gram scales at a time, so many that they fit
// into a level 2 cache: fewer calls of the product are not slower.
const blockSize = 1 << 17

func newRows(a *mat.Dense) (rows, error) {
	if a == nil || a.IsEmpty() {
		return rows{}, fmt.Errorf("a matrix without rows: expected at least one")
	}
	m, n := a.Dims()
	block := min(m, max(1, blockSize/n))
	return rows{
		a: a.RawMatrix(), at: make([]float64, n), z: make([]float64, m),
		scaled: blas64.General{Rows: block, Cols: n, Stride: n, Data: make([]float64, block*n)},
	}, nil
}

// times makes z = A x - b, unless it is there, and says whether it was made; b
// may be nil.
func (r *rows) times(x, b []float64) (made bool) {
	if r.known && slices.Equal(r.at, x) {
		return false
	}
	copy(r.at, x)
	r.known = true
	beta := 0.0
	if b != nil {
		copy(r.z, b)
		beta = -1
	}
	blas64.Gemv(blas.NoTrans, 1, r.a, vector(r.at), beta, vector(r.z))
	return true
}

// back writes A' w.
func (r *rows) back(dst, w []float64) {
	blas64.Gemv(blas.Trans, 1, r.a, vector(w), 0, vector(dst))
}

// gram writes A' diag(w) A for roots, the square roots of w.
func (r *rows) gram(h *mat.SymDense, roots []float64) {
	out := h.RawSymmetric()
	beta := 0.0
	for first := 0; first < r.a.Rows; first += r.scaled.Rows {
		block := r.scaled
		block.Rows = min(block.Rows, r.a.Rows-first)
		for i := range block.Rows {
			root, row := roots[first+i], block.Data[i*block.Stride:][:block.Cols]
			for j, x := range r.a.Data[(first+i)*r.a.Stride:][:block.Cols] {
				row[j] = root * x
			}
		}
		blas64.Syrk(blas.Trans, 1, block, beta, out)
		beta = 1
	}
}

func vector(data []float64) blas64.Vector {
	return blas64.Vector{N: len(data), Inc: 1, Data: data}
}

// addDiagonal adds a number to each element of the diagonal.
func addDiagonal(h *mat.SymDense, number float64) {
	for i := range h.SymmetricDim() {
		h.SetSym(i, i, h.At(i, i)+number)
	}
}

// addOuter adds a u u'.
func addOuter(h *mat.SymDense, a float64, u []float64) {
	blas64.Syr(a, vector(u), h.RawSymmetric())
}
