package backend

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/notimplemented"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/program"
)

// Builder collects the functions of one computation.
type Builder struct {
	notimplemented.Builder

	backend  *Backend
	name     string
	main     *Function
	names    map[string]bool
	compiled bool
}

var _ compute.Builder = (*Builder)(nil)

func newBuilder(b *Backend, name string) *Builder {
	builder := &Builder{backend: b, name: name, names: map[string]bool{compute.MainName: true}}
	builder.ErrFn = notImplemented
	builder.main = newFunction(builder, nil, compute.MainName)
	return builder
}

func notImplemented(op compute.OpType) error {
	return fmt.Errorf("%s is not supported by backend %s: %w", op, Name, compute.ErrNotImplemented)
}

// Name returns the name of the computation.
func (b *Builder) Name() string { return b.name }

// Main returns the function that the executable runs.
func (b *Builder) Main() compute.Function { return b.main }

// NewFunction returns a new function that others can call.
func (b *Builder) NewFunction(name string) (compute.Function, error) {
	if b.compiled {
		return nil, fmt.Errorf("function %q: computation %q is already compiled", name, b.name)
	}
	if name == "" || b.names[name] {
		return nil, fmt.Errorf("function %q: expected a name that is not empty and not yet used", name)
	}
	b.names[name] = true
	return newFunction(b, nil, name), nil
}

// OpShape returns the shape of a value.
func (b *Builder) OpShape(x compute.Value) (shapes.Shape, error) {
	v, err := b.value(x)
	if err != nil {
		return shapes.Invalid(), err
	}
	return v.function.graph.Shape(v.id), nil
}

// value returns x as a value of this computation.
func (b *Builder) value(x compute.Value) (*value, error) {
	v, ok := x.(*value)
	if !ok || v == nil {
		return nil, fmt.Errorf("got a value %T, expected one made by backend %s", x, Name)
	}
	if v.function.builder != b {
		return nil, fmt.Errorf("value belongs to computation %q, expected one of %q", v.function.builder.name, b.name)
	}
	return v, nil
}

// Compile compiles the main function. The builder cannot be used afterwards.
func (b *Builder) Compile() (compute.Executable, error) {
	if b.compiled {
		return nil, fmt.Errorf("computation %q is already compiled", b.name)
	}
	if b.backend.IsFinalized() {
		return nil, fmt.Errorf("compile %q: backend %s is finalized", b.name, Name)
	}
	if !b.main.returned {
		return nil, fmt.Errorf("compile %q: the main function has no Return yet", b.name)
	}
	b.compiled = true
	executable := &Executable{backend: b.backend, graph: b.main.graph}
	if b.main.graph.IsDynamic() {
		return executable, nil
	}
	if err := b.backend.dump.write(b.name, b.main.graph); err != nil {
		return nil, fmt.Errorf("compile %q: %w", b.name, err)
	}
	compiled, err := program.Compile(b.main.graph)
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", b.name, err)
	}
	executable.static = compiled
	return executable, nil
}
