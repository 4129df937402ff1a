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
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/descentml/descent/data"
)

// evaluationBatch is the number of examples that one evaluation call takes.
const evaluationBatch = 256

// network is a problem's model with its weights, ready to step and evaluate.
type network struct {
	problem  *Problem
	store    *model.Store
	step     *model.Exec
	evaluate *model.Exec

	features []float32 // buffers of one batch, reused
	labels   []int32
	targets  []float32
	rows     []int
}

// newNetwork builds the model of a problem over the given store, whose
// variables (after a checkpoint) are kept, with initial weights from seed.
func newNetwork(backend compute.Backend, p *Problem, store *model.Store, method optimizer.Interface, seed uint64) (*network, error) {
	if store.GetVariable(model.JoinPath("/", model.RNGStateVariableName)) == nil {
		if err := store.SetRNGStateFromSeed(int64(seed)); err != nil {
			return nil, fmt.Errorf("seeding the weights: %w", err)
		}
	}
	n := &network{problem: p, store: store}
	var err error
	n.step, err = model.NewExec(backend, store, func(scope *model.Scope, x, y *graph.Node) *graph.Node {
		g := x.Graph()
		store.SetTraining(g, true)
		loss := p.loss()(n.cast(y), p.Network.Logits(scope, n.cast(x), p.Outputs))
		method.UpdateGraph(scope, g, loss)
		return loss
	})
	if err != nil {
		return nil, err
	}
	n.evaluate, err = model.NewExec(backend, store, func(scope *model.Scope, x, y *graph.Node) (loss, score *graph.Node) {
		y = n.cast(y)
		outputs := p.Network.Logits(scope, n.cast(x), p.Outputs)
		return p.loss()(y, outputs), p.scoreTerm(y, outputs)
	})
	return n, err
}

// cast brings float inputs to the type that the problem computes in.
func (n *network) cast(x *graph.Node) *graph.Node {
	if x.DType().IsFloat() && x.DType() != n.problem.DType {
		return graph.ConvertDType(x, n.problem.DType)
	}
	return x
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
		if _, err := n.step.Compile(x, y); err != nil {
			return err
		}
	}
	return nil
}

// batch copies the given examples into tensors [len(rows), width] and [len(rows), 1].
func (n *network) batch(e *Examples, rows []int) (x, y *tensors.Tensor) {
	width := n.problem.Width
	n.features = n.features[:0]
	for _, row := range rows {
		n.features = append(n.features, e.Features[row*width:(row+1)*width]...)
	}
	x = tensors.FromFlatDataAndDimensions(n.features, len(rows), width)
	if e.Labels != nil {
		n.labels = gather(n.labels, e.Labels, rows)
		return x, tensors.FromFlatDataAndDimensions(n.labels, len(rows), 1)
	}
	n.targets = gather(n.targets, e.Targets, rows)
	return x, tensors.FromFlatDataAndDimensions(n.targets, len(rows), 1)
}

func gather[T any](buffer, values []T, rows []int) []T {
	buffer = buffer[:0]
	for _, row := range rows {
		buffer = append(buffer, values[row])
	}
	return buffer
}

// call runs an executor on one batch and returns its scalar results.
func (n *network) call(exec *model.Exec, e *Examples, rows []int) ([]float64, error) {
	x, y := n.batch(e, rows)
	outputs, err := exec.Exec(x, y)
	if err != nil {
		return nil, err
	}
	values := make([]float64, len(outputs))
	for i, output := range outputs {
		if n.problem.DType == dtypes.Float64 {
			values[i] = tensors.ToScalar[float64](output)
		} else {
			values[i] = float64(tensors.ToScalar[float32](output))
		}
	}
	return values, finalize(append(outputs, x, y)...)
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
		values, err := n.call(n.evaluate, e, rows)
		if err != nil {
			return Measure{}, err
		}
		loss += values[0] * float64(len(rows))
		score += values[1]
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
