package federated_test

import (
	"context"
	"fmt"

	"github.com/descentml/descent/fleet/federated"
)

// Four clients whose losses are |x - c_i|²/2, and who need 1 to 0.2 units of
// time for a local work: with FedFix's weights the slow ones count as much as
// the fast ones, and the mean of the c_i comes out.
func Example() {
	ctx := context.Background()
	objective, _ := federated.NewQuadratic([][]float64{{1}, {2}, {3}, {10}}, nil)
	trainer, _ := federated.NewTrainer(objective, federated.Singles(4), nil)
	pool, _ := federated.NewPool(trainer)
	times, _ := federated.NewSpread(4, 80)
	strategy, _ := federated.ParseStrategy("fedfix:delta=0.2")

	config := federated.Config{Clients: 4, Local: federated.Local{Steps: 1, LearningRate: 0.002}, Executor: pool}
	if err := strategy.Configure(ctx, &config, times, 2000); err != nil {
		panic(err)
	}
	engine, err := federated.NewEngine(config, []float64{0})
	if err != nil {
		panic(err)
	}
	fmt.Println(engine.Until(ctx, 2000, nil))
	fmt.Printf("x = %.1f after %d aggregations of %d works\n", engine.State().Parameters[0], engine.State().Round, engine.State().Contributions)
	// Output:
	// <nil>
	// x = 4.0 after 10000 aggregations of 17833 works
}
