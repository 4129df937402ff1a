package curriculum_test

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/fleet/federated/curriculum"
)

// Two clients learn to tell numbers below 50 from those above, from the clear
// cases to the close ones. Errors are left out for brevity.
func Example() {
	var features, labels = mat.NewDense(100, 2, nil), make([]int, 100)
	shards := make([][]int, 2)
	for i := range 100 {
		features.SetRow(i, []float64{1, float64(i)/50 - 1})
		labels[i] = i / 50
		shards[i%2] = append(shards[i%2], i)
	}
	objective, _ := federated.NewSoftmax(features, labels, 2)
	plan, _ := curriculum.ParseSamples("curriculum:score=global,pacing=linear,a=0.8,b=0.2,minimum=8")
	sampler, _ := curriculum.NewSampler(plan, nil)
	trainer, _ := federated.NewTrainer(objective, shards, sampler)
	pool, _ := federated.NewPool(trainer)
	times, _ := federated.NewFixed([]float64{1, 1})
	clients, _ := curriculum.ParseClients("curriculum:b=0.5")
	selection, _ := curriculum.NewSelection(curriculum.SelectionConfig{
		Plan: clients, Clients: 2, Group: 1, Budget: 20, Times: times, Objective: objective.Clone(), Shards: shards,
	})
	engine, _ := federated.NewEngine(federated.Config{
		Clients: 2, Schedule: selection, Executor: pool, Local: federated.Local{Epochs: 5, Batch: 5, LearningRate: 0.5, Momentum: 0.9},
	}, make([]float64, objective.Dim()))
	for selection.More() {
		engine.Step(context.Background())
	}
	wrong := make([]bool, 100)
	objective.Evaluate(engine.State().Parameters, slices.Concat(shards...), nil, wrong)
	fmt.Println(plan)
	fmt.Println("updates:", engine.State().Contributions, "any wrong:", slices.Contains(wrong, true))
	// Output:
	// curriculum:score=global,pacing=linear,a=0.8,b=0.2,minimum=8
	// updates: 20 any wrong: false
}
