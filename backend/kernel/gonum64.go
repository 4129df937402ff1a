package kernel

import "gonum.org/v1/gonum/blas"

// Dgemm computes C = alpha op(A) op(B) + beta C.
func (f float64BLAS) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if !gemmFits(tA, tB, m, n, k, len(a), lda, len(b), ldb, len(c), ldc) {
		f.Implementation.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	routines64.gemm(tA != blas.NoTrans, tB != blas.NoTrans, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

// Dgemv computes y = alpha op(A) x + beta y, where A has m rows and n columns.
func (f float64BLAS) Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	if !gemvFits(tA, m, n, len(a), lda, len(x), incX, len(y), incY) {
		f.Implementation.Dgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
		return
	}
	rows, steps := swapIf(tA, m, n)
	routines64.gemm(tA != blas.NoTrans, false, rows, 1, steps, alpha, a, lda, x, incX, beta, y, incY)
}

// Dger computes A += alpha x y'.
func (f float64BLAS) Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	if !gerFits(m, n, len(x), incX, len(y), incY, len(a), lda) {
		f.Implementation.Dger(m, n, alpha, x, incX, y, incY, a, lda)
		return
	}
	if incY == 1 {
		routines64.gemm(false, false, m, n, 1, alpha, x, incX, y, n, 1, a, lda)
	} else {
		routines64.gemm(false, true, m, n, 1, alpha, x, incX, y, incY, 1, a, lda)
	}
}

// Dsyrk computes one triangle of C = alpha op(A) op(A)' + beta C.
func (f float64BLAS) Dsyrk(uplo blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	if alpha == 0 || !syrkFits(uplo, tA, n, k, len(a), lda, len(c), ldc) {
		f.Implementation.Dsyrk(uplo, tA, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	routines64.syrk(uplo, tA != blas.NoTrans, n, k, alpha, a, lda, beta, c, ldc)
}

// Dtrmm computes B = alpha op(A) B or, with A at the right, alpha B op(A).
func (f float64BLAS) Dtrmm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	if alpha == 0 || !triangularFits(side, uplo, tA, diag, m, n, len(a), lda, len(b), ldb) {
		f.Implementation.Dtrmm(side, uplo, tA, diag, m, n, alpha, a, lda, b, ldb)
		return
	}
	t, length := newTriangle(side, uplo, tA, diag, m, n, a, lda)
	routines64.multiplyTriangle(t, length, alpha, b, ldb)
}

// Dtrsm solves op(A) X = alpha B or, with A at the right, X op(A) = alpha B.
func (f float64BLAS) Dtrsm(side blas.Side, uplo blas.Uplo, tA blas.Transpose, diag blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	if alpha == 0 || !triangularFits(side, uplo, tA, diag, m, n, len(a), lda, len(b), ldb) {
		f.Implementation.Dtrsm(side, uplo, tA, diag, m, n, alpha, a, lda, b, ldb)
		return
	}
	t, length := newTriangle(side, uplo, tA, diag, m, n, a, lda)
	routines64.solveTriangle(t, length, alpha, b, ldb)
}
