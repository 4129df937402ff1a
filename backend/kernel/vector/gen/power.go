package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
)

// notLess is the predicate that holds also where an operand is NaN.
const notLess = 0x15

// pow is |a|^b with the sign and the special values of a negative or zero a.
// It stops where a or b is infinite or NaN and, in float64, at a subnormal a.
func (m *machine) pow(a, b value) value {
	x := m.abs(a)
	infinity := m.load(m.c(math.Inf(1)))
	m.jumpIfAny(m.either(m.compare(notLess, x, infinity), m.compare(notLess, m.abs(b), infinity)), "stop")
	zero := m.compare(equal, a, m.c(0))
	var y value
	if m.double {
		one := m.load(m.c(1))
		normal := m.choose(zero, one, x) // any normal number for zeros
		m.jumpIfAny(m.compare(less, normal, m.c(0x1p-1022)), "stop")
		y = m.powPositive64(normal, b)
	} else {
		y = m.powPositive32(x, b)
	}
	pole := m.keep(m.compare(less, b, m.c(0)), infinity)
	y = m.choose(m.compare(equal, a, m.c(0)), pole, y)
	y = m.choose(m.compare(equal, b, m.c(0)), m.c(1), y)

	half := m.mul(b, m.c(0.5))
	whole := m.compare(equal, m.round(b, toNearestEven), b)
	odd := m.both(whole, m.compare(notEqual, m.round(half, toNearestEven), half))
	signed := m.xor(y, m.keep(odd, m.and(a, m.signMask())))
	undefined := m.choose(m.compare(less, a, m.c(0)), m.c(math.NaN()), signed)
	whole = m.compare(equal, m.round(b, toNearestEven), b)
	return m.choose(whole, signed, undefined)
}

// powPositive32 computes a^b of float32 in float64, as 2^(b log2(a)).
func (m *machine) powPositive32(a, b value) value {
	wide := *m
	wide.double, wide.streams = true, 2*m.streams
	exponent := wide.mul(wide.log2Short(m.widen(a)), m.widen(b))
	exponent = wide.clamp(exponent, wide.c(-200), wide.c(200))
	magic := wide.load(wide.magic())
	biased := wide.add(exponent, magic)
	r := wide.sub(exponent, wide.sub(biased, magic))
	y := wide.mul(wide.polynomial(r, exp2Of32), wide.powerOfTwo(biased))
	return m.narrow(y)
}

// log2Short has the precision that float32 needs.
func (m *machine) log2Short(a value) value {
	parts := m.splitNormal(a)
	one := m.load(m.c(1))
	s := m.div(m.sub(parts.mantissa, one), m.add(parts.mantissa, one))
	return m.horner(m.polynomial(m.mul(s, s), log2Of32), s, parts.exponent)
}

// widen returns the float32 lanes as twice as many registers of float64.
func (m *machine) widen(a value) value {
	var out value
	for i := range m.streams {
		low, high := m.vector(), m.vector()
		if m.avx512 {
			upper := m.YMM()
			m.VEXTRACTF64X4(operand.U8(1), a.at(i), upper)
			m.VCVTPS2PD(lowerHalf(a.at(i)), low)
			m.VCVTPS2PD(upper, high)
		} else {
			upper := m.XMM()
			m.VEXTRACTF128(operand.U8(1), a.at(i), upper)
			m.VCVTPS2PD(lowerHalf(a.at(i)), low)
			m.VCVTPS2PD(upper, high)
		}
		out.registers = append(out.registers, low, high)
	}
	return out
}

// narrow is the inverse of widen, rounding to nearest.
func (m *machine) narrow(a value) value {
	out := m.fresh()
	for i := range m.streams {
		if m.avx512 {
			low, high := m.YMM(), m.YMM()
			m.VCVTPD2PS(a.at(2*i), low)
			m.VCVTPD2PS(a.at(2*i+1), high)
			m.VINSERTF64X4(operand.U8(1), high, low.AsZ(), out.at(i))
		} else {
			low, high := m.XMM(), m.XMM()
			m.VCVTPD2PSY(a.at(2*i), low)
			m.VCVTPD2PSY(a.at(2*i+1), high)
			m.VINSERTF128(operand.U8(1), high, low.AsY(), out.at(i))
		}
	}
	return out
}

// A double is the unevaluated sum of two float64, about 106 bits.
type double struct{ high, low value }

// exactProduct returns a*b.
func (m *machine) exactProduct(a, b value) double {
	high := m.mul(a, b)
	return double{high, m.mulSub(a, b, high)}
}

// product returns a*b, without the product of the low parts.
func (m *machine) product(a, b double) double {
	p := m.exactProduct(a.high, b.high)
	p.low = m.mulAdd(a.high, b.low, m.mulAdd(a.low, b.high, p.low))
	return p
}

// sum returns a+b for |a| >= |b| or a = 0.
func (m *machine) sum(a, b double) double {
	high := m.add(a.high, b.high)
	rest := m.add(m.sub(a.high, high), b.high)
	return double{high, m.add(rest, m.add(a.low, b.low))}
}

// powPositive64 computes a^b as exp(b log(a)) with a logarithm of 65 bits.
func (m *machine) powPositive64(a, b value) value {
	l := m.logDouble(a)
	p := m.exactProduct(b, l.high)
	p.low = m.mulAdd(b, l.low, p.low)
	finite := m.compare(less, m.abs(p.high), m.c(800))
	p.low = m.keep(finite, p.low)
	return m.expDouble(m.clamp(p.high, m.c(-747), m.c(710)), p.low)
}

// logDouble returns log(a) = n ln(2) + 2s + s z (2/3 + z (2/5 + z p(z))), for
// a = 2^n mantissa, s = (mantissa-1)/(mantissa+1), z = s^2.
func (m *machine) logDouble(a value) double {
	parts := m.splitNormal(a)
	f := m.sub(parts.mantissa, m.c(1))
	two := m.load(m.c(2))
	bottom := m.add(two, f)
	bottomError := m.sub(f, m.sub(bottom, two))
	inverse := m.div(m.c(1), bottom)
	s := double{high: m.mul(f, inverse)}
	s.low = m.mul(m.subMul(m.subMul(f, s.high, bottom), s.high, bottomError), inverse)
	z := m.product(s, s)

	tail := m.mul(m.horner(m.polynomial(z.high, log64Tail), z.high, m.c(0.4)), z.high)
	const third = 2.0 / 3
	thirds := double{m.load(m.c(third)), m.c(twoThirdsLow)}
	u := double{high: m.add(thirds.high, tail)}
	u.low = m.add(m.add(m.sub(thirds.high, u.high), tail), thirds.low)
	cubic := m.product(s, m.product(z, u))
	fraction := m.sum(double{m.add(s.high, s.high), m.add(s.low, s.low)}, cubic)

	ln2, ln2Low := m.ln2()
	whole := m.exactProduct(parts.exponent, m.load(ln2))
	whole.low = m.mulAdd(parts.exponent, ln2Low, whole.low)
	return m.sum(whole, fraction)
}

// twoThirdsLow is 2/3 less the float64 nearest to it.
const twoThirdsLow = 3.700743415417188e-17

// expDouble returns exp(high + low) for a low that is much the smaller.
func (m *machine) expDouble(high, low value) value {
	ln2, ln2Low := m.ln2()
	magic := m.load(m.magic())
	biased := m.mulAdd(high, m.c(math.Log2E), magic)
	n := m.sub(biased, magic)
	first := m.subMul(high, n, ln2)
	second := m.subMul(low, n, ln2Low)
	r := m.add(first, second)
	lost := m.sub(second, m.sub(r, first))
	tail := m.mulAdd(m.mul(r, r), m.polynomial(r, exp64), lost)
	one := m.load(m.c(1))
	y := m.add(one, r)
	rest := m.add(m.sub(r, m.sub(y, one)), tail)
	return m.scale(m.add(y, rest), n)
}
