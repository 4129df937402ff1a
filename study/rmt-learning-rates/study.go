// Package rmtlearningrates measures the claims of "Learning Rates as a Function
// of Batch Size: A Random Matrix Theory Approach to Neural Network Training"
// (Granziol, Zohren and Roberts, JMLR 2022): how much more curved the loss of a
// mini-batch is than that of all data, that the largest stable learning rate of
// SGD therefore grows with the batch size until it saturates and that of Adam
// slower, and that rate and momentum can be read from a few Lanczos steps.
//
// Digits of 8x8 pixels stand in for CIFAR-100, and small dense networks for VGG-16
// and residual networks.
package rmtlearningrates

import (
	"context"
	"slices"
	"sync"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/backend/kernel"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/study"
)

// New returns the study. Planning its cells gives this module's matrix kernels to
// gonum, which must not be in use by others at that moment.
func New() *study.Study { return newExperiment().study() }

func newExperiment() experiment {
	return experiment{
		additive: func(noise float64) outlier { return randommatrix.Additive{Noise: noise} },
		subset:   func(order []int, batch int) []int { return order[:batch] },
		rate:     func(_ string, rate float64, _ int) float64 { return rate },
	}
}

// outlier is a model of where eigenvalues go in noise.
type outlier interface {
	Threshold() float64
	Outlier(lambda float64) float64
	Overlap(lambda float64) float64
}

// experiment is the study with what tests replace to see a claim fail.
type experiment struct {
	additive func(noise float64) outlier
	// subset is what the Hessian of a batch is computed on.
	subset func(order []int, batch int) []int
	// rate is what a method trains at.
	rate func(method string, rate float64, batch int) float64
}

func (e experiment) study() *study.Study {
	return &study.Study{Paper: "rmt-learning-rates", Claims: claims(), Cells: e.cells, Sections: sections}
}

// fastProducts gives the kernels to gonum, once.
var fastProducts = sync.OnceFunc(kernel.UseInGonum)

// The cells; those of trainings have names of their own.
const (
	cellFormulas     = "formulas"
	cellMatrices     = "random matrices"
	cellSubsets      = "subsets"
	cellLeastSquares = "least squares"
	cellCurvature    = "curvature of batches"
)

func (e experiment) cells(setup study.Setup) ([]study.Cell, error) {
	fastProducts()
	table, err := data.Open(context.Background(), "digits", data.Options{})
	if err != nil {
		return nil, err
	}
	cells := []study.Cell{{Name: cellFormulas, Run: formulas}}
	for _, seed := range setup.Seeds {
		add := func(name string, run func(context.Context, laboratory) (study.Measured, error)) {
			cells = append(cells, study.Cell{Name: name, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				return run(ctx, laboratory{setup.Backend, table, seed})
			}})
		}
		for _, m := range []method{sgd, adam} {
			for _, batch := range trainingBatches {
				if setup.Preset == study.Smoke && !slices.Contains(m.ends[:], batch) {
					continue
				}
				add(trainingCell(m, batch), func(ctx context.Context, l laboratory) (study.Measured, error) { return e.grid(ctx, l, m, batch) })
			}
		}
		for _, l := range learners {
			if setup.Preset == study.Smoke && l.learner != learners[0].learner {
				break
			}
			add(learnerCell(l.name), func(ctx context.Context, lab laboratory) (study.Measured, error) { return e.learn(ctx, lab, l.learner) })
		}
		add(cellCurvature, func(ctx context.Context, l laboratory) (study.Measured, error) {
			return e.curvature(ctx, l, batchDraws(setup.Preset))
		})
		add(cellMatrices, e.matrices)
		add(cellSubsets, subsets)
		add(cellLeastSquares, leastSquares)
	}
	return cells, nil
}

// batchDraws is the number of batches of each size whose Hessians are looked at.
// The specification asks for at least 20.
func batchDraws(p study.Preset) int {
	if p == study.Smoke {
		return 20
	}
	return 100
}

func newMeasured() study.Measured {
	return study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
}
