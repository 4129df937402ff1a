package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// AdaDelta divides each coordinate by the running size of its gradients and
// multiplies it by that of its steps, so that a step has the unit of the
// variable:
//
//	E_t     = rho E_{t-1} + (1-rho) g_t^2
//	dx_t    = sqrt(U_{t-1} + eps) / sqrt(E_t + eps) g_t
//	U_t     = rho U_{t-1} + (1-rho) dx_t^2
//	theta_t = theta_{t-1} - lr dx_t
//
// Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012,
// algorithm 1, which has lr = 1.
type AdaDelta struct {
	// LearningRate is lr. Default 1, as in the paper and in PyTorch; at 1e-3
	// the method hardly moves.
	LearningRate float64
	// Decay is rho in [0, 1). Default 0.9.
	Decay float64
	// Epsilon is eps, inside of both roots. Default 1e-6.
	Epsilon float64
}

var (
	_ optimizer.Interface         = (*AdaDelta)(nil)
	_ train.OptimizeWithGradients = (*AdaDelta)(nil)
)

func (a *AdaDelta) name() string { return "adadelta" }

func (a *AdaDelta) settings() []setting {
	return []setting{
		learningRate(&a.LearningRate, 1),
		decay("decay", "squares of gradients and steps", &a.Decay, 0.9),
		epsilon(&a.Epsilon, 1e-6, "added to the mean squares under the roots"),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (a *AdaDelta) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(a, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (a *AdaDelta) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *a
	complete(scope, s.settings())
	rule{
		name: s.name(), learningRate: s.LearningRate,
		state: []string{"mean_square_gradient", "mean_square_step"}, move: s.move,
	}.descend(scope, gradients, lossDType)
}

func (a *AdaDelta) move(p parameter) (step *Node, state []*Node) {
	gradients := average(p.state[0], Square(p.gradient), a.Decay) // E_t
	ratio := Div(Sqrt(AddScalar(p.state[1], a.Epsilon)), Sqrt(AddScalar(gradients, a.Epsilon)))
	move := Mul(ratio, p.gradient)                      // dx_t
	steps := average(p.state[1], Square(move), a.Decay) // U_t
	return Mul(p.learningRate, move), []*Node{gradients, steps}
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (a *AdaDelta) Clear(scope *model.Scope) error { return forget(scope, a.name()) }
