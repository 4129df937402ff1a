package ops

import "slices"

// A nest is a loop nest that walks the same index space over several operands
// at once, each with its own stride per axis.
type nest struct {
	dimensions []int
	strides    [][]int // strides[operand][axis], in elements
	index      []int   // of the loops outside the innermost; zero between walks
}

// newNest returns a nest over dimensions in row-major order. Axes of size one
// are dropped and axes that every operand crosses evenly become one, so that
// there is always at least one axis and the innermost is as long as possible.
func newNest(dimensions []int, strides ...[]int) nest {
	n := nest{strides: make([][]int, len(strides))}
	for axis, size := range dimensions {
		last := len(n.dimensions) - 1
		switch {
		case size == 1:
		case last >= 0 && n.crosses(last, size, axis, strides):
			n.dimensions[last] *= size
			for operand := range strides {
				n.strides[operand][last] = strides[operand][axis]
			}
		default:
			n.dimensions = append(n.dimensions, size)
			for operand := range strides {
				n.strides[operand] = append(n.strides[operand], strides[operand][axis])
			}
		}
	}
	if len(n.dimensions) == 0 {
		n.dimensions = []int{1}
		for operand := range strides {
			n.strides[operand] = []int{1}
		}
	}
	n.index = make([]int, len(n.dimensions)-1)
	return n
}

// crosses tells whether in every operand the nest's axis last steps over exactly
// size elements of the given axis.
func (n nest) crosses(last, size, axis int, strides [][]int) bool {
	for operand := range strides {
		if n.strides[operand][last] != strides[operand][axis]*size {
			return false
		}
	}
	return true
}

// empty tells whether the index space has no element.
func (n nest) empty() bool { return slices.Contains(n.dimensions, 0) }

// length is the number of elements of an innermost row.
func (n nest) length() int { return n.dimensions[len(n.dimensions)-1] }

// step is the distance between the elements of an operand's innermost row.
func (n nest) step(operand int) int { return n.strides[operand][len(n.dimensions)-1] }

// rows calls body once per innermost row, in row-major order. offsets holds the
// position of each operand's row; on return it is as it was.
func (n nest) rows(offsets []int, body func()) {
	if n.empty() {
		return
	}
	for {
		body()
		axis := len(n.index) - 1
		for ; axis >= 0; axis-- {
			n.index[axis]++
			for operand := range offsets {
				offsets[operand] += n.strides[operand][axis]
			}
			if n.index[axis] < n.dimensions[axis] {
				break
			}
			n.index[axis] = 0
			for operand := range offsets {
				offsets[operand] -= n.strides[operand][axis] * n.dimensions[axis]
			}
		}
		if axis < 0 {
			return
		}
	}
}

// rowMajor returns the strides of a contiguous tensor.
func rowMajor(dimensions []int) []int {
	strides := make([]int, len(dimensions))
	stride := 1
	for axis := len(dimensions) - 1; axis >= 0; axis-- {
		strides[axis] = stride
		stride *= dimensions[axis]
	}
	return strides
}

// broadcastStrides returns the strides with which an operand of the given
// dimensions is read over the dimensions of the output: zero where it has one
// element. The operand is a scalar, or has the output's rank and in each axis
// its dimension or one; otherwise ok is false.
func broadcastStrides(output, operand []int) (strides []int, ok bool) {
	if len(operand) == 0 {
		return make([]int, len(output)), true
	}
	if len(operand) != len(output) {
		return nil, false
	}
	strides = rowMajor(operand)
	for axis, size := range operand {
		if size == output[axis] {
			continue
		}
		if size != 1 {
			return nil, false
		}
		strides[axis] = 0
	}
	return strides, true
}
