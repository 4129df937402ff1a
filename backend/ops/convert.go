package ops

import (
	"math"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/dtypes/gotype"
)

// ConvertDType converts each element of in to the data type of out: numbers and
// booleans to each other, packed integers to any of them. Integers wrap around;
// floats become integers by truncation, saturating at the bounds, NaN becoming
// zero; numbers become true unless they are zero; half precision is reached
// through float32.
func ConvertDType(out, in tensor.Tensor) error {
	const op = "convert"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	if err := checkShape(op, "output", out, out.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	if out.Shape.DType == in.Shape.DType {
		copyAll(out, in)
		return nil
	}
	if out.Shape.DType.IsPacked() || !convertTo(out, in) {
		return unsupported(op+" to "+out.Shape.DType.String(), in.Shape.DType)
	}
	return nil
}

// convertTo converts in to the type of out, which is not packed. It returns
// false if either type is none that can be converted.
func convertTo(out, in tensor.Tensor) bool {
	switch flat := in.Flat.(type) {
	case []bool:
		return convertBlocks(out, flat, func(to []uint8, from []bool) {
			for i, value := range from {
				to[i] = 0
				if value {
					to[i] = 1
				}
			}
		})
	case []int8:
		return convertFrom(out.Flat, 0, flat)
	case []int16:
		return convertFrom(out.Flat, 0, flat)
	case []int32:
		return convertFrom(out.Flat, 0, flat)
	case []int64:
		return convertFrom(out.Flat, 0, flat)
	case []uint8:
		if in.Shape.DType.IsPacked() {
			return convertPacked(out, in)
		}
		return convertFrom(out.Flat, 0, flat)
	case []uint16:
		return convertFrom(out.Flat, 0, flat)
	case []uint32:
		return convertFrom(out.Flat, 0, flat)
	case []uint64:
		return convertFrom(out.Flat, 0, flat)
	case []float32:
		return convertFrom(out.Flat, 0, flat)
	case []float64:
		return convertFrom(out.Flat, 0, flat)
	case []float16.Float16:
		return convertBlocks(out, flat, widenRow[float16.Float16])
	case []bfloat16.BFloat16:
		return convertBlocks(out, flat, widenRow[bfloat16.BFloat16])
	}
	return false
}

// widenRow converts half precision to float32.
func widenRow[H gotype.HalfPrecision[H]](to []float32, from []H) {
	for i, value := range from {
		to[i] = value.Float32()
	}
}

// convertBlocks converts block by block through a number type M.
func convertBlocks[M gotype.NumericNotComplex, F any](out tensor.Tensor, from []F, prepare func(to []M, from []F)) bool {
	var middle [blockLength]M
	for start := 0; start < len(from); start += blockLength {
		size := min(blockLength, len(from)-start)
		prepare(middle[:size], from[start:start+size])
		if !convertFrom(out.Flat, start, middle[:size]) {
			return false
		}
	}
	return len(from) > 0 || convertFrom(out.Flat, 0, middle[:0])
}

// convertPacked converts integers of less than a byte, sign-extending the signed.
func convertPacked(out, in tensor.Tensor) bool {
	bits, signed := in.Shape.DType.Bits(), !in.Shape.DType.IsUnsigned()
	packed := tensor.Of[uint8](in)
	perByte := 8 / bits
	values := make([]int8, in.Shape.Size())
	for i := range values {
		value := packed[i/perByte] >> (i % perByte * bits) << (8 - bits)
		if signed {
			values[i] = int8(value) >> (8 - bits)
		} else {
			values[i] = int8(value >> (8 - bits))
		}
	}
	return convertFrom(out.Flat, 0, values)
}

// convertFrom converts numbers to the element type of the slice out and puts
// them there from start on. It returns false if that is no number type nor bool.
func convertFrom[F gotype.NumericNotComplex](out any, start int, from []F) bool {
	switch to := out.(type) {
	case []bool:
		for i, value := range from {
			to[start+i] = value != 0
		}
	case []int8:
		toInteger(to[start:], from, math.MinInt8, math.MaxInt8)
	case []int16:
		toInteger(to[start:], from, math.MinInt16, math.MaxInt16)
	case []int32:
		toInteger(to[start:], from, math.MinInt32, math.MaxInt32)
	case []int64:
		toInteger(to[start:], from, math.MinInt64, math.MaxInt64)
	case []uint8:
		toInteger(to[start:], from, 0, math.MaxUint8)
	case []uint16:
		toInteger(to[start:], from, 0, math.MaxUint16)
	case []uint32:
		toInteger(to[start:], from, 0, math.MaxUint32)
	case []uint64:
		toInteger(to[start:], from, 0, math.MaxUint64)
	case []float32:
		for i, value := range from {
			to[start+i] = float32(value)
		}
	case []float64:
		for i, value := range from {
			to[start+i] = float64(value)
		}
	case []float16.Float16:
		for i, value := range from {
			to[start+i] = float16.FromFloat32(float32(value))
		}
	case []bfloat16.BFloat16:
		for i, value := range from {
			to[start+i] = bfloat16.FromFloat32(float32(value))
		}
	default:
		return false
	}
	return true
}

// toInteger converts numbers to integers between low and high.
func toInteger[T gotype.Integer, F gotype.NumericNotComplex](to []T, from []F, low, high T) {
	if half := 0.5; F(half) == 0 { // from holds integers
		for i, value := range from {
			to[i] = T(value)
		}
		return
	}
	lowest, highest := float64(low), float64(high)
	for i, value := range from {
		switch x := float64(value); {
		case x != x:
			to[i] = 0
		case x <= lowest:
			to[i] = low
		case x >= highest:
			to[i] = high
		default:
			to[i] = T(x)
		}
	}
}

// bounds returns the lowest and highest values of a number type.
func bounds[T gotype.NumericNotComplex](dtype dtypes.DType) (lowest, highest T) {
	return dtype.LowestValue().(T), dtype.HighestValue().(T)
}
