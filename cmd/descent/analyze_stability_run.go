package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/analysis/stability"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/spec"
)

// recordedTrial is a training in the store, with all that repeats it.
type recordedTrial struct {
	run    store.Run
	config experiment.Config
	loaded *experiment.Loaded
	store.Trial
	losses   map[int64]float64 // recorded, by step
	diverged bool
}

// read finds the training that the flags ask for.
func (f *stabilityFlags) read(c *cobra.Command, id int64) (*recordedTrial, error) {
	ctx := c.Context()
	st, err := openStore(f.output.store)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	r := &recordedTrial{losses: map[int64]float64{}}
	if r.run, err = findRun(ctx, st, id); err != nil {
		return nil, err
	}
	if r.run.Kind != kindCompare && r.run.Kind != kindTrain {
		return nil, fmt.Errorf("run %d is of kind %s: expected a comparison or a training, see `descent runs`", id, r.run.Kind)
	}
	if r.config, err = experiment.ReadConfig(r.run); err != nil {
		return nil, err
	}
	trials, err := st.Trials(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.Trial, err = f.choose(c, r.run, trials); err != nil {
		return nil, err
	}
	var summary struct {
		Diverged bool `json:"diverged"`
	}
	if err := json.Unmarshal(r.Summary, &summary); err != nil {
		return nil, fmt.Errorf("reading trial %d of run %d: %w", r.ID, id, err)
	}
	r.diverged = summary.Diverged
	points, err := st.Series(ctx, r.ID, experiment.SeriesTrainLoss)
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		r.losses[p.Step] = p.Value
	}
	if r.loaded, err = promptly(ctx, func() (*experiment.Loaded, error) { return experiment.Load(ctx, &r.config) }); err != nil {
		return nil, err
	}
	if r.loaded.Problem.Train.Sparse != nil {
		return nil, fmt.Errorf("run %d trains on sparse rows: expected a training of a network", id)
	}
	return r, nil
}

// choose picks one of the run's trainings with the chosen learning rate: of the
// method and the seed that are given, or else of the best method and the least
// seed.
func (f *stabilityFlags) choose(c *cobra.Command, run store.Run, trials []store.Trial) (store.Trial, error) {
	wanted, chosen := f.method, chosenRates(run)
	if wanted == "" {
		wanted = chosen.best
	}
	var found []store.Trial
	var methods, seeds []string
	for _, t := range trials {
		rate, ok := chosen.rates[t.Method]
		if t.State != store.Done || t.Phase != store.Final && !(ok && rate == t.LearningRate) {
			continue // tried and not chosen; the first seed's training with the chosen rate is that of the tuning
		}
		if wanted == "" {
			wanted = t.Method // an interrupted run has no best one
		}
		if !slices.Contains(methods, t.Method) {
			methods = append(methods, t.Method)
		}
		if t.Method != wanted {
			continue
		}
		seeds = append(seeds, strconv.FormatUint(t.Seed, 10))
		if !c.Flags().Changed("seed") || t.Seed == f.seed {
			found = append(found, t)
		}
	}
	switch {
	case len(found) > 0:
		return slices.MinFunc(found, func(a, b store.Trial) int { return cmp.Compare(a.Seed, b.Seed) }), nil
	case len(methods) == 0:
		return store.Trial{}, fmt.Errorf("run %d is %s and has no training with a chosen learning rate that has come to its end", run.ID, run.State)
	case len(seeds) == 0:
		return store.Trial{}, fmt.Errorf("run %d has no training of %s: expected one of %s", run.ID, wanted, strings.Join(methods, ", "))
	}
	return store.Trial{}, fmt.Errorf("run %d has no training of %s with seed %d: expected one of %s", run.ID, wanted, f.seed, strings.Join(seeds, ", "))
}

// rates are the learning rates that a run chose for its methods, and its best method.
type rates struct {
	rates map[string]float64
	best  string
}

// chosenRates reads a run's result; there is none if the run was interrupted.
func chosenRates(run store.Run) rates {
	r := rates{rates: map[string]float64{}}
	var result experiment.Report
	if json.Unmarshal(run.Result, &result) != nil {
		return r
	}
	for _, method := range result.Results {
		r.rates[method.Method] = method.LearningRate
	}
	if best, ok := result.Winner(); ok {
		r.best = best.Method
	}
	return r
}

// trial is the training without a limit of time, which depends on the machine,
// and the last whole epoch that was recorded.
func (r *recordedTrial) trial() (t driver.Trial, last int) {
	t = r.config.Trial(r.TrialKey)
	if t.Time > 0 {
		t.Time = 0
		if t.Epochs == 0 {
			t.Time = math.MaxInt64 * time.Nanosecond
		}
	}
	return t, r.Epochs
}

// report is the result before anything is measured.
func (r *recordedTrial) report(t driver.Trial) *stabilityReport {
	p := r.loaded.Problem
	s := &stabilityReport{Run: r.run.ID, Data: r.loaded.Summary.Name, Task: p.Task, Model: p.Network.String(), DType: r.config.DType, Method: r.Method,
		Schedule: t.Schedule, LearningRate: r.LearningRate, BatchSize: min(t.BatchSize, p.Train.Count), Seed: r.Seed, Diverged: r.diverged, train: p.Train.Count}
	s.factor, s.Limit, s.Exact = limitOf(t.Method)
	if b, err := method.New(t.Method); err == nil && b.Method.FullBatch {
		s.BatchSize = p.Train.Count
	}
	return s
}

// limitOf is what 2/eta is multiplied with to give the curvature that a method
// bears on a quadratic, the name of the limit, and whether there is such a limit.
func limitOf(text string) (factor float64, name string, exact bool) {
	method, assignments, err := spec.Parse(text)
	momentum := 0.9
	for _, a := range assignments {
		if a.Name == "momentum" {
			if mu, err := strconv.ParseFloat(a.Value, 64); err == nil {
				momentum = mu
			}
		}
	}
	switch {
	case err != nil:
	case method == "sgd" || method == "gd":
		return 1, "2/η", true
	case method == "momentum":
		return stability.HeavyBallLimit(2, momentum), "2(1+μ)/η", true
	case method == "nesterov":
		return stability.NesterovLimit(2, momentum), "2(1+μ)/((1+2μ)η)", true
	}
	return 1, "2/η", false
}
