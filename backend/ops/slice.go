package ops

import (
	"fmt"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes/gotype"
)

// Slice copies the box of in from starts up to, not including, limits, taking
// every strides[axis]-th element. Without strides every element is taken.
func Slice(out, in tensor.Tensor, starts, limits, strides []int) error {
	const op = "slice"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	rank := in.Shape.Rank()
	if err := checkLength(op, "starts", len(starts), rank); err != nil {
		return err
	}
	if err := checkLength(op, "limits", len(limits), rank); err != nil {
		return err
	}
	if len(strides) != 0 {
		if err := checkLength(op, "strides", len(strides), rank); err != nil {
			return err
		}
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	from := whole(in)
	want := make([]int, rank)
	for axis, size := range in.Shape.Dimensions {
		stride := 1
		if len(strides) != 0 {
			stride = strides[axis]
		}
		if stride < 1 || starts[axis] < 0 || starts[axis] > limits[axis] || limits[axis] > size {
			return fmt.Errorf("%s: axis %d of %s is cut from %d to %d by %d, expected an ascending range inside it", op, axis, in.Shape, starts[axis], limits[axis], stride)
		}
		want[axis] = ceilDiv(limits[axis]-starts[axis], stride)
		from.start += starts[axis] * from.strides[axis]
		from.strides[axis] *= stride
	}
	if err := checkShape(op, "output", out, in.Shape.DType, want); err != nil {
		return err
	}
	move(whole(out), from, want)
	return nil
}

// DynamicSlice copies the box of in that has the dimensions of out and starts at
// the scalar integers in starts, one per axis, moved inside in if needed.
func DynamicSlice(out, in tensor.Tensor, starts []tensor.Tensor) error {
	const op = "dynamic slice"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	if err := checkSameType(op, out, in); err != nil {
		return err
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	from := whole(in)
	start, err := clampedStart(op, in, out.Shape.Dimensions, starts)
	if err != nil {
		return err
	}
	from.start = start
	move(whole(out), from, out.Shape.Dimensions)
	return nil
}

// DynamicUpdateSlice copies in to out, and update over the box of it that starts
// at the scalar integers in starts, one per axis, moved inside in if needed. out
// may be in.
func DynamicUpdateSlice(out, in, update tensor.Tensor, starts []tensor.Tensor) error {
	const op = "dynamic update slice"
	if err := checkTensors(op, out, in, update); err != nil {
		return err
	}
	if err := checkSameType(op, out, in, update); err != nil {
		return err
	}
	if err := checkShape(op, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	start, err := clampedStart(op, in, update.Shape.Dimensions, starts)
	if err != nil {
		return err
	}
	copyAll(out, in)
	to := whole(out)
	to.start = start
	move(to, whole(update), update.Shape.Dimensions)
	return nil
}

// clampedStart returns the position in t of the box of the given dimensions at
// the given starts, each moved by as little as puts the box inside t.
func clampedStart(op string, t tensor.Tensor, box []int, starts []tensor.Tensor) (int, error) {
	if err := checkLength(op, "axes", len(box), t.Shape.Rank()); err != nil {
		return 0, err
	}
	if err := checkLength(op, "start indices", len(starts), t.Shape.Rank()); err != nil {
		return 0, err
	}
	position := 0
	for axis, stride := range rowMajor(t.Shape.Dimensions) {
		room := t.Shape.Dimensions[axis] - box[axis]
		if room < 0 {
			return 0, fmt.Errorf("%s: box %v exceeds axis %d of %s", op, box, axis, t.Shape)
		}
		if starts[axis].Shape.Rank() != 0 {
			return 0, fmt.Errorf("%s: start index %d has shape %s, expected a scalar", op, axis, starts[axis].Shape)
		}
		index, err := indices(op, starts[axis])
		if err != nil {
			return 0, err
		}
		position += max(0, min(index[0], room)) * stride
	}
	return position, nil
}

// indices returns the elements of an integer tensor as ints; those that do not
// fit are replaced by the largest int.
func indices(op string, t tensor.Tensor) ([]int, error) {
	if err := checkTensors(op, t); err != nil {
		return nil, err
	}
	switch flat := t.Flat.(type) {
	case []int8:
		return toInts(flat), nil
	case []int16:
		return toInts(flat), nil
	case []int32:
		return toInts(flat), nil
	case []int64:
		return toInts(flat), nil
	case []uint8:
		if !t.Shape.DType.IsPacked() {
			return toInts(flat), nil
		}
	case []uint16:
		return toInts(flat), nil
	case []uint32:
		return toInts(flat), nil
	case []uint64:
		return toInts(flat), nil
	}
	return nil, fmt.Errorf("%s: indices have data type %s, expected an integer type", op, t.Shape.DType)
}

func toInts[T gotype.Integer](flat []T) []int {
	result := make([]int, len(flat))
	for i, value := range flat {
		result[i] = int(value)
		if T(result[i]) != value || (value > 0) != (result[i] > 0) {
			result[i] = int(^uint(0) >> 1)
			if value < 0 {
				result[i] = -result[i]
			}
		}
	}
	return result
}
