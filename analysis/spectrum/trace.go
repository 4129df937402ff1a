package spectrum

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Hutchinson estimates the trace by the mean of v'A v over random vectors of
// signs, one product for each. Its variance is 2 (|A|_F² - sum_i A_ii²).
func Hutchinson(ctx context.Context, op Operator, probes int, rng *rand.Rand) (Estimate, error) {
	return probed(ctx, op, probes, rng, func(v, product []float64) float64 { return floats.Dot(v, product) })
}

// SquaredNorm estimates the square of the Frobenius norm by the mean of |A v|²
// over random vectors of signs. For the residual of a Hessian over its
// Gauss-Newton part it says how much the latter leaves out.
func SquaredNorm(ctx context.Context, op Operator, probes int, rng *rand.Rand) (Estimate, error) {
	return probed(ctx, op, probes, rng, func(_, product []float64) float64 { return floats.Dot(product, product) })
}

// probed is the mean of a quadratic form over random vectors of signs.
func probed(ctx context.Context, op Operator, probes int, rng *rand.Rand, form func(v, product []float64) float64) (Estimate, error) {
	if err := checkDim(op); err != nil {
		return Estimate{}, err
	}
	if probes < 1 {
		return Estimate{}, fmt.Errorf("%d probes: expected at least 1", probes)
	}
	samples := make([]float64, 0, probes)
	together := vectors(min(blockOf(op), probes), op.Dim())
	products := vectors(len(together), op.Dim())
	for len(samples) < probes {
		n := min(len(together), probes-len(samples))
		for _, v := range together[:n] {
			rademacher(rng, v)
		}
		if err := ctx.Err(); err != nil {
			return Estimate{}, err
		}
		if err := applyAll(op, products[:n], together[:n]); err != nil {
			return Estimate{}, err
		}
		for i := range n {
			samples = append(samples, form(together[i], products[i]))
		}
	}
	return estimate(samples), nil
}

// vectors makes n vectors.
func vectors(n, dim int) [][]float64 {
	list := make([][]float64, n)
	for i := range list {
		list[i] = make([]float64, dim)
	}
	return list
}

// HutchPP estimates the trace by Hutch++ (Meyer et al., SOSA 2021, Algorithm 1):
// a third of the products finds the range of the large eigenvalues, a third has
// the trace there exactly, and a third estimates what is left by random vectors.
// Its error falls with the number of products where Hutchinson's falls with the
// root of it. It takes 3 products at least and memory for a third of them as vectors.
func HutchPP(ctx context.Context, op Operator, products int, rng *rand.Rand) (Estimate, error) {
	if err := checkDim(op); err != nil {
		return Estimate{}, err
	}
	if products < 3 {
		return Estimate{}, fmt.Errorf("%d products: expected at least 3", products)
	}
	k := min(products/3, op.Dim())
	large, err := rangeOf(ctx, op, k, rng)
	if err != nil {
		return Estimate{}, err
	}
	product := make([]float64, op.Dim())
	exact := 0.0
	for _, q := range large {
		if err := ctx.Err(); err != nil {
			return Estimate{}, err
		}
		if err := op.Apply(product, q); err != nil {
			return Estimate{}, err
		}
		exact += floats.Dot(q, product)
	}
	if len(large) == op.Dim() {
		return Estimate{Value: exact}, nil
	}
	rest, err := probed(ctx, projected{op, large}, products-2*k, rng, floats.Dot)
	if err != nil {
		return Estimate{}, err
	}
	return Estimate{exact + rest.Value, rest.StandardError}, nil
}

// rangeOf is an orthonormal basis of the products with k random vectors; fewer
// if they do not span as much.
func rangeOf(ctx context.Context, op Operator, k int, rng *rand.Rand) ([][]float64, error) {
	v, product := make([]float64, op.Dim()), make([]float64, op.Dim())
	var basis [][]float64
	for range k {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rademacher(rng, v)
		if err := op.Apply(product, v); err != nil {
			return nil, err
		}
		before := floats.Norm(product, 2)
		for range 2 { // once leaves rounding of the size of what was taken away
			projected{op, basis}.project(product)
		}
		if after := floats.Norm(product, 2); after > breakdown*before {
			floats.ScaleTo(product, 1/after, product)
			basis = append(basis, slices.Clone(product))
		}
	}
	return basis, nil
}

// projected is (I - Q Q') A (I - Q Q') for an orthonormal basis Q.
type projected struct {
	Operator
	basis [][]float64
}

func (p projected) Apply(dst, v []float64) error {
	free := append([]float64(nil), v...)
	p.project(free)
	if err := p.Operator.Apply(dst, free); err != nil {
		return err
	}
	p.project(dst)
	return nil
}

func (p projected) project(v []float64) {
	for _, q := range p.basis {
		floats.AddScaled(v, -floats.Dot(q, v), q)
	}
}
