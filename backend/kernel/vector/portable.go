package vector

import (
	"math"
	"unsafe"
)

// portableKernels returns the kernels in plain Go.
func portableKernels[T Float]() kernels[T] {
	k := kernels[T]{
		choose: portableSelect[T], mulAdd: portableMulAdd[T], mulAddScalar: portableMulAddScalar[T], fill: portableFill[T],
		find: portableFind[T], normalize: portableNormalize[T],
		dot: portableDot[T], sumSquares: portableSumSquares[T], squaredDeviations: portableSquaredDeviations[T],
		expSum: portableExpSum[T], expStore: portableExpStore[T],
	}
	for op, f := range unaryFunctions {
		k.unary[op] = mapUnary[T](f)
	}
	for op, f := range binaryFunctions[T]() {
		if f == nil {
			continue // portableArithmetic has it
		}
		k.binary[op] = mapBinary(f)
		k.scalarRight[op] = mapScalarRight(f)
		k.scalarLeft[op] = mapScalarLeft(f)
	}
	for op, f := range comparisons[T]() {
		k.compare[op] = mapCompare(f)
		k.compareScalar[op] = mapCompareScalar(f)
	}
	for r, f := range folds[T]() {
		k.reduce[r] = portableReduce(f)
		k.columns[r] = portableColumns(f.combine)
	}
	portableArithmetic(&k)
	return k
}

// unaryFunctions compute in float64 for both element types.
var unaryFunctions = [unaryOps]func(float64) float64{
	Neg: func(x float64) float64 { return -x }, Abs: math.Abs,
	Square: func(x float64) float64 { return x * x },
	Sqrt:   math.Sqrt, Rsqrt: func(x float64) float64 { return 1 / math.Sqrt(x) },
	Reciprocal: func(x float64) float64 { return 1 / x },
	Floor:      math.Floor, Ceil: math.Ceil, Round: math.RoundToEven,
	Sign: sign, Relu: func(x float64) float64 { return max(x, 0) },
	Exp: exp, Expm1: expm1, Log: log, Log1p: math.Log1p,
	Tanh: math.Tanh, Sigmoid: sigmoid, Erf: math.Erf, Sin: sin, Cos: cos,
	Gelu: gelu, GeluTanh: geluTanh,
}

func binaryFunctions[T Float]() [binaryOps]func(a, b T) T {
	return [binaryOps]func(a, b T) T{
		Max: func(a, b T) T { return max(a, b) }, Min: func(a, b T) T { return min(a, b) },
		Pow: func(a, b T) T { return T(pow(float64(a), float64(b))) },
	}
}

func comparisons[T Float]() [compareOps]func(a, b T) bool {
	return [compareOps]func(a, b T) bool{
		Equal: func(a, b T) bool { return a == b }, NotEqual: func(a, b T) bool { return a != b },
		Less: func(a, b T) bool { return a < b }, LessEqual: func(a, b T) bool { return a <= b },
		Greater: func(a, b T) bool { return a > b }, GreaterEqual: func(a, b T) bool { return a >= b },
	}
}

func mapUnary[T Float](f func(float64) float64) func(dst, x []T) {
	return func(dst, x []T) {
		x = x[:min(len(dst), len(x))]
		for i, v := range x {
			dst[i] = T(f(float64(v)))
		}
	}
}

func mapBinary[T Float](f func(a, b T) T) func(dst, a, b []T) {
	return func(dst, a, b []T) {
		for i := range min(len(dst), len(a), len(b)) {
			dst[i] = f(a[i], b[i])
		}
	}
}

func mapScalarRight[T Float](f func(a, b T) T) func(dst, a []T, b T) {
	return func(dst, a []T, b T) {
		for i := range min(len(dst), len(a)) {
			dst[i] = f(a[i], b)
		}
	}
}

func mapScalarLeft[T Float](f func(a, b T) T) func(dst []T, a T, b []T) {
	return func(dst []T, a T, b []T) {
		for i := range min(len(dst), len(b)) {
			dst[i] = f(a, b[i])
		}
	}
}

func mapCompare[T Float](f func(a, b T) bool) func(dst []bool, a, b []T) {
	return func(dst []bool, a, b []T) {
		for i := range min(len(dst), len(a), len(b)) {
			dst[i] = f(a[i], b[i])
		}
	}
}

func mapCompareScalar[T Float](f func(a, b T) bool) func(dst []bool, a []T, b T) {
	return func(dst []bool, a []T, b T) {
		for i := range min(len(dst), len(a)) {
			dst[i] = f(a[i], b)
		}
	}
}

func portableSelect[T Float](dst []T, mask []bool, a, b []T) {
	for i := range min(len(dst), len(mask), len(a), len(b)) {
		if mask[i] {
			dst[i] = a[i]
		} else {
			dst[i] = b[i]
		}
	}
}

func portableMulAdd[T Float](dst, a, b, c []T) {
	for i := range min(len(dst), len(a), len(b), len(c)) {
		dst[i] = fma(a[i], b[i], c[i])
	}
}

func portableMulAddScalar[T Float](dst, a []T, b T, c []T) {
	for i := range min(len(dst), len(a), len(c)) {
		dst[i] = fma(a[i], b, c[i])
	}
}

func portableFill[T Float](dst []T, a T) {
	for i := range dst {
		dst[i] = a
	}
}

func portableNormalize[T Float](dst, x, gamma, beta []T, mean, scale T) {
	for i := range min(len(dst), len(x), len(gamma), len(beta)) {
		dst[i] = fma((x[i]-mean)*scale, gamma[i], beta[i])
	}
}

// fma returns a*b + c. For float32 the exact product is added in float64 and
// rounded again, which differs from one rounding in about one case in 2^29.
func fma[T Float](a, b, c T) T {
	if unsafe.Sizeof(a) == 8 {
		return T(math.FMA(float64(a), float64(b), float64(c)))
	}
	return T(float64(a)*float64(b) + float64(c))
}
