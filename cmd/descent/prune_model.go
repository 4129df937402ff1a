package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/learner/prune"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// Training after a round of pruning, as published: SGD with momentum, and the
// last of its epochs at a tenth of the rate.
const (
	tuneRate  = 0.005
	tuneBatch = 32
)

// mostGradientBytes bounds the memory for gradients.
const mostGradientBytes = 4 << 30

// trainable is a saved model as what prunes and trains it sees it.
func trainable(backend compute.Backend, m *saved.Model) (stepper.Model, error) {
	net, err := model.New(m.Network, model.Input{Width: m.Encoder.Width(), Image: m.Encoder.Image()})
	if err != nil {
		return stepper.Model{}, err
	}
	dtype, err := driver.ParseDType(m.DType)
	loss := objective.SquaredError
	if m.Encoder.Task() == data.Classification {
		loss = objective.CrossEntropy
	}
	return stepper.Model{
		Backend: backend, Store: m.Weights(), DType: dtype, Loss: loss,
		Outputs: func(scope *gomodel.Scope, x *graph.Node) *graph.Node { return net.Logits(scope, x, m.Outputs()) },
	}, err
}

// prune prunes the saved model by a method and measures it.
func (f *pruneFlags) prune(ctx context.Context, backend compute.Backend, e *prunedExamples, method prune.Method, report *pruning) (pruned, *saved.Model, error) {
	result := pruned{Method: method.String()}
	m, err := saved.Load(backend, f.model)
	if err != nil {
		return result, nil, err
	}
	net, err := trainable(backend, m)
	if err != nil {
		return result, nil, err
	}
	n, err := prune.NewNetwork(net)
	if err != nil {
		return result, nil, err
	}
	if bytes := 8 * int64(f.settings.Gradients) * int64(n.Kept()); bytes > mostGradientBytes && method != prune.Magnitude {
		return result, nil, fmt.Errorf("%d gradients of %d weights take %d GiB: expected at most %d, choose fewer --gradients", f.settings.Gradients, n.Kept(), bytes>>30, mostGradientBytes>>30)
	}
	if len(report.Results) == 0 {
		report.Weights, report.Score = n.Weights(), "accuracy"
		if m.Encoder.Task() == data.Regression {
			report.Score = "R²"
		}
		if report.Before, err = score(ctx, m, e); err != nil {
			return result, nil, err
		}
	}
	settings := f.settings
	settings.Method = method
	if f.epochs > 0 {
		if settings.After, err = f.tuner(net, n, e); err != nil {
			return result, nil, err
		}
	}
	orders := map[int][]int{}
	err = n.Run(ctx, func(round, i int) (x, y *tensors.Tensor) {
		if orders[round] == nil {
			orders[round] = data.EpochOrder(e.train.Count, f.seed, round)
		}
		rows := make([]int, f.batchSize)
		for k := range rows {
			rows[k] = orders[round][(i*f.batchSize+k)%e.train.Count]
		}
		return e.batch(rows)
	}, settings)
	if err != nil {
		return result, nil, err
	}
	result.Left, result.Sparsity = n.Kept(), n.Sparsity()
	result.Score, err = score(ctx, m, e)
	return result, m, err
}

// tuner trains the weights that are left after each round.
func (f *pruneFlags) tuner(net stepper.Model, n *prune.Network, e *prunedExamples) (func(context.Context, int) error, error) {
	s, err := stepper.Optimizer(net, new(firstorder.Momentum))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, round int) error {
		for epoch := range f.epochs {
			rate := tuneRate
			if epoch > 0 && epoch == f.epochs-1 {
				rate /= 10
			}
			order := data.EpochOrder(e.train.Count, f.seed, 1_000_000+round*f.epochs+epoch)
			for rows := range slices.Chunk(order, tuneBatch) {
				if err := ctx.Err(); err != nil {
					return err
				}
				x, y := e.batch(rows)
				_, err := s.Step(rate, x, y)
				if err := errors.Join(err, x.FinalizeAll(), y.FinalizeAll(), n.Enforce()); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil
}

// batch is the given training examples.
func (e *prunedExamples) batch(rows []int) (x, y *tensors.Tensor) {
	width := len(e.train.Features) / e.train.Count
	var features, targets []float32
	var labels []int32
	for _, row := range rows {
		features = append(features, e.train.Features[row*width:(row+1)*width]...)
		if e.train.Labels != nil {
			labels = append(labels, e.train.Labels[row])
		} else {
			targets = append(targets, e.train.Targets[row])
		}
	}
	x = tensors.FromFlatDataAndDimensions(features, len(rows), width)
	if e.train.Labels != nil {
		return x, tensors.FromFlatDataAndDimensions(labels, len(rows), 1)
	}
	return x, tensors.FromFlatDataAndDimensions(targets, len(rows), 1)
}

// score is the accuracy or R² of a model on the test rows.
func score(ctx context.Context, m *saved.Model, e *prunedExamples) (float64, error) {
	predictions, err := m.Predict(ctx, e.table)
	if err != nil {
		return 0, err
	}
	if m.Encoder.Task() == data.Regression {
		return explained(predictions, e), nil
	}
	labels, err := m.Encoder.Labels(e.table, e.split.Test)
	if err != nil {
		return 0, err
	}
	correct := 0
	for i, row := range e.split.Test {
		probabilities := predictions[row*m.Outputs() : (row+1)*m.Outputs()]
		if slices.Index(probabilities, slices.Max(probabilities)) == int(labels[i]) {
			correct++
		}
	}
	return float64(correct) / float64(len(labels)), nil
}

// explained is the coefficient of determination on the test rows.
func explained(predictions []float64, e *prunedExamples) float64 {
	mean := 0.0
	for _, row := range e.split.Test {
		mean += e.table.Target.Numbers[row] / float64(len(e.split.Test))
	}
	residual, total := 0.0, 0.0
	for _, row := range e.split.Test {
		y := e.table.Target.Numbers[row]
		residual += (y - predictions[row]) * (y - predictions[row])
		total += (y - mean) * (y - mean)
	}
	return 1 - residual/total
}
