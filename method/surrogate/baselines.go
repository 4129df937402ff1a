package surrogate

import (
	"errors"
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// SLS is gradient descent with a stochastic Armijo line search on the loss of
// the batch: the baseline of Vaswani et al., "Painless Stochastic Gradient",
// 2019. The step found is multiplied by the learning rate. Default learning
// rate 1.
type SLS struct {
	// Start is the first trial of the training. Default 10.
	Start float64
	// Expand^(1/batches per epoch) is the factor on the step before. Default 2.
	Expand float64
	// Shrink is the factor after a trial that fails. Default 0.9.
	Shrink float64
	// Decrease is the constant c in [0, 1) of the sufficient decrease.
	// Default 0.5.
	Decrease float64
}

func (*SLS) name() string { return "sls" }

func (s *SLS) settings() []spec.Setting {
	return []spec.Setting{
		{Name: "start", Summary: "first trial of the training", Field: &s.Start, Standard: 10},
		{Name: "expand", Summary: "factor on the step size over an epoch", Field: &s.Expand, Standard: 2, Low: 1},
		{Name: "shrink", Summary: "factor after a trial that fails, below 1", Field: &s.Shrink, Standard: 0.9, Below: 1},
		{Name: "decrease", Summary: "share of the expected decrease that a trial has to reach, below 1", Field: &s.Decrease, Standard: 0.5, Below: 1},
	}
}

type sls struct {
	search *lineSearch
	expand float64
	last   remembered
}

// Stepper makes a stepper for one training of a model. A setting out of its
// range is an error.
func (s *SLS) Stepper(m stepper.Model) (stepper.Stepper, error) {
	c := *s
	if err := spec.Complete(c.settings()); err != nil {
		return nil, err
	}
	t, err := newTrained(m)
	if err != nil {
		return nil, err
	}
	value := func(in []*Node, z *Node) *Node { return m.Loss(m.Cast(in[1]), z) }
	search, err := newLineSearch(t, 2, c.Shrink, c.Decrease, value, func(scope *model.Scope, in []*Node, z *Node) (gradients, directions []*Node) {
		gradients = scope.BuildTrainableVariablesGradientsGraph(value(in, z))
		return gradients, gradients
	})
	if err != nil {
		return nil, err
	}
	expand := math.Pow(c.Expand, 1/float64(max(1, m.StepsPerEpoch)))
	last, err := t.remember("step", c.Start/expand)
	return &sls{search, expand, last}, err
}

func (s *sls) Compile(x, y shapes.Shape) error { return s.search.compile([]shapes.Shape{x, y}) }

func (s *sls) Step(learningRate float64, x, y *tensors.Tensor) (step stepper.Step, err error) {
	last, err := s.last.get()
	if err != nil {
		return stepper.Step{}, err
	}
	defer func() { err = errors.Join(err, s.search.t.finish()) }()
	step = stepper.Step{Gradients: 1, Wrong: -1}
	result, err := s.search.step(inputs{x, y}, last*s.expand, learningRate, &step)
	if err != nil {
		return stepper.Step{}, err
	}
	step.Loss, step.GradientL2, step.GradientL1 = result.value, result.l2, result.l1
	return step, s.last.set(max(result.alpha, smallestStep))
}

// AdaGradNorm is scalar AdaGrad: the gradient over the root of the sum of all
// squared gradient norms so far. Its first step has the learning rate as its
// length. Default learning rate 0.1; the paper gives none.
type AdaGradNorm struct{}

var _ train.OptimizeWithGradients = (*AdaGradNorm)(nil)

func (*AdaGradNorm) name() string             { return "adagrad-norm" }
func (*AdaGradNorm) settings() []spec.Setting { return nil }

// UpdateGraphWithGradients builds the graph of one step down the gradients of
// the trainable variables. It implements train.OptimizeWithGradients and
// panics with an error.
func (*AdaGradNorm) UpdateGraphWithGradients(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	g := gradients[0].Graph()
	t := &trained{Model: stepper.Model{Store: scope.Store()}}
	squares := ConvertDType(dot(gradients, gradients), lossDType)
	sum := scope.Store().Scope(scopeName).WithInitializer(initializer.Zero).VariableWithShape("sum_of_squares", shapes.Make(lossDType))
	sum.SetTrainable(false)
	total := Add(sum.NodeValue(g), squares)
	sum.SetNodeValue(total)
	rate := optimizer.LearningRateVar(scope, lossDType, 0.1).NodeValue(g)
	optimizer.IncrementGlobalStep(g, dtypes.Int64)
	descend(scope, t.weights(g), gradients, Div(rate, Sqrt(MaxScalar(total, math.SmallestNonzeroFloat32))))
}

// Stepper makes a stepper for one training of a model.
func (a *AdaGradNorm) Stepper(m stepper.Model) (stepper.Stepper, error) {
	return stepper.Optimizer(m, a)
}

// GULF2 is guided functional optimisation with the loss itself as the distance
// (Johnson and Zhang, "Guided Learning of Nonconvex Models through Successive
// Functional Gradient Optimization", 2020): SGD on
//
//	l(z(theta)) - (1-a) <grad l(z_s), z(theta)> + ridge/2 |theta|^2,
//
// where z_s are the outputs of a stale copy of the model. Every step takes two
// gradients of the loss. Default learning rate 0.1.
type GULF2 struct {
	// Ahead is a in (0, 1], how far the guide is ahead of the stale model.
	// Default 0.3.
	Ahead float64
	// Ridge is the weight decay. Default 0.01; NaN is 0.
	Ridge float64
	// Every is the number of steps after which the copy is made anew. Default:
	// those of an epoch.
	Every int
}

func (*GULF2) name() string { return "gulf2" }

func (g *GULF2) settings() []spec.Setting {
	return []spec.Setting{
		{Name: "ahead", Summary: "how far the guide is ahead of the stale model, in (0, 1]", Field: &g.Ahead, Standard: 0.3, Below: math.Nextafter(1, 2)},
		{Name: "ridge", Summary: "weight decay", Field: &g.Ridge, Standard: 0.01, Zero: true},
		{Name: "every", Summary: "steps after which the stale model is copied anew; 0 is an epoch", Field: &g.Every},
	}
}

type gulf2 struct {
	t             *trained
	every         int
	taken         remembered
	refresh, step *model.Exec
}

// Stepper makes a stepper for one training of a model. A setting out of its
// range is an error.
func (g *GULF2) Stepper(m stepper.Model) (stepper.Stepper, error) {
	c := *g
	if err := spec.Complete(c.settings()); err != nil {
		return nil, err
	}
	t, err := newTrained(m)
	if err != nil {
		return nil, err
	}
	s := &gulf2{t: t, every: c.Every}
	if s.every == 0 {
		s.every = max(1, m.StepsPerEpoch)
	}
	if s.taken, err = t.remember("steps", 0); err != nil {
		return nil, err
	}
	s.refresh, err = model.NewExec(m.Backend, m.Store, func(scope *model.Scope, x *Node) {
		t.outputs(scope, x, false)
		for _, v := range t.weights(x.Graph()) {
			t.stale(v).SetNodeValue(v.NodeValue(x))
		}
	})
	if err != nil {
		return nil, err
	}
	s.step, err = model.NewExec(m.Backend, m.Store, func(scope *model.Scope, x, y, rate *Node) *Node {
		y = m.Cast(y)
		z := t.outputs(scope, x, true)
		weights := t.weights(x.Graph())
		loss := m.Loss(y, z)
		guide := t.guide(scope, x, y, weights)
		objective := Sub(loss, MulScalar(ReduceAllSum(Mul(StopGradient(guide), z)), 1-c.Ahead))
		for _, v := range weights {
			objective = Add(objective, MulScalar(ConvertDType(ReduceAllSum(Square(v.NodeValue(x))), loss.DType()), c.Ridge/2))
		}
		gradients := scope.BuildTrainableVariablesGradientsGraph(objective)
		l2, l1 := stepper.Norms(gradients)
		descend(scope, weights, gradients, rate)
		return Stack([]*Node{loss, ConvertDType(l2, loss.DType()), ConvertDType(l1, loss.DType())}, 0)
	})
	return s, err
}

// stale is the copy of a weight.
func (t *trained) stale(v *model.Variable) *model.Variable {
	name := model.EscapeScopeName(v.Path())
	copied := t.Store.Scope(scopeName+"/stale").WithInitializer(initializer.Zero).VariableWithShape(name, v.Shape())
	return copied.SetTrainable(false)
}

// guide is the gradient of the mean loss by the outputs of the stale model.
func (t *trained) guide(scope *model.Scope, x, y *Node, weights []*model.Variable) *Node {
	old := make([]*Node, len(weights))
	for i, v := range weights {
		old[i] = v.NodeValue(x)
		v.SetNodeValue(t.stale(v).NodeValue(x))
	}
	z := t.outputs(scope, x, false)
	for i, v := range weights {
		v.SetNodeValue(old[i])
	}
	return Gradient(t.Loss(y, z), z)[0]
}

func (s *gulf2) Compile(x, y shapes.Shape) error {
	if _, err := s.refresh.Compile(x); err != nil {
		return err
	}
	_, err := s.step.Compile(x, y, shapes.Make(s.t.DType))
	return err
}

func (s *gulf2) Step(learningRate float64, x, y *tensors.Tensor) (step stepper.Step, err error) {
	taken, err := s.taken.get()
	if err != nil {
		return stepper.Step{}, err
	}
	if int(taken)%s.every == 0 {
		if _, err := s.refresh.Exec(x); err != nil {
			return stepper.Step{}, err
		}
	}
	rate, err := s.t.number(learningRate)
	if err != nil {
		return stepper.Step{}, err
	}
	defer func() { err = errors.Join(err, s.t.finish(rate)) }()
	head, err := values(s.step.Exec(x, y, rate))
	if err != nil {
		return stepper.Step{}, err
	}
	step = stepper.Step{Loss: head[0], GradientL2: head[1], GradientL1: head[2], Gradients: 2, Evaluations: 2, Wrong: -1}
	return step, s.taken.set(taken + 1)
}
