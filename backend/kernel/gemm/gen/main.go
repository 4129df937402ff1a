// Command gen writes the assembly of package gemm. It is a module of its own,
// so that its dependency avo is none of the package's.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// number describes an element type and the instructions for it.
type number struct {
	name  string // in the names of functions
	word  string // in Go
	bytes int

	load, storeMasked, broadcast  func(...Op)
	multiply, add, multiplyAdd    func(...Op)
	multiplyAddBroadcast          func(...Op)
	loadScalar, multiplyAddScalar func(...Op)
	loadZeroed                    func(_, _, _ Op)
}

var numbers = []number{
	{
		name: "Float32", word: "float32", bytes: 4,
		load: VMOVUPS, loadZeroed: VMOVUPS_Z, storeMasked: VMOVUPS,
		broadcast: VBROADCASTSS, multiply: VMULPS, add: VADDPS,
		multiplyAdd: VFMADD231PS, multiplyAddBroadcast: VFMADD231PS_BCST,
		loadScalar: VMOVSS, multiplyAddScalar: VFMADD231SS,
	},
	{
		name: "Float64", word: "float64", bytes: 8,
		load: VMOVUPD, loadZeroed: VMOVUPD_Z, storeMasked: VMOVUPD,
		broadcast: VBROADCASTSD, multiply: VMULPD, add: VADDPD,
		multiplyAdd: VFMADD231PD, multiplyAddBroadcast: VFMADD231PD_BCST,
		loadScalar: VMOVSD, multiplyAddScalar: VFMADD231SD,
	},
}

// vectors describes the vector registers of an instruction set.
type vectors struct {
	name      string // prefix of the functions
	bytes     int
	registers []VecPhysical
	masks     bool // loads and stores of some lanes only
	rows      int  // of a tile of C, at most
}

var sets = []vectors{
	{name: "avx512", bytes: 64, masks: true, rows: 14, registers: []VecPhysical{
		Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15,
		Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
	}},
	{name: "avx2", bytes: 32, rows: 6, registers: []VecPhysical{
		Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15,
	}},
}

func main() {
	for _, set := range sets {
		for _, n := range numbers {
			generateTiles(set, n)
			generateDots(set, n)
			generateSums(set, n)
		}
	}
	generateTranspose(numbers[0])
	generateTranspose(numbers[1])
	generateCopyRows()
	Generate()
}
