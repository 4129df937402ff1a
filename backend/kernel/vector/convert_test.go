package vector_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"

	"github.com/descentml/descent/backend/kernel/vector"
)

// convertible numbers, each of which is tried at several places.
func convertible(random *rand.Rand) []float64 {
	x := []float64{0, negZero, 1, -1, inf, -inf, nan, 65504, 65519.99, 65520, 1e-8, 6e-8, 1e-40, 1e-320, 1e300,
		1 + 0x1p-11, 1 + 0x1.8p-10, 1 + 0x1p-8, 1 + 0x1.8p-7, math.MaxFloat32, math.MaxFloat64, 16777217, 1<<53 + 1}
	for len(x) < 1000 {
		x = append(x, math.Ldexp(random.NormFloat64(), random.IntN(60)-30))
	}
	return x
}

func TestFloatConversions(t *testing.T) {
	wide := convertible(rand.New(rand.NewPCG(1013, 0)))
	eachLevel(t, func(t *testing.T) {
		narrow, back := make([]float32, len(wide)), make([]float64, len(wide))
		vector.Float64ToFloat32(narrow, wide)
		vector.Float32ToFloat64(back, narrow)
		for i := range wide {
			if want := float32(wide[i]); !same(narrow[i], want) || !same(back[i], float64(want)) {
				t.Errorf("%g becomes %g and %g, want %g", wide[i], narrow[i], back[i], want)
			}
		}
	})
}

func TestHalfConversions(t *testing.T) {
	every, everyB := make([]float16.Float16, 1<<16), make([]bfloat16.BFloat16, 1<<16)
	for i := range every {
		every[i], everyB[i] = float16.Float16(i), bfloat16.BFloat16(i)
	}
	eachLevel(t, func(t *testing.T) {
		x, xB := make([]float32, 1<<16), make([]float32, 1<<16)
		vector.Float16ToFloat32(x, every)
		vector.BFloat16ToFloat32(xB, everyB)
		for i := range every {
			if !same(x[i], every[i].Float32()) || !same(xB[i], everyB[i].Float32()) {
				t.Fatalf("bits %#x are %g and %g, want %g and %g", i, x[i], xB[i], every[i].Float32(), everyB[i].Float32())
			}
		}
		wide := convertible(rand.New(rand.NewPCG(1014, 0)))
		exact := make([]float32, len(wide))
		vector.Float64ToFloat32(exact, wide)
		half, halfB := make([]float16.Float16, len(wide)), make([]bfloat16.BFloat16, len(wide))
		vector.Float32ToFloat16(half, exact)
		vector.Float32ToBFloat16(halfB, exact)
		for i, v := range exact {
			if got := half[i].Float32(); !nearestHalf(v, half[i]) {
				t.Errorf("%g becomes float16 %g", v, got)
			}
			if want := bfloat16.FromFloat32(v); !same(halfB[i].Float32(), want.Float32()) {
				t.Errorf("%g becomes bfloat16 %g, want %g", v, halfB[i].Float32(), want.Float32())
			}
		}
	})
}

// nearestHalf tells whether h is the float16 nearest to x, the even one of two;
// 65536 stands for infinity.
func nearestHalf(x float32, h float16.Float16) bool {
	if x != x {
		return h.Float32() != h.Float32()
	}
	value := func(bits uint16) float64 {
		if bits == 0x7c00 {
			return 65536
		}
		return float64(float16.Float16(bits).Float32())
	}
	size := min(math.Abs(float64(x)), 65536)
	bits := uint16(h) & 0x7fff
	e := math.Abs(value(bits) - size)
	if bits > 0x7c00 || math.Signbit(float64(x)) != (h&0x8000 != 0) {
		return false
	}
	for _, neighbour := range []uint16{max(bits, 1) - 1, min(bits+1, 0x7c00)} {
		other := math.Abs(value(neighbour) - size)
		if other < e || other == e && neighbour != bits && bits&1 == 1 {
			return false
		}
	}
	return true
}

func TestBFloat16KeepsNaN(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		x, got := make([]float32, 17), make([]bfloat16.BFloat16, 17)
		vector.Fill(x, math.Float32frombits(0x7f800001)) // all of its payload is cut off
		vector.Float32ToBFloat16(got, x)
		for i, v := range got {
			if v.Float32() == v.Float32() {
				t.Errorf("NaN at %d becomes %g", i, v.Float32())
			}
		}
	})
}

func TestIntegerAndBoolConversions(t *testing.T) {
	random := rand.New(rand.NewPCG(1015, 0))
	const n = 77
	short, long, bools := make([]int32, n), make([]int64, n), make([]bool, n)
	for i := range short {
		short[i] = int32(random.Uint32())
		long[i] = int64(random.Uint64()) >> random.IntN(60)
		bools[i] = random.IntN(2) == 0
	}
	short[0], long[0], long[1], long[2] = math.MinInt32, math.MinInt64, math.MaxInt64, 1<<53+1
	eachLevel(t, func(t *testing.T) {
		single, double := make([]float32, n), make([]float64, n)
		vector.Int32ToFloat32(single, short)
		vector.Int32ToFloat64(double, short)
		for i, v := range short {
			if single[i] != float32(v) || double[i] != float64(v) {
				t.Errorf("int32 %d becomes %g and %g", v, single[i], double[i])
			}
		}
		vector.Int64ToFloat32(single, long)
		vector.Int64ToFloat64(double, long)
		for i, v := range long {
			if single[i] != float32(v) || double[i] != float64(v) {
				t.Errorf("int64 %d becomes %g and %g", v, single[i], double[i])
			}
		}
		vector.BoolToFloat32(single, bools)
		vector.BoolToFloat64(double, bools)
		for i, v := range bools {
			if (single[i] == 1) != v || (double[i] == 1) != v || single[i]*(single[i]-1) != 0 || double[i]*(double[i]-1) != 0 {
				t.Errorf("%v becomes %g and %g", v, single[i], double[i])
			}
		}
	})
}
