package ops

import (
	"fmt"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// ArgMinMax sets the integers of out, which lacks the axis, to the positions of
// the lowest or highest elements of in along an axis: the first of equal ones,
// and the last NaN if there is any.
func ArgMinMax(out, in tensor.Tensor, axis int, isMin bool) error {
	const op = "argminmax"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	if err := checkAxes(op, "axis", []int{axis}, in.Shape.Rank()); err != nil {
		return err
	}
	if !out.Shape.DType.IsInt() || out.Shape.DType.IsPacked() {
		return unsupported(op+" output", out.Shape.DType)
	}
	_, want := reducedStrides(in.Shape.Dimensions, []int{axis})
	if err := checkShape(op, "output", out, out.Shape.DType, want); err != nil {
		return err
	}
	if in.Shape.Dimensions[axis] == 0 && out.Shape.Size() > 0 {
		return fmt.Errorf("%s: axis %d of %s has no elements, expected at least one", op, axis, in.Shape)
	}
	positions := out
	if out.Shape.DType != dtypes.Int64 {
		var err error
		if positions, err = scratch(op, withType(out.Shape, dtypes.Int64)); err != nil {
			return err
		}
	}
	if err := argMinMax(op, tensor.Of[int64](positions), in, axis, isMin); err != nil {
		return err
	}
	if out.Shape.DType != dtypes.Int64 {
		return ConvertDType(out, positions)
	}
	return nil
}

func argMinMax(op string, positions []int64, in tensor.Tensor, axis int, isMin bool) error {
	switch in.Shape.DType {
	case dtypes.Int8:
		findBest[int8](positions, in, axis, isMin)
	case dtypes.Int16:
		findBest[int16](positions, in, axis, isMin)
	case dtypes.Int32:
		findBest[int32](positions, in, axis, isMin)
	case dtypes.Int64:
		findBest[int64](positions, in, axis, isMin)
	case dtypes.Uint8:
		findBest[uint8](positions, in, axis, isMin)
	case dtypes.Uint16:
		findBest[uint16](positions, in, axis, isMin)
	case dtypes.Uint32:
		findBest[uint32](positions, in, axis, isMin)
	case dtypes.Uint64:
		findBest[uint64](positions, in, axis, isMin)
	case dtypes.Float32:
		findBest[float32](positions, in, axis, isMin)
	case dtypes.Float64:
		findBest[float64](positions, in, axis, isMin)
	case dtypes.Float16, dtypes.BFloat16:
		wide, err := widened(op, in)
		if err != nil {
			return err
		}
		findBest[float32](positions, wide, axis, isMin)
	default:
		return unsupported(op, in.Shape.DType)
	}
	return nil
}

func findBest[T gotype.NumericNotComplex](positions []int64, in tensor.Tensor, axis int, isMin bool) {
	from := tensor.Of[T](in)
	outer, size, inner := split(in.Shape.Dimensions, axis)
	clear(positions)
	best := make([]T, inner)
	for o := range outer {
		rows := from[o*size*inner : (o+1)*size*inner]
		result := positions[o*inner : (o+1)*inner]
		copy(best, rows)
		for position := 1; position < size; position++ {
			for i, value := range rows[position*inner : (position+1)*inner] {
				if better(value, best[i], isMin) {
					best[i] = value
					result[i] = int64(position)
				}
			}
		}
	}
}

// better tells whether value replaces the best so far: NaN always does.
func better[T gotype.NumericNotComplex](value, best T, isMin bool) bool {
	if value != value {
		return true
	}
	if isMin {
		return value < best
	}
	return value > best
}
