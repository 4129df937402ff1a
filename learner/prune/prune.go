// Package prune sets weights of a trained network to zero so that it loses as
// little as it can, in the manner of the optimal brain surgeon: the weights that
// go are those whose loss costs least by a quadratic model of the loss, and those
// that stay are moved to make up for them.
//
// The quadratic model is the empirical Fisher matrix of m gradients,
//
//	F = lambda I + (1/m) sum_i g_i g_i^T
//
// of which [MFAC] needs no more than the gradients. Beside it stand pruning by
// magnitude, by the diagonal of F, and WoodFisher, which is MFAC with dense
// blocks.
//
// Source: Frantar, Kurtic and Alistarh, "M-FAC: Efficient Matrix-Free
// Approximations of Second-Order Information", NeurIPS 2021, arXiv 2107.03356.
package prune

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/descentml/descent/backend/kernel/gemm"
	"github.com/descentml/descent/method/secondorder/mfac"
	"github.com/descentml/descent/method/spec"
)

// Method is how the weights that go are chosen, and the others moved.
type Method int

// The methods.
const (
	MFAC       Method = iota // by F, without forming it
	Magnitude                // the smallest go, none is moved
	Diagonal                 // by the diagonal of F, none is moved
	WoodFisher               // by F in dense blocks: MFAC with much more memory and time
)

var methodNames = []string{"m-fac", "magnitude", "diagonal", "woodfisher"}

// String returns the method's name: m-fac, magnitude, diagonal or woodfisher.
func (m Method) String() string {
	if m < 0 || int(m) >= len(methodNames) {
		return fmt.Sprintf("Method(%d)", int(m))
	}
	return methodNames[m]
}

// ParseMethod returns the method of a name.
func ParseMethod(name string) (Method, error) {
	for i, known := range methodNames {
		if name == known {
			return Method(i), nil
		}
	}
	return 0, spec.Unknown("pruning method", name, methodNames)
}

// Settings are those of [Network.Run].
type Settings struct {
	// Method chooses the weights. Default MFAC.
	Method Method
	// Sparsity is the share of the weights that are zero in the end, from 0 to
	// below 1. Biases and what else has fewer than two axes are not pruned and do
	// not count.
	Sparsity float64
	// Rounds is the number of steps to there, with a constant ratio of the
	// densities from one to the next; gradients are new in each. Default 16.
	Rounds int
	// Gradients is m, the number of batches whose gradients make F. Default 64.
	Gradients int
	// Damping is lambda, above 0. Default 1e-5.
	Damping float64
	// Block is the number of consecutive weights between which F is kept; 0: all.
	// The published code has 128 by default, and WoodFisher can afford no more
	// than some hundred.
	Block int
	// After, if not nil, is called at the end of each round, from 0 on: to train
	// what is left, say, with [Network.Enforce] after each step.
	After func(ctx context.Context, round int) error
	// Parallel spreads the work on F, as workers.Pool.Run does. nil: no other
	// goroutine.
	Parallel gemm.Parallel
}

// complete gives settings of value zero their defaults and checks all.
func (s *Settings) complete() error {
	for _, d := range []struct {
		field    *int
		standard int
	}{{&s.Rounds, 16}, {&s.Gradients, 64}} {
		if *d.field == 0 {
			*d.field = d.standard
		}
	}
	if s.Damping == 0 {
		s.Damping = 1e-5
	}
	switch {
	case s.Method < 0 || int(s.Method) >= len(methodNames):
		return fmt.Errorf("pruning method %d: expected MFAC, Magnitude, Diagonal or WoodFisher", int(s.Method))
	case !(s.Sparsity >= 0 && s.Sparsity < 1):
		return fmt.Errorf("sparsity %g: expected a number in [0, 1)", s.Sparsity)
	case s.Rounds < 1 || s.Gradients < 1 || s.Block < 0:
		return fmt.Errorf("%d rounds, %d gradients and blocks of %d: expected at least 1, 1 and 0", s.Rounds, s.Gradients, s.Block)
	case !(s.Damping > 0) || math.IsInf(s.Damping, 0):
		return fmt.Errorf("damping %g: expected a finite number above 0", s.Damping)
	}
	return nil
}

// Batch returns the i-th batch of a round, inputs [batch, width] and labels
// [batch, 1]. The gradient of its mean loss is one of the m; batches of one
// example make F the Fisher matrix of examples.
type Batch func(round, i int) (x, y *tensors.Tensor)

// Run prunes a network. Weights that are zero before count as pruned and stay.
// Gradients are taken in evaluation mode. When ctx ends it returns ctx's error;
// the network is as the last round left it then.
func (n *Network) Run(ctx context.Context, batch Batch, s Settings) error {
	if err := s.complete(); err != nil {
		return err
	}
	total, start := float64(n.total), float64(len(n.kept))/float64(n.total)
	ratio := (1 - s.Sparsity) / start
	for round := range s.Rounds {
		density := start * math.Pow(ratio, float64(round+1)/float64(s.Rounds))
		drop := len(n.kept) - int(math.Round(total*density))
		if drop > 0 {
			if err := n.round(ctx, batch, s, round, drop); err != nil {
				return err
			}
		}
		if s.After != nil {
			if err := s.After(ctx, round); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// round drops a number of weights.
func (n *Network) round(ctx context.Context, batch Batch, s Settings, round, drop int) error {
	weights, err := n.weights()
	if err != nil {
		return err
	}
	if s.Method == Magnitude {
		scores := make([]float64, len(weights))
		for i, w := range weights {
			scores[i] = math.Abs(w)
		}
		return n.drop(weights, Smallest(scores, drop))
	}
	gradients, err := n.gradients(ctx, batch, round, s.Gradients)
	if err != nil {
		return err
	}
	inverse, err := s.inverse(ctx, gradients, len(weights))
	if err != nil {
		return err
	}
	scores := make([]float64, len(weights))
	if err := Saliency(scores, weights, inverse); err != nil {
		return err
	}
	places := Smallest(scores, drop)
	if err := Surgery(weights, places, inverse); err != nil {
		return err
	}
	return n.drop(weights, places)
}

// inverse makes the inverse of F from gradients of d weights, which it may
// overwrite.
func (s *Settings) inverse(ctx context.Context, gradients []float64, d int) (Inverse, error) {
	switch s.Method {
	case Diagonal:
		return NewDiagonal(gradients, s.Gradients, d, s.Damping)
	case WoodFisher:
		return NewWoodFisher(ctx, gradients, s.Gradients, d, s.Damping, s.Block)
	}
	return mfac.NewStatic(ctx, gradients, s.Gradients, d, mfac.StaticSettings{Damping: s.Damping, Block: s.Block, Parallel: s.Parallel})
}
