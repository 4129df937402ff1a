package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// AdaGrad divides each coordinate by the root of the sum of its squared
// gradients, so that rare features keep long steps:
//
//	G_t     = G_{t-1} + g_t^2
//	theta_t = theta_{t-1} - lr g_t / (sqrt(G_t) + eps)
//
// Source: Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online
// Learning and Stochastic Optimization", 2011.
type AdaGrad struct {
	// LearningRate is lr. Default 0.01, as in PyTorch.
	LearningRate float64
	// Epsilon is eps, outside of the root. Default 1e-10, as in PyTorch.
	Epsilon float64
}

var (
	_ optimizer.Interface         = (*AdaGrad)(nil)
	_ train.OptimizeWithGradients = (*AdaGrad)(nil)
)

func (a *AdaGrad) name() string { return "adagrad" }

func (a *AdaGrad) settings() []setting {
	return []setting{
		learningRate(&a.LearningRate, 0.01),
		epsilon(&a.Epsilon, 1e-10, "added to the root of the sum of squares"),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (a *AdaGrad) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(a, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (a *AdaGrad) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *a
	complete(scope, s.settings())
	rule{
		name: s.name(), learningRate: s.LearningRate,
		state: []string{"sum_of_squares"}, move: s.move,
	}.descend(scope, gradients, lossDType)
}

func (a *AdaGrad) move(p parameter) (step *Node, state []*Node) {
	sum := Add(p.state[0], Square(p.gradient)) // G_t = G_{t-1} + g_t^2
	return Div(Mul(p.learningRate, p.gradient), AddScalar(Sqrt(sum), a.Epsilon)), []*Node{sum}
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (a *AdaGrad) Clear(scope *model.Scope) error { return forget(scope, a.name()) }
