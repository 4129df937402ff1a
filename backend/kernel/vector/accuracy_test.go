package vector_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/descentml/descent/backend/kernel/cpu"
	"github.com/descentml/descent/backend/kernel/vector"
)

// eachLevel runs a test on every level of instructions of this processor.
func eachLevel(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	for _, level := range cpu.Levels() {
		t.Run(level.String(), func(t *testing.T) {
			defer vector.Force(level)()
			test(t)
		})
	}
}

// A function has the errors allowed in ulp, and the float64 arguments between
// which its result is neither 0 nor infinite, most of them near 0.
type function struct {
	op           vector.UnaryOp
	ulp32, ulp64 float64
	low, high    float64
	scale        float64
	exact        func(r reference, x *big.Float) *big.Float
	ofArgument   bool // errors are in ulp of the argument where it is larger
}

var functions = []function{
	{op: vector.Rsqrt, ulp32: 1.5, ulp64: 1.5, high: math.MaxFloat64, scale: 1, exact: func(r reference, x *big.Float) *big.Float {
		return r.div(r.number(1), r.zero().Sqrt(x))
	}},
	{op: vector.Exp, ulp32: 1, ulp64: 1.5, low: -745.1, high: 709.782712893384, scale: 200, exact: reference.exp},
	{op: vector.Expm1, ulp32: 2, ulp64: 1.5, low: -745, high: 709.782712893384, scale: 2, exact: reference.expm1},
	{op: vector.Log, ulp32: 1.5, ulp64: 1, high: math.MaxFloat64, scale: 1, exact: reference.log},
	{op: vector.Log1p, ulp32: 2, ulp64: 2, low: -1 + 0x1p-53, high: math.MaxFloat64, scale: 0.3, exact: reference.log1p},
	{op: vector.Tanh, ulp32: 2.5, ulp64: 2, low: -50, high: 50, scale: 1, exact: reference.tanh},
	{op: vector.Sigmoid, ulp32: 2.5, ulp64: 2, low: -744, high: 744, scale: 4, exact: reference.sigmoid},
	{op: vector.Erf, ulp32: 2, ulp64: 2, low: -7, high: 7, scale: 1, exact: reference.erf},
	{op: vector.Sin, ulp32: 1.5, ulp64: 1.5, low: -1e9, high: 1e9, scale: 100, exact: func(r reference, x *big.Float) *big.Float { return r.sin(x, 0) }},
	{op: vector.Cos, ulp32: 1.5, ulp64: 1.5, low: -1e9, high: 1e9, scale: 100, exact: func(r reference, x *big.Float) *big.Float { return r.sin(x, 1) }},
	{op: vector.Gelu, ulp32: 1.5, ulp64: 1.5, low: -20, high: 20, scale: 2, ofArgument: true, exact: func(r reference, x *big.Float) *big.Float {
		root := r.zero().Sqrt(r.number(0.5))
		return r.mul(r.mul(x, r.number(0.5)), r.add(r.number(1), r.erf(r.mul(x, root))))
	}},
	{op: vector.GeluTanh, ulp32: 2.5, ulp64: 2.5, low: -20, high: 20, scale: 2, ofArgument: true, exact: func(r reference, x *big.Float) *big.Float {
		cubic := r.add(x, r.mul(r.number(0.044715), r.mul(x, r.mul(x, x))))
		inner := r.mul(r.zero().Sqrt(r.div(r.number(8), bigPi)), cubic)
		return r.mul(x, r.sigmoid(inner))
	}},
}

// arguments returns count arguments of f: some normally distributed, some of
// all magnitudes, some at the ends, some near multiples of pi/2.
func (f function) arguments(count int, random *rand.Rand) []float64 {
	x := []float64{
		f.high, math.Nextafter(f.high, 0), f.low, 1, -0.5, 0x1p-1022, 0x1p-1074, 0x1.8p-1060,
		math.Pi, math.Pi / 2, 355, 1e6 * math.Pi, 0.999999999, 1.0000000001, math.Sqrt2, math.Sqrt2 / 2,
	}
	for len(x) < count {
		x = append(x, f.scale*random.NormFloat64(), math.Float64frombits(random.Uint64()), f.high*random.Float64())
	}
	usable := x[:0]
	for _, v := range x {
		if v >= f.low && v <= f.high && v != 0 {
			usable = append(usable, v)
		}
	}
	return usable
}

// TestFloat64Errors compares with a reference of 400 bits.
func TestFloat64Errors(t *testing.T) {
	r := reference{400}
	for _, f := range functions {
		count := 4000
		if testing.Short() {
			count = 800
		}
		x := f.arguments(count, rand.New(rand.NewPCG(1000, uint64(f.op))))
		want := make([]*big.Float, len(x))
		for i, v := range x {
			want[i] = f.exact(r, r.number(v))
		}
		t.Run(f.op.String(), func(t *testing.T) {
			eachLevel(t, func(t *testing.T) {
				got := make([]float64, len(x))
				vector.Unary[float64](f.op)(got, x)
				worst, at := 0.0, 0.0
				for i := range got {
					unit := math.Abs(rounded(want[i]))
					if f.ofArgument {
						unit = max(unit, math.Abs(x[i]))
					}
					if e := distance(got[i], want[i]) / ulp64(unit); !(e <= worst) {
						worst, at = e, x[i]
					}
				}
				t.Logf("largest error %.3f ulp, at %g", worst, at)
				if !(worst <= f.ulp64) {
					t.Errorf("error of %.3f ulp at %g: want at most %g", worst, at, f.ulp64)
				}
			})
		})
	}
}

func rounded(x *big.Float) float64 {
	y, _ := x.Float64()
	return y
}

// distance returns |got - want|, 0 if got is want rounded.
func distance(got float64, want *big.Float) float64 {
	if got == rounded(want) {
		return 0
	}
	if math.IsInf(got, 0) || math.IsNaN(got) {
		return math.Inf(1)
	}
	return math.Abs(rounded(new(big.Float).Sub(big.NewFloat(got).SetPrec(want.Prec()), want)))
}

// ulp64 is the distance of float64 numbers at x.
func ulp64(x float64) float64 {
	_, exponent := math.Frexp(min(x, math.MaxFloat64))
	return math.Ldexp(1, max(exponent-53, -1074))
}

// ulp32 is the distance of float32 numbers at x.
func ulp32(x float64) float64 {
	_, exponent := math.Frexp(min(x, math.MaxFloat32))
	return math.Ldexp(1, max(exponent-24, -149))
}

// TestFloat32Errors goes through numbers of all magnitudes and compares with
// the portable kernels for float64, which TestFloat64Errors checks.
func TestFloat32Errors(t *testing.T) {
	stride := uint32(4093)
	if testing.Short() {
		stride = 65521
	}
	const block = 4096
	for _, f := range functions {
		t.Run(f.op.String(), func(t *testing.T) {
			restore := vector.Force(cpu.Portable)
			exact := vector.Unary[float64](f.op)
			restore()
			eachLevel(t, func(t *testing.T) {
				x, got := make([]float32, block), make([]float32, block)
				wide, want := make([]float64, block), make([]float64, block)
				worst, at := 0.0, float32(0)
				for start := uint64(0); start < 1<<32; start += block * uint64(stride) {
					for i := range x {
						x[i] = math.Float32frombits(uint32(start) + uint32(i)*stride)
						wide[i] = float64(x[i])
					}
					vector.Unary[float32](f.op)(got, x)
					exact(want, wide)
					for i := range x {
						if e := error32(got[i], want[i], x[i], f.ofArgument); !(e <= worst) {
							worst, at = e, x[i]
						}
					}
				}
				t.Logf("largest error %.3f ulp, at %g", worst, at)
				if !(worst <= f.ulp32) {
					t.Errorf("error of %.3f ulp at %g: want at most %g", worst, at, f.ulp32)
				}
			})
		})
	}
}

// error32 returns |got - want| in ulp.
func error32(got float32, want float64, x float32, ofArgument bool) float64 {
	nearest := float32(want)
	if got == nearest || got != got && want != want {
		return 0
	}
	unit := math.Abs(want)
	if ofArgument {
		unit = max(unit, math.Abs(float64(x)))
	}
	if math.IsInf(float64(nearest), 0) || got != got {
		return math.Inf(1)
	}
	return math.Abs(float64(got)-want) / ulp32(unit)
}

// TestLargeAngles covers what three parts of pi/2 do not reduce.
func TestLargeAngles(t *testing.T) {
	r, random := reference{1300}, rand.New(rand.NewPCG(1003, 0))
	x := make([]float64, 200)
	for i := range x {
		x[i] = math.Ldexp(1+random.Float64(), 30+random.IntN(990))
	}
	eachLevel(t, func(t *testing.T) {
		sines, cosines := make([]float64, len(x)), make([]float64, len(x))
		vector.Unary[float64](vector.Sin)(sines, x)
		vector.Unary[float64](vector.Cos)(cosines, x)
		for i, v := range x {
			sine, cosine := rounded(r.sin(r.number(v), 0)), rounded(r.sin(r.number(v), 1))
			if !(math.Abs(sines[i]-sine) <= 1e-15) || !(math.Abs(cosines[i]-cosine) <= 1e-15) {
				t.Errorf("at %g: sin %g, cos %g, want %g, %g", v, sines[i], cosines[i], sine, cosine)
			}
		}
	})
}

func TestPowErrors(t *testing.T) {
	r, random := reference{400}, rand.New(rand.NewPCG(1001, 0))
	var a, b []float64
	for len(a) < 2000 {
		a = append(a, math.Exp(random.NormFloat64()), math.Abs(math.Float64frombits(random.Uint64())), 1+1e-9*random.NormFloat64())
		b = append(b, 100*random.NormFloat64(), random.NormFloat64(), 1e10*random.NormFloat64())
	}
	want := make([]*big.Float, len(a))
	for i := range a {
		if math.IsInf(a[i], 0) || a[i] != a[i] {
			a[i] = 2
		}
		if limit := math.Abs(700 / math.Log(a[i])); math.Abs(b[i]) > limit {
			b[i] = math.Copysign(limit, b[i])
		}
		want[i] = r.pow(r.number(a[i]), r.number(b[i]))
	}
	eachLevel(t, func(t *testing.T) {
		got := make([]float64, len(a))
		vector.Binary[float64](vector.Pow)(got, a, b)
		worst, at := 0.0, 0
		for i := range got {
			if e := distance(got[i], want[i]) / ulp64(math.Abs(rounded(want[i]))); !(e <= worst) {
				worst, at = e, i
			}
		}
		t.Logf("largest error %.3f ulp, at %g^%g", worst, a[at], b[at])
		if !(worst <= 1.5) {
			t.Errorf("error of %.3f ulp at %g^%g: want at most 1.5", worst, a[at], b[at])
		}
	})
}

func TestPowErrorsFloat32(t *testing.T) {
	random := rand.New(rand.NewPCG(1002, 0))
	const count = 1 << 16
	a, b, got := make([]float32, count), make([]float32, count), make([]float32, count)
	wideA, wideB, want := make([]float64, count), make([]float64, count), make([]float64, count)
	for i := range a {
		a[i], b[i] = math.Float32frombits(random.Uint32()), float32(random.NormFloat64())
		switch i % 4 {
		case 0:
			a[i], b[i] = float32(math.Exp(random.NormFloat64())), float32(30*random.NormFloat64())
		case 1:
			a[i], b[i] = 1+1e-4*float32(random.NormFloat64()), float32(1e6*random.NormFloat64())
		case 2:
			b[i] = float32(random.IntN(9) - 4)
		}
		wideA[i], wideB[i] = float64(a[i]), float64(b[i])
	}
	restore := vector.Force(cpu.Portable)
	vector.Binary[float64](vector.Pow)(want, wideA, wideB)
	restore()
	eachLevel(t, func(t *testing.T) {
		vector.Binary[float32](vector.Pow)(got, a, b)
		for i := range got {
			if e := error32(got[i], want[i], a[i], false); !(e <= 1) {
				t.Fatalf("%g^%g = %g, want %g: error of %.3f ulp, want at most 1", a[i], b[i], got[i], want[i], e)
			}
		}
	})
}
