package vector

import "github.com/descentml/descent/backend/kernel/cpu"

// kernels is every kernel for one element type on one level of instructions.
type kernels[T Float] struct {
	unary         [unaryOps]func(dst, x []T)
	binary        [binaryOps]func(dst, a, b []T)
	scalarRight   [binaryOps]func(dst, a []T, b T)
	scalarLeft    [binaryOps]func(dst []T, a T, b []T)
	compare       [compareOps]func(dst []bool, a, b []T)
	compareScalar [compareOps]func(dst []bool, a []T, b T)
	choose        func(dst []T, mask []bool, a, b []T)
	mulAdd        func(dst, a, b, c []T)
	mulAddScalar  func(dst, a []T, b T, c []T)
	fill          func(dst []T, a T)

	reduce            [reductions]func(x []T) T
	dot               func(x, y []T) T
	sumSquares        func(x []T) T
	squaredDeviations func(x []T, mean T) T
	find              func(x []T, value T) int
	// columns folds groups of 8 rows of x, stride apart, into acc.
	columns [reductions]func(acc, x []T, groups, stride int)

	// expSum returns the sum of exp(x[i]-shift); expStore also stores them.
	expSum    func(x []T, shift T) T
	expStore  func(dst, x []T, shift T) T
	normalize func(dst, x, gamma, beta []T, mean, scale T)

	// transposeStrip transposes square tiles of tileBytes a side that lie below
	// each other in src. It is nil where there is none.
	transposeStrip func(dst, src []T, tiles, dstStride, srcStride int)
}

// conversions is every kernel between two types; the 16-bit floating-point
// types are passed as their bits.
type conversions struct {
	float32ToFloat64  func(dst []float64, x []float32)
	float64ToFloat32  func(dst []float32, x []float64)
	int32ToFloat32    func(dst []float32, x []int32)
	int32ToFloat64    func(dst []float64, x []int32)
	int64ToFloat32    func(dst []float32, x []int64)
	int64ToFloat64    func(dst []float64, x []int64)
	boolToFloat32     func(dst []float32, x []bool)
	boolToFloat64     func(dst []float64, x []bool)
	float16ToFloat32  func(dst []float32, x []uint16)
	float32ToFloat16  func(dst []uint16, x []float32)
	bFloat16ToFloat32 func(dst []float32, x []uint16)
	float32ToBFloat16 func(dst []uint16, x []float32)
}

// tables is every kernel for one level of instructions.
type tables struct {
	float32     kernels[float32]
	float64     kernels[float64]
	conversions conversions
}

// chosen is what this processor runs; tests put other levels in its place.
var chosen = tablesFor(cpu.Best())

// tablesFor returns the kernels for a level: what the level has no kernel for
// is portable.
func tablesFor(level cpu.Level) *tables {
	t := &tables{
		float32:     portableKernels[float32](),
		float64:     portableKernels[float64](),
		conversions: portableConversions(),
	}
	accelerate(t, level)
	return t
}

// of returns the kernels for an element type.
func of[T Float](t *tables) *kernels[T] {
	if k, ok := any(&t.float32).(*kernels[T]); ok {
		return k
	}
	return any(&t.float64).(*kernels[T])
}
