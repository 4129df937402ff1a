package network

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method/stepper"
)

// trained is the model as a function of one vector that has all its weights.
type trained struct {
	stepper.Model
	weights []*model.Variable // in the order of the vector
	size    int               // of the vector
}

// discover finds the weights by building the outputs once.
func (t *trained) discover(x, y shapes.Shape) error {
	exec, err := model.NewExec(t.Backend, t.Store, func(scope *model.Scope, x, y *Node) *Node {
		outputs := t.outputs(scope, x)
		t.weights, t.size = nil, 0
		for v := range t.Store.IterVariables() {
			if v.Trainable && v.InUseByGraph(x.Graph()) {
				t.weights = append(t.weights, v)
				t.size += v.Shape().Size()
			}
		}
		return t.Loss(t.Cast(y), outputs)
	})
	if err != nil {
		return err
	}
	defer exec.Finalize()
	_, err = exec.Compile(x, y)
	return err
}

// outputs builds the outputs of x. Random numbers and running means stay as
// they are, so that all graphs of a training are of one function.
func (t *trained) outputs(scope *model.Scope, x *Node) *Node {
	g := x.Graph()
	t.Store.SetTraining(g, true)
	z := t.Outputs(scope.ResetVisited(), t.Cast(x))
	for v := range t.Store.IterVariables() {
		if !v.Trainable && v.ChangedInGraph(g) {
			v.SetNodeValue(g.GetParameterByName(v.Path()))
		}
	}
	return z
}

// read builds the vector of the weights.
func (t *trained) read(_ *model.Scope, g *Graph) *Node {
	parts := make([]*Node, len(t.weights))
	for i, v := range t.weights {
		parts[i] = ConvertDType(Reshape(v.NodeValue(g), v.Shape().Size()), dtypes.Float64)
	}
	return Concatenate(parts, 0)
}

// write sets the weights to those of the vector.
func (t *trained) write(_ *model.Scope, vector *Node) {
	for i, part := range t.split(vector) {
		t.weights[i].SetNodeValue(ConvertDType(part, t.weights[i].DType()))
	}
}

// split cuts a vector into parts of the weights' shapes.
func (t *trained) split(vector *Node) []*Node {
	parts := make([]*Node, len(t.weights))
	first := 0
	for i, v := range t.weights {
		shape := v.Shape()
		parts[i] = Reshape(Slice(vector, AxisRange(first, first+shape.Size())), shape.Dimensions...)
		first += shape.Size()
	}
	return parts
}

// join is the vector of parts.
func join(parts []*Node) *Node {
	flat := make([]*Node, len(parts))
	for i, part := range parts {
		flat[i] = Reshape(part, part.Shape().Size())
	}
	return Concatenate(flat, 0)
}

// dot is the inner product of two vectors in parts.
func dot(a, b []*Node) *Node {
	sum := ReduceAllSum(Mul(a[0], b[0]))
	for i := 1; i < len(a); i++ {
		sum = Add(sum, ReduceAllSum(Mul(a[i], b[i])))
	}
	return sum
}

// at builds the outputs at the weights of the vector, of which it returns the
// parts, and leaves the variables as they are.
func (t *trained) at(scope *model.Scope, vector, x *Node) (z *Node, parts []*Node) {
	parts = t.split(vector)
	old := make([]*Node, len(t.weights))
	for i, v := range t.weights {
		old[i] = v.NodeValue(x)
		v.SetNodeValue(ConvertDType(parts[i], v.DType()))
	}
	z = t.outputs(scope, x)
	for i, v := range t.weights {
		v.SetNodeValue(old[i])
	}
	return z, parts
}

// valueGradient builds the loss, followed by its gradient by the vector, and
// that followed by its l1 norm.
func (t *trained) valueGradient(scope *model.Scope, vector, x, y *Node) *Node {
	z, parts := t.at(scope, vector, x)
	loss := t.Loss(t.Cast(y), z)
	gradient := join(Gradient(loss, parts...))
	return ConvertDType(join([]*Node{loss, gradient, ReduceAllSum(Abs(gradient))}), dtypes.Float64)
}

// columnsPerCall is how many columns of a matrix one call of a graph makes from
// one pass through the model. More are slower to compile.
const columnsPerCall = 16

// columns builds columns of the matrix J'WJ from a first one on, [columns,
// size], where J is the Jacobian of the outputs of all examples and W has one
// block for each example: the second derivatives of the loss by its outputs
// for the Gauss-Newton matrix, and r r'/N with the first derivatives r of its
// own loss for the Fisher matrix. J is never stored. A column beyond the last
// is zero.
//
// J'u is linear in u, and its derivative by u along v is J v.
func (t *trained) columns(outer bool) func(scope *model.Scope, vector, first, x, y *Node) *Node {
	return func(scope *model.Scope, vector, first, x, y *Node) *Node {
		z, parts := t.at(scope, vector, x)
		slope := Gradient(t.Loss(t.Cast(y), z), z)[0]
		u := ZerosLike(z)
		pulled := Gradient(ReduceAllSum(Mul(z, u)), parts...)
		list := make([]*Node, columnsPerCall)
		for i := range list {
			unit := t.split(OneHot(AddScalar(first, float64(i)), t.size, vector.DType()))
			push := StopGradient(Gradient(dot(pulled, unit), u)[0])
			var weighted *Node
			if outer {
				along := ReduceAndKeep(Mul(push, slope), ReduceSum, -1)
				weighted = MulScalar(Mul(along, slope), float64(z.Shape().Dim(0)))
			} else {
				weighted = Gradient(ReduceAllSum(Mul(slope, push)), z)[0]
			}
			list[i] = join(Gradient(ReduceAllSum(Mul(z, StopGradient(weighted))), parts...))
		}
		return Stack(list, 0)
	}
}

// checkSize refuses models whose matrix would be too large.
func (t *trained) checkSize(name string, limit int) error {
	switch {
	case t.size == 0:
		return fmt.Errorf("method %q: the model has no weights, expected at least one", name)
	case t.size > limit:
		return fmt.Errorf("method %q factors a matrix of the order of the model's %d weights, expected at most %d (option %s)", name, t.size, limit, limitOption)
	}
	return nil
}
