package stability

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Sampling is how the examples of a step are drawn.
type Sampling struct {
	// Batch is the number of examples in a step. Default: 1.
	Batch int
	// WithoutReplacement draws the examples of one step all different; steps
	// stay independent of each other. A batch of all examples is then
	// gradient descent.
	WithoutReplacement bool
}

// FullBatch is gradient descent on n examples.
func FullBatch(n int) Sampling { return Sampling{Batch: n, WithoutReplacement: true} }

func (s Sampling) batch() int {
	if s.Batch == 0 {
		return 1
	}
	return s.Batch
}

func (s Sampling) check(n int) error {
	if s.Batch < 0 {
		return fmt.Errorf("batch of %d examples: expected at least 1", s.Batch)
	}
	if s.WithoutReplacement && s.batch() > n {
		return fmt.Errorf("batch of %d examples without replacement: expected at most %d", s.Batch, n)
	}
	return nil
}

// noise is the weight of the examples' own fourth moments in that of a batch:
// 1/B with replacement, (n-B) / (B (n-1)) without.
func (s Sampling) noise(n int) float64 {
	b := float64(s.batch())
	switch {
	case !s.WithoutReplacement:
		return 1 / b
	case n == 1:
		return 0
	}
	return (float64(n) - b) / (b * float64(n-1))
}

// moments is the part of the second moment's recursion that is of second order
// in the learning rate, in coordinates in which H is diagonal:
//
//	D(S) = (1-p) H S H + p/n sum_i a_i a_i^T S a_i a_i^T
//
// The part of first order, C(S) = H S + S H, multiplies element i, j by h_i + h_j.
type moments struct {
	design   *Design
	noise    float64    // p
	products *mat.Dense // n x r
}

func newMoments(d *Design, s Sampling) *moments {
	n, _ := d.Dims()
	return &moments{design: d, noise: s.noise(n), products: mat.NewDense(n, d.Rank(), nil)}
}

// second sets dst to D(s), both r x r and symmetric.
func (m *moments) second(dst, s *mat.Dense) {
	a, h := m.design.coordinates, m.design.curvatures
	n, _ := a.Dims()
	m.products.Mul(a, s)
	for i := range n {
		row, gradient := m.products.RawRowView(i), a.RawRowView(i)
		weight := m.noise / float64(n) * floats.Dot(row, gradient)
		floats.ScaleTo(row, weight, gradient)
	}
	dst.Mul(a.T(), m.products)
	for i := range h {
		to, from := dst.RawRowView(i), s.RawRowView(i)
		for j := range h {
			to[j] += (1 - m.noise) * h[i] * h[j] * from[j]
		}
	}
}

// matrix is D on the r^2 elements of S, written out.
func (m *moments) matrix() *mat.SymDense {
	a, h := m.design.coordinates, m.design.curvatures
	n, r := a.Dims()
	outer := mat.NewDense(n, r*r, nil)
	for i := range n {
		row, gradient := outer.RawRowView(i), a.RawRowView(i)
		for j, x := range gradient {
			floats.ScaleTo(row[j*r:(j+1)*r], x, gradient)
		}
	}
	d := new(mat.SymDense)
	d.SymOuterK(m.noise/float64(n), outer.T())
	for i := range h {
		for j := range h {
			at := i*r + j
			d.SetSym(at, at, d.At(at, at)+(1-m.noise)*h[i]*h[j])
		}
	}
	return d
}

// Recursion is how the second moment of the distance to the minimum, the p x p
// matrix S = E delta delta^T, goes from step to step:
//
//	T(S) = S - rate (H S + S H) + rate^2 [(1-p) H S H + p/n sum_i a_i a_i^T S a_i a_i^T]
//
// where p is 1/B for batches with replacement and (n-B) / (B (n-1)) without. It
// works in the parameters' own coordinates, at a cost of n p^2 a step: it is
// meant for few parameters.
type Recursion struct {
	gradients            *mat.Dense
	hessian              *mat.SymDense
	rate, noise          float64
	products             *mat.Dense // n x p
	left, both, examples *mat.Dense // p x p: H S, H S H, sum over examples
}

// checkRate bounds a learning rate, so that its square is finite.
func checkRate(rate float64) error {
	if !(rate >= 0 && rate <= 1e10) {
		return fmt.Errorf("learning rate %g: expected 0 to 1e10", rate)
	}
	return nil
}

// Recursion returns that of a learning rate. It returns an error for a batch
// that cannot be drawn and for a rate that is not between 0 and 1e10.
func (d *Design) Recursion(rate float64, s Sampling) (*Recursion, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	n, p := d.Dims()
	if err := s.check(n); err != nil {
		return nil, err
	}
	return &Recursion{
		gradients: d.gradients, hessian: d.Hessian(), rate: rate, noise: s.noise(n), products: mat.NewDense(n, p, nil),
		left: mat.NewDense(p, p, nil), both: mat.NewDense(p, p, nil), examples: mat.NewDense(p, p, nil),
	}, nil
}

// Step replaces S, p x p, by T(S).
func (r *Recursion) Step(s *mat.SymDense) {
	n, p := r.gradients.Dims()
	r.left.Mul(r.hessian, s)
	r.both.Mul(r.left, r.hessian)
	r.products.Mul(r.gradients, s)
	for i := range n {
		row, gradient := r.products.RawRowView(i), r.gradients.RawRowView(i)
		floats.ScaleTo(row, floats.Dot(row, gradient)/float64(n), gradient)
	}
	r.examples.Mul(r.gradients.T(), r.products)
	for i := range p {
		for j := i; j < p; j++ {
			first := r.left.At(i, j) + r.left.At(j, i)
			second := (1-r.noise)*r.both.At(i, j) + r.noise*r.examples.At(i, j)
			s.SetSym(i, j, s.At(i, j)-r.rate*first+r.rate*r.rate*second)
		}
	}
}
