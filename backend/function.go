package backend

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/notimplemented"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/compute/support/sets"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

// Function builds one function of a computation. What a closure uses of its
// parents becomes a further parameter, see captured.
type Function struct {
	notimplemented.Function

	builder  *Builder
	parent   *Function
	name     string
	graph    *ir.Function
	returned bool

	// declared are the parameters asked for by Parameter. captured are values of
	// the parent, and captures what stands for each of them in this function.
	declared           []ir.Value
	captured, captures []ir.Value
	// dynamicNames are those of dynamic axes of parameters of this function and
	// its closures.
	dynamicNames sets.Set[string]
}

var _ compute.Function = (*Function)(nil)

// value is what the caller sees as a compute.Value.
type value struct {
	function *Function
	id       ir.Value
}

func newFunction(b *Builder, parent *Function, name string) *Function {
	f := &Function{builder: b, parent: parent, name: name, graph: &ir.Function{Name: name}, dynamicNames: sets.Make[string]()}
	f.ErrFn = notImplemented
	return f
}

// Name returns the name, "" for a closure.
func (f *Function) Name() string { return f.name }

// Builder returns the computation to which the function belongs.
func (f *Function) Builder() compute.Builder { return f.builder }

// Parent returns the function in which a closure was made, nil for others.
func (f *Function) Parent() compute.Function {
	if f.parent == nil {
		return nil
	}
	return f.parent
}

// String is the function as text, for debugging.
func (f *Function) String() string { return f.graph.String() }

// Closure returns a new function that can use the values of this one.
func (f *Function) Closure() (compute.Function, error) {
	if err := f.checkOpen("Closure"); err != nil {
		return nil, err
	}
	return newFunction(f.builder, f, ""), nil
}

// Shape returns the shape of a value.
func (f *Function) Shape(x compute.Value) (shapes.Shape, error) { return f.builder.OpShape(x) }

// Parameter declares the next parameter.
func (f *Function) Parameter(name string, shape shapes.Shape, sharding *compute.ShardingSpec) (compute.Value, error) {
	if err := f.checkOpen("Parameter"); err != nil {
		return nil, err
	}
	if sharding != nil {
		return nil, fmt.Errorf("Parameter %q: sharding: %w", name, compute.ErrNotImplemented)
	}
	if !capabilities.DTypes[shape.DType] {
		return nil, fmt.Errorf("Parameter %q: data type %s: %w", name, shape.DType, compute.ErrNotImplemented)
	}
	if !shape.IsDynamic() {
		if _, err := tensor.ByteSize(shape); err != nil {
			return nil, fmt.Errorf("Parameter %q: %w", name, err)
		}
	}
	for axis, size := range shape.Dimensions {
		if size == shapes.DynamicDim {
			f.root().dynamicNames.Insert(shape.AxisName(axis))
		}
	}
	id := f.graph.AddParameter(name, shape)
	f.declared = append(f.declared, id)
	return &value{f, id}, nil
}

func (f *Function) root() *Function {
	for f.parent != nil {
		f = f.parent
	}
	return f
}

// Constant copies flat into a constant.
func (f *Function) Constant(flat any, dims ...int) (compute.Value, error) {
	if err := f.checkOpen("Constant"); err != nil {
		return nil, err
	}
	dtype, err := elementType(flat)
	if err != nil {
		return nil, fmt.Errorf("Constant: %w", err)
	}
	data, err := tensor.New(shapes.Shape{DType: dtype, Dimensions: slices.Clone(dims)})
	if err != nil {
		return nil, fmt.Errorf("Constant: %w", err)
	}
	if err := copyFrom(data, flat); err != nil {
		return nil, fmt.Errorf("Constant: %w", err)
	}
	return &value{f, f.graph.AddConstant(data)}, nil
}

// elementType returns the data type of a slice.
func elementType(flat any) (dtypes.DType, error) {
	dtype := dtypes.InvalidDType
	if kind := reflect.TypeOf(flat); kind != nil && kind.Kind() == reflect.Slice {
		dtype = dtypes.FromGoType(kind.Elem())
	}
	if !capabilities.DTypes[dtype] {
		return dtype, fmt.Errorf("got %T, expected a slice of a supported type: %w", flat, compute.ErrNotImplemented)
	}
	return dtype, nil
}

// Return ends the function.
func (f *Function) Return(outputs []compute.Value, shardings []*compute.ShardingSpec) error {
	if len(shardings) > 0 {
		return fmt.Errorf("Return: sharding: %w", compute.ErrNotImplemented)
	}
	if len(outputs) == 0 {
		return fmt.Errorf("Return of function %q: expected at least one output", f.name)
	}
	ids, err := f.resolve("Return", outputs)
	if err != nil {
		return err
	}
	f.graph.Outputs = ids
	f.lift()
	f.returned = true
	return nil
}

// lift orders the parameters: the declared ones, then what was captured.
func (f *Function) lift() {
	names := make(map[ir.Value]string, len(f.declared))
	for i, id := range f.graph.Parameters {
		names[id] = f.graph.ParameterNames[i]
	}
	f.graph.Parameters = slices.Concat(f.declared, f.captures)
	for i, id := range f.graph.Parameters {
		f.graph.ParameterNames[i] = names[id]
	}
}

// checkOpen fails if nothing can be added to the function.
func (f *Function) checkOpen(op string) error {
	switch {
	case f.builder.compiled:
		return fmt.Errorf("%s: computation %q is already compiled", op, f.builder.name)
	case f.returned:
		return fmt.Errorf("%s: function %q already has its Return", op, f.name)
	}
	return nil
}

// resolve returns the values as values of f, capturing those of its parents.
func (f *Function) resolve(op string, values []compute.Value) ([]ir.Value, error) {
	if err := f.checkOpen(op); err != nil {
		return nil, err
	}
	ids := make([]ir.Value, len(values))
	for i, x := range values {
		v, err := f.builder.value(x)
		if err == nil {
			ids[i], err = f.local(v)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: input %d: %w", op, i, err)
		}
	}
	return ids, nil
}

// local returns what stands for v in f.
func (f *Function) local(v *value) (ir.Value, error) {
	if v.function == f {
		return v.id, nil
	}
	if f.parent == nil {
		return 0, fmt.Errorf("value belongs to another function, expected one of function %q or its parents", f.name)
	}
	outer, err := f.parent.local(v)
	if err != nil {
		return 0, err
	}
	if i := slices.Index(f.captured, outer); i >= 0 {
		return f.captures[i], nil
	}
	if err := f.checkOpen("capture"); err != nil {
		return 0, err
	}
	id := f.graph.AddParameter("", v.function.graph.Shape(v.id))
	f.captured = append(f.captured, outer)
	f.captures = append(f.captures, id)
	return id, nil
}

// add appends a node with one output.
func (f *Function) add(op compute.OpType, attributes any, inputs ...compute.Value) (compute.Value, error) {
	outputs, err := f.addMany(op, attributes, inputs)
	if err != nil {
		return nil, err
	}
	return outputs[0], nil
}

// addMany appends a node with any number of outputs.
func (f *Function) addMany(op compute.OpType, attributes any, inputs []compute.Value) ([]compute.Value, error) {
	if !capabilities.Operations[op] {
		return nil, notImplemented(op)
	}
	ids, err := f.resolve(op.String(), inputs)
	if err != nil {
		return nil, err
	}
	node, err := f.graph.Add(op, attributes, ids)
	if err != nil {
		return nil, err
	}
	return f.values(node), nil
}

// values returns the outputs of a node for the caller.
func (f *Function) values(node *ir.Node) []compute.Value {
	outputs := make([]compute.Value, len(node.Outputs))
	for i, id := range node.Outputs {
		outputs[i] = &value{f, id}
	}
	return outputs
}

// shape returns the shape of x, which resolve accepted or will reject.
func (f *Function) shape(op compute.OpType, x compute.Value) (shapes.Shape, error) {
	v, err := f.builder.value(x)
	if err != nil {
		return shapes.Invalid(), fmt.Errorf("%s: %w", op, err)
	}
	return v.function.graph.Shape(v.id), nil
}
