package objective_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// network is a classifier of 64 inputs and 10 classes on 1000 examples.
func network(b *testing.B, specification string, o objective.Options) *objective.Risk {
	b.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		b.Fatal(err)
	}
	net, err := model.New(specification, model.Input{Width: 64})
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	x, y := make([]float32, 64*1000), make([]int32, 1000)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	for i := range y {
		y[i] = int32(i % 10)
	}
	f, err := objective.NewRisk(objective.Model{
		Backend: backend, Store: gomodel.NewStore(), DType: dtypes.Float32, Loss: objective.CrossEntropy,
		Outputs: func(scope *gomodel.Scope, x *Node) *Node { return net.Logits(scope, x, 10) },
	}, tensors.FromFlatDataAndDimensions(x, 1000, 64), tensors.FromFlatDataAndDimensions(y, 1000, 1), o)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkHessianVector says what a vector costs in blocks of several sizes.
func BenchmarkHessianVector(b *testing.B) {
	for _, specification := range []string{"mlp:32", "mlp:256,128"} {
		for _, block := range []int{1, 2, 5, 10} {
			f := network(b, specification, objective.Options{Block: block})
			b.Run(fmt.Sprintf("%s in blocks of %d", specification, block), func(b *testing.B) {
				h := f.Hessian(b.Context())
				var v, dst [][]float64
				for range block {
					v, dst = append(v, make([]float64, f.Dim())), append(dst, make([]float64, f.Dim()))
				}
				for _, row := range v {
					for i := range row {
						row[i] = float64(i%5) - 2
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := h.ApplyBlock(dst, v); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(block), "µs/vector")
			})
		}
	}
}

// BenchmarkGradient is a gradient, for comparison with the products.
func BenchmarkGradient(b *testing.B) {
	f := network(b, "mlp:256,128", objective.Options{})
	dst := make([]float64, f.Dim())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Gradient(b.Context(), dst); err != nil {
			b.Fatal(err)
		}
	}
}
