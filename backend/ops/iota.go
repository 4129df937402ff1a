package ops

import (
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// Iota sets each number of out to its index along the axis.
func Iota(out tensor.Tensor, axis int) error {
	const op = "iota"
	if err := checkTensors(op, out); err != nil {
		return err
	}
	if err := checkAxes(op, "axis", []int{axis}, out.Shape.Rank()); err != nil {
		return err
	}
	switch out.Shape.DType {
	case dtypes.Int8:
		count[int8](out, axis)
	case dtypes.Int16:
		count[int16](out, axis)
	case dtypes.Int32:
		count[int32](out, axis)
	case dtypes.Int64:
		count[int64](out, axis)
	case dtypes.Uint8:
		count[uint8](out, axis)
	case dtypes.Uint16:
		count[uint16](out, axis)
	case dtypes.Uint32:
		count[uint32](out, axis)
	case dtypes.Uint64:
		count[uint64](out, axis)
	case dtypes.Float32:
		count[float32](out, axis)
	case dtypes.Float64:
		count[float64](out, axis)
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(op, out, nil, func(out tensor.Tensor, _ []tensor.Tensor) error {
			return Iota(out, axis)
		})
	default:
		return unsupported(op, out.Shape.DType)
	}
	return nil
}

func count[T gotype.NumericNotComplex](out tensor.Tensor, axis int) {
	to := tensor.Of[T](out)
	outer, size, inner := split(out.Shape.Dimensions, axis)
	for o := range outer {
		for index := range size {
			fill(to[(o*size+index)*inner:][:inner], T(index))
		}
	}
}
