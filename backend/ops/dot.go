package ops

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
	"github.com/gomlx/compute/shapes"
)

// DotAxes tells what DotGeneral does with the axes of its operands. Batch axes
// are matched, contracting axes are matched and summed over; lists pair up.
type DotAxes struct {
	LHSContracting, LHSBatch []int
	RHSContracting, RHSBatch []int
}

// DotGeneral computes sums of products: out has the batch axes, then the other
// axes of lhs, then those of rhs, each in order. Products are computed and added
// in the accumulator's data type; InvalidDType means float32 for half precision
// and the operands' type for all others. The result is converted to the data
// type of out.
func DotGeneral(out, lhs, rhs tensor.Tensor, axes DotAxes, accumulator dtypes.DType) error {
	const op = "dot general"
	if err := checkTensors(op, out, lhs, rhs); err != nil {
		return err
	}
	if err := checkSameType(op, lhs, rhs); err != nil {
		return err
	}
	left, right, err := dotOrder(op, lhs.Shape, rhs.Shape, axes)
	if err != nil {
		return err
	}
	want := slices.Concat(permuted(lhs.Shape.Dimensions, left.batch), permuted(lhs.Shape.Dimensions, left.cross), permuted(rhs.Shape.Dimensions, right.cross))
	if err := checkShape(op, "output", out, out.Shape.DType, want); err != nil {
		return err
	}
	if accumulator == dtypes.InvalidDType {
		accumulator = lhs.Shape.DType
		if accumulator.IsHalfPrecision() {
			accumulator = dtypes.Float32
		}
	}
	a, err := arranged(op, lhs, slices.Concat(left.batch, left.cross, left.contracting), accumulator)
	if err != nil {
		return err
	}
	b, err := arranged(op, rhs, slices.Concat(right.batch, right.contracting, right.cross), accumulator)
	if err != nil {
		return err
	}
	result := out
	if out.Shape.DType != accumulator {
		if result, err = scratch(op, withType(out.Shape, accumulator)); err != nil {
			return err
		}
	}
	size := dotSize{
		batch: product(permuted(lhs.Shape.Dimensions, left.batch)),
		m:     product(permuted(lhs.Shape.Dimensions, left.cross)),
		k:     product(permuted(lhs.Shape.Dimensions, left.contracting)),
		n:     product(permuted(rhs.Shape.Dimensions, right.cross)),
	}
	if err := multiplyMatrices(op, result, a, b, size); err != nil {
		return err
	}
	if out.Shape.DType != accumulator {
		return ConvertDType(out, result)
	}
	return nil
}

// dotOperand lists the axes of an operand by their role.
type dotOperand struct{ batch, cross, contracting []int }

// dotOrder sorts the axes of both operands by role and checks that they match.
func dotOrder(op string, lhs, rhs shapes.Shape, axes DotAxes) (left, right dotOperand, err error) {
	if err = checkLength(op, "contracting axes of the right operand", len(axes.RHSContracting), len(axes.LHSContracting)); err != nil {
		return
	}
	if err = checkLength(op, "batch axes of the right operand", len(axes.RHSBatch), len(axes.LHSBatch)); err != nil {
		return
	}
	if err = checkAxes(op, "left operand", slices.Concat(axes.LHSBatch, axes.LHSContracting), lhs.Rank()); err != nil {
		return
	}
	if err = checkAxes(op, "right operand", slices.Concat(axes.RHSBatch, axes.RHSContracting), rhs.Rank()); err != nil {
		return
	}
	left = dotOperand{axes.LHSBatch, remainingAxes(lhs.Rank(), axes.LHSBatch, axes.LHSContracting), axes.LHSContracting}
	right = dotOperand{axes.RHSBatch, remainingAxes(rhs.Rank(), axes.RHSBatch, axes.RHSContracting), axes.RHSContracting}
	matched := slices.Concat(right.batch, right.contracting)
	for i, axis := range slices.Concat(left.batch, left.contracting) {
		if lhs.Dimensions[axis] != rhs.Dimensions[matched[i]] {
			return left, right, fmt.Errorf("%s: axis %d of %s and axis %d of %s differ in size", op, axis, lhs, matched[i], rhs)
		}
	}
	return left, right, nil
}

// remainingAxes returns the axes up to rank that are in neither list.
func remainingAxes(rank int, first, second []int) []int {
	var axes []int
	for axis := range rank {
		if !slices.Contains(first, axis) && !slices.Contains(second, axis) {
			axes = append(axes, axis)
		}
	}
	return axes
}

// arranged returns t with its axes in the given order and elements of the data
// type; t itself if it is so.
func arranged(op string, t tensor.Tensor, order []int, dtype dtypes.DType) (tensor.Tensor, error) {
	t, err := converted(op, t, dtype)
	if err != nil || slices.IsSorted(order) {
		return t, err
	}
	result, err := scratch(op, shapes.Make(dtype, permuted(t.Shape.Dimensions, order)...))
	if err != nil {
		return result, err
	}
	return result, Transpose(result, t, order)
}

// dotSize is the size of a batch of products of m×k by k×n matrices.
type dotSize struct{ batch, m, k, n int }

// multiplyMatrices computes out[batch,m,n] = a[batch,m,k]·b[batch,k,n].
func multiplyMatrices(op string, out, a, b tensor.Tensor, size dotSize) error {
	switch out.Shape.DType {
	case dtypes.Int8:
		matrixProduct[int8](out, a, b, size)
	case dtypes.Int16:
		matrixProduct[int16](out, a, b, size)
	case dtypes.Int32:
		matrixProduct[int32](out, a, b, size)
	case dtypes.Int64:
		matrixProduct[int64](out, a, b, size)
	case dtypes.Uint8:
		matrixProduct[uint8](out, a, b, size)
	case dtypes.Uint16:
		matrixProduct[uint16](out, a, b, size)
	case dtypes.Uint32:
		matrixProduct[uint32](out, a, b, size)
	case dtypes.Uint64:
		matrixProduct[uint64](out, a, b, size)
	case dtypes.Float32:
		matrixProduct[float32](out, a, b, size)
	case dtypes.Float64:
		matrixProduct[float64](out, a, b, size)
	default:
		return unsupported(op, out.Shape.DType)
	}
	return nil
}

func matrixProduct[T gotype.NumericNotComplex](out, a, b tensor.Tensor, size dotSize) {
	to, left, right := tensor.Of[T](out), tensor.Of[T](a), tensor.Of[T](b)
	clear(to)
	for batch := range size.batch {
		matrix := right[batch*size.k*size.n : (batch+1)*size.k*size.n]
		for i := batch * size.m; i < (batch+1)*size.m; i++ {
			rowProduct(to[i*size.n:(i+1)*size.n], left[i*size.k:(i+1)*size.k], matrix, size.n)
		}
	}
}

// rowProduct adds the row vector x times a matrix with len(out) columns to out,
// four rows of the matrix at a time. Rows are stride elements apart.
func rowProduct[T gotype.NumericNotComplex](out, x, matrix []T, stride int) {
	n, at := len(out), 0
	for len(x) >= 4 {
		x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
		r0, r1 := matrix[at:][:n], matrix[at+stride:][:n]
		r2, r3 := matrix[at+2*stride:][:n], matrix[at+3*stride:][:n]
		for j := range out {
			out[j] += x0*r0[j] + x1*r1[j] + x2*r2[j] + x3*r3[j]
		}
		x, at = x[4:], at+4*stride
	}
	for i, value := range x {
		for j, element := range matrix[at+i*stride:][:n] {
			out[j] += value * element
		}
	}
}
