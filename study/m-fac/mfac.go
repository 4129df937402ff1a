// Package mfacstudy is the study of "M-FAC: Efficient Matrix-Free Approximations
// of Second-Order Information" (Frantar, Kurtic and Alistarh, NeurIPS 2021).
//
// Whether the products are those of the dense inverse, and at which cost, is
// measured on random gradients; pruning and training on a small network for the
// embedded digits, with the rivals of the paper that fit there.
package mfacstudy

import (
	"context"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/learner/prune"
	"github.com/descentml/descent/method/secondorder/mfac"
	"github.com/descentml/descent/study"
)

// New returns the study.
func New() *study.Study { return newExperiment().study() }

// experiment has the algorithms under study, so that tests can see what becomes
// of the verdicts of wrong ones.
type experiment struct {
	static    func(ctx context.Context, g []float64, m, d int, s mfac.StaticSettings) (*mfac.Static[float64], error)
	pruner    prune.Method
	optimizer string // in front of ":window=..."
}

func newExperiment() *experiment {
	return &experiment{static: mfac.NewStatic[float64], pruner: prune.MFAC, optimizer: mfac.Name}
}

func (e *experiment) study() *study.Study {
	return &study.Study{Paper: "m-fac", Claims: e.claims(), Cells: e.cells, Sections: sections}
}

// plan is how much work a preset does.
type plan struct {
	epochs    int // of the training before pruning
	rounds    int
	gradients int // of F in pruning
	compared  int // epochs of the comparison of optimizers
	window    int
	sizes     []int // parameters in the comparison of costs
	lengths   []int // gradients in the same
	repeats   int
}

func newPlan(preset study.Preset) plan {
	p := plan{epochs: 60, rounds: 8, gradients: 256, compared: 10, window: 256,
		sizes: []int{200_000, 400_000, 800_000}, lengths: []int{128, 256, 512}, repeats: 9}
	switch preset {
	case study.Smoke:
		p = plan{epochs: 6, rounds: 2, gradients: 32, compared: 1, window: 32, sizes: []int{2000, 4000}, lengths: []int{16, 32}, repeats: 1}
	case study.Full:
		p.repeats = 30
	}
	return p
}

// cells plans the work. The timings come first: two of them at a time would
// share the memory's bandwidth, so they are one cell.
func (e *experiment) cells(s study.Setup) ([]study.Cell, error) {
	table, err := data.Open(context.Background(), "digits", data.Options{})
	if err != nil {
		return nil, err
	}
	p := newPlan(s.Preset)
	cells := []study.Cell{{Name: costCell, Run: func(ctx context.Context) (study.Measured, error) { return e.cost(ctx, p) }}}
	for _, seed := range s.Seeds {
		cells = append(cells, study.Cell{Name: algebraCell, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
			return e.algebra(ctx, seed)
		}})
		for _, v := range e.variants(p) {
			cells = append(cells, study.Cell{Name: v.name, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				return v.run(ctx, s.Backend, newDigits(table, seed), p)
			}})
		}
		for _, c := range e.contestants(p) {
			cells = append(cells, study.Cell{Name: c.name, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				return c.run(ctx, s.Backend, newDigits(table, seed), p)
			}})
		}
	}
	return cells, nil
}
