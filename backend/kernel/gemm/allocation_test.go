//go:build !race

// The race detector makes sync.Pool forget at random.

package gemm

import (
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/backend/kernel/workers"
)

func TestNoAllocation(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	random := rand.New(rand.NewPCG(1, 1))
	eachLevel(t, func(t *testing.T) {
		for _, s := range [][3]int{{64, 64, 32}, {80, 90, 450}, {256, 10, 64}, {1, 300, 200}, {300, 1, 200}} {
			for form := range 4 {
				p := &problem[float32]{m: s[0], n: s[1], k: s[2], alpha: 1, transA: form&1 != 0, transB: form&2 != 0, count: form, padding: 1}
				p.fill(random)
				options := Options{Parallel: pool.Run, Batch: Batch{p.count, p.strideA, p.strideB, p.strideC}}
				multiply := func() {
					if err := Float32(p.transA, p.transB, p.m, p.n, p.k, 1, p.a, p.lda, p.b, p.ldb, 1, p.c, p.ldc, options); err != nil {
						t.Fatal(err)
					}
				}
				for range 20 {
					multiply()
				}
				if n := testing.AllocsPerRun(20, multiply); n >= 1 {
					t.Errorf("%+v: %v allocations", p.shape(), n)
				}
			}
		}
	})
}
