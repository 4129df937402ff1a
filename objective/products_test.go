package objective_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/objective"
)

// The mean of the products of single examples is the product with the Hessian of
// all, and each is that of a function of this example alone.
func TestChunkHessians(t *testing.T) {
	const n = 7
	whole := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, n, objective.Options{})
	single := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, n, objective.Options{Chunk: 1})
	v, want := make([]float64, whole.Dim()), make([]float64, whole.Dim())
	for i := range v {
		v[i] = math.Sin(float64(i))
	}
	if err := whole.HessianVector(t.Context(), want, v); err != nil {
		t.Fatal(err)
	}
	mean, count := make([]float64, len(v)), 0
	var third []float64
	if err := single.ChunkHessians(t.Context(), v, func(product []float64) error {
		if count == 3 {
			third = slices.Clone(product)
		}
		count++
		floats.AddScaled(mean, 1./n, product)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if count != n || !floats.EqualApprox(mean, want, 1e-14) {
		t.Errorf("the mean of %d products is %v, want %v", count, mean, want)
	}
	x, y := some(n, 3, 4)
	alone, err := objective.NewRisk(whole.Model(), x, y, objective.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := alone.HessianVector(t.Context(), want, v); err != nil || !floats.EqualApprox(third, want, 1e-14) {
		t.Errorf("the product of an example is %v, want %v (%v)", third, want, err)
	}
}

func TestChunkHessiansEnd(t *testing.T) {
	f := risk(t, tanhNet(), objective.CrossEntropy, dtypes.Float64, 5, objective.Options{Chunk: 1})
	v := make([]float64, f.Dim())
	if err := f.ChunkHessians(t.Context(), v[1:], nil); err == nil || !strings.Contains(err.Error(), "expected") {
		t.Errorf("a short vector: %v", err)
	}
	stop := errors.New("stop")
	if err := f.ChunkHessians(t.Context(), v, func([]float64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a visit that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := f.ChunkHessians(ctx, v, func([]float64) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ends: %v", err)
	}
}
