package stability_test

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/stability"
)

// Four examples whose gradients are orthogonal and of different lengths: the
// trace promises far more than is true.
func Example() {
	design, err := stability.NewDesign(mat.NewDense(4, 4, []float64{1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0.5}))
	if err != nil {
		panic(err)
	}
	for _, sampling := range []stability.Sampling{{Batch: 1}, {Batch: 2}, stability.FullBatch(4)} {
		exact, err := design.Threshold(context.Background(), sampling)
		if err != nil {
			panic(err)
		}
		conditions, err := design.Conditions(sampling)
		if err != nil {
			panic(err)
		}
		fmt.Printf("batch %d: stable up to %.3f, necessary by the trace %.3f, by the sharpness %.3f\n", sampling.Batch, exact, conditions.Trace, conditions.Sharpness)
	}
	// Output:
	// batch 1: stable up to 0.222, necessary by the trace 0.561, by the sharpness 0.889
	// batch 2: stable up to 0.356, necessary by the trace 1.123, by the sharpness 0.889
	// batch 4: stable up to 0.889, necessary by the trace 2.246, by the sharpness 0.889
}
