package randommatrix_test

import (
	"fmt"

	"github.com/descentml/descent/analysis/randommatrix"
)

// A rate of 0.05 is tuned for batches of 16 out of 1,000 examples. The largest
// curvature of the data is 6, and noise adds 250/b to it.
func Example() {
	planner := randommatrix.Planner{
		Model: randommatrix.Model{Top: 6, Excess: 250},
		Rate:  0.05, Batch: 16, Examples: 1000,
	}
	for _, batch := range []int{16, 32, 64, 128} {
		rate, err := planner.At(batch)
		if err != nil {
			panic(err)
		}
		fmt.Printf("batch %d: rate %.3f\n", batch, rate)
	}
	// Output:
	// batch 16: rate 0.050
	// batch 32: rate 0.100
	// batch 64: rate 0.178
	// batch 128: rate 0.178
}
