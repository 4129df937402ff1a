package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// dotRows is the number of rows whose products with a vector are summed at
// once; each has dotChains sums, so that the additions need not wait.
const (
	dotRows   = 4
	dotChains = 2
)

// dots generates a function of dotRows dot products with one vector.
type dots struct {
	vectors
	number
	x, stride, count GPPhysical
	rows             []Mem
}

func generateDots(set vectors, n number) {
	name := set.name + "Dots" + n.name
	TEXT(name, NOSPLIT, fmt.Sprintf("func(count int, x, rows *%[1]s, stride int, sums *[%[2]d]%[1]s)", n.word, dotRows))
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes the dot products of x with %d rows of count elements, stride bytes apart.", name, dotRows))
	d := dots{vectors: set, number: n, x: RSI, stride: RDX, count: RCX}
	Load(Param("count"), d.count)
	Load(Param("x"), d.x)
	Load(Param("rows"), RDI)
	Load(Param("stride"), d.stride)
	LEAQ(Mem{Base: RDI, Index: d.stride, Scale: 2}, R8)
	ADDQ(d.stride, R8)
	d.rows = []Mem{{Base: RDI}, {Base: RDI, Index: d.stride, Scale: 1}, {Base: RDI, Index: d.stride, Scale: 2}, {Base: R8}}
	d.generate()
}

func (d dots) sum(row, chain int) VecPhysical { return d.registers[row*dotChains+chain] }

// loaded holds a vector of x.
func (d dots) loaded(chain int) VecPhysical { return d.registers[dotRows*dotChains+chain] }

func (d dots) generate() {
	for i := range dotRows * dotChains {
		VXORPS(d.registers[i].AsY(), d.registers[i].AsY(), d.registers[i].AsY())
	}
	lanes := d.vectors.bytes / d.number.bytes
	d.loop("pairs", dotChains*lanes, func() {
		for chain := range dotChains {
			d.addVector(chain, func(m Mem, to Op) { d.load(m, to) })
		}
	})
	for row := range dotRows {
		d.add(d.sum(row, 1), d.sum(row, 0), d.sum(row, 0))
	}
	d.loop("vectors", lanes, func() {
		d.addVector(0, func(m Mem, to Op) { d.load(m, to) })
	})
	for row := range dotRows {
		d.fold(d.sum(row, 0), d.loaded(0))
	}
	d.loop("elements", 1, func() {
		x := d.loaded(0).AsX()
		d.loadScalar(Mem{Base: d.x}, x)
		for row := range dotRows {
			d.multiplyAddScalar(d.rows[row], x, d.sum(row, 0).AsX())
		}
	})
	Load(Param("sums"), R9)
	for row := range dotRows {
		d.loadScalar(d.sum(row, 0).AsX(), Mem{Base: R9, Disp: row * d.number.bytes})
	}
	VZEROUPPER()
	RET()
}

// loop repeats body, which handles the given number of elements, while there
// are as many.
func (d dots) loop(label string, elements int, body func()) {
	Label(label)
	CMPQ(d.count, Imm(uint64(elements)))
	JLT(LabelRef(label + "End"))
	body()
	ADDQ(Imm(uint64(elements*d.number.bytes)), d.x)
	ADDQ(Imm(uint64(elements*d.number.bytes)), RDI)
	ADDQ(Imm(uint64(elements*d.number.bytes)), R8)
	SUBQ(Imm(uint64(elements)), d.count)
	JMP(LabelRef(label))
	Label(label + "End")
}

func (d dots) addVector(chain int, load func(Mem, Op)) {
	x := d.loaded(chain)
	offset := chain * d.vectors.bytes
	load(Mem{Base: d.x, Disp: offset}, x)
	for row := range dotRows {
		place := d.rows[row]
		place.Disp = offset
		d.multiplyAdd(place, x, d.sum(row, chain))
	}
}

// fold adds up the lanes of a vector into its first one.
func (d dots) fold(sum, free VecPhysical) {
	if d.masks {
		VEXTRACTF64X4(Imm(1), sum, free.AsY())
		d.add(free.AsY(), sum.AsY(), sum.AsY())
	}
	VEXTRACTF128(Imm(1), sum.AsY(), free.AsX())
	d.add(free.AsX(), sum.AsX(), sum.AsX())
	VPERMILPD(Imm(1), sum.AsX(), free.AsX())
	d.add(free.AsX(), sum.AsX(), sum.AsX())
	if d.number.bytes == 4 {
		VMOVSHDUP(sum.AsX(), free.AsX())
		d.add(free.AsX(), sum.AsX(), sum.AsX())
	}
}
