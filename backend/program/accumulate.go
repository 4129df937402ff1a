package program

import (
	"math"

	"github.com/descentml/descent/backend/kernel/vector"
)

// neutralOf is what a reduction gives for no numbers.
func neutralOf(r vector.Reduction) float64 {
	switch r {
	case vector.Product:
		return 1
	case vector.Largest:
		return math.Inf(-1)
	case vector.Smallest:
		return math.Inf(1)
	}
	return 0
}

// fold folds two numbers.
func fold(r vector.Reduction, a, b float64) float64 {
	switch r {
	case vector.Product:
		return a * b
	case vector.Largest:
		return math.Max(a, b)
	case vector.Smallest:
		return math.Min(a, b)
	}
	return a + b
}

// foldings are the functions of two numbers that reductions repeat.
var foldings = map[vector.Reduction]vector.BinaryOp{
	vector.Sum: vector.Add, vector.Product: vector.Mul, vector.Largest: vector.Max, vector.Smallest: vector.Min,
}

// clear sets the accumulators of a task.
func (e *execution[T]) clear(task int) {
	m := e.machine
	for i := range m.code {
		switch c := &m.code[i]; c.action {
		case reduceElements:
			*e.total(task, c) = neutralOf(c.reduction)
		case reduceColumns:
			vector.Fill(e.sum(task, c), T(neutralOf(c.reduction)))
		}
	}
}

func (e *execution[T]) total(task int, c *compiled[T]) *float64 {
	return &e.totals[task*e.machine.totals+c.accumulator]
}

func (e *execution[T]) sum(task int, c *compiled[T]) []T {
	start := task*e.machine.sums + c.accumulator
	return e.sums[start : start+e.machine.tape.columns]
}

// finish folds the accumulators of all tasks, in their order, into outputs.
func (e *execution[T]) finish() {
	m := e.machine
	for i := range m.code {
		c := &m.code[i]
		switch c.action {
		case reduceElements:
			total := *e.total(0, c)
			for task := 1; task < m.tasks; task++ {
				total = fold(c.reduction, total, *e.total(task, c))
			}
			e.outputs[c.target.index].floats[0] = T(total)
		case reduceColumns:
			output := e.outputs[c.target.index].floats
			copy(output, e.sum(0, c))
			for task := 1; task < m.tasks; task++ {
				c.both(output, output, e.sum(task, c))
			}
		}
	}
}
