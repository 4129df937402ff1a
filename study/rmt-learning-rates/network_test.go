package rmtlearningrates

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"gonum.org/v1/gonum/floats"

	_ "github.com/descentml/descent/backend"
)

func randomExamples(count, width int, rng *rand.Rand) *examples {
	e := &examples{width: width}
	for range count {
		for range width {
			e.x = append(e.x, rng.NormFloat64())
		}
		e.labels = append(e.labels, int32(rng.IntN(10)))
	}
	return e
}

// The gradient is the slope of the loss, and the Hessian's product that of the
// gradient.
func TestNetworkDerivatives(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	n := newNetwork(randomExamples(12, 5, rng), 7, 6)
	w, rows := n.initial(rng), []int{3, 1, 8, 8, 11}
	v, g, h := make([]float64, n.dim()), make([]float64, n.dim()), make([]float64, n.dim())
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	n.gradient(w, rows, g)
	n.hessian(w, rows)
	n.hessianVector(v, h)
	const step = 1e-6
	at := func(t float64, g []float64) float64 {
		return n.gradient(floats.AddScaledTo(make([]float64, len(w)), w, t, v), rows, g)
	}
	up, down := make([]float64, n.dim()), make([]float64, n.dim())
	slope := (at(step, up) - at(-step, down)) / (2 * step)
	if want := floats.Dot(g, v); math.Abs(slope-want) > 1e-7*math.Abs(want) {
		t.Errorf("slope %g, gradient %g", slope, want)
	}
	floats.Sub(up, down)
	floats.Scale(1/(2*step), up)
	if far := floats.Distance(up, h, 2); far > 1e-6*floats.Norm(h, 2) {
		t.Errorf("the product with the Hessian is %g off, of %g", far, floats.Norm(h, 2))
	}
}

// A batch's Hessian is the mean of those of its examples.
func TestBatchIsTheMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	n := newNetwork(randomExamples(6, 4, rng), 5)
	w := n.initial(rng)
	v, h, one, mean := make([]float64, n.dim()), make([]float64, n.dim()), make([]float64, n.dim()), make([]float64, n.dim())
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	n.hessian(w, n.data.all())
	n.hessianVector(v, h)
	for i := range 6 {
		n.hessian(w, []int{i})
		n.hessianVector(v, one)
		floats.AddScaled(mean, 1./6, one)
	}
	if far := floats.Distance(mean, h, 2); far > 1e-12*floats.Norm(h, 2) {
		t.Errorf("%g off, of %g", far, floats.Norm(h, 2))
	}
}

// The graph that trainings run has the loss, the gradient and the Hessian of the
// closed form.
func TestGraphAgrees(t *testing.T) {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 1))
	n := newNetwork(randomExamples(9, 5, rng), 7, 6)
	w := n.initial(rng)
	for i := range w {
		w[i] += 0.1 * rng.NormFloat64() // biases too
	}
	model, err := newTrainable(backend, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := model.SetParameters(w); err != nil {
		t.Fatal(err)
	}
	g, h, v := make([]float64, n.dim()), make([]float64, n.dim()), make([]float64, n.dim())
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	loss := n.gradient(w, n.data.all(), g)
	n.hessianVector(v, h)
	got := make([]float64, n.dim())
	value, err := model.Gradient(t.Context(), got)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(value-loss) > 1e-12 || floats.Distance(got, g, 2) > 1e-12 {
		t.Errorf("loss %g and %g, gradients %g apart", value, loss, floats.Distance(got, g, 2))
	}
	if err := model.HessianVector(t.Context(), got, v); err != nil {
		t.Fatal(err)
	}
	if floats.Distance(got, h, 2) > 1e-10 {
		t.Errorf("Hessian products %g apart", floats.Distance(got, h, 2))
	}
}
