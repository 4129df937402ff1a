package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// apply returns in(a, b), element by element.
func (m *machine) apply(in instruction, a, b value) value {
	a = m.load(a)
	out := m.fresh()
	for i := range m.streams {
		in.with(m, b)(m.Context, b.at(i), a.at(i), out.at(i))
	}
	return out
}

// commute is apply for an instruction that is free to swap its operands.
func (m *machine) commute(in instruction, a, b value) value {
	if a.shared {
		a, b = b, a
	}
	return m.apply(in, a, b)
}

func (m *machine) add(a, b value) value { return m.commute(addition, a, b) }
func (m *machine) sub(a, b value) value { return m.apply(subtraction, a, b) }
func (m *machine) mul(a, b value) value { return m.commute(multiplication, a, b) }
func (m *machine) div(a, b value) value { return m.apply(division, a, b) }
func (m *machine) and(a, b value) value { return m.commute(bitAnd, a, b) }
func (m *machine) or(a, b value) value  { return m.commute(bitOr, a, b) }
func (m *machine) xor(a, b value) value { return m.commute(bitXor, a, b) }

// above returns the larger of a and b, and b where either is NaN.
func (m *machine) above(a, b value) value { return m.apply(maximum, a, b) }

// below returns the smaller of a and b, and b where either is NaN.
func (m *machine) below(a, b value) value { return m.apply(minimum, a, b) }

// signMask is the bit pattern of -0.
func (m *machine) signMask() value {
	if m.double {
		return m.bits(1 << 63)
	}
	return m.bits(1 << 31)
}

func (m *machine) abs(a value) value {
	out, signs := m.fresh(), m.load(m.signMask())
	for i := range m.streams {
		bitAndNot.of(m)(m.Context, a.at(i), signs.at(i), out.at(i))
	}
	return out
}

// withSign returns a, which is not negative, with the sign of b.
func (m *machine) withSign(a, b value) value { return m.or(a, m.and(b, m.signMask())) }

// mulAdd returns a*b + c, rounded once.
func (m *machine) mulAdd(a, b, c value) value {
	if b.shared {
		a, b = b, a
	}
	b = m.load(b)
	if a.shared && !c.shared {
		out := m.copy(c)
		for i := range m.streams {
			fma231.with(m, a)(m.Context, a.at(i), b.at(i), out.at(i))
		}
		return out
	}
	return m.horner(m.copy(a), b, c)
}

// mulSub returns a*b - c, rounded once.
func (m *machine) mulSub(a, b, c value) value {
	out, b := m.copy(a), m.load(b)
	for i := range m.streams {
		fms213.with(m, c)(m.Context, c.at(i), b.at(i), out.at(i))
	}
	return out
}

// subMul returns c - a*b, rounded once.
func (m *machine) subMul(c, a, b value) value {
	if b.shared {
		a, b = b, a
	}
	out, b := m.copy(c), m.load(b)
	for i := range m.streams {
		fnma231.with(m, a)(m.Context, a.at(i), b.at(i), out.at(i))
	}
	return out
}

// horner overwrites p with p*x + c, rounded once.
func (m *machine) horner(p, x, c value) value {
	for i := range m.streams {
		fma213.with(m, c)(m.Context, c.at(i), x.at(i), p.at(i))
	}
	return p
}

// accumulate overwrites sum with sum + a*b, rounded once.
func (m *machine) accumulate(sum, a, b value) {
	for i := range m.streams {
		fma231.with(m, b)(m.Context, b.at(i), a.at(i), sum.at(i))
	}
}

// polynomial evaluates coefficients, lowest first, at x.
func (m *machine) polynomial(x value, coefficients []float64) value {
	last := len(coefficients) - 1
	if last == 0 {
		return m.load(m.c(coefficients[0]))
	}
	p := m.copy(m.c(coefficients[last]))
	for i := last - 1; i >= 0; i-- {
		p = m.horner(p, x, m.c(coefficients[i]))
	}
	return p
}

// splitPolynomial is polynomial with the even and the odd powers side by side:
// one multiplication more and half the latency, which AVX2 needs for long ones,
// since its registers do for two streams only.
func (m *machine) splitPolynomial(x value, coefficients []float64) value {
	square := m.mul(x, x)
	var parts [2]value
	for i := len(coefficients) - 1; i >= 0; i-- {
		c := m.c(coefficients[i])
		if i >= len(coefficients)-2 {
			parts[i%2] = m.copy(c)
		} else {
			parts[i%2] = m.horner(parts[i%2], square, c)
		}
	}
	return m.horner(parts[1], x, parts[0])
}

func (m *machine) sqrt(a value) value {
	out := m.fresh()
	for i := range m.streams {
		squareRoot.of(m)(m.Context, a.at(i), out.at(i))
	}
	return out
}

// The directions of round, which do not raise the inexact flag.
const (
	toNearestEven = 8
	downwards     = 9
	upwards       = 10
)

func (m *machine) round(a value, direction uint8) value {
	out, in := m.fresh(), rounding
	if m.avx512 {
		in = roundingScale
	}
	for i := range m.streams {
		in.of(m)(m.Context, operand.U8(direction), a.at(i), out.at(i))
	}
	return out
}

// addBits returns the sum of a and b as integers.
func (m *machine) addBits(a, b value) value { return m.commute(intAdd, a, b) }

// shift returns a shifted by an immediate number of bits.
func (m *machine) shift(in instruction, a value, bits int) value {
	out := m.fresh()
	for i := range m.streams {
		in.of(m)(m.Context, operand.U8(bits), a.at(i), out.at(i))
	}
	return out
}

// A mask is one truth value a lane: a mask register with AVX-512, a vector of
// ones and zeros with AVX2.
type mask []operand.Op

// The predicates of compare, none of which signals.
const (
	equal        = 0x00
	unordered    = 0x03
	notEqual     = 0x04
	less         = 0x11
	lessEqual    = 0x12
	greaterEqual = 0x1d
	greater      = 0x1e
)

// compare returns where the predicate holds between a and b.
func (m *machine) compare(predicate uint8, a, b value) mask {
	a = m.load(a)
	out := make(mask, m.streams)
	for i := range out {
		in := comparison.of(m)
		if m.avx512 {
			out[i] = m.K()
			if b.shared {
				in = comparisonBroadcast.of(m)
			}
		} else {
			out[i] = m.YMM()
		}
		in(m.Context, operand.U8(predicate), b.at(i), a.at(i), out[i])
	}
	return out
}

// choose returns a where the mask holds and b elsewhere.
func (m *machine) choose(where mask, a, b value) value {
	b = m.load(b)
	out := m.fresh()
	for i := range m.streams {
		if m.avx512 {
			blendByMask.with(m, a)(m.Context, a.at(i), b.at(i), where[i], out.at(i))
		} else {
			blendByVector.of(m)(m.Context, where[i], a.at(i), b.at(i), out.at(i))
		}
	}
	return out
}

// keep returns a where the mask holds and 0 elsewhere.
func (m *machine) keep(where mask, a value) value {
	if !m.avx512 {
		return m.and(m.asValue(where), a)
	}
	out := m.fresh()
	for i := range m.streams {
		if a.shared {
			broadcastZeroing(m, a.at(i), where[i], out.at(i))
		} else {
			zeroing.of(m)(m.Context, a.at(i), where[i], out.at(i))
		}
	}
	return out
}

func broadcastZeroing(m *machine, from, where, to operand.Op) {
	if m.double {
		m.VBROADCASTSD_Z(from, where, to)
	} else {
		m.VBROADCASTSS_Z(from, where, to)
	}
}

// asValue views an AVX2 mask as a value.
func (m *machine) asValue(where mask) value { return value{registers: where} }

// either returns where a or b holds.
func (m *machine) either(a, b mask) mask {
	if !m.avx512 {
		return m.or(m.asValue(a), m.asValue(b)).registers
	}
	out := make(mask, m.streams)
	for i := range out {
		out[i] = m.K()
		m.KORW(a[i], b[i], out[i])
	}
	return out
}

// both returns where a and b hold.
func (m *machine) both(a, b mask) mask {
	if !m.avx512 {
		return m.and(m.asValue(a), m.asValue(b)).registers
	}
	out := make(mask, m.streams)
	for i := range out {
		out[i] = m.K()
		m.KANDW(a[i], b[i], out[i])
	}
	return out
}

// jumpIfAny jumps to the label if the mask holds in any lane of any stream.
func (m *machine) jumpIfAny(where mask, label string) {
	any := where[0]
	for _, other := range where[1:] {
		if m.avx512 {
			joined := m.K()
			m.KORW(any, other, joined)
			any = joined
		} else {
			joined := m.YMM()
			m.VORPS(any, other, joined)
			any = joined
		}
	}
	if m.avx512 {
		m.KORTESTW(any, any)
	} else {
		bits := m.GP32()
		m.VMOVMSKPS(any, bits)
		m.TESTL(bits, bits)
	}
	m.JNZ(operand.LabelRef(label))
}

// laneCount limits rest, a number of elements, to the lanes of a register.
func (m *machine) laneCount(rest reg.GPVirtual) reg.GPVirtual {
	count, lanes := m.GP64(), m.GP64()
	m.MOVQ(operand.U32(m.lanes()), lanes)
	m.MOVQ(rest, count)
	m.CMPQ(count, lanes)
	m.CMOVQGT(lanes, count)
	return count
}

// firstLanes returns the mask of the first count lanes.
func (m *machine) firstLanes(count reg.GPVirtual) operand.Op {
	if m.avx512 {
		ones, where := m.GP64(), m.K()
		m.MOVQ(operand.I32(-1), ones)
		m.SHLXQ(count, ones, ones)
		m.NOTQ(ones)
		m.KMOVW(ones.As32(), where)
		return where
	}
	table, where := m.GP64(), m.YMM()
	m.LEAQ(m.pool.laneMasks(m).Offset(m.vectorBytes()), table)
	back := m.GP64()
	m.MOVQ(count, back)
	m.NEGQ(back)
	m.VMOVUPS(operand.Mem{Base: table, Index: back, Scale: uint8(m.size())}, where)
	return where
}
