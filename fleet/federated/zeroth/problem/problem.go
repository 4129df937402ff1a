// Package problem makes functions for federated zeroth-order optimization:
// each client has its own, of which it can only query values, and the mean of
// all is to be minimised over the unit cube. Quadratic, Ackley and Levy are
// formulas whose clients differ as much as asked for; Attack deceives several
// image classifiers with one perturbation, and Metric tunes a network's weights
// on a score that has no gradient.
//
// Source of the constructions: Shu et al., 2023, arXiv 2308.04077, and its
// official code.
package problem

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distmv"

	"github.com/descentml/descent/method/zeroth"
)

// Problem is a set of functions of the same variables.
type Problem struct {
	Name  string
	Dim   int
	Start []float64 // Dim numbers in [0,1]
	// Clients are the functions. Different ones may be called at the same time.
	Clients []zeroth.Function
	// Gradients write the gradient of each client's function at x into g; nil
	// where there is none.
	Gradients []func(x, g []float64)
	// Minimum is the least value of the mean; NaN if it is not known.
	Minimum float64
}

// Value is the mean of the clients' functions at x: for measuring, as no
// evaluator counts it. It must not run while clients work.
func (p *Problem) Value(ctx context.Context, x []float64) (float64, error) {
	sum := 0.0
	for i, f := range p.Clients {
		y, err := f(ctx, x)
		if err != nil {
			return 0, fmt.Errorf("the function of client %d: %w", i, err)
		}
		sum += y
	}
	return sum / float64(len(p.Clients)), nil
}

// Gradient is the gradient of client i's function as a function of its own, or
// nil. It shares no buffer with others.
func (p *Problem) Gradient(i int) func(x, g []float64) {
	if p.Gradients == nil {
		return nil
	}
	return p.Gradients[i]
}

// MeanGradient makes a function that writes the gradient of the mean, or nil if
// there is none. What it makes is for one goroutine.
func (p *Problem) MeanGradient() func(x, g []float64) {
	if p.Gradients == nil {
		return nil
	}
	one := make([]float64, p.Dim)
	return func(x, g []float64) {
		clear(g)
		for _, gradient := range p.Gradients {
			gradient(x, one)
			for i, v := range one {
				g[i] += v / float64(len(p.Gradients))
			}
		}
	}
}

// Difference is how clients differ.
type Difference struct {
	Clients int
	Dim     int
	// C is the heterogeneity: 0 makes all clients equal, 5 very different ones.
	C    float64
	Seed uint64
}

// Streams of random numbers of a seed.
const (
	startStream = iota + 0x70
	firstStream
	secondStream
	shareStream
	networkStream
	imageStream
)

func generator(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

func (d Difference) check() error {
	switch {
	case d.Clients < 1 || d.Dim < 1 || d.Clients > 1<<20 || d.Dim > (1<<27)/d.Clients:
		return fmt.Errorf("%d clients in %d dimensions: expected at least 1 of each and a product of at most %d", d.Clients, d.Dim, 1<<27)
	case !(d.C >= 0) || math.IsInf(d.C, 0):
		return fmt.Errorf("heterogeneity %g: expected a number from 0 on", d.C)
	}
	return nil
}

// coefficients draws base + c (row - 1/N) with a row ~ Dirichlet(1/N, ..., 1/N)
// over clients for each dimension: N slices of Dim numbers whose mean over
// clients is base in every dimension.
func (d Difference) coefficients(base float64, stream uint64) [][]float64 {
	table := make([][]float64, d.Clients)
	for i := range table {
		table[i] = make([]float64, d.Dim)
	}
	if d.Clients == 1 {
		for j := range table[0] {
			table[0][j] = base
		}
		return table
	}
	share := 1 / float64(d.Clients)
	alpha := make([]float64, d.Clients)
	for i := range alpha {
		alpha[i] = share
	}
	row, rows := make([]float64, d.Clients), distmv.NewDirichlet(alpha, rand.NewPCG(d.Seed, stream))
	for j := range d.Dim {
		rows.Rand(row)
		for i, r := range row {
			table[i][j] = base + d.C*(r-share)
		}
	}
	return table
}

// start draws a point of the unit cube.
func (d Difference) start() []float64 {
	rng, x := generator(d.Seed, startStream), make([]float64, d.Dim)
	for i := range x {
		x[i] = rng.Float64()
	}
	return x
}

// stretch is the domain of the formulas, [-10, 10], over the unit interval.
func stretch(x float64) float64 { return -10 + stretchSlope*min(max(x, 0), 1) }

const stretchSlope = 20
