// Package surrogate trains any model by target-based surrogates (SSO):
// Lavington, Vaswani, Babanezhad, Schmidt and Le Roux, "Target-based Surrogates
// for Stochastic Optimization", ICML 2023.
//
// The targets z of a model are its outputs, the logits or predicted values of
// each example. Where the gradient of the loss by the targets is expensive (a
// simulator or an expert has to be asked, say) and the model is cheap, one
// such gradient G should pay for more than one step. A step of SSO takes G
// once, and then m inner steps on the surrogate
//
//	g(theta) = l(z_t) + (1/b) sum_i <G_i, z_i(theta) - z_ti> + |z_i(theta) - z_ti|^2/(2 eta),
//
// which for eta <= 1/L bounds the loss from above and touches it at theta_t. L
// is the largest curvature of the loss of one example in its targets: 1/4 for
// logistic loss, 1/2 for softmax cross entropy, 2 for (z-y)^2. So the learning
// rate that a stepper of this package is given is eta, in the targets' units
// and not the weights': 2 is the step of theory for cross entropy, and 1/2 for
// squared error.
//
// [SSO] and its relatives choose eta each in its own way. The baselines of the
// paper are here too: [SLS], [AdaGradNorm] and [GULF2]. SVRG is not, as it
// needs gradients over all examples and a step sees one batch; it is in package
// linear below, which has all methods in closed form for linear models.
package surrogate

import (
	"errors"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method/stepper"
)

// scopeName is where the state of methods is kept in the store.
const scopeName = "/surrogate"

// trained is the model of a training as the graphs of this package see it.
type trained struct {
	stepper.Model
	// random says that the outputs draw random numbers, as dropout does. Only
	// known once they were built.
	random  bool
	advance *model.Exec // draws a random number, so that the next step has others
}

func newTrained(m stepper.Model) (*trained, error) {
	t := &trained{Model: m}
	var err error
	t.advance, err = model.NewExec(m.Backend, m.Store, func(scope *model.Scope, g *graph.Graph) *graph.Node {
		return scope.RandomUniform(g, shapes.Make(m.DType))
	})
	return t, err
}

// outputs builds the targets of x. Within one step all graphs see the same
// random numbers and leave them as they are, so that surrogate and loss are of
// one function. Other state of the model, such as running means, moves with
// the first graph of a step alone.
func (t *trained) outputs(scope *model.Scope, x *graph.Node, first bool) *graph.Node {
	g := x.Graph()
	t.Store.SetTraining(g, true)
	z := t.Outputs(scope.ResetVisited(), t.Cast(x))
	for v := range t.Store.IterVariables() {
		if v.Trainable || !v.ChangedInGraph(g) {
			continue
		}
		random := v.Name() == model.RNGStateVariableName
		t.random = t.random || random
		if random || !first {
			v.SetNodeValue(g.GetParameterByName(v.Path()))
		}
	}
	return z
}

// weights are the trainable variables that the outputs in a graph depend on,
// in the order of their gradients.
func (t *trained) weights(g *graph.Graph) []*model.Variable {
	var list []*model.Variable
	for v := range t.Store.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			list = append(list, v)
		}
	}
	return list
}

// moved builds the targets of x at weights that are off by -alpha times the
// directions. It leaves the weights as they are.
func (t *trained) moved(scope *model.Scope, x, alpha *graph.Node, weights []*model.Variable, directions []*graph.Node) *graph.Node {
	old := make([]*graph.Node, len(weights))
	for i, v := range weights {
		old[i] = v.NodeValue(x)
		v.SetNodeValue(less(old[i], alpha, directions[i]))
	}
	z := t.outputs(scope, x, false)
	for i, v := range weights {
		v.SetNodeValue(old[i])
	}
	return z
}

// less is x - alpha d, in x's type.
func less(x, alpha, d *graph.Node) *graph.Node {
	return graph.Sub(x, graph.Mul(graph.ConvertDType(alpha, x.DType()), graph.ConvertDType(d, x.DType())))
}

// batchSize is the number of examples of z [b, c], as a factor for nodes.
func batchSize(z *graph.Node) float64 { return float64(z.Shape().Dimensions[0]) }

// finish lets go of tensors and moves on the random numbers.
func (t *trained) finish(list ...*tensors.Tensor) error {
	err := release(list...)
	if t.random {
		drawn, drawErr := t.advance.Exec()
		err = errors.Join(err, drawErr, release(drawn...))
	}
	return err
}

func release(list ...*tensors.Tensor) error {
	var errs []error
	for _, tensor := range list {
		if tensor != nil {
			errs = append(errs, tensor.FinalizeAll())
		}
	}
	return errors.Join(errs...)
}

// number is a scalar tensor of the model's type. It is put where graphs read it
// at once: finding out that it is not there costs them an error with a stack.
func (t *trained) number(x float64) (*tensors.Tensor, error) {
	number, err := tensors.FromAnyValue(shapes.CastAsDType(x, t.DType))
	if err != nil {
		return nil, err
	}
	return number, number.MaterializeOnDevice(t.Backend, t.Backend.HasSharedBuffers(), 0)
}

// remembered is a number that a method keeps in the store from one step to the
// next.
type remembered struct{ variable *model.Variable }

func (t *trained) remember(name string, start float64) (remembered, error) {
	v, err := t.Store.CreateVariable(scopeName+"/"+name, tensors.FromScalar(start))
	if err != nil {
		return remembered{}, err
	}
	v.SetTrainable(false)
	return remembered{v}, nil
}

func (r remembered) get() (float64, error) {
	value, err := r.variable.Value()
	if err != nil {
		return 0, err
	}
	return tensors.ToScalar[float64](value), nil
}

func (r remembered) set(x float64) error { return r.variable.SetValue(tensors.FromScalar(x)) }
