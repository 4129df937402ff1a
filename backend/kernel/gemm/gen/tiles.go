package main

import (
	"fmt"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Registers of a tile function. C's are free until the sum is complete, when
// those of A and B are not needed any more.
var (
	aPointers = []GPPhysical{RSI, R8, R9, R10, R11} // each serves three rows
	aStride   = RDX
	bPointer  = RDI
	bStride   = RBX
	steps     = RCX
	cPointer  = R12
	cStride   = R13
	scratch   = RAX
	lastTurns = R14
	lanes     = K1
)

// tileWidth is the number of vectors in a row of a tile, at most.
const tileWidth = 2

// unroll is the number of steps of the sum in one turn of the loop.
const unroll = 2

// nearTurns is the number of turns that are left when C is prefetched: time
// enough, but not so much that A and B push it out of the cache again.
const nearTurns = 8

// tile generates code for one size of a tile of C.
type tile struct {
	vectors
	number
	rows, width int
	byRows      bool // A is read along its rows, not along its columns
}

// generateTiles writes the two functions that compute a tile of C, one for
// each way in which A may lie in memory.
func generateTiles(set vectors, n number) {
	for _, byRows := range []bool{true, false} {
		how, stride := "Columns", "steps of the sum"
		if byRows {
			how, stride = "Rows", "rows"
		}
		name := set.name + how + n.name
		TEXT(name, NOSPLIT, fmt.Sprintf(
			"func(rows, width, steps int, a *%[1]s, aStride int, b *%[1]s, bStride int, c *%[1]s, cStride int, alpha, beta %[1]s, mask uint64)", n.word))
		Pragma("noescape")
		Doc(fmt.Sprintf("%s computes a tile of C = alpha*A*B + beta*C of 1 to %d rows and 1 to %d vectors.", name, set.rows, tileWidth),
			fmt.Sprintf("aStride is the distance in bytes between two %s in A.", stride), maskNote(set))
		loadParameters(set)
		dispatch(set, how, n.name)
		for width := 1; width <= tileWidth; width++ {
			for rows := 1; rows <= set.rows; rows++ {
				t := tile{vectors: set, number: n, rows: rows, width: width, byRows: byRows}
				t.generate()
			}
		}
	}
}

func maskNote(set vectors) string {
	if set.masks {
		return "mask has a bit for each lane of the last vector that belongs to C."
	}
	return "All lanes of the last vector are read; those that mask has no bit for are not written if beta is zero."
}

func loadParameters(set vectors) {
	Load(Param("steps"), steps)
	Load(Param("a"), aPointers[0])
	Load(Param("aStride"), aStride)
	Load(Param("b"), bPointer)
	Load(Param("bStride"), bStride)
	Load(Param("c"), cPointer)
	Load(Param("cStride"), cStride)
	if set.masks {
		Load(Param("mask"), scratch)
		KMOVQ(scratch, lanes)
	}
}

// dispatch jumps to the code for the size of the tile; the largest, which is
// the most frequent, is found first.
func dispatch(set vectors, how, number string) {
	size := R15
	Load(Param("rows"), size)
	Load(Param("width"), scratch)
	CMPQ(scratch, Imm(1))
	JEQ(LabelRef("narrow"))
	for width := tileWidth; width >= 1; width-- {
		if width == 1 {
			Label("narrow")
		}
		for rows := set.rows; rows > 1; rows-- {
			CMPQ(size, Imm(uint64(rows)))
			JEQ(LabelRef(fmt.Sprintf("tile%dx%d", rows, width)))
		}
		JMP(LabelRef(fmt.Sprintf("tile1x%d", width)))
	}
}

func (t tile) label(part string) string {
	return fmt.Sprintf("%s%dx%d", part, t.rows, t.width)
}

// sum returns the register that holds one vector of the tile.
func (t tile) sum(row, column int) VecPhysical { return t.registers[row*t.width+column] }

// free returns a register that holds no part of the tile.
func (t tile) free(i int) VecPhysical { return t.registers[len(t.registers)-1-i] }

func (t tile) generate() {
	Label(t.label("tile"))
	t.prepare()
	MOVQ(steps, scratch)
	ANDQ(Imm(unroll-1), scratch)
	SHRQ(Imm(uint64(bits.Len(unroll)-1)), steps)
	JZ(LabelRef(t.label("rest")))
	// The last turns of the loop come after C has been prefetched.
	MOVQ(U32(nearTurns), lastTurns)
	CMPQ(steps, lastTurns)
	CMOVQLT(steps, lastTurns)
	SUBQ(lastTurns, steps)
	JZ(LabelRef(t.label("near")))
	t.loop("loop", steps, unroll)
	Label(t.label("near"))
	TESTQ(lastTurns, lastTurns)
	JZ(LabelRef(t.label("rest")))
	t.prefetch()
	MOVQ(lastTurns, steps)
	XORQ(lastTurns, lastTurns)
	JMP(LabelRef(t.label("loop")))
	Label(t.label("rest"))
	TESTQ(scratch, scratch)
	JZ(LabelRef(t.label("store")))
	t.loop("step", scratch, 1)
	Label(t.label("store"))
	t.store()
}

// prepare clears the sums and derives the pointers to A's rows.
func (t tile) prepare() {
	if t.byRows {
		for i := 1; 3*i < t.rows; i++ { // pointer i is at row 3i
			LEAQ(Mem{Base: aPointers[i-1], Index: aStride, Scale: 2}, aPointers[i])
			ADDQ(aStride, aPointers[i])
		}
	}
	for row := range t.rows {
		for column := range t.width {
			sum := t.sum(row, column)
			if t.masks {
				VPXORD(sum, sum, sum)
			} else {
				VXORPS(sum, sum, sum)
			}
		}
	}
}

// prefetch calls the tile of C into the cache.
func (t tile) prefetch() {
	MOVQ(cPointer, R15)
	for row := range t.rows {
		PREFETCHT0(Mem{Base: R15})
		if t.width*t.vectors.bytes > 64 {
			PREFETCHT0(Mem{Base: R15, Disp: 64})
		}
		if row+1 < t.rows {
			ADDQ(cStride, R15)
		}
	}
}

// loop adds count times the given number of steps to the sums.
func (t tile) loop(part string, count Register, unrolled int) {
	Label(t.label(part))
	for step := range unrolled {
		t.step(step)
	}
	if t.byRows {
		for i := 0; 3*i < t.rows; i++ {
			ADDQ(Imm(uint64(unrolled*t.number.bytes)), aPointers[i])
		}
	}
	DECQ(count)
	JNZ(LabelRef(t.label(part)))
}

// step adds the product of one column of A and one row of B.
func (t tile) step(step int) {
	for column := range t.width {
		t.loadVector(Mem{Base: bPointer, Disp: column * t.vectors.bytes}, t.free(column), column)
	}
	// The row of B that is used eight steps later.
	for line := 0; line < t.width*t.vectors.bytes; line += 64 {
		PREFETCHT0(Mem{Base: bPointer, Index: bStride, Scale: 8, Disp: line})
	}
	ADDQ(bStride, bPointer)
	for row := range t.rows {
		if t.masks && t.width == 1 {
			t.multiplyAddBroadcast(t.element(row, step), t.free(0), t.sum(row, 0))
			continue
		}
		element := t.free(tileWidth + row%2)
		t.broadcast(t.element(row, step), element)
		for column := range t.width {
			t.multiplyAdd(element, t.free(column), t.sum(row, column))
		}
	}
	if !t.byRows {
		ADDQ(aStride, aPointers[0])
	}
}

// element is the place of A's element in a row and a step of the loop.
func (t tile) element(row, step int) Mem {
	if !t.byRows {
		return Mem{Base: aPointers[0], Disp: row * t.number.bytes}
	}
	m := Mem{Base: aPointers[row/3], Disp: step * t.number.bytes}
	if row%3 > 0 {
		m.Index, m.Scale = aStride, uint8(row%3)
	}
	return m
}

// loadVector loads a vector; of the last in a row, the lanes in the mask.
func (t tile) loadVector(from Mem, to Op, column int) {
	if t.masks && column == t.width-1 {
		t.loadZeroed(from, lanes, to)
	} else {
		t.load(from, to)
	}
}

// store writes alpha times the sums plus beta times C to C, and returns. If
// beta is zero, C is not read.
func (t tile) store() {
	alpha, beta, old := t.free(0), t.free(1), t.free(2)
	address := func(name string) Mem {
		a, err := Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		return a.Addr
	}
	t.broadcast(address("alpha"), alpha)
	if t.number.bytes == 4 {
		MOVL(address("beta"), scratch.As32())
		ADDL(scratch.As32(), scratch.As32()) // drops the sign
	} else {
		MOVQ(address("beta"), scratch)
		ADDQ(scratch, scratch)
	}
	JZ(LabelRef(t.label("overwrite")))
	t.broadcast(address("beta"), beta)
	t.eachVector(func(place Mem, sum VecPhysical, column int) {
		t.loadVector(place, old, column)
		t.multiply(alpha, sum, sum)
		t.multiplyAdd(old, beta, sum)
	}, t.storeVector)
	Label(t.label("overwrite"))
	scaled := func(_ Mem, sum VecPhysical, _ int) { t.multiply(alpha, sum, sum) }
	if !t.masks {
		lanes := t.vectors.bytes / t.number.bytes
		MOVQ(address("mask"), scratch)
		POPCNTQ(scratch, scratch)
		CMPQ(scratch, Imm(uint64(lanes)))
		JEQ(LabelRef(t.label("whole")))
		t.eachVector(scaled, t.storePart)
		Label(t.label("whole"))
	}
	t.eachVector(scaled, t.storeVector)
}

// storeVector stores a vector; of the last in a row, the lanes in the mask.
func (t tile) storeVector(row, column int, sum VecPhysical, place Mem) {
	if t.masks && column == t.width-1 {
		t.storeMasked(sum, lanes, place)
	} else {
		t.load(sum, place)
	}
}

// storePart stores a vector; of the last in a row, as many elements as scratch
// says. Pieces of four, two and one take a third of the time of a masked store
// on some processors.
func (t tile) storePart(row, column int, sum VecPhysical, place Mem) {
	if column < t.width-1 {
		t.load(sum, place)
		return
	}
	at, label := R15, func(piece int) string { return t.label(fmt.Sprintf("row%dpiece%dof", row, piece)) }
	LEAQ(place, at)
	for piece := t.vectors.bytes / 2 / t.number.bytes; piece >= 1; piece /= 2 {
		TESTB(Imm(uint64(piece)), scratch.As8())
		JZ(LabelRef(label(piece)))
		low, bytes := sum.AsX(), piece*t.number.bytes
		switch bytes {
		case 16:
			VMOVUPS(low, Mem{Base: at})
			VEXTRACTF128(Imm(1), sum, low)
		case 8:
			VMOVSD(low, Mem{Base: at})
			VPERMILPD(Imm(1), low, low)
		case 4:
			VMOVSS(low, Mem{Base: at})
		}
		if piece > 1 {
			ADDQ(Imm(uint64(bytes)), at)
		}
		Label(label(piece))
	}
}

// eachVector applies compute to the vectors of the tile, row by row, stores
// them, and returns from the function.
func (t tile) eachVector(compute func(place Mem, sum VecPhysical, column int), store func(row, column int, sum VecPhysical, place Mem)) {
	for row := range t.rows {
		for column := range t.width {
			place := Mem{Base: cPointer, Disp: column * t.vectors.bytes}
			sum := t.sum(row, column)
			compute(place, sum, column)
			store(row, column, sum, place)
		}
		if row+1 < t.rows {
			ADDQ(cStride, cPointer)
		}
	}
	VZEROUPPER()
	RET()
}
