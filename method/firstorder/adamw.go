package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// AdamW is [Adam] with a decay of the weights beside the step rather than
// within the gradient:
//
//	theta_t = theta_{t-1} - lr (mhat_t / (sqrt(vhat_t) + eps) + wd theta_{t-1})
//
// With wd = 0 it is Adam. It is GoMLX's Adam with the defaults of PyTorch.
// Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization",
// 2019, algorithm 2.
type AdamW struct {
	// LearningRate is lr. Default 1e-3.
	LearningRate float64
	// Beta1 is b1 in [0, 1). Default 0.9.
	Beta1 float64
	// Beta2 is b2 in [0, 1). Default 0.999.
	Beta2 float64
	// Epsilon is eps, outside of the root. Default 1e-8.
	Epsilon float64
	// WeightDecay is wd, at least 0. Default 0.01, as in PyTorch.
	WeightDecay float64
}

var (
	_ optimizer.Interface         = (*AdamW)(nil)
	_ train.OptimizeWithGradients = (*AdamW)(nil)
)

func (a *AdamW) name() string { return "adamw" }

func (a *AdamW) settings() []setting {
	return []setting{
		learningRate(&a.LearningRate, 1e-3),
		decay("beta1", "mean of the gradient", &a.Beta1, 0.9),
		decay("beta2", "mean of the squared gradient", &a.Beta2, 0.999),
		epsilon(&a.Epsilon, 1e-8, "added to the root of the second moment"),
		weightDecay(&a.WeightDecay, 0.01, "share of the weights taken off per unit of the learning rate"),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (a *AdamW) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(a, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (a *AdamW) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *a
	complete(scope, s.settings())
	adam := Adam{LearningRate: s.LearningRate, Beta1: s.Beta1, Beta2: s.Beta2, Epsilon: s.Epsilon}
	adam.graph(s.name(), s.WeightDecay, lossDType).UpdateGraphWithGradients(scope, gradients, lossDType)
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (a *AdamW) Clear(scope *model.Scope) error { return forget(scope, a.name()) }
