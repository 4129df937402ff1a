// Package kernel lends the kernels of the packages below it to gonum.
package kernel

import (
	"sync"

	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/backend/kernel/workers"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
)

// UseInGonum makes gonum's blas32 and blas64, and with them its lapack and mat
// packages, use this module's matrix kernels for Gemm, Gemv, Ger, Syrk, Trmm
// and Trsm. Everything else, small matrices, and vectors that are stored
// backwards remain with gonum's own implementation, and so do wrong arguments,
// which therefore raise gonum's panics. In contrast to gonum's, the kernels do
// not leave out zeros: NaN and infinity propagate as IEEE 754 says.
//
// The products run on runtime.GOMAXPROCS(0) goroutines, started by the first
// call and kept for the life of the program; results have the same bits for
// any number. Like blas64.Use, UseInGonum must not be called while others use
// gonum. Calling it again registers the same implementations again.
func UseInGonum() {
	start.Do(func() { parallel = workers.New(0).Run })
	blas32.Use(float32BLAS{})
	blas64.Use(float64BLAS{})
}

var (
	start    sync.Once
	parallel gemm.Parallel
)

var (
	_ blas.Float32 = float32BLAS{}
	_ blas.Float64 = float64BLAS{}
)

// float32BLAS and float64BLAS are gonum's implementation with the routines
// below in place of its own.
type (
	float32BLAS struct{ gonum.Implementation }
	float64BLAS struct{ gonum.Implementation }
)

// routines32 and routines64 have the parts that the blocked algorithms need.
var (
	routines32 = &routines[float32]{
		product: gemm.Float32,
		trmm:    gonum.Implementation{}.Strmm,
		trsm:    gonum.Implementation{}.Strsm,
	}
	routines64 = &routines[float64]{
		product: gemm.Float64,
		trmm:    gonum.Implementation{}.Dtrmm,
		trsm:    gonum.Implementation{}.Dtrsm,
	}
)
