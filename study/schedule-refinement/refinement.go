// Package schedulerefinement measures the claims of "When, Why and How Much?
// Adaptive Learning Rate Scheduling by Refinement" (Defazio, Cutkosky, Mehta and
// Mishchenko, 2023): linear decay to zero is the schedule to use when nothing
// is known, and the gradient norms of one run make a better one for the next.
//
// The paper's text and tables were not available; its abstract, its official
// code and papers that restate its theorems were. Its ten deep-learning tasks
// are out of reach here. What stands in for them are a regression whose noise
// is known, where schedules can be told apart by the exact risk, and logistic
// regression on four embedded sets, as in the paper's own suite of such.
package schedulerefinement

import (
	"context"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/schedule/refine"
	"github.com/descentml/descent/study"
)

// New returns the study.
func New() *study.Study {
	return experiment{
		linear: func(total int) schedule.Func { return schedule.Linear(total, 0) },
		refine: func(norms []float64, v refine.Variant) (*refine.Curve, error) {
			return refine.Refine(norms, refine.Options{Variant: v, Tau: refine.DefaultTau})
		},
	}.study()
}

// experiment is the study with the two methods under test, which tests replace
// to see a claim fail.
type experiment struct {
	linear func(total int) schedule.Func
	refine func(norms []float64, v refine.Variant) (*refine.Curve, error)
}

func (e experiment) study() *study.Study {
	return &study.Study{Paper: "schedule-refinement", Claims: claims(), Cells: e.cells, Sections: sections}
}

// size is how large the measurements of a preset are.
type size struct {
	noiseSteps, replicas, noiseRates int
	softmaxSteps, softmaxRates       int
	trials                           int // of Theorem 1
	horizons                         []int
}

func sizeOf(p study.Preset) size {
	switch p {
	case study.Smoke:
		return size{noiseSteps: 400, replicas: 40, noiseRates: 22, softmaxSteps: 100, softmaxRates: 5, trials: 300, horizons: []int{10, 100, 1000}}
	case study.Full:
		return size{noiseSteps: 400, replicas: 400, noiseRates: 43, softmaxSteps: 1000, softmaxRates: 9, trials: 3000, horizons: []int{10, 100, 1000, 10_000, 100_000}}
	}
	return size{noiseSteps: 400, replicas: 100, noiseRates: 22, softmaxSteps: 1000, softmaxRates: 5, trials: 300, horizons: []int{10, 100, 1000, 10_000}}
}

// The cells without randomness.
const (
	cellLinear   = "linear decay on |x|"
	cellBounds   = "bounds of schedules"
	cellProfiles = "synthetic norms"
)

// cellTheorem is the cell of Theorem 1, once per seed.
const cellTheorem = "last point against regret"

func (e experiment) cells(setup study.Setup) ([]study.Cell, error) {
	sz := sizeOf(setup.Preset)
	cells := []study.Cell{
		{Name: cellLinear, Run: func(ctx context.Context) (study.Measured, error) { return e.linearDecay(ctx, sz.horizons) }},
		{Name: cellBounds, Run: e.bounds},
		{Name: cellProfiles, Run: func(context.Context) (study.Measured, error) { return e.profiles() }},
	}
	for _, seed := range setup.Seeds {
		for _, p := range softmaxProblems {
			cells = append(cells, study.Cell{Name: p.cell(), Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				return e.softmax(ctx, p, seed, sz)
			}})
		}
		for _, p := range noiseProfiles {
			cells = append(cells, study.Cell{Name: p.cell(), Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				return e.noise(ctx, p, seed, sz)
			}})
		}
		cells = append(cells, study.Cell{Name: cellTheorem, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
			return theorem(ctx, seed, sz.trials)
		}})
	}
	return cells, nil
}

// entry is a schedule under comparison.
type entry struct {
	name string
	f    schedule.Func
}

// The names of the schedules whose values claims are about.
const (
	linear    = "linear"
	cosine    = "cosine"
	warm      = "linear after 30 % warm-up"
	flat      = "flat"
	step      = "30-60-90"
	inverse   = "1/t"
	inverseRt = "1/sqrt t"
	refinedL2 = "refined l2sq"
	refinedL1 = "refined l1"
)

// refined are the two variants made of a run's norms.
func (e experiment) refined(l2, l1 []float64) ([]entry, error) {
	var entries []entry
	for _, v := range []struct {
		name    string
		variant refine.Variant
		norms   []float64
	}{{refinedL2, refine.L2Sq, l2}, {refinedL1, refine.L1, l1}} {
		curve, err := e.refine(v.norms, v.variant)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{v.name, schedule.Refined(curve, len(v.norms))})
	}
	return entries, nil
}

// geometric returns n learning rates with even ratios from low to high.
func geometric(low, high float64, n int) []float64 {
	return floats.LogSpan(make([]float64, n), low, high)
}

// curveOf is a curve over 0, 1, 2, ...
func curveOf(y []float64) study.Curve {
	x := make([]float64, len(y))
	for i := range x {
		x[i] = float64(i)
	}
	return study.Curve{X: x, Y: slices.Clone(y)}
}

// sampled are the factors of a schedule at the steps of a run.
func sampled(f schedule.Func, total int) []float64 {
	y := make([]float64, total)
	for i := range y {
		y[i] = f(i)
	}
	return y
}
