package firstorder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/support/exceptions"
)

// A rule says how a method moves a variable. The loop over the variables,
// their state and GoMLX's conventions are the same for all rules.
type rule struct {
	name         string   // scope of the state
	learningRate float64  // at the start of training
	state        []string // names of what is remembered of each variable
	counted      bool     // whether move reads the number of the step

	// move returns the step, which is subtracted from the value, and the new
	// state in the order of the names.
	move func(p parameter) (step *Node, state []*Node)
}

// A parameter is a variable at one step. All nodes have the same dtype; all
// but the scalars have the same shape.
type parameter struct {
	value, gradient *Node
	state           []*Node // as the step before left it, zero at the first
	learningRate    *Node   // scalar
	time            *Node   // scalar t = 1, 2, ...; nil unless the rule is counted
}

// descend builds the graph of one step. The gradients are those of the
// trainable variables of scope that the graph uses, in their order.
func (r rule) descend(scope *model.Scope, gradients []*Node, lossDType dtypes.DType) {
	variables := trainable(scope, gradients)
	g := gradients[0].Graph()
	rate := optimizer.LearningRateVar(scope, stateDType(lossDType), r.learningRate).NodeValue(g)
	optimizer.IncrementGlobalStep(g, dtypes.Int64)
	var time *Node
	if r.counted {
		time = optimizer.IncrementCounter(scope.At("%s", r.name), g, "step", dtypes.Int64)
	}
	for i, v := range variables {
		dtype := stateDType(v.DType())
		gradient := ConvertDType(gradients[i], dtype)
		optimizer.TraceNaNInGradients(scope, v, gradient)
		p := parameter{
			value:        ConvertDType(v.NodeValue(g), dtype),
			gradient:     optimizer.ClipNaNsInGradients(scope, gradient),
			learningRate: ConvertDType(rate, dtype),
		}
		if r.counted {
			p.time = ConvertDType(time, dtype)
		}
		step := optimizer.ClipStepByValue(scope, r.step(scope.Store(), v, p))
		moved := optimizer.ClipNaNsInUpdates(scope, p.value, Sub(p.value, step))
		v.SetNodeValue(ConvertDType(moved, v.DType()))
	}
}

// step returns the step of the variable v. It adds the state of v to p and
// keeps the new state; state that is missing is created.
func (r rule) step(store *model.Store, v *model.Variable, p parameter) *Node {
	shape := v.Shape().Clone()
	shape.DType = stateDType(v.DType())
	scope := store.Scope(model.JoinPath("/", r.name, v.Path())).WithInitializer(initializer.Zero)
	memory := make([]*model.Variable, len(r.state))
	for i, name := range r.state {
		memory[i] = scope.VariableWithShape(name, shape).SetTrainable(false)
		p.state = append(p.state, memory[i].NodeValue(p.value))
	}
	step, state := r.move(p)
	for i, m := range memory {
		m.SetNodeValue(state[i])
	}
	return step
}

// trainable returns the variables of scope to which the gradients belong.
func trainable(scope *model.Scope, gradients []*Node) []*model.Variable {
	if len(gradients) == 0 {
		exceptions.Panicf("no gradients for scope %q, expected one for each trainable variable in use", scope.Scope())
	}
	var variables []*model.Variable
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(gradients[0].Graph()) {
			variables = append(variables, v)
		}
	}
	if len(variables) != len(gradients) {
		exceptions.Panicf("%d gradients for scope %q, expected one for each of its %d trainable variables in use",
			len(gradients), scope.Scope(), len(variables))
	}
	for i, v := range variables {
		if !v.DType().IsFloat() {
			exceptions.Panicf("variable %q has shape %s, expected a float dtype", v.Path(), v.Shape())
		}
		if !gradients[i].Shape().EqualDimensions(v.Shape()) {
			exceptions.Panicf("gradient %d has shape %s, expected the shape %s of variable %q",
				i, gradients[i].Shape(), v.Shape(), v.Path())
		}
	}
	return variables
}

// descendLoss builds the graph of one step of the method down the gradient of
// the scalar loss.
func descendLoss(m train.OptimizeWithGradients, scope *model.Scope, loss *Node) {
	if !loss.Shape().IsScalar() {
		exceptions.Panicf("loss has shape %s, expected a scalar", loss.Shape())
	}
	m.UpdateGraphWithGradients(scope, scope.BuildTrainableVariablesGradientsGraph(loss), loss.DType())
}

// forget deletes what the method of the given name keeps of the variables of
// scope, and its count of steps.
func forget(scope *model.Scope, name string) error {
	if err := scope.Store().DeleteVariablesInScope(model.JoinPath("/", name, scope.Scope())); err != nil {
		return err
	}
	return scope.At("%s", name).DeleteVariablesInScope()
}

// stateDType is the dtype of the state and the arithmetic for a variable or a
// loss of the given dtype: half precision cannot tell 1 from a decay of 0.999.
func stateDType(dtype dtypes.DType) dtypes.DType {
	if dtype.IsHalfPrecision() {
		return dtypes.Float32
	}
	return dtype
}
