package vector

// reduceBlock is how many elements are folded by one call of a kernel; blocks
// are combined in pairs, pairs of pairs, and so on.
const reduceBlock = 4096

// Reduce folds x into one number. The order depends on nothing but len(x). The
// error of a sum of n numbers is at most (n/64 + 6) eps for n <= 4096, and
// (70 + log2(n/4096)) eps beyond, times the sum of their magnitudes (twice
// that for float64, whose steps have half as many elements).
func Reduce[T Float](r Reduction, x []T) T { return of[T](chosen).fold(r, x) }

func (k *kernels[T]) fold(r Reduction, x []T) T {
	if len(x) <= reduceBlock {
		return k.reduce[r](x)
	}
	return pairwise(r, 0, len(x), func(from, to int) T { return k.reduce[r](x[from:to]) })
}

// SumSquares returns the sum of x[i]^2, with the order and the error of Reduce.
func SumSquares[T Float](x []T) T {
	kernel := of[T](chosen).sumSquares
	return pairwise(Sum, 0, len(x), func(from, to int) T { return kernel(x[from:to]) })
}

// Dot returns the sum of x[i]*y[i], with the order and the error of Reduce.
func Dot[T Float](x, y []T) T {
	kernel := of[T](chosen).dot
	return pairwise(Sum, 0, min(len(x), len(y)), func(from, to int) T { return kernel(x[from:to], y[from:to]) })
}

// SquaredDeviations returns the sum of (x[i]-mean)^2, with the order and the
// error of Reduce.
func SquaredDeviations[T Float](x []T, mean T) T {
	return of[T](chosen).deviations(x, mean)
}

func (k *kernels[T]) deviations(x []T, mean T) T {
	if len(x) <= reduceBlock {
		return k.squaredDeviations(x, mean)
	}
	return pairwise(Sum, 0, len(x), func(from, to int) T { return k.squaredDeviations(x[from:to], mean) })
}

// pairwise folds the elements in [from, to) with one leaf for each block.
func pairwise[T Float](r Reduction, from, to int, leaf func(from, to int) T) T {
	if to-from <= reduceBlock {
		return leaf(from, to)
	}
	blocks := (to - from + reduceBlock - 1) / reduceBlock
	middle := from + (blocks+1)/2*reduceBlock
	return combine(r, pairwise(r, from, middle, leaf), pairwise(r, middle, to, leaf))
}

// combine folds two numbers.
func combine[T Float](r Reduction, a, b T) T {
	switch r {
	case Product:
		return a * b
	case Largest:
		return max(a, b)
	case Smallest:
		return min(a, b)
	default:
		return a + b
	}
}

// ArgMax returns the index of the largest element, the first of several, or of
// the last NaN if there is one, as GoMLX's go backend does. It returns -1 if x
// is empty.
func ArgMax[T Float](x []T) int { return argument(Largest, x) }

// ArgMin returns the index of the smallest element likewise.
func ArgMin[T Float](x []T) int { return argument(Smallest, x) }

func argument[T Float](r Reduction, x []T) int {
	best := Reduce(r, x)
	if best == best {
		if i := of[T](chosen).find(x, best); i < len(x) {
			return i
		}
		return -1
	}
	for i := len(x) - 1; i > 0; i-- {
		if x[i] != x[i] {
			return i
		}
	}
	return 0
}

// ReduceRows sets dst[i] to row i of x folded, for as many rows of the given
// number of columns as dst and x have in full.
func ReduceRows[T Float](r Reduction, dst, x []T, columns int) {
	k := of[T](chosen)
	eachRow(len(dst), len(x), columns, func(i int) { dst[i] = k.fold(r, x[i*columns:(i+1)*columns]) })
}

// DotRows sets dst[i] to the product of row i of x and row i of y, for as many
// rows of the given number of columns as all have in full.
func DotRows[T Float](dst, x, y []T, columns int) {
	kernel := of[T](chosen).dot
	eachRow(len(dst), min(len(x), len(y)), columns, func(i int) {
		a, b := x[i*columns:(i+1)*columns], y[i*columns:(i+1)*columns]
		if columns <= reduceBlock {
			dst[i] = kernel(a, b)
			return
		}
		dst[i] = Dot(a, b)
	})
}

// eachRow calls f for each row.
func eachRow(rows, elements, columns int, f func(i int)) {
	if columns <= 0 {
		return
	}
	for i := range min(rows, elements/columns) {
		f(i)
	}
}

// ReduceColumns folds the rows of x into acc: acc[j] = acc[j] o x[i*stride+j],
// for all rows of len(acc) columns that x has in full, stride >= len(acc)
// elements apart. Rows are folded eight at a time, so the error of a sum over n
// rows is at most (n/8 + 4) eps times the sum of the magnitudes.
func ReduceColumns[T Float](r Reduction, acc, x []T, stride int) {
	if len(acc) == 0 || len(x) < len(acc) || stride < len(acc) {
		return
	}
	k := of[T](chosen)
	rows := (len(x)-len(acc))/stride + 1
	groups := rows / rowsAtOnce
	k.columns[r](acc, x, groups, stride)
	for i := groups * rowsAtOnce; i < rows; i++ {
		k.binary[columnOp[r]](acc, acc, x[i*stride:])
	}
}

// columnOp is the function of two numbers that a reduction repeats.
var columnOp = [reductions]BinaryOp{Sum: Add, Product: Mul, Largest: Max, Smallest: Min}
