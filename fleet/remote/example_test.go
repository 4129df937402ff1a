package remote_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/remote"
)

// Four clients with losses |x - c|²/2, on a worker of a fleet: FedAvg finds the
// mean of the c.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	server, err := link.StartServer(link.ServerConfig{Log: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	build := func(context.Context, json.RawMessage) (federated.Client, error) {
		objective, err := federated.NewQuadratic([][]float64{{1}, {2}, {3}, {10}}, nil)
		if err != nil {
			return nil, err
		}
		return federated.NewTrainer(objective, federated.Singles(4), nil)
	}
	theirs, _ := link.Connect(ctx, server.Worker()) // in the worker's process
	go cluster.Serve(ctx, theirs, cluster.Worker{Name: "w00", Log: quiet, Tasks: cluster.Tasks{
		remote.FederatedName: remote.FederatedTask(build),
	}})

	ours, _ := server.Connect(ctx, "coordinator", "")
	pool, _ := cluster.NewPool(ours, cluster.PoolConfig{Log: quiet})
	defer pool.Close()
	times, _ := federated.NewSpread(4, 0)
	strategy, _ := federated.ParseStrategy("fedavg")
	config := federated.Config{Clients: 4, Local: federated.Local{Steps: 5, LearningRate: 0.1}, Executor: remote.NewFederated(pool, "means", []byte("{}"), nil, quiet)}
	if err := strategy.Configure(ctx, &config, times, 30); err != nil {
		fmt.Println(err)
		return
	}
	engine, err := federated.NewEngine(config, []float64{0})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = engine.Until(ctx, 30, nil)
	fmt.Printf("x = %.3f after %d works, %v\n", engine.State().Parameters[0], engine.State().Contributions, err)
	// Output: x = 4.000 after 120 works, <nil>
}
