package ops

import (
	"fmt"
	"unsafe"

	"github.com/descentml/descent/backend/tensor"
)

// A word is what operations that only move elements see of them: their size.
type word interface {
	uint8 | uint16 | uint32 | uint64 | [2]uint64
}

// words returns the elements of t as words of their size.
func words[W word](t tensor.Tensor) []W {
	memory := t.Bytes()
	var w W
	return unsafe.Slice((*W)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/int(unsafe.Sizeof(w)))
}

// checkMovable returns an error if the elements of t are not whole bytes.
func checkMovable(op string, t tensor.Tensor) error {
	if t.Shape.DType.IsPacked() {
		return fmt.Errorf("%s: not defined for packed data type %s, convert it first", op, t.Shape.DType)
	}
	return nil
}

// sameMemory tells whether two tensors start at the same address.
func sameMemory(a, b tensor.Tensor) bool {
	return unsafe.SliceData(a.Bytes()) == unsafe.SliceData(b.Bytes())
}

// copyAll copies the elements of in to out, which has the same size in bytes.
func copyAll(out, in tensor.Tensor) {
	if !sameMemory(out, in) {
		copy(out.Bytes(), in.Bytes())
	}
}

// A region is a set of elements of a tensor: where it starts and how far apart
// neighbours are along each axis.
type region struct {
	tensor  tensor.Tensor
	start   int
	strides []int
}

// whole is the region of all elements of t.
func whole(t tensor.Tensor) region {
	return region{tensor: t, strides: rowMajor(t.Shape.Dimensions)}
}

// move copies the region in, of the given dimensions, to the region out.
func move(out, in region, dimensions []int) {
	n := newNest(dimensions, out.strides, in.strides)
	moveNest(out, in, n)
}

// moveNest is move with the loop nest already made for (out, in).
func moveNest(out, in region, n nest) {
	switch out.tensor.Shape.DType.Size() {
	case 1:
		moveWords[uint8](out, in, n)
	case 2:
		moveWords[uint16](out, in, n)
	case 4:
		moveWords[uint32](out, in, n)
	case 8:
		moveWords[uint64](out, in, n)
	case 16:
		moveWords[[2]uint64](out, in, n)
	}
}

func moveWords[W word](out, in region, n nest) {
	to, from := words[W](out.tensor), words[W](in.tensor)
	offsets := []int{out.start, in.start}
	length, toStep, fromStep := n.length(), n.step(0), n.step(1)
	switch {
	case toStep == 1 && fromStep == 1:
		n.rows(offsets, func() {
			copy(to[offsets[0]:offsets[0]+length], from[offsets[1]:])
		})
	case toStep == 1 && fromStep == 0:
		n.rows(offsets, func() {
			fill(to[offsets[0]:offsets[0]+length], from[offsets[1]])
		})
	case toStep == 1 && n.contiguousAxis(1) >= 0:
		moveTransposed(to, from, offsets, n)
	default:
		n.rows(offsets, func() {
			o, i := offsets[0], offsets[1]
			for range length {
				to[o] = from[i]
				o += toStep
				i += fromStep
			}
		})
	}
}

// fill sets every element of row to value.
func fill[T any](row []T, value T) {
	for i := range row {
		row[i] = value
	}
}

// contiguousAxis returns an outer axis along which an operand's elements are
// neighbours in memory, or -1.
func (n nest) contiguousAxis(operand int) int {
	for axis := range n.index {
		if n.strides[operand][axis] == 1 {
			return axis
		}
	}
	return -1
}

// tile is the side of the blocks in which two-dimensional transpositions run:
// both sides of a block stay in the first-level cache, even where rows are a
// power of two apart and share few of its sets.
const tile = 16

// moveTransposed copies rows that are contiguous in to while another axis is
// contiguous in from, block by block.
func moveTransposed[W word](to, from []W, offsets []int, n nest) {
	if n.empty() {
		return
	}
	across := n.contiguousAxis(1)
	height, width := n.dimensions[across], n.length()
	rowStep, columnStep := n.strides[0][across], n.step(1)
	outer := nest{dimensions: append([]int(nil), n.dimensions...), strides: n.strides, index: n.index}
	outer.dimensions[across] = 1
	outer.rows(offsets, func() {
		for row := 0; row < height; row += tile {
			for column := 0; column < width; column += tile {
				for r := row; r < min(row+tile, height); r++ {
					block := to[offsets[0]+r*rowStep+column:][:min(tile, width-column)]
					i := offsets[1] + r + column*columnStep
					for c := range block {
						block[c] = from[i]
						i += columnStep
					}
				}
			}
		}
	})
}
