package gemm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/backend/kernel/workers"
)

// shapes are m, k, n of the products for which there are targets.
var shapes = [][3]int{
	{512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048},
	{64, 32, 64}, {128, 784, 256}, {256, 64, 10}, {1, 784, 256}, {1024, 1024, 1},
}

func BenchmarkFloat32(b *testing.B) { benchmark(b, Float32) }

func BenchmarkFloat64(b *testing.B) { benchmark(b, Float64) }

func benchmark[T number](b *testing.B, f multiply[T]) {
	for _, size := range []int{1, 2} {
		pool := workers.New(size)
		defer pool.Close()
		options := Options{Parallel: pool.Run} // made once: a method value allocates
		for _, s := range shapes {
			for form, name := range []string{"NN", "TN", "NT", "TT"} {
				p := &problem[T]{m: s[0], k: s[1], n: s[2], alpha: 1, transA: form&1 != 0, transB: form&2 != 0}
				p.fill(rand.New(rand.NewPCG(1, 2)))
				b.Run(fmt.Sprintf("%dx%dx%d/%s/workers=%d", p.m, p.k, p.n, name, size), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := f(p.transA, p.transB, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 0, p.c, p.ldc, options); err != nil {
							b.Fatal(err)
						}
					}
					operations := 2 * float64(p.m) * float64(p.n) * float64(p.k) * float64(b.N)
					b.ReportMetric(operations/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		}
	}
}
