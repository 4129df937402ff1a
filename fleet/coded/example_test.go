package coded_test

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/objective"
)

// A line through four points, found by three workers of which one may be late.
func Example() {
	x := mat.NewDense(4, 1, []float64{0, 1, 2, 3})
	y := []float64{1, 3, 5, 7}
	scheme, err := coding.New(coding.Spec{Kind: coding.GC, S: 1}, 3, 200)
	if err != nil {
		fmt.Println(err)
		return
	}
	bounds := scheme.Placement().Bounds(len(y))
	var workers []coded.Gradients
	for range scheme.Workers() {
		workers = append(workers, coded.LinearChunks(x, y, bounds, objective.LinearOptions{Intercept: true}))
	}
	master, err := coded.NewMaster(coded.Config{Scheme: scheme, Models: [][]float64{{0, 0}}, Optimizer: &coded.SGD{LearningRate: 0.2, Momentum: 0.5}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := master.Train(context.Background(), coded.NewLocal(workers, nil)); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("y = %.3f x + %.3f\n", master.Parameters(0)[0], master.Parameters(0)[1])
	// Output: y = 2.000 x + 1.000
}
