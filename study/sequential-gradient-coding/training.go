package sequentialgradientcoding

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/fleet/coded"
	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/objective"
	"github.com/descentml/descent/study"
)

// trained are the schemes that train, for eight workers.
var trained = []string{"m-sgc:B=1,W=2,lambda=3", "sr-sgc:B=1,W=2,lambda=4", "gc:s=2"}

const (
	trainingWorkers = 8
	trainingModels  = 4
	trainingJobs    = 40
	trainingRate    = 0.5
)

func trainingCell(scheme string) string { return "training: " + scheme }

// Names of values of the cells of trainings.
const (
	exactAway = "relative distance from serial training, exact sums"
	realAway  = "relative distance from serial training, real sums"
	sameBits  = "the bits do not depend on who is late"
	lateOnes  = "late answers"
)

var softmax = objective.LinearOptions{Family: objective.SoftmaxRegression, Intercept: true, Classes: 10}

// digits are the embedded digits, standardised: all, or the first few.
func digits(ctx context.Context, preset study.Preset) (*mat.Dense, []float64, error) {
	table, err := data.Open(ctx, "digits", data.Options{})
	if err != nil {
		return nil, nil, err
	}
	rows := make([]int, table.Rows)
	if preset == study.Smoke {
		rows = rows[:120]
	}
	for i := range rows {
		rows[i] = i
	}
	encoder, err := data.Fit(table, rows)
	if err != nil {
		return nil, nil, err
	}
	features, err := encoder.Features(table, rows)
	if err != nil {
		return nil, nil, err
	}
	labels, err := encoder.Labels(table, rows)
	if err != nil {
		return nil, nil, err
	}
	columns := len(features) / len(rows)
	x, y := mat.NewDense(len(rows), columns, nil), make([]float64, len(rows))
	for i, label := range labels {
		y[i] = float64(label)
		for j := range columns {
			x.Set(i, j, float64(features[i*columns+j]))
		}
	}
	return x, y, nil
}

// train trains four softmax models with a scheme, in both arithmetics and twice
// with other late workers, and compares with full gradients on one machine.
func (e experiment) train(ctx context.Context, seed uint64, text string, preset study.Preset) (study.Measured, error) {
	m := newMeasured()
	x, y, err := digits(ctx, preset)
	if err != nil {
		return m, err
	}
	rng := rand.New(rand.NewPCG(seed, 3))
	models := make([][]float64, trainingModels)
	for i := range models {
		for range (64 + 1) * 10 {
			models[i] = append(models[i], 0.1*rng.NormFloat64())
		}
	}
	want, err := serially(ctx, x, y, models)
	if err != nil {
		return m, err
	}
	var exact [][]float64
	for k, arithmetic := range []coded.Arithmetic{coded.Exact, coded.Exact, coded.Real} {
		got, late, err := e.trainCoded(ctx, text, arithmetic, x, y, models, rand.New(rand.NewPCG(seed, 4+uint64(k))))
		if err != nil {
			return m, err
		}
		m.Values[lateOnes] += float64(late)
		switch k {
		case 0:
			exact = got
			m.Values[exactAway] = away(got, want)
		case 1:
			m.Values[sameBits] = bit(slices.EqualFunc(got, exact, func(a, b []float64) bool { return slices.Equal(a, b) }))
		case 2:
			m.Values[realAway] = away(got, want)
		}
	}
	return m, nil
}

// serially trains with full gradients.
func serially(ctx context.Context, x *mat.Dense, y []float64, models [][]float64) ([][]float64, error) {
	l, err := objective.NewLinear(x, y, softmax)
	if err != nil {
		return nil, err
	}
	list := make([][]float64, len(models))
	for i := range models {
		list[i] = slices.Clone(models[i])
	}
	gradient := make([]float64, l.Dim())
	for job := range trainingJobs {
		w := list[job%len(list)]
		if err := l.SetParameters(w); err != nil {
			return nil, err
		}
		if _, err := l.Gradient(ctx, gradient); err != nil {
			return nil, err
		}
		floats.AddScaled(w, -trainingRate, gradient)
	}
	return list, nil
}

// away is the largest relative distance of a model.
func away(got, want [][]float64) float64 {
	largest := 0.0
	for i := range want {
		largest = math.Max(largest, floats.Distance(got[i], want[i], 2)/floats.Norm(want[i], 2))
	}
	return largest
}

// trainCoded trains with a master and workers of which some never answer.
func (e experiment) trainCoded(ctx context.Context, text string, a coded.Arithmetic, x *mat.Dense, y []float64, models [][]float64, rng *rand.Rand) ([][]float64, int, error) {
	scheme, err := e.scheme(spec("%s", text), trainingWorkers, trainingJobs)
	if err != nil {
		return nil, 0, err
	}
	late := 0
	master, err := coded.NewMaster(coded.Config{
		Scheme: scheme, Models: models, Optimizer: &coded.SGD{LearningRate: trainingRate}, Arithmetic: a,
		Tolerance: 0.01, Observe: func(r coded.Report) { late += len(r.Around) },
	})
	if err != nil {
		return nil, 0, err
	}
	workers := &silent{scheme: scheme, rng: rng}
	bounds := scheme.Placement().Bounds(len(y))
	for range trainingWorkers {
		workers.gradients = append(workers.gradients, coded.LinearChunks(x, y, bounds, softmax))
	}
	if err := master.Train(ctx, workers); err != nil {
		return nil, 0, err
	}
	list := make([][]float64, len(models))
	for i := range list {
		list[i] = slices.Clone(master.Parameters(i))
	}
	return list, late, nil
}

// silent are workers of which a random part that conforms does not answer.
type silent struct {
	scheme    coding.Scheme
	gradients []coded.Gradients
	rng       *rand.Rand
}

// Dispatch computes the answers before it returns: who is late does not depend on
// the clock.
func (s *silent) Dispatch(ctx context.Context, round coded.Round) (<-chan coded.Result, error) {
	late := coding.NewSet(len(s.gradients))
	for _, i := range s.rng.Perm(len(s.gradients)) {
		if s.rng.Float64() < 0.4 && s.scheme.Busy().Has(i) {
			if late.Add(i); !s.scheme.Conforms(late) {
				late.Remove(i)
			}
		}
	}
	answers := make(chan coded.Result, len(s.gradients))
	for worker, tasks := range round.Tasks {
		if len(tasks) > 0 && !late.Has(worker) {
			sums, err := coded.Answer(ctx, s.gradients[worker], round, worker)
			answers <- coded.Result{Round: round.Number, Worker: worker, Sums: sums, Err: err}
		}
	}
	return answers, nil
}
