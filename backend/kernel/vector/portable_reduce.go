package vector

import (
	"math"
	"unsafe"
)

// partialBytes is the size of the partial results of a reduction: element i is
// folded into partial result i mod (partialBytes / size of T). The assembly
// kernels keep the same order.
const partialBytes = 256

// maxPartials is how many partial results of the smallest type there are.
const maxPartials = partialBytes / 4

// A fold is an associative function and what leaves others unchanged.
type fold[T Float] struct {
	identity T
	combine  func(a, b T) T
}

func folds[T Float]() [reductions]fold[T] {
	infinity := T(math.Inf(1))
	return [reductions]fold[T]{
		Sum:      {0, func(a, b T) T { return a + b }},
		Product:  {1, func(a, b T) T { return a * b }},
		Largest:  {-infinity, func(a, b T) T { return max(a, b) }},
		Smallest: {infinity, func(a, b T) T { return min(a, b) }},
	}
}

// partials are partial results; size of them are used.
type partials[T Float] struct {
	results [maxPartials]T
	size    int
}

func newPartials[T Float](bytes int) partials[T] {
	var zero T
	return partials[T]{size: bytes / int(unsafe.Sizeof(zero))}
}

// combine folds the partial results in halves.
func (p *partials[T]) combine(f func(a, b T) T) T {
	for half := p.size / 2; half > 0; half /= 2 {
		for i := range half {
			p.results[i] = f(p.results[i], p.results[half+i])
		}
	}
	return p.results[0]
}

// sum adds up the partial results.
func (p *partials[T]) sum() T {
	return p.combine(func(a, b T) T { return a + b })
}

func portableReduce[T Float](f fold[T]) func(x []T) T {
	return func(x []T) T {
		p := newPartials[T](partialBytes)
		for i := range p.size {
			p.results[i] = f.identity
		}
		for i, v := range x {
			at := i & (p.size - 1)
			p.results[at] = f.combine(p.results[at], v)
		}
		return p.combine(f.combine)
	}
}

func portableDot[T Float](x, y []T) T {
	p := newPartials[T](partialBytes)
	for i := range min(len(x), len(y)) {
		at := i & (p.size - 1)
		p.results[at] = fma(x[i], y[i], p.results[at])
	}
	return p.sum()
}

func portableSumSquares[T Float](x []T) T { return portableDot(x, x) }

func portableSquaredDeviations[T Float](x []T, mean T) T {
	p := newPartials[T](partialBytes)
	for i, v := range x {
		at := i & (p.size - 1)
		p.results[at] = fma(v-mean, v-mean, p.results[at])
	}
	return p.sum()
}

func portableExpSum[T Float](x []T, shift T) T {
	p := newPartials[T](partialBytes / 2)
	for i, v := range x {
		p.results[i&(p.size-1)] += T(math.Exp(float64(v - shift)))
	}
	return p.sum()
}

func portableExpStore[T Float](dst, x []T, shift T) T {
	p := newPartials[T](partialBytes / 2)
	for i := range min(len(dst), len(x)) {
		dst[i] = T(math.Exp(float64(x[i] - shift)))
		p.results[i&(p.size-1)] += dst[i]
	}
	return p.sum()
}

func portableFind[T Float](x []T, value T) int {
	for i, v := range x {
		if v == value {
			return i
		}
	}
	return len(x)
}

// rowsAtOnce is how many rows a column kernel combines before it touches acc.
const rowsAtOnce = 8

func portableColumns[T Float](combine func(a, b T) T) func(acc, x []T, groups, stride int) {
	return func(acc, x []T, groups, stride int) {
		var column [rowsAtOnce]T
		for group := range groups {
			rows := x[group*rowsAtOnce*stride:]
			for j := range acc {
				for i := range column {
					column[i] = rows[i*stride+j]
				}
				for half := 1; half < rowsAtOnce; half *= 2 {
					for i := 0; i < rowsAtOnce; i += 2 * half {
						column[i] = combine(column[i], column[i+half])
					}
				}
				acc[j] = combine(acc[j], column[0])
			}
		}
	}
}
