package driver_test

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
)

// Train a small network on iris with diffGrad. Errors are left out for brevity.
func Example() {
	ctx := context.Background()
	table, _ := data.Open(ctx, "iris", data.Options{})
	split, _ := data.NewSplit(table, 0.2, 0.2, rand.New(rand.NewPCG(1, 2)))
	encoder, _ := data.Fit(table, split.Train)
	problem, _ := driver.NewProblem(table, split, encoder, "mlp:16", dtypes.Float32)

	trial := driver.Trial{Method: "diffgrad", LearningRate: 0.03, Seed: 1, BatchSize: 16, Epochs: 50}
	outcome, _ := driver.Train(ctx, newBackend(), problem, trial, nil, driver.Hooks{})
	fmt.Println(problem.ScoreName(), "above 0.9:", outcome.Test.Score > 0.9)
	// Output: accuracy above 0.9: true
}
