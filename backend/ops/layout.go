package ops

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
)

// Reshape copies in to out, which has the same data type and number of
// elements. out may be in.
func Reshape(out, in tensor.Tensor) error {
	if err := checkTensors("reshape", out, in); err != nil {
		return err
	}
	if out.Shape.DType != in.Shape.DType || out.Shape.Size() != in.Shape.Size() {
		return fmt.Errorf("reshape: output has shape %s, expected as many elements as %s", out.Shape, in.Shape)
	}
	copyAll(out, in)
	return nil
}

// Bitcast copies the bits of in to out, which has the same number of bytes:
// either the same dimensions, or one more or less axis at the end if the sizes
// of the data types differ. The lowest bits come first. out may be in.
func Bitcast(out, in tensor.Tensor) error {
	if err := checkTensors("bitcast", out, in); err != nil {
		return err
	}
	if len(out.Bytes()) != len(in.Bytes()) {
		return fmt.Errorf("bitcast: output %s has %d bytes, expected the %d of %s", out.Shape, len(out.Bytes()), len(in.Bytes()), in.Shape)
	}
	copyAll(out, in)
	return nil
}

// Transpose permutes the axes: axis i of out is axis permutation[i] of in.
func Transpose(out, in tensor.Tensor, permutation []int) error {
	const op = "transpose"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	rank := in.Shape.Rank()
	if err := checkLength(op, "axes in the permutation", len(permutation), rank); err != nil {
		return err
	}
	if err := checkAxes(op, "permutation", permutation, rank); err != nil {
		return err
	}
	if err := checkShape(op, "output", out, in.Shape.DType, permuted(in.Shape.Dimensions, permutation)); err != nil {
		return err
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	from := region{tensor: in, strides: permuted(rowMajor(in.Shape.Dimensions), permutation)}
	move(whole(out), from, out.Shape.Dimensions)
	return nil
}

// permuted returns values[permutation[i]] for each i.
func permuted(values, permutation []int) []int {
	result := make([]int, len(permutation))
	for i, axis := range permutation {
		result[i] = values[axis]
	}
	return result
}

// BroadcastInDim repeats in to the shape of out: axis i of in becomes axis
// axes[i] of out and is repeated if it has one element. axes are distinct.
func BroadcastInDim(out, in tensor.Tensor, axes []int) error {
	const op = "broadcast"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	if err := checkSameType(op, out, in); err != nil {
		return err
	}
	if err := checkLength(op, "axes", len(axes), in.Shape.Rank()); err != nil {
		return err
	}
	if err := checkAxes(op, "axes", axes, out.Shape.Rank()); err != nil {
		return err
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	strides := make([]int, out.Shape.Rank())
	for i, stride := range rowMajor(in.Shape.Dimensions) {
		size, want := in.Shape.Dimensions[i], out.Shape.Dimensions[axes[i]]
		if size != want && size != 1 {
			return fmt.Errorf("%s: axis %d of %s has size %d, expected 1 or the %d of axis %d of %s", op, i, in.Shape, size, want, axes[i], out.Shape)
		}
		if size != 1 {
			strides[axes[i]] = stride
		}
	}
	move(whole(out), region{tensor: in, strides: strides}, out.Shape.Dimensions)
	return nil
}

// Reverse reverses the order of the elements along each of the given axes.
func Reverse(out, in tensor.Tensor, axes []int) error {
	const op = "reverse"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	if err := checkShape(op, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	if err := checkAxes(op, "axes", axes, in.Shape.Rank()); err != nil {
		return err
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	from := whole(in)
	for _, axis := range axes {
		from.start += (in.Shape.Dimensions[axis] - 1) * from.strides[axis]
		from.strides[axis] = -from.strides[axis]
	}
	move(whole(out), from, in.Shape.Dimensions)
	return nil
}

// Concatenate joins the inputs along an axis.
func Concatenate(out tensor.Tensor, axis int, inputs ...tensor.Tensor) error {
	const op = "concatenate"
	if err := checkTensors(op, append(inputs[:len(inputs):len(inputs)], out)...); err != nil {
		return err
	}
	if err := checkAxes(op, "axis", []int{axis}, out.Shape.Rank()); err != nil {
		return err
	}
	if err := checkMovable(op, out); err != nil {
		return err
	}
	total := 0
	for _, in := range inputs {
		if in.Shape.Rank() != out.Shape.Rank() {
			return fmt.Errorf("%s: input %s has rank %d, expected the %d of the output", op, in.Shape, in.Shape.Rank(), out.Shape.Rank())
		}
		want := slices.Clone(out.Shape.Dimensions)
		want[axis] = in.Shape.Dimensions[axis]
		if err := checkShape(op, "input", in, out.Shape.DType, want); err != nil {
			return err
		}
		total += want[axis]
	}
	if total != out.Shape.Dimensions[axis] {
		return fmt.Errorf("%s: output has size %d in axis %d, expected the %d of the inputs together", op, out.Shape.Dimensions[axis], axis, total)
	}
	to := whole(out)
	for _, in := range inputs {
		move(to, whole(in), in.Shape.Dimensions)
		to.start += in.Shape.Dimensions[axis] * to.strides[axis]
	}
	return nil
}

// Pad copies in to out with the scalar fillValue around and between its
// elements. Axes without configuration are not padded. A negative Start or End removes
// that many elements.
func Pad(out, in, fillValue tensor.Tensor, axes []compute.PadAxis) error {
	const op = "pad"
	if err := checkTensors(op, out, in, fillValue); err != nil {
		return err
	}
	if err := checkShape(op, "fill value", fillValue, in.Shape.DType, nil); err != nil {
		return err
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	rank := in.Shape.Rank()
	if len(axes) > rank {
		return checkLength(op, "axis configurations", len(axes), rank)
	}
	if err := checkLength(op, "axes in the output", out.Shape.Rank(), rank); err != nil {
		return err
	}
	from, to := whole(in), whole(out)
	dimensions, want := slices.Clone(in.Shape.Dimensions), slices.Clone(in.Shape.Dimensions)
	for axis, pad := range axes {
		size := in.Shape.Dimensions[axis]
		if pad.Interior < 0 {
			return fmt.Errorf("%s: interior padding of axis %d is %d, expected at least 0", op, axis, pad.Interior)
		}
		want[axis] = max(0, size+pad.Start+pad.End+max(0, size-1)*pad.Interior)
		// Element i lands on Start + i*step: keep those inside the output.
		step := pad.Interior + 1
		first := max(0, ceilDiv(-pad.Start, step))
		end := min(size, ceilDiv(want[axis]-pad.Start, step))
		dimensions[axis] = max(0, end-first)
		from.start += first * from.strides[axis]
		to.start += (pad.Start + first*step) * to.strides[axis]
		to.strides[axis] *= step
	}
	if err := checkShape(op, "output", out, in.Shape.DType, want); err != nil {
		return err
	}
	if out.Shape.Size() != product(dimensions) {
		move(whole(out), region{tensor: fillValue, strides: make([]int, rank)}, want)
	}
	move(to, from, dimensions)
	return nil
}

// ceilDiv returns a/b rounded up, for positive b.
func ceilDiv(a, b int) int {
	quotient := a / b
	if a%b > 0 {
		quotient++
	}
	return quotient
}

// scratch returns a new tensor of the given shape.
func scratch(op string, shape shapes.Shape) (tensor.Tensor, error) {
	t, err := tensor.New(shape)
	if err != nil {
		return t, fmt.Errorf("%s: %w", op, err)
	}
	return t, nil
}
