package ir

import (
	"fmt"

	"github.com/gomlx/compute"
)

// Verify checks that the function is well formed: every value is defined once
// and before its uses, and every node accepts its inputs and has the outputs
// that [Infer] says. It is for passes that rewrite functions, and their tests.
func Verify(f *Function) error {
	defined := make([]bool, len(f.shapes))
	define := func(v Value) error {
		if v < 0 || int(v) >= len(defined) {
			return fmt.Errorf("value %d does not exist, expected one of %d", v, len(defined))
		}
		if defined[v] {
			return fmt.Errorf("value %d is defined twice", v)
		}
		defined[v] = true
		return nil
	}
	for _, v := range f.Parameters {
		if err := define(v); err != nil {
			return fmt.Errorf("parameter: %w", err)
		}
	}
	for i, n := range f.Nodes {
		if err := checkDefined(n.Inputs, defined); err != nil {
			return fmt.Errorf("node %d (%s): %w", i, n.Op, err)
		}
		for _, v := range n.Outputs {
			if err := define(v); err != nil {
				return fmt.Errorf("node %d (%s): %w", i, n.Op, err)
			}
		}
		if err := verifyNode(f, n); err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
	}
	if err := checkDefined(f.Outputs, defined); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

func checkDefined(values []Value, defined []bool) error {
	for _, v := range values {
		if v < 0 || int(v) >= len(defined) || !defined[v] {
			return fmt.Errorf("value %d is used before it is defined", v)
		}
	}
	return nil
}

func verifyNode(f *Function, n *Node) error {
	for _, body := range n.Bodies {
		if err := Verify(body); err != nil {
			return fmt.Errorf("function of %s: %w", n.Op, err)
		}
	}
	if n.Op == compute.OpTypeConstant {
		constant, ok := n.Attributes.(Constant)
		if !ok {
			return fmt.Errorf("constant has attributes %T", n.Attributes)
		}
		return constant.Data.Check()
	}
	want, err := Infer(n.Op, n.Attributes, f.InputShapes(n), n.Bodies...)
	if err != nil {
		return err
	}
	return checkSame(n.Op.String()+"'s outputs", f.shapesOf(n.Outputs), want)
}
