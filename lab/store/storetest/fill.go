// Package storetest fills stores with made-up runs, for tests and benchmarks
// of what reads them.
package storetest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/descentml/descent/lab/store"
)

// Size says how much a store is filled with.
type Size struct {
	Runs       int // at least LongRuns
	Points     int // of all series together, about
	LongRuns   int // the first so many runs have one series of LongPoints each
	LongPoints int
}

// Large is a store of years of work: 2,000 runs with 10 million points, of
// which five have a training loss of 100,000 points each.
var Large = Size{Runs: 2000, Points: 10_000_000, LongRuns: 5, LongPoints: 100_000}

// Small is a twentieth of Large in every respect but its long series, of which
// it has two.
var Small = Size{Runs: 100, Points: 500_000, LongRuns: 2, LongPoints: 100_000}

// Names of what the runs are about, in turn.
var (
	Data    = []string{"digits", "diabetes", "breast-cancer", "churn.csv"}
	Models  = []string{"mlp:64", "linear", "mlp:32,32"}
	Methods = []string{"adam", "sgd", "momentum", "diffgrad:friction=dfc2"}
)

// seriesNames are what every run records.
var seriesNames = []string{"train_loss", "validation_loss", "validation_score", "learning_rate", "gradient_norm"}

// Fill records made-up runs that are done, the same for the same size and
// seed: losses that fall with noise and, in long series, a lonely peak and a
// gap. It returns the numbers of the runs in the order of their creation.
func Fill(ctx context.Context, s *store.Store, size Size, seed uint64) ([]int64, error) {
	rng := rand.New(rand.NewPCG(seed, 0xf111))
	short := 0
	if rest := size.Runs - size.LongRuns; rest > 0 {
		short = (size.Points - size.LongRuns*size.LongPoints) / rest / len(seriesNames)
	}
	var ids []int64
	for i := range size.Runs {
		length, names := short, seriesNames
		if i < size.LongRuns {
			length, names = size.LongPoints, seriesNames[:1]
		}
		id, err := fillRun(ctx, s, i, length, names, rng)
		if err != nil {
			return ids, fmt.Errorf("fill run %d: %w", i, err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// config has the fields of a comparison's configuration that lists look at.
type config struct {
	Data    map[string]any `json:"data"`
	Model   string         `json:"model"`
	Methods []string       `json:"methods"`
	Seeds   int            `json:"seeds"`
	Epochs  int            `json:"epochs"`
}

func fillRun(ctx context.Context, s *store.Store, i, length int, names []string, rng *rand.Rand) (int64, error) {
	method := Methods[i%len(Methods)]
	c := config{
		Data:  map[string]any{"source": Data[i%len(Data)], "validation": 0.2, "test": 0.2},
		Model: Models[i%len(Models)], Methods: []string{method}, Seeds: 1, Epochs: length,
	}
	w, err := s.Create(ctx, "compare", fmt.Sprintf("%s, %s, %s", Data[i%len(Data)], c.Model, method), c)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	trial, err := w.StartTrial(ctx, store.TrialKey{Phase: store.Final, Method: method, LearningRate: 0.01, Seed: 1})
	if err != nil {
		return 0, err
	}
	var series []store.Series
	for _, name := range names {
		series = append(series, store.Series{Name: name, Points: curve(length, rng)})
	}
	if err := w.Append(ctx, trial.ID, series...); err != nil {
		return 0, err
	}
	if err := w.FinishTrial(ctx, trial.ID, store.Done, store.Outcome{Epochs: length, Steps: length, Seconds: float64(length) / 100}); err != nil {
		return 0, err
	}
	return w.ID(), w.Finish(ctx, store.Done, nil, nil)
}

// Peak is the value of the lonely peak in a series of more than 1,000 points,
// one point wide, at two thirds of its length.
const Peak = 50.0

func curve(length int, rng *rand.Rand) []store.Point {
	points := make([]store.Point, length)
	for i := range points {
		part := float64(i) / float64(max(1, length))
		points[i] = store.Point{
			Step: int64(i), Epoch: part * 100, Seconds: float64(i) / 100,
			Value: math.Exp(-3*part) * (1 + 0.2*rng.Float64()),
		}
	}
	if length > 1000 {
		points[length*2/3].Value = Peak
		for i := length / 4; i < length/4+length/100; i++ {
			points[i].Value = math.NaN()
		}
	}
	return points
}
