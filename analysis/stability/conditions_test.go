package stability

import (
	"math"
	"math/cmplx"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"
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

// radius is the largest magnitude of an eigenvalue of [[a, b], [c, d]].
func radius(a, b, c, d float64) float64 {
	root := cmplx.Sqrt(complex((a-d)*(a-d)/4+b*c, 0))
	middle := complex((a+d)/2, 0)
	return math.Max(cmplx.Abs(middle+root), cmplx.Abs(middle-root))
}

// A step multiplies (w, m) along an eigenvector by a matrix, whose eigenvalues
// leave the unit disk at the limit.
func TestMomentumLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := math.Exp(rapid.Float64Range(-3, 3).Draw(t, "log rate"))
		mu := rapid.Float64Range(0, 0.95).Draw(t, "momentum")
		heavy := func(h float64) float64 { return radius(1-rate*h, -rate*mu, h, mu) }
		nesterov := func(h float64) float64 { return radius(1-rate*h*(1+mu), -rate*mu*mu, h, mu) }
		for name, c := range map[string]struct {
			radius func(float64) float64
			limit  float64
		}{"heavy ball": {heavy, HeavyBallLimit(rate, mu)}, "Nesterov": {nesterov, NesterovLimit(rate, mu)}} {
			if below, above := c.radius(0.99*c.limit), c.radius(1.01*c.limit); !(below < 1 && above > 1) {
				t.Fatalf("%s: radius %g below and %g above the limit %g", name, below, above, c.limit)
			}
		}
	})
	if HeavyBallLimit(0.5, 0) != 4 || NesterovLimit(0.5, 0) != 4 {
		t.Error("without momentum the limit is not 2/rate")
	}
}
