package ops

import (
	"fmt"
	"math"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// Compare sets the booleans of out to a comparison of two operands of one
// numeric data type, broadcast as in Binary: Equal, NotEqual, GreaterOrEqual,
// GreaterThan, LessOrEqual, LessThan, and their TotalOrder forms, in which
// -NaN < -Inf < -0 < +0 < +Inf < +NaN. Otherwise NaN is unequal to everything and
// in no order. Booleans can be equal or not.
func Compare(op compute.OpType, out, lhs, rhs tensor.Tensor) error {
	if err := checkOperands(op, out, lhs, rhs); err != nil {
		return err
	}
	if out.Shape.DType != dtypes.Bool {
		return fmt.Errorf("%s: output has data type %s, expected %s", op, out.Shape.DType, dtypes.Bool)
	}
	switch lhs.Shape.DType {
	case dtypes.Bool:
		return zip(op, out, lhs, rhs, equalityKernel[bool](op))
	case dtypes.Int8:
		return zip(op, out, lhs, rhs, integerComparison[int8](op))
	case dtypes.Int16:
		return zip(op, out, lhs, rhs, integerComparison[int16](op))
	case dtypes.Int32:
		return zip(op, out, lhs, rhs, integerComparison[int32](op))
	case dtypes.Int64:
		return zip(op, out, lhs, rhs, integerComparison[int64](op))
	case dtypes.Uint8:
		return zip(op, out, lhs, rhs, integerComparison[uint8](op))
	case dtypes.Uint16:
		return zip(op, out, lhs, rhs, integerComparison[uint16](op))
	case dtypes.Uint32:
		return zip(op, out, lhs, rhs, integerComparison[uint32](op))
	case dtypes.Uint64:
		return zip(op, out, lhs, rhs, integerComparison[uint64](op))
	case dtypes.Float32:
		return zip(op, out, lhs, rhs, floatComparison[float32](op))
	case dtypes.Float64:
		return zip(op, out, lhs, rhs, floatComparison[float64](op))
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(op.String(), out, []tensor.Tensor{lhs, rhs}, func(out tensor.Tensor, in []tensor.Tensor) error {
			return Compare(op, out, in[0], in[1])
		})
	}
	return unsupported(op.String(), lhs.Shape.DType)
}

// partialOrder maps each TotalOrder comparison to the ordinary one.
var partialOrder = map[compute.OpType]compute.OpType{
	compute.OpTypeEqualTotalOrder:          compute.OpTypeEqual,
	compute.OpTypeNotEqualTotalOrder:       compute.OpTypeNotEqual,
	compute.OpTypeGreaterOrEqualTotalOrder: compute.OpTypeGreaterOrEqual,
	compute.OpTypeGreaterThanTotalOrder:    compute.OpTypeGreaterThan,
	compute.OpTypeLessOrEqualTotalOrder:    compute.OpTypeLessOrEqual,
	compute.OpTypeLessThanTotalOrder:       compute.OpTypeLessThan,
}

func equalityKernel[T comparable](op compute.OpType) binaryKernel[T, bool] {
	switch op {
	case compute.OpTypeEqual:
		return equal[T]
	case compute.OpTypeNotEqual:
		return notEqual[T]
	}
	return nil
}

func comparisonKernel[T gotype.NumericNotComplex](op compute.OpType) binaryKernel[T, bool] {
	switch op {
	case compute.OpTypeGreaterOrEqual:
		return func(out []bool, a, b []T) { lessOrEqual(out, b, a) }
	case compute.OpTypeGreaterThan:
		return func(out []bool, a, b []T) { lessThan(out, b, a) }
	case compute.OpTypeLessOrEqual:
		return lessOrEqual[T]
	case compute.OpTypeLessThan:
		return lessThan[T]
	}
	return equalityKernel[T](op)
}

// integerComparison returns a comparison kernel; integers have but one order.
func integerComparison[T gotype.Integer](op compute.OpType) binaryKernel[T, bool] {
	if ordinary, ok := partialOrder[op]; ok {
		op = ordinary
	}
	return comparisonKernel[T](op)
}

func floatComparison[T gotype.Float](op compute.OpType) binaryKernel[T, bool] {
	ordinary, total := partialOrder[op]
	if !total {
		return comparisonKernel[T](op)
	}
	compareRanks := comparisonKernel[int64](ordinary)
	return func(out []bool, a, b []T) {
		for i := range out {
			compareRanks(out[i:i+1], []int64{totalRank(a[i])}, []int64{totalRank(b[i])})
		}
	}
}

// totalRank maps floats to integers in total order.
func totalRank[T gotype.Float](x T) int64 {
	bits := int64(math.Float64bits(float64(x)))
	if bits < 0 {
		bits ^= math.MaxInt64
	}
	return bits
}

func equal[T comparable](out []bool, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] == b[i]
	}
}

func notEqual[T comparable](out []bool, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] != b[i]
	}
}

func lessThan[T gotype.NumericNotComplex](out []bool, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] < b[i]
	}
}

func lessOrEqual[T gotype.NumericNotComplex](out []bool, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] <= b[i]
	}
}
