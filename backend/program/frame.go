package program

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/tensor"
)

// A frame holds the values of one run.
type frame struct {
	values  []tensor.Tensor   // by ir.Value
	outputs [][]tensor.Tensor // by step
	inputs  []tensor.Tensor   // those of the current step
	views   []view
}

// A view is a value in the memory of a parameter or a result.
type view struct{ value, root ir.Value }

// frame returns one that no run uses, with the values of arena and constants.
func (p *Program) frame() (*frame, error) {
	if f, ok := p.frames.Get().(*frame); ok {
		return f, nil
	}
	arena, err := tensor.New(shapes.Make(dtypes.Uint8, p.plan.arenaSize))
	if err != nil {
		return nil, err
	}
	memory := arena.Bytes()
	f := &frame{values: make([]tensor.Tensor, p.function.NumValues()), outputs: make([][]tensor.Tensor, len(p.steps))}
	for v, place := range p.plan.places {
		if place.kind != inArena {
			continue
		}
		if f.values[v], err = tensor.FromBytes(p.function.Shape(ir.Value(v)), memory[place.index:]); err != nil {
			return nil, err
		}
	}
	for _, n := range p.function.Nodes {
		if n.Op == compute.OpTypeConstant {
			f.values[n.Outputs[0]] = n.Attributes.(ir.Constant).Data
		}
	}
	for v, root := range p.plan.roots {
		switch kind := p.plan.places[root].kind; {
		case root == ir.Value(v):
		case kind == inParameter || kind == inResult:
			f.views = append(f.views, view{value: ir.Value(v), root: root})
			f.values[v].Shape = p.function.Shape(ir.Value(v))
		default:
			f.values[v] = tensor.Tensor{Shape: p.function.Shape(ir.Value(v)), Flat: f.values[root].Flat}
		}
	}
	for i, s := range p.steps {
		f.outputs[i] = make([]tensor.Tensor, len(s.node.Outputs))
		for j, v := range s.node.Outputs {
			f.outputs[i][j] = f.values[v]
		}
	}
	return f, nil
}

// bind sets the values of parameters and results.
func (f *frame) bind(p *Program, arguments, results []tensor.Tensor) {
	for i, v := range p.function.Parameters {
		f.values[v] = arguments[i]
	}
	for _, at := range p.plan.results {
		f.values[at.value] = results[at.result]
		f.outputs[at.step][at.output] = results[at.result]
	}
	for _, v := range f.views {
		f.values[v.value].Flat = f.values[v.root].Flat
	}
}

// release forgets arguments and results, so that a frame that waits for its
// next run keeps no memory of callers alive.
func (f *frame) release(p *Program) {
	for _, v := range p.function.Parameters {
		f.values[v] = tensor.Tensor{}
	}
	for _, at := range p.plan.results {
		f.values[at.value] = tensor.Tensor{}
		f.outputs[at.step][at.output] = tensor.Tensor{}
	}
	for _, v := range f.views {
		f.values[v.value].Flat = nil
	}
	clear(f.inputs[:cap(f.inputs)])
}

// gather returns the operands of a step. They are valid until the next call.
func (f *frame) gather(inputs []ir.Value) []tensor.Tensor {
	f.inputs = f.inputs[:0]
	for _, v := range inputs {
		f.inputs = append(f.inputs, f.values[v])
	}
	return f.inputs
}
