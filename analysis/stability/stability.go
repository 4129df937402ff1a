// Package stability tells at which learning rates stochastic gradient descent
// can stay at a minimum that interpolates its data, after "The Implicit
// Regularization of Dynamical Stability in Stochastic Gradient Descent" (Wu and
// Su, 2023, arXiv 2305.17490).
//
// Everything follows from the gradients a_i of the model's output at the n
// examples. With the loss L = 1/(2n) sum (f(x_i) - y_i)^2, the Hessian at a
// minimum of loss zero is H = 1/n sum a_i a_i^T, and close to it a step of SGD
// multiplies the distance to the minimum by I - rate H_t, H_t being the mean of
// a_i a_i^T over the batch. A [Design] holds the gradients. It gives the exact
// learning rate up to which the mean square of that distance stays bounded
// ([Design.Threshold]) and conditions that are cheap and necessary, not
// sufficient ([Design.Conditions]). With another factor before the squared
// loss, every learning rate here changes by that factor.
//
// [Diagonal] and [ReLU] are the paper's two models, for which the trace of H is
// a norm of the parameters, and [Train] is its SGD and gradient descent.
package stability

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Design is the gradients of a model's output at n examples, with respect to p
// parameters.
type Design struct {
	gradients   *mat.Dense // n x p
	coordinates *mat.Dense // n x r, the same in the eigenvectors of H whose eigenvalue is not 0; nil if r = 0
	curvatures  []float64  // r, those eigenvalues, the largest first
	squares     []float64  // n, ||a_i||^2
}

// largestSquare bounds the squared norms, so that their squares are finite.
const largestSquare = 1e140

// NewDesign takes an n x p matrix of gradients, one example a row, and keeps
// it. Its time is that of the eigenvectors of a matrix of min(n, p) rows: 0.1 s for
// 300. It returns an error for a gradient that is not finite or whose norm is
// above 1e70.
func NewDesign(gradients *mat.Dense) (*Design, error) {
	n, p := gradients.Dims()
	d := &Design{gradients: gradients, squares: make([]float64, n)}
	for i := range n {
		row := gradients.RawRowView(i)
		d.squares[i] = floats.Dot(row, row)
		if !(d.squares[i] <= largestSquare) {
			return nil, fmt.Errorf("gradient of example %d: squared norm %g, expected at most %g", i, d.squares[i], largestSquare)
		}
	}
	var outer mat.SymDense
	if n <= p {
		outer.SymOuterK(1, gradients)
	} else {
		outer.SymOuterK(1, gradients.T())
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(&outer, true) {
		return nil, fmt.Errorf("gradients of %d examples: the eigenvalues of their products did not converge", n)
	}
	d.span(&eigen, n <= p)
	return d, nil
}

// span sets curvatures and coordinates from the eigenvectors of A A^T, or of
// A^T A.
func (d *Design) span(eigen *mat.EigenSym, dual bool) {
	values := eigen.Values(nil)
	n, p := d.gradients.Dims()
	size, rank := len(values), 0
	smallest := values[size-1] * 1e-15 * float64(max(n, p))
	for rank < size && values[size-1-rank] > max(smallest, 0) {
		d.curvatures = append(d.curvatures, values[size-1-rank]/float64(n))
		rank++
	}
	if rank == 0 {
		return
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	basis := mat.NewDense(size, rank, nil)
	for k := range rank {
		column := mat.Col(nil, size-1-k, &vectors)
		if dual { // A = U diag(sigma) V^T, and A V = U diag(sigma)
			floats.Scale(math.Sqrt(values[size-1-k]), column)
		}
		basis.SetCol(k, column)
	}
	if dual {
		d.coordinates = basis
		return
	}
	d.coordinates = mat.NewDense(n, rank, nil)
	d.coordinates.Mul(d.gradients, basis)
}

// Dims returns the numbers of examples and of parameters.
func (d *Design) Dims() (examples, parameters int) { return d.gradients.Dims() }

// Rank is the dimension of the span of the gradients.
func (d *Design) Rank() int { return len(d.curvatures) }

// Trace is that of H, the mean of ||a_i||^2.
func (d *Design) Trace() float64 { return floats.Sum(d.squares) / float64(len(d.squares)) }

// Frobenius is the Frobenius norm of H.
func (d *Design) Frobenius() float64 { return floats.Norm(d.curvatures, 2) }

// Sharpness is the largest eigenvalue of H.
func (d *Design) Sharpness() float64 {
	if d.Rank() == 0 {
		return 0
	}
	return d.curvatures[0]
}

// Hessian is H, p x p: the Gram matrix of the gradients, which is the Hessian of
// the loss where that is zero.
func (d *Design) Hessian() *mat.SymDense {
	n, _ := d.Dims()
	h := new(mat.SymDense)
	h.SymOuterK(1/float64(n), d.gradients.T())
	return h
}
