package gradreg

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Cubic is Newton's method with cubic regularisation, Nesterov and Polyak
// 2006: h minimises the model
//
//	g'h + h'Hh/2 + M |h|^3/6,
//
// over all h, for any symmetric H. A step passes if f(x+) <= f + the model,
// after which M is halved; a failure doubles it. One factorisation into
// eigenvalues serves all trials of an iteration.
type Cubic struct {
	// Hessian is H. It must be given.
	Hessian Dense
	// Metric is B. Default the identity.
	Metric *Metric
	// M is the constant that the search begins with. Default 1.
	M float64
	// Tries is the largest number of steps tried in one iteration. Default 40.
	Tries int
}

// Minimize implements [Method].
func (m Cubic) Minimize(ctx context.Context, f Function, x0 []float64, limits Limits, observe Observer) (*Result, error) {
	m.M = number(m.M, 1)
	if m.Tries == 0 {
		m.Tries = 40
	}
	if m.Hessian == nil || !(m.M > 0) {
		return nil, fmt.Errorf("setting M is %g, and a Hessian is given: %t; expected a number above 0 and a Hessian", m.M, m.Hessian != nil)
	}
	run, err := newRun(f, m.Metric, x0, func(*engine) mover { return newCubicModel(m, f.Dim()) })
	if err != nil {
		return nil, err
	}
	return minimize(ctx, run, limits, observe)
}

// cubicModel is Cubic at work, in the coordinates Q'Uh, where B = U'U and Q
// has the eigenvectors of U^-T H U^-1.
type cubicModel struct {
	Cubic
	h       *mat.SymDense
	eigen   mat.EigenSym
	vectors mat.Dense
	values  []float64
	c       []float64 // gradient in the coordinates
	y       []float64 // step in the coordinates
}

func newCubicModel(m Cubic, n int) *cubicModel {
	return &cubicModel{Cubic: m, h: mat.NewSymDense(n, nil), values: make([]float64, n), c: make([]float64, n), y: make([]float64, n)}
}

func (s *cubicModel) move(ctx context.Context, e *engine) (Iteration, error) {
	it := Iteration{Lambda: math.NaN(), Gamma: math.NaN()}
	if !s.update(e) {
		return it, nil
	}
	for it.Tries < s.Tries {
		if err := ctx.Err(); err != nil {
			return it, err
		}
		it.Tries++
		e.counts.Solves++
		r := s.solve()
		s.toStep(e)
		e.try()
		model := s.model(r)
		same := math.Abs(e.trial.value-e.now.value) <= 4*0x1p-52*math.Abs(e.now.value) && e.trial.norm < e.now.norm
		if (e.trial.value <= e.now.value+model || same) && e.trial.finite() {
			it.Moved, it.Rounded, it.Lambda = true, same, s.M*r/2
			it.Gamma = e.now.norm / it.Lambda
			s.M /= 2
			return it, nil
		}
		s.M *= 2
	}
	return it, nil
}

// update factors H; it is false if H is not finite.
func (s *cubicModel) update(e *engine) bool {
	e.counts.Curvatures++
	e.counts.Factorisations++
	s.Hessian(e.now.x, s.h)
	n := len(s.c)
	full := mat.DenseCopyOf(s.h)
	if floats.HasNaN(full.RawMatrix().Data) || math.IsInf(mat.Norm(full, 1), 0) {
		return false
	}
	if m := s.Metric; m != nil {
		blas64.Trsm(blas.Left, blas.Trans, 1, m.factor, full.RawMatrix())
		blas64.Trsm(blas.Right, blas.NoTrans, 1, m.factor, full.RawMatrix())
	}
	for i := range n {
		for j := i; j < n; j++ {
			s.h.SetSym(i, j, (full.At(i, j)+full.At(j, i))/2)
		}
	}
	if !s.eigen.Factorize(s.h, true) {
		return false
	}
	s.eigen.Values(s.values)
	s.eigen.VectorsTo(&s.vectors)
	copy(s.y, e.now.gradient)
	if s.Metric != nil {
		blas64.Trsv(blas.Trans, s.Metric.factor, vector(s.y))
	}
	blas64.Gemv(blas.Trans, 1, s.vectors.RawMatrix(), vector(s.y), 0, vector(s.c))
	return true
}

// solve writes the minimiser of the model in the coordinates and returns its
// length r: y_i = -c_i/(d_i + M r/2) with the r >= max(0, -2 d_1/M) at which
// |y| = r. Where |y| stays below that smallest r, the eigenvector of d_1 makes
// up for it (the hard case).
func (s *cubicModel) solve() float64 {
	least := max(0, -2*s.values[0]/s.M)
	low, high := least, max(1, 2*least)
	for s.length(high) > high {
		low, high = high, 2*high
	}
	// length(r) - r falls with r, so that bisection is safe; 200 halvings are
	// past the last bit.
	for range 200 {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			break
		}
		if s.length(middle) > middle {
			low = middle
		} else {
			high = middle
		}
	}
	length := s.length(high)
	if missing := high*high - length*length; least > 0 && missing > 1e-12*high*high {
		s.y[0] = -math.Copysign(math.Sqrt(s.y[0]*s.y[0]+missing), s.c[0])
	}
	return high
}

// length writes the coordinates for one r and returns their length.
func (s *cubicModel) length(r float64) float64 {
	for i, d := range s.values {
		if s.y[i] = 0; s.c[i] != 0 {
			s.y[i] = -s.c[i] / (d + s.M*r/2)
		}
	}
	return floats.Norm(s.y, 2)
}

func (s *cubicModel) model(r float64) float64 {
	sum := s.M * r * r * r / 6
	for i, y := range s.y {
		sum += s.c[i]*y + s.values[i]*y*y/2
	}
	return sum
}

// toStep writes h = U^-1 Q y.
func (s *cubicModel) toStep(e *engine) {
	blas64.Gemv(blas.NoTrans, 1, s.vectors.RawMatrix(), vector(s.y), 0, vector(e.step))
	if s.Metric != nil {
		blas64.Trsv(blas.NoTrans, s.Metric.factor, vector(e.step))
	}
}
