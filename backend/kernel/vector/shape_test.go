package vector_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/kernel/cpu"
	"github.com/descentml/descent/backend/kernel/vector"
)

var (
	unaryOps   = []vector.UnaryOp{}
	binaryOps  = []vector.BinaryOp{vector.Add, vector.Sub, vector.Mul, vector.Div, vector.Max, vector.Min, vector.Pow}
	compareOps = []vector.CompareOp{
		vector.Equal, vector.NotEqual, vector.Less, vector.LessEqual, vector.Greater, vector.GreaterEqual,
	}
)

func init() {
	for op := vector.Neg; op <= vector.GeluTanh; op++ {
		unaryOps = append(unaryOps, op)
	}
}

// longest is the length up to which every length is tried.
const longest = 130

// A kernel is any element-wise kernel, with how many slices it reads.
type kernel[T vector.Float] struct {
	name string
	run  func(dst, a, b, c []T)
}

// elementwise lists all kernels from numbers to numbers.
func elementwise[T vector.Float]() []kernel[T] {
	var all []kernel[T]
	for _, op := range unaryOps {
		all = append(all, kernel[T]{op.String(), func(dst, a, _, _ []T) { vector.Unary[T](op)(dst, a) }})
	}
	for _, op := range binaryOps {
		all = append(all,
			kernel[T]{op.String(), func(dst, a, b, _ []T) { vector.Binary[T](op)(dst, a, b) }},
			kernel[T]{op.String() + " scalar", func(dst, a, _, _ []T) { vector.BinaryScalar[T](op)(dst, a, 1.7) }},
			kernel[T]{"scalar " + op.String(), func(dst, a, _, _ []T) { vector.ScalarBinary[T](op)(dst, 1.7, a) }})
	}
	for _, op := range compareOps {
		all = append(all,
			kernel[T]{op.String(), func(dst, a, b, _ []T) {
				mask := make([]bool, len(dst))
				vector.Compare[T](op)(mask, a, b)
				vector.Select(dst, mask, a, b)
			}},
			kernel[T]{op.String() + " scalar", func(dst, a, b, _ []T) {
				mask := make([]bool, len(dst))
				vector.CompareScalar[T](op)(mask, a, 0.5)
				vector.Select(dst, mask, a, b)
			}})
	}
	return append(all,
		kernel[T]{"MulAdd", func(dst, a, b, c []T) { vector.MulAdd(dst, a, b, c) }},
		kernel[T]{"MulAddScalar", func(dst, a, _, c []T) { vector.MulAddScalar(dst, a, 1.7, c) }},
		kernel[T]{"Fill", func(dst, _, _, _ []T) { vector.Fill(dst, 1.7) }},
	)
}

// mixed returns numbers of which some make kernels stop or saturate.
func mixed[T vector.Float](n int, random *rand.Rand) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(3 * random.NormFloat64())
		if random.IntN(16) == 0 {
			x[i] = T([]float64{0, negZero, inf, -inf, nan, 1e-40, 1e30, -1e30, 3, 1e5}[random.IntN(10)])
		}
	}
	return x
}

// TestEveryLength checks that the result for an element depends neither on how
// many there are nor on where they start, in place or not, and that nothing is
// written beyond.
func TestEveryLength(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkLengths[float32](t)
		checkLengths[float64](t)
	})
}

func checkLengths[T vector.Float](t *testing.T) {
	t.Helper()
	const guard = 8
	random := rand.New(rand.NewPCG(1004, 0))
	a, b, c := mixed[T](longest, random), mixed[T](longest, random), mixed[T](longest, random)
	want, buffer := make([]T, longest), make([]T, longest+2*guard)
	for _, k := range elementwise[T]() {
		k.run(want, a, b, c)
		for n := 0; n <= longest; n++ {
			start := n % guard
			vector.Fill(buffer, -7)
			dst := buffer[start : start+n]
			from := longest - n
			k.run(dst, a[from:], b[from:], c[from:])
			checkSame(t, k.name, dst, want[from:])
			copy(dst, a[from:])
			k.run(dst, dst, b[from:], c[from:])
			checkSame(t, k.name+" in place", dst, want[from:])
			for i, v := range buffer {
				if (i < start || i >= start+n) && v != -7 {
					t.Fatalf("%s of %d elements wrote at %d", k.name, n, i-start)
				}
			}
		}
	}
}

func checkSame[T vector.Float](t *testing.T, name string, got, want []T) {
	t.Helper()
	for i := range got {
		if !same(got[i], want[i]) {
			t.Fatalf("%T %s: element %d of %d is %g, want %g", got[i], name, i, len(got), got[i], want[i])
		}
	}
}

func TestKernelsStopAtTheShortest(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for _, k := range elementwise[float32]() {
			if k.name == "Fill" {
				continue
			}
			dst := make([]float32, 40)
			vector.Fill(dst, -7)
			one := []float32{1, 1, 1, 1, 1}
			k.run(dst, one, one, one)
			if dst[5] != -7 {
				t.Errorf("%s wrote element 5 from slices of 5", k.name)
			}
		}
	})
}

// TestAssemblyLevelsAgree checks that AVX2 and AVX-512 give the same bits.
func TestAssemblyLevelsAgree(t *testing.T) {
	if cpu.Best() < cpu.AVX512 {
		t.Skip("needs AVX-512")
	}
	checkLevelsAgree[float32](t)
	checkLevelsAgree[float64](t)
}

func checkLevelsAgree[T vector.Float](t *testing.T) {
	t.Helper()
	const n = 5000
	random := rand.New(rand.NewPCG(1005, 0))
	a, b, c := mixed[T](n, random), mixed[T](n, random), mixed[T](n, random)
	want, got := make([]T, n), make([]T, n)
	for _, k := range elementwise[T]() {
		restore := vector.Force(cpu.AVX2)
		k.run(want, a, b, c)
		restore()
		k.run(got, a, b, c)
		for i := range got {
			if !same(got[i], want[i]) && usual(a[i]) && usual(b[i]) {
				t.Fatalf("%T %s: %g with AVX-512, %g with AVX2 of %g, %g", got[i], k.name, got[i], want[i], a[i], b[i])
			}
		}
	}
}

// usual tells whether no assembly kernel leaves x to the portable one.
func usual[T vector.Float](x T) bool { return math.Abs(float64(x)) < 1e4 }

// TestPortableAgrees draws functions and arguments of any kind.
func TestPortableAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom(unaryOps).Draw(t, "op")
		x := rapid.SliceOfN(rapid.Float64(), 1, 70).Draw(t, "x")
		want, got := make([]float64, len(x)), make([]float64, len(x))
		restore := vector.Force(cpu.Portable)
		vector.Unary[float64](op)(want, x)
		restore()
		vector.Unary[float64](op)(got, x)
		for i := range got {
			unit := math.Abs(want[i])
			if op == vector.Gelu || op == vector.GeluTanh {
				unit = max(unit, math.Abs(x[i]))
			}
			near := math.Abs(got[i]-want[i]) <= 5*ulp64(unit)
			if !near && !same(got[i], want[i]) && !math.IsInf(x[i], -1) && math.Abs(x[i]) < 1e9 {
				t.Fatalf("%v(%g) = %g, portable %g", op, x[i], got[i], want[i])
			}
		}
	})
}

func TestMulAddRoundsOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1006, 0))
	const n = 100
	a, b, c, got := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range a {
		a[i], b[i] = random.NormFloat64(), random.NormFloat64()
		c[i] = -a[i] * b[i] // what is left is the rounding of the product
	}
	eachLevel(t, func(t *testing.T) {
		vector.MulAdd(got, a, b, c)
		for i := range got {
			if want := math.FMA(a[i], b[i], c[i]); got[i] != want {
				t.Errorf("%g*%g + %g = %g, want %g", a[i], b[i], c[i], got[i], want)
			}
		}
	})
}

func TestNoAllocation(t *testing.T) {
	x, y, z := make([]float32, 1024), make([]float32, 1024), make([]float32, 1024)
	mask := make([]bool, 1024)
	eachLevel(t, func(t *testing.T) {
		allocations := testing.AllocsPerRun(5, func() {
			for _, op := range unaryOps {
				vector.Unary[float32](op)(y, x)
			}
			for _, op := range binaryOps {
				vector.Binary[float32](op)(y, x, z)
				vector.BinaryScalar[float32](op)(y, x, 2)
				vector.ScalarBinary[float32](op)(y, 2, x)
			}
			vector.Compare[float32](vector.Less)(mask, x, y)
			vector.Select(z, mask, x, y)
			vector.MulAdd(z, x, y, z)
			vector.Reduce(vector.Sum, x)
			vector.Dot(x, y)
			vector.ArgMax(x)
			vector.Softmax(y, x, 64)
			vector.LayerNorm(y, x, nil, nil, 64, 1e-5)
			vector.ReduceColumns(vector.Sum, z[:64], x, 64)
		})
		if allocations != 0 {
			t.Errorf("%g allocations a run", allocations)
		}
	})
}
