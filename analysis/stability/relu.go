package stability

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// ReLU is the two-layer network f(x) = sum_j a_j max(w_j^T x, 0) without biases.
// For inputs that are standard normal, or uniform on the sphere of radius
// sqrt(d), the trace of H is on average 1/2 sum_j (||w_j||^2 + d a_j^2), which is at
// least sqrt(d) times the path norm: SGD that is stable bounds that norm.
type ReLU struct {
	inputs     *mat.Dense // n x d
	squares    []float64  // n, ||x_i||^2
	width      int        // m
	parameters []float64  // a, m, then w, m x d row by row
	hidden     []float64  // m, max(w_j^T x, 0) at the last example
}

var _ Model = (*ReLU)(nil)

// NewReLU takes n x d inputs, which it keeps, and the number of neurons. All
// parameters are zero.
func NewReLU(inputs *mat.Dense, width int) (*ReLU, error) {
	if width < 1 {
		return nil, fmt.Errorf("width %d: expected at least 1", width)
	}
	n, d := inputs.Dims()
	m := &ReLU{inputs: inputs, squares: make([]float64, n), width: width, parameters: make([]float64, width*(1+d)), hidden: make([]float64, width)}
	for i := range n {
		row := inputs.RawRowView(i)
		m.squares[i] = floats.Dot(row, row)
	}
	return m, nil
}

// Neuron is a_j and w_j, which can be changed.
func (m *ReLU) Neuron(j int) (outer *float64, inner []float64) {
	d := m.inputs.RawMatrix().Cols
	from := m.width + j*d
	return &m.parameters[j], m.parameters[from : from+d]
}

// InitNormal draws the elements of a and of w from normal distributions. The
// paper has the deviations 1 and d^(-1/4).
func (m *ReLU) InitNormal(outer, inner float64, rng *rand.Rand) {
	for i := range m.parameters {
		deviation := inner
		if i < m.width {
			deviation = outer
		}
		m.parameters[i] = deviation * rng.NormFloat64()
	}
}

// Examples is the number of inputs.
func (m *ReLU) Examples() int { return len(m.squares) }

// Parameters are a and then w, row by row.
func (m *ReLU) Parameters() []float64 { return m.parameters }

// Output is f(x_i) and sum_j over active neurons of (w_j^T x_i)^2 + a_j^2 ||x_i||^2.
func (m *ReLU) Output(i int) (value, square float64) {
	x := m.inputs.RawRowView(i)
	inner, active := m.parameters[m.width:], 0.0
	for j, a := range m.parameters[:m.width] {
		h := max(floats.Dot(inner[j*len(x):(j+1)*len(x)], x), 0)
		m.hidden[j] = h
		value += a * h
		square += h * h
		if h > 0 {
			active += a * a
		}
	}
	return value, square + active*m.squares[i]
}

// AddGradient adds weight times max(w_j^T x_i, 0) for a_j and a_j x_i for w_j
// where neuron j is active.
func (m *ReLU) AddGradient(i int, weight float64, to []float64) {
	x := m.inputs.RawRowView(i)
	inner := to[m.width:]
	for j, h := range m.hidden {
		if h > 0 {
			// a_j is read before it is written: both may be the same.
			floats.AddScaled(inner[j*len(x):(j+1)*len(x)], weight*m.parameters[j], x)
			to[j] += weight * h
		}
	}
}

// Predict is the output at any input of d features.
func (m *ReLU) Predict(x []float64) float64 {
	sum := 0.0
	for j := range m.width {
		a, w := m.Neuron(j)
		sum += *a * max(floats.Dot(w, x), 0)
	}
	return sum
}

// Trace is that of H on the inputs, 1/n sum_i sum_j over active neurons of
// (w_j^T x_i)^2 + a_j^2 ||x_i||^2: over the parameters of both layers.
func (m *ReLU) Trace() float64 {
	sum := 0.0
	for i := range m.squares {
		_, square := m.Output(i)
		sum += square
	}
	return sum / float64(len(m.squares))
}

// ExpectedTrace is the mean of [ReLU.Trace] over inputs that are standard normal
// or uniform on the sphere of radius sqrt(d): 1/2 sum_j (||w_j||^2 + d a_j^2).
func (m *ReLU) ExpectedTrace() float64 {
	sum := 0.0
	for j := range m.width {
		a, w := m.Neuron(j)
		sum += floats.Dot(w, w) + float64(len(w))**a**a
	}
	return sum / 2
}

// PathNorm is sum_j |a_j| ||w_j||.
func (m *ReLU) PathNorm() float64 {
	sum := 0.0
	for j := range m.width {
		a, w := m.Neuron(j)
		sum += math.Abs(*a) * floats.Norm(w, 2)
	}
	return sum
}

// Rebalance scales the layers of every neuron against each other so that
// ||w_j|| = sqrt(d) |a_j|. That leaves the function as it is and makes the
// expected trace the least there is for it, sqrt(d) times the path norm.
func (m *ReLU) Rebalance() {
	for j := range m.width {
		a, w := m.Neuron(j)
		norm := floats.Norm(w, 2)
		if *a == 0 || norm == 0 {
			*a = 0
			clear(w)
			continue
		}
		scale := math.Sqrt(math.Sqrt(float64(len(w))) * math.Abs(*a) / norm)
		floats.Scale(scale, w)
		*a /= scale
	}
}
