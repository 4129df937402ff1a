package diffgrad

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/study"
)

// The digits as the specification has them: pixels divided by 16, 1,400 of the
// 1,797 images for training, a network of 64-64-10, batches of 32.
const (
	digitsTrain   = 1400
	digitsTest    = 1797 - digitsTrain
	digitsNetwork = "mlp:64"
	digitsBatch   = 32
	lossFactor    = 1000 // of the runs that show what the scale of the loss does
)

// What a training measures.
const (
	trainLoss = "train loss" // over the training part, at the end
	accuracy  = "test accuracy"
	meanXi    = "mean xi" // friction, over all weights and steps
)

// splitStream separates the split's random numbers from other uses of a seed.
const splitStream = 0xd16175

// tunedRates are the learning rates that the tuned comparison chooses from.
var tunedRates = []float64{1e-3, 3e-3, 1e-2}

// digitsCells are the trainings on digits: every method at the paper's rate,
// three of them at other rates, and those that are probed.
func (e experiment) digitsCells(s study.Setup, p plan, table *data.Table) []study.Cell {
	runs := e.field()
	for _, rate := range tunedRates[1:] {
		runs = append(runs, e.adam().at(rate), e.diffGrad().at(rate), e.control().at(rate/2))
	}
	var cells []study.Cell
	for _, seed := range s.Seeds {
		for _, c := range runs {
			cells = append(cells, study.Cell{Name: digitsCell(c), Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
				problem, err := digitsProblem(table, seed)
				if err != nil {
					return study.Measured{}, err
				}
				return run(ctx, s, problem, digitsTrial(c, seed, p.digitsEpochs, problem))
			}})
		}
		for _, c := range e.pair() {
			cells = append(cells, e.probeCell(s, p, table, c, lossFactor, seed))
		}
		cells = append(cells, e.probeCell(s, p, table, e.diffGrad(), 1, seed))
	}
	return cells
}

func digitsCell(c contestant) string { return fmt.Sprintf("digits/%s, lr %g", c.title, c.rate) }

func probedCell(c contestant, factor float64) string {
	return fmt.Sprintf("digits/%s, loss times %g", c.title, factor)
}

// probeCell trains with the loss multiplied by a factor and measures the
// friction.
func (e experiment) probeCell(s study.Setup, p plan, table *data.Table, c contestant, factor float64, seed uint64) study.Cell {
	return study.Cell{Name: probedCell(c, factor), Seed: seed, Run: func(ctx context.Context) (study.Measured, error) {
		problem, err := digitsProblem(table, seed)
		if err != nil {
			return study.Measured{}, err
		}
		return probe{problem, digitsTrial(c, seed, p.digitsEpochs, problem), factor}.run(ctx, s.Backend)
	}}
}

// digitsProblem splits the digits by a shuffle of the seed.
func digitsProblem(table *data.Table, seed uint64) (*driver.Problem, error) {
	network, err := model.New(digitsNetwork, model.Input{Width: len(table.Features)})
	if err != nil {
		return nil, err
	}
	order := rand.New(rand.NewPCG(seed, splitStream)).Perm(table.Rows)
	p := &driver.Problem{
		Task: data.Classification, Network: network, Width: len(table.Features), Outputs: len(table.Target.Levels),
		DType: dtypes.Float32, Train: pixels(table, order[:digitsTrain]), Test: pixels(table, order[digitsTrain:]),
	}
	p.Validation = p.Test // looked at for the curves; nothing is chosen by it
	return p, nil
}

// pixels are the given rows of the digits, divided by 16.
func pixels(table *data.Table, rows []int) driver.Examples {
	e := driver.Examples{Count: len(rows)}
	for _, row := range rows {
		for i := range table.Features {
			e.Features = append(e.Features, float32(table.Features[i].Numbers[row]/16))
		}
		e.Labels = append(e.Labels, table.Target.Codes[row])
	}
	return e
}

// digitsTrial is a training with a tenth of the learning rate in the last fifth.
func digitsTrial(c contestant, seed uint64, epochs int, p *driver.Problem) driver.Trial {
	return stepped(driver.Trial{Method: c.method, LearningRate: c.rate, Seed: seed, BatchSize: digitsBatch, Epochs: epochs}, p)
}

// stepped gives a trial the paper's schedule: a tenth of the learning rate
// after 80 % of the steps.
func stepped(t driver.Trial, p *driver.Problem) driver.Trial {
	t.Schedule = fmt.Sprintf("step:every=%d:factor=0.1", max(1, 4*t.Epochs*t.StepsPerEpoch(p)/5))
	return t
}

// run trains and measures: the loss and the accuracy at the end, and the curve
// of the accuracy. A training that diverged has the accuracy at its end.
func run(ctx context.Context, s study.Setup, p *driver.Problem, t driver.Trial) (study.Measured, error) {
	var curve study.Curve
	hooks := driver.Hooks{Epoch: func(e driver.Epoch) error {
		curve.X, curve.Y = append(curve.X, e.Epoch), append(curve.Y, e.Validation.Score)
		return nil
	}}
	outcome, err := driver.Train(ctx, s.Backend, p, t, nil, hooks)
	if err != nil {
		return study.Measured{}, err
	}
	return study.Measured{
		Values: map[string]float64{trainLoss: outcome.Last.TrainLoss, accuracy: outcome.Test.Score},
		Curves: map[string]study.Curve{accuracy: curve},
	}, nil
}
