package kernel

import "gonum.org/v1/gonum/blas"

// Sgemm computes C = alpha op(A) op(B) + beta C.
func (f float32BLAS) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	if !gemmFits(tA, tB, m, n, k, len(a), lda, len(b), ldb, len(c), ldc) {
		f.Implementation.Sgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	routines32.gemm(tA != blas.NoTrans, tB != blas.NoTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// Sgemv computes y = alpha op(A) x + beta y, where A has m rows and n columns.
func (f float32BLAS) Sgemv(tA blas.Transpose, m, n int, alpha float32, a []float32, lda int, x []float32, incX int, beta float32, y []float32, incY int) {
	if !gemvFits(tA, m, n, len(a), lda, len(x), incX, len(y), incY) {
		f.Implementation.Sgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
		return
	}
	rows, steps := swapIf(tA, m, n)
	routines32.gemm(tA != blas.NoTrans, false, rows, 1, steps, alpha, a, lda, x, incX, beta, y, incY)
}

// Sger computes A += alpha x y'.
func (f float32BLAS) Sger(m, n int, alpha float32, x []float32, incX int, y []float32, incY int, a []float32, lda int) {
	if !gerFits(m, n, len(x), incX, len(y), incY, len(a), lda) {
		f.Implementation.Sger(m, n, alpha, x, incX, y, incY, a, lda)
		return
	}
	if incY == 1 {
		routines32.gemm(false, false, m, n, 1, alpha, x, incX, y, n, 1, a, lda)
	} else {
		routines32.gemm(false, true, m, n, 1, alpha, x, incX, y, incY, 1, a, lda)
	}
}

// Ssyrk computes one triangle of C = alpha op(A) op(A)' + beta C.
func (f float32BLAS) Ssyrk(uplo blas.Uplo, tA blas.Transpose, n, k int, alpha float32, a []float32, lda int, beta float32, c []float32, ldc int) {
	if alpha == 0 || !syrkFits(uplo, tA, n, k, len(a), lda, len(c), ldc) {
		f.Implementation.Ssyrk(uplo, tA, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	routines32.syrk(uplo, tA != blas.NoTrans, n, k, alpha, a, lda, beta, c, ldc)
}

// Strmm computes B = alpha op(A) B or, with A at the right, alpha B op(A).
func (f float32BLAS) Strmm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int) {
	if alpha == 0 || !triangularFits(side, uplo, tA, diag, m, n, len(a), lda, len(b), ldb) {
		f.Implementation.Strmm(side, uplo, tA, diag, m, n, alpha, a, lda, b, ldb)
		return
	}
	t, length := newTriangle(side, uplo, tA, diag, m, n, a, lda)
	routines32.multiplyTriangle(t, length, alpha, b, ldb)
}

// Strsm solves op(A) X = alpha B or, with A at the right, X op(A) = alpha B.
func (f float32BLAS) Strsm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float32, a []float32, lda int, b []float32, ldb int) {
	if alpha == 0 || !triangularFits(side, uplo, tA, diag, m, n, len(a), lda, len(b), ldb) {
		f.Implementation.Strsm(side, uplo, tA, diag, m, n, alpha, a, lda, b, ldb)
		return
	}
	t, length := newTriangle(side, uplo, tA, diag, m, n, a, lda)
	routines32.solveTriangle(t, length, alpha, b, ldb)
}
