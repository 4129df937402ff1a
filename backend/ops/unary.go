package ops

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// Unary computes an element-wise operation of one operand: Abs, Neg, Sign of
// numbers; BitwiseNot, BitCount, Clz of integers; LogicalNot of booleans; Ceil,
// Cos, Erf, Exp, Expm1, Floor, Log, Log1p, Logistic, Round (half to even),
// Rsqrt, Sin, Sqrt, Tanh of floats. Sign keeps zeros and NaN. out may be in.
//
// Functions of floats are computed by the math package in float64 and rounded.
func Unary(op compute.OpType, out, in tensor.Tensor) error {
	if err := checkTensors(op.String(), out, in); err != nil {
		return err
	}
	if err := checkShape(op.String(), "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	switch in.Shape.DType {
	case dtypes.Bool:
		return apply(op, out, in, notKernel(op))
	case dtypes.Int8:
		return apply(op, out, in, integerUnary[int8](op))
	case dtypes.Int16:
		return apply(op, out, in, integerUnary[int16](op))
	case dtypes.Int32:
		return apply(op, out, in, integerUnary[int32](op))
	case dtypes.Int64:
		return apply(op, out, in, integerUnary[int64](op))
	case dtypes.Uint8:
		return apply(op, out, in, integerUnary[uint8](op))
	case dtypes.Uint16:
		return apply(op, out, in, integerUnary[uint16](op))
	case dtypes.Uint32:
		return apply(op, out, in, integerUnary[uint32](op))
	case dtypes.Uint64:
		return apply(op, out, in, integerUnary[uint64](op))
	case dtypes.Float32:
		return apply(op, out, in, floatUnary[float32](op))
	case dtypes.Float64:
		return apply(op, out, in, floatUnary[float64](op))
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(op.String(), out, []tensor.Tensor{in}, func(out tensor.Tensor, in []tensor.Tensor) error {
			return Unary(op, out, in[0])
		})
	}
	return unsupported(op.String(), in.Shape.DType)
}

// IsFinite sets each boolean of out to whether the float in in is neither
// infinite nor NaN.
func IsFinite(out, in tensor.Tensor) error {
	return classify(compute.OpTypeIsFinite, out, in, finite[float32], finite[float64])
}

// classify runs a kernel from floats to booleans.
func classify(op compute.OpType, out, in tensor.Tensor, kernel32 unaryKernel[float32, bool], kernel64 unaryKernel[float64, bool]) error {
	if err := checkTensors(op.String(), out, in); err != nil {
		return err
	}
	if err := checkShape(op.String(), "output", out, dtypes.Bool, in.Shape.Dimensions); err != nil {
		return err
	}
	switch in.Shape.DType {
	case dtypes.Float32:
		return apply(op, out, in, kernel32)
	case dtypes.Float64:
		return apply(op, out, in, kernel64)
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(op.String(), out, []tensor.Tensor{in}, func(out tensor.Tensor, in []tensor.Tensor) error {
			return apply(op, out, in[0], kernel32)
		})
	}
	return unsupported(op.String(), in.Shape.DType)
}

// A unaryKernel sets out[i] to an operation of in[i]. The slices have one length.
type unaryKernel[T, R any] func(out []R, in []T)

// apply runs a kernel over all elements; a nil one is not defined for the type.
func apply[T, R gotype.Supported](op compute.OpType, out, in tensor.Tensor, kernel unaryKernel[T, R]) error {
	if kernel == nil {
		return unsupported(op.String(), in.Shape.DType)
	}
	kernel(tensor.Of[R](out), tensor.Of[T](in))
	return nil
}

func notKernel(op compute.OpType) unaryKernel[bool, bool] {
	if op != compute.OpTypeLogicalNot {
		return nil
	}
	return func(out, in []bool) {
		for i, value := range in {
			out[i] = !value
		}
	}
}

func integerUnary[T gotype.Integer](op compute.OpType) unaryKernel[T, T] {
	width := 8 * int(unsafe.Sizeof(T(0)))
	mask := ^uint64(0) >> (64 - width)
	switch op {
	case compute.OpTypeAbs:
		return absolute[T]
	case compute.OpTypeNeg:
		return negate[T]
	case compute.OpTypeSign:
		return sign[T]
	case compute.OpTypeBitwiseNot:
		return func(out, in []T) {
			for i, value := range in {
				out[i] = ^value
			}
		}
	case compute.OpTypeBitCount:
		return func(out, in []T) {
			for i, value := range in {
				out[i] = T(bits.OnesCount64(uint64(value) & mask))
			}
		}
	case compute.OpTypeClz:
		return func(out, in []T) {
			for i, value := range in {
				out[i] = T(bits.LeadingZeros64(uint64(value)&mask) - (64 - width))
			}
		}
	}
	return nil
}

// floatFunctions are the operations that are one function of a float64.
var floatFunctions = map[compute.OpType]func(float64) float64{
	compute.OpTypeAbs:      math.Abs,
	compute.OpTypeCeil:     math.Ceil,
	compute.OpTypeCos:      math.Cos,
	compute.OpTypeErf:      math.Erf,
	compute.OpTypeExp:      math.Exp,
	compute.OpTypeExpm1:    math.Expm1,
	compute.OpTypeFloor:    math.Floor,
	compute.OpTypeLog:      math.Log,
	compute.OpTypeLog1p:    math.Log1p,
	compute.OpTypeLogistic: logistic,
	compute.OpTypeRound:    math.RoundToEven,
	compute.OpTypeRsqrt:    func(x float64) float64 { return 1 / math.Sqrt(x) },
	compute.OpTypeSin:      math.Sin,
	compute.OpTypeSqrt:     math.Sqrt,
	compute.OpTypeTanh:     math.Tanh,
}

func floatUnary[T gotype.Float](op compute.OpType) unaryKernel[T, T] {
	switch op {
	case compute.OpTypeNeg:
		return negate[T]
	case compute.OpTypeSign:
		return sign[T]
	}
	function := floatFunctions[op]
	if function == nil {
		return nil
	}
	return func(out, in []T) {
		for i, value := range in {
			out[i] = T(function(float64(value)))
		}
	}
}

// logistic is 1/(1+exp(-x)) without overflow.
func logistic(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

func absolute[T gotype.Integer](out, in []T) {
	for i, value := range in {
		if value < 0 {
			value = -value
		}
		out[i] = value
	}
}

func negate[T gotype.NumericNotComplex](out, in []T) {
	for i, value := range in {
		out[i] = -value
	}
}

// sign leaves what is neither above nor below zero as it is: zeros and NaN.
func sign[T gotype.NumericNotComplex](out, in []T) {
	for i, value := range in {
		switch {
		case value > 0:
			value = 1
		case value < 0:
			value = 0
			value--
		}
		out[i] = value
	}
}

func finite[T gotype.Float](out []bool, in []T) {
	for i, value := range in {
		out[i] = value-value == 0
	}
}
