package kernel

import (
	"sync"

	"github.com/descentml/descent/backend/kernel/gemm"
	"gonum.org/v1/gonum/blas"
)

// routines are BLAS routines on matrices whose arguments have been checked.
// Triangular matrices are cut in halves, again and again: what is off the
// diagonal is a matrix product, and only small blocks on the diagonal are left.
type routines[T float32 | float64] struct {
	product    func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, options gemm.Options) error
	trmm, trsm triangular[T]
	squares    sync.Pool // *[square * square]T
}

// triangular is gonum's Trmm or Trsm.
type triangular[T float32 | float64] func(side blas.Side, uplo blas.Uplo, trans blas.Transpose, diag blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)

const (
	triangleBlock = 16      // a triangle of this size is not cut any more
	square        = 64      // the same for Syrk, which computes it as a square
	parallelWork  = 1 << 19 // multiplications that are worth waking workers
)

// gemm computes C = alpha op(A) op(B) + beta C.
func (r *routines[T]) gemm(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	var options gemm.Options
	if int64(m)*int64(n)*int64(k) >= parallelWork {
		options.Parallel = parallel
	}
	if err := r.product(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, options); err != nil {
		panic(err) // the callers have checked the arguments
	}
}

// triangle is a triangular matrix op(A) of order n and its place beside B.
type triangle[T float32 | float64] struct {
	side  blas.Side
	uplo  blas.Uplo
	trans blas.Transpose
	diag  blas.Diag
	n     int
	a     []T
	lda   int
}

// newTriangle returns the triangle that stands at the left or right of a matrix
// B of m rows and n columns, and the length of B's vectors that it multiplies.
func newTriangle[T float32 | float64](side blas.Side, uplo blas.Uplo, trans blas.Transpose, diag blas.Diag, m, n int, a []T, lda int) (t triangle[T], length int) {
	order, length := m, n
	if side == blas.Right {
		order, length = n, m
	}
	return triangle[T]{side: side, uplo: uplo, trans: trans, diag: diag, n: order, a: a, lda: lda}, length
}

// halves cuts op(A) into two triangles on the diagonal and the block beside
// them, which is stored as it is read if A is not transposed.
func (t triangle[T]) halves() (first, second triangle[T], block []T) {
	first, second = t, t
	// A multiple of the smallest block, so that few odd sizes arise.
	first.n = (t.n/2 + triangleBlock - 1) / triangleBlock * triangleBlock
	second.n = t.n - first.n
	second.a = t.a[first.n*t.lda+first.n:]
	if t.uplo == blas.Upper {
		return first, second, t.a[first.n:]
	}
	return first, second, t.a[first.n*t.lda:]
}

// upper tells whether op(A) is upper triangular.
func (t triangle[T]) upper() bool { return (t.uplo == blas.Upper) == (t.trans == blas.NoTrans) }

// cut cuts B into the parts that belong to the two halves of the triangle.
func (t triangle[T]) cut(at int, b []T, ldb int) (first, second []T) {
	if t.side == blas.Left {
		return b, b[at*ldb:]
	}
	return b, b[at:]
}

// addBlock computes to = alpha block from + beta to, or with from at the left
// if the triangle is at the right of B. The vectors of B have the given length.
func (r *routines[T]) addBlock(t triangle[T], rows, steps, length int, alpha T, block, from []T, ldb int, beta T, to []T) {
	trans := t.trans != blas.NoTrans
	if t.side == blas.Left {
		r.gemm(trans, false, rows, length, steps, alpha, block, t.lda, from, ldb, beta, to, ldb)
		return
	}
	r.gemm(false, trans, length, rows, steps, alpha, from, ldb, block, t.lda, beta, to, ldb)
}

// multiplyTriangle computes B = alpha op(A) B, or alpha B op(A).
func (r *routines[T]) multiplyTriangle(t triangle[T], length int, alpha T, b []T, ldb int) {
	if t.n <= triangleBlock {
		r.small(r.trmm, t, length, alpha, b, ldb)
		return
	}
	first, second, block := t.halves()
	b1, b2 := t.cut(first.n, b, ldb)
	// A part of B may change once nothing else is computed from it.
	if t.upper() == (t.side == blas.Left) {
		r.multiplyTriangle(first, length, alpha, b1, ldb)
		r.addBlock(t, first.n, second.n, length, alpha, block, b2, ldb, 1, b1)
		r.multiplyTriangle(second, length, alpha, b2, ldb)
		return
	}
	r.multiplyTriangle(second, length, alpha, b2, ldb)
	r.addBlock(t, second.n, first.n, length, alpha, block, b1, ldb, 1, b2)
	r.multiplyTriangle(first, length, alpha, b1, ldb)
}

// solveTriangle solves op(A) X = alpha B, or X op(A) = alpha B, for X in B.
func (r *routines[T]) solveTriangle(t triangle[T], length int, alpha T, b []T, ldb int) {
	if t.n <= triangleBlock {
		r.small(r.trsm, t, length, alpha, b, ldb)
		return
	}
	first, second, block := t.halves()
	b1, b2 := t.cut(first.n, b, ldb)
	if t.upper() == (t.side == blas.Left) {
		r.solveTriangle(second, length, alpha, b2, ldb)
		r.addBlock(t, first.n, second.n, length, -1, block, b2, ldb, alpha, b1)
		r.solveTriangle(first, length, 1, b1, ldb)
		return
	}
	r.solveTriangle(first, length, alpha, b1, ldb)
	r.addBlock(t, second.n, first.n, length, -1, block, b1, ldb, alpha, b2)
	r.solveTriangle(second, length, 1, b2, ldb)
}

// small multiplies or solves with a triangle that is not cut any more. At the
// right of B it would meet short vectors: there B is transposed first.
func (r *routines[T]) small(routine triangular[T], t triangle[T], length int, alpha T, b []T, ldb int) {
	if t.side == blas.Left {
		routine(blas.Left, t.uplo, t.trans, t.diag, t.n, length, alpha, t.a, t.lda, b, ldb)
		return
	}
	trans := blas.Trans
	if t.trans != blas.NoTrans {
		trans = blas.NoTrans
	}
	block := r.takeSquare()
	for row := 0; row < length; row += square {
		rows := min(square, length-row)
		part := b[row*ldb:]
		transpose(block[:], square, part, ldb, rows, t.n)
		routine(blas.Left, t.uplo, trans, t.diag, t.n, rows, alpha, t.a, t.lda, block[:], square)
		transpose(part, ldb, block[:], square, t.n, rows)
	}
	r.squares.Put(block)
}

// transpose copies the rows of one matrix to the columns of another.
func transpose[T float32 | float64](to []T, toStride int, from []T, fromStride, rows, columns int) {
	for row := range rows {
		for column, x := range from[row*fromStride:][:columns] {
			to[column*toStride+row] = x
		}
	}
}

func (r *routines[T]) takeSquare() *[square * square]T {
	if block, _ := r.squares.Get().(*[square * square]T); block != nil {
		return block
	}
	return new([square * square]T)
}

// syrk computes one triangle of C = alpha op(A) op(A)' + beta C.
func (r *routines[T]) syrk(uplo blas.Uplo, trans bool, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int) {
	if n <= square {
		r.syrkSquare(uplo, trans, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	half := (n/2 + triangleBlock - 1) / triangleBlock * triangleBlock
	a1, a2 := a, a[half*lda:]
	if trans {
		a2 = a[half:]
	}
	r.syrk(uplo, trans, half, k, alpha, a1, lda, beta, c, ldc)
	if uplo == blas.Upper {
		r.gemm(trans, !trans, half, n-half, k, alpha, a1, lda, a2, lda, beta, c[half:], ldc)
	} else {
		r.gemm(trans, !trans, n-half, half, k, alpha, a2, lda, a1, lda, beta, c[half*ldc:], ldc)
	}
	r.syrk(uplo, trans, n-half, k, alpha, a2, lda, beta, c[half*ldc+half:], ldc)
}

// syrkSquare computes a small block as a square and keeps the triangle.
func (r *routines[T]) syrkSquare(uplo blas.Uplo, trans bool, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int) {
	block := r.takeSquare()
	r.gemm(trans, !trans, n, n, k, alpha, a, lda, a, lda, 0, block[:], n)
	for i := range n {
		from, to := 0, i+1
		if uplo == blas.Upper {
			from, to = i, n
		}
		row := c[i*ldc:]
		for j := from; j < to; j++ {
			if beta == 0 {
				row[j] = block[i*n+j]
			} else {
				row[j] = block[i*n+j] + beta*row[j]
			}
		}
	}
	r.squares.Put(block)
}
