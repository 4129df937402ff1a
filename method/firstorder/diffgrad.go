package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// DiffGrad is [Adam] with a friction on each coordinate: its step is
// multiplied by xi in [0.5, 1), which is near 1 where the gradient changed much
// since the step before and 0.5 where it did not. It is meant to brake near a
// minimum and to keep long steps elsewhere.
//
//	delta_t = g_{t-1} - g_t,  g_0 = 0
//	xi_t    = 1 / (1 + exp(-|delta_t|))
//	theta_t = theta_{t-1} - lr xi_t mhat_t / (sqrt(vhat_t) + eps)
//
// Where gradients are small against 1, xi is 0.5 and the method is Adam at half
// the learning rate; multiplying the loss by a number changes its path, which
// that of Adam does not. The gradient of the step before is a copy: the first
// published code kept a reference to the buffer, so that delta was always zero.
//
// Source: Dubey et al., "diffGrad: An Optimization Method for Convolutional
// Neural Networks", IEEE TNNLS 31(11), 2020, section III, and section VII-B
// for the variants of xi.
type DiffGrad struct {
	// LearningRate is lr. Default 1e-3.
	LearningRate float64
	// Beta1 is b1 in [0, 1). Default 0.9.
	Beta1 float64
	// Beta2 is b2 in [0, 1). Default 0.999.
	Beta2 float64
	// Epsilon is eps, outside of the root. Default 1e-8.
	Epsilon float64
	// WeightDecay is wd, at least 0: wd theta is added to the gradient before
	// all else, and so is part of delta. Default 0.
	WeightDecay float64
	// Friction is the function xi of delta. Default [DFC].
	Friction Friction
}

var (
	_ optimizer.Interface         = (*DiffGrad)(nil)
	_ train.OptimizeWithGradients = (*DiffGrad)(nil)
)

func (d *DiffGrad) name() string { return "diffgrad" }

func (d *DiffGrad) settings() []setting {
	return []setting{
		learningRate(&d.LearningRate, 1e-3),
		decay("beta1", "mean of the gradient", &d.Beta1, 0.9),
		decay("beta2", "mean of the squared gradient", &d.Beta2, 0.999),
		epsilon(&d.Epsilon, 1e-8, "added to the root of the second moment"),
		weightDecay(&d.WeightDecay, 0, "share of the weights added to the gradient"),
		other("friction", "friction function: dfc, dfc1, dfc2, dfc3, dfc4 or dfc5", &d.Friction),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (d *DiffGrad) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(d, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (d *DiffGrad) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *d
	complete(scope, s.settings())
	rule{
		name: s.name(), learningRate: s.LearningRate, counted: true,
		state: []string{"first_moment", "second_moment", "previous_gradient"}, move: s.move,
	}.descend(scope, gradients, lossDType)
}

func (d *DiffGrad) move(p parameter) (step *Node, state []*Node) {
	gradient := p.gradient
	if d.WeightDecay > 0 {
		gradient = Add(gradient, MulScalar(p.value, d.WeightDecay))
	}
	first := newMoment(p.state[0], gradient, d.Beta1, p.time)          // m_t
	second := newMoment(p.state[1], Square(gradient), d.Beta2, p.time) // v_t
	xi := d.Friction.of(Sub(p.state[2], gradient), gradient)
	step = adaptiveStep(p.learningRate, first.corrected(), second.corrected(), d.Epsilon)
	return Mul(xi, step), []*Node{first.mean, second.mean, gradient}
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (d *DiffGrad) Clear(scope *model.Scope) error { return forget(scope, d.name()) }
