// Package sgdstability measures the claims of "The Implicit Regularization of
// Dynamical Stability in Stochastic Gradient Descent" (Wu and Su, 2023, arXiv
// 2305.17490): that SGD at the learning rate e can stay only at solutions where
// the trace of the Hessian is at most 2/e, while gradient descent asks that of
// the largest eigenvalue alone, and that this is why SGD at large learning rates
// finds solutions of small norm, which generalise.
package sgdstability

import (
	"context"
	"math/rand/v2"

	"github.com/descentml/descent/analysis/stability"
	"github.com/descentml/descent/study"
)

// name is that of the paper in the catalogue.
const name = "sgd-stability"

// New is the study.
func New() *study.Study { return newExperiment().study() }

// experiment holds the methods under study, so that a test can break one.
type experiment struct {
	// train is stochastic when given a generator and gradient descent
	// otherwise.
	train func(context.Context, stability.Model, []float64, stability.Training, *rand.Rand) (stability.Outcome, error)
	// threshold is the exact limit of stability.
	threshold func(context.Context, *stability.Design, stability.Sampling) (float64, error)
}

func newExperiment() *experiment {
	return &experiment{
		train: stability.Train,
		threshold: func(ctx context.Context, d *stability.Design, s stability.Sampling) (float64, error) {
			return d.Threshold(ctx, s)
		},
	}
}

func (e *experiment) study() *study.Study {
	return &study.Study{Paper: name, Claims: claims(), Cells: e.cells, Sections: sections}
}

// The streams of random numbers of a seed.
const (
	designStream = iota + 1
	modelStream
	diagonalStream // examples
	reluStream     // examples
	startStream    // initial parameters
	orderStream    // the order of examples
)

func generator(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// size is how large a preset's experiments are.
type size struct {
	designs   int // random ones, per seed
	inputs    int // for the trace of random networks
	recursion int // steps of the second moment
	// Steps on the diagonal network: of SGD, and from balanced starts.
	steps, balanceSGD, balanceGD int
	balances                     []float64 // of the starts
	reluSteps, reluGDSteps       int
}

// The specification's learning rates.
var (
	diagonalRates   = []float64{0.0040, 0.0079, 0.0158, 0.0316, 0.0631, 0.1259}
	diagonalGDRates = []float64{0.004, 0.032, 0.126}
	balances        = []float64{4, 8}
	reluRates       = []float64{0.004, 0.008, 0.012, 0.016}
	reluGDRates     = []float64{0.02, 0.024}
)

func sizeOf(p study.Preset) size {
	s := size{ // quick
		designs: 20, inputs: 400_000, recursion: 5000,
		steps: 40_000, balanceSGD: 30_000, balanceGD: 2000, balances: balances,
		reluSteps: 60_000, reluGDSteps: 6000,
	}
	switch p {
	case study.Smoke:
		s.inputs, s.recursion, s.reluGDSteps = 100_000, 2000, 3000
	case study.Full:
		s.steps, s.balances = 80_000, []float64{1, 2, 4, 8, 16}
	}
	return s
}

func (e *experiment) cells(setup study.Setup) ([]study.Cell, error) {
	s := sizeOf(setup.Preset)
	var list []study.Cell
	for _, seed := range setup.Seeds {
		add := func(cell string, run func(context.Context, uint64) (study.Measured, error)) {
			list = append(list, study.Cell{Name: cell, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return run(ctx, seed) }})
		}
		for _, rate := range reluGDRates {
			add(reluCell(gd, rate), e.relu(gd, rate, s.reluGDSteps))
		}
		for _, rate := range diagonalGDRates {
			add(diagonalCell(gd, rate), e.diagonal(gd, rate, gdSteps))
		}
		for _, r0 := range s.balances {
			add(balanceCell(gd, r0), e.balance(gd, r0, s.balanceGD))
			add(balanceCell(sgd, r0), e.balance(sgd, r0, s.balanceSGD))
		}
		add(escapeCell, e.escape)
		for _, rate := range reluRates {
			add(reluCell(sgd, rate), e.relu(sgd, rate, s.reluSteps))
		}
		for _, rate := range diagonalRates {
			add(diagonalCell(sgd, rate), e.diagonal(sgd, rate, s.steps))
		}
		add(thresholdCell, e.thresholds(s.designs, s.recursion))
		add(identityCell, e.identities(s.inputs))
	}
	return list, nil
}
