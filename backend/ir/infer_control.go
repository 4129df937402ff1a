package ir

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// controlRules has the inference of the operations that run other functions.
var controlRules = map[compute.OpType]func(attributes any, inputs []shapes.Shape, bodies []*Function) ([]shapes.Shape, error){
	compute.OpTypeCall:  callShapes,
	compute.OpTypeIf:    ifShapes,
	compute.OpTypeWhile: whileShapes,
	compute.OpTypeSort:  sortShapes,
}

func callShapes(_ any, in []shapes.Shape, bodies []*Function) ([]shapes.Shape, error) {
	if len(bodies) != 1 {
		return nil, fmt.Errorf("got %d functions, expected one", len(bodies))
	}
	if err := checkArguments("function", bodies[0], in); err != nil {
		return nil, err
	}
	return bodies[0].OutputShapes(), nil
}

func ifShapes(attributes any, in []shapes.Shape, bodies []*Function) ([]shapes.Shape, error) {
	a, ok := attributes.(If)
	if !ok || len(bodies) != 2 || len(in) < 1 || a.TrueArguments < 0 || a.TrueArguments > len(in)-1 {
		return nil, fmt.Errorf("expected a predicate, two branches and the arguments of each")
	}
	if in[0].DType != dtypes.Bool || in[0].Rank() != 0 {
		return nil, fmt.Errorf("the predicate is %s, expected a boolean scalar", in[0])
	}
	if err := checkArguments("true branch", bodies[0], in[1:1+a.TrueArguments]); err != nil {
		return nil, err
	}
	if err := checkArguments("false branch", bodies[1], in[1+a.TrueArguments:]); err != nil {
		return nil, err
	}
	outputs := bodies[0].OutputShapes()
	if err := checkSame("the false branch's results", bodies[1].OutputShapes(), outputs); err != nil {
		return nil, err
	}
	return outputs, nil
}

func whileShapes(attributes any, in []shapes.Shape, bodies []*Function) ([]shapes.Shape, error) {
	a, ok := attributes.(While)
	if !ok || len(bodies) != 2 || a.State < 1 || a.CondArguments < 0 || a.State+a.CondArguments > len(in) {
		return nil, fmt.Errorf("expected a state of at least one value, a condition and a body")
	}
	state, extra := in[:a.State:a.State], in[a.State:]
	if err := checkArguments("condition", bodies[0], append(state, extra[:a.CondArguments]...)); err != nil {
		return nil, err
	}
	if err := checkPredicate("condition", bodies[0]); err != nil {
		return nil, err
	}
	if err := checkArguments("body", bodies[1], append(state, extra[a.CondArguments:]...)); err != nil {
		return nil, err
	}
	if err := checkSame("the body's results", bodies[1].OutputShapes(), state); err != nil {
		return nil, err
	}
	return state, nil
}

func sortShapes(attributes any, in []shapes.Shape, bodies []*Function) ([]shapes.Shape, error) {
	a, ok := attributes.(Sort)
	if !ok || len(bodies) != 1 || a.Operands < 1 || a.Operands > len(in) {
		return nil, fmt.Errorf("expected at least one operand and a comparator")
	}
	operands := in[:a.Operands:a.Operands]
	var arguments []shapes.Shape
	for _, operand := range operands {
		if !operand.EqualDimensions(operands[0]) {
			return nil, fmt.Errorf("all operands must have the same dimensions")
		}
		scalar := shapes.Make(operand.DType)
		arguments = append(arguments, scalar, scalar)
	}
	if err := checkAxes([]int{a.Axis}, operands[0]); err != nil {
		return nil, err
	}
	if err := checkArguments("comparator", bodies[0], append(arguments, in[a.Operands:]...)); err != nil {
		return nil, err
	}
	return operands, checkPredicate("comparator", bodies[0])
}

func checkArguments(what string, f *Function, arguments []shapes.Shape) error {
	return checkSame("the "+what+"'s arguments", arguments, f.ParameterShapes())
}

func checkPredicate(what string, f *Function) error {
	return checkSame("the "+what+"'s results", f.OutputShapes(), []shapes.Shape{shapes.Make(dtypes.Bool)})
}

// checkSame compares data types and dimensions; axis names do not matter.
func checkSame(what string, got, want []shapes.Shape) error {
	same := len(got) == len(want)
	for i := 0; same && i < len(got); i++ {
		same = got[i].DType == want[i].DType && got[i].EqualDimensions(want[i])
	}
	if !same {
		return fmt.Errorf("%s are (%s), expected (%s)", what, listShapes(got), listShapes(want))
	}
	return nil
}
