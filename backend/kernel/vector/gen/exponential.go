package main

import "math"

// ln2 in two parts: the first is the nearest number of the element type, so
// that one fused multiply-add subtracts its multiples without rounding.
func (m *machine) ln2() (high, low value) {
	single := float64(float32(math.Ln2))
	return m.pick(single, math.Ln2), m.pick(math.Ln2-single, 2.3190468138462996e-17)
}

// magic is the number that, added to n, leaves the integer nearest to n in the
// low bits of the sum, plus the bias of an exponent.
func (m *machine) magic() value { return m.pick(3<<22+127, 3<<51+1023) }

// powerOfTwo returns 2^n for biased = n + magic with -bias < n <= bias.
func (m *machine) powerOfTwo(biased value) value {
	if m.double {
		return m.shift(shiftLeft, biased, 52)
	}
	return m.shift(shiftLeft, biased, 23)
}

// scale returns a*2^n for integral n, rounded once also if it is subnormal.
func (m *machine) scale(a, n value) value {
	if m.avx512 {
		return m.apply(scaling, a, n)
	}
	magic := m.magic()
	biased := m.mulAdd(n, m.c(0.5), magic)
	half := m.sub(biased, magic)
	rest := m.add(m.sub(n, half), magic)
	return m.mul(m.mul(a, m.powerOfTwo(biased)), m.powerOfTwo(rest))
}

// clamp limits a to [low, high] and keeps NaN.
func (m *machine) clamp(a value, low, high value) value {
	return m.above(low, m.below(high, a))
}

// reduced is an argument of exp split into n ln(2) + r + rest, |r| <= ln(2)/2.
type reduced struct {
	biased value // n + magic
	n      value
	r      value
	error  value // of r, if asked for
}

func (m *machine) reduceExp(a value, withError bool) reduced {
	high, low := m.ln2()
	low = m.load(low)
	magic := m.load(m.magic())
	biased := m.mulAdd(a, m.c(math.Log2E), magic)
	n := m.sub(biased, magic)
	first := m.subMul(a, n, high)
	out := reduced{biased: biased, n: n, r: m.subMul(first, n, low)}
	if withError {
		out.error = m.subMul(m.sub(first, out.r), n, low)
	}
	return out
}

// expTail returns exp(r) - 1 - r for a reduced argument.
func (m *machine) expTail(r value) value {
	coefficients := exp32
	if m.double {
		coefficients = exp64
	}
	return m.mul(m.mul(r, r), m.polynomial(r, coefficients))
}

// expOfReduced returns exp of r, which is reduced.
func (m *machine) expOfReduced(r value) value {
	var p value
	if m.double {
		p = m.splitPolynomial(r, exp64)
	} else {
		p = m.polynomial(r, exp32)
	}
	return m.add(m.horner(p, m.mul(r, r), r), m.c(1))
}

// exp covers all arguments.
func (m *machine) exp(a value) value {
	e := m.reduceExp(m.clamp(a, m.pick(-105, -747), m.pick(89, 710)), false)
	return m.scale(m.expOfReduced(e.r), e.n)
}

// expNormal covers arguments whose result is a normal number.
func (m *machine) expNormal(a value) value {
	e := m.reduceExp(a, false)
	return m.mul(m.expOfReduced(e.r), m.powerOfTwo(e.biased))
}

// oneMinusExp is 1 - exp(a) = (1 - 2^n) - 2^n (exp(r) - 1) of float32, for a <= 0
// whose exponential is a normal number. It is precise also where a is tiny.
func (m *machine) oneMinusExp(a value) value {
	e := m.reduceExp(a, false)
	power := m.powerOfTwo(e.biased)
	tail := m.horner(m.polynomial(e.r, exp32), m.mul(e.r, e.r), e.r)
	return m.subMul(m.sub(m.load(m.c(1)), power), power, tail)
}

// A scaledExpm1 is exp(a) - 1 = (high + low) 2^n.
type scaledExpm1 struct {
	high, low value
	n         value
	inverse   value // 2^-n
}

// expm1Parts computes in parts so that neither the rounding of the reduced
// argument nor that of (1 - 2^-n) + r is lost.
func (m *machine) expm1Parts(a value) scaledExpm1 {
	e := m.reduceExp(a, m.double)
	small := m.below(m.load(m.c(64)), e.n)
	inverse := m.powerOfTwo(m.sub(m.load(m.magic()), small))
	tail := m.expTail(e.r)
	if m.double {
		tail = m.add(tail, m.mulAdd(e.error, e.r, e.error))
	}
	offset := m.sub(m.load(m.c(1)), inverse)
	high := m.add(offset, e.r)
	low := m.add(m.sub(e.r, m.sub(high, offset)), tail)
	return scaledExpm1{high: high, low: low, n: e.n, inverse: inverse}
}

func (m *machine) expm1(a value) value {
	e := m.expm1Parts(m.clamp(a, m.pick(-20, -40), m.pick(89, 710)))
	y := m.scale(m.add(e.high, e.low), e.n)
	return m.withSign(m.abs(y), a)
}

// tanh is E/(E+2) with E = exp(2|a|) - 1, both scaled by 2^-n.
func (m *machine) tanh(a value) value {
	limited := m.below(m.pickLoaded(10, 20), m.abs(a))
	e := m.expm1Parts(m.add(limited, limited))
	top := m.add(e.high, e.low)
	y := m.quotient(top, m.sub(e.low, m.sub(top, e.high)), m.add(e.inverse, e.inverse))
	return m.withSign(y, a)
}

// quotient returns top/(top+other), where topError is what top lacks.
func (m *machine) quotient(top, topError, other value) value {
	bottom := m.add(top, other)
	if !m.double {
		return m.div(top, bottom)
	}
	// bottom = top + other - bottomError exactly (Knuth's sum).
	part := m.sub(bottom, top)
	bottomError := m.add(m.sub(other, part), m.sub(top, m.sub(bottom, part)))
	bottomError = m.add(bottomError, topError)
	inverse := m.div(m.c(1), bottom)
	q := m.mul(top, inverse)
	remainder := m.add(m.subMul(top, q, bottom), m.subMul(topError, q, bottomError))
	return m.mulAdd(remainder, inverse, q)
}

func (m *machine) pickLoaded(single, double float64) value { return m.load(m.pick(single, double)) }

// sigmoid is 1/(1+z) for a >= 0 and z/(1+z) for a < 0, z = exp(-|a|).
func (m *machine) sigmoid(a value) value {
	z := m.exp(m.or(a, m.signMask()))
	one := m.load(m.c(1))
	top := m.choose(m.compare(less, a, m.c(0)), z, one)
	bottom := m.add(one, z)
	if !m.double {
		return m.div(top, bottom)
	}
	bottomError := m.sub(z, m.sub(bottom, one))
	inverse := m.div(one, bottom)
	q := m.mul(top, inverse)
	remainder := m.subMul(m.subMul(top, q, bottom), q, bottomError)
	return m.mulAdd(remainder, inverse, q)
}

// geluTanh is a sigmoid(2 sqrt(2/pi) (a + 0.044715 a^3)).
func (m *machine) geluTanh(a value) value {
	const k = 2 * 0.7978845608028654
	inner := m.mulAdd(m.mul(a, a), m.c(k*0.044715), m.load(m.c(k)))
	return m.mul(a, m.sigmoid(m.mul(a, inner)))
}
