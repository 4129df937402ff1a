package linear

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// IllConditioned draws a logistic problem of n examples with d features whose
// Gram matrix has the condition number 10^6: X = Q diag(sqrt(n)
// 10^{-3j/(d-1)}) W', with Q and W from the QR factorisation of normal numbers,
// and labels y ~ Bernoulli(sigmoid(X theta*)) for theta* = W (xi_j/2
// 10^{3j/(d-1)}), xi normal, so that every direction matters equally.
func IllConditioned(n, d int, random *rand.Rand) (*Problem, error) {
	if d < 2 || n < d {
		return nil, fmt.Errorf("%d examples with %d features: expected at least 2 features and as many examples", n, d)
	}
	q, w := orthonormal(n, d, random), orthonormal(d, d, random)
	scaled, theta := mat.NewDense(n, d, nil), mat.NewDense(d, 1, nil)
	for j := range d {
		size := math.Pow(10, -3*float64(j)/float64(d-1))
		for i := range n {
			scaled.Set(i, j, q.At(i, j)*math.Sqrt(float64(n))*size)
		}
		theta.Set(j, 0, 0.5*random.NormFloat64()/size)
	}
	var features, target, z mat.Dense
	features.Mul(scaled, w.T())
	target.Mul(w, theta)
	z.Mul(&features, &target)
	labels := make([]float64, n)
	for i := range labels {
		if random.Float64() < sigmoid(z.At(i, 0)) {
			labels[i] = 1
		}
	}
	return NewProblem(&features, labels, Logistic{})
}

// orthonormal is Q [n, d] of the QR factorisation of normal numbers.
func orthonormal(n, d int, random *rand.Rand) mat.Matrix {
	normal := mat.NewDense(n, d, nil)
	for i := range n {
		row := normal.RawRowView(i)
		for j := range row {
			row[j] = random.NormFloat64()
		}
	}
	var qr mat.QR
	var q mat.Dense
	qr.Factorize(normal)
	qr.QTo(&q)
	return q.Slice(0, n, 0, d)
}

// WithBias returns features with a column of ones after them, each column
// before standardised to mean 0 and population deviation 1; a constant column
// becomes 0.
func WithBias(features mat.Matrix) (*mat.Dense, error) {
	n, d := features.Dims()
	if n == 0 {
		return nil, errors.New("features without rows: expected at least one")
	}
	out := mat.NewDense(n, d+1, nil)
	column := make([]float64, n)
	for j := range d {
		mat.Col(column, j, features)
		mean, deviation := stat.PopMeanStdDev(column, nil)
		for i, x := range column {
			if deviation > 0 {
				out.Set(i, j, (x-mean)/deviation)
			}
		}
	}
	for i := range n {
		out.Set(i, d, 1)
	}
	return out, nil
}
