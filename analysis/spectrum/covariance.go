package spectrum

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Gradients has the gradients of single examples, as functions of package
// objective do.
type Gradients interface {
	Dim() int
	Examples() int
	// ExampleGradients visits them in order, as rows [k, Dim] from example
	// first on.
	ExampleGradients(ctx context.Context, visit func(first int, gradients *mat.Dense) error) error
}

// covarianceNumbers bounds the numbers of all gradients together.
const covarianceNumbers = 1 << 28

// Covariance returns the min(n, Dim) largest eigenvalues of the covariance
// (1/n) sum_i (g_i - g)(g_i - g)' of the gradients of n examples around their
// mean g, the largest first; the others are 0. Not centred, it is the spectrum
// of the empirical Fisher matrix. It holds all gradients, of which there may be
// 2^28 numbers; for more take [Quadrature] of the Fisher matrix.
func Covariance(ctx context.Context, f Gradients, centred bool) ([]float64, error) {
	n, dim := f.Examples(), f.Dim()
	if n < 1 || dim < 1 || n > covarianceNumbers/dim {
		return nil, fmt.Errorf("the gradients of %d examples by %d parameters: expected at most %d numbers", n, dim, covarianceNumbers)
	}
	g := mat.NewDense(n, dim, nil)
	mean := mat.NewVecDense(dim, nil)
	err := f.ExampleGradients(ctx, func(first int, rows *mat.Dense) error {
		count, _ := rows.Dims()
		for i := range count {
			mean.AddScaledVec(mean, 1/float64(n), rows.RowView(i))
			g.SetRow(first+i, rows.RawRowView(i))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if centred {
		for i := range n {
			row := g.RowView(i).(*mat.VecDense)
			row.SubVec(row, mean)
		}
	}
	var small mat.SymDense
	if n <= dim {
		small.SymOuterK(1/float64(n), g)
	} else {
		small.SymOuterK(1/float64(n), g.T())
	}
	return Eigenvalues(&small)
}
