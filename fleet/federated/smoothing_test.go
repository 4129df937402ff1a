package federated_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/model"
)

// Smoothed labels give the gradient of (1-s) times the loss of the labels plus
// s times the mean of the losses of all classes.
func TestLabelSmoothing(t *testing.T) {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	const rows, width, classes, share = 9, 6, 4, 0.1
	net, err := model.New("mlp:5", model.Input{Width: width})
	if err != nil {
		t.Fatal(err)
	}
	features, labels := digitsLike(rows, width, classes)
	gradient := func(labels []int32, smoothing float64) []float64 {
		o, err := federated.NewNetwork(federated.NetworkConfig{
			Backend: backend, Network: net, DType: dtypes.Float64, Seed: 1, Features: features, Width: width, Outputs: classes, Labels: labels, Smoothing: smoothing,
		})
		if err != nil {
			t.Fatal(err)
		}
		g := make([]float64, o.Dim())
		if _, err := o.Gradient(o.Initial(), g, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}); err != nil {
			t.Fatal(err)
		}
		return g
	}
	want := gradient(labels, 0)
	for i := range want {
		want[i] *= 1 - share
	}
	for k := range int32(classes) {
		for i, x := range gradient(slices.Repeat([]int32{k}, rows), 0) {
			want[i] += share / classes * x
		}
	}
	for i, x := range gradient(labels, share) {
		if math.Abs(x-want[i]) > 1e-12 {
			t.Errorf("parameter %d: %g, want %g", i, x, want[i])
		}
	}
	for _, bad := range []float64{-0.1, 1, math.NaN()} {
		if _, err := federated.NewNetwork(federated.NetworkConfig{
			Backend: backend, Network: net, Features: features, Width: width, Outputs: classes, Labels: labels, Smoothing: bad,
		}); err == nil {
			t.Errorf("smoothing %g: accepted", bad)
		}
	}
}
