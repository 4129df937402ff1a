package surrogate

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// SSO takes inner steps on the surrogate of the batch at the target step size
// eta, which is the learning rate. Lavington et al. 2023, algorithm 1; with
// schedules eta/sqrt(t) and eta (1/T)^{t/T} those of its theory.
//
// The learning rate of the theory is 1/L: 2 for softmax cross entropy, which
// is the default, and 1/2 for squared error without a factor 1/2.
type SSO struct {
	Inner
	// Geometry is the distance between targets. Default Euclidean.
	Geometry Geometry
}

// LineSearch is SSO-SLS: eta is found by a line search on the targets alone,
//
//	l(z_t - eta G) <= l(z_t) - eta c |G|_F^2/b,
//
// which evaluates no model. It begins at the step before times TargetExpand,
// stays within [1e-4, 1e4] and is multiplied by the learning rate. Default
// learning rate 1.
type LineSearch struct {
	Inner
	// TargetStart is the first trial of the training. Default 10.
	TargetStart float64
	// TargetExpand is the factor on the step before. Default 1.8.
	TargetExpand float64
	// TargetShrink is the factor after a trial that fails. Default 0.9.
	TargetShrink float64
	// TargetDecrease is the constant c. Default 0.5.
	TargetDecrease float64
}

// AdaGrad is SSO-Adagrad: eta is the learning rate over the root of the sum of
// all |G|_F^2 so far. Default learning rate 10; the paper gives none.
type AdaGrad struct {
	Inner
	// ByOutput keeps one sum for each output, that of its mean square over the
	// batch, clamped to [1e-5, 1e5]. The published diagonal form has one for
	// each example too, which a step does not know apart; package linear has it.
	ByOutput bool
}

// Newton is SSO-Newton: the distance of the surrogate has the curvature of the
// loss at the targets z_t plus 1e-5, p(1-p) + 1e-5 for logistic loss, in place
// of 1. For softmax cross entropy and other losses of several outputs it is
// the Hessian of each example. The loss must be convex in the outputs; it is
// an error at the step that finds it is not. Default learning rate 1.
type Newton struct{ Inner }

func (*SSO) name() string        { return "sso" }
func (*LineSearch) name() string { return "sso-sls" }
func (*AdaGrad) name() string    { return "sso-adagrad" }
func (*Newton) name() string     { return "sso-newton" }

func (s *SSO) settings() []spec.Setting {
	return append(s.Inner.settings(), spec.Setting{
		Name: "geometry", Summary: "distance between targets: euclidean, or exponentiated for logits", Field: &s.Geometry,
	})
}

func (l *LineSearch) settings() []spec.Setting { return append(l.Inner.settings(), l.own()...) }

func (l *LineSearch) own() []spec.Setting {
	return []spec.Setting{
		{Name: "target_start", Summary: "first trial of the target step size", Field: &l.TargetStart, Standard: 10},
		{Name: "target_expand", Summary: "factor on the target step size of the step before", Field: &l.TargetExpand, Standard: 1.8, Low: 1},
		{Name: "target_shrink", Summary: "factor after a target step that fails, below 1", Field: &l.TargetShrink, Standard: 0.9, Below: 1},
		{Name: "target_decrease", Summary: "share of the expected decrease that a target step has to reach, below 1", Field: &l.TargetDecrease, Standard: 0.5, Below: 1},
	}
}

func (a *AdaGrad) settings() []spec.Setting {
	return append(a.Inner.settings(), spec.Setting{Name: "by_output", Summary: "keep one sum of squares for each output", Field: &a.ByOutput})
}

func (n *Newton) settings() []spec.Setting { return n.Inner.settings() }

// Stepper makes a stepper for one training of a model. A setting out of its
// range is an error.
func (s *SSO) Stepper(m stepper.Model) (stepper.Stepper, error) {
	shape, err := s.Geometry.build()
	if err != nil {
		return nil, err
	}
	return newSSO(m, s.Inner, shape, func(t *trained) (rule, error) { return given{t}, nil })
}

// Stepper makes a stepper for one training of a model.
func (l *LineSearch) Stepper(m stepper.Model) (stepper.Stepper, error) {
	c := *l
	if err := spec.Complete(c.own()); err != nil {
		return nil, err
	}
	return newSSO(m, c.Inner, euclidean{}, func(t *trained) (rule, error) {
		return newSearched(t, c.TargetExpand, c.TargetShrink, c.TargetDecrease, c.TargetStart)
	})
}

// Stepper makes a stepper for one training of a model.
func (a *AdaGrad) Stepper(m stepper.Model) (stepper.Stepper, error) {
	return newSSO(m, a.Inner, euclidean{}, func(t *trained) (rule, error) { return newAccumulated(t, a.ByOutput) })
}

// Stepper makes a stepper for one training of a model.
func (n *Newton) Stepper(m stepper.Model) (stepper.Stepper, error) {
	return newSSO(m, n.Inner, newton{}, func(t *trained) (rule, error) { return given{t}, nil })
}

// sso takes outer steps: one expensive call, then the solver's.
type sso struct {
	t      *trained
	shape  geometry
	rule   rule
	solver solver
	call   *model.Exec // x and y to [loss, least curvature along G], z and G
	width  int         // outputs of an example
}

func newSSO(m stepper.Model, n Inner, shape geometry, makeRule func(*trained) (rule, error)) (stepper.Stepper, error) {
	t, err := newTrained(m)
	if err != nil {
		return nil, err
	}
	s := &sso{t: t, shape: shape}
	if s.rule, err = makeRule(t); err != nil {
		return nil, err
	}
	if s.solver, err = n.newSolver(t, shape); err != nil {
		return nil, err
	}
	s.call, err = model.NewExec(m.Backend, m.Store, s.build)
	return s, err
}

// build is the graph of the expensive call.
func (s *sso) build(scope *model.Scope, x, y *Node) (head, targets, signal *Node) {
	y = s.t.Cast(y)
	z := s.t.outputs(scope, x, true)
	if z.Rank() != 2 {
		panic(fmt.Errorf("outputs of shape %s: expected [batch, outputs]", z.Shape()))
	}
	s.width = z.Shape().Dimensions[1]
	signal = s.shape.signal(s.t, y, z)
	loss := s.t.Loss(y, z)
	least := ZerosLike(loss)
	if n, ok := s.shape.(newton); ok {
		curved := n.hessian(s.t, operands{x: x, y: y, targets: z, signal: signal}, signal)
		least = ReduceAllMin(ReduceSum(Mul(signal, curved), -1))
	}
	return Stack([]*Node{loss, ConvertDType(least, loss.DType())}, 0), z, signal
}

func (s *sso) Compile(x, y shapes.Shape) error {
	if _, err := s.call.Compile(x, y); err != nil {
		return err
	}
	targets := shapes.Make(s.t.DType, x.Dimensions[0], s.width)
	if err := s.rule.compile(y, targets); err != nil {
		return err
	}
	return s.solver.compile([]shapes.Shape{x, y, targets, targets, s.rule.shape(s.width)})
}

func (s *sso) Step(learningRate float64, x, y *tensors.Tensor) (step stepper.Step, err error) {
	outputs, err := s.call.Exec(x, y)
	if err != nil {
		return stepper.Step{}, err
	}
	targets, signal := outputs[1], outputs[2]
	defer func() { err = errors.Join(err, s.t.finish(targets, signal)) }()
	head, err := stepper.Values(outputs[0])
	if err != nil {
		return stepper.Step{}, err
	}
	step = stepper.Step{Loss: head[0], GradientL2: math.NaN(), GradientL1: math.NaN(), Gradients: 1, Evaluations: 1, Wrong: -1}
	switch {
	case math.IsNaN(step.Loss) || math.IsInf(step.Loss, 0) || learningRate == 0:
		return step, nil // nothing to minimise: diverged, or told to stay
	case head[1] < 0:
		return step, errors.New("sso-newton on a loss that curves down in the model's outputs: expected a convex one")
	}
	eta, err := s.rule.eta(learningRate, step.Loss, y, targets, signal)
	if err != nil {
		return step, err
	}
	defer func() { err = errors.Join(err, eta.FinalizeAll()) }()
	err = s.solver.solve(inputs{x, y, targets, signal, eta}, &step)
	return step, err
}
