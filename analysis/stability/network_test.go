package stability_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/stability"
	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// network is a network of 3 inputs with inputs and labels for 9 examples.
func network(t *testing.T, outputs int) (m objective.Model, x, y *tensors.Tensor) {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.New("mlp:4", model.Input{Width: 3})
	if err != nil {
		t.Fatal(err)
	}
	store := gomodel.NewStore()
	if err := store.SetRNGStateFromSeed(3); err != nil {
		t.Fatal(err)
	}
	features, labels := make([]float64, 27), make([]float64, 9)
	for i := range features {
		features[i], labels[i/3] = math.Sin(float64(i*i)), math.Cos(float64(i))
	}
	return objective.Model{
		Backend: backend, Store: store, DType: dtypes.Float64, Loss: objective.SquaredError,
		Outputs: func(scope *gomodel.Scope, x *graph.Node) *graph.Node { return net.Logits(scope, x, outputs) },
	}, tensors.FromFlatDataAndDimensions(features, 9, 3), tensors.FromFlatDataAndDimensions(labels, 9, 1)
}

// The Gauss-Newton matrix of the squared error, which has no factor 1/2, is
// twice the Gram matrix of the design.
func TestDesignOfANetwork(t *testing.T) {
	m, x, y := network(t, 1)
	d, err := stability.OfModel(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	f, err := objective.NewRisk(m, x, y, objective.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := objective.Matrix(f.GaussNewton(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	got := d.Hessian()
	got.ScaleSym(2, got)
	if !mat.EqualApprox(got, want, 1e-12) {
		t.Errorf("twice the Gram matrix is\n%v\nand the Gauss-Newton matrix\n%v", mat.Formatted(got), mat.Formatted(want))
	}
}

func TestDesignsThatCannotBeMade(t *testing.T) {
	m, x, _ := network(t, 2)
	if _, err := stability.OfModel(t.Context(), m, x); err == nil || !strings.Contains(err.Error(), "2 outputs") {
		t.Errorf("two outputs: %v", err)
	}
	m, x, _ = network(t, 1)
	if _, err := stability.OfModel(t.Context(), m, tensors.FromValue(1.0)); err == nil || !strings.Contains(err.Error(), "at least one example") {
		t.Errorf("no examples: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stability.OfModel(ctx, m, x); err == nil {
		t.Error("a context that has ended was ignored")
	}
}
