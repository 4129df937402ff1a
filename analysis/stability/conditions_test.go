package stability

import (
	"testing"

	"gonum.org/v1/gonum/floats"
)

// The loss after a step of SGD with one example is, on average, that of the mean
// step plus rate^2/2 Tr(Sigma H): what the condition on the Frobenius norm rests
// on. Beyond its limit the loss grows on average.
func TestAlignmentIsTheNoiseInTheLoss(t *testing.T) {
	const n = 30
	d := design(t, normal(generator(10), n, 6))
	delta := normal(generator(11), 1, 6).RawRowView(0)
	loss := func(at []float64) float64 {
		m, err := d.Linearised(at)
		if err != nil {
			t.Fatal(err)
		}
		return Loss(m, make([]float64, n))
	}
	residuals := make([]float64, n)
	for i := range residuals {
		residuals[i] = floats.Dot(d.gradients.RawRowView(i), delta)
	}
	alignment, err := d.Alignment(residuals)
	if err != nil {
		t.Fatal(err)
	}
	for _, rate := range []float64{0.1, 1.01 * FrobeniusLimit(1, 1, alignment) / d.Frobenius()} {
		average, mean := 0.0, append([]float64{}, delta...)
		for i, r := range residuals {
			next := append([]float64{}, delta...)
			floats.AddScaled(next, -rate*r, d.gradients.RawRowView(i))
			floats.AddScaled(mean, -rate*r/n, d.gradients.RawRowView(i))
			average += loss(next) / n
		}
		noise := rate * rate * alignment * d.Frobenius() * d.Frobenius() * loss(delta)
		near(t, "loss after a step", average, loss(mean)+noise, 1e-10*average)
		if d.Frobenius() > FrobeniusLimit(rate, 1, alignment) && average <= loss(delta) {
			t.Errorf("the Frobenius norm is beyond its limit, but the loss falls from %g to %g", loss(delta), average)
		}
	}
}
