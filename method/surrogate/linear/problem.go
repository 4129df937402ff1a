// Package linear has target-based surrogate methods (SSO, Lavington et al.,
// ICML 2023) and their baselines in closed form for linear models, in float64.
//
// The targets of n examples with the features X [n, d] are Z = X theta, for
// theta [d, c]; what is minimised is the mean loss
//
//	h(theta) = (1/n) sum_i l_i(z_i).
//
// The surrogate of such a model is a quadratic function of theta, so its
// minimiser, its line searches and its bounds are exact here. That is what
// theory needs, and tests of the methods for any model in package surrogate.
package linear

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Problem is a linear model with its data and loss. It does not change, and
// any number of runs may share it.
type Problem struct {
	// Features has the shape [n, d]. A bias is a column of ones.
	Features *mat.Dense
	// Labels has n values of the loss's kind.
	Labels []float64
	// Loss is the loss of one example.
	Loss Loss
}

// NewProblem checks that data and loss fit together.
func NewProblem(features *mat.Dense, labels []float64, loss Loss) (*Problem, error) {
	n, d := features.Dims()
	switch {
	case n == 0 || d == 0:
		return nil, errors.New("features: expected at least one row and one column")
	case len(labels) != n:
		return nil, fmt.Errorf("%d labels for features of shape [%d, %d]: expected %d", len(labels), n, d, n)
	}
	if s, ok := loss.(Softmax); ok && s.Classes < 2 {
		return nil, fmt.Errorf("softmax loss of %d classes: expected at least 2", s.Classes)
	}
	if err := check(loss, labels); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(features.RawMatrix().Data, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }) {
		return nil, errors.New("features: expected finite numbers")
	}
	return &Problem{features, labels, loss}, nil
}

// Examples is n.
func (p *Problem) Examples() int { return len(p.Labels) }

// Zero returns theta = 0 of shape [d, c].
func (p *Problem) Zero() *mat.Dense {
	_, d := p.Features.Dims()
	return mat.NewDense(d, p.Loss.Outputs(), nil)
}

// Value is h(theta).
func (p *Problem) Value(theta mat.Matrix) float64 {
	var z mat.Dense
	z.Mul(p.Features, theta)
	return meanLoss(p.Loss, &z, p.Labels, nil)
}

// Gradient returns h(theta) and writes its gradient [d, c] to gradient.
func (p *Problem) Gradient(gradient *mat.Dense, theta mat.Matrix) float64 {
	var z mat.Dense
	z.Mul(p.Features, theta)
	g := mat.NewDense(p.Examples(), p.Loss.Outputs(), nil)
	value := meanLoss(p.Loss, &z, p.Labels, g)
	gradient.Mul(p.Features.T(), g)
	gradient.Scale(1/float64(p.Examples()), gradient)
	return value
}

// meanLoss is the mean loss of targets z [b, c], and the gradient of the SUM
// over the examples by the targets in gradient, unless that is nil.
func meanLoss(loss Loss, z *mat.Dense, labels []float64, gradient *mat.Dense) float64 {
	sum := 0.0
	for i, y := range labels {
		var row []float64
		if gradient != nil {
			row = gradient.RawRowView(i)
		}
		sum += loss.Value(z.RawRowView(i), y, row)
	}
	return sum / float64(len(labels))
}

// LargestCurvature is lambda_max(X'X) L/n, a bound on the curvature of h:
// gradient descent takes steps of one over it.
func (p *Problem) LargestCurvature() float64 {
	var svd mat.SVD
	if !svd.Factorize(p.Features, mat.SVDNone) {
		return math.NaN()
	}
	largest := svd.Values(nil)[0]
	return largest * largest * p.Loss.Smoothness() / float64(p.Examples())
}

// Minimize finds the minimiser of h by Newton's method with step halving, from
// theta = 0 until the Newton decrement is below 1e-16 of the loss. The loss
// must have one target. It is an error if there is no minimiser, as for
// classes that a plane separates, or the Hessian is singular.
func (p *Problem) Minimize(ctx context.Context) (theta *mat.Dense, value float64, err error) {
	loss, ok := p.Loss.(curved)
	if !ok {
		return nil, 0, fmt.Errorf("newton's method for %T: expected a loss of one target", p.Loss)
	}
	theta, gradient := p.Zero(), p.Zero()
	n, d := p.Features.Dims()
	weighted := mat.NewDense(n, d, nil)
	var z, step, trial mat.Dense
	for range 200 {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		value = p.Gradient(gradient, theta)
		z.Mul(p.Features, theta)
		for i, y := range p.Labels {
			weight := math.Sqrt(loss.curvature(z.At(i, 0), y) / float64(n))
			row := weighted.RawRowView(i)
			for j, x := range p.Features.RawRowView(i) {
				row[j] = weight * x
			}
		}
		hessian := mat.NewSymDense(d, nil)
		hessian.SymOuterK(1, weighted.T())
		var cholesky mat.Cholesky
		if !cholesky.Factorize(hessian) {
			return nil, 0, errors.New("newton's method met a singular Hessian: the loss has no single minimiser")
		}
		if err := cholesky.SolveTo(&step, gradient); err != nil {
			return nil, 0, fmt.Errorf("newton's method: %w", err)
		}
		decrement := inner(gradient, &step)
		size := 1.0
		for ; size > 1e-12; size /= 2 {
			trial.Scale(-size, &step)
			trial.Add(theta, &trial)
			if p.Value(&trial) <= value-size*decrement/4 {
				theta.Copy(&trial)
				break
			}
		}
		if decrement <= 1e-16*(1+math.Abs(value)) || size <= 1e-12 {
			return theta, min(value, p.Value(theta)), nil
		}
	}
	return nil, 0, errors.New("newton's method did not end in 200 steps: the loss may have no minimiser")
}

// inner is the sum of products of the entries.
func inner(a, b *mat.Dense) float64 {
	sum := 0.0
	rows, _ := a.Dims()
	for i := range rows {
		sum += floats.Dot(a.RawRowView(i), b.RawRowView(i))
	}
	return sum
}
