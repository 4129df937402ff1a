package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// BenchmarkGonum sets gonum with its own BLAS beside gonum with this one.
func BenchmarkGonum(b *testing.B) {
	const n = 512
	random := rand.New(rand.NewPCG(1, 2))
	general := func(rows, columns int) *mat.Dense {
		a := mat.NewDense(rows, columns, nil)
		a.Apply(func(int, int, float64) float64 { return random.NormFloat64() }, a)
		return a
	}
	tall := general(8*n, n/8)
	x, y, z := general(n, n), general(n, n), general(n, n)
	vector := mat.NewVecDense(n, x.RawMatrix().Data[:n])
	var product mat.VecDense
	var positive mat.SymDense
	positive.SymOuterK(1, general(n, 2*n))
	factor := mat.NewSymDense(n, nil)
	triangle := mat.NewTriDense(n, mat.Upper, nil)
	for i := range n {
		for j := i; j < n; j++ {
			triangle.SetTri(i, j, x.At(i, j)/n)
		}
		triangle.SetTri(i, i, 2)
	}
	for _, task := range []struct {
		name string
		run  func()
	}{
		{"Dgemm", func() { z.Mul(x, y) }},
		{"Dgemv", func() { product.MulVec(x, vector) }},
		{"DgemvTransposed", func() { product.MulVec(x.T(), vector) }},
		{"Dger", func() { z.RankOne(z, 1e-9, vector, vector) }},
		{"Dsyrk", func() { positive.SymOuterK(1, x) }},
		{"DtrsmLeft", func() {
			blas64.Trsm(blas.Left, blas.NoTrans, 1, triangle.RawTriangular(), z.RawMatrix())
		}},
		{"DtrsmRightTransposed", func() {
			blas64.Trsm(blas.Right, blas.Trans, 1, triangle.RawTriangular(), z.RawMatrix())
		}},
		{"DtrmmLeft", func() {
			blas64.Trmm(blas.Left, blas.NoTrans, 0.5, triangle.RawTriangular(), z.RawMatrix())
		}},
		{"Potrf", func() {
			factor.CopySym(&positive)
			lapack64.Potrf(factor.RawSymmetric())
		}},
		{"Cholesky", func() { // with the condition number, which is not BLAS's work
			var c mat.Cholesky
			c.Factorize(&positive)
		}},
		{"LU", func() {
			var lu mat.LU
			lu.Factorize(x)
		}},
		{"QR", func() {
			var qr mat.QR
			qr.Factorize(x)
		}},
		{"SVDValues", func() {
			var svd mat.SVD
			svd.Factorize(x, mat.SVDNone)
		}},
		{"SVDTall", func() {
			var svd mat.SVD
			svd.Factorize(tall, mat.SVDThin)
		}},
		{"SVD", func() { // nearly all plane rotations, which are not BLAS's either
			var svd mat.SVD
			svd.Factorize(x, mat.SVDThin)
		}},
	} {
		for _, side := range []struct {
			name string
			use  blas.Float64
		}{{"gonum", gonum.Implementation{}}, {"kernel", float64BLAS{}}} {
			b.Run(fmt.Sprintf("%s/%s", task.name, side.name), func(b *testing.B) {
				blas64.Use(side.use)
				defer UseInGonum()
				z.Copy(y)
				for b.Loop() {
					task.run()
				}
			})
		}
	}
}
