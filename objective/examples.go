package objective

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// perExample computes the gradients of a number of examples in one call.
type perExample struct {
	outer program // from the parts of dense layers; exec is nil if the model has others
	each  program // one graph with a copy of the model for each example
	size  int     // examples of a call of outer

	buffer []float64 // of the matrices that are visited
}

const (
	// gradientNumbers bounds the numbers of one call's result.
	gradientNumbers = 1 << 22
	// copies is the number of copies of the model in a graph.
	copies = 8
)

// ExampleGradients visits the gradients of all examples' losses in order, as
// the rows of matrices [k, Dim] that begin with example first. A matrix is
// valid during the visit only. Where every variable is the weight or the bias
// of dense layers, gradients are outer products of the layers' inputs and the
// derivatives by their outputs, all examples in one graph; other models are
// built several times into one graph, once for each of a few examples.
func (f *Risk) ExampleGradients(ctx context.Context, visit func(first int, gradients *mat.Dense) error) error {
	if f.jacobian == nil {
		var p *perExample
		if err := guard(func() (err error) { p, err = f.newPerExample(); return err }); err != nil {
			return fmt.Errorf("gradients of examples cannot be computed: %w", err)
		}
		f.jacobian = p
	}
	p, size := &f.jacobian.outer, f.jacobian.size
	if p.exec == nil {
		p, size = &f.jacobian.each, copies
	}
	if len(f.jacobian.buffer) < size*f.dim {
		f.jacobian.buffer = make([]float64, size*f.dim)
	}
	for first := 0; first < f.count; first += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(size, f.count-first)
		gradients := mat.NewDense(n, f.dim, f.jacobian.buffer[:n*f.dim])
		if err := f.exampleRows(p, first, gradients); err != nil {
			return err
		}
		if !allFinite(gradients.RawMatrix().Data) {
			return notFinite("the gradient of an example")
		}
		if err := visit(first, gradients); err != nil {
			return err
		}
	}
	return nil
}

// exampleRows computes the gradients of the examples from first on.
func (f *Risk) exampleRows(p *program, first int, dst *mat.Dense) error {
	n, _ := dst.Dims()
	x, err := rows(f.x, first, first+n)
	if err != nil {
		return err
	}
	y, err := rows(f.y, first, first+n)
	if err != nil {
		return err
	}
	p.args = append(p.args[:0], f.weights, x, y)
	outputs, err := p.call()
	if err != nil {
		return fmt.Errorf("gradients of examples cannot be computed: %w", err)
	}
	err = read(dst.RawMatrix().Data, outputs[0])
	return errors.Join(err, outputs[0].FinalizeAll(), x.FinalizeAll(), y.FinalizeAll())
}

// newPerExample compiles both ways and keeps outer products only if they agree
// with the other way on the first example.
func (f *Risk) newPerExample() (*perExample, error) {
	p := &perExample{size: max(1, min(f.count, f.options.Chunk, gradientNumbers/f.dim))}
	var err error
	if p.each.exec, err = f.exampleExec(f.copied); err != nil {
		return nil, err
	}
	reference := mat.NewDense(1, f.dim, nil)
	if err := f.exampleRows(&p.each, 0, reference); err != nil {
		return nil, err
	}
	possible := true
	p.outer.exec, err = f.exampleExec(func(params []*Node, x, y *Node) *Node {
		product := f.outerProducts(params, x, y)
		if product == nil {
			possible = false
			return f.copied(params, Slice(x, AxisRange(0, 1)), Slice(y, AxisRange(0, 1)))
		}
		return product
	})
	if err != nil {
		return nil, err
	}
	// As many examples as a call will have: axes are recognised by their length.
	sample := mat.NewDense(p.size, f.dim, nil)
	if err := f.exampleRows(&p.outer, 0, sample); err != nil || !possible || !agree(sample.RawRowView(0), reference.RawRowView(0)) {
		p.outer.exec = nil // not an error: the other way has succeeded
	}
	return p, nil
}

// agree reports whether two vectors are equal but for rounding in float32.
func agree(a, b []float64) bool {
	difference, size := 0.0, 0.0
	for i := range a {
		difference, size = max(difference, math.Abs(a[i]-b[i])), max(size, math.Abs(b[i]))
	}
	return difference <= 1e-4*size
}

// exampleExec compiles a graph of the gradients of the examples of a call, [n, dim].
func (f *Risk) exampleExec(build func(params []*Node, x, y *Node) *Node) (*model.Exec, error) {
	return model.NewExec(f.model.Backend, f.model.Store, func(_ *model.Scope, in []*Node) *Node {
		params, restore := f.bind(in[0])
		defer restore()
		return ConvertDType(build(params, in[1], in[2]), f.transport())
	})
}

// copied builds the model once for each example.
func (f *Risk) copied(params []*Node, x, y *Node) *Node {
	var gradients []*Node
	for i := range x.Shape().Dimensions[0] {
		// A scope of its own: within one, a model is built once.
		_, loss := f.forward(f.model.Store.RootScope(), Slice(x, AxisElem(i)), Slice(y, AxisElem(i)))
		gradients = append(gradients, join(Gradient(loss, params...)))
	}
	return Stack(gradients, 0)
}

// use is a node in which a variable enters the computation of all examples
// apart: the derivative by it has a row for each of them.
type use struct {
	parameter int
	node      *Node // [n, ...]
	input     *Node // [n, inputs] of a dense layer; nil for a bias
	turned    bool  // the weights are [outputs, inputs]
}

// outerProducts builds the gradients from the derivatives by the outputs of
// dense layers; nil if a variable is used otherwise.
func (f *Risk) outerProducts(params []*Node, x, y *Node) *Node {
	_, loss := f.forward(f.model.Store.RootScope(), x, y)
	n := x.Shape().Dimensions[0]
	var uses []use
	for i, param := range params {
		found, ok := usesOf(i, param, n)
		if !ok {
			return nil
		}
		uses = append(uses, found...)
	}
	// The variables are asked for too, which leads GoMLX into fused layers.
	wanted := slices.Clone(params)
	for _, u := range uses {
		wanted = append(wanted, u.node)
	}
	derivatives := Gradient(loss, wanted...)[len(params):]
	parts := make([]*Node, len(params))
	for i, u := range uses {
		rows := u.gradients(MulScalar(derivatives[i], float64(n)))
		if parts[u.parameter] != nil {
			rows = Add(parts[u.parameter], rows)
		}
		parts[u.parameter] = rows
	}
	for i, part := range parts {
		if part == nil {
			part = Zeros(x.Graph(), params[i].Shape())
			part = BroadcastPrefix(part, n)
		}
		parts[i] = ConvertDType(Reshape(part, n, params[i].Shape().Size()), params[0].DType())
	}
	return Concatenate(parts, 1)
}

// gradients are the rows of one use from the derivatives by its node.
func (u use) gradients(derivative *Node) *Node {
	switch {
	case u.input == nil:
		return derivative
	case u.turned:
		return Mul(InsertAxes(derivative, -1), InsertAxes(u.input, 1))
	}
	return Mul(InsertAxes(u.input, -1), InsertAxes(derivative, 1))
}

// usesOf finds the uses of a variable in a graph of n examples. ok is false if
// one is neither a product with the rows of a matrix nor a sum with them.
func usesOf(parameter int, param *Node, n int) (uses []use, ok bool) {
	shape := param.Shape().Dimensions
	var follow func(from *Node) bool
	follow = func(from *Node) bool {
		for _, consumer := range from.Graph().Nodes() {
			if !slices.Contains(consumer.Inputs(), from) {
				continue
			}
			out := consumer.Shape().Dimensions
			apart := len(out) > 0 && out[0] == n && n > 1
			switch consumer.Type() {
			case NodeTypeFusedDense: // its gradient goes through the plain layer beside it
			case NodeTypeReshape, NodeTypeBroadcastInDim, NodeTypeAdd:
				if apart && consumer.Shape().Size() == n*param.Shape().Size() {
					uses = append(uses, use{parameter: parameter, node: consumer})
				} else if consumer.Shape().Size() != param.Shape().Size() || !follow(consumer) {
					return false
				}
			case NodeTypeDotGeneral:
				in := consumer.Inputs()[0]
				if !apart || len(out) != 2 || len(shape) != 2 || from != param || in == from || in.Rank() != 2 || in.Shape().Dimensions[0] != n {
					return false
				}
				turned := in.Shape().Dimensions[1] != shape[0] || out[1] != shape[1]
				uses = append(uses, use{parameter, consumer, in, turned})
			default:
				return false
			}
		}
		return true
	}
	ok = follow(param)
	return uses, ok
}
