package problem

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// LogSumExp is a smooth maximum, f(x) = mu log sum exp((a_i'x - b_i)/mu). In
// the metric A'A it is quasi-self-concordant with M = sqrt(2)/mu.
type LogSumExp struct {
	rows
	b       []float64
	mu      float64
	pi      []float64 // softmax of z/mu
	roots   []float64
	moment  []float64 // A' pi
	product []float64
}

// NewLogSumExp takes a matrix A [m, n] and m offsets b, and keeps both.
func NewLogSumExp(a *mat.Dense, b []float64, mu float64) (*LogSumExp, error) {
	r, err := newRows(a)
	if err != nil {
		return nil, fmt.Errorf("log-sum-exp: %w", err)
	}
	if len(b) != r.a.Rows || !(mu > 0) || math.IsInf(mu, 0) {
		return nil, fmt.Errorf("log-sum-exp: %d offsets for %d rows and mu = %g: expected as many and a finite number above 0", len(b), r.a.Rows, mu)
	}
	m, n := r.a.Rows, r.a.Cols
	return &LogSumExp{rows: r, b: b, mu: mu, pi: make([]float64, m), roots: make([]float64, m), moment: make([]float64, n), product: make([]float64, m)}, nil
}

// Dim is the number of columns.
func (l *LogSumExp) Dim() int { return l.a.Cols }

// ValueGradient implements gradreg.Function. The gradient is A' pi.
func (l *LogSumExp) ValueGradient(x, gradient []float64) float64 {
	value := l.softmax(x)
	l.back(gradient, l.pi)
	return value
}

// softmax makes pi and returns f.
func (l *LogSumExp) softmax(x []float64) float64 {
	l.times(x, l.b)
	floats.ScaleTo(l.pi, 1/l.mu, l.z)
	all := floats.LogSumExp(l.pi)
	for i, z := range l.pi {
		l.pi[i] = math.Exp(z - all)
	}
	return l.mu * all
}

// Hessian writes A'(diag pi - pi pi')A/mu.
func (l *LogSumExp) Hessian(x []float64, h *mat.SymDense) {
	l.GaussNewton(x, h)
	l.back(l.moment, l.pi)
	addOuter(h, -1/l.mu, l.moment)
}

// GaussNewton writes the weighted Gauss-Newton matrix A' diag(pi) A/mu. It is
// above the Hessian by g g'/mu.
func (l *LogSumExp) GaussNewton(x []float64, h *mat.SymDense) {
	l.softmax(x)
	for i, p := range l.pi {
		l.roots[i] = math.Sqrt(p / l.mu)
	}
	l.gram(h, l.roots)
}

// Prepare makes ready for products with the Hessian at x. It implements
// gradreg.Operator.
func (l *LogSumExp) Prepare(x []float64) { l.softmax(x) }

// Times writes the Hessian's product with v. No other method may come between
// it and Prepare. It implements gradreg.Operator.
func (l *LogSumExp) Times(hv, v []float64) {
	blas64.Gemv(noTrans, 1, l.a, vector(v), 0, vector(l.product))
	mean := floats.Dot(l.pi, l.product)
	for i, p := range l.pi {
		l.product[i] = p * (l.product[i] - mean) / l.mu
	}
	l.back(hv, l.product)
}
