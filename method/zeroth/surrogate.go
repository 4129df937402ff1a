package zeroth

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// Settings are those of a Surrogate. The zero value is the paper's.
type Settings struct {
	// Kernel is the covariance. Default Matern52.
	Kernel Kernel
	// LengthScales are those that a fit chooses from by marginal likelihood,
	// ascending. Default 0.1, 0.3, 1, 3, 10, 30.
	LengthScales []float64
	// Neighbours is the most points of a fit, those nearest to where it is
	// wanted. Default 150.
	Neighbours int
	// Noise is the variance s2 of values, which are scaled to [0,1], around the
	// function. Default 1e-6.
	Noise float64
}

func (s *Settings) complete() error {
	if s.LengthScales == nil {
		s.LengthScales = []float64{0.1, 0.3, 1, 3, 10, 30}
	}
	if s.Neighbours == 0 {
		s.Neighbours = 150
	}
	if s.Noise == 0 {
		s.Noise = 1e-6
	}
	switch {
	case s.Kernel != RBF && s.Kernel != Matern52:
		return fmt.Errorf("kernel %d: expected RBF or Matern52", s.Kernel)
	case len(s.LengthScales) == 0 || !slices.IsSorted(s.LengthScales) || !(s.LengthScales[0] > 0) || math.IsInf(s.LengthScales[len(s.LengthScales)-1], 0):
		return fmt.Errorf("length scales %v: expected positive numbers, ascending", s.LengthScales)
	case s.Neighbours < 1:
		return fmt.Errorf("a fit to %d neighbours: expected at least 1", s.Neighbours)
	case !(s.Noise > 0) || math.IsInf(s.Noise, 0):
		return fmt.Errorf("noise of variance %g: expected a positive number", s.Noise)
	}
	return nil
}

// Search says which length scales a fit tries.
type Search int

const (
	// Everywhere tries all.
	Everywhere Search = iota
	// Nearby climbs from the last one as long as a neighbour in the list is
	// better, which takes three trials while nothing changes.
	Nearby
	// Keep stays with the last one.
	Keep
)

// near is the distance below which two points are one: closer ones would make
// the covariance singular.
const near = 1e-9

// Surrogate is a Gaussian process fitted to all values seen so far, near a
// point. Add what is known, Fit near a point, then ask for the mean, its
// gradient and how uncertain that is. One goroutine may use it at a time.
type Surrogate struct {
	settings       Settings
	dim            int
	points, values []float64 // all that was added, row by row

	ranked []rank
	chosen int // of the length scales; -1: none yet

	// The fit: n neighbours, relative to the centre for the sake of digits.
	n                  int
	centre, neighbours []float64
	low, high          float64   // of the neighbours' values
	scaled             []float64 // values in [0,1]
	squared            []float64 // n x n squared distances, both halves
	distances          []float64 // their roots, above the diagonal
	current, best      trial
	inverse            *inverse // for uncertainties, made when asked for
	work               batch
	solved             []float64 // n x d, for Uncertainty
}

type rank struct {
	squared float64
	index   int
}

// trial is the fit with one length scale.
type trial struct {
	index    int
	factor   []float64 // upper Cholesky factor of K + s2 I
	weights  []float64 // alpha = (K + s2 I)^-1 y
	evidence float64   // log marginal likelihood less a constant
}

// NewSurrogate makes a surrogate of a function of dim variables that knows
// nothing yet.
func NewSurrogate(dim int, s Settings) (*Surrogate, error) {
	if dim < 1 {
		return nil, fmt.Errorf("a surrogate in %d dimensions: expected at least 1", dim)
	}
	if err := s.complete(); err != nil {
		return nil, err
	}
	return &Surrogate{settings: s, dim: dim, chosen: -1, centre: make([]float64, dim)}, nil
}

// Dim is the number of variables d.
func (s *Surrogate) Dim() int { return s.dim }

// Noise is the variance of values, scaled to [0,1], around the function.
func (s *Surrogate) Noise() float64 { return s.settings.Noise }

// Len is the number of points known.
func (s *Surrogate) Len() int { return len(s.values) }

// Points are the points known, Len x Dim row by row, and Values what the
// function was there. They must not be changed.
func (s *Surrogate) Points() []float64 { return s.points }

// Values are described with Points.
func (s *Surrogate) Values() []float64 { return s.values }

// Add records the value y at x. It leaves out a point that is closer than 1e-9
// to a known one, and reports whether it was recorded.
func (s *Surrogate) Add(x []float64, y float64) bool {
	if len(x) != s.dim || math.IsNaN(y) || math.IsInf(y, 0) || floats.HasNaN(x) {
		return false
	}
	for i := range s.values {
		if known := s.points[i*s.dim : (i+1)*s.dim]; math.Abs(known[0]-x[0]) < near && floats.Distance(known, x, 2) < near {
			return false
		}
	}
	s.points, s.values = append(s.points, x...), append(s.values, y)
	return true
}

// nearest are the at most n known points that are nearest to x, nearest first.
// The slice is valid until the next call or fit.
func (s *Surrogate) nearest(x []float64, n int) []rank {
	s.ranked = slices.Grow(s.ranked[:0], len(s.values))[:len(s.values)]
	for i := range s.ranked {
		s.ranked[i] = rank{squaredDistance(s.points[i*s.dim:(i+1)*s.dim], x), i}
	}
	slices.SortFunc(s.ranked, func(a, b rank) int {
		return cmp.Or(cmp.Compare(a.squared, b.squared), cmp.Compare(a.index, b.index))
	})
	return s.ranked[:min(n, len(s.ranked))]
}

// Nearest copies the at most n known points that are nearest to x and their
// values behind those of points and values, and returns the longer slices.
func (s *Surrogate) Nearest(x []float64, n int, points, values []float64) ([]float64, []float64) {
	for _, r := range s.nearest(x, n) {
		points, values = append(points, s.points[r.index*s.dim:(r.index+1)*s.dim]...), append(values, s.values[r.index])
	}
	return points, values
}

// errNothing says that there is nothing to fit.
var errNothing = errors.New("the surrogate knows no values: add some before the fit")

// Fit fits the process to the known points nearest to x. The length scale is
// the one with the largest marginal likelihood among those searched.
func (s *Surrogate) Fit(x []float64, search Search) error {
	if len(s.values) == 0 {
		return errNothing
	}
	if len(x) != s.dim {
		return fmt.Errorf("a fit near a point of %d numbers: expected %d", len(x), s.dim)
	}
	s.gather(x)
	switch {
	case s.chosen < 0 || search == Everywhere:
		s.best.evidence, s.best.index = math.Inf(-1), -1
		for i := range s.settings.LengthScales {
			s.try(i)
		}
	default:
		s.best.evidence, s.best.index = math.Inf(-1), -1
		s.try(s.chosen)
		if search == Nearby && !s.climb(1) {
			s.climb(-1)
		}
	}
	if s.best.index < 0 {
		return fmt.Errorf("the covariance of %d points cannot be factorised at any length scale: expected larger noise than %g", s.n, s.settings.Noise)
	}
	s.chosen = s.best.index
	return nil
}

// climb tries the next length scales in one direction while they are better, and
// reports whether one was.
func (s *Surrogate) climb(direction int) (better bool) {
	for i := s.best.index + direction; i >= 0 && i < len(s.settings.LengthScales) && s.try(i); i += direction {
		better = true
	}
	return better
}

// gather takes the neighbours of a fit, their distances and scaled values.
func (s *Surrogate) gather(x []float64) {
	chosen := s.nearest(x, s.settings.Neighbours)
	n, d := len(chosen), s.dim
	s.n = n
	copy(s.centre, x)
	s.neighbours, s.scaled = resize(s.neighbours, n*d), resize(s.scaled, n)
	s.low, s.high = math.Inf(1), math.Inf(-1)
	for i, r := range chosen {
		floats.SubTo(s.neighbours[i*d:(i+1)*d], s.points[r.index*d:(r.index+1)*d], x)
		y := s.values[r.index]
		s.scaled[i] = y
		s.low, s.high = min(s.low, y), max(s.high, y)
	}
	for i, y := range s.scaled {
		s.scaled[i] = 0
		if s.high > s.low {
			s.scaled[i] = (y - s.low) / (s.high - s.low)
		}
	}
	// |a-b|^2 = a.a + b.b - 2 a.b; the centre is near all, so few digits go.
	s.squared, s.distances = resize(s.squared, n*n), resize(s.distances, n*n)
	gram := blas64.Symmetric{N: n, Stride: n, Data: s.squared, Uplo: blas.Upper}
	blas64.Syrk(blas.NoTrans, 1, blas64.General{Rows: n, Cols: d, Stride: d, Data: s.neighbours}, 0, gram)
	for i := range n {
		for j := i + 1; j < n; j++ {
			s.squared[i*n+j] = max(0, s.squared[i*n+i]+s.squared[j*n+j]-2*s.squared[i*n+j])
			s.squared[j*n+i] = s.squared[i*n+j]
			s.distances[i*n+j] = math.Sqrt(s.squared[i*n+j])
		}
	}
	for i := range n {
		s.squared[i*n+i] = 0
	}
	if s.inverse != nil {
		s.inverse.valid = false
	}
}

// try fits one length scale, keeps it if it is the best so far and reports
// whether it is.
func (s *Surrogate) try(index int) bool {
	n, length := s.n, s.settings.LengthScales[index]
	t := &s.current
	t.index, t.factor, t.weights = index, resize(t.factor, n*n), resize(t.weights, n)
	for i := range n {
		s.settings.Kernel.values(s.distances[i*n+i+1:(i+1)*n], length, t.factor[i*n+i+1:(i+1)*n])
		t.factor[i*n+i] = 1 + s.settings.Noise
	}
	factor, ok := lapack64.Potrf(blas64.Symmetric{N: n, Stride: n, Data: t.factor, Uplo: blas.Upper})
	if !ok {
		return false
	}
	copy(t.weights, s.scaled)
	lapack64.Potrs(factor, blas64.General{Rows: n, Cols: 1, Stride: 1, Data: t.weights})
	t.evidence = -0.5 * floats.Dot(s.scaled, t.weights)
	for i := range n {
		t.evidence -= math.Log(t.factor[i*n+i])
	}
	if !(t.evidence > s.best.evidence) {
		return false
	}
	s.current, s.best = s.best, s.current
	return true
}

// LengthScale is that of the last fit; 0 before the first.
func (s *Surrogate) LengthScale() float64 {
	if s.chosen < 0 {
		return 0
	}
	return s.settings.LengthScales[s.chosen]
}

// Evidence is the log marginal likelihood of the last fit for values scaled to
// [0,1], without the constant -n/2 ln(2 pi).
func (s *Surrogate) Evidence() float64 { return s.best.evidence }

// Mean is the posterior mean at x after a fit; NaN before.
func (s *Surrogate) Mean(x []float64) float64 {
	if s.n == 0 || len(x) != s.dim {
		return math.NaN()
	}
	sum, length := 0.0, s.LengthScale()
	for j, alpha := range s.best.weights {
		sum += alpha * s.settings.Kernel.value(s.toNeighbour(x, j), length)
	}
	return s.low + (s.high-s.low)*sum
}

// Gradient writes the gradient of the posterior mean at x after a fit into g:
//
//	grad mu(x) = sum_j alpha_j d/dx k(x, x_j)
//
// Before a fit, or where all values are the same, it is 0.
func (s *Surrogate) Gradient(x, g []float64) {
	clear(g)
	if s.n == 0 || len(x) != s.dim || len(g) != s.dim {
		return
	}
	length, span := s.LengthScale(), s.high-s.low
	for j, alpha := range s.best.weights {
		weight := -span * alpha * s.settings.Kernel.slope(s.toNeighbour(x, j), length)
		neighbour := s.neighbours[j*s.dim : (j+1)*s.dim]
		for i, v := range neighbour {
			g[i] += weight * (x[i] - s.centre[i] - v)
		}
	}
}

// toNeighbour is the squared distance of x from neighbour j.
func (s *Surrogate) toNeighbour(x []float64, j int) float64 {
	sum := 0.0
	for i, v := range s.neighbours[j*s.dim : (j+1)*s.dim] {
		t := x[i] - s.centre[i] - v
		sum += t * t
	}
	return sum
}

func squaredDistance(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		t := v - b[i]
		sum += t * t
	}
	return sum
}

// resize returns a slice of the length, the same one if it is large enough.
// What is in it is of no meaning.
func resize(x []float64, n int) []float64 { return slices.Grow(x[:0], n)[:n] }
