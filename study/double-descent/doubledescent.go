// Package doubledescent measures the claims of "Understanding the Role of
// Optimization in Double Descent" (Liu and Flanigan, OPT 2023 at NeurIPS 2023):
// the peak of the test error at the interpolation threshold is there exactly
// when training gets down to a small loss there, and every choice about the
// optimizer acts through that loss.
//
// The paper's full text, settings and figures were not available. The
// experiments are designed here to test what its abstract says: random tanh
// features and two-layer networks on embedded handwritten digits with a tenth
// of the labels replaced.
package doubledescent

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/descentml/descent/analysis/doubledescent"
	"github.com/descentml/descent/backend/kernel"
	"github.com/descentml/descent/study"
)

// New returns the study. Planning its cells gives this module's matrix kernels to
// gonum, which must not be in use by others at that moment.
func New() *study.Study {
	return experiment{alter: func(s doubledescent.Setting) doubledescent.Setting { return s }}.study()
}

// fastProducts gives the kernels to gonum, once.
var fastProducts = sync.OnceFunc(kernel.UseInGonum)

// experiment is the study with what tests replace to see a claim fail.
type experiment struct {
	alter func(doubledescent.Setting) doubledescent.Setting // what is run in place of a setting
}

func (e experiment) study() *study.Study {
	return &study.Study{Paper: "double-descent", Claims: claims(), Cells: e.cells, Sections: sections}
}

// The cells, which are run once per seed.
const (
	cellBudgets     = "random features over budgets"
	cellLarger      = "random features over budgets, 200 examples"
	cellActivations = "other activations"
	cellFactors     = "factors, closed forms"
	cellSGD         = "factors, SGD"
	cellAdam        = "factors, Adam"
	cellBatches     = "batch sizes"
	cellNetwork     = "two-layer network"
	cellPrediction  = "prediction from the spectrum"
)

// plan is a cell that sweeps.
type plan struct {
	cell      string
	data      func(seed uint64) (*doubledescent.Data, error)
	settings  []doubledescent.Setting
	multiples []float64
}

func plans(preset study.Preset) ([]plan, error) {
	all, two, networks := doubledescent.DefaultMultiples(), []float64{1, 10}, networkSettings()
	if preset == study.Smoke {
		networks = networks[:2] // the last budget is most of the work
		all = []float64{0.1, 0.4, 0.8, 1, 1.2, 2, 10}
	}
	closed, sgd, adam := factorSettings()
	list := []plan{
		{cellAdam, digits(examples), adam, two}, // the longest first
		{cellNetwork, pairOfDigits, networks, networkMultiples()},
		{cellSGD, digits(examples), sgd, two},
		{cellBudgets, digits(examples), slices.Concat(budgetSettings(), rescueSettings(), ridgeSettings()), all},
		{cellFactors, digits(examples), closed, two},
	}
	if preset == study.Smoke {
		return list, nil
	}
	batches, err := batchSettings()
	if err != nil {
		return nil, err
	}
	list = append(list,
		plan{cellBatches, digits(examples), batches, two},
		plan{cellActivations, digits(examples), activationSettings(), all})
	if preset == study.Full {
		list = append(list, plan{cellLarger, digits(2 * examples), budgetSettings(), all})
	}
	return list, nil
}

func (e experiment) cells(setup study.Setup) ([]study.Cell, error) {
	fastProducts()
	work, err := plans(setup.Preset)
	if err != nil {
		return nil, err
	}
	var cells []study.Cell
	for _, p := range work {
		settings := make([]doubledescent.Setting, len(p.settings))
		for i, s := range p.settings {
			settings[i] = e.alter(s)
		}
		for _, seed := range setup.Seeds {
			sweep := doubledescent.Sweep{Data: p.data, Settings: settings, Seeds: []uint64{seed}, Multiples: p.multiples}
			cells = append(cells, study.Cell{Name: p.cell, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				records, err := sweep.Run(ctx)
				return measured(records), err
			}})
		}
	}
	for _, seed := range setup.Seeds {
		cells = append(cells, study.Cell{Name: cellPrediction, Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
			return e.prediction(ctx, seed)
		}})
	}
	return cells, nil
}

// What is kept of each model: one curve over the multiples per setting and
// quantity.
const (
	quantityTrain     = "train MSE"
	quantityTest      = "test MSE"
	quantityError     = "test error"
	quantityCondition = "condition"
	quantityNorm      = "weight norm"
	quantityWidth     = "width"
)

// key is the name of a curve.
func key(setting, quantity string) string { return setting + ", " + quantity }

// measured orders the records of one seed.
func measured(records []doubledescent.Record) study.Measured {
	m := study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
	for _, r := range records {
		for quantity, value := range map[string]float64{
			quantityTrain: r.TrainMSE, quantityTest: r.TestMSE, quantityError: r.TestError,
			quantityCondition: r.Condition, quantityNorm: r.WeightNorm, quantityWidth: float64(r.Width),
		} {
			name := key(r.Setting, quantity)
			c := m.Curves[name]
			m.Curves[name] = study.Curve{X: append(c.X, r.Multiple), Y: append(c.Y, value)}
		}
	}
	for _, c := range doubledescent.Curves(records) {
		shape := c.Shape()
		m.Values[c.Setting+", peak ratio"], m.Values[c.Setting+", threshold loss"] = shape.PeakRatio, shape.ThresholdLoss
	}
	return m
}

// curveOf is the mean over the seeds of what a cell measured of a setting.
func curveOf(r *study.Results, cell, setting string) doubledescent.Curve {
	var records []doubledescent.Record
	for _, seed := range r.Setup.Seeds {
		column := func(quantity string) study.Curve { return r.Curve(cell, seed, key(setting, quantity)) }
		test := column(quantityTest)
		for i, multiple := range test.X {
			record := doubledescent.Record{Setting: setting, Seed: seed, Multiple: multiple}
			record.TestMSE, record.TrainMSE = test.Y[i], column(quantityTrain).Y[i]
			record.TestError, record.WeightNorm = column(quantityError).Y[i], column(quantityNorm).Y[i]
			record.Condition, record.Width = column(quantityCondition).Y[i], int(column(quantityWidth).Y[i])
			record.Diverged = math.IsNaN(record.TestMSE) || math.IsInf(record.TestMSE, 0)
			records = append(records, record)
		}
	}
	if len(records) == 0 {
		return doubledescent.Curve{Setting: setting}
	}
	return doubledescent.Curves(records)[0]
}

// prediction compares what the spectrum predicts of gradient descent at P = N
// with what explicit steps measure on the same data.
func (e experiment) prediction(ctx context.Context, seed uint64) (study.Measured, error) {
	d, err := digits(examples)(seed)
	if err != nil {
		return study.Measured{}, err
	}
	problem, err := doubledescent.NewProblem(d, features, examples, rand.New(rand.NewPCG(seed, streamPrediction)))
	if err != nil {
		return study.Measured{}, err
	}
	modes, err := doubledescent.Decompose(ctx, problem)
	if err != nil {
		return study.Measured{}, err
	}
	rng := rand.New(rand.NewPCG(seed, streamPrediction+1))
	training := e.alter(gradientDescent("", epochs)).Training
	explicit, err := modes.Iterate(ctx, training, rng)
	if err != nil {
		return study.Measured{}, err
	}
	predicted := modes.Solve(doubledescent.Descent{Rate: 1 / modes.Conditioning().Largest, Steps: epochs})
	return study.Measured{Values: map[string]float64{
		"predicted test MSE": predicted.TestMSE, "measured test MSE": explicit.TestMSE,
		"predicted test error": predicted.TestError, "measured test error": explicit.TestError,
		"predicted train MSE": predicted.TrainMSE, "measured train MSE": explicit.TrainMSE,
	}}, nil
}

// relative is the difference of two numbers in units of the second.
func relative(a, b float64) float64 { return math.Abs(a-b) / math.Abs(b) }

// stepsName is a power of ten in words.
func stepsName(steps int) string { return fmt.Sprintf("1e%.0f steps", math.Log10(float64(steps))) }
