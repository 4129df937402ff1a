// Package program compiles a function of package ir into a program, and runs it.
//
// A program is a list of steps in a fixed order, each a kernel with the places
// of its operands. All intermediate values live in one arena whose layout is
// planned at compile time; it is kept between runs, so that a run allocates
// next to nothing.
package program

import (
	"fmt"
	"sync"

	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/tensor"
)

// Program is a compiled function without dynamic axes. It may be run from
// several goroutines at once.
type Program struct {
	function *ir.Function
	steps    []step
	copies   []copyStep
	plan     plan
	outputs  []shapes.Shape
	frames   sync.Pool // of *frame
}

// A step computes one node.
type step struct {
	node *ir.Node
	run  kernel
}

// A kernel computes outputs, whose memory is given, from inputs. It may spread
// its work over a pool, nil standing for the calling goroutine alone, but the
// results must not depend on it. It is called from several goroutines at once.
type kernel func(pool *workers.Pool, outputs, inputs []tensor.Tensor) error

// A copyStep moves a value into a result after the last step, where it could
// not be computed in place.
type copyStep struct {
	from   ir.Value
	result int
}

// Compile returns a program for f, which must not have dynamic axes and must
// not change afterwards. The error wraps compute.ErrNotImplemented if f has an
// operation for which there is no kernel.
func Compile(f *ir.Function) (*Program, error) {
	if err := ir.Verify(f); err != nil {
		return nil, err
	}
	if f.IsDynamic() {
		return nil, fmt.Errorf("function %q has dynamic axes, expected a specialized one", f.Name)
	}
	f, err := optimize(f, nil)
	if err != nil {
		return nil, err
	}
	p := &Program{function: f, outputs: withoutAxisNames(f.OutputShapes())}
	if p.plan, err = newPlan(f); err != nil {
		return nil, err
	}
	for _, n := range f.Nodes {
		if !p.plan.runs(n) {
			continue
		}
		run, err := newKernel(f, n)
		if err != nil {
			return nil, err
		}
		p.steps = append(p.steps, step{node: n, run: run})
	}
	for i, v := range f.Outputs {
		if p.plan.places[v] != (place{kind: inResult, index: i}) {
			p.copies = append(p.copies, copyStep{from: v, result: i})
		}
	}
	return p, nil
}

func withoutAxisNames(list []shapes.Shape) []shapes.Shape {
	for i, shape := range list {
		list[i] = shapes.Shape{DType: shape.DType, Dimensions: shape.Dimensions}
	}
	return list
}

// Outputs returns the shapes of the results. The caller must not change them.
func (p *Program) Outputs() []shapes.Shape { return p.outputs }

// Donors returns for each result the number of a parameter whose memory the
// result may share, or -1: the program has no more use for the parameter when
// it writes the result. No parameter is named twice.
func (p *Program) Donors() []int { return p.plan.donors }

// Run computes the results from the arguments. Both must have the shapes that
// the function says, and results must share no memory with arguments but what
// Donors permits. Large operations are spread over the pool; nil stands for the
// calling goroutine alone, with the same results.
func (p *Program) Run(pool *workers.Pool, arguments, results []tensor.Tensor) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("function %q: %v", p.function.Name, reason)
		}
	}()
	f, err := p.frame()
	if err != nil {
		return err
	}
	defer p.frames.Put(f)
	f.bind(p, arguments, results)
	for i := range p.steps {
		s := &p.steps[i]
		if err := s.run(pool, f.outputs[i], f.gather(s.node.Inputs)); err != nil {
			return err
		}
	}
	for _, c := range p.copies {
		copyTensor(results[c.result], f.values[c.from])
	}
	f.release(p)
	return nil
}

// copyTensor copies elements unless both are the same memory.
func copyTensor(to, from tensor.Tensor) {
	target, source := to.Bytes(), from.Bytes()
	if len(source) > 0 && &target[0] != &source[0] {
		copy(target, source)
	}
}
