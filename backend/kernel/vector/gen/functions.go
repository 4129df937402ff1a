package main

import "math"

// erf is 1 - exp(-polynomial). In float32 one polynomial does for all arguments,
// since 1 - exp is computed without cancellation; in float64, which would need
// many more coefficients, erf is a polynomial of its own below 1.
func (m *machine) erf(a value) value {
	if !m.double {
		x := m.below(m.load(m.c(4)), m.abs(a))
		p := m.mulAdd(m.splitPolynomial(x, erfc32), x, x)
		return m.withSign(m.oneMinusExp(m.xor(p, m.signMask())), a)
	}
	x := m.below(m.load(m.c(6)), m.abs(a))
	exponent := m.xor(m.splitPolynomial(x, erfc64), m.signMask())
	large := m.sub(m.load(m.c(1)), m.expNormal(exponent))
	small := m.mulAdd(m.splitPolynomial(m.mul(x, x), erf64), x, x)
	return m.withSign(m.choose(m.compare(less, x, m.c(1)), small, large), a)
}

// gelu is a/2 (1 + erf(a/sqrt(2))) = max(a, 0) - |a|/2 2^p with a polynomial p,
// and max(a, 0) where the power no longer matters.
func (m *machine) gelu(a value) value {
	logarithm, power, limit := gelu32, exp2m1Of32, 5.95
	if m.double {
		logarithm, power, limit = gelu64, exp2m1Of64, 8.5
	}
	size := m.abs(a)
	p := m.splitPolynomial(m.below(m.load(m.c(limit)), size), logarithm)
	// p = n + r with a whole number n and |r| <= 1/2; 2^p = 2^n (1 + r q(r)).
	magic := m.load(m.pick(3<<22+126, 3<<51+1022)) // one less than for 2^n
	biased := m.add(p, magic)
	r := m.sub(p, m.sub(biased, magic))
	half := m.mul(size, m.powerOfTwo(biased)) // |a|/2 2^n
	rectified := m.above(m.load(m.c(0)), a)
	y := m.subMul(m.sub(rectified, half), m.mul(half, r), m.splitPolynomial(r, power))
	return m.choose(m.compare(greater, size, m.c(limit)), rectified, y)
}

// halfPi in three parts.
func (m *machine) halfPi() (first, second, third value) {
	return m.pick(1.57079637050628662109375, 1.5707963267948966),
		m.pick(-4.371138828673792885e-08, 6.123233995736766e-17),
		m.pick(-1.7151245100058819e-15, -1.4973849048591698e-33)
}

// circular is sin(|a| + quarters pi/2). It stops at arguments too large for
// the three parts of pi/2.
func (m *machine) circular(a value, quarters uint64) value {
	magic := m.pick(3<<22, 3<<51)
	x := m.abs(a)
	m.jumpIfAny(m.compare(greater, x, m.pick(30000, 1e9)), "stop")
	counted := m.mulAdd(x, m.c(2/math.Pi), m.load(magic))
	n := m.sub(counted, magic)
	first, second, third := m.halfPi()
	r := m.subMul(m.subMul(m.subMul(x, n, first), n, second), n, third)

	sines, cosines, width := sin32, cos32, 32
	if m.double {
		sines, cosines, width = sin64, cos64, 64
	}
	z := m.mul(r, r)
	sine := m.mulAdd(m.mul(m.polynomial(z, sines), z), r, r)
	cosine := m.horner(m.polynomial(z, cosines), z, m.c(1))
	if quarters != 0 {
		counted = m.addBits(counted, m.bits(quarters))
	}
	odd := m.isNegative(m.shift(shiftLeft, counted, width-1))
	y := m.choose(odd, cosine, sine)
	// Bit 1 of the number of quarters is the sign.
	return m.xor(y, m.and(m.shift(shiftLeft, counted, width-2), m.signMask()))
}

// isNegative tells where the sign bit is set.
func (m *machine) isNegative(a value) mask {
	if !m.avx512 {
		return a.registers // blends look at the sign bit only
	}
	out := make(mask, m.streams)
	for i := range out {
		out[i] = m.K()
		if m.double {
			m.VPMOVQ2M(a.at(i), out[i])
		} else {
			m.VPMOVD2M(a.at(i), out[i])
		}
	}
	return out
}

func (m *machine) sin(a value) value {
	return m.xor(m.circular(a, 0), m.and(a, m.signMask()))
}

func (m *machine) cos(a value) value { return m.circular(a, 1) }

// larger is the maximum as IEEE 754-2019 defines it: NaN if either is NaN,
// and 0 is larger than -0.
func (m *machine) larger(a, b value) value {
	return m.orNaN(m.and(m.above(a, b), m.above(b, a)), a, b)
}

// smaller is the minimum likewise.
func (m *machine) smaller(a, b value) value {
	return m.orNaN(m.or(m.below(a, b), m.below(b, a)), a, b)
}

func (m *machine) orNaN(y, a, b value) value {
	return m.choose(m.compare(unordered, a, b), m.add(a, b), y)
}

// sign is 1, -1, or 0 for zeros and NaN.
func (m *machine) sign(a value) value {
	zero := m.c(0)
	positive := m.keep(m.compare(greater, a, zero), m.c(1))
	return m.or(positive, m.keep(m.compare(less, a, zero), m.c(-1)))
}
