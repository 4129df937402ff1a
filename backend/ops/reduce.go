package ops

import (
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// Reduce combines the elements along the given axes, all of them if there are
// none: ReduceSum, ReduceProduct, ReduceMax, ReduceMin of numbers,
// ReduceBitwiseAnd, ReduceBitwiseOr, ReduceBitwiseXor of integers,
// ReduceLogicalAnd, ReduceLogicalOr, ReduceLogicalXor of booleans. The axes are
// absent from out. An empty Max is the lowest value of the data type, -Inf if it
// has one, and an empty Min the highest.
func Reduce(op compute.OpType, out, in tensor.Tensor, axes []int) error {
	name := op.String()
	if err := checkTensors(name, out, in); err != nil {
		return err
	}
	if err := checkAxes(name, "axes", axes, in.Shape.Rank()); err != nil {
		return err
	}
	strides, want := reducedStrides(in.Shape.Dimensions, axes)
	if err := checkShape(name, "output", out, in.Shape.DType, want); err != nil {
		return err
	}
	n := newNest(in.Shape.Dimensions, strides, rowMajor(in.Shape.Dimensions))
	switch in.Shape.DType {
	case dtypes.Bool:
		return reduce(op, out, in, n, logicalReducer(op))
	case dtypes.Int8:
		return reduce(op, out, in, n, integerReducer[int8](op, in))
	case dtypes.Int16:
		return reduce(op, out, in, n, integerReducer[int16](op, in))
	case dtypes.Int32:
		return reduce(op, out, in, n, integerReducer[int32](op, in))
	case dtypes.Int64:
		return reduce(op, out, in, n, integerReducer[int64](op, in))
	case dtypes.Uint8:
		return reduce(op, out, in, n, integerReducer[uint8](op, in))
	case dtypes.Uint16:
		return reduce(op, out, in, n, integerReducer[uint16](op, in))
	case dtypes.Uint32:
		return reduce(op, out, in, n, integerReducer[uint32](op, in))
	case dtypes.Uint64:
		return reduce(op, out, in, n, integerReducer[uint64](op, in))
	case dtypes.Float32:
		return reduce(op, out, in, n, numberReducer[float32](op, in))
	case dtypes.Float64:
		return reduce(op, out, in, n, numberReducer[float64](op, in))
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(name, out, []tensor.Tensor{in}, func(out tensor.Tensor, in []tensor.Tensor) error {
			return Reduce(op, out, in[0], axes)
		})
	}
	return unsupported(name, in.Shape.DType)
}

// reducedStrides returns the dimensions that remain without the axes, and the
// strides of the output along the axes of the input.
func reducedStrides(dimensions, axes []int) (strides, remaining []int) {
	kept := func(axis int) bool { return len(axes) > 0 && !slices.Contains(axes, axis) }
	for axis, size := range dimensions {
		if kept(axis) {
			remaining = append(remaining, size)
		}
	}
	outStrides := rowMajor(remaining)
	strides = make([]int, len(dimensions))
	for axis := range dimensions {
		if kept(axis) {
			strides[axis], outStrides = outStrides[0], outStrides[1:]
		}
	}
	return strides, remaining
}

// A reducer combines elements: identity is the result for none, fold that of a
// row, merge that of two results each.
type reducer[T any] struct {
	identity T
	fold     func(row []T) T
	merge    binaryKernel[T, T]
}

// reduce runs a reducer over the operands (out, in) of a nest. A nil merge means
// that the operation is not defined for the data type.
func reduce[T gotype.Supported](op compute.OpType, out, in tensor.Tensor, n nest, r reducer[T]) error {
	if r.merge == nil {
		return unsupported(op.String(), in.Shape.DType)
	}
	to, from := tensor.Of[T](out), tensor.Of[T](in)
	fill(to, r.identity)
	length := n.length()
	offsets := []int{0, 0}
	if n.step(0) != 0 {
		n.rows(offsets, func() {
			row := to[offsets[0] : offsets[0]+length]
			r.merge(row, row, from[offsets[1]:offsets[1]+length])
		})
		return nil
	}
	var folded [1]T
	n.rows(offsets, func() {
		folded[0] = r.fold(from[offsets[1] : offsets[1]+length])
		row := to[offsets[0] : offsets[0]+1]
		r.merge(row, row, folded[:])
	})
	return nil
}

func numberReducer[T gotype.NumericNotComplex](op compute.OpType, in tensor.Tensor) reducer[T] {
	lowest, highest := bounds[T](in.Shape.DType)
	switch op {
	case compute.OpTypeReduceSum:
		return reducer[T]{0, sum[T], add[T]}
	case compute.OpTypeReduceProduct:
		return reducer[T]{1, multiplyAll[T], multiply[T]}
	case compute.OpTypeReduceMax:
		return reducer[T]{lowest, highestOf[T], maximum[T]}
	case compute.OpTypeReduceMin:
		return reducer[T]{highest, lowestOf[T], minimum[T]}
	}
	return reducer[T]{}
}

func integerReducer[T gotype.Integer](op compute.OpType, in tensor.Tensor) reducer[T] {
	switch op {
	case compute.OpTypeReduceBitwiseAnd:
		return reducer[T]{^T(0), foldWith(^T(0), func(a, b T) T { return a & b }), bitwiseAnd[T]}
	case compute.OpTypeReduceBitwiseOr:
		return reducer[T]{0, foldWith(0, func(a, b T) T { return a | b }), bitwiseOr[T]}
	case compute.OpTypeReduceBitwiseXor:
		return reducer[T]{0, foldWith(0, func(a, b T) T { return a ^ b }), bitwiseXor[T]}
	}
	return numberReducer[T](op, in)
}

func logicalReducer(op compute.OpType) reducer[bool] {
	switch op {
	case compute.OpTypeReduceLogicalAnd:
		return reducer[bool]{true, func(row []bool) bool { return !slices.Contains(row, false) }, logicalAnd}
	case compute.OpTypeReduceLogicalOr:
		return reducer[bool]{false, func(row []bool) bool { return slices.Contains(row, true) }, logicalOr}
	case compute.OpTypeReduceLogicalXor:
		return reducer[bool]{false, foldWith(false, func(a, b bool) bool { return a != b }), logicalXor}
	}
	return reducer[bool]{}
}

// foldWith returns the fold that applies combine from left to right.
func foldWith[T any](identity T, combine func(a, b T) T) func(row []T) T {
	return func(row []T) T {
		result := identity
		for _, value := range row {
			result = combine(result, value)
		}
		return result
	}
}

// sum adds a row by halves, down to blocks with four running sums each, so that
// the rounding error grows with the logarithm of its length.
func sum[T gotype.NumericNotComplex](row []T) T {
	if len(row) > blockLength {
		half := len(row) / 2 &^ 3
		return sum(row[:half]) + sum(row[half:])
	}
	var s0, s1, s2, s3 T
	for len(row) >= 4 {
		s0 += row[0]
		s1 += row[1]
		s2 += row[2]
		s3 += row[3]
		row = row[4:]
	}
	for _, value := range row {
		s0 += value
	}
	return (s0 + s1) + (s2 + s3)
}

func multiplyAll[T gotype.NumericNotComplex](row []T) T {
	result := T(1)
	for _, value := range row {
		result *= value
	}
	return result
}

func highestOf[T gotype.NumericNotComplex](row []T) T {
	result := row[0]
	for _, value := range row[1:] {
		result = max(result, value)
	}
	return result
}

func lowestOf[T gotype.NumericNotComplex](row []T) T {
	result := row[0]
	for _, value := range row[1:] {
		result = min(result, value)
	}
	return result
}
