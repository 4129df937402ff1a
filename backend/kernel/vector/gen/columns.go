package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rowsAtOnce is how many rows a column kernel combines before it touches the
// accumulator.
const rowsAtOnce = 8

// column emits acc[j] = acc[j] o (x[0,j] o ... o x[7,j]) for groups of 8 rows.
func (f *file) column(name, doc string, combine func(m *machine, a, b value) value) {
	m := f.machine(2)
	m.function(name, fmt.Sprintf("func(acc, x []%s, groups, stride int)", f.element()), doc)
	columns := m.argument(m.Param("acc").Len())
	rows := m.argument(m.Param("x").Base())
	groups := m.argument(m.Param("groups"))
	stride := m.argument(m.Param("stride"))
	m.SHLQ(operand.U8(map[int]int{4: 2, 8: 3}[m.size()]), stride)
	thrice := m.GP64()
	m.LEAQ(operand.Mem{Base: stride, Index: stride, Scale: 2}, thrice)

	m.JMP(operand.LabelRef("groupTest"))
	m.Label("group")
	at := walk{acc: m.GP64(), upper: m.GP64(), lower: m.GP64(), stride: stride, thrice: thrice, left: m.GP64()}
	m.Load(m.Param("acc").Base(), at.acc)
	m.MOVQ(rows, at.upper)
	m.LEAQ(operand.Mem{Base: rows, Index: stride, Scale: 4}, at.lower)
	m.MOVQ(columns, at.left)
	m.columnSteps(at, combine)
	m.LEAQ(operand.Mem{Base: rows, Index: stride, Scale: 8}, rows)
	m.DECQ(groups)
	m.Label("groupTest")
	m.CMPQ(groups, operand.U32(0))
	m.JGT(operand.LabelRef("group"))
	m.VZEROUPPER()
	m.RET()
}

// A walk goes along the accumulator and 8 rows side by side.
type walk struct {
	acc, upper, lower, stride, thrice, left reg.GPVirtual
}

// row is the place of row i.
func (w walk) row(i int) operand.Mem {
	at := operand.Mem{Base: w.upper}
	if i >= 4 {
		at.Base = w.lower
	}
	switch i % 4 {
	case 1:
		at.Index, at.Scale = w.stride, 1
	case 2:
		at.Index, at.Scale = w.stride, 2
	case 3:
		at.Index, at.Scale = w.thrice, 1
	}
	return at
}

func (m *machine) columnSteps(at walk, combine func(m *machine, a, b value) value) {
	streams := m.streams
	step := streams * m.lanes()
	m.JMP(operand.LabelRef("columnsTest"))
	m.Label("columns")
	m.combineRows(at, combine, nil)
	m.advance(at, step)
	m.Label("columnsTest")
	m.CMPQ(at.left, operand.U32(step))
	m.JGE(operand.LabelRef("columns"))

	m.streams = 1
	m.JMP(operand.LabelRef("restTest"))
	m.Label("rest")
	m.combineRows(at, combine, m.firstLanes(m.laneCount(at.left)))
	m.advance(at, m.lanes())
	m.Label("restTest")
	m.CMPQ(at.left, operand.U32(0))
	m.JGT(operand.LabelRef("rest"))
	m.streams = streams
}

func (m *machine) advance(at walk, elements int) {
	for _, pointer := range []reg.GPVirtual{at.acc, at.upper, at.lower} {
		m.ADDQ(operand.U32(elements*m.size()), pointer)
	}
	m.SUBQ(operand.U32(elements), at.left)
}

// combineRows combines in pairs, pairs of pairs, and so on.
func (m *machine) combineRows(at walk, combine func(m *machine, a, b value) value, where operand.Op) {
	var tree func(first, count int) value
	tree = func(first, count int) value {
		if count == 1 {
			return m.loadAt(at.row(first), where)
		}
		left := tree(first, count/2)
		return combine(m, left, tree(first+count/2, count/2))
	}
	acc := operand.Mem{Base: at.acc}
	result := combine(m, m.loadAt(acc, where), tree(0, rowsAtOnce))
	for i := range m.streams {
		place := acc.Offset(i * m.vectorBytes())
		switch {
		case where == nil:
			unaligned.of(m)(m.Context, result.at(i), place)
		case m.avx512:
			unaligned.of(m)(m.Context, result.at(i), where, place)
		default:
			masked.of(m)(m.Context, result.at(i), where, place)
		}
	}
}

// loadAt loads the streams from memory, or the lanes of one.
func (m *machine) loadAt(place operand.Mem, where operand.Op) value {
	v := m.fresh()
	for i := range m.streams {
		from := place.Offset(i * m.vectorBytes())
		switch {
		case where == nil:
			unaligned.of(m)(m.Context, from, v.at(i))
		case m.avx512:
			zeroing.of(m)(m.Context, from, where, v.at(i))
		default:
			masked.of(m)(m.Context, from, where, v.at(i))
		}
	}
	return v
}

// columns emits the column kernels.
func (f *file) columns() {
	for _, k := range []struct {
		op, base string
		combine  func(m *machine, a, b value) value
	}{
		{"Sum", "ColumnSums", (*machine).add},
		{"Product", "ColumnProducts", (*machine).mul},
		{"Largest", "ColumnMaxima", (*machine).larger},
		{"Smallest", "ColumnMinima", (*machine).smaller},
	} {
		f.column(f.name(k.base), "folds groups of 8 rows of x into acc.", k.combine)
		f.enter("columns["+k.op+"]", f.name(k.base))
	}
}
