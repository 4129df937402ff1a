package stability

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
)

// Linearised is a model replaced by its linearisation at a minimum: its output
// at example i is a_i^T delta, where delta, the parameters, is the distance to
// the minimum. [Train] with targets of zero is then the linearised dynamics
// delta - rate H_t delta, whose second moments [Recursion] follows.
type Linearised struct {
	design *Design
	delta  []float64
}

var _ Model = (*Linearised)(nil)

// Linearised starts at a distance of p parameters, which it keeps and which
// training changes.
func (d *Design) Linearised(delta []float64) (*Linearised, error) {
	if _, p := d.Dims(); len(delta) != p {
		return nil, fmt.Errorf("distance of %d parameters: expected %d", len(delta), p)
	}
	return &Linearised{d, delta}, nil
}

// Examples is the number of gradients.
func (l *Linearised) Examples() int { return len(l.design.squares) }

// Parameters are the distance.
func (l *Linearised) Parameters() []float64 { return l.delta }

// Output is a_i^T delta and ||a_i||^2.
func (l *Linearised) Output(i int) (value, square float64) {
	return floats.Dot(l.row(i), l.delta), l.design.squares[i]
}

// AddGradient adds weight times a_i.
func (l *Linearised) AddGradient(i int, weight float64, to []float64) {
	floats.AddScaled(to, weight, l.row(i))
}

func (l *Linearised) row(i int) []float64 { return l.design.gradients.RawRowView(i) }
