package objective

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Operator is a symmetric matrix that is known by its products with vectors: a
// Hessian, a Gauss-Newton or a Fisher matrix at the parameters that its
// function has when a product is taken. It is not safe for concurrent use.
type Operator struct {
	ctx    context.Context
	dim    int
	block  int
	single bool
	times  func(ctx context.Context, dst, v [][]float64) error

	oneDst, oneV [1][]float64 // a block of one, for Apply
}

// Dim is the number of rows and columns.
func (o *Operator) Dim() int { return o.dim }

// Block is the number of vectors that [Operator.ApplyBlock] multiplies at once;
// it does more in turn.
func (o *Operator) Block() int { return o.block }

// Single reports whether products have the precision of float32 or less.
func (o *Operator) Single() bool { return o.single }

// Apply sets dst to the product of the matrix with v, both of Dim numbers. It
// fails when the operator's context has ended and where the product is not finite.
func (o *Operator) Apply(dst, v []float64) error {
	o.oneDst[0], o.oneV[0] = dst, v
	return o.ApplyBlock(o.oneDst[:], o.oneV[:])
}

// ApplyBlock sets each dst[i] to the product of the matrix with v[i].
func (o *Operator) ApplyBlock(dst, v [][]float64) error {
	if len(dst) != len(v) {
		return fmt.Errorf("%d results for %d vectors: expected as many", len(dst), len(v))
	}
	for i := range v {
		if len(v[i]) != o.dim || len(dst[i]) != o.dim {
			return fmt.Errorf("a product of %d numbers with a vector of %d numbers: expected %d for both", len(dst[i]), len(v[i]), o.dim)
		}
	}
	for len(v) > 0 {
		n := min(len(v), o.block)
		if err := o.times(o.ctx, dst[:n], v[:n]); err != nil {
			return err
		}
		dst, v = dst[n:], v[n:]
	}
	return nil
}

// Difference is the operator a - b: of a Hessian H and its Gauss-Newton part G,
// the residual R = H - G, which alone can make curvature negative.
func Difference(a, b *Operator) (*Operator, error) {
	if a.dim != b.dim {
		return nil, fmt.Errorf("the difference of matrices of %d and %d rows: expected equal sizes", a.dim, b.dim)
	}
	var second [][]float64
	times := func(_ context.Context, dst, v [][]float64) error {
		for len(second) < len(v) {
			second = append(second, make([]float64, a.dim))
		}
		if err := errors.Join(a.ApplyBlock(dst, v), b.ApplyBlock(second[:len(v)], v)); err != nil {
			return err
		}
		for i := range dst {
			for j := range dst[i] {
				dst[i][j] -= second[i][j]
			}
		}
		return nil
	}
	return &Operator{ctx: a.ctx, dim: a.dim, block: min(a.block, b.block), single: a.single || b.single, times: times}, nil
}

// Matrix multiplies an operator with every unit vector. It returns the
// symmetric part (A + A')/2 and the asymmetry max|A_ij - A_ji| / max|A_ij|,
// which is rounding alone for a matrix of second derivatives. It takes Dim
// products and 16 Dim² bytes while it works.
func Matrix(o *Operator) (symmetric *mat.SymDense, asymmetry float64, err error) {
	full := mat.NewDense(o.dim, o.dim, nil)
	dst, v := make([][]float64, 0, o.block), make([][]float64, o.block)
	for i := range v {
		v[i] = make([]float64, o.dim)
	}
	for first := 0; first < o.dim; first += o.block {
		if err := o.ctx.Err(); err != nil {
			return nil, 0, err
		}
		dst = dst[:0]
		for i := range min(o.block, o.dim-first) {
			dst = append(dst, full.RawRowView(first+i))
			clear(v[i])
			v[i][first+i] = 1
		}
		if err := o.ApplyBlock(dst, v[:len(dst)]); err != nil {
			return nil, 0, err
		}
	}
	symmetric = mat.NewSymDense(o.dim, nil)
	largest, difference := 0.0, 0.0
	for i := range o.dim {
		for j := i; j < o.dim; j++ {
			a, b := full.At(i, j), full.At(j, i)
			largest, difference = max(largest, math.Abs(a), math.Abs(b)), max(difference, math.Abs(a-b))
			symmetric.SetSym(i, j, (a+b)/2)
		}
	}
	if largest > 0 {
		asymmetry = difference / largest
	}
	return symmetric, asymmetry, nil
}

// allFinite reports whether no number is NaN or infinite: the difference of
// each with itself is then 0.
func allFinite(x []float64) bool {
	sum := 0.0
	for _, value := range x {
		sum += value - value
	}
	return sum == 0
}

// checkParameters refuses vectors of the wrong length and numbers that are not
// finite.
func checkParameters(w []float64, dim int) error {
	if len(w) != dim {
		return fmt.Errorf("%d parameters: expected %d", len(w), dim)
	}
	if i := slices.IndexFunc(w, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }); i >= 0 {
		return fmt.Errorf("parameter %d is %g: expected finite ones", i, w[i])
	}
	return nil
}

// notFinite is the error of a product that has no value.
func notFinite(what string) error {
	return fmt.Errorf("%s is not finite at these parameters: the loss or a derivative of it overflows, or an operation of the model has none there", what)
}
