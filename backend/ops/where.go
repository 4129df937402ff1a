package ops

import (
	"fmt"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
)

// Where takes each element from onTrue or onFalse as the boolean condition says.
// All three are broadcast to out as in Binary. out may be onTrue or onFalse if it
// has its shape.
func Where(out, condition, onTrue, onFalse tensor.Tensor) error {
	const op = "where"
	if err := checkTensors(op, out, condition, onTrue, onFalse); err != nil {
		return err
	}
	if err := checkSameType(op, out, onTrue, onFalse); err != nil {
		return err
	}
	if condition.Shape.DType != dtypes.Bool {
		return fmt.Errorf("%s: condition has data type %s, expected %s", op, condition.Shape.DType, dtypes.Bool)
	}
	if err := checkMovable(op, out); err != nil {
		return err
	}
	dimensions := out.Shape.Dimensions
	strides := [][]int{rowMajor(dimensions)}
	for _, operand := range []tensor.Tensor{condition, onTrue, onFalse} {
		operandStrides, ok := broadcastStrides(dimensions, operand.Shape.Dimensions)
		if !ok {
			return fmt.Errorf("%s: operand %s cannot be broadcast to the output %s", op, operand.Shape, out.Shape)
		}
		strides = append(strides, operandStrides)
	}
	n := newNest(dimensions, strides...)
	switch out.Shape.DType.Size() {
	case 1:
		whereWords[uint8](out, condition, onTrue, onFalse, n)
	case 2:
		whereWords[uint16](out, condition, onTrue, onFalse, n)
	case 4:
		whereWords[uint32](out, condition, onTrue, onFalse, n)
	case 8:
		whereWords[uint64](out, condition, onTrue, onFalse, n)
	case 16:
		whereWords[[2]uint64](out, condition, onTrue, onFalse, n)
	}
	return nil
}

func whereWords[W word](out, condition, onTrue, onFalse tensor.Tensor, n nest) {
	to, test := words[W](out), tensor.Of[bool](condition)
	yes, no := words[W](onTrue), words[W](onFalse)
	length, testStep, yesStep, noStep := n.length(), n.step(1), n.step(2), n.step(3)
	offsets := []int{0, 0, 0, 0}
	n.rows(offsets, func() {
		row := to[offsets[0] : offsets[0]+length]
		c, y, f := offsets[1], offsets[2], offsets[3]
		for i := range row {
			if test[c] {
				row[i] = yes[y]
			} else {
				row[i] = no[f]
			}
			c += testStep
			y += yesStep
			f += noStep
		}
	})
}
