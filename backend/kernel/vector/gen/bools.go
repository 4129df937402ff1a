package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
)

// The kernels of this file work on whole steps of 16 elements; the Go code
// around them does the rest.
const boolStep = 16

// comparisons emits dst[i] = a[i] ? b[i] for slices and for one b.
func (f *file) comparisons() {
	for _, k := range []struct {
		name, field string
		predicate   uint8
		scalarOnly  bool // the slices are exchanged instead
	}{
		{name: "Equal", predicate: equal}, {name: "NotEqual", predicate: notEqual},
		{name: "Less", predicate: less}, {name: "LessEqual", predicate: lessEqual},
		{name: "Greater", predicate: greater, scalarOnly: true},
		{name: "GreaterEqual", predicate: greaterEqual, scalarOnly: true},
	} {
		if !k.scalarOnly {
			f.comparison(f.name(k.name), k.predicate, false)
			f.wrap("compare["+k.name+"]", "wholeCompare", f.name(k.name))
		}
		f.comparison(f.name(k.name+"Scalar"), k.predicate, true)
		f.wrap("compareScalar["+k.name+"]", "wholeCompareScalar", f.name(k.name+"Scalar"))
	}
}

// wrap enters a kernel of whole steps, with the field's present function for
// the rest.
func (f *file) wrap(field, wrapper, kernel string) {
	f.table = append(f.table, fmt.Sprintf("k.%s = %s(avx.%s, k.%s)", field, wrapper, kernel, field))
}

func (f *file) comparison(name string, predicate uint8, scalar bool) {
	m := f.machine(boolStep * f.elementSize() / f.vectorBytes())
	second, doc := "b []", "sets dst[i] to whether it holds between a[i] and b[i], in whole steps of 16."
	if scalar {
		second, doc = "b ", "sets dst[i] to whether it holds between a[i] and b, in whole steps of 16."
	}
	m.function(name, fmt.Sprintf("func(dst []bool, a []%s, %s%[1]s)", f.element(), second), doc)
	names := []string{"dst", "a", "b"}
	var b value
	if scalar {
		b, names = m.same(m.scalar("b")), names[:2]
	}
	s := m.slices(names...)
	s.whole("loop", func() {
		if !scalar {
			b = s.read(2)
		}
		s.writeBools(s.compare(predicate, s.read(1), b))
	})
	m.VZEROUPPER()
	m.RET()
}

// writeBools stores a mask as bytes of 0 and 1.
func (s *span) writeBools(where mask) {
	ones := s.pool.bytesOfOne(s.machine)
	for i, lanes := range where {
		place, bytes := s.place(0, i, 1), s.XMM()
		if s.avx512 {
			s.VMOVDQU8_Z(ones, lanes, bytes)
		} else {
			s.packBytes(lanes, bytes)
			s.VPAND(ones, bytes, bytes)
		}
		switch s.lanes() {
		case 16:
			s.VMOVDQU(bytes, place)
		case 8:
			s.VMOVQ(bytes, place)
		default:
			s.VMOVD(bytes, place)
		}
	}
}

// packBytes narrows an AVX2 mask to one byte a lane.
func (s *span) packBytes(lanes operand.Op, bytes operand.Op) {
	upper := s.XMM()
	s.VEXTRACTF128(operand.U8(1), lanes, upper)
	if s.double {
		s.VSHUFPS(operand.U8(0x88), upper, lowerHalf(lanes), bytes)
		s.VPACKSSDW(bytes, bytes, bytes)
	} else {
		s.VPACKSSDW(upper, lowerHalf(lanes), bytes)
	}
	s.VPACKSSWB(bytes, bytes, bytes)
}

// selection emits dst[i] = mask[i] ? a[i] : b[i].
func (f *file) selection() {
	m := f.machine(boolStep * f.elementSize() / f.vectorBytes())
	name := f.name("Select")
	m.function(name, fmt.Sprintf("func(dst []%s, mask []bool, a, b []%[1]s)", f.element()),
		"sets dst[i] to a[i] where mask[i] is true and to b[i] elsewhere, in whole steps of 16.")
	s := m.slices("dst", "mask", "a", "b")
	s.whole("loop", func() {
		where := s.readBools(1)
		s.write(0, s.choose(where, s.read(2), s.read(3)))
	})
	m.VZEROUPPER()
	m.RET()
	f.wrap("choose", "wholeSelect", name)
}

// readBools loads bytes of 0 and 1 as a mask.
func (s *span) readBools(slice int) mask {
	out := make(mask, s.streams)
	for i := range out {
		place := s.place(slice, i, 1)
		if !s.avx512 {
			lanes := s.YMM()
			if s.double {
				s.VPMOVZXBQ(place, lanes)
				s.VPSLLQ(operand.U8(63), lanes, lanes)
			} else {
				s.VPMOVZXBD(place, lanes)
				s.VPSLLD(operand.U8(31), lanes, lanes)
			}
			out[i] = lanes
			continue
		}
		bytes, lanes := s.XMM(), s.K()
		if s.double {
			s.VMOVQ(place, bytes)
		} else {
			s.VMOVDQU(place, bytes)
		}
		s.VPTESTMB(bytes, bytes, lanes)
		out[i] = lanes
	}
	return out
}

// find emits the search for the first element equal to a value.
func (f *file) find() {
	m := f.machine(1)
	name := f.name("Find")
	m.function(name, fmt.Sprintf("func(x []%s, value %[1]s) int", f.element()),
		"returns the index of the first element equal to value, or len(x).")
	value := m.same(m.scalar("value"))
	s := m.slices("x")
	found := m.GP64()
	look := func(v operand.Op) {
		lanes := s.compare(equal, m.same(v), value)[0]
		if m.avx512 {
			m.KMOVW(lanes, found.As32())
		} else {
			signs.of(m)(m.Context, lanes, found.As32())
		}
		m.TESTL(found.As32(), found.As32())
		m.JNZ(operand.LabelRef("found"))
	}
	s.whole("loop", func() { look(s.read(0).at(0)) })
	s.rest("tail", func(where operand.Op) { look(s.readMasked(0, where).at(0)) })
	m.MOVQ(s.count, s.index)
	m.JMP(operand.LabelRef("return"))
	m.Label("found")
	m.TZCNTQ(found, found)
	m.ADDQ(found, s.index)
	m.CMPQ(s.index, s.count) // a masked lane holds 0
	m.CMOVQGT(s.count, s.index)
	m.Label("return")
	m.VZEROUPPER()
	m.Store(s.index, m.ReturnIndex(0))
	m.RET()
	f.enter("find", name)
}

// elementSize is the width of an element in bytes.
func (f *file) elementSize() int { return f.machine(1).size() }

// vectorBytes is the width of a register.
func (f *file) vectorBytes() int { return f.machine(1).vectorBytes() }
