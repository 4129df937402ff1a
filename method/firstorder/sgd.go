package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// SGD is gradient descent at a constant learning rate, stochastic where the
// gradient is that of a batch:
//
//	theta_t = theta_{t-1} - lr g_t
//
// It is the method of GoMLX without its decay. Source: Robbins and Monro, "A
// Stochastic Approximation Method", 1951.
type SGD struct {
	// LearningRate is lr. Default 0.1, as in GoMLX.
	LearningRate float64
}

var (
	_ optimizer.Interface         = (*SGD)(nil)
	_ train.OptimizeWithGradients = (*SGD)(nil)
)

func (d *SGD) name() string { return "sgd" }

func (d *SGD) settings() []setting {
	return []setting{learningRate(&d.LearningRate, optimizer.SGDDefaultLearningRate)}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (d *SGD) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(d, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (d *SGD) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *d
	complete(scope, s.settings())
	dtype := stateDType(lossDType)
	optimizer.LearningRateVar(scope, dtype, s.LearningRate) // made here, as GoMLX takes a rate of zero for one not given
	optimizer.StochasticGradientDescent().WithDecay(false).UpdateGraphWithGradients(scope, gradients, dtype)
}

// Clear does nothing, as the method has no state. It implements
// optimizer.Interface.
func (d *SGD) Clear(*model.Scope) error { return nil }
