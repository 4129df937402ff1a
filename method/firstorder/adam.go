package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Adam divides the running mean of the gradient by the root of the running
// mean of its square, both corrected for their start at zero:
//
//	m_t     = b1 m_{t-1} + (1-b1) g_t,    mhat_t = m_t / (1 - b1^t)
//	v_t     = b2 v_{t-1} + (1-b2) g_t^2,  vhat_t = v_t / (1 - b2^t)
//	theta_t = theta_{t-1} - lr mhat_t / (sqrt(vhat_t) + eps)
//
// It is GoMLX's Adam with the defaults of the paper. Source: Kingma and Ba,
// "Adam: A Method for Stochastic Optimization", 2014, algorithm 1.
type Adam struct {
	// LearningRate is lr. Default 1e-3.
	LearningRate float64
	// Beta1 is b1 in [0, 1). Default 0.9.
	Beta1 float64
	// Beta2 is b2 in [0, 1). Default 0.999.
	Beta2 float64
	// Epsilon is eps, outside of the root. Default 1e-8.
	Epsilon float64
}

var (
	_ optimizer.Interface         = (*Adam)(nil)
	_ train.OptimizeWithGradients = (*Adam)(nil)
)

func (a *Adam) name() string { return "adam" }

func (a *Adam) settings() []setting {
	return []setting{
		learningRate(&a.LearningRate, 1e-3),
		decay("beta1", "mean of the gradient", &a.Beta1, 0.9),
		decay("beta2", "mean of the squared gradient", &a.Beta2, 0.999),
		epsilon(&a.Epsilon, 1e-8, "added to the root of the second moment"),
	}
}

// UpdateGraph builds the graph of one step down the gradient of the scalar
// loss. It implements optimizer.Interface and panics with an error.
func (a *Adam) UpdateGraph(scope *model.Scope, _ *Graph, loss *Node) { descendLoss(a, scope, loss) }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (a *Adam) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	s := *a
	complete(scope, s.settings())
	s.graph(s.name(), 0, lossDType).UpdateGraphWithGradients(scope, gradients, lossDType)
}

// graph returns GoMLX's Adam with these settings, its state below the scope of
// the given name and a decay of the weights that does not pass through the
// moments.
func (a *Adam) graph(name string, weightDecay float64, lossDType dtypes.DType) train.OptimizeWithGradients {
	return optimizer.Adam().
		Scope(name).
		DType(stateDType(lossDType)).
		LearningRate(a.LearningRate).
		Betas(a.Beta1, a.Beta2).
		Epsilon(a.Epsilon).
		WeightDecay(weightDecay).
		Done().(train.OptimizeWithGradients)
}

// Clear deletes the state of the method. It implements optimizer.Interface.
func (a *Adam) Clear(scope *model.Scope) error { return forget(scope, a.name()) }
