package kernel_test

import (
	"fmt"

	"github.com/descentml/descent/backend/kernel"
	"gonum.org/v1/gonum/mat"
)

func ExampleUseInGonum() {
	kernel.UseInGonum()

	a := mat.NewDense(2, 2, []float64{1, 2, 3, 4})
	var product mat.Dense
	product.Mul(a, a.T()) // with the kernels, if it were larger
	fmt.Println(mat.Formatted(&product))
	// Output:
	// ⎡ 5  11⎤
	// ⎣11  25⎦
}
