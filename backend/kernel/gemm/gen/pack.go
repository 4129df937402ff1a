package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// generateTranspose writes a function that transposes blocks of as many lines
// as a 256-bit vector has lanes: 8 of float32 or 4 of float64.
func generateTranspose(n number) {
	lanes := 32 / n.bytes
	TEXT("transpose"+n.name, NOSPLIT, fmt.Sprintf("func(blocks, lines int, from *%[1]s, fromStride int, to *%[1]s, toStride int)", n.word))
	Pragma("noescape")
	Doc(fmt.Sprintf("transpose%s writes %d columns for each block, of 1 to %[2]d lines, as rows of %[2]d elements; the", n.name, lanes),
		"strides are in bytes. Where a line is missing the rows have the last line's elements.")
	blocks, lines, fromStride, to, toStride, at := RCX, RAX, RDX, RDI, RBX, RAX
	pointers := []GPPhysical{RSI, R8, R9, R10, R11, R12, R13, R15}[:lanes]
	Load(Param("blocks"), blocks)
	Load(Param("lines"), lines)
	Load(Param("from"), pointers[0])
	Load(Param("fromStride"), fromStride)
	Load(Param("to"), to)
	Load(Param("toStride"), toStride)
	for i := 1; i < lanes; i++ {
		MOVQ(pointers[i-1], pointers[i])
		CMPQ(lines, Imm(uint64(i)))
		JLE(LabelRef(fmt.Sprintf("missing%d", i)))
		ADDQ(fromStride, pointers[i])
		Label(fmt.Sprintf("missing%d", i))
	}
	XORQ(at, at)
	TESTQ(blocks, blocks)
	JZ(LabelRef("done"))
	Label("block")
	for half := range 2 { // 16 bytes of each line
		loaded := []VecPhysical{Y0, Y1, Y2, Y3}[:lanes/2]
		for i, y := range loaded {
			from := func(line int) Mem { return Mem{Base: pointers[line], Index: at, Scale: 1, Disp: 16 * half} }
			VMOVUPS(from(i), y.AsX())
			VINSERTF128(Imm(1), from(i+lanes/2), y, y)
		}
		for _, y := range transposed(loaded) {
			VMOVUPS(y, Mem{Base: to})
			ADDQ(toStride, to)
		}
	}
	ADDQ(Imm(32), at)
	DECQ(blocks)
	JNZ(LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

// transposed transposes the registers' 128-bit halves.
func transposed(rows []VecPhysical) []VecPhysical {
	if len(rows) == 2 {
		VUNPCKLPD(rows[1], rows[0], Y4)
		VUNPCKHPD(rows[1], rows[0], Y5)
		return []VecPhysical{Y4, Y5}
	}
	for i := range 2 {
		VUNPCKLPS(rows[2*i+1], rows[2*i], []VecPhysical{Y4, Y5}[i])
		VUNPCKHPS(rows[2*i+1], rows[2*i], []VecPhysical{Y6, Y7}[i])
	}
	VUNPCKLPD(Y5, Y4, Y0)
	VUNPCKHPD(Y5, Y4, Y1)
	VUNPCKLPD(Y7, Y6, Y2)
	VUNPCKHPD(Y7, Y6, Y3)
	return []VecPhysical{Y0, Y1, Y2, Y3}
}

// generateCopyRows writes a function that copies rows of 32, 64, 96 or 128 bytes.
func generateCopyRows() {
	TEXT("copyRows", NOSPLIT, "func(rows, width int, from *byte, fromStride int, to *byte, toStride int)")
	Pragma("noescape")
	Doc("copyRows copies rows of 1 to 4 times 32 bytes (width); the strides are in bytes.")
	rows, width, from, fromStride, to, toStride := RCX, RAX, RSI, RDX, RDI, RBX
	Load(Param("rows"), rows)
	Load(Param("width"), width)
	Load(Param("from"), from)
	Load(Param("fromStride"), fromStride)
	Load(Param("to"), to)
	Load(Param("toStride"), toStride)
	TESTQ(rows, rows)
	JZ(LabelRef("done"))
	Label("row")
	for i, y := range []VecPhysical{Y0, Y1, Y2, Y3} {
		VMOVUPS(Mem{Base: from, Disp: 32 * i}, y)
		VMOVUPS(y, Mem{Base: to, Disp: 32 * i})
		if i < 3 {
			CMPQ(width, Imm(uint64(i+1)))
			JEQ(LabelRef("next"))
		}
	}
	Label("next")
	ADDQ(fromStride, from)
	ADDQ(toStride, to)
	DECQ(rows)
	JNZ(LabelRef("row"))
	Label("done")
	VZEROUPPER()
	RET()
}
