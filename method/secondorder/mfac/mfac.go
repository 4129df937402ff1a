// Package mfac multiplies vectors with the inverse of a damped empirical Fisher
// matrix without ever forming a matrix of parameters by parameters:
//
//	F = lambda I + (1/m) sum_i g_i g_i^T
//
// of m gradients g_i, the rows of a matrix G, in d parameters. There are two
// users of it.
//
//   - Who prunes a network has one fixed set of gradients, and needs the diagonal
//     of the inverse and products: [Static].
//   - Who trains has the last m gradients, one more at each step, and needs the
//     inverse times the newest: [Window]. As a training method it is "m-fac", see
//     [New].
//
// Gradients are stored as float32 or float64; everything of m by m is float64.
// Passes over the gradients are cut at places that their shape decides, so
// results have the same bits for any number of workers.
//
// Source: Frantar, Kurtic and Alistarh, "M-FAC: Efficient Matrix-Free
// Approximations of Second-Order Information", NeurIPS 2021, arXiv 2107.03356.
package mfac

import (
	"fmt"
	"math"

	"github.com/descentml/descent/backend/kernel/gemm"
)

// Float is the types that gradients are stored in.
type Float interface{ float32 | float64 }

// product is gemm.Float32 or gemm.Float64.
type product[T Float] func(transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int, options gemm.Options) error

// productOf returns the matrix product of a type.
func productOf[T Float]() product[T] {
	var p any = product[float32](gemm.Float32)
	if _, double := any(T(0)).(float64); double {
		p = product[float64](gemm.Float64)
	}
	return p.(product[T])
}

// epsilonOf is the distance from 1 to the next number of a type.
func epsilonOf[T Float]() float64 {
	if _, double := any(T(0)).(float64); double {
		return 0x1p-52
	}
	return 0x1p-23
}

// checkShape refuses what is no matrix of gradients.
func checkShape(gradients, parameters int, damping float64) error {
	switch {
	case gradients < 1 || parameters < 1:
		return fmt.Errorf("%d gradients of %d parameters: expected at least one of each", gradients, parameters)
	case !(damping > 0) || math.IsInf(damping, 0):
		return fmt.Errorf("damping %g: expected a finite number above 0", damping)
	}
	return nil
}

// checkLength refuses a vector of another length than expected.
func checkLength(name string, length, expected int) error {
	if length != expected {
		return fmt.Errorf("%s has %d elements: expected %d, one for each parameter", name, length, expected)
	}
	return nil
}

// alone does tasks on the calling goroutine.
func alone(tasks int, run func(task int)) {
	for task := range tasks {
		run(task)
	}
}
