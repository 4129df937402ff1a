package gemm_test

import (
	"fmt"

	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/backend/kernel/workers"
)

// A dense layer: outputs = inputs weights' + bias, where the bias is added to
// each block of the product while it is in the cache.
func Example() {
	inputs := []float32{1, 2, 3, 4, 5, 6}   // 2 examples of 3
	weights := []float32{1, 0, 1, 0, 1, -1} // 2 outputs of 3
	bias := []float32{10, 20}
	outputs := make([]float32, 2*2)

	pool := workers.New(0)
	defer pool.Close()
	err := gemm.Float32(false, true, 2, 2, 3, 1, inputs, 3, weights, 3, 0, outputs, 2, gemm.Options{
		Parallel: pool.Run,
		Done: func(b gemm.Block) {
			for row := b.Row; row < b.Row+b.Rows; row++ {
				for column := b.Column; column < b.Column+b.Columns; column++ {
					outputs[row*2+column] += bias[column]
				}
			}
		},
	})
	fmt.Println(outputs, err)
	// Output: [14 19 20 19] <nil>
}
