package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// sumRows is the number of rows that are added at once, at most.
const sumRows = 4

// generateSums writes a function that adds a linear combination of rows to a
// vector.
func generateSums(set vectors, n number) {
	name := set.name + "Sums" + n.name
	TEXT(name, NOSPLIT, fmt.Sprintf("func(count, rows int, x, from *%[1]s, stride int, to *%[1]s)", n.word))
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds x[0] times the first row of count elements, and so on for 1 to %d rows", name, sumRows),
		"that are stride bytes apart, to a vector.")
	Load(Param("rows"), RAX)
	Load(Param("count"), RCX)
	Load(Param("x"), RSI)
	Load(Param("from"), RDI)
	Load(Param("stride"), RDX)
	Load(Param("to"), RBX)
	LEAQ(Mem{Base: RDI, Index: RDX, Scale: 2}, R8)
	ADDQ(RDX, R8)
	for rows := sumRows; rows > 0; rows-- {
		Label(fmt.Sprintf("rows%d", rows))
		if rows > 1 {
			CMPQ(RAX, Imm(uint64(rows)))
			JLT(LabelRef(fmt.Sprintf("rows%d", rows-1)))
		}
		sums{set, n, rows}.generate()
	}
}

// sums generates the code for one number of rows.
type sums struct {
	vectors
	number
	rows int
}

func (s sums) generate() {
	for row := range s.rows {
		s.broadcast(Mem{Base: RSI, Disp: row * s.number.bytes}, s.factor(row))
	}
	lanes := s.vectors.bytes / s.number.bytes
	s.loop("vectors", lanes, func() { s.step(s.load, s.multiplyAdd, func(v VecPhysical) VecPhysical { return v }) })
	s.loop("elements", 1, func() {
		s.step(s.loadScalar, s.multiplyAddScalar, func(v VecPhysical) VecPhysical { return v.AsX().(VecPhysical) })
	})
	VZEROUPPER()
	RET()
}

func (s sums) factor(row int) VecPhysical { return s.registers[1+row] }

// step handles a vector, or an element where narrow returns the part of the
// registers that is used.
func (s sums) step(load, multiplyAdd func(...Op), part func(VecPhysical) VecPhysical) {
	rows := []Mem{{Base: RDI}, {Base: RDI, Index: RDX, Scale: 1}, {Base: RDI, Index: RDX, Scale: 2}, {Base: R8}}
	sum := part(s.registers[0])
	load(Mem{Base: RBX}, sum)
	for row := range s.rows {
		multiplyAdd(rows[row], part(s.factor(row)), sum)
	}
	load(sum, Mem{Base: RBX})
}

// loop repeats body, which handles the given number of elements, while there
// are as many.
func (s sums) loop(name string, elements int, body func()) {
	label := fmt.Sprintf("%s%d", name, s.rows)
	Label(label)
	CMPQ(RCX, Imm(uint64(elements)))
	JLT(LabelRef(label + "End"))
	body()
	for _, pointer := range []GPPhysical{RBX, RDI, R8} {
		ADDQ(Imm(uint64(elements*s.number.bytes)), pointer)
	}
	SUBQ(Imm(uint64(elements)), RCX)
	JMP(LabelRef(label))
	Label(label + "End")
}
