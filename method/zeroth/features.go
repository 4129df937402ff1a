package zeroth

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// FeatureSpec names a set of random Fourier features: equal specs make equal
// features, so that those who exchange weights need not exchange features.
type FeatureSpec struct {
	// Dim is the number of variables d.
	Dim int `json:"dim"`
	// Count is the number of features M.
	Count int `json:"count"`
	// LengthScale is l_f of the RBF kernel that the features stand for.
	LengthScale float64 `json:"length_scale"`
	// Seed is that of the random frequencies and phases.
	Seed uint64 `json:"seed"`
}

// maxFrequencies bounds the memory of features to 1 GiB.
const maxFrequencies = 1 << 27

// Check says what is wrong with a spec.
func (s FeatureSpec) Check() error {
	switch {
	case s.Dim < 1 || s.Count < 1 || s.Dim > maxFrequencies/s.Count:
		return fmt.Errorf("%d random features in %d dimensions: expected at least 1 of each and a product of at most %d", s.Count, s.Dim, maxFrequencies)
	case !(s.LengthScale > 0) || math.IsInf(s.LengthScale, 0):
		return fmt.Errorf("random features with length scale %g: expected a positive number", s.LengthScale)
	}
	return nil
}

// featureStream is the stream of random numbers of features.
const featureStream = 0xfea7

// Features are random Fourier features of the RBF kernel,
//
//	phi(x) = sqrt(2/M) cos(W'x + b),  W ~ N(0, I/l_f^2),  b ~ U[0, 2 pi]
//
// so that phi(x)'phi(x') is about k(x, x') with an error of the order 1/sqrt(M).
// A function is then phi(x)'w with M weights. One goroutine may use it at a time.
type Features struct {
	spec        FeatureSpec
	frequencies []float64 // d x M
	phases      []float64
	angles      []float64 // M
}

// fitSpace is what a fit works with. It is large beside the features, and only
// needed for a moment by each of many clients.
type fitSpace struct {
	mapped []float64 // n x M
	gram   []float64 // n x n
	dual   []float64 // n
}

var fitSpaces = sync.Pool{New: func() any { return new(fitSpace) }}

// NewFeatures draws the features of a spec.
func NewFeatures(spec FeatureSpec) (*Features, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(spec.Seed, featureStream))
	f := &Features{spec: spec, frequencies: make([]float64, spec.Dim*spec.Count), phases: make([]float64, spec.Count), angles: make([]float64, spec.Count)}
	for i := range f.frequencies {
		f.frequencies[i] = rng.NormFloat64() / spec.LengthScale
	}
	for i := range f.phases {
		f.phases[i] = 2 * math.Pi * rng.Float64()
	}
	return f, nil
}

// Clone is the same features for another goroutine. They share their frequencies.
func (f *Features) Clone() *Features {
	c := *f
	c.angles = make([]float64, len(f.angles))
	return &c
}

// Spec is what the features were made from.
func (f *Features) Spec() FeatureSpec { return f.spec }

// angle fills W'x + b.
func (f *Features) angle(x []float64) {
	copy(f.angles, f.phases)
	blas64.Gemv(blas.Trans, 1, general(f.spec.Dim, f.spec.Count, f.frequencies), asVector(x), 1, asVector(f.angles))
}

func (f *Features) amplitude() float64 { return math.Sqrt(2 / float64(f.spec.Count)) }

// fits reports whether a point and weights have the lengths d and M.
func (f *Features) fits(x, w []float64) bool { return len(x) == f.spec.Dim && len(w) == f.spec.Count }

func fillNaN(x []float64) {
	for i := range x {
		x[i] = math.NaN()
	}
}

// Map writes phi(x), M numbers, into phi; NaN where x or phi has another length.
func (f *Features) Map(x, phi []float64) {
	if !f.fits(x, phi) {
		fillNaN(phi)
		return
	}
	f.angle(x)
	cosines(phi, f.angles)
	floats.Scale(f.amplitude(), phi)
}

// Value is phi(x)'w; NaN where x or w has another length than d or M.
func (f *Features) Value(x, w []float64) float64 {
	if !f.fits(x, w) {
		return math.NaN()
	}
	f.angle(x)
	cosines(f.angles, f.angles)
	return f.amplitude() * floats.Dot(w, f.angles)
}

// Gradient writes the gradient of phi(x)'w at x, d numbers, into g:
//
//	-sqrt(2/M) W (w o sin(W'x + b))
//
// It is linear in w: that of a difference of weights is the difference of the
// gradients. It is NaN where x, w or g has another length than d, M and d.
func (f *Features) Gradient(x, w, g []float64) {
	if !f.fits(x, w) || len(g) != f.spec.Dim {
		fillNaN(g)
		return
	}
	f.angle(x)
	sines(f.angles, f.angles)
	floats.Mul(f.angles, w)
	blas64.Gemv(blas.NoTrans, -f.amplitude(), general(f.spec.Dim, f.spec.Count, f.frequencies), asVector(f.angles), 0, asVector(g))
}

// Fit writes the weights, M numbers, of the ridge regression on n values at
// points, n x d row by row, into w:
//
//	w = Phi'(Phi Phi' + noise I)^-1 y * (max - min),  y scaled to [0,1]
//
// The function's offset is lost with the scale; gradients do not need it.
func (f *Features) Fit(points, values []float64, noise float64, w []float64) error {
	n, d, m := len(values), f.spec.Dim, f.spec.Count
	switch {
	case n == 0 || len(points) != n*d:
		return fmt.Errorf("%d coordinates of %d points: expected %d for each and at least one point", len(points), n, d)
	case len(w) != m:
		return fmt.Errorf("room for %d weights: expected %d", len(w), m)
	case !(noise > 0):
		return fmt.Errorf("noise of variance %g: expected a positive number", noise)
	}
	low, high := floats.Min(values), floats.Max(values)
	clear(w)
	if high == low {
		return nil
	}
	s := fitSpaces.Get().(*fitSpace)
	defer fitSpaces.Put(s)
	s.mapped, s.gram, s.dual = resize(s.mapped, n*m), resize(s.gram, n*n), resize(s.dual, n)
	phi := general(n, m, s.mapped)
	for i := range n {
		copy(s.mapped[i*m:(i+1)*m], f.phases)
		s.dual[i] = (values[i] - low) / (high - low)
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, general(n, d, points), general(d, m, f.frequencies), 1, phi)
	cosines(s.mapped, s.mapped) // the amplitude comes with the products
	gram := blas64.Symmetric{N: n, Stride: n, Data: s.gram, Uplo: blas.Upper}
	blas64.Syrk(blas.NoTrans, f.amplitude()*f.amplitude(), phi, 0, gram)
	for i := range n {
		s.gram[i*n+i] += noise
	}
	factor, ok := lapack64.Potrf(gram)
	if !ok {
		return fmt.Errorf("the covariance of %d points cannot be factorised: expected larger noise than %g", n, noise)
	}
	lapack64.Potrs(factor, general(n, 1, s.dual))
	blas64.Gemv(blas.Trans, f.amplitude()*(high-low), phi, asVector(s.dual), 0, asVector(w))
	return nil
}

func asVector(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Data: x, Inc: 1} }
