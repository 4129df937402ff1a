package program

import (
	"sync"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/tensor"
)

func init() {
	builders[compute.OpTypeCall] = buildCall
	builders[compute.OpTypeIf] = buildIf
	builders[compute.OpTypeWhile] = buildWhile
}

func compileBodies(n *ir.Node) ([]*Program, error) {
	programs := make([]*Program, len(n.Bodies))
	for i, body := range n.Bodies {
		var err error
		if programs[i], err = Compile(body); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

func buildCall(_ *ir.Function, n *ir.Node) (kernel, error) {
	programs, err := compileBodies(n)
	if err != nil {
		return nil, err
	}
	return func(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
		return programs[0].Run(pool, inputs, outputs)
	}, nil
}

func buildIf(_ *ir.Function, n *ir.Node) (kernel, error) {
	programs, err := compileBodies(n)
	if err != nil {
		return nil, err
	}
	split := 1 + n.Attributes.(ir.If).TrueArguments
	return func(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
		if tensor.Of[bool](inputs[0])[0] {
			return programs[0].Run(pool, inputs[1:split], outputs)
		}
		return programs[1].Run(pool, inputs[split:], outputs)
	}, nil
}

// while runs a loop. The state moves between the outputs of the node and the
// tensors of a loopState.
type while struct {
	condition, body *Program
	attributes      ir.While
	states          sync.Pool // of *loopState
}

// loopState is the memory of one run of a loop.
type loopState struct {
	predicate          []tensor.Tensor
	state              []tensor.Tensor
	conditionArguments []tensor.Tensor
	bodyArguments      []tensor.Tensor
}

func buildWhile(_ *ir.Function, n *ir.Node) (kernel, error) {
	programs, err := compileBodies(n)
	if err != nil {
		return nil, err
	}
	w := &while{condition: programs[0], body: programs[1], attributes: n.Attributes.(ir.While)}
	return w.run, nil
}

func (w *while) run(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
	loop, err := w.start(inputs)
	if err != nil {
		return err
	}
	defer w.states.Put(loop)
	defer loop.forget()
	current, next := inputs[:w.attributes.State], outputs
	for {
		copy(loop.conditionArguments, current)
		if err := w.condition.Run(pool, loop.conditionArguments, loop.predicate); err != nil {
			return err
		}
		if !tensor.Of[bool](loop.predicate[0])[0] {
			break
		}
		copy(loop.bodyArguments, current)
		if err := w.body.Run(pool, loop.bodyArguments, next); err != nil {
			return err
		}
		if current = next; &next[0] == &outputs[0] {
			next = loop.state
		} else {
			next = outputs
		}
	}
	for i, out := range outputs {
		copyTensor(out, current[i])
	}
	return nil
}

// start returns the memory for one run, with what the functions take from
// outside after their state.
func (w *while) start(inputs []tensor.Tensor) (*loopState, error) {
	loop, ok := w.states.Get().(*loopState)
	if !ok {
		loop = &loopState{
			conditionArguments: make([]tensor.Tensor, len(w.condition.function.Parameters)),
			bodyArguments:      make([]tensor.Tensor, len(w.body.function.Parameters)),
		}
		var err error
		if loop.predicate, err = newTensors(w.condition); err != nil {
			return nil, err
		}
		if loop.state, err = newTensors(w.body); err != nil {
			return nil, err
		}
	}
	extra := inputs[w.attributes.State:]
	copy(loop.conditionArguments[w.attributes.State:], extra[:w.attributes.CondArguments])
	copy(loop.bodyArguments[w.attributes.State:], extra[w.attributes.CondArguments:])
	return loop, nil
}

// forget drops the tensors of callers.
func (l *loopState) forget() {
	clear(l.conditionArguments)
	clear(l.bodyArguments)
}

// newTensors allocates results of a program.
func newTensors(p *Program) ([]tensor.Tensor, error) {
	list := make([]tensor.Tensor, len(p.Outputs()))
	for i, shape := range p.Outputs() {
		var err error
		if list[i], err = tensor.New(shape); err != nil {
			return nil, err
		}
	}
	return list, nil
}
