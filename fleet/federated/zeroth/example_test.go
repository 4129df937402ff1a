package zeroth_test

import (
	"context"
	"fmt"

	"github.com/descentml/descent/fleet/federated/zeroth"
	"github.com/descentml/descent/fleet/federated/zeroth/problem"
)

// Five clients with different functions of 20 variables.
func Example() {
	p, err := problem.Quadratic(problem.Difference{Clients: 5, Dim: 40, C: 5, Seed: 1000})
	if err != nil {
		panic(err)
	}
	for _, strategy := range []zeroth.Strategy{zeroth.FedZO, zeroth.FZooS} {
		plan := zeroth.Default(strategy, p.Dim, len(p.Clients), 1000)
		plan.Features, plan.Random = 300, true
		simulation, err := zeroth.NewSimulation(plan, p.Clients, p.Start)
		if err != nil {
			panic(err)
		}
		err = simulation.Run(context.Background(), 5, func(o zeroth.Observation) error {
			value, err := p.Value(context.Background(), o.X)
			if err == nil && o.Round == 5 {
				fmt.Printf("%s: within 0.5 of the minimum: %v, after %d queries\n", strategy, value-p.Minimum < 0.5, o.Totals.Queries)
			}
			return err
		})
		if err != nil {
			panic(err)
		}
	}
	// Output:
	// fedzo: within 0.5 of the minimum: false, after 5250 queries
	// fzoos: within 0.5 of the minimum: true, after 2725 queries
}
