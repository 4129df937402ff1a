package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A conversion kernel turns 16 elements a step into another type; the Go code
// around it does the rest.
type conversion struct {
	name     string
	from, to string // Go types
	fromSize int
	toSize   int
	only512  bool
	// register turns what lies at the place into one register of results.
	register func(m *machine, from operand.Mem) reg.VecVirtual
	// store writes it; nil means a register of full width.
	store func(m *machine, result reg.VecVirtual, to operand.Mem)
}

// conversions emits the kernels for one instruction set.
func (f *file) conversions() {
	for _, c := range []conversion{
		{name: "Float32ToFloat64", from: "float32", to: "float64", fromSize: 4, toSize: 8, register: emit((*context).VCVTPS2PD)},
		{name: "Float64ToFloat32", from: "float64", to: "float32", fromSize: 8, toSize: 4, register: float64ToFloat32, store: storeHalf},
		{name: "Int32ToFloat32", from: "int32", to: "float32", fromSize: 4, toSize: 4, register: emit((*context).VCVTDQ2PS)},
		{name: "Int32ToFloat64", from: "int32", to: "float64", fromSize: 4, toSize: 8, register: emit((*context).VCVTDQ2PD)},
		{name: "Int64ToFloat32", from: "int64", to: "float32", fromSize: 8, toSize: 4, only512: true, register: int64ToFloat32, store: storeHalf},
		{name: "Int64ToFloat64", from: "int64", to: "float64", fromSize: 8, toSize: 8, only512: true, register: emit((*context).VCVTQQ2PD)},
		{name: "BoolToFloat32", from: "bool", to: "float32", fromSize: 1, toSize: 4, register: boolToFloat32},
		{name: "BoolToFloat64", from: "bool", to: "float64", fromSize: 1, toSize: 8, register: boolToFloat64},
		{name: "Float16ToFloat32", from: "uint16", to: "float32", fromSize: 2, toSize: 4, register: emit((*context).VCVTPH2PS)},
		{name: "Float32ToFloat16", from: "float32", to: "uint16", fromSize: 4, toSize: 2, register: float32ToFloat16, store: storeHalf},
		{name: "BFloat16ToFloat32", from: "uint16", to: "float32", fromSize: 2, toSize: 4, register: bfloat16ToFloat32},
		{name: "Float32ToBFloat16", from: "float32", to: "uint16", fromSize: 4, toSize: 2, only512: true, register: float32ToBFloat16, store: storeHalf},
	} {
		if f.avx512 || !c.only512 {
			f.conversion(c)
		}
	}
}

func (f *file) conversion(c conversion) {
	m := f.machine(1)
	set := map[bool]string{false: "AVX2", true: "AVX512"}[f.avx512]
	m.function(c.name+set, fmt.Sprintf("func(dst []%s, x []%s)", c.to, c.from),
		"sets dst[i] to x[i] converted, in whole steps of 16.")
	s := m.slices("dst", "x")
	// A register of the wider type holds this many elements.
	atOnce := m.vectorBytes() / max(c.fromSize, c.toSize)
	end := m.GP64()
	m.MOVQ(s.count, end)
	m.ANDQ(operand.I32(-16), end)
	m.JMP(operand.LabelRef("test"))
	m.Label("loop")
	for done := 0; done < 16; done += atOnce {
		result := c.register(m, s.bases[1].Idx(s.index, uint8(c.fromSize)).Offset(done*c.fromSize))
		to := s.bases[0].Idx(s.index, uint8(c.toSize)).Offset(done * c.toSize)
		if c.store != nil {
			c.store(m, result, to)
		} else {
			m.VMOVUPS(result, to)
		}
	}
	m.ADDQ(operand.U32(16), s.index)
	m.Label("test")
	m.CMPQ(s.index, end)
	m.JLT(operand.LabelRef("loop"))
	m.VZEROUPPER()
	m.RET()
	f.table = append(f.table, fmt.Sprintf("k.%s = whole(avx.%s, k.%[1]s)", lowerFirst(c.name), c.name+set))
}

func lowerFirst(s string) string { return string(s[0]|0x20) + s[1:] }

// emit adapts an instruction from memory to a register.
func emit(f form) func(m *machine, from operand.Mem) reg.VecVirtual {
	return func(m *machine, from operand.Mem) reg.VecVirtual {
		out := m.vector()
		f(m.Context, from, out)
		return out
	}
}

// half is the register of half the width.
func (m *machine) half() reg.VecVirtual {
	if m.avx512 {
		return m.YMM()
	}
	return m.XMM()
}

func storeHalf(m *machine, result reg.VecVirtual, to operand.Mem) { m.VMOVUPS(result, to) }

func float64ToFloat32(m *machine, from operand.Mem) reg.VecVirtual {
	out := m.half()
	if m.avx512 {
		m.VCVTPD2PS(from, out)
	} else {
		m.VCVTPD2PSY(from, out)
	}
	return out
}

func int64ToFloat32(m *machine, from operand.Mem) reg.VecVirtual {
	out := m.half()
	m.VCVTQQ2PS(from, out)
	return out
}

func boolToFloat32(m *machine, from operand.Mem) reg.VecVirtual {
	out := m.vector()
	m.VPMOVZXBD(from, out)
	m.VCVTDQ2PS(out, out)
	return out
}

func boolToFloat64(m *machine, from operand.Mem) reg.VecVirtual {
	narrow, out := m.half(), m.vector()
	m.VPMOVZXBD(from, narrow)
	m.VCVTDQ2PD(narrow, out)
	return out
}

func float32ToFloat16(m *machine, from operand.Mem) reg.VecVirtual {
	in, out := m.vector(), m.half()
	m.VMOVUPS(from, in)
	m.VCVTPS2PH(operand.U8(0), in, out)
	return out
}

func bfloat16ToFloat32(m *machine, from operand.Mem) reg.VecVirtual {
	out := m.vector()
	m.VPMOVZXWD(from, out)
	m.VPSLLD(operand.U8(16), out, out)
	return out
}

// float32ToBFloat16 adds half of the last bit kept, less one if that bit is
// even, and drops the lower half; NaN keeps its sign and becomes quiet.
func float32ToBFloat16(m *machine, from operand.Mem) reg.VecVirtual {
	in := m.vector()
	m.VMOVUPS(from, in)
	bits := m.same(in)
	last := m.vector()
	m.VPSRLD(operand.U8(16), in, last)
	odd := m.and(m.same(last), m.bits(1))
	rounded := m.addBits(m.addBits(bits, odd), m.bits(0x7fff))
	quiet := m.or(bits, m.bits(0x400000))
	result := m.choose(m.compare(unordered, bits, bits), quiet, rounded).at(0)
	out := m.half()
	m.VPSRLD(operand.U8(16), result, last)
	m.VPMOVDW(last, out)
	return out
}
