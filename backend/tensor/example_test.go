package tensor_test

import (
	"fmt"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

func Example() {
	x, err := tensor.New(shapes.Make(dtypes.Float32, 2, 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	flat := tensor.Of[float32](x)
	flat[4] = 1.5
	fmt.Println(x.Shape, flat)
	// Output: (Float32)[2, 3] [0 0 0 0 1.5 0]
}
