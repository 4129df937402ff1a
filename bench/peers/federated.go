//go:build unix

package main

import (
	"context"
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/fleet/federated"
	network "github.com/descentml/descent/model"
)

const (
	federatedClients = 100
	federatedRows    = 1797 // of digits
	federatedWidth   = 64
)

// federatedRound is a round of FedAvg over 100 clients that hold digits in
// equal parts: each takes 10 steps of SGD on 10 of its examples with the network
// 64-64-10, and the server adds up the differences.
func federatedRound() work {
	return work{name: "federated round of 100 clients on digits", prepare: func() (func() error, error) {
		engine, err := federatedEngine()
		if err != nil {
			return nil, err
		}
		ctx := context.Background()
		return func() error { _, err := engine.Step(ctx); return err }, nil
	}}
}

func federatedEngine() (*federated.Engine, error) {
	net, err := network.New("mlp:64", network.Input{Width: federatedWidth})
	if err != nil {
		return nil, err
	}
	features := tensors.MustCopyFlatData[float32](values(dtypes.Float32, federatedRows, federatedWidth))
	labels := tensors.MustCopyFlatData[int32](values(dtypes.Int32, federatedRows))
	objective, err := federated.NewNetwork(federated.NetworkConfig{
		Backend: compute.MustNew(), Network: net, Seed: 1, Features: features, Width: federatedWidth, Outputs: 10, Labels: labels, Batch: 10,
	})
	if err != nil {
		return nil, err
	}
	shards := make([][]int, federatedClients)
	for row := range federatedRows {
		shards[row%federatedClients] = append(shards[row%federatedClients], row)
	}
	var workers []federated.Client
	for range runtime.GOMAXPROCS(0) {
		trainer, err := federated.NewTrainer(objective.Clone(), shards, nil)
		if err != nil {
			return nil, err
		}
		workers = append(workers, trainer)
	}
	pool, err := federated.NewPool(workers...)
	if err != nil {
		return nil, err
	}
	times, err := federated.NewSpread(federatedClients, 0)
	if err != nil {
		return nil, err
	}
	return federated.NewEngine(federated.Config{
		Clients: federatedClients, Schedule: &federated.Synchronous{Times: times}, Executor: pool,
		Local: federated.Local{Steps: 10, Batch: 10, LearningRate: 0.01},
	}, objective.Initial())
}
