package vector_test

import (
	"math"
	"testing"

	"github.com/descentml/descent/backend/kernel/vector"
)

var (
	inf     = math.Inf(1)
	nan     = math.NaN()
	negZero = math.Copysign(0, -1)
)

// specialUnary lists arguments and their exact results, in pairs.
var specialUnary = map[vector.UnaryOp][]float64{
	vector.Neg:        {0, negZero, negZero, 0, inf, -inf, nan, nan, 2, -2},
	vector.Abs:        {negZero, 0, -inf, inf, nan, nan, -2, 2},
	vector.Square:     {negZero, 0, -inf, inf, nan, nan, -3, 9},
	vector.Sqrt:       {0, 0, negZero, negZero, inf, inf, -1, nan, -inf, nan, nan, nan, 9, 3},
	vector.Rsqrt:      {0, inf, negZero, -inf, inf, 0, -1, nan, nan, nan, 4, 0.5},
	vector.Reciprocal: {0, inf, negZero, -inf, inf, 0, -inf, negZero, nan, nan, 4, 0.25},
	vector.Floor:      {1.5, 1, -1.5, -2, negZero, negZero, inf, inf, nan, nan, 3, 3},
	vector.Ceil:       {1.5, 2, -1.5, -1, -0.5, negZero, negZero, negZero, -inf, -inf, nan, nan},
	vector.Round:      {0.5, 0, 1.5, 2, 2.5, 2, -0.5, negZero, -1.5, -2, 1e10, 1e10, inf, inf, nan, nan},
	vector.Sign:       {3, 1, -3, -1, 0, 0, negZero, 0, nan, 0, inf, 1, -inf, -1},
	vector.Relu:       {3, 3, -3, 0, 0, 0, negZero, 0, nan, nan, inf, inf, -inf, 0},
	vector.Exp:        {0, 1, negZero, 1, inf, inf, -inf, 0, nan, nan, 1000, inf, -1000, 0},
	vector.Expm1:      {0, 0, negZero, negZero, inf, inf, -inf, -1, nan, nan, 1000, inf, -1000, -1, 1e-40, 1e-40},
	vector.Log:        {1, 0, 0, -inf, negZero, -inf, inf, inf, -1, nan, -inf, nan, nan, nan},
	vector.Log1p:      {0, 0, negZero, negZero, inf, inf, -1, -inf, -2, nan, -inf, nan, nan, nan, 1e-40, 1e-40},
	vector.Tanh:       {0, 0, negZero, negZero, inf, 1, -inf, -1, nan, nan, 100, 1, -100, -1, -1e-40, -1e-40},
	vector.Sigmoid:    {0, 0.5, negZero, 0.5, inf, 1, -inf, 0, nan, nan, 100, 1, -1000, 0},
	vector.Erf:        {0, 0, negZero, negZero, inf, 1, -inf, -1, nan, nan, 10, 1, -10, -1},
	vector.Sin:        {0, 0, negZero, negZero, inf, nan, -inf, nan, nan, nan, 1e-40, 1e-40},
	vector.Cos:        {0, 1, negZero, 1, inf, nan, -inf, nan, nan, nan},
	vector.Gelu:       {0, 0, inf, inf, -inf, 0, nan, nan, 100, 100},
	vector.GeluTanh:   {0, 0, inf, inf, nan, nan, 100, 100},
}

func TestSpecialValues(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		for op, pairs := range specialUnary {
			checkSpecialUnary[float32](t, op, pairs)
			checkSpecialUnary[float64](t, op, pairs)
		}
	})
}

func checkSpecialUnary[T vector.Float](t *testing.T, op vector.UnaryOp, pairs []float64) {
	t.Helper()
	// Eighteen copies, so that whole vectors and the rest both see each value.
	x, got := make([]T, 18), make([]T, 18)
	for i := 0; i < len(pairs); i += 2 {
		for j := range x {
			x[j] = T(pairs[i])
		}
		vector.Unary[T](op)(got, x)
		for j := range got {
			if !same(got[j], T(pairs[i+1])) {
				t.Errorf("%T %v(%g) = %g at %d, want %g", got[j], op, pairs[i], got[j], j, T(pairs[i+1]))
				break
			}
		}
	}
}

// same tells whether a and b are the same number, sign of zero included, or
// both NaN.
func same[T vector.Float](a, b T) bool {
	if a != a || b != b {
		return a != a && b != b
	}
	return a == b && math.Signbit(float64(a)) == math.Signbit(float64(b))
}

// operands are numbers of which all pairs are tried.
var operands = []float64{
	0, negZero, 1, -1, 2, -2, 3, -3, 0.5, -0.5, 2.5, -2.5, 1e-40, -1e-40, 1e30, -1e30, 1e7, 16777217, inf, -inf, nan,
}

// allPairs returns every pair of operands.
func allPairs[T vector.Float]() (a, b []T) {
	for _, left := range operands {
		for _, right := range operands {
			a, b = append(a, T(left)), append(b, T(right))
		}
	}
	return a, b
}

func TestBinaryOnAllPairs(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkBinary[float32](t)
		checkBinary[float64](t)
	})
}

func checkBinary[T vector.Float](t *testing.T) {
	t.Helper()
	a, b := allPairs[T]()
	got, one := make([]T, len(a)), make([]T, 1)
	for op, f := range map[vector.BinaryOp]func(a, b T) T{
		vector.Add: func(a, b T) T { return a + b },
		vector.Sub: func(a, b T) T { return a - b },
		vector.Mul: func(a, b T) T { return a * b },
		vector.Div: func(a, b T) T { return a / b },
		vector.Max: func(a, b T) T { return max(a, b) },
		vector.Min: func(a, b T) T { return min(a, b) },
		vector.Pow: func(a, b T) T { return T(math.Pow(float64(a), float64(b))) },
	} {
		vector.Binary[T](op)(got, a, b)
		for i := range got {
			if want := f(a[i], b[i]); !same(got[i], want) && !(op == vector.Pow && near(got[i], want)) {
				t.Errorf("%T %v(%g, %g) = %g, want %g", want, op, a[i], b[i], got[i], want)
			}
			vector.BinaryScalar[T](op)(one, a[i:i+1], b[i])
			if !same(one[0], got[i]) {
				t.Errorf("%v(%g, scalar %g) = %g, want %g", op, a[i], b[i], one[0], got[i])
			}
			vector.ScalarBinary[T](op)(one, a[i], b[i:i+1])
			if !same(one[0], got[i]) {
				t.Errorf("%v(scalar %g, %g) = %g, want %g", op, a[i], b[i], one[0], got[i])
			}
		}
	}
}

// near allows for the errors of math.Pow where the power is neither 0 nor
// infinite.
func near[T vector.Float](got, want T) bool {
	return math.Abs(float64(got-want)) <= 4e-15*math.Abs(float64(want))
}

func TestCompareAndSelect(t *testing.T) {
	eachLevel(t, func(t *testing.T) {
		checkCompare[float32](t)
		checkCompare[float64](t)
	})
}

func checkCompare[T vector.Float](t *testing.T) {
	t.Helper()
	a, b := allPairs[T]()
	got, scalar, chosen := make([]bool, len(a)), make([]bool, len(a)), make([]T, len(a))
	for op, f := range map[vector.CompareOp]func(a, b T) bool{
		vector.Equal: func(a, b T) bool { return a == b }, vector.NotEqual: func(a, b T) bool { return a != b },
		vector.Less: func(a, b T) bool { return a < b }, vector.LessEqual: func(a, b T) bool { return a <= b },
		vector.Greater: func(a, b T) bool { return a > b }, vector.GreaterEqual: func(a, b T) bool { return a >= b },
	} {
		vector.Compare[T](op)(got, a, b)
		vector.CompareScalar[T](op)(scalar, a, b[2])
		vector.Select(chosen, got, a, b)
		for i := range got {
			if want := f(a[i], b[i]); got[i] != want {
				t.Errorf("%T %v(%g, %g) = %v", a[i], op, a[i], b[i], got[i])
			}
			if want := f(a[i], b[2]); scalar[i] != want {
				t.Errorf("%T %v(%g, scalar %g) = %v", a[i], op, a[i], b[2], scalar[i])
			}
			want := b[i]
			if got[i] {
				want = a[i]
			}
			if !same(chosen[i], want) {
				t.Errorf("select %v of %g, %g = %g", got[i], a[i], b[i], chosen[i])
			}
		}
	}
}
