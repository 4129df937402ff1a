package program

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

// Specialize returns f for known sizes of its dynamic axes. Sizes that f
// computes from the shapes of values, with DynamicShape and arithmetic on
// integers, are computed here.
func Specialize(f *ir.Function, bindings shapes.AxisBindings) (*ir.Function, error) {
	s := &specializer{
		from:     f,
		to:       &ir.Function{Name: f.Name},
		bindings: maps.Clone(bindings),
		values:   make([]ir.Value, f.NumValues()),
		known:    make(map[ir.Value]tensor.Tensor),
	}
	for i, v := range f.Parameters {
		shape, err := s.resolve(f.Shape(v))
		if err != nil {
			return nil, fmt.Errorf("parameter %q: %w", f.ParameterNames[i], err)
		}
		s.values[v] = s.to.AddParameter(f.ParameterNames[i], shape)
	}
	for _, n := range f.Nodes {
		if err := s.node(n); err != nil {
			return nil, err
		}
	}
	s.to.Outputs = s.mapped(f.Outputs)
	return s.to, nil
}

type specializer struct {
	from, to *ir.Function
	bindings shapes.AxisBindings
	values   []ir.Value                 // of to, by value of from
	known    map[ir.Value]tensor.Tensor // values of to that do not depend on data
}

// resolve returns the shape with all sizes known and without axis names.
func (s *specializer) resolve(shape shapes.Shape) (shapes.Shape, error) {
	resolved, err := shape.Resolve(s.bindings)
	if err != nil {
		return shapes.Invalid(), err
	}
	return shapes.Shape{DType: resolved.DType, Dimensions: resolved.Dimensions}, nil
}

func (s *specializer) mapped(values []ir.Value) []ir.Value {
	list := make([]ir.Value, len(values))
	for i, v := range values {
		list[i] = s.values[v]
	}
	return list
}

func (s *specializer) node(n *ir.Node) error {
	inputs := s.mapped(n.Inputs)
	switch n.Op {
	case compute.OpTypeConstant:
		s.constant(n, n.Attributes.(ir.Constant).Data)
		return nil
	case compute.OpTypeDynamicShape:
		return s.sizes(n, shapes.Make(dtypes.Int32, s.to.Shape(inputs[0]).Rank()), s.to.Shape(inputs[0]).Dimensions)
	case compute.OpTypeDynamicDimensionSize:
		axis := n.Attributes.(ir.Axis).Axis
		return s.sizes(n, shapes.Make(dtypes.Int32), s.to.Shape(inputs[0]).Dimensions[axis:axis+1])
	}
	op, attributes, err := s.attributes(n, inputs)
	if err != nil {
		return fmt.Errorf("%s: %w", n.Op, err)
	}
	if op == compute.OpTypeReshape {
		inputs = inputs[:1] // the sizes of a DynamicReshape are attributes now
	}
	bodies := make([]*ir.Function, len(n.Bodies))
	for i, body := range n.Bodies {
		if bodies[i], err = Specialize(body, s.bindings); err != nil {
			return fmt.Errorf("function of %s: %w", n.Op, err)
		}
	}
	added, err := s.to.Add(op, attributes, inputs, bodies...)
	if err != nil {
		return err
	}
	for i, v := range n.Outputs {
		s.values[v] = added.Outputs[i]
		s.bind(s.from.Shape(v), s.to.Shape(added.Outputs[i]))
	}
	return s.compute(added)
}

func (s *specializer) constant(n *ir.Node, data tensor.Tensor) {
	v := s.to.AddConstant(data)
	s.values[n.Outputs[0]] = v
	s.known[v] = data
}

// sizes makes a constant of the dimensions.
func (s *specializer) sizes(n *ir.Node, shape shapes.Shape, dimensions []int) error {
	flat := make([]int32, len(dimensions))
	for i, size := range dimensions {
		flat[i] = int32(size)
		if int(flat[i]) != size {
			return fmt.Errorf("%s: size %d does not fit an Int32", n.Op, size)
		}
	}
	data, err := tensor.FromFlat(shape, flat)
	if err != nil {
		return err
	}
	s.constant(n, data)
	return nil
}

// bind learns the sizes of named axes that operations have introduced.
func (s *specializer) bind(symbolic, concrete shapes.Shape) {
	for axis, size := range symbolic.Dimensions {
		name := symbolic.AxisName(axis)
		if _, bound := s.bindings[name]; size == shapes.DynamicDim && name != "" && !bound {
			s.bindings[name] = concrete.Dimensions[axis]
		}
	}
}

// maxKnown is the number of elements up to which integers are computed here.
const maxKnown = 64

// compute evaluates a node of integers that depends on no data.
func (s *specializer) compute(n *ir.Node) error {
	inputs := make([]tensor.Tensor, len(n.Inputs))
	for i, v := range n.Inputs {
		var ok bool
		if inputs[i], ok = s.known[v]; !ok {
			return nil
		}
	}
	outputs := make([]tensor.Tensor, len(n.Outputs))
	for i, v := range n.Outputs {
		shape := s.to.Shape(v)
		if !shape.DType.IsInt() || shape.Size() > maxKnown || len(n.Bodies) > 0 {
			return nil
		}
		var err error
		if outputs[i], err = tensor.New(shape); err != nil {
			return err
		}
	}
	run, err := newKernel(s.to, n)
	if err != nil {
		return err
	}
	if err := run(nil, outputs, inputs); err != nil {
		return err
	}
	for i, v := range n.Outputs {
		s.known[v] = outputs[i]
	}
	return nil
}

// attributes returns the operation and the attributes of n for known sizes.
func (s *specializer) attributes(n *ir.Node, inputs []ir.Value) (compute.OpType, any, error) {
	switch a := n.Attributes.(type) {
	case ir.Target:
		if n.Op == compute.OpTypeReshape {
			target, err := s.reshape(a.Shape.Dimensions, a.Shape.AxisNames, s.to.Shape(inputs[0]))
			return n.Op, ir.Target{Shape: target}, err
		}
		target, err := s.resolve(a.Shape)
		return n.Op, ir.Target{Shape: target}, err
	case ir.DynamicReshape:
		target, err := s.dynamicReshape(a, inputs)
		return compute.OpTypeReshape, ir.Target{Shape: target}, err
	case ir.BroadcastInDim:
		target := a.Target.Clone()
		for i, size := range s.to.Shape(inputs[0]).Dimensions {
			if size != 1 && target.Dimensions[a.Axes[i]] == shapes.DynamicDim {
				target.Dimensions[a.Axes[i]] = size
			}
		}
		target, err := s.resolve(target)
		return n.Op, ir.BroadcastInDim{Target: target, Axes: a.Axes}, err
	case ir.Iota:
		target, err := s.resolve(a.Target)
		return n.Op, ir.Iota{Target: target, Axis: a.Axis}, err
	case ir.Slice:
		a.Limits = limited(a.Limits, s.to.Shape(inputs[0]))
		return n.Op, a, nil
	case ir.Gather:
		a.SliceSizes = limited(a.SliceSizes, s.to.Shape(inputs[0]))
		return n.Op, a, nil
	}
	return n.Op, n.Attributes, nil
}

// limited replaces the sizes that stand for a whole dynamic axis.
func limited(sizes []int, shape shapes.Shape) []int {
	sizes = slices.Clone(sizes)
	for axis, size := range sizes {
		if size == shapes.DynamicDim {
			sizes[axis] = shape.Dimensions[axis]
		}
	}
	return sizes
}

func (s *specializer) dynamicReshape(a ir.DynamicReshape, inputs []ir.Value) (shapes.Shape, error) {
	dimensions := make([]int, len(a.Axes))
	names := make([]string, len(a.Axes))
	given := inputs[1:]
	for i, axis := range a.Axes {
		switch {
		case axis.FromInput:
			size, err := s.knownSize(given[0])
			if err != nil {
				return shapes.Invalid(), fmt.Errorf("axis %d (%q): %w", i, axis.Name, err)
			}
			dimensions[i], given = size, given[1:]
		case axis.Name != "":
			dimensions[i] = shapes.DynamicDim // inferred, whatever the name is bound to
		default:
			dimensions[i] = axis.Size
		}
	}
	return s.reshape(dimensions, names, s.to.Shape(inputs[0]))
}

// knownSize returns the integer that v is.
func (s *specializer) knownSize(v ir.Value) (int, error) {
	data, ok := s.known[v]
	if !ok {
		return 0, fmt.Errorf("size depends on data, expected one that follows from the shapes of parameters: %w", compute.ErrNotImplemented)
	}
	size, ok := shapes.CastAsDType(data.Flat, dtypes.Int64).([]int64)
	if !ok || len(size) != 1 || size[0] < 0 {
		return 0, fmt.Errorf("size is %v, expected an integer of at least 0", data.Flat)
	}
	return int(size[0]), nil
}

// reshape resolves the dimensions of a reshaped operand. One of them may follow
// from the others.
func (s *specializer) reshape(dimensions []int, names []string, operand shapes.Shape) (shapes.Shape, error) {
	target := shapes.Shape{DType: operand.DType, Dimensions: slices.Clone(dimensions), AxisNames: names}
	target, err := target.ResolvePartial(s.bindings)
	if err != nil {
		return shapes.Invalid(), err
	}
	target.AxisNames = nil
	product, inferred := 1, -1
	for axis, size := range target.Dimensions {
		switch {
		case size != shapes.DynamicDim:
			product *= size
		case inferred >= 0:
			return shapes.Invalid(), fmt.Errorf("target (%v) of %s has two axes of unknown size", dimensions, operand)
		default:
			inferred = axis
		}
	}
	if inferred >= 0 {
		if product == 0 || operand.Size()%product != 0 {
			return shapes.Invalid(), fmt.Errorf("cannot infer axis %d of (%v) from %s", inferred, dimensions, operand)
		}
		target.Dimensions[inferred] = operand.Size() / product
	}
	return target, nil
}
