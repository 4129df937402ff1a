package ops

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// Binary computes an element-wise operation of two operands of one data type:
// Add, Sub, Mul, Div, Rem, Pow, Max, Min of numbers, Atan2 of floats, bitwise
// operations and shifts of integers, logical operations of booleans. An operand
// is repeated along the axes of the output where it has one element, and
// everywhere if it is a scalar. out may be an operand of the same shape.
//
// Integers: the remainder has the dividend's sign; a negative power is 1/lhs^-rhs
// truncated; shifts by the width or more leave nothing but the sign.
func Binary(op compute.OpType, out, lhs, rhs tensor.Tensor) error {
	if err := checkOperands(op, out, lhs, rhs); err != nil {
		return err
	}
	if out.Shape.DType != lhs.Shape.DType {
		return fmt.Errorf("%s: output has data type %s, expected the operands' %s", op, out.Shape.DType, lhs.Shape.DType)
	}
	switch lhs.Shape.DType {
	case dtypes.Bool:
		return zip(op, out, lhs, rhs, logicalKernel(op))
	case dtypes.Int8:
		return integerBinary[int8](op, out, lhs, rhs)
	case dtypes.Int16:
		return integerBinary[int16](op, out, lhs, rhs)
	case dtypes.Int32:
		return integerBinary[int32](op, out, lhs, rhs)
	case dtypes.Int64:
		return integerBinary[int64](op, out, lhs, rhs)
	case dtypes.Uint8:
		return integerBinary[uint8](op, out, lhs, rhs)
	case dtypes.Uint16:
		return integerBinary[uint16](op, out, lhs, rhs)
	case dtypes.Uint32:
		return integerBinary[uint32](op, out, lhs, rhs)
	case dtypes.Uint64:
		return integerBinary[uint64](op, out, lhs, rhs)
	case dtypes.Float32:
		return zip(op, out, lhs, rhs, floatKernel[float32](op))
	case dtypes.Float64:
		return zip(op, out, lhs, rhs, floatKernel[float64](op))
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(op.String(), out, []tensor.Tensor{lhs, rhs}, func(out tensor.Tensor, in []tensor.Tensor) error {
			return Binary(op, out, in[0], in[1])
		})
	}
	return unsupported(op.String(), lhs.Shape.DType)
}

// checkOperands checks all of a binary operation but the output's data type.
func checkOperands(op compute.OpType, out, lhs, rhs tensor.Tensor) error {
	name := op.String()
	if err := checkTensors(name, out, lhs, rhs); err != nil {
		return err
	}
	if err := checkSameType(name, lhs, rhs); err != nil {
		return err
	}
	for _, operand := range []tensor.Tensor{lhs, rhs} {
		if _, ok := broadcastStrides(out.Shape.Dimensions, operand.Shape.Dimensions); !ok {
			return fmt.Errorf("%s: operand %s cannot be broadcast to the output %s", op, operand.Shape, out.Shape)
		}
	}
	return nil
}

func integerBinary[T gotype.Integer](op compute.OpType, out, lhs, rhs tensor.Tensor) error {
	divides := op == compute.OpTypeDiv || op == compute.OpTypeRem
	if divides && out.Shape.Size() > 0 && slices.Contains(tensor.Of[T](rhs), 0) {
		return fmt.Errorf("%s: division of %s by zero", op, lhs.Shape.DType)
	}
	return zip(op, out, lhs, rhs, integerKernel[T](op))
}

// A binaryKernel sets out[i] to an operation of a[i] and b[i]. The slices have
// one length.
type binaryKernel[T, R any] func(out []R, a, b []T)

// blockLength is the number of elements up to which a repeated operand is written
// out so that every kernel runs on contiguous rows.
const blockLength = 512

// zip runs a kernel over two operands that are broadcast to out. A nil kernel
// means that the operation is not defined for the data type.
func zip[T, R gotype.Supported](op compute.OpType, out, lhs, rhs tensor.Tensor, kernel binaryKernel[T, R]) error {
	if kernel == nil {
		return unsupported(op.String(), lhs.Shape.DType)
	}
	o, a, b := tensor.Of[R](out), tensor.Of[T](lhs), tensor.Of[T](rhs)
	dimensions := out.Shape.Dimensions
	aStrides, _ := broadcastStrides(dimensions, lhs.Shape.Dimensions)
	bStrides, _ := broadcastStrides(dimensions, rhs.Shape.Dimensions)
	n := newNest(dimensions, rowMajor(dimensions), aStrides, bStrides)
	if n.empty() {
		return nil
	}
	length := n.length()
	chunk := length
	var repeatedA, repeatedB []T
	if n.step(1) == 0 {
		chunk = min(chunk, blockLength)
		repeatedA = make([]T, chunk)
	}
	if n.step(2) == 0 {
		chunk = min(chunk, blockLength)
		repeatedB = make([]T, chunk)
	}
	offsets := []int{0, 0, 0}
	n.rows(offsets, func() {
		fillRepeated(repeatedA, a[offsets[1]])
		fillRepeated(repeatedB, b[offsets[2]])
		for i := 0; i < length; i += chunk {
			size := min(chunk, length-i)
			kernel(o[offsets[0]+i:][:size], operandRow(a, repeatedA, offsets[1]+i, size), operandRow(b, repeatedB, offsets[2]+i, size))
		}
	})
	return nil
}

// fillRepeated prepares the row of a repeated element.
func fillRepeated[T any](repeated []T, value T) {
	for i := range repeated {
		repeated[i] = value
	}
}

// operandRow returns size elements of an operand, from repeated if it is not nil.
func operandRow[T any](operand, repeated []T, start, size int) []T {
	if repeated != nil {
		return repeated[:size]
	}
	return operand[start : start+size]
}
