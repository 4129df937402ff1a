// Package objective holds what is minimised: the losses of classification and
// regression as GoMLX graph functions, and mean losses over examples as
// functions of one flat vector of parameters with their value, gradient,
// gradients of single examples and products with the Hessian, the Gauss-Newton
// and the empirical Fisher matrix: [Risk] of any model, [Linear] in closed form.
package objective

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/train/loss"
)

// Loss is the mean loss of a batch as a scalar node. The outputs have shape
// [batch, classes] or [batch, 1]; the labels [batch, 1], as int32 class
// indices for classification or as values in the outputs' type for regression.
type Loss func(labels, outputs *graph.Node) *graph.Node

// CrossEntropy is the mean of -log softmax(outputs)[label], in nats, computed
// from the logits by way of a shifted log-sum-exp.
func CrossEntropy(labels, outputs *graph.Node) *graph.Node {
	return graph.ReduceAllMean(loss.SparseCategoricalCrossEntropyLogits([]*graph.Node{labels}, []*graph.Node{outputs}))
}

// SquaredError is the mean of (output - label)^2, without the factor 1/2.
func SquaredError(labels, outputs *graph.Node) *graph.Node {
	return loss.MeanSquaredError([]*graph.Node{labels}, []*graph.Node{outputs})
}
