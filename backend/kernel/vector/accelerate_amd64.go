package vector

import (
	x86 "golang.org/x/sys/cpu"

	"github.com/descentml/descent/backend/kernel/cpu"
)

// accelerate puts the assembly kernels of a level into the tables.
func accelerate(t *tables, level cpu.Level) {
	switch level {
	case cpu.AVX2:
		fillFloat32AVX2(&t.float32)
		fillFloat64AVX2(&t.float64)
		portable := t.conversions
		fillConversionsAVX2(&t.conversions)
		if !x86.X86.HasF16C {
			t.conversions.float16ToFloat32 = portable.float16ToFloat32
			t.conversions.float32ToFloat16 = portable.float32ToFloat16
		}
	case cpu.AVX512:
		fillFloat32AVX512(&t.float32)
		fillFloat64AVX512(&t.float64)
		fillConversionsAVX512(&t.conversions)
	}
}

// exchanged turns a kernel with the scalar on the right into one with the
// scalar on the left, for a function that is the same either way.
func exchanged[T Float](kernel func(dst, a []T, b T)) func(dst []T, a T, b []T) {
	return func(dst []T, a T, b []T) { kernel(dst, b, a) }
}

// slowStep is how many elements are taken one by one when a kernel stops: as
// many as it computes at once, or more.
const slowStep = 32

// resume runs a kernel that stops at elements that it cannot compute, and the
// portable one for exactly those, so that no result depends on its neighbours.
func resume(n int, fast func(from, to int) int, slow func(from, to int)) {
	for done := fast(0, n); done < n; done += fast(done, n) {
		for end := min(done+slowStep, n); done < end; done++ {
			if fast(done, done+1) == 0 {
				slow(done, done+1)
			}
		}
	}
}

func resuming[T Float](fast func(dst, x []T) int, slow func(dst, x []T)) func(dst, x []T) {
	return func(dst, x []T) {
		resume(min(len(dst), len(x)),
			func(from, to int) int { return fast(dst[from:to], x[from:to]) },
			func(from, to int) { slow(dst[from:to], x[from:to]) })
	}
}

func resumingPow[T Float](fast func(dst, a, b []T) int, slow func(dst, a, b []T)) func(dst, a, b []T) {
	return func(dst, a, b []T) {
		resume(min(len(dst), len(a), len(b)),
			func(from, to int) int { return fast(dst[from:to], a[from:to], b[from:to]) },
			func(from, to int) { slow(dst[from:to], a[from:to], b[from:to]) })
	}
}

func resumingPowScalar[T Float](fast func(dst, a []T, b T) int, slow func(dst, a []T, b T)) func(dst, a []T, b T) {
	return func(dst, a []T, b T) {
		resume(min(len(dst), len(a)),
			func(from, to int) int { return fast(dst[from:to], a[from:to], b) },
			func(from, to int) { slow(dst[from:to], a[from:to], b) })
	}
}

func resumingScalarPow[T Float](fast func(dst []T, a T, b []T) int, slow func(dst []T, a T, b []T)) func(dst []T, a T, b []T) {
	return func(dst []T, a T, b []T) {
		resume(min(len(dst), len(b)),
			func(from, to int) int { return fast(dst[from:to], a, b[from:to]) },
			func(from, to int) { slow(dst[from:to], a, b[from:to]) })
	}
}

// wholeStep is how many elements a step of the kernels between types has.
const wholeStep = 16

// whole runs a kernel on whole steps and the portable one on the rest.
func whole[D, S any](fast, slow func(dst []D, x []S)) func(dst []D, x []S) {
	return func(dst []D, x []S) {
		n := min(len(dst), len(x))
		fast(dst[:n], x)
		if even := n &^ (wholeStep - 1); even < n {
			slow(dst[even:n], x[even:n])
		}
	}
}

func wholeCompare[T Float](fast, slow func(dst []bool, a, b []T)) func(dst []bool, a, b []T) {
	return func(dst []bool, a, b []T) {
		n := min(len(dst), len(a), len(b))
		fast(dst[:n], a, b)
		if even := n &^ (wholeStep - 1); even < n {
			slow(dst[even:n], a[even:n], b[even:n])
		}
	}
}

func wholeCompareScalar[T Float](fast, slow func(dst []bool, a []T, b T)) func(dst []bool, a []T, b T) {
	return func(dst []bool, a []T, b T) {
		n := min(len(dst), len(a))
		fast(dst[:n], a, b)
		if even := n &^ (wholeStep - 1); even < n {
			slow(dst[even:n], a[even:n], b)
		}
	}
}

func wholeSelect[T Float](fast, slow func(dst []T, mask []bool, a, b []T)) func(dst []T, mask []bool, a, b []T) {
	return func(dst []T, mask []bool, a, b []T) {
		n := min(len(dst), len(mask), len(a), len(b))
		fast(dst[:n], mask, a, b)
		if even := n &^ (wholeStep - 1); even < n {
			slow(dst[even:n], mask[even:n], a[even:n], b[even:n])
		}
	}
}
