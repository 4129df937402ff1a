package objective

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/backend/kernel/sparse"
)

// Family is the loss of a [Linear].
type Family int

// The families. z is an example's row of outputs X W + b.
const (
	// LeastSquares is (z - y)²/2 for a target y.
	LeastSquares Family = iota
	// LogisticRegression is log(1 + exp(z)) - y z for a label y of 0 or 1.
	LogisticRegression
	// SoftmaxRegression is log(sum_k exp(z_k)) - z_y for a class y.
	SoftmaxRegression
)

// Linear is the mean loss of a generalised linear model over n examples, with
// all derivatives in closed form: the gradient X' r/n, the Hessian, which is
// also the Gauss-Newton matrix, X' B X/n, and the empirical Fisher matrix. Its
// parameters are the weights [columns, outputs] in row-major order, then the
// biases [outputs] if it has them; they begin at 0. It computes in float64 and
// allocates nothing after [NewLinear]. It is not safe for concurrent use.
type Linear struct {
	family        Family
	design        design
	targets       []float64
	rows, columns int
	outputs       int
	intercept     bool

	w     []float64
	value float64
	slope []float64 // r [rows, outputs], derivatives of each example's loss by its outputs
	p     []float64 // probabilities [rows, outputs]; nil for least squares
	moved []float64 // X v [rows, outputs]
}

// LinearOptions are the settings of a [Linear].
type LinearOptions struct {
	Family    Family
	Intercept bool // biases beside the weights
	Classes   int  // of SoftmaxRegression, at least 2
}

// NewLinear makes the mean loss over dense features [n, columns] and n targets:
// values, labels 0 and 1, or class numbers from 0. It keeps both.
func NewLinear(features *mat.Dense, targets []float64, o LinearOptions) (*Linear, error) {
	rows, columns := features.Dims()
	for i := range rows {
		if !allFinite(features.RawRowView(i)) {
			return nil, fmt.Errorf("row %d of the features has a number that is not finite", i)
		}
	}
	return newLinear(denseDesign{features.RawMatrix()}, rows, columns, targets, o)
}

// NewSparseLinear is [NewLinear] for sparse features, with the products of
// package sparse on the given parallel; nil is the caller alone.
func NewSparseLinear(features *sparse.Matrix, targets []float64, o LinearOptions, parallel sparse.Parallel) (*Linear, error) {
	multiplier, err := sparse.NewMultiplier(features, parallel)
	if err != nil {
		return nil, err
	}
	if !allFinite(features.Values) {
		return nil, errors.New("the features have a number that is not finite")
	}
	rows, columns := features.Dims()
	d := &sparseDesign{matrix: features, multiplier: multiplier, column: make([]float64, columns), row: make([]float64, rows)}
	return newLinear(d, rows, columns, targets, o)
}

func newLinear(d design, rows, columns int, targets []float64, o LinearOptions) (*Linear, error) {
	l := &Linear{family: o.Family, design: d, targets: targets, rows: rows, columns: columns, outputs: 1, intercept: o.Intercept}
	if o.Family == SoftmaxRegression {
		l.outputs = o.Classes
	}
	switch {
	case o.Family < LeastSquares || o.Family > SoftmaxRegression:
		return nil, fmt.Errorf("family %d: expected LeastSquares, LogisticRegression or SoftmaxRegression", o.Family)
	case o.Family == SoftmaxRegression && o.Classes < 2:
		return nil, fmt.Errorf("%d classes: expected at least 2", o.Classes)
	case len(targets) != rows || rows == 0:
		return nil, fmt.Errorf("%d targets for %d rows of features: expected one for each, and at least one", len(targets), rows)
	}
	if i := slices.IndexFunc(targets, func(y float64) bool { return !l.fits(y) }); i >= 0 {
		return nil, fmt.Errorf("target %d is %g: expected a finite number, 0 or 1 for LogisticRegression, and a class from 0 to below %d for SoftmaxRegression", i, targets[i], l.outputs)
	}
	l.slope, l.moved = make([]float64, rows*l.outputs), make([]float64, rows*l.outputs)
	if o.Family != LeastSquares {
		l.p = make([]float64, rows*l.outputs)
	}
	return l, l.SetParameters(make([]float64, l.Dim()))
}

// fits reports whether a target is one of the family.
func (l *Linear) fits(y float64) bool {
	switch l.family {
	case LogisticRegression:
		return y == 0 || y == 1
	case SoftmaxRegression:
		return y == math.Trunc(y) && y >= 0 && y < float64(l.outputs)
	}
	return !math.IsNaN(y) && !math.IsInf(y, 0)
}

// Dim is the number of parameters.
func (l *Linear) Dim() int {
	if l.intercept {
		return (l.columns + 1) * l.outputs
	}
	return l.columns * l.outputs
}

// Examples is the number of examples.
func (l *Linear) Examples() int { return l.rows }

// Parameters copies the parameters to dst.
func (l *Linear) Parameters(dst []float64) { copy(dst, l.w) }

// SetParameters moves to other parameters and computes the outputs there.
// Vectors of the wrong length and numbers that are not finite are refused.
func (l *Linear) SetParameters(w []float64) error {
	if err := checkParameters(w, l.Dim()); err != nil {
		return err
	}
	l.w = append(l.w[:0], w...)
	l.forward(l.slope, l.w)
	total := 0.0
	for i, y := range l.targets {
		first, last := i*l.outputs, (i+1)*l.outputs
		z := l.slope[first:last]
		switch l.family {
		case LeastSquares:
			z[0] -= y
			total += z[0] * z[0] / 2
		case LogisticRegression:
			total += max(z[0], 0) + math.Log1p(math.Exp(-math.Abs(z[0]))) - y*z[0]
			l.p[i] = 1 / (1 + math.Exp(-z[0]))
			z[0] = l.p[i] - y
		case SoftmaxRegression:
			total += softmax(z, l.p[first:last], int(y))
		}
	}
	l.value = total / float64(l.rows)
	return nil
}

// softmax sets p to the probabilities of logits z and z to p - onehot(class),
// and returns the loss.
func softmax(z, p []float64, class int) float64 {
	loss := floats.LogSumExp(z) - z[class]
	largest := floats.Max(z)
	for k, x := range z {
		p[k] = math.Exp(x - largest)
	}
	floats.Scale(1/floats.Sum(p), p)
	copy(z, p)
	z[class]--
	return loss
}

// forward sets z to X W + b.
func (l *Linear) forward(z, w []float64) {
	weights := l.columns * l.outputs
	l.design.mul(z, w[:weights], l.outputs)
	if !l.intercept {
		return
	}
	for i := range l.rows {
		floats.Add(z[i*l.outputs:(i+1)*l.outputs], w[weights:])
	}
}

// backward sets dst to the adjoint of forward for r, over n.
func (l *Linear) backward(dst, r []float64) {
	weights := l.columns * l.outputs
	l.design.mulTrans(dst[:weights], r, l.outputs)
	if l.intercept {
		clear(dst[weights:])
		for i := range l.rows {
			floats.Add(dst[weights:], r[i*l.outputs:(i+1)*l.outputs])
		}
	}
	floats.Scale(1/float64(l.rows), dst)
}

// Value is the mean loss.
func (l *Linear) Value(ctx context.Context) (float64, error) { return l.value, ctx.Err() }

// Gradient sets dst to the gradient of the mean loss, which it returns.
func (l *Linear) Gradient(ctx context.Context, dst []float64) (float64, error) {
	if len(dst) != l.Dim() {
		return 0, fmt.Errorf("a gradient of %d numbers: expected %d", len(dst), l.Dim())
	}
	l.backward(dst, l.slope)
	return l.value, ctx.Err()
}

// ExampleGradients visits the gradients x_i r_i' of the examples' losses, as
// [Risk.ExampleGradients] does.
func (l *Linear) ExampleGradients(ctx context.Context, visit func(first int, gradients *mat.Dense) error) error {
	dim, weights := l.Dim(), l.columns*l.outputs
	size := max(1, min(l.rows, gradientNumbers/dim))
	buffer := make([]float64, size*dim)
	for first := 0; first < l.rows; first += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(size, l.rows-first)
		clear(buffer)
		for i := range n {
			row, r := buffer[i*dim:(i+1)*dim], l.slope[(first+i)*l.outputs:(first+i+1)*l.outputs]
			l.design.addRow(row[:weights], first+i, r)
			copy(row[weights:], r)
		}
		if err := visit(first, mat.NewDense(n, dim, buffer[:n*dim])); err != nil {
			return err
		}
	}
	return nil
}

// Hessian is the matrix of second derivatives, X' B X/n.
func (l *Linear) Hessian(ctx context.Context) *Operator {
	return l.operator(ctx, hessian, l.curve)
}

// GaussNewton is the Gauss-Newton matrix. As outputs are linear in the
// parameters, it is the Hessian.
func (l *Linear) GaussNewton(ctx context.Context) *Operator {
	return l.operator(ctx, gaussNewton, l.curve)
}

// Fisher is the empirical Fisher matrix (1/n) sum_i g_i g_i'.
func (l *Linear) Fisher(ctx context.Context) *Operator {
	return l.operator(ctx, fisher, func(i int, u []float64) {
		r := l.slope[i*l.outputs : (i+1)*l.outputs]
		along := floats.Dot(r, u)
		for k := range u {
			u[k] = along * r[k]
		}
	})
}

// HessianVector sets dst to the product of the Hessian with v.
func (l *Linear) HessianVector(ctx context.Context, dst, v []float64) error {
	return l.Hessian(ctx).Apply(dst, v)
}

// GaussNewtonVector sets dst to the product of the Gauss-Newton matrix with v.
func (l *Linear) GaussNewtonVector(ctx context.Context, dst, v []float64) error {
	return l.GaussNewton(ctx).Apply(dst, v)
}

// FisherVector sets dst to the product of the empirical Fisher matrix with v.
func (l *Linear) FisherVector(ctx context.Context, dst, v []float64) error {
	return l.Fisher(ctx).Apply(dst, v)
}

// curve multiplies u with the curvature of example i's loss in its outputs.
func (l *Linear) curve(i int, u []float64) {
	switch l.family {
	case LogisticRegression:
		u[0] *= l.p[i] * (1 - l.p[i])
	case SoftmaxRegression:
		p := l.p[i*l.outputs : (i+1)*l.outputs]
		mean := floats.Dot(p, u)
		for k := range u {
			u[k] = p[k] * (u[k] - mean)
		}
	}
}

// operator is X' C X/n, where weigh applies C to the outputs of one example.
func (l *Linear) operator(ctx context.Context, what curvature, weigh func(i int, u []float64)) *Operator {
	times := func(ctx context.Context, dst, v [][]float64) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.forward(l.moved, v[0])
		for i := range l.rows {
			weigh(i, l.moved[i*l.outputs:(i+1)*l.outputs])
		}
		l.backward(dst[0], l.moved)
		if !allFinite(dst[0]) {
			return notFinite(what.String())
		}
		return nil
	}
	return &Operator{ctx: ctx, dim: l.Dim(), block: 1, times: times}
}
