package backend

import (
	"fmt"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/ir"
)

// Call runs a function of the same computation.
func (f *Function) Call(target compute.Function, inputs ...compute.Value) ([]compute.Value, error) {
	callee, ok := target.(*Function)
	if !ok || callee == nil || callee.builder != f.builder || callee.parent != nil {
		return nil, fmt.Errorf("Call: expected a function made by NewFunction of the same computation, got %T", target)
	}
	if !callee.returned {
		return nil, fmt.Errorf("Call: function %q has no Return yet", callee.name)
	}
	ids, err := f.resolve("Call", inputs)
	if err != nil {
		return nil, err
	}
	return f.addControl(compute.OpTypeCall, nil, ids, callee)
}

// If returns the results of one of two closures without parameters.
func (f *Function) If(pred compute.Value, trueBranch, falseBranch compute.Function) ([]compute.Value, error) {
	branches, err := f.closures("If", trueBranch, falseBranch)
	if err != nil {
		return nil, err
	}
	ids, err := f.resolve("If", []compute.Value{pred})
	if err != nil {
		return nil, err
	}
	ids = append(append(ids, branches[0].captured...), branches[1].captured...)
	return f.addControl(compute.OpTypeIf, ir.If{TrueArguments: len(branches[0].captured)}, ids, branches...)
}

// While applies body to the state as long as cond holds for it.
func (f *Function) While(cond, body compute.Function, initialState ...compute.Value) ([]compute.Value, error) {
	closures, err := f.closures("While", cond, body)
	if err != nil {
		return nil, err
	}
	ids, err := f.resolve("While", initialState)
	if err != nil {
		return nil, err
	}
	ids = append(append(ids, closures[0].captured...), closures[1].captured...)
	return f.addControl(compute.OpTypeWhile, ir.While{State: len(initialState), CondArguments: len(closures[0].captured)}, ids, closures...)
}

// Sort sorts the inputs together along an axis, so that comparator holds for
// (lhs_0, rhs_0, lhs_1, rhs_1, ...) if lhs comes first. A negative axis counts
// from the end.
func (f *Function) Sort(comparator compute.Function, axis int, isStable bool, inputs ...compute.Value) ([]compute.Value, error) {
	closures, err := f.closures("Sort", comparator)
	if err != nil {
		return nil, err
	}
	ids, err := f.resolve("Sort", inputs)
	if err != nil {
		return nil, err
	}
	if axis < 0 && len(ids) > 0 {
		axis += f.graph.Shape(ids[0]).Rank()
	}
	ids = append(ids, closures[0].captured...)
	return f.addControl(compute.OpTypeSort, ir.Sort{Axis: axis, Stable: isStable, Operands: len(inputs)}, ids, closures...)
}

// closures checks that all are finished closures of f.
func (f *Function) closures(op string, list ...compute.Function) ([]*Function, error) {
	if err := f.checkOpen(op); err != nil {
		return nil, err
	}
	closures := make([]*Function, len(list))
	for i, c := range list {
		closure, ok := c.(*Function)
		if !ok || closure == nil || closure.parent != f {
			return nil, fmt.Errorf("%s: function %d is %T, expected a closure of function %q", op, i, c, f.name)
		}
		if !closure.returned {
			return nil, fmt.Errorf("%s: closure %d has no Return yet", op, i)
		}
		closures[i] = closure
	}
	return closures, nil
}

func (f *Function) addControl(op compute.OpType, attributes any, inputs []ir.Value, functions ...*Function) ([]compute.Value, error) {
	bodies := make([]*ir.Function, len(functions))
	for i, function := range functions {
		bodies[i] = function.graph
	}
	node, err := f.graph.Add(op, attributes, inputs, bodies...)
	if err != nil {
		return nil, err
	}
	return f.values(node), nil
}
