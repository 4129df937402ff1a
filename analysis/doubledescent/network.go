package doubledescent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Network is f(x) = W_2 phi(W_1 x + b_1) + b_2, all of it trained, with the loss
// 1/(2N) ||f(X) - Y||_F^2 (M3). The entries of W_1 and W_2 start as N(0, s^2 /
// fan-in), the biases as 0.
type Network struct {
	Width      int        // hidden units h
	Activation Activation // "": Tanh
	Scale      float64    // s of W_1; 0: 1
}

// networkRate is the usual step size of descent.
const networkRate = 0.1

// Parameters is the number of weights and biases, (d+1)h + (h+1)c. The threshold
// is expected where it is N c.
func (n Network) Parameters(inputs, outputs int) int {
	return (inputs+1)*n.Width + (n.Width+1)*outputs
}

// ThresholdWidth is the number of hidden units, not rounded, with as many
// parameters as the training part has targets.
func ThresholdWidth(examples, inputs, outputs int) float64 {
	return float64((examples-1)*outputs) / float64(inputs+1+outputs)
}

// TrainNetwork trains a network once and returns what it does after each number
// of epochs; t.Epochs does not matter. The scale of W_2 is t.Start. It also
// describes the hidden features, with the one of the bias, before the first
// step. Of the outcomes, WeightNorm is that of W_2. The generator draws weights
// and batches. A divergence is an outcome, the end of ctx an error.
func TrainNetwork(ctx context.Context, d *Data, n Network, t Training, epochs []int, rng *rand.Rand) ([]Outcome, Conditioning, error) {
	if err := n.check(t, epochs); err != nil {
		return nil, Conditioning{}, err
	}
	if err := d.Check(); err != nil {
		return nil, Conditioning{}, err
	}
	net := newTwoLayer(d, n, t, rng)
	conditioning, err := net.conditioning(ctx)
	if err != nil {
		return nil, conditioning, err
	}
	examples, _ := d.Train.Inputs.Dims()
	order := newBatches(examples, t.Batch, rng)
	outcomes := make([]Outcome, len(epochs))
	steps := 0
	for _, step := range byEpoch(epochs, order.perEpoch) {
		for ; steps < step.steps; steps++ {
			if steps%checkEvery == 0 && ctx.Err() != nil {
				return nil, conditioning, ctx.Err()
			}
			net.step(order.next())
		}
		o := net.outcome()
		o.Steps = steps
		outcomes[step.index] = o
	}
	return outcomes, conditioning, nil
}

// due is a measurement to be made after a number of steps.
type due struct{ steps, index int }

// byEpoch orders the measurements.
func byEpoch(epochs []int, perEpoch int) []due {
	list := make([]due, len(epochs))
	for i, e := range epochs {
		list[i] = due{e * perEpoch, i}
	}
	slices.SortStableFunc(list, func(a, b due) int { return a.steps - b.steps })
	return list
}

func (n Network) check(t Training, epochs []int) error {
	if err := t.Check(); err != nil {
		return err
	}
	if err := (Features{Activation: n.Activation, Scale: n.Scale}).Check(); err != nil {
		return err
	}
	switch {
	case n.Width < 1:
		return fmt.Errorf("%d hidden units: expected at least 1", n.Width)
	case t.Method == Exact:
		return errors.New("a network of two trained layers has no exact solution: expected gd or adam")
	case len(epochs) == 0 || slices.Min(epochs) < 0:
		return fmt.Errorf("measurements after %v epochs: expected at least one, none below 0", epochs)
	}
	return nil
}

// twoLayer is a network in training. The inputs have a last column of ones and
// the hidden values one too, so that biases are the last rows of the weights.
type twoLayer struct {
	data             *Data
	network          Network
	training         Training
	rate             float64
	train, test      blas64.General // inputs with ones, examples x (d+1)
	parameters       []float64
	gradients        []float64
	velocity, second []float64
	decay1, decay2   float64
	batch            blas64.General // inputs of a batch that is not all
	hidden           blas64.General // examples x (h+1)
	before           blas64.General // gradient by the hidden sums, examples x (h+1), the last column unused
	residual         blas64.General // examples x c
}

func newTwoLayer(d *Data, n Network, t Training, rng *rand.Rand) *twoLayer {
	examples, inputs := d.Train.Inputs.Dims()
	_, outputs := d.Train.Targets.Dims()
	h := n.Width
	net := &twoLayer{data: d, network: n, training: t, rate: t.rate(networkRate),
		train: withOnes(d.Train.Inputs), test: withOnes(d.Test.Inputs),
		parameters: make([]float64, n.Parameters(inputs, outputs)), decay1: 1, decay2: 1,
		hidden: general(examples, h+1), before: general(examples, h), residual: general(examples, outputs)}
	net.gradients = make([]float64, len(net.parameters))
	net.velocity = make([]float64, len(net.parameters))
	if t.Method == Adam {
		net.second = make([]float64, len(net.parameters))
	}
	if t.Batch > 0 && t.Batch < examples {
		net.batch = general(t.Batch, inputs+1)
	}
	draw := func(weights []float64, scale float64, fanIn int) {
		if scale == 0 {
			scale = 1
		}
		for i := range weights {
			weights[i] = scale / math.Sqrt(float64(fanIn)) * rng.NormFloat64()
		}
	}
	draw(net.parameters[:inputs*h], n.Scale, inputs)
	second := net.parameters[(inputs+1)*h:]
	draw(second[:h*outputs], t.Start, h)
	return net
}

// withOnes appends a column of ones.
func withOnes(m *mat.Dense) blas64.General {
	rows, columns := m.Dims()
	g := general(rows, columns+1)
	for i := range rows {
		copy(g.Data[i*g.Stride:], m.RawRowView(i))
		g.Data[i*g.Stride+columns] = 1
	}
	return g
}

// layers views a vector of parameters as the matrices of both layers,
// (d+1) x h and (h+1) x c.
func (net *twoLayer) layers(parameters []float64) (first, second blas64.General) {
	h, c := net.network.Width, net.residual.Cols
	split := net.train.Cols * h
	return blas64.General{Rows: net.train.Cols, Cols: h, Stride: h, Data: parameters[:split]},
		blas64.General{Rows: h + 1, Cols: c, Stride: c, Data: parameters[split:]}
}

// forward computes hidden values with a last column of ones, and outputs.
func (net *twoLayer) forward(inputs, hidden, outputs blas64.General) {
	first, second := net.layers(net.parameters)
	sums := hidden
	sums.Cols-- // the column of ones is not computed
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, inputs, first, 0, sums)
	for i := range hidden.Rows {
		row := hidden.Data[i*hidden.Stride : i*hidden.Stride+hidden.Cols]
		row[sums.Cols] = 0 // activations of 0 are 0, and quick
	}
	net.network.Activation.apply(hidden.Data[:hidden.Rows*hidden.Stride])
	for i := range hidden.Rows {
		hidden.Data[i*hidden.Stride+sums.Cols] = 1
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, hidden, second, 0, outputs)
}

// step takes one step on some rows, nil for all.
func (net *twoLayer) step(rows []int) {
	inputs := net.train
	if rows != nil {
		inputs = net.batch
		inputs.Rows = len(rows)
		for i, row := range rows {
			copy(inputs.Data[i*inputs.Stride:(i+1)*inputs.Stride], net.train.Data[row*inputs.Stride:])
		}
	}
	net.differentiate(inputs, rows)
	net.move()
}

// differentiate computes the gradient of the loss on inputs, which are the
// given rows of the training part.
func (net *twoLayer) differentiate(inputs blas64.General, rows []int) {
	hidden, before, residual := net.hidden, net.before, net.residual
	hidden.Rows, before.Rows, residual.Rows = inputs.Rows, inputs.Rows, inputs.Rows
	net.forward(inputs, hidden, residual)
	for i := range residual.Rows {
		row := i
		if rows != nil {
			row = rows[i]
		}
		floats.Sub(residual.Data[i*residual.Stride:(i+1)*residual.Stride], net.data.Train.Targets.RawRowView(row))
	}
	scale := 1 / float64(inputs.Rows)
	firstGradient, secondGradient := net.layers(net.gradients)
	_, second := net.layers(net.parameters)
	blas64.Gemm(blas.Trans, blas.NoTrans, scale, hidden, residual, 0, secondGradient)
	second.Rows-- // the bias does not depend on the hidden values
	blas64.Gemm(blas.NoTrans, blas.Trans, scale, residual, second, 0, before)
	for i := range before.Rows {
		net.network.Activation.timesSlope(before.Data[i*before.Stride:(i+1)*before.Stride], hidden.Data[i*hidden.Stride:])
	}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, inputs, before, 0, firstGradient)
	if net.training.Penalty > 0 {
		first, _ := net.layers(net.parameters)
		weights := (first.Rows - 1) * first.Cols
		floats.AddScaled(firstGradient.Data[:weights], net.training.Penalty, first.Data[:weights])
		weights = second.Rows * second.Cols
		floats.AddScaled(secondGradient.Data[:weights], net.training.Penalty, second.Data[:weights])
	}
}

// move takes a step down the gradient.
func (net *twoLayer) move() {
	if net.training.Method == Adam {
		net.decay1 *= beta1
		net.decay2 *= beta2
		adamStep(net.parameters, net.gradients, net.velocity, net.second, net.rate, net.decay1, net.decay2)
		return
	}
	floats.Scale(net.training.Momentum, net.velocity)
	floats.AddScaled(net.velocity, -net.rate, net.gradients)
	floats.Add(net.parameters, net.velocity)
}

// outcome measures the network as it is.
func (net *twoLayer) outcome() Outcome {
	predict := func(inputs blas64.General) *mat.Dense {
		outputs := general(inputs.Rows, net.residual.Cols)
		net.forward(inputs, general(inputs.Rows, net.network.Width+1), outputs)
		return mat.NewDense(outputs.Rows, outputs.Cols, outputs.Data)
	}
	predictions := predict(net.test)
	_, second := net.layers(net.parameters)
	o := Outcome{
		TrainMSE: meanSquare(predict(net.train), net.data.Train.Targets), TestMSE: meanSquare(predictions, net.data.Test.Targets),
		TestError:  errorRate(predictions, net.data.Test.Labels),
		WeightNorm: floats.Norm(second.Data[:(second.Rows-1)*second.Cols], 2),
	}
	o.settle()
	return o
}

// conditioning describes the hidden features.
func (net *twoLayer) conditioning(ctx context.Context) (Conditioning, error) {
	net.forward(net.train, net.hidden, net.residual)
	hidden := mat.DenseCopyOf(mat.NewDense(net.hidden.Rows, net.hidden.Cols, net.hidden.Data))
	p := &Problem{Train: hidden, Test: hidden, Targets: net.data.Train.Targets, TestTargets: net.data.Train.Targets}
	m, err := Decompose(ctx, p)
	if err != nil {
		return Conditioning{}, err
	}
	return m.Conditioning(), nil
}
