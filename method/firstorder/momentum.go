package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Momentum is gradient descent with the heavy ball of Polyak, without
// dampening:
//
//	m_t     = mu m_{t-1} + g_t
//	theta_t = theta_{t-1} - lr m_t
//
// With mu = 0 it is [SGD]. Source: Polyak, "Some methods of speeding up the
// convergence of iteration methods", 1964, in the form of PyTorch.
type Momentum struct {
	// LearningRate is lr. Default 0.01, as in Keras; along a constant gradient
	// it grows to lr/(1-mu) = 0.1.
	LearningRate float64
	// Momentum is mu in [0, 1). Default 0.9.
	Momentum float64
}

var (
	_ optimizer.Interface         = (*Momentum)(nil)
	_ train.OptimizeWithGradients = (*Momentum)(nil)
)

func (m *Momentum) name() string { return "momentum" }

func (m *Momentum) settings() []setting {
	return []setting{
		learningRate(&m.LearningRate, 0.01),
		momentum(&m.Momentum),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (m *Momentum) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(m, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (m *Momentum) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *m
	complete(scope, s.settings())
	rule{
		name: s.name(), learningRate: s.LearningRate,
		state: []string{"velocity"}, move: s.move,
	}.descend(scope, gradients, lossDType)
}

func (m *Momentum) move(p parameter) (step *Node, state []*Node) {
	velocity := Add(MulScalar(p.state[0], m.Momentum), p.gradient) // m_t = mu m_{t-1} + g_t
	return Mul(p.learningRate, velocity), []*Node{velocity}
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (m *Momentum) Clear(scope *model.Scope) error { return forget(scope, m.name()) }
