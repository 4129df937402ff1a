package vector

import "math"

// The functions of this file are those that package math lacks, or has with
// errors beyond those of the kernels.

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// exp is math.Exp, which on amd64 is infinite from 709.4 on.
func exp(x float64) float64 {
	if x > 709 && x < 710 {
		return expPair(pair{x, 0})
	}
	return math.Exp(x)
}

// expm1 is math.Expm1, which is infinite for the largest arguments.
func expm1(x float64) float64 {
	if x > 709 {
		return exp(x)
	}
	return math.Expm1(x)
}

// log is math.Log, which on amd64 is wrong for subnormal numbers.
func log(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

// sigmoid keeps its relative precision also where it is tiny. The quotient is
// corrected for what it and its divisor lost by rounding.
func sigmoid(x float64) float64 {
	z := math.Exp(-math.Abs(x))
	top := 1.0
	if x < 0 {
		top = z
	}
	bottom := 1 + z
	lost := z - (bottom - 1)
	q := top / bottom
	return q + (math.FMA(-q, bottom, top)-q*lost)/bottom
}

// gelu has the limit 0 at -Inf, where the formula gives NaN.
func gelu(x float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x / 2 * (1 + math.Erf(x*(math.Sqrt2/2)))
}

func geluTanh(x float64) float64 {
	const k = 2 * 0.7978845608028654 // 2 sqrt(2/pi)
	return x * sigmoid(x*(k+k*0.044715*x*x))
}

// largeAngle is where three parts of pi/2 no longer suffice.
const largeAngle = 1e9

// sin is math.Sin with a reduction by fused multiply-adds, which keeps the
// relative precision next to the multiples of pi.
func sin(x float64) float64 {
	if !(math.Abs(x) < largeAngle) {
		return math.Sin(x)
	}
	if x == 0 {
		return x
	}
	r, quarter := reduceAngle(x)
	return quarterSine(r, quarter)
}

// cos is math.Cos likewise.
func cos(x float64) float64 {
	if !(math.Abs(x) < largeAngle) {
		return math.Cos(x)
	}
	r, quarter := reduceAngle(x)
	return quarterSine(r, quarter+1)
}

// reduceAngle returns r and n with x = n pi/2 + r.
func reduceAngle(x float64) (r float64, n int) {
	const second, third = 6.123233995736766e-17, -1.4973849048591698e-33
	count := math.RoundToEven(x * (2 / math.Pi))
	r = math.FMA(-count, math.Pi/2, x)
	r = math.FMA(-count, second, r)
	return math.FMA(-count, third, r), int(count)
}

// quarterSine returns sin(r + n pi/2).
func quarterSine(r float64, n int) float64 {
	switch n & 3 {
	case 0:
		return math.Sin(r)
	case 1:
		return math.Cos(r)
	case 2:
		return -math.Sin(r)
	default:
		return -math.Cos(r)
	}
}

// pow is math.Pow with the power of positive numbers rounded from about 60
// bits; repeated multiplication, as in math.Pow, loses many of them.
func pow(a, b float64) float64 {
	if a == 0 || b == 0 || math.IsInf(a, 0) || math.IsInf(b, 0) || a != a || b != b {
		return math.Pow(a, b)
	}
	y := powPositive(math.Abs(a), b)
	if a > 0 {
		return y
	}
	switch {
	case b != math.Trunc(b):
		return math.NaN()
	case math.Trunc(b/2) != b/2:
		return -y
	default:
		return y
	}
}

// A pair is the unevaluated sum of two numbers.
type pair struct{ high, low float64 }

func (a pair) times(b pair) pair {
	high := a.high * b.high
	low := math.FMA(a.high, b.high, -high)
	return pair{high, low + (a.high*b.low + a.low*b.high)}
}

// plus returns a+b for |a| >= |b| or a = 0.
func (a pair) plus(b pair) pair {
	high := a.high + b.high
	return pair{high, (a.high - high + b.high) + (a.low + b.low)}
}

// powPositive returns exp(b log(a)).
func powPositive(a, b float64) float64 {
	l := logPair(a)
	exponent := pair{b, 0}.times(l)
	switch {
	case exponent.high > 720:
		return math.Inf(1)
	case exponent.high < -760:
		return 0
	}
	return expPair(exponent)
}

// ln2 in two parts.
var ln2 = pair{math.Ln2, 2.3190468138462996e-17}

// logPair returns n ln(2) + 2 atanh(s), a = 2^n m, s = (m-1)/(m+1), with the
// first terms of the series in pairs.
func logPair(a float64) pair {
	m, n := math.Frexp(a)
	if m < math.Sqrt2/2 {
		m, n = 2*m, n-1
	}
	f := m - 1
	bottom := 2 + f
	s := pair{high: f / bottom}
	s.low = math.FMA(-s.high, f-(bottom-2), math.FMA(-s.high, bottom, f)) / bottom
	z := s.times(s)
	tail := 0.0
	for k := 21; k >= 5; k -= 2 {
		tail = tail*z.high + 2/float64(k)
	}
	const twoThirdsLow = 3.700743415417188e-17
	inner := pair{2.0 / 3, twoThirdsLow}.plus(pair{tail * z.high, 0})
	fraction := pair{2 * s.high, 2 * s.low}.plus(s.times(z.times(inner)))
	return pair{float64(n), 0}.times(ln2).plus(fraction)
}

// expPair returns exp(x.high + x.low).
func expPair(x pair) float64 {
	n := math.RoundToEven(x.high * math.Log2E)
	first, second := math.FMA(-n, ln2.high, x.high), math.FMA(-n, ln2.low, x.low)
	r := first + second
	lost := second - (r - first)
	return math.Ldexp(1+(math.Expm1(r)+lost), int(n))
}
