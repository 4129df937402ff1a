// Package separation finds a linear model that has every example of two classes
// on its right side, with full-batch methods in float64: gradient descent on the
// logistic loss with any learning rate, the same normalised, and the perceptrons
// that they turn into for large rates.
//
// Which model separates depends neither on the value of the loss nor on the
// norm of its gradient: at large learning rates the loss is highest where
// separation is fastest. So [Run] stops at the first iterate that separates and
// at nothing else.
//
// The examples are rows a_i with labels y_i of -1 or +1; z_i = y_i a_i is a
// signed row. There is no bias: a model with one has rows with a constant
// feature, which is part of their radius and margin. An example is on the right
// side if z_i . theta > 0; a tie is not.
//
// The methods are also there as steppers for any network of a classification,
// see [New].
//
// Source: Tyurin, "From Logistic Regression to the Perceptron Algorithm:
// Exploring Gradient Descent with Large Step Sizes", arXiv 2412.08424.
package separation

import (
	"fmt"

	"github.com/descentml/descent/backend/kernel/vector"
)

// Rows is a matrix A with an example in each row, through its products. A
// sparse.Multiplier is one, and so is a [Dense]. One that also has the method
// Through of sparse.Multiplier is read once per iteration instead of twice.
type Rows interface {
	// Dims are the numbers of rows and of columns.
	Dims() (rows, columns int)
	// Mul sets dst, one number a row, to A x.
	Mul(dst, x []float64)
	// MulTrans sets dst, one number a column, to the transposed A times y.
	MulTrans(dst, y []float64)
}

// through is what rows have that compute dst = A' f(A x) in one pass.
type through interface {
	Through(dst, y, x []float64, between func(first int, y []float64))
}

// Problem is rows with their labels. It is not changed by what works on it.
type Problem struct {
	rows   Rows
	labels []float64
}

// NewProblem makes a problem of rows and as many labels of -1 or +1.
func NewProblem(rows Rows, labels []float64) (*Problem, error) {
	count, columns := rows.Dims()
	if count < 1 || columns < 1 || len(labels) != count {
		return nil, fmt.Errorf("%d labels for %d rows of %d columns: expected one for each row, and at least one row and column", len(labels), count, columns)
	}
	for i, label := range labels {
		if label != 1 && label != -1 {
			return nil, fmt.Errorf("label %d is %g: expected -1 or +1", i, label)
		}
	}
	return &Problem{rows, labels}, nil
}

// Dims are the numbers of examples and of features.
func (p *Problem) Dims() (examples, features int) { return p.rows.Dims() }

// The kernels in use, looked up once.
var (
	sigmoid = vector.Unary[float64](vector.Sigmoid)
	exp     = vector.Unary[float64](vector.Exp)
	log1p   = vector.Unary[float64](vector.Log1p)
	mul     = vector.Binary[float64](vector.Mul)
	scale   = vector.BinaryScalar[float64](vector.Mul)
	sum     = func(x []float64) float64 { return vector.Reduce(vector.Sum, x) }
)
