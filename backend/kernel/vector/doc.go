// Package vector computes element-wise functions, reductions, rows and
// conversions over contiguous slices of float32 and float64.
//
// A program looks a kernel up once, with Unary, Binary, Compare and so on, and
// calls it on blocks that fit the first-level cache; a call costs a few
// nanoseconds and allocates nothing. On amd64 the kernels are assembly for
// AVX-512, or for AVX2 and FMA, whichever the processor has; elsewhere they are
// plain Go with the same results within the errors stated.
//
// Lengths: a kernel works on as many elements as the shortest of its slices
// has, as the built-in copy does. Aliasing: dst may be the same slice as any
// source, but must not overlap one otherwise.
//
// The result for an element depends neither on its place nor on its
// neighbours, and the order of a reduction only on its length: the same input
// gives the same bits however it is split into rows among goroutines. All
// functions are safe for concurrent use.
//
// Operations, comparisons and reductions are named by constants. A value that
// is none of them is an error of the program and panics, as an index out of
// range does.
package vector

//go:generate go run -C gen .
