package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose emits the transposition of a strip of square tiles, 8 by 8 of
// float32 or 4 by 4 of float64, which is best done in 256-bit registers.
func (f *file) transpose() {
	m := f.machine(1)
	name := f.name("TransposeStrip")
	m.function(name, fmt.Sprintf("func(dst, src []%s, tiles, dstStride, srcStride int)", f.element()),
		"transposes tiles that lie below each other in src and beside each other in dst.")
	dst := m.argument(m.Param("dst").Base())
	src := m.argument(m.Param("src").Base())
	tiles := m.argument(m.Param("tiles"))
	to := tileRows{base: dst, stride: m.argument(m.Param("dstStride"))}
	from := tileRows{base: src, stride: m.argument(m.Param("srcStride"))}
	side := 8
	if m.double {
		side = 4
	}
	m.prepare(&to)
	m.prepare(&from)
	m.JMP(operand.LabelRef("test"))
	m.Label("loop")
	m.startTile(&to)
	m.startTile(&from)
	if m.double {
		m.tile64(to, from)
	} else {
		m.tile32(to, from)
	}
	m.ADDQ(operand.U32(side*m.size()), dst)
	m.LEAQ(operand.Mem{Base: src, Index: from.stride, Scale: uint8(side)}, src)
	m.DECQ(tiles)
	m.Label("test")
	m.CMPQ(tiles, operand.U32(0))
	m.JGT(operand.LabelRef("loop"))
	m.VZEROUPPER()
	m.RET()
	f.enter("transposeStrip", name)
}

// tileRows addresses the rows of a tile.
type tileRows struct {
	base, lower, stride, thrice reg.GPVirtual // stride and thrice in bytes
}

func (m *machine) prepare(rows *tileRows) {
	m.SHLQ(operand.U8(map[int]int{4: 2, 8: 3}[m.size()]), rows.stride)
	rows.thrice, rows.lower = m.GP64(), m.GP64()
	m.LEAQ(operand.Mem{Base: rows.stride, Index: rows.stride, Scale: 2}, rows.thrice)
}

func (m *machine) startTile(rows *tileRows) {
	m.LEAQ(operand.Mem{Base: rows.base, Index: rows.stride, Scale: 4}, rows.lower)
}

// row is the place of row i.
func (r tileRows) row(i int) operand.Mem {
	return walk{upper: r.base, lower: r.lower, stride: r.stride, thrice: r.thrice}.row(i)
}

func (m *machine) ymms(count int) []reg.VecVirtual {
	out := make([]reg.VecVirtual, count)
	for i := range out {
		out[i] = m.YMM()
	}
	return out
}

// tile32 transposes 8 by 8: halves of rows i and i+4 side by side, then pairs
// and quads within the halves.
func (m *machine) tile32(to, from tileRows) {
	halves := m.ymms(8)
	for i := range 4 {
		for side := range 2 {
			r := halves[i+4*side]
			m.VMOVUPS(from.row(i).Offset(16*side), r.AsX())
			m.VINSERTF128(operand.U8(1), from.row(i+4).Offset(16*side), r, r)
		}
	}
	for side := range 2 {
		r := halves[4*side:]
		pairs := m.ymms(4)
		m.VUNPCKLPS(r[1], r[0], pairs[0])
		m.VUNPCKHPS(r[1], r[0], pairs[1])
		m.VUNPCKLPS(r[3], r[2], pairs[2])
		m.VUNPCKHPS(r[3], r[2], pairs[3])
		for i := range 2 {
			even, odd := m.YMM(), m.YMM()
			m.VUNPCKLPD(pairs[2+i], pairs[i], even)
			m.VUNPCKHPD(pairs[2+i], pairs[i], odd)
			m.VMOVUPS(even, to.row(4*side+2*i))
			m.VMOVUPS(odd, to.row(4*side+2*i+1))
		}
	}
}

// tile64 transposes 4 by 4.
func (m *machine) tile64(to, from tileRows) {
	halves := m.ymms(4)
	for i := range 2 {
		for side := range 2 {
			r := halves[i+2*side]
			m.VMOVUPD(from.row(i).Offset(16*side), r.AsX())
			m.VINSERTF128(operand.U8(1), from.row(i+2).Offset(16*side), r, r)
		}
	}
	for side := range 2 {
		even, odd := m.YMM(), m.YMM()
		m.VUNPCKLPD(halves[2*side+1], halves[2*side], even)
		m.VUNPCKHPD(halves[2*side+1], halves[2*side], odd)
		m.VMOVUPD(even, to.row(2*side))
		m.VMOVUPD(odd, to.row(2*side+1))
	}
}
