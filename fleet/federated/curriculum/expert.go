package curriculum

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/federated"
)

// The paper's training of an expert.
const (
	expertEpochs = 10
	expertBatch  = 64
	// ExpertSmoothing is the label smoothing of the paper's expert, for the
	// objective that it is trained on.
	ExpertSmoothing = 0.1
)

// Expert trains the model that [ExpertLoss] judges by: on the rows of all
// clients together, from the initial parameters, with the learning rate,
// momentum and decay of the clients' local work, for 10 epochs in batches of
// 64. That such data can be pooled makes the score an oracle.
func Expert(ctx context.Context, o federated.Objective, rows []int, initial []float64, local federated.Local, seed uint64) ([]float64, error) {
	if len(rows) == 0 {
		return nil, errors.New("an expert without samples: expected at least one")
	}
	local.Epochs, local.Steps, local.Batch, local.Proximal = expertEpochs, 0, expertBatch, 0
	trainer, err := federated.NewTrainer(o, [][]int{rows}, nil)
	if err != nil {
		return nil, err
	}
	var result federated.Result
	task := federated.Task{Seed: seed, Local: local, Parameters: initial}
	if err := trainer.Work(ctx, &task, &result); err != nil {
		return nil, fmt.Errorf("training an expert: %w", err)
	}
	expert := slices.Clone(initial)
	floats.Add(expert, result.Difference)
	return expert, nil
}
