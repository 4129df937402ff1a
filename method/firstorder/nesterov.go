package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Nesterov is gradient descent with momentum that looks ahead by one step:
//
//	m_t     = mu m_{t-1} + g_t
//	theta_t = theta_{t-1} - lr (g_t + mu m_t)
//
// With mu = 0 it is [SGD]. Source: Nesterov, "A method of solving a convex
// programming problem with convergence rate O(1/k^2)", 1983, in the form of
// Sutskever et al. 2013 that PyTorch uses.
type Nesterov struct {
	// LearningRate is lr. Default 0.01, as of [Momentum].
	LearningRate float64
	// Momentum is mu in [0, 1). Default 0.9.
	Momentum float64
}

var (
	_ optimizer.Interface         = (*Nesterov)(nil)
	_ train.OptimizeWithGradients = (*Nesterov)(nil)
)

func (n *Nesterov) name() string { return "nesterov" }

func (n *Nesterov) settings() []setting {
	return []setting{
		learningRate(&n.LearningRate, 0.01),
		momentum(&n.Momentum),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (n *Nesterov) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(n, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (n *Nesterov) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *n
	complete(scope, s.settings())
	rule{
		name: s.name(), learningRate: s.LearningRate,
		state: []string{"velocity"}, move: s.move,
	}.descend(scope, gradients, lossDType)
}

func (n *Nesterov) move(p parameter) (step *Node, state []*Node) {
	velocity := Add(MulScalar(p.state[0], n.Momentum), p.gradient) // m_t = mu m_{t-1} + g_t
	ahead := Add(p.gradient, MulScalar(velocity, n.Momentum))      // g_t + mu m_t
	return Mul(p.learningRate, ahead), []*Node{velocity}
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (n *Nesterov) Clear(scope *model.Scope) error { return forget(scope, n.name()) }
