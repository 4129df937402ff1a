package program

import (
	"fmt"
	"sync"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/tensor"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

func init() { builders[ir.OpFused] = buildFused }

func buildFused(_ *ir.Function, n *ir.Node) (kernel, error) {
	t, ok := n.Attributes.(*tape)
	if !ok {
		return nil, fmt.Errorf("fused computation has attributes %T, expected a tape", n.Attributes)
	}
	switch t.dtype {
	case dtypes.Float32:
		return newMachine[float32](t, len(n.Inputs), len(n.Outputs)).run, nil
	case dtypes.Float64:
		return newMachine[float64](t, len(n.Inputs), len(n.Outputs)).run, nil
	}
	return nil, fmt.Errorf("fused computation of %s, expected floats", t.dtype)
}

// A machine runs a tape. The matrix is cut into blocks and these are dealt out
// to tasks in an order that depends on the tape alone, so that results do not
// depend on the number of workers.
type machine[T vector.Float] struct {
	tape          *tape
	code          []compiled[T]
	blockRows     int // rows of a block
	blockColumns  int // columns of a block
	blocks        int
	blocksPerTask int
	tasks         int
	totals        int // numbers that a task accumulates for reductions to scalars
	sums          int // numbers that a task accumulates for reductions of columns
	inputs        int
	outputs       int
	runs          sync.Pool // of *execution[T]
	unused        sync.Pool // of *registers[T]
}

const (
	registerBytes = 24 << 10 // of all registers: they should stay in the first-level cache
	minBlock      = 512      // elements
	maxBlock      = 4096     // elements
	taskWork      = 1 << 17  // operations on elements that are worth a task of their own
	maxTasks      = 64
)

func newMachine[T vector.Float](t *tape, inputs, outputs int) *machine[T] {
	m := &machine[T]{tape: t, inputs: inputs, outputs: outputs, code: make([]compiled[T], len(t.code))}
	work := 0
	for i, c := range t.code {
		m.code[i] = compile[T](c)
		switch c.action {
		case reduceElements:
			m.code[i].accumulator = m.totals
			m.totals++
		case reduceColumns:
			m.code[i].accumulator = m.sums
			m.sums += t.columns
		}
		work += m.code[i].cost
	}
	m.cut(work)
	return m
}

// cut chooses blocks and tasks.
func (m *machine[T]) cut(work int) {
	t := m.tape
	block := min(max(registerBytes/(t.dtype.Size()*(t.registers+2)), minBlock), maxBlock)
	m.blockRows, m.blockColumns = max(block/t.columns, 1), t.columns
	if t.columns > block && !t.wholeRows {
		m.blockColumns = block
	}
	m.blockRows = min(m.blockRows, t.rows)
	m.blocks = (t.rows + m.blockRows - 1) / m.blockRows * m.blocksPerRow()
	tasks := int(min(max(float64(t.rows)*float64(t.columns)*float64(work)/taskWork, 1), maxTasks))
	if m.sums > 0 {
		tasks = min(tasks, max(1, t.rows*t.columns/(8*m.sums)))
	}
	m.blocksPerTask = (m.blocks + tasks - 1) / tasks
	m.tasks = (m.blocks + m.blocksPerTask - 1) / m.blocksPerTask
}

func (m *machine[T]) blocksPerRow() int {
	return (m.tape.columns + m.blockColumns - 1) / m.blockColumns
}

// An execution is one run of a machine.
type execution[T vector.Float] struct {
	machine *machine[T]
	inputs  []vectors[T]
	outputs []vectors[T]
	totals  []float64 // by task and accumulator
	sums    []T       // by task and accumulator
	task    func(i int)
}

// vectors are the elements of an input or output, in the one of its slices that
// has their type.
type vectors[T vector.Float] struct {
	floats []T
	masks  []bool
	other  any // of an input to convert
}

func (v *vectors[T]) set(t tensor.Tensor) {
	switch flat := t.Flat.(type) {
	case []T:
		v.floats = flat
	case []bool:
		v.masks = flat
	default:
		v.other = flat
	}
}

// registers are the memory of a worker.
type registers[T vector.Float] struct {
	floats    [][]T
	masks     [][]bool
	temporary [2][]T
}

func (m *machine[T]) run(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
	e := m.start(outputs, inputs)
	if pool == nil || m.tasks == 1 {
		for i := range m.tasks {
			e.runTask(i)
		}
	} else {
		pool.Run(m.tasks, e.task)
	}
	e.finish()
	clear(e.inputs)
	clear(e.outputs)
	m.runs.Put(e)
	return nil
}

func (m *machine[T]) start(outputs, inputs []tensor.Tensor) *execution[T] {
	e, ok := m.runs.Get().(*execution[T])
	if !ok {
		e = &execution[T]{
			machine: m,
			inputs:  make([]vectors[T], m.inputs),
			outputs: make([]vectors[T], m.outputs),
			totals:  make([]float64, m.tasks*m.totals),
			sums:    make([]T, m.tasks*m.sums),
		}
		e.task = e.runTask
	}
	for i, t := range inputs {
		e.inputs[i].set(t)
	}
	for i, t := range outputs {
		e.outputs[i].set(t)
	}
	return e
}

// take returns registers for blocks of the machine.
func (m *machine[T]) take() *registers[T] {
	if s, ok := m.unused.Get().(*registers[T]); ok {
		return s
	}
	size := (m.blockRows*m.blockColumns + 15) / 16 * 16
	count := m.tape.registers + 2
	memory, err := tensor.New(shapes.Make(m.tape.dtype, count*size))
	floats := tensor.Of[T](memory)
	if err != nil {
		floats = make([]T, count*size)
	}
	s := &registers[T]{floats: make([][]T, count), masks: make([][]bool, m.tape.masks)}
	for i := range s.floats {
		s.floats[i] = floats[i*size : (i+1)*size]
	}
	for i := range s.masks {
		s.masks[i] = make([]bool, size)
	}
	s.temporary = [2][]T{s.floats[count-2], s.floats[count-1]}
	return s
}

// runTask computes the blocks of a task in order.
func (e *execution[T]) runTask(task int) {
	m := e.machine
	e.clear(task)
	s := m.take()
	perRow := m.blocksPerRow()
	b := tile[T]{execution: e, registers: s, task: task}
	for i := task * m.blocksPerTask; i < min((task+1)*m.blocksPerTask, m.blocks); i++ {
		b.row, b.column = i/perRow*m.blockRows, i%perRow*m.blockColumns
		b.rows, b.columns = min(m.blockRows, m.tape.rows-b.row), min(m.blockColumns, m.tape.columns-b.column)
		for j := range m.code {
			b.execute(&m.code[j])
		}
	}
	m.unused.Put(s)
}
