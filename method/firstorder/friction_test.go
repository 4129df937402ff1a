package firstorder

import (
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"pgregory.net/rapid"
)

// The friction itself, and not the step over that of Adam, which cannot be
// formed where squares overflow, keeps its range on any pair of gradients: no
// number is too small or too large for it.
func TestFrictionIsBoundedOnExtremeGradients(t *testing.T) {
	const size = 4
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	ranges := [][2]float64{DFC: {0.5, 1}, DFC1: {0, 1}, DFC2: {0.5, 5}, DFC3: {0, 1}, DFC4: {0, 1}, DFC5: {0, 1}}
	exec, err := NewExec(backend, func(previous, gradient *Node) []*Node {
		xi := make([]*Node, len(ranges))
		for f := range ranges {
			xi[f] = Friction(f).of(Sub(previous, gradient), gradient)
		}
		return xi
	})
	if err != nil {
		t.Fatal(err)
	}
	gradient := rapid.SliceOfN(rapid.OneOf(
		rapid.Float64Range(-10, 10),
		rapid.Float64Range(-8e307, 8e307), // so that the difference of two is finite
		rapid.SampledFrom([]float64{0, 1e-300, -1e-300, 1e300, -1e300, 5e-324}),
	), size, size)
	rapid.Check(t, func(t *rapid.T) {
		previous, now := gradient.Draw(t, "previous gradient"), gradient.Draw(t, "gradient")
		outputs, err := exec.Call(previous, now)
		if err != nil {
			t.Fatal(err)
		}
		for f, bounds := range ranges {
			xi := tensors.MustCopyFlatData[float64](outputs[f])
			for i, x := range xi {
				if !(bounds[0] <= x && x <= bounds[1]) {
					t.Fatalf("%s: friction %g from the gradient %g to %g, expected within %v", Friction(f), x, previous[i], now[i], bounds)
				}
			}
		}
	})
	// The paper gives 0.5 as the lower end of the last three. As printed they
	// are sigma(-mu) on a gradient that does not change.
	constant := []float64{1, -2, 4, -5}
	outputs, err := exec.Call(constant, constant)
	if err != nil {
		t.Fatal(err)
	}
	for f := DFC3; f <= DFC5; f++ {
		for _, xi := range tensors.MustCopyFlatData[float64](outputs[f]) {
			if want := 1 / (1 + math.Exp(3)); math.Abs(xi-want) > 1e-15 {
				t.Errorf("%s of a constant gradient with the mean size 3: %g, expected %g", f, xi, want)
			}
		}
	}
}
