package program

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
)

// A rewriter copies a function node by node. What a rule knows is the part
// that is already copied.
type rewriter struct {
	to        *ir.Function
	values    []ir.Value // of to, by value of the function that is copied
	producers []*ir.Node // by value of to; nil for parameters
}

// A rule returns the values that stand for the outputs of n, of which inputs
// are the operands in r.to, or nil to have the node copied.
type rule func(r *rewriter, n *ir.Node, inputs []ir.Value) ([]ir.Value, error)

// rewrite returns f with a rule applied to each node in turn.
func rewrite(f *ir.Function, apply rule) (*ir.Function, error) {
	r := &rewriter{to: &ir.Function{Name: f.Name}, values: make([]ir.Value, f.NumValues())}
	for i, v := range f.Parameters {
		r.values[v] = r.to.AddParameter(f.ParameterNames[i], f.Shape(v))
	}
	for _, n := range f.Nodes {
		inputs := r.mapped(n.Inputs)
		outputs, err := apply(r, n, inputs)
		if err == nil && outputs == nil {
			outputs, err = r.copy(n, inputs)
		}
		if err != nil {
			return nil, err
		}
		for i, v := range n.Outputs {
			r.values[v] = outputs[i]
		}
	}
	r.to.Outputs = r.mapped(f.Outputs)
	return r.to, nil
}

func (r *rewriter) mapped(values []ir.Value) []ir.Value {
	list := make([]ir.Value, len(values))
	for i, v := range values {
		list[i] = r.values[v]
	}
	return list
}

func (r *rewriter) copy(n *ir.Node, inputs []ir.Value) ([]ir.Value, error) {
	if constant, ok := n.Attributes.(ir.Constant); ok {
		return []ir.Value{r.to.AddConstant(constant.Data)}, nil
	}
	return r.add(n.Op, n.Attributes, inputs, n.Bodies...)
}

func (r *rewriter) add(op compute.OpType, attributes any, inputs []ir.Value, bodies ...*ir.Function) ([]ir.Value, error) {
	n, err := r.to.Add(op, attributes, inputs, bodies...)
	if err != nil {
		return nil, err
	}
	return n.Outputs, nil
}

// producer returns the node that computes v if it is one of op, else nil.
func (r *rewriter) producer(v ir.Value, op compute.OpType) *ir.Node {
	for len(r.producers) < r.to.NumValues() {
		r.producers = append(r.producers, nil)
	}
	for i := len(r.to.Nodes) - 1; i >= 0; i-- {
		n := r.to.Nodes[i]
		if r.producers[n.Outputs[0]] == n {
			break
		}
		for _, output := range n.Outputs {
			r.producers[output] = n
		}
	}
	if n := r.producers[v]; n != nil && n.Op == op {
		return n
	}
	return nil
}

func (r *rewriter) dimensions(v ir.Value) []int { return r.to.Shape(v).Dimensions }

// reshape returns v with other dimensions.
func (r *rewriter) reshape(v ir.Value, dimensions []int) ([]ir.Value, error) {
	if slices.Equal(r.dimensions(v), dimensions) {
		return []ir.Value{v}, nil
	}
	return r.add(compute.OpTypeReshape, ir.Target{Shape: shapes.Make(r.to.Shape(v).DType, dimensions...)}, []ir.Value{v})
}
