package hessianspectrum

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/objective"
)

// laboratory is what a cell works with.
type laboratory struct {
	backend compute.Backend
	digits  *data.Table
	seed    uint64
}

// The streams of random numbers of a seed.
const (
	streamData = iota + 1
	streamWeights
	streamOther       // other weights to go on from, in tests
	streamIndependent // the weights of an independent solution
	streamProbes
	streamCurve
)

func (l laboratory) rand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(l.seed, stream)) }

// examples are inputs [n, width] with their classes.
type examples struct {
	x       []float64
	labels  []int32
	width   int
	classes int
}

func (e *examples) count() int { return len(e.labels) }

// tensors copies the given rows.
func (e *examples) tensors(rows []int) (x, y *tensors.Tensor) {
	features, labels := make([]float64, 0, len(rows)*e.width), make([]int32, 0, len(rows))
	for _, row := range rows {
		features = append(features, e.x[row*e.width:(row+1)*e.width]...)
		labels = append(labels, e.labels[row])
	}
	return tensors.FromFlatDataAndDimensions(features, len(rows), e.width), tensors.FromFlatDataAndDimensions(labels, len(rows), 1)
}

// all are the rows of the examples.
func (e *examples) all() []int {
	rows := make([]int, e.count())
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// standardise gives all numbers together mean 0 and deviation 1, by those of
// the given examples.
func standardise(x []float64, mean, deviation float64) {
	for i := range x {
		x[i] = (x[i] - mean) / deviation
	}
}

// moments are the mean and the deviation of all numbers.
func moments(x []float64) (mean, deviation float64) {
	mean = floats.Sum(x) / float64(len(x))
	for _, value := range x {
		deviation += (value - mean) * (value - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(x)))
}

// images are a training part of the digits and the rest, by a shuffle of the seed.
func (l laboratory) images(train int) (first, rest *examples) {
	order := l.rand(streamData).Perm(l.digits.Rows)
	first, rest = l.pixels(order[:train]), l.pixels(order[train:])
	mean, deviation := moments(first.x)
	standardise(first.x, mean, deviation)
	standardise(rest.x, mean, deviation)
	return first, rest
}

func (l laboratory) pixels(rows []int) *examples {
	e := &examples{width: len(l.digits.Features), classes: len(l.digits.Target.Levels)}
	for _, row := range rows {
		for i := range l.digits.Features {
			e.x = append(e.x, l.digits.Features[i].Numbers[row])
		}
		e.labels = append(e.labels, l.digits.Target.Codes[row])
	}
	return e
}

// network is a stack of dense layers with its loss on all training examples.
type network struct {
	*objective.Risk
	train   *examples
	stepper stepper.Stepper
}

// relu and tanh are the activations of the paper's table.
const (
	relu = "ReLU"
	tanh = "tanh"
)

var activations = []string{relu, tanh}

// newNetwork makes a network of hidden layers in float64.
func newNetwork(backend compute.Backend, train *examples, activation string, hidden ...int) (*network, error) {
	sizes := append(append([]int{train.width}, hidden...), train.classes)
	store := model.NewStore()
	outputs := func(scope *model.Scope, x *Node) *Node {
		for i := range len(sizes) - 1 {
			layer := scope.In("layer_%d", i+1)
			w := layer.VariableWithValue("weights", tensors.FromFlatDataAndDimensions(make([]float64, sizes[i]*sizes[i+1]), sizes[i], sizes[i+1]))
			b := layer.VariableWithValue("biases", tensors.FromFlatDataAndDimensions(make([]float64, sizes[i+1]), 1, sizes[i+1]))
			x = Add(MatMul(x, w.NodeValue(x)), b.NodeValue(x))
			switch {
			case i == len(sizes)-2:
			case activation == tanh:
				x = Tanh(x)
			default:
				x = MaxScalar(x, 0)
			}
		}
		return x
	}
	x, y := train.tensors(train.all())
	m := objective.Model{Backend: backend, Store: store, DType: dtypes.Float64, Outputs: outputs, Loss: objective.CrossEntropy}
	risk, err := objective.NewRisk(m, x, y, objective.Options{})
	if err != nil {
		return nil, err
	}
	n := &network{Risk: risk, train: train}
	n.stepper, err = stepper.Optimizer(stepper.Model{
		Backend: backend, Store: store, DType: dtypes.Float64, Outputs: outputs, Loss: objective.CrossEntropy,
	}, &firstorder.SGD{})
	return n, err
}

// initial draws weights and biases evenly from +-1/sqrt(fan-in).
func (n *network) initial(rng *rand.Rand) []float64 {
	w := make([]float64, n.Dim())
	fanIn := 0
	for _, slot := range n.Slots() {
		if slot.Dimensions[0] > 1 { // weights; the biases [1, units] of the layer follow
			fanIn = slot.Dimensions[0]
		}
		for i := range slot.Size {
			w[slot.Offset+i] = (2*rng.Float64() - 1) / math.Sqrt(float64(fanIn))
		}
	}
	return w
}

// descend takes steps of plain stochastic gradient descent from weights on, with
// batches in the order of a seed, and returns the weights at the end. A batch of
// all examples is gradient descent.
func (n *network) descend(ctx context.Context, from []float64, rate float64, batch, steps int, seed uint64) ([]float64, error) {
	if err := n.SetParameters(from); err != nil {
		return nil, err
	}
	if err := n.Save(); err != nil {
		return nil, err
	}
	perEpoch := n.train.count() / batch
	x, y := n.train.tensors(n.train.all())
	var order []int
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if perEpoch > 1 {
			if step%perEpoch == 0 {
				order = data.EpochOrder(n.train.count(), seed, step/perEpoch)
			}
			at := step % perEpoch * batch
			if err := errors.Join(x.FinalizeAll(), y.FinalizeAll()); err != nil {
				return nil, err
			}
			x, y = n.train.tensors(order[at : at+batch])
		}
		if _, err := n.stepper.Step(rate, x, y); err != nil {
			return nil, err
		}
	}
	if err := n.Load(); err != nil {
		return nil, err
	}
	w := make([]float64, n.Dim())
	n.Parameters(w)
	return w, nil
}

// at is the loss at weights.
func (n *network) at(ctx context.Context, w []float64) (float64, error) {
	if err := n.SetParameters(w); err != nil {
		return 0, err
	}
	return n.Value(ctx)
}

// accuracy is the share of examples that the weights classify rightly.
func (n *network) accuracy(w []float64, e *examples) (float64, error) {
	if err := n.SetParameters(w); err != nil {
		return 0, err
	}
	if err := n.Save(); err != nil {
		return 0, err
	}
	exec, err := model.NewExec(n.Model().Backend, n.Model().Store, func(scope *model.Scope, x, y *Node) *Node {
		hit := Equal(ArgMax(n.Model().Outputs(scope, x), -1, dtypes.Int32), Squeeze(y, -1))
		return ReduceAllMean(ConvertDType(hit, dtypes.Float64))
	})
	if err != nil {
		return 0, err
	}
	defer exec.Finalize()
	x, y := e.tensors(e.all())
	outputs, err := exec.Exec(x, y)
	if err != nil {
		return 0, err
	}
	return stepper.Scalar(outputs[0])
}
