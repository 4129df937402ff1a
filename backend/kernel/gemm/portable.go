package gemm

import "unsafe"

// portable returns kernels in plain Go: tiles of 4x4, in pairs of rows.
func portable[T number]() *kernels[T] {
	return &kernels[T]{
		lanes: 2, rows: 4, pitch: 4, packing: packLate,
		byRows:    portableRows[T],
		byColumns: portableColumns[T],
		dots:      portableDots[T],
		sums:      portableSums[T],
	}
}

func portableRows[T number](rows, width, steps int, a *T, aStride int, b *T, bStride int, c *T, cStride int, alpha, beta T, _ uint64) {
	portableTile(rows, width, steps, a, aStride, size[T](1), b, bStride, c, cStride, alpha, beta)
}

func portableColumns[T number](rows, width, steps int, a *T, aStride int, b *T, bStride int, c *T, cStride int, alpha, beta T, _ uint64) {
	portableTile(rows, width, steps, a, size[T](1), aStride, b, bStride, c, cStride, alpha, beta)
}

func portableTile[T number](rows, width, steps int, a *T, rowStride, stepStride int, b *T, bStride int, c *T, cStride int, alpha, beta T) {
	for column := 0; column < width; column++ {
		bColumn, cColumn := at(b, size[T](2*column)), at(c, size[T](2*column))
		for row := 0; row < rows; row += 2 {
			second := min(row+1, rows-1) // computed twice if the number of rows is odd
			s := portableBlock(steps, at(a, row*rowStride), at(a, second*rowStride), stepStride, bColumn, bStride)
			portableStore(at(cColumn, second*cStride), s[2], s[3], alpha, beta)
			if second != row {
				portableStore(at(cColumn, row*cStride), s[0], s[1], alpha, beta)
			}
		}
	}
}

// portableBlock multiplies two rows of A with two columns of B.
func portableBlock[T number](steps int, a0, a1 *T, stepStride int, b *T, bStride int) (s [4]T) {
	for step := range steps {
		x0, x1 := *at(a0, step*stepStride), *at(a1, step*stepStride)
		y := (*[2]T)(unsafe.Pointer(at(b, step*bStride)))
		s[0] += x0 * y[0]
		s[1] += x0 * y[1]
		s[2] += x1 * y[0]
		s[3] += x1 * y[1]
	}
	return s
}

func portableStore[T number](c *T, sum0, sum1, alpha, beta T) {
	to := (*[2]T)(unsafe.Pointer(c))
	if beta == 0 {
		to[0], to[1] = alpha*sum0, alpha*sum1
		return
	}
	to[0], to[1] = alpha*sum0+beta*to[0], alpha*sum1+beta*to[1]
}

func portableDots[T number](count int, x, rows *T, stride int, sums *[dotRows]T) {
	vector := unsafe.Slice(x, count)
	for i := range sums {
		row := unsafe.Slice(at(rows, i*stride), count)
		var even, odd T
		for j := 0; j+1 < count; j += 2 {
			even += vector[j] * row[j]
			odd += vector[j+1] * row[j+1]
		}
		if count%2 == 1 {
			even += vector[count-1] * row[count-1]
		}
		sums[i] = even + odd
	}
}

func portableSums[T number](count, rows int, x, from *T, stride int, to *T) {
	vector := unsafe.Slice(to, count)
	for row := range rows {
		factor := *at(x, size[T](row))
		for i, y := range unsafe.Slice(at(from, row*stride), count) {
			vector[i] += factor * y
		}
	}
}

// at returns the element a number of bytes behind p.
func at[T number](p *T, offset int) *T { return (*T)(unsafe.Add(unsafe.Pointer(p), offset)) }
