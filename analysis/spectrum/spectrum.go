// Package spectrum looks at the eigenvalues of large symmetric matrices that
// are known by their products with vectors: Hessians, Gauss-Newton and Fisher
// matrices of trained models, from package objective or from anywhere else.
//
// [Quadrature] estimates the density of the eigenvalues, [Extreme] finds the
// largest and the smallest with bounds, [Hutchinson] and [HutchPP] the trace,
// and [Eigenvalues] all of them where the matrix is small. [Line] and
// [FindCurve] look at the loss between two solutions. Sagun et al., "Empirical
// Analysis of the Hessian of Over-Parametrized Neural Networks", ICLR 2018
// Workshop; Ghorbani et al., ICML 2019, for the quadrature.
package spectrum

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Operator is a symmetric matrix.
type Operator interface {
	Dim() int // rows and columns
	// Apply sets dst to the product of the matrix with v, both of Dim numbers.
	Apply(dst, v []float64) error
}

// blocked is an operator that is faster on several vectors at once.
type blocked interface {
	Block() int // vectors at once
	ApplyBlock(dst, v [][]float64) error
}

// isSingle reports whether an operator says that its products have the precision
// of float32.
func isSingle(op Operator) bool {
	s, ok := op.(interface{ Single() bool })
	return ok && s.Single()
}

// blockOf is how many vectors an operator likes at once.
func blockOf(op Operator) int {
	if b, ok := op.(blocked); ok {
		return max(1, b.Block())
	}
	return 1
}

// applyAll multiplies several vectors.
func applyAll(op Operator, dst, v [][]float64) error {
	if b, ok := op.(blocked); ok {
		return b.ApplyBlock(dst, v)
	}
	for i := range v {
		if err := op.Apply(dst[i], v[i]); err != nil {
			return err
		}
	}
	return nil
}

// Dense is a symmetric matrix in memory as an [Operator].
type Dense struct{ Matrix *mat.SymDense }

// Dim is the number of rows.
func (d Dense) Dim() int { return d.Matrix.SymmetricDim() }

// Apply sets dst to the product with v.
func (d Dense) Apply(dst, v []float64) error {
	mat.NewVecDense(len(dst), dst).MulVec(d.Matrix, mat.NewVecDense(len(v), v))
	return nil
}

// Estimate is a mean over random probes.
type Estimate struct {
	Value float64 `json:"value"`
	// StandardError is the standard deviation of Value; NaN with one probe.
	StandardError float64 `json:"standard_error"`
}

// estimate is the mean of independent samples.
func estimate(samples []float64) Estimate {
	mean, deviation := stat.MeanStdDev(samples, nil)
	return Estimate{mean, stat.StdErr(deviation, float64(len(samples)))}
}

// scaled is the estimate of a multiple.
func (e Estimate) scaled(by float64) Estimate {
	return Estimate{e.Value * by, e.StandardError * math.Abs(by)}
}

// Eigenvalues returns all eigenvalues of a matrix in memory, the largest first,
// at the cost of 9 Dim³ operations or so.
func Eigenvalues(a mat.Symmetric) ([]float64, error) {
	n := a.SymmetricDim()
	for i := range n {
		for j := i; j < n; j++ {
			if x := a.At(i, j); math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("entry (%d, %d) of the matrix is %g: expected a finite one", i, j, x)
			}
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(a, false) {
		return nil, errors.New("the eigenvalues of the matrix did not converge")
	}
	values := eigen.Values(nil)
	slices.Reverse(values)
	return values, nil
}

// rademacher fills v with random signs.
func rademacher(rng *rand.Rand, v []float64) {
	for i := range v {
		v[i] = float64(int64(rng.Uint64()&2)) - 1
	}
}

// checkDim refuses operators without rows.
func checkDim(op Operator) error {
	if op.Dim() < 1 {
		return fmt.Errorf("a matrix of %d rows: expected at least 1", op.Dim())
	}
	return nil
}
