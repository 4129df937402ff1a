package surrogate

import (
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/spec"
	"github.com/descentml/descent/method/stepper"
)

// Inner is how a surrogate is minimised. Its zero value is ten steps of
// gradient descent with a line search.
type Inner struct {
	// Steps is the number m of inner steps for each gradient of the loss.
	// Default 10.
	Steps int
	// Solver is what takes them.
	Solver Solver
	// Rate is the step size in the weights of the solvers without a line
	// search, as a share of eta. Default 0.01 for [GradientDescent] and 0.0005
	// for [Adam]. A gradient descent of one inner step is SGD at the learning
	// rate Rate eta.
	Rate float64
	// Start is the first trial of the line search at every step. Default 10.
	Start float64
	// Carry starts the search at the last step size instead.
	Carry bool
	// Expand^(1/batches per epoch) is the factor on the first trial from one
	// inner step to the next. Default 2.
	Expand float64
	// Shrink is the factor after a trial that fails. Default 0.5: the published
	// 0.9 takes a hundred trials from 10 to 3e-4, and the search ends there.
	Shrink float64
	// Decrease is the constant c of the sufficient decrease: a trial passes
	// where g falls by c alpha |grad g|^2. Default 0.5, as in the published runs.
	Decrease float64
	// CG is the number of conjugate gradient steps of [NewtonCG]. Default 10.
	CG int
}

// Solver minimises a surrogate.
type Solver int

// The solvers.
const (
	// Armijo is gradient descent with a backtracking line search, as
	// published. It ends where the gradient is below 1e-6 or no step above
	// 1e-6 passes. The default.
	Armijo Solver = iota
	// GradientDescent has a fixed step size.
	GradientDescent
	// Adam's moments live on from one surrogate to the next, so that one inner
	// step is a step of Adam on the loss.
	Adam
	// NewtonCG solves for the minimiser of the surrogate with the model made
	// linear (its Gauss-Newton matrix) by conjugate gradients, and searches
	// along the way there. For linear models that is the minimiser.
	NewtonCG
)

var solverNames = []string{"armijo", "gd", "adam", "newton-cg"}

// String returns the name of the solver, as it is written in options.
func (s Solver) String() string {
	if s < 0 || int(s) >= len(solverNames) {
		return fmt.Sprintf("Solver(%d)", int(s))
	}
	return solverNames[s]
}

// UnmarshalText reads the name of a solver.
func (s *Solver) UnmarshalText(text []byte) error {
	i, err := indexOf("solver", string(text), solverNames)
	if err == nil {
		*s = Solver(i)
	}
	return err
}

func (n *Inner) settings() []spec.Setting {
	return []spec.Setting{
		{Name: "inner", Summary: "inner steps for each gradient of the loss", Field: &n.Steps, Standard: 10, Least: 1},
		{Name: "solver", Summary: "what takes the inner steps: armijo, gd, adam or newton-cg", Field: &n.Solver},
		{Name: "rate", Summary: "step size of gd and adam, as a share of the target step size; 0.0005 for adam", Field: &n.Rate, Standard: 0.01},
		{Name: "start", Summary: "first trial of the line search", Field: &n.Start, Standard: 10},
		{Name: "carry", Summary: "start the line search at the last step size", Field: &n.Carry},
		{Name: "expand", Summary: "factor on the line search's first trial over the inner steps of as many batches as an epoch has", Field: &n.Expand, Standard: 2, Low: 1},
		{Name: "shrink", Summary: "factor after a trial that fails, below 1; published: 0.9", Field: &n.Shrink, Standard: 0.5, Below: 1},
		{Name: "decrease", Summary: "share of the expected decrease that a trial has to reach, below 1", Field: &n.Decrease, Standard: 0.5, Below: 1},
		{Name: "cg", Summary: "conjugate gradient steps of newton-cg", Field: &n.CG, Standard: 10, Least: 1},
	}
}

// inputs are the operands of one outer step, in their order.
type inputs []any

// A solver takes the inner steps of one outer step and adds their cost to it,
// with the norms of the first gradient.
type solver interface {
	compile(operands []shapes.Shape) error
	solve(in inputs, step *stepper.Step) error
}

// newSolver makes the solver for surrogates of one geometry.
func (n Inner) newSolver(t *trained, shape geometry) (solver, error) {
	if n.Solver == Adam && n.Rate == 0 {
		n.Rate = 0.0005
	}
	if err := spec.Complete(n.settings()); err != nil {
		return nil, err
	}
	switch n.Solver {
	case Armijo:
		return newArmijo(t, shape, n)
	case NewtonCG:
		return newNewtonCG(t, shape, n)
	case GradientDescent:
		return newPlain(t, shape, n, descend)
	case Adam:
		adam := &firstorder.Adam{}
		return newPlain(t, shape, n, func(scope *model.Scope, _ []*model.Variable, gradients []*Node, rate *Node) {
			optimizer.LearningRateVar(scope, rate.DType(), 0).SetNodeValue(rate)
			adam.UpdateGraphWithGradients(scope, gradients, rate.DType())
		})
	}
	return nil, fmt.Errorf("%s: expected one of armijo, gd, adam and newton-cg", n.Solver)
}

// descend moves the weights down their gradients.
func descend(_ *model.Scope, weights []*model.Variable, gradients []*Node, rate *Node) {
	for i, v := range weights {
		v.SetNodeValue(less(v.NodeValue(rate), rate, gradients[i]))
	}
}

// plain takes inner steps without a line search: one graph for each.
type plain struct {
	steps       int
	first, next *model.Exec // with the norms of the gradient, and without
}

type update func(scope *model.Scope, weights []*model.Variable, gradients []*Node, rate *Node)

func newPlain(t *trained, shape geometry, n Inner, move update) (solver, error) {
	build := func(norms bool) (*model.Exec, error) {
		return model.NewExec(t.Backend, t.Store, func(scope *model.Scope, in []*Node) []*Node {
			o := t.operands(in)
			z := t.outputs(scope, o.x, false)
			gradients := t.pullBack(scope, z, shape.slope(t, o, z))
			var out []*Node
			if norms {
				l2, l1 := stepper.Norms(gradients)
				out = []*Node{Stack([]*Node{l2, l1}, 0)}
			}
			move(scope, t.weights(z.Graph()), gradients, MulScalar(ReduceAllMean(o.eta), n.Rate))
			return out
		})
	}
	p := &plain{steps: n.Steps}
	var err error
	if p.first, err = build(true); err != nil {
		return nil, err
	}
	p.next, err = build(false)
	return p, err
}

// pullBack is the gradient by the weights of the mean over the examples of a
// function of the targets z, whose gradient by z is slope.
func (t *trained) pullBack(scope *model.Scope, z, slope *Node) []*Node {
	slope = StopGradient(MulScalar(slope, 1/batchSize(z)))
	return scope.BuildTrainableVariablesGradientsGraph(ReduceAllSum(Mul(z, slope)))
}

func (p *plain) compile(operands []shapes.Shape) error {
	if _, err := p.first.Compile(operands...); err != nil || p.steps == 1 {
		return err
	}
	_, err := p.next.Compile(operands...)
	return err
}

func (p *plain) solve(in inputs, step *stepper.Step) error {
	norms, err := values(p.first.Exec(in...))
	if err != nil {
		return err
	}
	step.GradientL2, step.GradientL1 = norms[0], norms[1]
	for range p.steps - 1 {
		if _, err := p.next.Exec(in...); err != nil {
			return err
		}
	}
	step.Evaluations += p.steps
	return nil
}

// values reads the numbers of an execution's first output.
func values(outputs []*tensors.Tensor, err error) ([]float64, error) {
	if err != nil {
		return nil, err
	}
	return stepper.Values(outputs[0])
}
