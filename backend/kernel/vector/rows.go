package vector

import "math"

// The functions of this file work on the rows of a matrix with the given
// number of columns, as many as dst and x have in full. dst may be x.

// Softmax sets each row of dst to exp(x - max(x)) over its sum.
func Softmax[T Float](dst, x []T, columns int) {
	k := of[T](chosen)
	eachRow(len(dst)/max(columns, 1), len(x), columns, func(i int) {
		from, to := i*columns, (i+1)*columns
		k.softmax(dst[from:to], x[from:to])
	})
}

func (k *kernels[T]) softmax(dst, x []T) {
	largest := k.reduce[Largest](x)
	var sum T
	for from := 0; from < len(x); from += reduceBlock {
		to := min(from+reduceBlock, len(x))
		sum += k.expStore(dst[from:to], x[from:to], largest)
	}
	k.scalarRight[Mul](dst, dst, 1/sum)
}

// LogSoftmax sets each row of dst to x less the logarithm of the sum of exp(x).
func LogSoftmax[T Float](dst, x []T, columns int) {
	k := of[T](chosen)
	eachRow(len(dst)/max(columns, 1), len(x), columns, func(i int) {
		from, to := i*columns, (i+1)*columns
		row := x[from:to]
		largest := k.reduce[Largest](row)
		// Subtracted one after the other: x - largest is nearly exact.
		k.scalarRight[Sub](dst[from:to], row, largest)
		k.scalarRight[Sub](dst[from:to], dst[from:to], k.logExpSum(row, largest))
	})
}

// LogSumExp sets dst[i] to the logarithm of the sum of exp over row i of x. A
// row whose largest element is infinite has that element as its result.
func LogSumExp[T Float](dst, x []T, columns int) {
	k := of[T](chosen)
	eachRow(len(dst), len(x), columns, func(i int) {
		row := x[i*columns : (i+1)*columns]
		largest := k.reduce[Largest](row)
		dst[i] = largest
		if !math.IsInf(float64(largest), 0) {
			dst[i] += k.logExpSum(row, largest)
		}
	})
}

// logExpSum returns the logarithm of the sum of exp(x[i]-shift).
func (k *kernels[T]) logExpSum(x []T, shift T) T {
	var sum T
	for from := 0; from < len(x); from += reduceBlock {
		sum += k.expSum(x[from:min(from+reduceBlock, len(x))], shift)
	}
	return T(math.Log(float64(sum)))
}

// LayerNorm sets each row of dst to (x-mean)/sqrt(variance+epsilon) gamma +
// beta, with the mean and the variance (divided by columns) of the row. gamma
// and beta have one element a column; nil stands for ones and zeros.
func LayerNorm[T Float](dst, x, gamma, beta []T, columns int, epsilon float64) {
	k := of[T](chosen)
	eachRow(len(dst)/max(columns, 1), len(x), columns, func(i int) {
		from, to := i*columns, (i+1)*columns
		k.layerNorm(dst[from:to], x[from:to], gamma, beta, epsilon)
	})
}

func (k *kernels[T]) layerNorm(dst, x, gamma, beta []T, epsilon float64) {
	count := T(len(x))
	mean := k.fold(Sum, x) / count
	variance := k.deviations(x, mean) / count
	scale := T(1 / math.Sqrt(float64(variance)+epsilon))
	if gamma != nil && beta != nil {
		k.normalize(dst, x, gamma, beta, mean, scale)
		return
	}
	k.scalarRight[Sub](dst, x, mean)
	k.scalarRight[Mul](dst, dst, scale)
	if gamma != nil {
		k.binary[Mul](dst, dst, gamma)
	}
	if beta != nil {
		k.binary[Add](dst, dst, beta)
	}
}
