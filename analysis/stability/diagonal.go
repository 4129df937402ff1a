package stability

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Diagonal is the diagonal linear network f(x) = sum_j a_j b_j x_j, a linear
// model with the coefficients a_j b_j. The trace of H is
// sum_j m_j (a_j^2 + b_j^2) >= 2 sum_j m_j |a_j b_j|, with m_j the mean square of
// feature j: SGD that is stable bounds the 1-norm of the coefficients, as the
// LASSO does.
type Diagonal struct {
	inputs     *mat.Dense // n x d
	parameters []float64  // a, then b
	squares    []float64  // m, d
	linear     []float64  // a b, d, for the gradient of the whole loss
	slope      []float64  // of that loss with respect to them
}

var (
	_ Model         = (*Diagonal)(nil)
	_ wholeGradient = (*Diagonal)(nil)
)

// NewDiagonal takes n x d inputs and keeps them. All parameters are zero.
func NewDiagonal(inputs *mat.Dense) *Diagonal {
	n, d := inputs.Dims()
	m := &Diagonal{inputs: inputs, parameters: make([]float64, 2*d), squares: make([]float64, d), linear: make([]float64, d), slope: make([]float64, d)}
	for i := range n {
		for j, x := range inputs.RawRowView(i) {
			m.squares[j] += x * x / float64(n)
		}
	}
	return m
}

// Factors are the parameters a and b, d each, not copies.
func (m *Diagonal) Factors() (a, b []float64) {
	d := len(m.squares)
	return m.parameters[:d], m.parameters[d:]
}

// InitNormal draws all parameters from a normal distribution.
func (m *Diagonal) InitNormal(deviation float64, rng *rand.Rand) {
	for i := range m.parameters {
		m.parameters[i] = deviation * rng.NormFloat64()
	}
}

// InitBalance draws a from a normal distribution and sets b to a with random
// signs, times r + sqrt(r^2 - 1), so that [Diagonal.Balance] is r, which is at
// least 1.
func (m *Diagonal) InitBalance(deviation, r float64, rng *rand.Rand) error {
	if !(r >= 1) {
		return fmt.Errorf("balance %g: expected at least 1", r)
	}
	a, b := m.Factors()
	factor := r + math.Sqrt(r*r-1)
	for j := range a {
		a[j] = deviation * rng.NormFloat64()
		b[j] = factor * a[j]
		if rng.IntN(2) == 1 {
			b[j] = -b[j]
		}
	}
	return nil
}

// Examples is the number of inputs.
func (m *Diagonal) Examples() int { return m.inputs.RawMatrix().Rows }

// Parameters are a and then b.
func (m *Diagonal) Parameters() []float64 { return m.parameters }

// Output is f(x_i) and sum_j x_ij^2 (a_j^2 + b_j^2).
func (m *Diagonal) Output(i int) (value, square float64) {
	x := m.inputs.RawRowView(i)
	a, b := m.parameters[:len(x)], m.parameters[len(x):][:len(x)]
	// Two sums of each, as one would wait for its last addition.
	var values, squares [2]float64
	for j := 0; j+1 < len(x); j += 2 {
		v, w := x[j], x[j+1]
		values[0] += a[j] * b[j] * v
		values[1] += a[j+1] * b[j+1] * w
		squares[0] += v * v * (a[j]*a[j] + b[j]*b[j])
		squares[1] += w * w * (a[j+1]*a[j+1] + b[j+1]*b[j+1])
	}
	if last := len(x) - 1; last%2 == 0 {
		v := x[last]
		values[0] += a[last] * b[last] * v
		squares[0] += v * v * (a[last]*a[last] + b[last]*b[last])
	}
	return values[0] + values[1], squares[0] + squares[1]
}

// AddGradient adds weight (b x_i, a x_i).
func (m *Diagonal) AddGradient(i int, weight float64, to []float64) {
	x := m.inputs.RawRowView(i)
	a, b := m.parameters[:len(x)], m.parameters[len(x):][:len(x)]
	first, second := to[:len(x)], to[len(x):][:len(x)]
	for j, v := range x {
		// Both are read before either is written, as they may be the same.
		da, db := weight*v*b[j], weight*v*a[j]
		first[j] += da
		second[j] += db
	}
}

// addLossGradient goes over the inputs once, as for a linear model.
func (m *Diagonal) addLossGradient(targets, to []float64) {
	a, b := m.Factors()
	floats.MulTo(m.linear, a, b)
	clear(m.slope)
	for i, y := range targets {
		x := m.inputs.RawRowView(i)
		floats.AddScaled(m.slope, (floats.Dot(x, m.linear)-y)/float64(len(targets)), x)
	}
	first, second := to[:len(a)], to[len(a):][:len(a)]
	for j, s := range m.slope {
		first[j] += s * b[j]
		second[j] += s * a[j]
	}
}

// Coefficients are those of the linear model, a_j b_j.
func (m *Diagonal) Coefficients() []float64 {
	a, b := m.Factors()
	return floats.MulTo(make([]float64, len(a)), a, b)
}

// Predict is the output at any input of d features.
func (m *Diagonal) Predict(x []float64) float64 {
	a, b := m.Factors()
	sum := 0.0
	for j, v := range x {
		sum += a[j] * b[j] * v
	}
	return sum
}

// Trace is that of H by its closed form, sum_j m_j (a_j^2 + b_j^2), for any data.
func (m *Diagonal) Trace() float64 {
	a, b := m.Factors()
	sum := 0.0
	for j, square := range m.squares {
		sum += square * (a[j]*a[j] + b[j]*b[j])
	}
	return sum
}

// TraceBound is the least trace among networks with the same coefficients,
// 2 sum_j m_j |a_j b_j|.
func (m *Diagonal) TraceBound() float64 {
	a, b := m.Factors()
	sum := 0.0
	for j, square := range m.squares {
		sum += 2 * square * math.Abs(a[j]*b[j])
	}
	return sum
}

// NormLimit is the largest 1-norm of the coefficients at which SGD with one
// example a step can be stable: 1 / (rate min_j m_j).
func (m *Diagonal) NormLimit(rate float64) float64 { return 1 / (rate * floats.Min(m.squares)) }

// Norm1 is the 1-norm of the coefficients.
func (m *Diagonal) Norm1() float64 { return floats.Norm(m.Coefficients(), 1) }

// Balance is sum_j (a_j^2 + b_j^2) / (2 sum_j |a_j b_j|), at least 1, and 1 if and
// only if |a_j| = |b_j| everywhere. It is infinite or NaN where all coefficients
// are zero.
func (m *Diagonal) Balance() float64 {
	return floats.Dot(m.parameters, m.parameters) / (2 * m.Norm1())
}
