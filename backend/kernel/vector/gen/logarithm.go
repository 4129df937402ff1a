package main

import "math"

// A split number is mantissa 2^exponent, 1/sqrt(2) <= mantissa < sqrt(2).
type split struct {
	mantissa, exponent value
}

// splitNormal splits a positive normal number.
func (m *machine) splitNormal(a value) split {
	low, one, fraction, shift := m.bits(0x3f3504f3), uint64(0x3f800000), m.bits(0x7fffff), 23
	up := m.bits(one - 0x3f3504f3)
	if m.double {
		low, fraction, shift = m.bits(0x3fe6a09e667f3bcd), m.bits(1<<52-1), 52
		up = m.bits(0x3ff0000000000000 - 0x3fe6a09e667f3bcd)
	}
	raised := m.addBits(a, up)
	mantissa := m.addBits(m.and(raised, fraction), low)
	// The biased exponent becomes a number in the fraction of a large one.
	large := m.pick(1<<23, 1<<52)
	biased := m.or(m.shift(shiftRight, raised, shift), large)
	return split{mantissa: mantissa, exponent: m.sub(biased, m.pick(1<<23+127, 1<<52+1023))}
}

// splitPositive splits a positive finite number.
func (m *machine) splitPositive(a value) split {
	tiny := m.compare(less, a, m.pick(0x1p-126, 0x1p-1022))
	out := m.splitNormal(m.choose(tiny, m.mul(a, m.pick(0x1p25, 0x1p54)), a))
	out.exponent = m.sub(out.exponent, m.keep(tiny, m.pick(25, 54)))
	return out
}

// logOf returns n ln(2) + log(1+f) for -0.3 <= f <= 0.42.
func (m *machine) logOf(f, n value) value {
	coefficients := log32
	if m.double {
		coefficients = log64
	}
	high, low := m.ln2()
	s := m.div(f, m.add(f, m.c(2)))
	z := m.mul(s, s)
	tail := m.mul(m.polynomial(z, coefficients), z)
	halfSquare := m.mul(m.mul(f, f), m.c(0.5))
	small := m.mulAdd(n, low, m.mul(s, m.add(halfSquare, tail)))
	return m.mulAdd(n, high, m.sub(f, m.sub(halfSquare, small)))
}

// logSpecial replaces y by the logarithm of a where a is not positive and finite.
func (m *machine) logSpecial(y, a value) value {
	infinity := m.c(math.Inf(1))
	special := m.choose(m.compare(less, a, m.c(0)), m.c(math.NaN()), a)
	special = m.choose(m.compare(equal, a, m.c(0)), m.c(math.Inf(-1)), special)
	usual := m.both(m.compare(greater, a, m.c(0)), m.compare(less, a, infinity))
	return m.choose(usual, y, special)
}

func (m *machine) log(a value) value {
	parts := m.splitPositive(a)
	y := m.logOf(m.sub(parts.mantissa, m.c(1)), parts.exponent)
	return m.logSpecial(y, a)
}

// log1p is log(u) for u = 1 + a rounded, with what the rounding lost added to
// the fraction of u.
func (m *machine) log1p(a value) value {
	one := m.load(m.c(1))
	u := m.add(a, one)
	parts := m.splitNormal(u)
	part := m.sub(u, one)
	lost := m.add(m.sub(a, part), m.sub(one, m.sub(u, part)))
	// Beyond 2^64 nothing that matters is lost, and 2^-n may not exist.
	scale := m.powerOfTwo(m.sub(m.load(m.magic()), m.below(m.load(m.c(64)), parts.exponent)))
	f := m.mulAdd(lost, scale, m.sub(parts.mantissa, one))
	y := m.logSpecial(m.logOf(f, parts.exponent), u)
	return m.choose(m.compare(equal, a, m.c(0)), a, y)
}
