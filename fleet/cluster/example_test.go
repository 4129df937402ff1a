package cluster_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// A server, a worker that knows one task, and a coordinator that asks for it.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	quiet := slog.New(slog.DiscardHandler)
	server, err := link.StartServer(link.ServerConfig{Log: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	sum := func(_ context.Context, w cluster.Work) (cluster.Result, error) {
		numbers, err := w.Tensor.Float64s()
		total := 0.0
		for _, x := range numbers {
			total += x
		}
		return cluster.Result{Tensor: frame.Of64([]float64{total})}, err
	}
	theirs, _ := link.Connect(ctx, server.Worker()) // in the worker's process
	go cluster.Serve(ctx, theirs, cluster.Worker{Name: "w00", Tasks: cluster.Tasks{"sum": sum}, Log: quiet})

	ours, _ := server.Connect(ctx, "coordinator", "")
	pool, _ := cluster.NewPool(ours, cluster.PoolConfig{Log: quiet})
	defer pool.Close()
	reply, err := pool.Do(ctx, cluster.Call{ID: cluster.ID{Job: "demo"}, Task: "sum", Tensor: frame.Of64([]float64{1, 2, 3.5})})
	if err != nil {
		fmt.Println(err)
		return
	}
	total, err := reply.Tensor.Float64s()
	fmt.Println(reply.Worker, total, err)
	// Output: w00 [6.5] <nil>
}
