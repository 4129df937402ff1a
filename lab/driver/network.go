package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/stepper"
)

// evaluationBatch is the number of examples that one evaluation call takes.
const evaluationBatch = 256

// network is a problem's model with its weights, ready to step and evaluate.
type network struct {
	problem  *Problem
	backend  compute.Backend
	store    *model.Store
	stepper  stepper.Stepper
	evaluate *model.Exec

	features []float32 // buffers of one batch, reused
	labels   []int32
	targets  []float32
	rows     []int
}

// newNetwork builds the model of a problem over the given store, whose
// variables (after a checkpoint) are kept, with initial weights from the
// trial's seed, to be trained by the method.
func newNetwork(backend compute.Backend, p *Problem, store *model.Store, method *method.Builder, t Trial) (*network, error) {
	if store.GetVariable(model.JoinPath("/", model.RNGStateVariableName)) == nil {
		if err := store.SetRNGStateFromSeed(int64(t.Seed)); err != nil {
			return nil, fmt.Errorf("seeding the weights: %w", err)
		}
	}
	n := &network{problem: p, backend: backend, store: store}
	m := stepper.Model{
		Backend: backend, Store: store, DType: p.DType, Loss: p.loss(),
		Outputs: func(scope *model.Scope, x *graph.Node) *graph.Node {
			return p.Network.Logits(scope, x, p.Outputs)
		},
		StepsPerEpoch: t.StepsPerEpoch(p), Steps: t.Epochs * t.StepsPerEpoch(p),
	}
	var err error
	if n.stepper, err = method.Stepper(m); err != nil {
		return nil, err
	}
	n.evaluate, err = model.NewExec(backend, store, func(scope *model.Scope, x, y *graph.Node) (loss, score *graph.Node) {
		y = m.Cast(y)
		outputs := m.Outputs(scope, m.Cast(x))
		return m.Loss(y, outputs), p.scoreTerm(y, outputs)
	})
	return n, err
}

// scoreTerm is the sum over a batch of what the score is made of: correct
// predictions, or squared errors.
func (p *Problem) scoreTerm(labels, outputs *graph.Node) *graph.Node {
	if p.Task == data.Classification {
		predicted := graph.ArgMax(outputs, -1, dtypes.Int32)
		hit := graph.Equal(predicted, graph.Squeeze(labels, -1))
		return graph.ReduceAllSum(graph.ConvertDType(hit, p.DType))
	}
	return graph.ReduceAllSum(graph.Square(graph.Sub(outputs, labels)))
}

// compile builds and compiles the training step for the batches of an epoch,
// so that the first steps are not timed with it.
func (n *network) compile(batchSize int) error {
	label := dtypes.Float32
	if n.problem.Task == data.Classification {
		label = dtypes.Int32
	}
	count := n.problem.Train.Count
	for _, size := range []int{min(batchSize, count), count % batchSize} {
		if size == 0 {
			continue
		}
		x, y := shapes.Make(dtypes.Float32, size, n.problem.Width), shapes.Make(label, size, 1)
		if err := n.stepper.Compile(x, y); err != nil {
			return err
		}
	}
	return nil
}

func (n *network) variables() (*model.Store, error) { return n.store, nil }

// batch copies the given examples into tensors [len(rows), width] and [len(rows), 1].
func (n *network) batch(e *Examples, rows []int) (x, y *tensors.Tensor, err error) {
	width := n.problem.Width
	n.features = n.features[:0]
	for _, row := range rows {
		n.features = append(n.features, e.Features[row*width:(row+1)*width]...)
	}
	x = tensors.FromFlatDataAndDimensions(n.features, len(rows), width)
	if e.Labels != nil {
		n.labels = gather(n.labels, e.Labels, rows)
		y = tensors.FromFlatDataAndDimensions(n.labels, len(rows), 1)
	} else {
		n.targets = gather(n.targets, e.Targets, rows)
		y = tensors.FromFlatDataAndDimensions(n.targets, len(rows), 1)
	}
	// GoMLX would do this too, but after it has made an error of it.
	shared := n.backend.HasSharedBuffers()
	return x, y, errors.Join(x.MaterializeOnDevice(n.backend, shared, 0), y.MaterializeOnDevice(n.backend, shared, 0))
}

func gather[T any](buffer, values []T, rows []int) []T {
	buffer = buffer[:0]
	for _, row := range rows {
		buffer = append(buffer, values[row])
	}
	return buffer
}

// advance takes one training step on the given examples.
func (n *network) advance(rate float64, e *Examples, rows []int) (stepper.Step, error) {
	x, y, err := n.batch(e, rows)
	if err != nil {
		return stepper.Step{}, err
	}
	step, err := n.stepper.Step(rate, x, y)
	return step, errors.Join(err, finalize(x, y))
}

// evaluated is the mean loss of a batch and the sum that its score is made of.
func (n *network) evaluated(e *Examples, rows []int) (loss, score float64, err error) {
	x, y, err := n.batch(e, rows)
	if err != nil {
		return 0, 0, err
	}
	outputs, err := n.evaluate.Exec(x, y)
	if err != nil {
		return 0, 0, err
	}
	loss, lossErr := stepper.Scalar(outputs[0])
	score, scoreErr := stepper.Scalar(outputs[1])
	return loss, score, errors.Join(lossErr, scoreErr, finalize(x, y))
}

func finalize(list ...*tensors.Tensor) error {
	var errs []error
	for _, t := range list {
		errs = append(errs, t.FinalizeAll())
	}
	return errors.Join(errs...)
}

// Measure is the mean loss and the score over a part of the data.
type Measure struct {
	Loss, Score float64
}

// measure evaluates the given examples (nil: all of them) with the present weights.
func (n *network) measure(ctx context.Context, e *Examples, examples []int) (Measure, error) {
	if examples == nil {
		examples = n.allRows(e.Count)
	}
	var loss, score float64
	for rows := range slices.Chunk(examples, evaluationBatch) {
		if err := ctx.Err(); err != nil {
			return Measure{}, err
		}
		meanLoss, part, err := n.evaluated(e, rows)
		if err != nil {
			return Measure{}, err
		}
		loss += meanLoss * float64(len(rows))
		score += part
	}
	count := float64(len(examples))
	m := Measure{Loss: loss / count, Score: score / count}
	if n.problem.Task == data.Regression {
		m.Score = 1 - score/totalSumOfSquares(gather(nil, e.Targets, examples))
	}
	return m, nil
}

// allRows are the rows from 0 to count, in a buffer that is reused.
func (n *network) allRows(count int) []int {
	for row := len(n.rows); row < count; row++ {
		n.rows = append(n.rows, row)
	}
	return n.rows[:count]
}

// totalSumOfSquares is the sum of squared deviations from the mean, the
// denominator of R².
func totalSumOfSquares(values []float32) float64 {
	mean := 0.0
	for _, v := range values {
		mean += float64(v)
	}
	mean /= float64(len(values))
	total := 0.0
	for _, v := range values {
		total += (float64(v) - mean) * (float64(v) - mean)
	}
	return total
}
