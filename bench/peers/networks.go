//go:build unix

package main

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/objective"
)

// tanhStep is a step of SGD on 64 examples: 32 inputs, 64 tanh units, 1 output,
// squared loss.
func tanhStep(dtype dtypes.DType) (func() error, error) {
	return step(&firstorder.SGD{LearningRate: 1e-2}, func(scope *model.Scope, in []*Node) *Node {
		hidden := Tanh(layers.DenseWithBias(scope.In("hidden"), in[0], 64))
		return objective.SquaredError(in[1], layers.DenseWithBias(scope.In("output"), hidden, 1))
	}, values(dtype, 64, 32), values(dtype, 64, 1))
}

const (
	sequences = 16
	length    = 64
	width     = 128
	heads     = 4
)

// transformerStep is a step of Adam on one pre-norm transformer block with a
// mean squared loss on its output.
func transformerStep() (func() error, error) {
	return step(&firstorder.Adam{LearningRate: 1e-3}, func(scope *model.Scope, in []*Node) *Node {
		x := in[0]
		x = Add(x, attention(scope.In("attention"), normalise(scope.In("norm_1"), x)))
		hidden := activation.Gelu(layers.DenseWithBias(scope.In("up"), normalise(scope.In("norm_2"), x), 4*width))
		x = Add(x, layers.DenseWithBias(scope.In("down"), hidden, width))
		return ReduceAllMean(Square(Sub(x, in[1])))
	}, values(dtypes.Float32, sequences, length, width), values(dtypes.Float32, sequences, length, width))
}

// attention is multi-head self-attention, without a mask.
func attention(scope *model.Scope, x *Node) *Node {
	project := func(name string) *Node {
		return Reshape(layers.DenseWithBias(scope.In("%s", name), x, width), sequences, length, heads, width/heads)
	}
	query, key, value := project("query"), project("key"), project("value")
	scores := MulScalar(Einsum("bqhd,bkhd->bhqk", query, key), 1/math.Sqrt(width/heads))
	mixed := Einsum("bhqk,bkhd->bqhd", Softmax(scores, -1), value)
	return layers.DenseWithBias(scope.In("output"), Reshape(mixed, sequences, length, width), width)
}

// normalise is layer normalisation over the last axis with gain and offset.
func normalise(scope *model.Scope, x *Node) *Node {
	g := x.Graph()
	gain := scope.VariableWithValue("gain", ones(width)).NodeValue(g)
	offset := scope.VariableWithValue("offset", make([]float32, width)).NodeValue(g)
	return Add(Mul(layerNorm(x), ExpandLeftToRank(gain, x.Rank())), ExpandLeftToRank(offset, x.Rank()))
}

func ones(n int) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = 1
	}
	return list
}

// layerNorm subtracts the mean over the last axis and divides by the deviation.
func layerNorm(x *Node) *Node {
	centred := Sub(x, ReduceAndKeep(x, ReduceMean, -1))
	return Div(centred, Sqrt(AddScalar(ReduceAndKeep(Square(centred), ReduceMean, -1), 1e-5)))
}

func gelu(x *Node) *Node { return activation.Gelu(x) }

// hessianVector is the product of the Hessian of the 784-256-10 network's loss
// on 128 examples with a vector, as the gradient of gradient times vector.
func hessianVector() (func() error, error) {
	return call(func(in []*Node) []*Node {
		x, y, weights := in[0], in[1], in[2:6]
		hidden := activation.Relu(Add(MatMul(x, weights[0]), weights[1]))
		loss := objective.CrossEntropy(y, Add(MatMul(hidden, weights[2]), weights[3]))
		product := ScalarZero(x.Graph(), x.DType())
		for i, gradient := range Gradient(loss, weights...) {
			product = Add(product, ReduceAllSum(Mul(gradient, StopGradient(in[6+i]))))
		}
		return Gradient(product, weights...)
	}, values(dtypes.Float32, 128, 784), values(dtypes.Int32, 128, 1),
		values(dtypes.Float32, 784, 256), values(dtypes.Float32, 1, 256), values(dtypes.Float32, 256, 10), values(dtypes.Float32, 1, 10),
		values(dtypes.Float32, 784, 256), values(dtypes.Float32, 1, 256), values(dtypes.Float32, 256, 10), values(dtypes.Float32, 1, 10))
}
