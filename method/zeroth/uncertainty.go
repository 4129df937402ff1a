package zeroth

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// Uncertainty is the trace of the posterior covariance of the gradient at x,
// for values scaled to [0,1]:
//
//	tr(prior - B (K + s2 I)^-1 B'),  B with the columns d/dx k(x, x_j)
//
// Before a fit it is NaN. It never exceeds d times the prior variance of a
// partial derivative, which is 1/l^2 (RBF) or 5/(3 l^2) (Matern52).
func (s *Surrogate) Uncertainty(x []float64) float64 {
	if s.n == 0 || len(x) != s.dim {
		return math.NaN()
	}
	n, d, length := s.n, s.dim, s.LengthScale()
	s.solved = resize(s.solved, n*d)
	for j := range n {
		slope := -s.settings.Kernel.slope(s.toNeighbour(x, j), length)
		for i, v := range s.neighbours[j*d : (j+1)*d] {
			s.solved[j*d+i] = slope * (x[i] - s.centre[i] - v)
		}
	}
	factor := blas64.Triangular{N: n, Stride: n, Data: s.best.factor, Uplo: blas.Upper, Diag: blas.NonUnit}
	blas64.Trsm(blas.Left, blas.Trans, 1, factor, blas64.General{Rows: n, Cols: d, Stride: d, Data: s.solved})
	return max(0, float64(d)*s.settings.Kernel.prior(length)-floats.Dot(s.solved, s.solved))
}

// inverse is (K + s2 I)^-1 and its product with the squared distances, element
// by element; both n x n.
type inverse struct {
	valid           bool
	plain, weighted []float64
}

// batch are the buffers of Uncertainties, m x n each but for points.
type batch struct{ points, squared, slopes, product, moments []float64 }

// Uncertainties writes the uncertainty of each of len(into) points, rows of
// dim numbers, into into. It does what Uncertainty does for many points at a
// fraction of the time for each: with c_j the slope and r_j the distance to
// neighbour j, and D_jk the squared distance of two neighbours, (x-x_j).(x-x_k)
// = (r_j^2 + r_k^2 - D_jk)/2, so
//
//	tr(B A B') = sum_j c_j r_j^2 (A c)_j - c' (A o D) c / 2,  A = (K + s2 I)^-1
//
// takes two products with n x n matrices in place of d systems of equations.
func (s *Surrogate) Uncertainties(points, into []float64) {
	n, d, m := s.n, s.dim, len(into)
	if n == 0 || len(points) != m*d {
		for i := range into {
			into[i] = math.NaN()
		}
		return
	}
	if m == 0 {
		return
	}
	s.invert()
	w := &s.work
	w.points, w.squared, w.slopes = resize(w.points, m*d), resize(w.squared, m*n), resize(w.slopes, m*n)
	w.product, w.moments = resize(w.product, m*n), resize(w.moments, m*n)
	s.fromCandidates(points, m)
	slopes, square := general(m, n, w.slopes), general(n, n, s.inverse.plain)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, slopes, square, 0, general(m, n, w.product))
	square.Data = s.inverse.weighted
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, slopes, square, 0, general(m, n, w.moments))
	prior := float64(d) * s.settings.Kernel.prior(s.LengthScale())
	for i := range into {
		explained := 0.0
		for j := i * n; j < (i+1)*n; j++ {
			explained += w.slopes[j] * (w.squared[j]*w.product[j] - 0.5*w.moments[j])
		}
		into[i] = max(0, prior-explained)
	}
}

// fromCandidates fills the squared distances and slopes between candidates and
// neighbours.
func (s *Surrogate) fromCandidates(points []float64, m int) {
	n, d, w, length := s.n, s.dim, &s.work, s.LengthScale()
	for i := 0; i < len(points); i += d {
		floats.SubTo(w.points[i:i+d], points[i:i+d], s.centre)
	}
	blas64.Gemm(blas.NoTrans, blas.Trans, -2, general(m, d, w.points), general(n, d, s.neighbours), 0, general(m, n, w.squared))
	for j := range n {
		own := s.neighbours[j*d : (j+1)*d]
		w.product[j] = floats.Dot(own, own) // a place that is free until the products
	}
	for i := range m {
		own := w.points[i*d : (i+1)*d]
		square := floats.Dot(own, own)
		for j := range n {
			w.squared[i*n+j] = max(0, w.squared[i*n+j]+square+w.product[j])
		}
	}
	s.settings.Kernel.slopes(w.squared, length, w.slopes)
}

// invert makes the inverse of the fit's covariance.
func (s *Surrogate) invert() {
	if s.inverse == nil {
		s.inverse = &inverse{}
	}
	if s.inverse.valid {
		return
	}
	n, v := s.n, s.inverse
	v.plain, v.weighted = resize(v.plain, n*n), resize(v.weighted, n*n)
	copy(v.plain, s.best.factor)
	lapack64.Potri(blas64.Triangular{N: n, Stride: n, Data: v.plain, Uplo: blas.Upper, Diag: blas.NonUnit})
	for i := range n {
		for j := i + 1; j < n; j++ {
			v.plain[j*n+i] = v.plain[i*n+j]
		}
	}
	multiply(v.weighted, v.plain, s.squared)
	v.valid = true
}

func general(rows, cols int, data []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}

// Explorer chooses points whose values would teach most about the gradient.
type Explorer struct {
	// Candidates is how many points are drawn to choose from. Default 100.
	Candidates int
	// Random takes points as they are drawn, without choosing.
	Random bool

	points, scores []float64
}

// Choose returns count points from centre + radius U[-1,1]^d, clipped to the unit
// cube: those of the largest gradient uncertainty in the surrogate's last fit
// among Candidates ones, most uncertain first. The slice, count rows of dim
// numbers, is valid until the next call; it is empty if the centre has another
// dimension or count is not positive.
func (e *Explorer) Choose(s *Surrogate, centre []float64, radius float64, count int, rng *rand.Rand) []float64 {
	candidates, d := e.Candidates, s.dim
	if len(centre) != d || count < 1 {
		return nil
	}
	if candidates == 0 {
		candidates = 100
	}
	if e.Random || candidates < count {
		candidates = count
	}
	e.points = resize(e.points, (candidates+count)*d)
	drawn, chosen := e.points[:candidates*d], e.points[candidates*d:]
	for i := range drawn {
		drawn[i] = min(max(centre[i%d]+radius*(2*rng.Float64()-1), 0), 1)
	}
	if e.Random || s.n == 0 {
		return drawn[:count*d]
	}
	e.scores = resize(e.scores, candidates)
	s.Uncertainties(drawn, e.scores)
	for i := range count {
		best := floats.MaxIdx(e.scores)
		copy(chosen[i*d:(i+1)*d], drawn[best*d:(best+1)*d])
		e.scores[best] = math.Inf(-1)
	}
	return chosen
}
