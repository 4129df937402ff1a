package program

import "slices"

// A factor tells how the matrices of a batch lie in an operand of DotGeneral.
type factor struct {
	transposed bool
	stride     int       // between the rows, as they are stored
	batch      []strided // from: where the next product's matrix lies
	// pack is the order in which the operand is copied first, so that it
	// consists of matrices; nil if it does as it is.
	pack *permutation
	size int // elements
}

// newFactor finds the matrices whose rows and columns are the given axes, for
// each index of the batch axes.
func newFactor(dimensions, batch, rows, columns []int) factor {
	x := factor{size: product(dimensions)}
	strides := rowMajor(dimensions)
	rowCount, rowStride, rowsMerge := collapse(dimensions, strides, rows)
	columnCount, columnStride, columnsMerge := collapse(dimensions, strides, columns)
	switch {
	case rowsMerge && columnsMerge && columnStride == 1 && rowStride >= columnCount:
		x.stride = rowStride
	case rowsMerge && columnsMerge && columnStride == 1 && rowCount == 1:
		x.stride = max(1, columnCount)
	case rowsMerge && columnsMerge && columnCount == 1:
		x.stride = max(1, rowStride)
	case rowsMerge && columnsMerge && (rowStride == 1 || rowCount == 1) && columnStride >= rowCount:
		x.transposed, x.stride = true, columnStride
	default:
		order := slices.Concat(batch, rows, columns)
		x.pack = newPermutation(dimensions, order)
		x.stride = max(1, columnCount)
		strides = permutedStrides(dimensions, order)
	}
	for _, axis := range batch {
		x.batch = append(x.batch, strided{size: dimensions[axis], from: strides[axis]})
	}
	return x
}

// collapse returns the size and distance of the axes taken as one, in the given
// order; ok is false if they are not evenly spaced.
func collapse(dimensions, strides, axes []int) (size, stride int, ok bool) {
	size, stride = 1, 1
	for i := len(axes) - 1; i >= 0; i-- {
		axis := axes[i]
		switch {
		case dimensions[axis] == 1:
		case size == 1:
			size, stride = dimensions[axis], strides[axis]
		case strides[axis] != size*stride:
			return product(gathered(dimensions, axes)), 0, false
		default:
			size *= dimensions[axis]
		}
	}
	return size, stride, true
}

// permutedStrides returns the distance along each axis of an array that is
// stored with its axes in another order.
func permutedStrides(dimensions, order []int) []int {
	strides := make([]int, len(order))
	for i, stride := range rowMajor(gathered(dimensions, order)) {
		strides[order[i]] = stride
	}
	return strides
}

// gathered returns the elements of list at the given places.
func gathered(list, places []int) []int {
	result := make([]int, len(places))
	for i, place := range places {
		result[i] = list[place]
	}
	return result
}
