package ops

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
)

// checkTensors returns an error if the elements of a tensor do not fit its shape.
func checkTensors(op string, tensors ...tensor.Tensor) error {
	for _, t := range tensors {
		if err := t.Check(); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return nil
}

// checkShape returns an error unless t has the data type and dimensions.
func checkShape(op, name string, t tensor.Tensor, dtype dtypes.DType, dimensions []int) error {
	if t.Shape.DType != dtype || !slices.Equal(t.Shape.Dimensions, dimensions) {
		return fmt.Errorf("%s: %s has shape %s, expected (%s)%v", op, name, t.Shape, dtype, dimensions)
	}
	return nil
}

// checkSameType returns an error unless all tensors have the first one's data type.
func checkSameType(op string, tensors ...tensor.Tensor) error {
	for _, t := range tensors {
		if t.Shape.DType != tensors[0].Shape.DType {
			return fmt.Errorf("%s: data types %s and %s differ, expected one type", op, tensors[0].Shape.DType, t.Shape.DType)
		}
	}
	return nil
}

// checkLength returns an error unless a list of attributes has one value per axis.
func checkLength(op, name string, length, want int) error {
	if length != want {
		return fmt.Errorf("%s: got %d %s, expected %d", op, length, name, want)
	}
	return nil
}

// checkAxes returns an error if an axis is out of range or repeated.
func checkAxes(op, name string, axes []int, rank int) error {
	for i, axis := range axes {
		if axis < 0 || axis >= rank {
			return fmt.Errorf("%s: %s has axis %d, expected one of 0 to %d", op, name, axis, rank-1)
		}
		if slices.Contains(axes[:i], axis) {
			return fmt.Errorf("%s: %s has axis %d twice", op, name, axis)
		}
	}
	return nil
}

// unsupported is the error of an operation that is not defined for a data type.
func unsupported(op string, dtype dtypes.DType) error {
	return fmt.Errorf("%s: not defined for data type %s", op, dtype)
}

// given tells whether an optional tensor, the zero Tensor if absent, is there.
func given(t tensor.Tensor) bool { return t.Flat != nil }

// product returns the number of elements of dimensions that are known to fit.
func product(dimensions []int) int {
	size := 1
	for _, dimension := range dimensions {
		size *= dimension
	}
	return size
}

// split returns the sizes before, of and after an axis.
func split(dimensions []int, axis int) (outer, size, inner int) {
	return product(dimensions[:axis]), dimensions[axis], product(dimensions[axis+1:])
}
