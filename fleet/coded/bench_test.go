package coded_test

import (
	"context"
	"testing"

	"github.com/descentml/descent/fleet/coded"
)

// given is a gradient that is there already.
type given []float64

func (g given) Gradient(_ context.Context, _, _ int, _, dst []float64) error {
	copy(dst, g)
	return nil
}

// BenchmarkCompute sums four gradients of a million numbers with weights.
func BenchmarkCompute(b *testing.B) {
	const size = 1 << 20
	job := coded.Job{Number: 1, Parameters: make([]float64, size)}
	gradient := given(models(1, size)[0])
	sum, scratch := make(coded.Vector, size), make([]float64, size)
	for _, a := range []coded.Arithmetic{coded.Exact, coded.Real} {
		b.Run(a.String(), func(b *testing.B) {
			task := coded.Task{Job: 1, Chunks: []int{0, 1, 2, 3}, Weights: []uint64{1, 123456789, 987654321, 1 << 60}}
			b.SetBytes(4 * 8 * size)
			b.ReportAllocs()
			for b.Loop() {
				if err := coded.Compute(context.Background(), a, gradient, job, task, sum, scratch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
