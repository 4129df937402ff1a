package spectrum

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/gonum"

	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/backend/kernel/vector"
)

// breakdown is the share of the largest diagonal entry below which the rest of
// a product counts as zero: the vectors so far span an invariant subspace.
const breakdown = 1e-10

// lanczos is the Lanczos process: an orthonormal basis q_1, q_2, ... of a
// Krylov space in which the operator is the tridiagonal matrix of alpha and
// beta. Every new vector is made orthogonal to all before it, twice; without
// that, extreme eigenvalues would return as copies of themselves.
//
// The basis is in float32 where the operator's products are no better than
// that: reading it is most of the work.
type lanczos[T float32 | float64] struct {
	arithmetic[T]
	dim         int
	basis       []T // rows of dim
	alpha, beta []float64
	last        []float64 // the last vector, to be multiplied
	product     []float64 // of the last vector
	next        []T       // what is left of the product, then the next vector
	first       []T       // coefficients in the basis
	second      []T
	largest     float64 // of |alpha| and beta
	closed      bool    // the space is invariant
}

// arithmetic is what differs between the types.
type arithmetic[T float32 | float64] struct {
	multiply func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, options gemm.Options) error
	narrow   func(dst []T, x []float64)
	widen    func(dst []float64, x []T)
}

var (
	single = arithmetic[float32]{gemm.Float32, vector.Float64ToFloat32, vector.Float32ToFloat64}
	double = arithmetic[float64]{gemm.Float64, same, same}
)

func same(dst, x []float64) { copy(dst, x) }

// newLanczos begins with a vector, which it normalises, and makes room for steps.
func newLanczos[T float32 | float64](a arithmetic[T], start []float64, steps int) (*lanczos[T], error) {
	size := floats.Norm(start, 2)
	if !(size > 0) || math.IsInf(size, 0) {
		return nil, fmt.Errorf("a starting vector of length %g: expected a positive one", size)
	}
	n := len(start)
	l := &lanczos[T]{arithmetic: a, dim: n, basis: make([]T, 0, steps*n), last: make([]float64, n), product: make([]float64, n), next: make([]T, n)}
	floats.ScaleTo(l.product, 1/size, start)
	l.narrow(l.next, l.product)
	l.extend()
	return l, nil
}

// vectors is the number of vectors in the basis.
func (l *lanczos[T]) vectors() int { return len(l.basis) / l.dim }

// vector is vector i of the basis.
func (l *lanczos[T]) vector(i int) []T { return l.basis[i*l.dim : (i+1)*l.dim] }

// advance takes in the product with the last vector and makes the next one.
func (l *lanczos[T]) advance() error {
	l.narrow(l.next, l.product)
	j := l.vectors() - 1
	if j > 0 {
		vector.MulAddScalar(l.next, l.vector(j-1), T(-l.beta[j-1]), l.next)
	}
	a := vector.Dot(l.vector(j), l.next)
	vector.MulAddScalar(l.next, l.vector(j), -a, l.next)
	l.alpha = append(l.alpha, float64(a))
	b, err := l.orthogonalise()
	if err != nil {
		return err
	}
	l.beta = append(l.beta, b)
	l.largest = max(l.largest, math.Abs(float64(a)), b)
	if b <= breakdown*l.largest {
		l.closed = true
		return nil
	}
	l.scale(1 / b)
	return nil
}

func (l *lanczos[T]) scale(by float64) {
	for i := range l.next {
		l.next[i] *= T(by)
	}
}

// extend takes the next vector into the basis.
func (l *lanczos[T]) extend() {
	l.basis = append(l.basis, l.next...)
	l.widen(l.last, l.next)
}

// columns is how many numbers of each basis vector are worked on together, so
// that what the second pass reads is still in the cache of the first.
const columns = 1024

// orthogonalise makes the next vector orthogonal to the basis by two rounds of
// Gram-Schmidt, reading the basis three times, and returns its length.
func (l *lanczos[T]) orthogonalise() (float64, error) {
	l.first, l.second = zeros(l.first, l.vectors()), zeros(l.second, l.vectors())
	for from := 0; from < l.dim; from += columns {
		if err := l.measure(l.first, from); err != nil {
			return 0, err
		}
	}
	for from := 0; from < l.dim; from += columns {
		if err := l.subtract(l.first, from); err != nil {
			return 0, err
		}
		if err := l.measure(l.second, from); err != nil {
			return 0, err
		}
	}
	squares := 0.0
	for from := 0; from < l.dim; from += columns {
		if err := l.subtract(l.second, from); err != nil {
			return 0, err
		}
		part := l.next[from:min(from+columns, l.dim)]
		squares += float64(vector.Dot(part, part))
	}
	return math.Sqrt(squares), nil
}

// measure adds the products of the basis with the next vector, over the columns
// from the given one on.
func (l *lanczos[T]) measure(coefficients []T, from int) error {
	n := min(columns, l.dim-from)
	return l.multiply(false, false, len(coefficients), 1, n, 1, l.basis[from:], l.dim, l.next[from:from+n], 1, 1, coefficients, 1, gemm.Options{})
}

// subtract takes the basis times coefficients from the next vector.
func (l *lanczos[T]) subtract(coefficients []T, from int) error {
	n := min(columns, l.dim-from)
	return l.multiply(false, false, 1, n, len(coefficients), -1, coefficients, len(coefficients), l.basis[from:], l.dim, 1, l.next[from:from+n], n, gemm.Options{})
}

// zeros is a buffer of n zeros.
func zeros[T float32 | float64](buffer []T, n int) []T {
	if cap(buffer) < n {
		buffer = make([]T, n, 2*n)
	}
	buffer = buffer[:n]
	clear(buffer)
	return buffer
}

// ritz returns the eigenvalues of the tridiagonal matrix in rising order with
// its eigenvectors as the columns of a row-major matrix.
func (l *lanczos[T]) ritz() (values, vectors []float64, err error) {
	n := len(l.alpha)
	values = append([]float64(nil), l.alpha...)
	off := append([]float64(nil), l.beta[:n-1]...)
	vectors = make([]float64, n*n)
	if ok := (gonum.Implementation{}).Dsteqr(lapack.EVTridiag, n, values, off, vectors, n, make([]float64, max(1, 2*n-2))); !ok {
		return nil, nil, fmt.Errorf("the eigenvalues of a tridiagonal matrix of %d rows did not converge", n)
	}
	return values, vectors, nil
}

// quadrature has the eigenvalues as nodes. Weights are the squares of the first
// components of the tridiagonal matrix's eigenvectors.
func (l *lanczos[T]) quadrature() (Measure, error) {
	values, vectors, err := l.ritz()
	if err != nil {
		return Measure{}, err
	}
	m := Measure{Nodes: values, Weights: make([]float64, len(values))}
	for r := range values {
		m.Weights[r] = vectors[r] * vectors[r] // row 0
	}
	return m, nil
}
