package kernel

import "gonum.org/v1/gonum/blas"

// These functions tell whether arguments are right and the work is large enough
// for the kernels. All others go to gonum, which raises its own panics.

const (
	leastProduct = 512     // multiplications, for a matrix product
	leastVector  = 1 << 12 // elements of a matrix, for a product with a vector
	leastUpdate  = 1 << 16 // the same for adding the product of two vectors
)

func isTranspose(t blas.Transpose) bool {
	return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

// fits tells whether a matrix of at least one element lies in a slice.
func fits(rows, columns, stride, length int) bool {
	return rows > 0 && columns > 0 && stride >= columns && length >= (rows-1)*stride+columns
}

// swapIf exchanges two sizes if a matrix is transposed.
func swapIf(t blas.Transpose, a, b int) (int, int) {
	if t != blas.NoTrans {
		return b, a
	}
	return a, b
}

func gemmFits(tA, tB blas.Transpose, m, n, k, a, lda, b, ldb, c, ldc int) bool {
	if !isTranspose(tA) || !isTranspose(tB) {
		return false
	}
	rowsA, columnsA := swapIf(tA, m, k)
	rowsB, columnsB := swapIf(tB, k, n)
	return fits(rowsA, columnsA, lda, a) && fits(rowsB, columnsB, ldb, b) && fits(m, n, ldc, c) &&
		int64(m)*int64(n)*int64(k) >= leastProduct
}

func gemvFits(tA blas.Transpose, m, n, a, lda, x, incX, y, incY int) bool {
	lengthY, lengthX := swapIf(tA, m, n)
	return isTranspose(tA) && fits(m, n, lda, a) && fits(lengthX, 1, incX, x) && fits(lengthY, 1, incY, y) &&
		m*n >= leastVector
}

func gerFits(m, n, x, incX, y, incY, a, lda int) bool {
	return fits(m, n, lda, a) && fits(m, 1, incX, x) && fits(n, 1, incY, y) && m*n >= leastUpdate
}

func syrkFits(uplo blas.Uplo, trans blas.Transpose, n, k, a, lda, c, ldc int) bool {
	rows, columns := swapIf(trans, n, k)
	return isTriangle(uplo) && isTranspose(trans) && fits(rows, columns, lda, a) && fits(n, n, ldc, c) &&
		int64(n)*int64(n)*int64(k) >= leastProduct
}

func triangularFits(side blas.Side, uplo blas.Uplo, trans blas.Transpose, diag blas.Diag, m, n, a, lda, b, ldb int) bool {
	order := m
	if side != blas.Left {
		order = n
	}
	return (side == blas.Left || side == blas.Right) && isTriangle(uplo) && isTranspose(trans) &&
		(diag == blas.Unit || diag == blas.NonUnit) &&
		fits(order, order, lda, a) && fits(m, n, ldb, b) && order > triangleBlock
}

func isTriangle(uplo blas.Uplo) bool { return uplo == blas.Upper || uplo == blas.Lower }
