package ir

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/tensor"
)

// Infer returns the shapes of the outputs of an operation, or an error that
// says why the operation does not accept these inputs and attributes. The
// error wraps compute.ErrNotImplemented if the backend does not know the
// operation.
func Infer(op compute.OpType, attributes any, inputs []shapes.Shape, bodies ...*Function) (outputs []shapes.Shape, err error) {
	// Package shapeinference panics on some arguments out of range.
	defer func() {
		if reason := recover(); reason != nil {
			outputs, err = nil, fmt.Errorf("%s(%s): %v", op, listShapes(inputs), reason)
		}
	}()
	outputs, err = infer(op, attributes, inputs, bodies)
	if err != nil {
		return nil, fmt.Errorf("%s(%s): %w", op, listShapes(inputs), err)
	}
	outputs = slices.Clone(outputs) // it may be a part of inputs
	for i, shape := range outputs {
		if strings.Join(shape.AxisNames, "") == "" {
			outputs[i].AxisNames = nil
		}
		if shape.IsDynamic() {
			continue
		}
		if _, err := tensor.ByteSize(shape); err != nil {
			return nil, fmt.Errorf("%s(%s): %w", op, listShapes(inputs), err)
		}
	}
	return outputs, nil
}

func infer(op compute.OpType, attributes any, inputs []shapes.Shape, bodies []*Function) ([]shapes.Shape, error) {
	if inferBodies, ok := controlRules[op]; ok {
		return inferBodies(attributes, inputs, bodies)
	}
	if len(bodies) > 0 {
		return nil, fmt.Errorf("takes no functions, got %d", len(bodies))
	}
	if arity, inferShape := elementwise(op); inferShape != nil {
		if attributes != nil {
			return nil, fmt.Errorf("takes no attributes, got %T", attributes)
		}
		return checked(arity, single(inferShape))(attributes, inputs)
	}
	inferShapes, ok := rules[op]
	if !ok {
		return nil, fmt.Errorf("this operation is unknown to the backend: %w", compute.ErrNotImplemented)
	}
	return inferShapes(attributes, inputs)
}

// A rule infers output shapes from attributes and input shapes.
type rule func(attributes any, inputs []shapes.Shape) ([]shapes.Shape, error)

// elementwise returns the number of operands of an operation that maps
// corresponding elements, and its inference; nil for other operations.
func elementwise(op compute.OpType) (arity int, inferShape func([]shapes.Shape) (shapes.Shape, error)) {
	switch {
	case shapeinference.StandardUnaryOperations.Has(op):
		return 1, func(in []shapes.Shape) (shapes.Shape, error) { return shapeinference.UnaryOp(op, in[0]) }
	case shapeinference.StandardBinaryOperations.Has(op):
		return 2, func(in []shapes.Shape) (shapes.Shape, error) { return shapeinference.BinaryOp(op, in[0], in[1]) }
	case shapeinference.ComparisonOperations.Has(op):
		return 2, func(in []shapes.Shape) (shapes.Shape, error) {
			return shapeinference.ComparisonOp(op, in[0], in[1])
		}
	case op == compute.OpTypeWhere:
		return 3, func(in []shapes.Shape) (shapes.Shape, error) { return shapeinference.Where(in[0], in[1], in[2]) }
	case op == compute.OpTypeIsFinite:
		return 1, isFiniteShape
	case op == compute.OpTypeIdentity:
		return 1, func(in []shapes.Shape) (shapes.Shape, error) { return in[0], nil }
	}
	return 0, nil
}

// single makes a rule of an inference without attributes.
func single(inferShape func([]shapes.Shape) (shapes.Shape, error)) rule {
	return func(_ any, inputs []shapes.Shape) ([]shapes.Shape, error) {
		shape, err := inferShape(inputs)
		return []shapes.Shape{shape}, err
	}
}

// checked adds a check of the number of inputs.
func checked(arity int, next rule) rule {
	return func(attributes any, inputs []shapes.Shape) ([]shapes.Shape, error) {
		if len(inputs) != arity {
			return nil, fmt.Errorf("got %d inputs, expected %d", len(inputs), arity)
		}
		return next(attributes, inputs)
	}
}

// with makes a rule of an inference with attributes of type A and a fixed
// number of inputs.
func with[A any](arity int, inferShape func(A, []shapes.Shape) (shapes.Shape, error)) rule {
	return checked(arity, withMany(func(attributes A, inputs []shapes.Shape) ([]shapes.Shape, error) {
		shape, err := inferShape(attributes, inputs)
		return []shapes.Shape{shape}, err
	}))
}

// withMany is with for any number of inputs and outputs.
func withMany[A any](inferShapes func(A, []shapes.Shape) ([]shapes.Shape, error)) rule {
	return func(attributes any, inputs []shapes.Shape) ([]shapes.Shape, error) {
		typed, ok := attributes.(A)
		if !ok {
			return nil, fmt.Errorf("got attributes %T, expected %T", attributes, typed)
		}
		return inferShapes(typed, inputs)
	}
}

func listShapes(list []shapes.Shape) string {
	texts := make([]string, len(list))
	for i, shape := range list {
		texts[i] = shape.String()
	}
	return strings.Join(texts, ", ")
}
