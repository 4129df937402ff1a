package ops

import (
	"fmt"

	"github.com/descentml/descent/backend/tensor"
)

// Sort sorts along an axis all inputs together by a comparison of their
// elements: less tells whether the elements at position a of the inputs' slices
// come before those at position b. Equal elements keep their order. The inputs
// have one list of dimensions; outs[i] has the shape of inputs[i], and may be
// it only where less does not read it. The first error of less is returned.
func Sort(outs, inputs []tensor.Tensor, axis int, less func(a, b int) (bool, error)) error {
	const op = "sort"
	if len(inputs) == 0 {
		return fmt.Errorf("%s: got no inputs, expected at least 1", op)
	}
	if err := checkLength(op, "outputs", len(outs), len(inputs)); err != nil {
		return err
	}
	dimensions := inputs[0].Shape.Dimensions
	for i, in := range inputs {
		if err := checkTensors(op, in, outs[i]); err != nil {
			return err
		}
		if err := checkShape(op, "input", in, in.Shape.DType, dimensions); err != nil {
			return err
		}
		if err := checkShape(op, "output", outs[i], in.Shape.DType, dimensions); err != nil {
			return err
		}
		if err := checkMovable(op, in); err != nil {
			return err
		}
	}
	if err := checkAxes(op, "axis", []int{axis}, len(dimensions)); err != nil {
		return err
	}
	outer, size, inner := split(dimensions, axis)
	order, spare := make([]int, size), make([]int, size)
	for o := range outer {
		for i := range inner {
			start := o*size*inner + i
			for position := range order {
				order[position] = start + position*inner
			}
			if err := mergeSort(order, spare, less); err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
			for k, in := range inputs {
				pick(outs[k], in, order, start, inner)
			}
		}
	}
	return nil
}

// mergeSort sorts order by less with as few comparisons as it can, stably.
func mergeSort(order, spare []int, less func(a, b int) (bool, error)) error {
	if len(order) < 2 {
		return nil
	}
	half := len(order) / 2
	if err := mergeSort(order[:half], spare[:half], less); err != nil {
		return err
	}
	if err := mergeSort(order[half:], spare[half:], less); err != nil {
		return err
	}
	left, right := spare[:copy(spare, order[:half])], order[half:]
	for i := range order {
		if len(left) == 0 {
			return nil
		}
		if len(right) > 0 {
			swap, err := less(right[0], left[0])
			if err != nil {
				return err
			}
			if swap {
				order[i], right = right[0], right[1:]
				continue
			}
		}
		order[i], left = left[0], left[1:]
	}
	return nil
}

// pick sets the elements of out from start on, in steps, to those of in at the
// given positions.
func pick(out, in tensor.Tensor, positions []int, start, step int) {
	switch out.Shape.DType.Size() {
	case 1:
		pickWords[uint8](out, in, positions, start, step)
	case 2:
		pickWords[uint16](out, in, positions, start, step)
	case 4:
		pickWords[uint32](out, in, positions, start, step)
	case 8:
		pickWords[uint64](out, in, positions, start, step)
	case 16:
		pickWords[[2]uint64](out, in, positions, start, step)
	}
}

func pickWords[W word](out, in tensor.Tensor, positions []int, start, step int) {
	to, from := words[W](out), words[W](in)
	for i, position := range positions {
		to[start+i*step] = from[position]
	}
}

// Element copies the element at a flat position of in to the scalar out.
func Element(out, in tensor.Tensor, position int) error {
	const op = "element"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	if err := checkShape(op, "output", out, in.Shape.DType, nil); err != nil {
		return err
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	if position < 0 || position >= in.Shape.Size() {
		return fmt.Errorf("%s: position %d is outside %s", op, position, in.Shape)
	}
	width := in.Shape.DType.Size()
	copy(out.Bytes(), in.Bytes()[position*width:])
	return nil
}
