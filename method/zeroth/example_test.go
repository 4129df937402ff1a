package zeroth_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/descentml/descent/method/zeroth"
)

// A function of 10 variables of which only values are known.
func Example() {
	box, err := zeroth.NewEvaluator(10, func(_ context.Context, x []float64) (float64, error) {
		sum := 0.0
		for i, v := range x {
			sum += math.Abs(v-0.3) * float64(i+1)
		}
		return math.Sqrt(1 + sum*sum), nil
	})
	if err != nil {
		panic(err)
	}
	start := []float64{0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8}
	optimizer := zeroth.Optimizer{LearningRate: 0.02, Active: 2}
	best, err := optimizer.Minimise(context.Background(), box, start, 60, rand.New(rand.NewPCG(1, 0)), nil)
	if err != nil {
		panic(err)
	}
	first, err := box.Value(context.Background(), start)
	if err != nil {
		panic(err)
	}
	fmt.Printf("from %.0f to below 2: %v, after %d values\n", first, best.Value < 2, best.Calls)
	// Output: from 28 to below 2: true, after 191 values
}
