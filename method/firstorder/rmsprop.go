package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// RMSProp divides each coordinate by the running root mean square of its
// gradients:
//
//	E_t     = rho E_{t-1} + (1-rho) g_t^2
//	theta_t = theta_{t-1} - lr g_t / (sqrt(E_t) + eps)
//
// E starts at zero and is not bias corrected, as in PyTorch; GoMLX's own
// RMSProp is. Source: Tieleman and Hinton, "Lecture 6.5 - rmsprop", 2012.
type RMSProp struct {
	// LearningRate is lr. Default 0.01, as in PyTorch.
	LearningRate float64
	// Decay is rho in [0, 1). Default 0.99, as in PyTorch.
	Decay float64
	// Epsilon is eps, outside of the root. Default 1e-8.
	Epsilon float64
}

var (
	_ optimizer.Interface         = (*RMSProp)(nil)
	_ train.OptimizeWithGradients = (*RMSProp)(nil)
)

func (r *RMSProp) name() string { return "rmsprop" }

func (r *RMSProp) settings() []setting {
	return []setting{
		learningRate(&r.LearningRate, 0.01),
		decay("decay", "squared gradient", &r.Decay, 0.99),
		epsilon(&r.Epsilon, 1e-8, "added to the root mean square"),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (r *RMSProp) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(r, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (r *RMSProp) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *r
	complete(scope, s.settings())
	rule{
		name: s.name(), learningRate: s.LearningRate,
		state: []string{"mean_square"}, move: s.move,
	}.descend(scope, gradients, lossDType)
}

func (r *RMSProp) move(p parameter) (step *Node, state []*Node) {
	mean := average(p.state[0], Square(p.gradient), r.Decay) // E_t
	return Div(Mul(p.learningRate, p.gradient), AddScalar(Sqrt(mean), r.Epsilon)), []*Node{mean}
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (r *RMSProp) Clear(scope *model.Scope) error { return forget(scope, r.name()) }
