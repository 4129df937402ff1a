package problem

import (
	"fmt"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Quadratic is f(x) = x'Qx/2 - c'x.
type Quadratic struct {
	q    *mat.SymDense
	c    []float64
	work []float64
}

// NewQuadratic takes a symmetric Q and a c of the same order, and keeps both.
func NewQuadratic(q *mat.SymDense, c []float64) (*Quadratic, error) {
	if n := q.SymmetricDim(); n < 1 || len(c) != n {
		return nil, fmt.Errorf("quadratic: a matrix of order %d and a vector of %d: expected the same, at least 1", n, len(c))
	}
	return &Quadratic{q, c, make([]float64, len(c))}, nil
}

// Dim is the order of Q.
func (f *Quadratic) Dim() int { return len(f.c) }

// ValueGradient implements gradreg.Function.
func (f *Quadratic) ValueGradient(x, gradient []float64) float64 {
	blas64.Symv(1, f.q.RawSymmetric(), vector(x), 0, vector(f.work))
	floats.SubTo(gradient, f.work, f.c)
	return floats.Dot(x, f.work)/2 - floats.Dot(f.c, x)
}

// Hessian writes Q.
func (f *Quadratic) Hessian(_ []float64, h *mat.SymDense) { h.CopySym(f.q) }

// CubedNorm is f(x) = |x|^3/3 in N variables, whose Hessian has the Lipschitz
// constant 2.
type CubedNorm struct{ N int }

// Dim is N.
func (f CubedNorm) Dim() int { return f.N }

// ValueGradient implements gradreg.Function.
func (f CubedNorm) ValueGradient(x, gradient []float64) float64 {
	norm := floats.Norm(x, 2)
	floats.ScaleTo(gradient, norm, x)
	return norm * norm * norm / 3
}

// Hessian writes |x| I + x x'/|x|, or zero where x is.
func (f CubedNorm) Hessian(x []float64, h *mat.SymDense) {
	h.Zero()
	if norm := floats.Norm(x, 2); norm > 0 {
		addDiagonal(h, norm)
		addOuter(h, 1/norm, x)
	}
}
