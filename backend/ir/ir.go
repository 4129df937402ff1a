// Package ir holds the computation that the backend compiles, as plain data: a
// Function is a list of nodes in topological order, a node is an operation with
// inputs, outputs and attributes, and a Value is a number that names one result
// within its function.
//
// Control flow has no captured values: a closure is lifted, so that what it
// uses of its parent is passed to it like any other argument (see [Function]).
package ir

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/tensor"
)

// OpFused is the operation of nodes that the compiler makes of several others.
// It has no rule for the shapes of its outputs: [Infer] and [Verify] refuse it.
const OpFused compute.OpType = -1

// A Value names one result, or parameter, of a Function: an index between 0 and
// NumValues.
type Value int

// A Function computes its outputs from its parameters. Everything that a
// closure takes from its parent stands among its parameters, after those that
// it declares.
type Function struct {
	// Name is the name given by the user; closures have none.
	Name string
	// Parameters are the values given by the caller, in order.
	Parameters []Value
	// ParameterNames has the user's name for each parameter, or "".
	ParameterNames []string
	// Nodes are in topological order: the inputs of a node are parameters or
	// outputs of earlier nodes.
	Nodes []*Node
	// Outputs are the results in the caller's order. A value may stand there
	// more than once, and it may be a parameter.
	Outputs []Value

	shapes []shapes.Shape
}

// A Node applies one operation.
type Node struct {
	Op compute.OpType
	// Attributes are the settings of the operation that are not tensors: one of
	// the attribute types of this package by value, or nil.
	Attributes any
	// Inputs are the operands. Those of While, If, Sort and Call end with what
	// each body takes from the parent, body by body.
	Inputs []Value
	// Outputs are the results, one for most operations.
	Outputs []Value
	// Bodies are the functions that the operation runs: condition and body of
	// While, the two branches of If, the comparator of Sort, the target of Call.
	Bodies []*Function
}

// NumValues is the number of values of the function.
func (f *Function) NumValues() int { return len(f.shapes) }

// Shape returns the shape of v.
func (f *Function) Shape(v Value) shapes.Shape { return f.shapes[v] }

// InputShapes returns the shapes of the node's inputs.
func (f *Function) InputShapes(n *Node) []shapes.Shape { return f.shapesOf(n.Inputs) }

// OutputShapes returns the shapes of the function's outputs.
func (f *Function) OutputShapes() []shapes.Shape { return f.shapesOf(f.Outputs) }

// ParameterShapes returns the shapes of the function's parameters.
func (f *Function) ParameterShapes() []shapes.Shape { return f.shapesOf(f.Parameters) }

func (f *Function) shapesOf(values []Value) []shapes.Shape {
	list := make([]shapes.Shape, len(values))
	for i, v := range values {
		list[i] = f.shapes[v]
	}
	return list
}

// AddParameter appends a parameter.
func (f *Function) AddParameter(name string, shape shapes.Shape) Value {
	v := f.newValue(shape)
	f.Parameters = append(f.Parameters, v)
	f.ParameterNames = append(f.ParameterNames, name)
	return v
}

// AddConstant appends a node without inputs whose output is data, which must
// not change afterwards.
func (f *Function) AddConstant(data tensor.Tensor) Value {
	node := &Node{Op: compute.OpTypeConstant, Attributes: Constant{Data: data}}
	f.addNode(node, []shapes.Shape{data.Shape})
	return node.Outputs[0]
}

// Add appends a node after inferring the shapes of its outputs. It fails if the
// operation does not accept the inputs or the attributes.
func (f *Function) Add(op compute.OpType, attributes any, inputs []Value, bodies ...*Function) (*Node, error) {
	for i, v := range inputs {
		if v < 0 || int(v) >= len(f.shapes) {
			return nil, fmt.Errorf("%s: input %d is value %d, expected one of the function's %d values", op, i, v, len(f.shapes))
		}
	}
	outputs, err := Infer(op, attributes, f.shapesOf(inputs), bodies...)
	if err != nil {
		return nil, err
	}
	node := &Node{Op: op, Attributes: attributes, Inputs: inputs, Bodies: bodies}
	f.addNode(node, outputs)
	return node, nil
}

func (f *Function) addNode(node *Node, outputs []shapes.Shape) {
	node.Outputs = make([]Value, len(outputs))
	for i, shape := range outputs {
		node.Outputs[i] = f.newValue(shape)
	}
	f.Nodes = append(f.Nodes, node)
}

func (f *Function) newValue(shape shapes.Shape) Value {
	f.shapes = append(f.shapes, shape)
	return Value(len(f.shapes) - 1)
}

// IsDynamic tells whether a parameter has an axis whose size is known only when
// the function is called.
func (f *Function) IsDynamic() bool {
	for _, v := range f.Parameters {
		if f.shapes[v].IsDynamic() {
			return true
		}
	}
	return false
}
