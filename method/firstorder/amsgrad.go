package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// AMSGrad is [Adam] with a second moment that never falls, so that a rare
// large gradient is not forgotten:
//
//	vmax_t  = max(vmax_{t-1}, vhat_t)
//	theta_t = theta_{t-1} - lr mhat_t / (sqrt(vmax_t) + eps)
//
// While vhat grows it is Adam. Source: Reddi, Kale and Kumar, "On the
// Convergence of Adam and Beyond", 2018, algorithm 2, with the maximum of the
// bias-corrected moments as in equation 15 of the diffGrad paper.
type AMSGrad struct {
	// LearningRate is lr. Default 1e-3.
	LearningRate float64
	// Beta1 is b1 in [0, 1). Default 0.9.
	Beta1 float64
	// Beta2 is b2 in [0, 1). Default 0.999.
	Beta2 float64
	// Epsilon is eps, outside of the root. Default 1e-8.
	Epsilon float64
	// RawMaximum takes the maximum of v before its bias correction, as PyTorch
	// does: vmax_t = max(vmax_{t-1}, v_t) / (1 - b2^t) in the step. Default
	// false.
	RawMaximum bool
}

var (
	_ optimizer.Interface         = (*AMSGrad)(nil)
	_ train.OptimizeWithGradients = (*AMSGrad)(nil)
)

func (a *AMSGrad) name() string { return "amsgrad" }

func (a *AMSGrad) settings() []setting {
	return []setting{
		learningRate(&a.LearningRate, 1e-3),
		decay("beta1", "mean of the gradient", &a.Beta1, 0.9),
		decay("beta2", "mean of the squared gradient", &a.Beta2, 0.999),
		epsilon(&a.Epsilon, 1e-8, "added to the root of the second moment"),
		other("raw_maximum", "maximum of the second moment before its bias correction, as in PyTorch", &a.RawMaximum),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (a *AMSGrad) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(a, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (a *AMSGrad) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *a
	complete(scope, s.settings())
	rule{
		name: s.name(), learningRate: s.LearningRate, counted: true,
		state: []string{"first_moment", "second_moment", "largest_second_moment"}, move: s.move,
	}.descend(scope, gradients, lossDType)
}

func (a *AMSGrad) move(p parameter) (step *Node, state []*Node) {
	first := newMoment(p.state[0], p.gradient, a.Beta1, p.time)          // m_t
	second := newMoment(p.state[1], Square(p.gradient), a.Beta2, p.time) // v_t
	var largest, denominator *Node
	if a.RawMaximum {
		largest = Max(p.state[2], second.mean)
		denominator = Mul(largest, second.correction)
	} else {
		largest = Max(p.state[2], second.corrected())
		denominator = largest
	}
	step = adaptiveStep(p.learningRate, first.corrected(), denominator, a.Epsilon)
	return step, []*Node{first.mean, second.mean, largest}
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (a *AMSGrad) Clear(scope *model.Scope) error { return forget(scope, a.name()) }
