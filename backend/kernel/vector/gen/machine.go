package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A machine emits the instructions of one kernel: for one instruction set, one
// element type, and a number of vectors (streams) that are computed side by
// side so that the latency of one hides behind the others.
type machine struct {
	*build.Context
	avx512  bool
	double  bool
	streams int
	pool    *pool
}

// A value is one vector register for each stream, or a constant in memory that
// all lanes of all streams share.
type value struct {
	registers []operand.Op
	constant  operand.Mem
	shared    bool
}

// vectorBytes is the width of a register.
func (m *machine) vectorBytes() int {
	if m.avx512 {
		return 64
	}
	return 32
}

// size is the width of an element in bytes.
func (m *machine) size() int {
	if m.double {
		return 8
	}
	return 4
}

// lanes is the number of elements in a register.
func (m *machine) lanes() int { return m.vectorBytes() / m.size() }

// vector returns a new register.
func (m *machine) vector() reg.VecVirtual {
	if m.avx512 {
		return m.ZMM()
	}
	return m.YMM()
}

// fresh returns a value of new registers.
func (m *machine) fresh() value {
	v := value{registers: make([]operand.Op, m.streams)}
	for i := range v.registers {
		v.registers[i] = m.vector()
	}
	return v
}

// at returns the operand of stream i.
func (v value) at(i int) operand.Op {
	if v.shared {
		return v.constant
	}
	return v.registers[i]
}

// same returns the value that has register r in every stream.
func (m *machine) same(r operand.Op) value {
	v := value{registers: make([]operand.Op, m.streams)}
	for i := range v.registers {
		v.registers[i] = r
	}
	return v
}

// c returns the constant x.
func (m *machine) c(x float64) value {
	if m.double {
		return m.bits(math.Float64bits(x))
	}
	return m.bits(uint64(math.Float32bits(float32(x))))
}

// pick returns the constant for the element type.
func (m *machine) pick(single, double float64) value {
	if m.double {
		return m.c(double)
	}
	return m.c(single)
}

// bits returns the constant with the given bit pattern.
func (m *machine) bits(pattern uint64) value {
	return value{constant: m.pool.constant(m, pattern), shared: true}
}

// load returns v in registers: a constant is broadcast into one.
func (m *machine) load(v value) value {
	if !v.shared {
		return v
	}
	r := m.vector()
	broadcast.of(m)(m.Context, v.constant, r)
	return m.same(r)
}

// copy returns v in registers of its own.
func (m *machine) copy(v value) value {
	out := m.fresh()
	for i := range m.streams {
		if v.shared {
			broadcast.of(m)(m.Context, v.constant, out.at(i))
		} else {
			move.of(m)(m.Context, v.at(i), out.at(i))
		}
	}
	return out
}

// A pool holds the constants of one file.
type pool struct {
	symbols map[string]operand.Mem
}

// constant returns the place of a constant. AVX-512 broadcasts one element on
// loading; AVX2 needs a full vector.
func (p *pool) constant(m *machine, pattern uint64) operand.Mem {
	name := fmt.Sprintf("c%d_%x", 8*m.size(), pattern)
	if symbol, ok := p.symbols[name]; ok {
		return symbol
	}
	symbol := m.StaticGlobal(name)
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	copies := 1
	if !m.avx512 {
		copies = m.lanes()
	}
	for range copies {
		if m.double {
			m.AppendDatum(operand.U64(pattern))
		} else {
			m.AppendDatum(operand.U32(uint32(pattern)))
		}
	}
	p.symbols[name] = symbol
	return symbol
}

// laneMasks returns the place of one vector of ones followed by one of zeros,
// from which AVX2 loads the mask of a tail.
func (p *pool) laneMasks(m *machine) operand.Mem {
	const name = "laneMasks"
	if symbol, ok := p.symbols[name]; ok {
		return symbol
	}
	symbol := m.StaticGlobal(name)
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		m.AppendDatum(operand.U64(math.MaxUint64 * uint64(1-i/4)))
	}
	p.symbols[name] = symbol
	return symbol
}

// lowerHalf is the half of a register that has the same number.
func lowerHalf(r operand.Op) operand.Op {
	v := r.(reg.VecVirtual)
	if v.Size() == 64 {
		return v.AsY()
	}
	return v.AsX()
}

// bytesOfOne returns the place of 16 bytes of 1.
func (p *pool) bytesOfOne(m *machine) operand.Mem {
	const name = "bytesOfOne"
	if symbol, ok := p.symbols[name]; ok {
		return symbol
	}
	symbol := m.StaticGlobal(name)
	m.DataAttributes(attr.RODATA | attr.NOPTR)
	for range 2 {
		m.AppendDatum(operand.U64(0x0101010101010101))
	}
	p.symbols[name] = symbol
	return symbol
}
