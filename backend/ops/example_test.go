package ops_test

import (
	"fmt"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

func Example() {
	matrix, err := tensor.FromFlat(shapes.Make(dtypes.Float32, 2, 3), []float32{1, 2, 3, 4, 5, 6})
	if err != nil {
		fmt.Println(err)
		return
	}
	sums, err := tensor.New(shapes.Make(dtypes.Float32, 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := ops.Reduce(compute.OpTypeReduceSum, sums, matrix, []int{0}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sums.Flat)
	fmt.Println(ops.Reduce(compute.OpTypeReduceSum, sums, matrix, []int{1}))
	// Output:
	// [5 7 9]
	// ReduceSum: output has shape (Float32)[3], expected (Float32)[2]
}
