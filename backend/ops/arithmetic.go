package ops

import (
	"math"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes/gotype"
)

// numberKernel returns the kernel of an operation of any numbers, or nil.
func numberKernel[T gotype.NumericNotComplex](op compute.OpType) binaryKernel[T, T] {
	switch op {
	case compute.OpTypeAdd:
		return add[T]
	case compute.OpTypeSub:
		return subtract[T]
	case compute.OpTypeMul:
		return multiply[T]
	case compute.OpTypeDiv:
		return divide[T]
	case compute.OpTypeMax:
		return maximum[T]
	case compute.OpTypeMin:
		return minimum[T]
	}
	return nil
}

// integerKernel returns the kernel of an operation of integers, or nil.
func integerKernel[T gotype.Integer](op compute.OpType) binaryKernel[T, T] {
	switch op {
	case compute.OpTypeRem:
		return remainder[T]
	case compute.OpTypePow:
		return integerPower[T]
	case compute.OpTypeBitwiseAnd:
		return bitwiseAnd[T]
	case compute.OpTypeBitwiseOr:
		return bitwiseOr[T]
	case compute.OpTypeBitwiseXor:
		return bitwiseXor[T]
	case compute.OpTypeShiftLeft:
		return shiftLeft[T]
	case compute.OpTypeShiftRightArithmetic:
		return shiftRightArithmetic[T]
	case compute.OpTypeShiftRightLogical:
		return shiftRightLogical[T]
	}
	return numberKernel[T](op)
}

// floatKernel returns the kernel of an operation of floats, or nil.
func floatKernel[T gotype.Float](op compute.OpType) binaryKernel[T, T] {
	switch op {
	case compute.OpTypeRem:
		return inFloat64[T](math.Mod)
	case compute.OpTypePow:
		return inFloat64[T](math.Pow)
	case compute.OpTypeAtan2:
		return inFloat64[T](math.Atan2)
	}
	return numberKernel[T](op)
}

// logicalKernel returns the kernel of an operation of booleans, or nil.
func logicalKernel(op compute.OpType) binaryKernel[bool, bool] {
	switch op {
	case compute.OpTypeLogicalAnd:
		return logicalAnd
	case compute.OpTypeLogicalOr:
		return logicalOr
	case compute.OpTypeLogicalXor:
		return logicalXor
	}
	return nil
}

// inFloat64 returns the kernel that applies f to each pair.
func inFloat64[T gotype.Float](f func(a, b float64) float64) binaryKernel[T, T] {
	return func(out, a, b []T) {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = T(f(float64(a[i]), float64(b[i])))
		}
	}
}

func add[T gotype.NumericNotComplex](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] + b[i]
	}
}

func subtract[T gotype.NumericNotComplex](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] - b[i]
	}
}

func multiply[T gotype.NumericNotComplex](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] * b[i]
	}
}

func divide[T gotype.NumericNotComplex](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] / b[i]
	}
}

func maximum[T gotype.NumericNotComplex](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = max(a[i], b[i])
	}
}

func minimum[T gotype.NumericNotComplex](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = min(a[i], b[i])
	}
}

func remainder[T gotype.Integer](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] % b[i]
	}
}

func bitwiseAnd[T gotype.Integer](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] & b[i]
	}
}

func bitwiseOr[T gotype.Integer](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] | b[i]
	}
}

func bitwiseXor[T gotype.Integer](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] ^ b[i]
	}
}

// Shift counts are unsigned: a negative one is larger than any width.

func shiftLeft[T gotype.Integer](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] << uint64(b[i])
	}
}

func shiftRightArithmetic[T gotype.Integer](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] >> uint64(b[i])
	}
}

func shiftRightLogical[T gotype.Integer](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	mask := ^uint64(0) >> (64 - 8*unsafe.Sizeof(T(0)))
	for i := range out {
		out[i] = T((uint64(a[i]) & mask) >> uint64(b[i]))
	}
}

func integerPower[T gotype.Integer](out, a, b []T) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = power(a[i], b[i])
	}
}

// power returns base to the exponent by squaring, wrapping around. 1/base^n is
// zero unless base is 1 or -1; by this rule so is that of 0.
func power[T gotype.Integer](base, exponent T) T {
	if exponent < 0 {
		switch {
		case base == 1, base+1 == 0 && exponent%2 == 0:
			return 1
		case base+1 == 0:
			return base
		}
		return 0
	}
	result := T(1)
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 == 1 {
			result *= base
		}
		base *= base
	}
	return result
}

func logicalAnd(out, a, b []bool) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] && b[i]
	}
}

func logicalOr(out, a, b []bool) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] || b[i]
	}
}

func logicalXor(out, a, b []bool) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] != b[i]
	}
}
