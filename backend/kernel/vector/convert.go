package vector

import (
	"math"
	"unsafe"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
)

// Float32ToFloat64 sets dst[i] to x[i], exactly.
func Float32ToFloat64(dst []float64, x []float32) { chosen.conversions.float32ToFloat64(dst, x) }

// Float64ToFloat32 sets dst[i] to x[i], rounded to nearest even.
func Float64ToFloat32(dst []float32, x []float64) { chosen.conversions.float64ToFloat32(dst, x) }

// Int32ToFloat32 sets dst[i] to x[i], rounded to nearest even.
func Int32ToFloat32(dst []float32, x []int32) { chosen.conversions.int32ToFloat32(dst, x) }

// Int32ToFloat64 sets dst[i] to x[i], exactly.
func Int32ToFloat64(dst []float64, x []int32) { chosen.conversions.int32ToFloat64(dst, x) }

// Int64ToFloat32 sets dst[i] to x[i], rounded to nearest even.
func Int64ToFloat32(dst []float32, x []int64) { chosen.conversions.int64ToFloat32(dst, x) }

// Int64ToFloat64 sets dst[i] to x[i], rounded to nearest even.
func Int64ToFloat64(dst []float64, x []int64) { chosen.conversions.int64ToFloat64(dst, x) }

// BoolToFloat32 sets dst[i] to 1 for true and to 0 for false.
func BoolToFloat32(dst []float32, x []bool) { chosen.conversions.boolToFloat32(dst, x) }

// BoolToFloat64 sets dst[i] to 1 for true and to 0 for false.
func BoolToFloat64(dst []float64, x []bool) { chosen.conversions.boolToFloat64(dst, x) }

// Float16ToFloat32 sets dst[i] to x[i], exactly.
func Float16ToFloat32(dst []float32, x []float16.Float16) {
	chosen.conversions.float16ToFloat32(dst, bits(x))
}

// Float32ToFloat16 sets dst[i] to x[i], rounded to nearest even, also where the
// result is subnormal, as the instruction for it does; float16.FromFloat32
// gives 0 there.
func Float32ToFloat16(dst []float16.Float16, x []float32) {
	chosen.conversions.float32ToFloat16(bits(dst), x)
}

// BFloat16ToFloat32 sets dst[i] to x[i], exactly.
func BFloat16ToFloat32(dst []float32, x []bfloat16.BFloat16) {
	chosen.conversions.bFloat16ToFloat32(dst, bits(x))
}

// Float32ToBFloat16 sets dst[i] to x[i], rounded to nearest even; NaN becomes
// quiet.
func Float32ToBFloat16(dst []bfloat16.BFloat16, x []float32) {
	chosen.conversions.float32ToBFloat16(bits(dst), x)
}

// bits views 16-bit numbers as what they are underneath.
func bits[T ~uint16](x []T) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// portableConversions returns the kernels in plain Go.
func portableConversions() conversions {
	return conversions{
		float32ToFloat64: convert[float64, float32], float64ToFloat32: convert[float32, float64],
		int32ToFloat32: convert[float32, int32], int32ToFloat64: convert[float64, int32],
		int64ToFloat32: convert[float32, int64], int64ToFloat64: convert[float64, int64],
		boolToFloat32: convertBool[float32], boolToFloat64: convertBool[float64],
		float16ToFloat32:  convertBits(func(x uint16) float32 { return float16.Float16(x).Float32() }),
		float32ToFloat16:  convertBits(roundToFloat16),
		bFloat16ToFloat32: convertBits(func(x uint16) float32 { return math.Float32frombits(uint32(x) << 16) }),
		float32ToBFloat16: convertBits(roundToBFloat16),
	}
}

func convert[D, S int32 | int64 | float32 | float64](dst []D, x []S) {
	for i := range min(len(dst), len(x)) {
		dst[i] = D(x[i])
	}
}

func convertBool[D Float](dst []D, x []bool) {
	for i := range min(len(dst), len(x)) {
		dst[i] = 0
		if x[i] {
			dst[i] = 1
		}
	}
}

func convertBits[D, S any](f func(S) D) func(dst []D, x []S) {
	return func(dst []D, x []S) {
		for i := range min(len(dst), len(x)) {
			dst[i] = f(x[i])
		}
	}
}

func roundToFloat16(x float32) uint16 {
	pattern := math.Float32bits(x)
	sign, size := uint16(pattern>>16)&0x8000, pattern&0x7fffffff
	switch {
	case x != x:
		return sign | 0x7e00 | uint16(size>>13)&0x3ff
	case size >= 0x477ff000: // 65520, from where numbers round to infinity
		return sign | 0x7c00
	case size < 0x38800000: // 2^-14, below which results are multiples of 2^-24
		return sign | uint16(math.Float32bits(math.Float32frombits(size)+0.5)-math.Float32bits(0.5))
	default:
		return sign | uint16((size+0xfff+size>>13&1-0x38000000)>>13)
	}
}

func roundToBFloat16(x float32) uint16 {
	pattern := math.Float32bits(x)
	if x != x {
		return uint16(pattern>>16) | 0x40
	}
	return uint16((pattern + 0x7fff + pattern>>16&1) >> 16)
}
