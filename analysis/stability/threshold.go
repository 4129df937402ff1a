package stability

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// denseRank is the rank up to which the recursion is written out as a matrix
// and its eigenvalues are all found.
const denseRank = 12

// Threshold is the exact limit of stability: the largest learning rate at which
// the mean square of the distance to the minimum stays bounded under the
// linearised dynamics,
//
//	1 / largest eigenvalue of C^(-1/2) D C^(-1/2),
//
// C(S) = H S + S H and D being what [Recursion] has at the first and second power
// of the rate. It is infinite if all gradients are zero. A single path may
// shrink although its mean square grows, so the limit is one in mean square.
//
// Up to rank 12 a symmetric eigensolver finds it, beyond that a Lanczos
// iteration with steps of cost n r^2, to a relative precision of 1e-8 or better.
// Both work in the span of the gradients, of dimension r <= n. It returns an
// error for a batch that cannot be drawn and when ctx ends.
func (d *Design) Threshold(ctx context.Context, s Sampling) (float64, error) {
	n, _ := d.Dims()
	if err := s.check(n); err != nil {
		return math.NaN(), err
	}
	if d.Rank() == 0 {
		return math.Inf(1), nil
	}
	find := d.thresholdIterative
	if d.Rank() <= denseRank {
		find = d.thresholdDense
	}
	largest, err := find(ctx, s)
	return 1 / largest, err
}

func (d *Design) thresholdDense(_ context.Context, s Sampling) (float64, error) {
	matrix, roots := newMoments(d, s).matrix(), d.roots()
	for i := range roots {
		for j := i; j < len(roots); j++ {
			matrix.SetSym(i, j, matrix.At(i, j)/(roots[i]*roots[j]))
		}
	}
	return largestOf(matrix)
}

func (d *Design) thresholdIterative(ctx context.Context, s Sampling) (float64, error) {
	m, roots := newMoments(d, s), d.roots()
	r := d.Rank()
	scaled := mat.NewDense(r, r, nil)
	return largestEigenvalue(ctx, d.start(roots), func(to, from []float64) {
		floats.DivTo(scaled.RawMatrix().Data, from, roots)
		m.second(mat.NewDense(r, r, to), scaled)
		floats.Div(to, roots)
	})
}

// Growth is the factor by which the mean square of the distance grows in a step
// in the long run: the largest eigenvalue of T on the span of the gradients.
// Outside the span nothing moves. Precision and errors are those of
// [Design.Threshold]; the rate is at most 1e10.
func (d *Design) Growth(ctx context.Context, rate float64, s Sampling) (float64, error) {
	if err := checkRate(rate); err != nil {
		return math.NaN(), err
	}
	n, _ := d.Dims()
	if err := s.check(n); err != nil {
		return math.NaN(), err
	}
	if d.Rank() == 0 {
		return 1, nil
	}
	m, first := newMoments(d, s), d.roots()
	for i, root := range first {
		first[i] = 1 - rate*root*root
	}
	if d.Rank() <= denseRank {
		matrix := m.matrix()
		matrix.ScaleSym(rate*rate, matrix)
		for i := range first {
			matrix.SetSym(i, i, matrix.At(i, i)+first[i])
		}
		return largestOf(matrix)
	}
	r := d.Rank()
	return largestEigenvalue(ctx, d.start(nil), func(to, from []float64) {
		m.second(mat.NewDense(r, r, to), mat.NewDense(r, r, from))
		for i := range to {
			to[i] = first[i]*from[i] + rate*rate*to[i]
		}
	})
}

// roots is the square root of C: sqrt(h_i + h_j) at i, j.
func (d *Design) roots() []float64 {
	roots := make([]float64, 0, d.Rank()*d.Rank())
	for _, a := range d.curvatures {
		for _, b := range d.curvatures {
			roots = append(roots, math.Sqrt(a+b))
		}
	}
	return roots
}

// start is the identity, or its product with weights. The eigenvector that is
// sought can be taken positive semidefinite, as both operators keep that cone,
// so it is not orthogonal to a positive definite matrix.
func (d *Design) start(weights []float64) []float64 {
	r := d.Rank()
	start := make([]float64, r*r)
	for i := range r {
		start[i*r+i] = 1
		if weights != nil {
			start[i*r+i] = weights[i*r+i]
		}
	}
	return start
}

func largestOf(matrix *mat.SymDense) (float64, error) {
	var eigen mat.EigenSym
	if !eigen.Factorize(matrix, false) {
		return math.NaN(), fmt.Errorf("second moments of %d elements: the eigenvalues did not converge", matrix.SymmetricDim())
	}
	values := eigen.Values(nil)
	return values[len(values)-1], nil
}

const (
	krylov    = 16   // vectors between restarts
	restarts  = 200  // at most
	tolerance = 1e-8 // of the residual, relative to the eigenvalue
)

// largestEigenvalue is that of a symmetric operator, by a Lanczos iteration with
// full orthogonalisation that is started again from its best vector. It
// overwrites start.
func largestEigenvalue(ctx context.Context, start []float64, apply func(to, from []float64)) (float64, error) {
	basis := make([][]float64, krylov+1)
	for i := range basis {
		basis[i] = make([]float64, len(start))
	}
	value := math.NaN()
	for range restarts {
		floats.ScaleTo(basis[0], 1/floats.Norm(start, 2), start)
		small, last := mat.NewSymDense(krylov, nil), 0.0
		size := 0
		for size < krylov {
			if err := ctx.Err(); err != nil {
				return math.NaN(), err
			}
			k := size
			apply(basis[k+1], basis[k])
			small.SetSym(k, k, floats.Dot(basis[k], basis[k+1]))
			last = orthogonalise(basis[k+1], basis[:k+1])
			size++
			if last <= 1e-14*math.Abs(small.At(0, 0)) {
				break // the span is closed
			}
			if size < krylov {
				small.SetSym(k, k+1, last)
			}
			floats.Scale(1/last, basis[k+1])
		}
		var eigen mat.EigenSym
		if !eigen.Factorize(small.SliceSym(0, size), true) {
			return math.NaN(), fmt.Errorf("second moments of %d elements: the eigenvalues did not converge", len(start))
		}
		var vectors mat.Dense
		eigen.VectorsTo(&vectors)
		value = eigen.Values(nil)[size-1]
		clear(start)
		for k := range size {
			floats.AddScaled(start, vectors.At(k, size-1), basis[k])
		}
		if math.Abs(last*vectors.At(size-1, size-1)) <= tolerance*math.Abs(value) {
			return value, nil
		}
	}
	return value, fmt.Errorf("second moments of %d elements: the largest eigenvalue did not converge in %d steps", len(start), restarts*krylov)
}

// orthogonalise takes from v what lies in the span of orthonormal vectors, twice
// for the sake of rounding, and returns the norm of the rest.
func orthogonalise(v []float64, basis [][]float64) float64 {
	for range 2 {
		for _, b := range basis {
			floats.AddScaled(v, -floats.Dot(v, b), b)
		}
	}
	return floats.Norm(v, 2)
}
