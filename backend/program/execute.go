package program

import (
	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/kernel/vector"
)

// compiled is an instruction with its kernels.
type compiled[T vector.Float] struct {
	instruction
	cost        int // in simple operations
	accumulator int // where a reduction accumulates
	reduction   vector.Reduction

	unary         func(target, x []T)
	both          func(target, a, b []T)
	left          func(target []T, a T, b []T)
	right         func(target, a []T, b T)
	compare       func(target []bool, a, b []T)
	compareScalar func(target []bool, a []T, b T)
}

// smallestRow is the number of columns from which rows are worth a call each.
const smallestRow = 32

func compile[T vector.Float](i instruction) compiled[T] {
	c := compiled[T]{instruction: i, cost: 1}
	switch i.action {
	case unary:
		c.unary = vector.Unary[T](i.function)
		c.cost = 6
	case binary:
		op := binaryKernels[i.op]
		c.both, c.left, c.right = vector.Binary[T](op), vector.ScalarBinary[T](op), vector.BinaryScalar[T](op)
		if op == vector.Pow {
			c.cost = 30
		}
	case compare:
		op := compareKernels[i.op]
		c.compare, c.compareScalar = vector.Compare[T](op), vector.CompareScalar[T](op)
	case reduceElements, reduceRows, reduceColumns:
		c.reduction = reductions[i.op]
		c.both = vector.Binary[T](foldings[c.reduction])
	}
	return c
}

// A tile is the block of the matrix that a task computes: whole rows, or a part
// of one row.
type tile[T vector.Float] struct {
	*execution[T]
	registers     *registers[T]
	task          int
	row, column   int // of the first element
	rows, columns int
}

// count is how many numbers of an extent belong to the block.
func (b *tile[T]) count(e extent) int {
	switch e {
	case elements:
		return b.rows * b.columns
	case column:
		return b.rows
	case row:
		return b.columns
	}
	return 1
}

// start is the position of the first of them in an input or output.
func (b *tile[T]) start(e extent) int {
	switch e {
	case elements:
		return b.row*b.machine.tape.columns + b.column
	case column:
		return b.row
	case row:
		return b.column
	}
	return 0
}

// floats returns the numbers in a slot.
func (b *tile[T]) floats(s slot) []T {
	start, count := b.start(s.extent), b.count(s.extent)
	switch s.kind {
	case inInput:
		return b.inputs[s.index].floats[start : start+count]
	case inOutput:
		return b.outputs[s.index].floats[start : start+count]
	}
	return b.registers.floats[s.index][:count]
}

// masks returns the booleans in a slot.
func (b *tile[T]) masks(s slot) []bool {
	start, count := b.start(s.extent), b.count(s.extent)
	switch s.kind {
	case inInput:
		return b.inputs[s.index].masks[start : start+count]
	case inOutput:
		return b.outputs[s.index].masks[start : start+count]
	}
	return b.registers.masks[s.index][:count]
}

// spread returns the numbers in a slot, repeated to the extent of an
// instruction, in temporary memory if need be.
func (b *tile[T]) spread(s slot, to extent, temporary int) []T {
	x := b.floats(s)
	if s.extent == to {
		return x
	}
	target := b.registers.temporary[temporary][:b.count(to)]
	switch s.extent {
	case scalar:
		vector.Fill(target, x[0])
	case column:
		vector.BroadcastColumn(target, x, b.columns)
	case row:
		vector.BroadcastRow(target, x)
	}
	return target
}

func (b *tile[T]) execute(c *compiled[T]) {
	arguments := c.arguments
	switch c.action {
	case unary:
		c.unary(b.floats(c.target), b.spread(arguments[0], c.extent, 0))
	case binary:
		b.binary(c)
	case compare:
		x := b.spread(arguments[0], c.extent, 0)
		if arguments[1].extent == scalar {
			c.compareScalar(b.masks(c.target), x, b.floats(arguments[1])[0])
			return
		}
		c.compare(b.masks(c.target), x, b.spread(arguments[1], c.extent, 1))
	case choose:
		mask := b.masks(arguments[0])
		vector.Select(b.floats(c.target), mask, b.spread(arguments[1], c.extent, 0), b.spread(arguments[2], c.extent, 1))
	case fromBool:
		fromBools(b.floats(c.target), b.masks(arguments[0]))
	case convert:
		b.convert(c)
	case logic:
		b.logic(c)
	case reduceElements:
		total := b.total(b.task, c)
		var part T
		if len(arguments) == 2 {
			part = vector.Dot(b.floats(arguments[0]), b.floats(arguments[1]))
		} else {
			part = vector.Reduce(c.reduction, b.spread(arguments[0], c.extent, 0))
		}
		*total = fold(c.reduction, *total, float64(part))
	case reduceRows:
		if len(arguments) == 2 {
			vector.DotRows(b.floats(c.target), b.floats(arguments[0]), b.floats(arguments[1]), b.columns)
			return
		}
		vector.ReduceRows(c.reduction, b.floats(c.target), b.spread(arguments[0], c.extent, 0), b.columns)
	case reduceColumns:
		sum := b.sum(b.task, c)[b.column : b.column+b.columns]
		vector.ReduceColumns(c.reduction, sum, b.spread(arguments[0], c.extent, 0), b.columns)
	}
}

// binary applies a function of two numbers, with the kernel for scalars where
// an operand is the same in a whole row.
func (b *tile[T]) binary(c *compiled[T]) {
	target := b.floats(c.target)
	first, second := c.arguments[0], c.arguments[1]
	x, y := b.floats(first), b.floats(second)
	switch {
	case first.extent == c.extent && second.extent == c.extent:
		c.both(target, x, y)
	case first.extent == c.extent && second.extent == scalar:
		c.right(target, x, y[0])
	case second.extent == c.extent && first.extent == scalar:
		c.left(target, x[0], y)
	case b.columns < smallestRow && b.rows > 1, first.extent != c.extent && second.extent != c.extent:
		c.both(target, b.spread(first, c.extent, 0), b.spread(second, c.extent, 1))
	default:
		b.binaryRows(c, target, x, y)
	}
}

// binaryRows computes row by row where one operand is a row or a column.
func (b *tile[T]) binaryRows(c *compiled[T], target, x, y []T) {
	first, second := c.arguments[0].extent, c.arguments[1].extent
	n := b.columns
	for i := range b.rows {
		from, to := i*n, (i+1)*n
		switch {
		case second == column:
			c.right(target[from:to], x[from:to], y[i])
		case second == row:
			c.both(target[from:to], x[from:to], y)
		case first == column:
			c.left(target[from:to], x[i], y[from:to])
		default:
			c.both(target[from:to], x, y[from:to])
		}
	}
}

// logic computes a function of booleans.
func (b *tile[T]) logic(c *compiled[T]) {
	target, x := b.masks(c.target), b.masks(c.arguments[0])
	if c.op == compute.OpTypeLogicalNot {
		for i := range target {
			target[i] = !x[i]
		}
		return
	}
	y := b.masks(c.arguments[1])
	switch c.op {
	case compute.OpTypeLogicalAnd:
		for i := range target {
			target[i] = x[i] && y[i]
		}
	case compute.OpTypeLogicalOr:
		for i := range target {
			target[i] = x[i] || y[i]
		}
	case compute.OpTypeLogicalXor:
		for i := range target {
			target[i] = x[i] != y[i]
		}
	}
}

func fromBools[T vector.Float](target []T, mask []bool) {
	switch target := any(target).(type) {
	case []float32:
		vector.BoolToFloat32(target, mask)
	case []float64:
		vector.BoolToFloat64(target, mask)
	}
}

// convert converts an input.
func (b *tile[T]) convert(c *compiled[T]) {
	s := c.arguments[0]
	start, end := b.start(s.extent), b.start(s.extent)+b.count(s.extent)
	switch target := any(b.floats(c.target)).(type) {
	case []float32:
		switch x := b.inputs[s.index].other.(type) {
		case []int32:
			vector.Int32ToFloat32(target, x[start:end])
		case []int64:
			vector.Int64ToFloat32(target, x[start:end])
		case []float64:
			vector.Float64ToFloat32(target, x[start:end])
		}
	case []float64:
		switch x := b.inputs[s.index].other.(type) {
		case []int32:
			vector.Int32ToFloat64(target, x[start:end])
		case []int64:
			vector.Int64ToFloat64(target, x[start:end])
		case []float32:
			vector.Float32ToFloat64(target, x[start:end])
		}
	}
}
