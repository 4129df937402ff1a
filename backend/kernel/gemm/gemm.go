// Package gemm multiplies matrices of float32 and float64: C = alpha op(A)
// op(B) + beta C, where op may transpose.
//
// Matrices are row-major slices with a stride (the distance between two rows,
// called lda, ldb and ldc as in BLAS). The kernels are in AVX-512 or AVX2
// assembly, chosen at run time, and in plain Go elsewhere. Large products copy
// blocks of A and B in the order in which the kernels read them, in the manner
// of Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008); small ones read A and B where they lie.
//
// Each element of C is one sum over k in increasing order, cut only at places
// that the shape decides. So the result has the same bits for any number of
// workers. Products and sums follow IEEE 754: NaN and infinities propagate.
package gemm

//go:generate go run -C gen . -out ../kernels_amd64.s -stubs ../kernels_amd64.go -pkg gemm

import "fmt"

// Parallel calls run(0), ..., run(tasks-1), each once, in any order and
// possibly at the same time, and returns when all have returned.
// workers.Pool.Run is one.
type Parallel func(tasks int, run func(task int))

// Options are the settings of a product that most callers leave zero.
type Options struct {
	// Parallel spreads the work; nil means the calling goroutine alone. (Keep a
	// method value such as pool.Run in a variable: making one allocates.)
	Parallel Parallel
	// Batch asks for several products of one shape; zero means one.
	Batch Batch
}

// Batch describes products of one shape whose matrices lie at regular
// distances. A stride of zero uses one matrix A or B for all.
type Batch struct {
	Count                     int // 0 means 1, with the strides not looked at
	StrideA, StrideB, StrideC int // elements from one matrix to the next
}

// Float32 computes C = alpha op(A) op(B) + beta C, where op(A) has m rows and k
// columns, op(B) k rows and n columns, and C m rows and n columns. op(X) is X,
// or its transpose if transA or transB says so: then A is stored as k rows of
// m and B as n rows of k elements.
//
// If beta is zero C is not read, and if alpha is zero A and B are not. C must
// not overlap A or B. A matrix that does not fit its slice is an error, and
// then C is unchanged. Float32 does not allocate once its buffers have grown.
func Float32(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int, options Options) error {
	p := product[float32]{transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha, beta: beta, a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc}
	return engine32.multiply(p, options)
}

// Float64 is like Float32 for float64.
func Float64(transA, transB bool, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int, options Options) error {
	p := product[float64]{transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha, beta: beta, a: a, lda: lda, b: b, ldb: ldb, c: c, ldc: ldc}
	return engine64.multiply(p, options)
}

type number interface{ float32 | float64 }

// product is one call of Float32 or Float64.
type product[T number] struct {
	transA, transB bool
	m, n, k        int
	alpha, beta    T
	a, b, c        []T
	lda, ldb, ldc  int
}

// check returns an error if a matrix does not fit its slice.
func (p *product[T]) check(batch Batch) error {
	if p.m < 0 || p.n < 0 || p.k < 0 || batch.Count < 0 {
		return fmt.Errorf("gemm: m=%d, n=%d, k=%d, batch of %d: expected none below zero", p.m, p.n, p.k, batch.Count)
	}
	if batch.StrideA < 0 || batch.StrideB < 0 || batch.StrideC < 0 {
		return fmt.Errorf("gemm: batch strides %d, %d, %d: expected none below zero", batch.StrideA, batch.StrideB, batch.StrideC)
	}
	rowsA, columnsA := swapIf(p.transA, p.m, p.k)
	rowsB, columnsB := swapIf(p.transB, p.k, p.n)
	if err := checkMatrix("A", rowsA, columnsA, p.lda, batch.Count, batch.StrideA, len(p.a)); err != nil {
		return err
	}
	if err := checkMatrix("B", rowsB, columnsB, p.ldb, batch.Count, batch.StrideB, len(p.b)); err != nil {
		return err
	}
	if batch.Count > 1 && batch.StrideC < (p.m-1)*p.ldc+p.n {
		return fmt.Errorf("gemm: matrices C of %dx%d overlap: expected a batch stride of at least %d, found %d", p.m, p.n, (p.m-1)*p.ldc+p.n, batch.StrideC)
	}
	return checkMatrix("C", p.m, p.n, p.ldc, batch.Count, batch.StrideC, len(p.c))
}

func checkMatrix(name string, rows, columns, stride, count, batchStride, length int) error {
	if rows == 0 || columns == 0 {
		return nil
	}
	if stride < columns {
		return fmt.Errorf("gemm: stride of %s is %d: expected at least its %d columns", name, stride, columns)
	}
	// Divided, not multiplied: the product may overflow.
	if left := length - columns; left < 0 || (rows-1) > left/stride ||
		count > 1 && batchStride > 0 && count-1 > (left-(rows-1)*stride)/batchStride {
		return fmt.Errorf("gemm: slice of %s has %d elements: expected %d matrices of %dx%d with row stride %d and batch stride %d",
			name, length, max(count, 1), rows, columns, stride, batchStride)
	}
	return nil
}

func swapIf(swap bool, a, b int) (int, int) {
	if swap {
		return b, a
	}
	return a, b
}
