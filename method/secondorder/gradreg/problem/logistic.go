package problem

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Logistic is logistic regression,
//
//	f(x) = mean log(1 + exp(-y_i a_i'x)) + ridge |x|^2/2.
//
// It is quasi-self-concordant with M = max |a_i|.
type Logistic struct {
	rows
	labels  []float64
	ridge   float64
	loss    float64   // sum at the last x
	errors  []float64 // probability of error of each example there
	weights []float64 // of one example each
	product []float64
	single  *single // for HessianFloat32
}

// NewLogistic takes examples [N, n] as rows and N labels of -1 and +1, and
// keeps both.
func NewLogistic(examples *mat.Dense, labels []float64, ridge float64) (*Logistic, error) {
	r, err := newRows(examples)
	if err != nil {
		return nil, fmt.Errorf("logistic regression: %w", err)
	}
	if len(labels) != r.a.Rows {
		return nil, fmt.Errorf("logistic regression: %d labels for %d examples: expected as many", len(labels), r.a.Rows)
	}
	for i, y := range labels {
		if y != 1 && y != -1 {
			return nil, fmt.Errorf("logistic regression: label %d is %g: expected -1 or +1", i, y)
		}
	}
	if !(ridge >= 0) || math.IsInf(ridge, 0) {
		return nil, fmt.Errorf("logistic regression: ridge is %g: expected a finite number of at least 0", ridge)
	}
	return &Logistic{rows: r, labels: labels, ridge: ridge, errors: make([]float64, r.a.Rows), weights: make([]float64, r.a.Rows)}, nil
}

// Dim is the number of columns.
func (l *Logistic) Dim() int { return l.a.Cols }

// LargestRow is max |a_i|, which bounds the self-concordance.
func (l *Logistic) LargestRow() float64 {
	largest := 0.0
	for i := range l.a.Rows {
		largest = max(largest, floats.Norm(l.a.Data[i*l.a.Stride:][:l.a.Cols], 2))
	}
	return largest
}

// ValueGradient implements gradreg.Function.
func (l *Logistic) ValueGradient(x, gradient []float64) float64 {
	l.evaluate(x)
	count := float64(l.a.Rows)
	for i, error := range l.errors {
		l.weights[i] = -l.labels[i] * error / count
	}
	l.back(gradient, l.weights)
	floats.AddScaled(gradient, l.ridge, x)
	return l.loss/count + l.ridge*floats.Dot(x, x)/2
}

// evaluate makes loss and errors, unless they are there.
func (l *Logistic) evaluate(x []float64) {
	if !l.times(x, nil) {
		return
	}
	l.loss = 0
	for i, z := range l.z {
		var loss float64
		loss, l.errors[i] = logLoss(l.labels[i] * z)
		l.loss += loss
	}
}

// logLoss is log(1 + exp(-m)) and the probability of error 1/(1 + exp(m)), with
// one exponential of a number that is not positive.
func logLoss(m float64) (loss, error float64) {
	e := math.Exp(-math.Abs(m))
	if m >= 0 {
		return math.Log1p(e), e / (1 + e)
	}
	return math.Log1p(e) - m, 1 / (1 + e)
}

// Hessian writes the Hessian, A' diag(p (1-p)) A/N + ridge I for the
// probabilities p.
func (l *Logistic) Hessian(x []float64, h *mat.SymDense) {
	l.gramOf(x, h, func(error float64) float64 { return math.Sqrt(error * (1 - error)) })
}

// Fisher writes the empirical Fisher matrix, the mean of the outer products of
// the gradients of the losses, with the ridge's exact part. It is off the
// Hessian by at most max |a_i|^2 times the mean loss.
func (l *Logistic) Fisher(x []float64, h *mat.SymDense) {
	l.gramOf(x, h, func(error float64) float64 { return error })
}

// gramOf writes A' diag(root^2) A/N + ridge I.
func (l *Logistic) gramOf(x []float64, h *mat.SymDense, root func(error float64) float64) {
	l.evaluate(x)
	scale := 1 / math.Sqrt(float64(l.a.Rows))
	for i, error := range l.errors {
		l.weights[i] = root(error) * scale
	}
	l.gram(h, l.weights)
	addDiagonal(h, l.ridge)
}

// Prepare makes ready for products with the Hessian at x. It implements
// gradreg.Operator.
func (l *Logistic) Prepare(x []float64) {
	l.evaluate(x)
	if l.product == nil {
		l.product = make([]float64, l.a.Rows)
	}
	for i, error := range l.errors {
		l.weights[i] = error * (1 - error) / float64(l.a.Rows)
	}
}

// Times writes the Hessian's product with v. No other method may come between
// it and Prepare. It implements gradreg.Operator.
func (l *Logistic) Times(hv, v []float64) {
	blas64.Gemv(noTrans, 1, l.a, vector(v), 0, vector(l.product))
	floats.Mul(l.product, l.weights)
	l.back(hv, l.product)
	floats.AddScaled(hv, l.ridge, v)
}
