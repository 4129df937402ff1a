package backend

import (
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/program"
	"github.com/descentml/descent/backend/tensor"
)

// Executable is a compiled computation. It may be executed from several
// goroutines at once. A computation with dynamic axes is compiled again for
// each new combination of their sizes.
type Executable struct {
	backend *Backend
	graph   *ir.Function

	// static is the program of a computation without dynamic axes.
	static *program.Program

	mu          sync.Mutex
	specialized map[string]*program.Program // by the bindings of the dynamic axes
	finalized   bool
}

var _ compute.Executable = (*Executable)(nil)

// Finalize drops the compiled programs. Executing afterwards is an error.
func (e *Executable) Finalize() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finalized = true
	e.static, e.specialized = nil, nil
}

// Inputs returns the names and shapes of the parameters.
func (e *Executable) Inputs() (names []string, inputShapes []shapes.Shape) {
	return slices.Clone(e.graph.ParameterNames), e.graph.ParameterShapes()
}

// Outputs returns the shapes of the results.
func (e *Executable) Outputs() []shapes.Shape { return e.graph.OutputShapes() }

// Execute runs the computation. The memory of donated inputs is used for
// results where that is possible; these inputs are invalid afterwards.
func (e *Executable) Execute(inputs []compute.Buffer, donate []bool, defaultDevice compute.DeviceNum) ([]compute.Buffer, error) {
	if err := e.backend.check(defaultDevice); err != nil {
		return nil, fmt.Errorf("execute: %w", err)
	}
	if len(donate) != 0 && len(donate) != len(inputs) {
		return nil, fmt.Errorf("execute: got %d inputs and %d donation flags, expected one per input", len(inputs), len(donate))
	}
	arguments, err := e.arguments(inputs)
	if err != nil {
		return nil, fmt.Errorf("execute: %w", err)
	}
	compiled, err := e.program(arguments)
	if err != nil {
		return nil, fmt.Errorf("execute: %w", err)
	}
	results, err := e.results(compiled, inputs, arguments, donate)
	if err != nil {
		return nil, fmt.Errorf("execute: %w", err)
	}
	if err := compiled.Run(e.backend.workers, arguments, results); err != nil {
		return nil, fmt.Errorf("execute: %w", err)
	}
	e.release(inputs, donate, results)
	return e.buffers(results), nil
}

// arguments returns the tensors of the inputs after comparing them with the
// parameters.
func (e *Executable) arguments(inputs []compute.Buffer) ([]tensor.Tensor, error) {
	if len(inputs) != len(e.graph.Parameters) {
		return nil, fmt.Errorf("got %d inputs, expected %d", len(inputs), len(e.graph.Parameters))
	}
	arguments := make([]tensor.Tensor, len(inputs))
	for i, input := range inputs {
		buffer, ok := input.(*Buffer)
		if !ok || buffer == nil || buffer.backend != e.backend {
			return nil, fmt.Errorf("input %d is %T, expected a buffer of this backend", i, input)
		}
		var err error
		if arguments[i], err = buffer.tensor(); err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
		if want := e.graph.Shape(e.graph.Parameters[i]); !accepts(want, arguments[i].Shape) {
			return nil, fmt.Errorf("input %d (%q) has shape %s, expected %s", i, e.graph.ParameterNames[i], arguments[i].Shape, want)
		}
	}
	return arguments, nil
}

// accepts compares data types and the dimensions that are known.
func accepts(want, got shapes.Shape) bool {
	if want.DType != got.DType || want.Rank() != got.Rank() {
		return false
	}
	for axis, size := range want.Dimensions {
		if size != shapes.DynamicDim && size != got.Dimensions[axis] {
			return false
		}
	}
	return true
}

// program returns what to run for arguments of these shapes.
func (e *Executable) program(arguments []tensor.Tensor) (*program.Program, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.finalized:
		return nil, fmt.Errorf("the executable is finalized")
	case e.static != nil:
		return e.static, nil
	}
	bindings := make(shapes.AxisBindings)
	for i, v := range e.graph.Parameters {
		if err := bindings.Extract(e.graph.Shape(v), arguments[i].Shape); err != nil {
			return nil, fmt.Errorf("input %d: %w", i, err)
		}
	}
	key := bindings.Key()
	if compiled := e.specialized[key]; compiled != nil {
		return compiled, nil
	}
	graph, err := program.Specialize(e.graph, bindings)
	if err != nil {
		return nil, err
	}
	compiled, err := program.Compile(graph)
	if err != nil {
		return nil, err
	}
	if e.specialized == nil {
		e.specialized = make(map[string]*program.Program)
	}
	e.specialized[key] = compiled
	return compiled, nil
}

// results returns tensors for the outputs, some in the memory of donated inputs.
func (e *Executable) results(compiled *program.Program, inputs []compute.Buffer, arguments []tensor.Tensor, donate []bool) ([]tensor.Tensor, error) {
	outputs, donors := compiled.Outputs(), compiled.Donors()
	results := make([]tensor.Tensor, len(outputs))
	for i, shape := range outputs {
		if donor := donors[i]; donor >= 0 && len(donate) > 0 && donate[donor] && count(inputs, inputs[donor]) == 1 {
			results[i] = tensor.Tensor{Shape: shape, Flat: arguments[donor].Flat}
			continue
		}
		var err error
		if results[i], err = e.backend.memory.get(shape); err != nil {
			return nil, fmt.Errorf("output %d: %w", i, err)
		}
	}
	return results, nil
}

func count(inputs []compute.Buffer, input compute.Buffer) int {
	n := 0
	for _, other := range inputs {
		if other == input {
			n++
		}
	}
	return n
}

// release invalidates the donated inputs, and keeps the memory of those that
// no result has taken over.
func (e *Executable) release(inputs []compute.Buffer, donate []bool, results []tensor.Tensor) {
	for i, donated := range donate {
		if !donated {
			continue
		}
		data, ok := inputs[i].(*Buffer).take()
		if ok && !slices.ContainsFunc(results, func(r tensor.Tensor) bool { return sameMemory(r, data) }) {
			e.backend.memory.put(data)
		}
	}
}

// sameMemory tells whether two tensors have the same elements in memory.
func sameMemory(a, b tensor.Tensor) bool {
	x, y := a.Bytes(), b.Bytes()
	return len(x) > 0 && len(y) > 0 && &x[0] == &y[0]
}

func (e *Executable) buffers(results []tensor.Tensor) []compute.Buffer {
	buffers := make([]compute.Buffer, len(results))
	for i, data := range results {
		buffers[i] = &Buffer{backend: e.backend, data: data}
	}
	return buffers
}
