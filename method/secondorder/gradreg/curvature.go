package gradreg

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// Curvature is the matrix H(x) that stands for the Hessian: [Dense],
// [Product], [RankOne], [Diagonal] or [Zero]. Nothing checks that it is near
// the Hessian: the further it is, the shorter are the steps that pass.
type Curvature interface {
	system(dim int, metric *Metric, counts *Counts) system
}

// system solves regularised systems with H at one point.
type system interface {
	// update makes H at x, where g is the gradient. Both stay as they are
	// until the next update.
	update(x, g []float64)
	// solve writes h with (H + lambda B) h = -g. It is false if H + lambda B
	// was found not to be positive definite.
	solve(h []float64, lambda float64) bool
}

// Dense writes H(x), of which the upper triangle counts, over h. A system
// costs a Cholesky factorisation, n^3/3 multiplications.
type Dense func(x []float64, h *mat.SymDense)

// Shifted is H(x) + sigma I, as an error of known size: the paper's "Hessian +
// sigma I".
func (d Dense) Shifted(sigma float64) Dense {
	return func(x []float64, h *mat.SymDense) {
		d(x, h)
		for i := range x {
			h.SetSym(i, i, h.At(i, i)+sigma)
		}
	}
}

type denseSystem struct {
	dense     Dense
	metric    *Metric
	counts    *Counts
	h, factor *mat.SymDense
	g         []float64
}

func (d Dense) system(n int, metric *Metric, counts *Counts) system {
	return &denseSystem{d, metric, counts, mat.NewSymDense(n, nil), mat.NewSymDense(n, nil), nil}
}

func (s *denseSystem) update(x, g []float64) {
	s.counts.Curvatures++
	s.dense(x, s.h)
	s.g = g
}

func (s *denseSystem) solve(h []float64, lambda float64) bool {
	s.counts.Factorisations++
	shifted := s.factor.RawSymmetric()
	copy(shifted.Data, s.h.RawSymmetric().Data)
	s.metric.addTo(shifted, lambda)
	factor, ok := lapack64.Potrf(shifted)
	if !ok {
		return false
	}
	s.counts.Solves++
	negate(h, s.g)
	blas64.Trsv(blas.Trans, factor, vector(h))
	blas64.Trsv(blas.NoTrans, factor, vector(h))
	return true
}

// RankOne writes u(x) and returns a(x) >= 0 for H = a u u'. A system costs
// O(n) multiplications after two solutions with B per point, by
// Sherman-Morrison.
type RankOne func(x, u []float64) float64

type rankOneSystem struct {
	rankOne   RankOne
	metric    *Metric
	counts    *Counts
	a         float64
	u, bu, bg []float64 // u, B^-1 u, B^-1 g
	uBu, uBg  float64
}

func (r RankOne) system(n int, metric *Metric, counts *Counts) system {
	return &rankOneSystem{rankOne: r, metric: metric, counts: counts,
		u: make([]float64, n), bu: make([]float64, n), bg: make([]float64, n)}
}

func (s *rankOneSystem) update(x, g []float64) {
	s.counts.Curvatures++
	s.a = s.rankOne(x, s.u)
	s.metric.raise(s.bu, s.u)
	s.metric.raise(s.bg, g)
	s.uBu, s.uBg = floats.Dot(s.u, s.bu), floats.Dot(s.u, s.bg)
}

func (s *rankOneSystem) solve(h []float64, lambda float64) bool {
	pivot := lambda + s.a*s.uBu
	if !(lambda > 0 && pivot > 0) {
		return false
	}
	s.counts.Solves++
	along := s.a * s.uBg / pivot
	for i := range h {
		h[i] = -(s.bg[i] - along*s.bu[i]) / lambda
	}
	return true
}

// Diagonal writes the diagonal of H(x). A system costs n divisions in the
// identity metric, and a Cholesky factorisation in others.
type Diagonal func(x, d []float64)

type diagonalSystem struct {
	diagonal Diagonal
	counts   *Counts
	d, g     []float64
}

func (d Diagonal) system(n int, metric *Metric, counts *Counts) system {
	values := make([]float64, n)
	if metric == nil {
		return &diagonalSystem{d, counts, values, nil}
	}
	return Dense(func(x []float64, h *mat.SymDense) {
		d(x, values)
		h.Zero()
		for i, value := range values {
			h.SetSym(i, i, value)
		}
	}).system(n, metric, counts)
}

func (s *diagonalSystem) update(x, g []float64) {
	s.counts.Curvatures++
	s.diagonal(x, s.d)
	s.g = g
}

func (s *diagonalSystem) solve(h []float64, lambda float64) bool {
	for i, d := range s.d {
		if !(d+lambda > 0) {
			return false
		}
		h[i] = -s.g[i] / (d + lambda)
	}
	s.counts.Solves++
	return true
}

// Zero is H = 0: normalised gradient descent, x - gamma B^-1 g/|g|_*.
type Zero struct{}

type zeroSystem struct {
	metric *Metric
	counts *Counts
	bg     []float64
}

func (Zero) system(n int, metric *Metric, counts *Counts) system {
	return &zeroSystem{metric, counts, make([]float64, n)}
}

func (s *zeroSystem) update(_, g []float64) { s.metric.raise(s.bg, g) }

func (s *zeroSystem) solve(h []float64, lambda float64) bool {
	if !(lambda > 0) {
		return false
	}
	s.counts.Solves++
	for i, x := range s.bg {
		h[i] = -x / lambda
	}
	return true
}

// Operator multiplies vectors by H.
type Operator interface {
	// Prepare makes ready for products with H(x), until the function is
	// evaluated again. It does not keep x.
	Prepare(x []float64)
	// Times writes H v.
	Times(hv, v []float64)
}

// Product is an H of which only products with vectors are known. Systems are
// solved by conjugate gradients, preconditioned by the metric.
type Product struct {
	Operator
	// Tolerance ends a solution where the dual norm of the residual is below
	// its share of the gradient's. Default 1e-8.
	Tolerance float64
	// Limit is the largest number of products for one system. Default ten for
	// each variable. A solution that has not converged then is used as it is.
	Limit int
}

type productSystem struct {
	Product
	metric                *Metric
	counts                *Counts
	x, g                  []float64
	residual, direction   []float64
	raised, directionTime []float64
}

func (p Product) system(n int, metric *Metric, counts *Counts) system {
	p.Tolerance = number(p.Tolerance, 1e-8)
	if p.Limit == 0 {
		p.Limit = 10 * n
	}
	s := &productSystem{Product: p, metric: metric, counts: counts}
	for _, part := range []*[]float64{&s.residual, &s.direction, &s.raised, &s.directionTime} {
		*part = make([]float64, n)
	}
	return s
}

func (s *productSystem) update(x, g []float64) {
	s.counts.Curvatures++
	s.x, s.g = x, g
}

// solve is exact about indefinite matrices as far as it sees them: where a
// direction has no curvature, it is false.
func (s *productSystem) solve(h []float64, lambda float64) bool {
	s.Prepare(s.x) // again, as a step was tried since
	clear(h)
	negate(s.residual, s.g)
	s.metric.raise(s.raised, s.residual)
	copy(s.direction, s.raised)
	size := floats.Dot(s.residual, s.raised)
	goal := size * s.Tolerance * s.Tolerance
	for range s.Limit {
		if size <= goal || size == 0 {
			break
		}
		s.counts.Products++
		s.Times(s.directionTime, s.direction)
		s.metric.addTimes(s.directionTime, lambda, s.direction)
		curvature := floats.Dot(s.direction, s.directionTime)
		if !(curvature > 0) || math.IsInf(curvature, 0) {
			return false
		}
		floats.AddScaled(h, size/curvature, s.direction)
		floats.AddScaled(s.residual, -size/curvature, s.directionTime)
		s.metric.raise(s.raised, s.residual)
		next := floats.Dot(s.residual, s.raised)
		floats.AddScaledTo(s.direction, s.raised, next/size, s.direction)
		size = next
	}
	s.counts.Solves++
	return true
}

func negate(dst, x []float64) {
	for i, v := range x {
		dst[i] = -v
	}
}
