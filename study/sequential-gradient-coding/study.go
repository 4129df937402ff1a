// Package sequentialgradientcoding measures the claims of "Sequential Gradient
// Coding For Straggler Mitigation" (Krishnan, Ebrahimi and Khisti, ICLR 2023):
// that redundancy spread over rounds costs less load than gradient coding at the
// same tolerance, that every gradient is exact and in time, and that training on
// 256 workers takes less time for it.
//
// Recorded delays of AWS Lambda are not at hand; workers that turn bad for a
// round now and then, as the paper's chosen parameters suggest, stand in for them.
package sequentialgradientcoding

import (
	"context"
	"fmt"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/simulation"
	"github.com/descentml/descent/fleet/coding/straggler"
	"github.com/descentml/descent/study"
)

// New returns the study.
func New() *study.Study { return newExperiment().study() }

// experiment is the study with what tests replace to see a claim fail.
type experiment struct {
	load   func(s coding.Spec, workers int) float64
	scheme func(s coding.Spec, workers, jobs int) (coding.Scheme, error)
	run    func(context.Context, coding.Spec, straggler.Delays, simulation.Settings) (*simulation.Result, error)
}

func newExperiment() experiment {
	return experiment{load: coding.Spec.Load, scheme: coding.New, run: simulation.Run}
}

func (e experiment) study() *study.Study {
	return &study.Study{Paper: "sequential-gradient-coding", Claims: claims(), Cells: e.cells, Sections: sections}
}

// The cells; those of delays and trainings have names of their own.
const (
	cellLoads      = "loads"
	cellExhaustive = "all patterns"
	cellBeyond     = "beyond the tolerance"
	cellPatterns   = "random patterns"
	cellLarge      = "256 workers"
	cellCodes      = "codes"
	cellSlopes     = "slopes"
)

func (e experiment) cells(setup study.Setup) ([]study.Cell, error) {
	cells := []study.Cell{
		{Name: cellLoads, Run: e.loads},
		{Name: cellExhaustive, Run: e.exhaustive},
		{Name: cellBeyond, Run: e.beyond},
	}
	for _, seed := range setup.Seeds {
		add := func(name string, run func(context.Context, uint64) (study.Measured, error)) {
			cells = append(cells, study.Cell{Name: name, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) { return run(ctx, seed) }})
		}
		add(cellPatterns, func(ctx context.Context, seed uint64) (study.Measured, error) {
			return e.patterns(ctx, seed, setup.Preset)
		})
		add(cellLarge, e.large)
		add(cellCodes, func(ctx context.Context, seed uint64) (study.Measured, error) {
			return codes(ctx, seed, setup.Preset)
		})
		for _, d := range delayModels {
			add(d.cell(), func(ctx context.Context, seed uint64) (study.Measured, error) {
				return e.times(ctx, seed, d, setup.Preset)
			})
		}
		add(cellSlopes, func(ctx context.Context, seed uint64) (study.Measured, error) {
			return e.slopes(ctx, seed, setup.Preset)
		})
		for _, s := range trained {
			add(trainingCell(s), func(ctx context.Context, seed uint64) (study.Measured, error) {
				return e.train(ctx, seed, s, setup.Preset)
			})
		}
	}
	return cells, nil
}

func newMeasured() study.Measured {
	return study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
}

// spec reads a scheme that the study's text has fixed.
func spec(format string, arguments ...any) coding.Spec {
	s, err := coding.ParseSpec(fmt.Sprintf(format, arguments...))
	if err != nil {
		panic(err) // the texts are constants
	}
	return s
}

func bit(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}
