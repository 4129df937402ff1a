package problem

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/mat"
)

// single makes products A' diag(w) A in float32, in half the time.
type single struct {
	a, scaled blas32.General
	h         blas32.Symmetric
}

func newSingle(r *rows) *single {
	m, n := r.a.Rows, r.a.Cols
	block := min(m, max(1, 2*blockSize/n))
	s := &single{
		a:      blas32.General{Rows: m, Cols: n, Stride: n, Data: make([]float32, m*n)},
		scaled: blas32.General{Rows: block, Cols: n, Stride: n, Data: make([]float32, block*n)},
		h:      blas32.Symmetric{N: n, Stride: n, Uplo: blas.Upper, Data: make([]float32, n*n)},
	}
	for i := range m {
		for j, x := range r.a.Data[i*r.a.Stride:][:n] {
			s.a.Data[i*n+j] = float32(x)
		}
	}
	return s
}

// gram writes A' diag(w) A for roots, the square roots of w.
func (s *single) gram(h *mat.SymDense, roots []float64) {
	beta, n := float32(0), s.a.Cols
	for first := 0; first < s.a.Rows; first += s.scaled.Rows {
		block := s.scaled
		block.Rows = min(block.Rows, s.a.Rows-first)
		for i := range block.Rows {
			root, row := float32(roots[first+i]), block.Data[i*n:][:n]
			for j, x := range s.a.Data[(first+i)*n:][:n] {
				row[j] = root * x
			}
		}
		blas32.Syrk(blas.Trans, 1, block, beta, s.h)
		beta = 1
	}
	out := h.RawSymmetric()
	for i := range n {
		for j := i; j < n; j++ {
			out.Data[i*out.Stride+j] = float64(s.h.Data[i*n+j])
		}
	}
}

// HessianFloat32 writes the Hessian with its products in float32, in half the
// time and, the first time, with a float32 copy of the examples. Value and
// gradient stay in float64, so that a minimisation gets as far with it; it
// has no more than six digits, of the largest eigenvalue.
func (l *Logistic) HessianFloat32(x []float64, h *mat.SymDense) {
	l.evaluate(x)
	if l.single == nil {
		l.single = newSingle(&l.rows)
	}
	scale := 1 / math.Sqrt(float64(l.a.Rows))
	for i, error := range l.errors {
		l.weights[i] = math.Sqrt(error*(1-error)) * scale
	}
	l.single.gram(h, l.weights)
	addDiagonal(h, l.ridge)
}
