package program

import (
	"math"
	"slices"

	"github.com/descentml/descent/backend/tensor"
)

// An arena lays out blocks that live at different times in one piece of memory.
// Its zero value is empty.
type arena struct {
	size  int     // of all the memory so far, -1 if it became too large
	holes []block // free blocks below size, by offset, never adjacent
}

type block struct{ offset, size int }

func (b block) end() int { return b.offset + b.size }

// allocate returns the offset of a block: the smallest hole that fits, or the
// end of the memory.
func (a *arena) allocate(size int) int {
	size = aligned(size)
	if size == 0 || a.size < 0 {
		return 0
	}
	best := -1
	for i, hole := range a.holes {
		if hole.size >= size && (best < 0 || hole.size < a.holes[best].size) {
			best = i
		}
	}
	if best < 0 {
		return a.grow(size)
	}
	hole := &a.holes[best]
	offset := hole.offset
	hole.offset += size
	hole.size -= size
	if hole.size == 0 {
		a.holes = slices.Delete(a.holes, best, best+1)
	}
	return offset
}

// grow takes a block at the end, beginning with a hole that lies there.
func (a *arena) grow(size int) int {
	offset := a.size
	if last := len(a.holes) - 1; last >= 0 && a.holes[last].end() == a.size {
		offset = a.holes[last].offset
		a.holes = a.holes[:last]
	}
	if size > math.MaxInt-tensor.Alignment-offset {
		a.size = -1
		return 0
	}
	a.size = offset + size
	return offset
}

// free gives a block back and joins it with the holes beside it.
func (a *arena) free(offset, size int) {
	size = aligned(size)
	if size == 0 || a.size < 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(a.holes, offset, func(b block, offset int) int { return b.offset - offset })
	a.holes = slices.Insert(a.holes, i, block{offset, size})
	if i+1 < len(a.holes) && a.holes[i].end() == a.holes[i+1].offset {
		a.holes[i].size += a.holes[i+1].size
		a.holes = slices.Delete(a.holes, i+1, i+2)
	}
	if i > 0 && a.holes[i-1].end() == a.holes[i].offset {
		a.holes[i-1].size += a.holes[i].size
		a.holes = slices.Delete(a.holes, i, i+1)
	}
}

// aligned rounds a size up to the alignment of tensors.
func aligned(size int) int {
	return (size + tensor.Alignment - 1) / tensor.Alignment * tensor.Alignment
}
