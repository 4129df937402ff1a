package gradreg

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// Metric measures lengths by a positive definite matrix B: |h|^2 = h'Bh for
// steps and |s|_*^2 = s'B^-1 s for gradients. A nil *Metric is the identity.
// It does not change once made, and methods may share it.
type Metric struct {
	b      blas64.Symmetric
	factor blas64.Triangular // upper U with B = U'U
}

// NewMetric factors B, which it copies. It is an error if B is not positive
// definite.
func NewMetric(b mat.Symmetric) (*Metric, error) {
	n := b.SymmetricDim()
	if n == 0 {
		return nil, fmt.Errorf("a metric of order 0: expected at least 1")
	}
	own := mat.NewSymDense(n, nil)
	own.CopySym(b)
	factored := mat.NewSymDense(n, nil)
	factored.CopySym(b)
	factor, ok := lapack64.Potrf(factored.RawSymmetric())
	if !ok {
		return nil, fmt.Errorf("the metric of order %d is not positive definite", n)
	}
	return &Metric{b: own.RawSymmetric(), factor: factor}, nil
}

// Dim is the order of B; 0 for nil, which fits all.
func (m *Metric) Dim() int {
	if m == nil {
		return 0
	}
	return m.b.N
}

// Norm is the length of a step. It panics if h is not as long as B's order.
func (m *Metric) Norm(h []float64) float64 {
	if m == nil {
		return floats.Norm(h, 2)
	}
	// h'Bh row by row of the upper triangle, without a place for Bh.
	sum := 0.0
	for i, x := range h {
		row := m.b.Data[i*m.b.Stride+i : i*m.b.Stride+m.b.N]
		sum += x * (2*floats.Dot(row, h[i:]) - row[0]*x)
	}
	return math.Sqrt(max(sum, 0))
}

// DualNorm is the length of a gradient. It panics if s is not as long as B's
// order.
func (m *Metric) DualNorm(s []float64) float64 {
	if m == nil {
		return floats.Norm(s, 2)
	}
	return m.dualNorm(s, make([]float64, len(s)))
}

// dualNorm is DualNorm with a place to work.
func (m *Metric) dualNorm(s, work []float64) float64 {
	if m == nil {
		return floats.Norm(s, 2)
	}
	copy(work, s)
	blas64.Trsv(blas.Trans, m.factor, vector(work))
	return floats.Norm(work, 2)
}

// raise writes B^-1 s.
func (m *Metric) raise(dst, s []float64) {
	copy(dst, s)
	if m != nil {
		blas64.Trsv(blas.Trans, m.factor, vector(dst))
		blas64.Trsv(blas.NoTrans, m.factor, vector(dst))
	}
}

// addTimes adds B v, factor times, to dst.
func (m *Metric) addTimes(dst []float64, factor float64, v []float64) {
	if m == nil {
		floats.AddScaled(dst, factor, v)
		return
	}
	blas64.Symv(factor, m.b, vector(v), 1, vector(dst))
}

// addTo adds B, factor times, to the upper triangle of h.
func (m *Metric) addTo(h blas64.Symmetric, factor float64) {
	for i := range h.N {
		if m == nil {
			h.Data[i*h.Stride+i] += factor
			continue
		}
		floats.AddScaled(h.Data[i*h.Stride+i:i*h.Stride+h.N], factor, m.b.Data[i*m.b.Stride+i:i*m.b.Stride+m.b.N])
	}
}

func vector(data []float64) blas64.Vector {
	return blas64.Vector{N: len(data), Inc: 1, Data: data}
}
