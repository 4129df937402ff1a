package gemm_test

import (
	"fmt"

	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/backend/kernel/workers"
)

// A dense layer: outputs = inputs weights' + bias, where C has the bias in each
// of its rows before.
func Example() {
	inputs := []float32{1, 2, 3, 4, 5, 6}   // 2 examples of 3
	weights := []float32{1, 0, 1, 0, 1, -1} // 2 outputs of 3
	outputs := []float32{10, 20, 10, 20}

	pool := workers.New(0)
	defer pool.Close()
	err := gemm.Float32(false, true, 2, 2, 3, 1, inputs, 3, weights, 3, 1, outputs, 2, gemm.Options{Parallel: pool.Run})
	fmt.Println(outputs, err)
	// Output: [14 19 20 19] <nil>
}
