package problem

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/method/zeroth"
)

// network is a classifier with one hidden layer of tanh units: the black boxes
// of this package are made of such. Its weights are one slice: first layer
// [inputs, hidden], its biases, second layer [hidden, classes], its biases.
type network struct{ inputs, hidden, classes int }

func (n network) size() int { return (n.inputs+1)*n.hidden + (n.hidden+1)*n.classes }

// parts are views of the weights.
func (n network) parts(w []float64) (first, firstBias, second, secondBias []float64) {
	a := n.inputs * n.hidden
	b := a + n.hidden
	c := b + n.hidden*n.classes
	return w[:a], w[a:b], w[b:c], w[c:]
}

// initial draws weights whose outputs have a variance of order 1.
func (n network) initial(rng *rand.Rand) []float64 {
	w := make([]float64, n.size())
	first, _, second, _ := n.parts(w)
	for i := range first {
		first[i] = rng.NormFloat64() / math.Sqrt(float64(n.inputs))
	}
	for i := range second {
		second[i] = rng.NormFloat64() / math.Sqrt(float64(n.hidden))
	}
	return w
}

// pass holds the activations of a batch.
type pass struct{ units, logits []float64 }

// forward computes the logits [rows, classes] of a batch [rows, inputs].
func (n network) forward(w, x []float64, p *pass) []float64 {
	rows := len(x) / n.inputs
	first, firstBias, second, secondBias := n.parts(w)
	p.units, p.logits = grown(p.units, rows*n.hidden), grown(p.logits, rows*n.classes)
	for i := range rows {
		copy(p.units[i*n.hidden:], firstBias)
		copy(p.logits[i*n.classes:], secondBias)
	}
	units, logits := matrix(rows, n.hidden, p.units), matrix(rows, n.classes, p.logits)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, matrix(rows, n.inputs, x), matrix(n.inputs, n.hidden, first), 1, units)
	for i, v := range p.units {
		p.units[i] = math.Tanh(v)
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, units, matrix(n.hidden, n.classes, second), 1, logits)
	return p.logits
}

// train fits weights to a sample by Adam on the cross-entropy, in batches of 32.
func (n network) train(w []float64, s sample, epochs int, rng *rand.Rand) {
	const batch = 32
	adam, g := zeroth.Adam{LearningRate: 0.01}, make([]float64, len(w))
	var p pass
	x, order := []float64{}, make([]int, len(s.labels))
	for i := range order {
		order[i] = i
	}
	labels := []int{}
	for range epochs {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for rows := range slices.Chunk(order, batch) {
			x, labels = x[:0], labels[:0]
			for _, r := range rows {
				x, labels = append(x, s.features[r*n.inputs:(r+1)*n.inputs]...), append(labels, s.labels[r])
			}
			n.gradient(w, x, labels, &p, g)
			adam.Step(w, g)
		}
	}
}

// gradient writes the gradient of the mean cross-entropy of a batch into g.
func (n network) gradient(w, x []float64, labels []int, p *pass, g []float64) {
	rows := len(labels)
	errors := n.forward(w, x, p)
	for i, label := range labels {
		row := errors[i*n.classes : (i+1)*n.classes]
		normaliser := floats.LogSumExp(row)
		for k := range row {
			row[k] = math.Exp(row[k]-normaliser) / float64(rows)
		}
		row[label] -= 1 / float64(rows)
	}
	_, _, second, _ := n.parts(w)
	first, firstBias, secondG, secondBias := n.parts(g)
	e, units := matrix(rows, n.classes, errors), matrix(rows, n.hidden, p.units)
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, units, e, 0, matrix(n.hidden, n.classes, secondG))
	back := make([]float64, rows*n.hidden)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, e, matrix(n.hidden, n.classes, second), 0, matrix(rows, n.hidden, back))
	for i, u := range p.units {
		back[i] *= 1 - u*u
	}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, matrix(rows, n.inputs, x), matrix(rows, n.hidden, back), 0, matrix(n.inputs, n.hidden, first))
	sumRows(errors, secondBias)
	sumRows(back, firstBias)
}

// sumRows writes the sum of the rows into one.
func sumRows(rows, sum []float64) {
	clear(sum)
	for row := range slices.Chunk(rows, len(sum)) {
		floats.Add(sum, row)
	}
}

func matrix(rows, cols int, data []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}

func grown(x []float64, n int) []float64 { return slices.Grow(x[:0], n)[:n] }
