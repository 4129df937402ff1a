package stability

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Conditions are learning rates that stability at an interpolating minimum does
// not exceed. All are necessary, none is sufficient: [Design.Threshold] is below
// each of them, and can be far below where the norms of the gradients differ.
// They are infinite if all gradients are zero.
type Conditions struct {
	// Trace is 2 B / Tr(H): for a batch of one example, stability means
	// Tr(H) <= 2 / rate.
	Trace float64
	// Bracket is 2 Tr(H) / (p mean ||a||^4 + (1-p) ||H||_F^2), with p as in
	// [Recursion]: the test of the recursion with the identity.
	Bracket float64
	// Sharpness is 2 / largest eigenvalue of H: the condition of gradient
	// descent, which is exact for it, and necessary for every batch.
	Sharpness float64
	// Direction is 2 h / (p mean (a v)^4 + (1-p) h^2) for the largest eigenvalue
	// h of H and its eigenvector v: the test of the recursion with v v^T.
	Direction float64
}

// Tightest is the smallest of the conditions.
func (c Conditions) Tightest() float64 {
	return min(c.Trace, c.Bracket, c.Sharpness, c.Direction)
}

// Conditions returns those of a sampling. It returns an error for a batch that
// cannot be drawn.
func (d *Design) Conditions(s Sampling) (Conditions, error) {
	n, _ := d.Dims()
	if err := s.check(n); err != nil {
		return Conditions{}, err
	}
	if d.Rank() == 0 {
		inf := math.Inf(1)
		return Conditions{inf, inf, inf, inf}, nil
	}
	noise, sharpness, norm := s.noise(n), d.Sharpness(), d.Frobenius()
	along := 0.0 // mean (a v)^4
	for i := range n {
		x := d.coordinates.At(i, 0)
		along += x * x * x * x / float64(n)
	}
	fourth := floats.Dot(d.squares, d.squares) / float64(n)
	return Conditions{
		Trace:     2 * float64(s.batch()) / d.Trace(),
		Bracket:   2 * d.Trace() / (noise*fourth + (1-noise)*norm*norm),
		Sharpness: 2 / sharpness,
		Direction: 2 * sharpness / (noise*along + (1-noise)*sharpness*sharpness),
	}, nil
}

// FrobeniusLimit is the largest Frobenius norm of H at which the loss can stay
// bounded, sqrt(B / alignment) / rate, if along the way the noise of the
// gradient keeps at least the given alignment with H; see [Design.Alignment].
// The batch is drawn with replacement.
func FrobeniusLimit(rate float64, batch int, alignment float64) float64 {
	return math.Sqrt(float64(batch)/alignment) / rate
}

// Alignment is how much of the gradient's noise lies where the loss is curved,
// Tr(Sigma H) / (2 L ||H||_F^2), given the n residuals f(x_i) - y_i: Sigma is the
// covariance of the gradients r_i a_i of single examples. It is NaN where the
// loss or H is zero.
func (d *Design) Alignment(residuals []float64) (float64, error) {
	n, _ := d.Dims()
	if len(residuals) != n {
		return math.NaN(), fmt.Errorf("%d residuals: expected %d", len(residuals), n)
	}
	loss := floats.Dot(residuals, residuals) / (2 * float64(n))
	return d.noiseCurvature(residuals) / (2 * loss * d.Frobenius() * d.Frobenius()), nil
}

// noiseCurvature is Tr(Sigma H).
func (d *Design) noiseCurvature(residuals []float64) float64 {
	if d.Rank() == 0 {
		return 0
	}
	mean := mat.NewVecDense(d.Rank(), nil)
	mean.MulVec(d.coordinates.T(), mat.NewVecDense(len(residuals), residuals))
	mean.ScaleVec(1/float64(len(residuals)), mean)
	sum := -d.curvature(mean.RawVector().Data)
	for i, r := range residuals {
		sum += r * r / float64(len(residuals)) * d.curvature(d.coordinates.RawRowView(i))
	}
	return sum
}

// curvature is v^T H v in the coordinates in which H is diagonal.
func (d *Design) curvature(v []float64) float64 {
	sum := 0.0
	for k, h := range d.curvatures {
		sum += h * v[k] * v[k]
	}
	return sum
}

// HeavyBallLimit is the largest curvature at which gradient descent with
// momentum in [0, 1), m <- momentum m + g, w <- w - rate m, is stable on a
// quadratic: 2 (1 + momentum) / rate (Polyak 1964), which is 2 / rate without
// momentum.
func HeavyBallLimit(rate, momentum float64) float64 { return 2 * (1 + momentum) / rate }

// NesterovLimit is that of Nesterov's form, w <- w - rate (g + momentum m):
// 2 (1 + momentum) / ((1 + 2 momentum) rate).
func NesterovLimit(rate, momentum float64) float64 {
	return HeavyBallLimit(rate, momentum) / (1 + 2*momentum)
}
