package experiment

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/method"
)

// Setting is what a run works with besides its configuration.
type Setting struct {
	Backend compute.Backend
	Store   *store.Store
	Workers int      // trials at a time, at least 1; 1 if their length is a time; does not change any number
	Observe Observer // may be nil
}

func newRunner(s Setting, w *store.Writer, c *Config, loaded *Loaded) *runner {
	workers := max(1, s.Workers)
	if c.Time > 0 {
		workers = 1 // a trial's time is its own only while it runs alone
	}
	return &runner{
		backend: s.Backend, store: s.Store, writer: w, config: c, problem: loaded.Problem,
		slots: make(chan struct{}, workers), progress: &progress{observe: s.Observe},
	}
}

// Compare tunes every method on the validation part, trains it with the best
// learning rate for every seed, and reports on the test part. All trials with
// one seed have the same initial weights and batches; all have the same
// length. Trials that the writer's run already holds are not run again.
func Compare(ctx context.Context, s Setting, w *store.Writer, c *Config, loaded *Loaded) (*Report, error) {
	r := newRunner(s, w, c, loaded)
	contestants := c.contestants()
	results := make([]Result, len(contestants))
	group, groupContext := errgroup.WithContext(ctx)
	for i, contestant := range contestants {
		r.progress.plan(c.trialsPlanned())
		group.Go(func() error {
			var err error
			results[i], err = r.method(groupContext, contestant)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	report := r.report(w, loaded, results)
	if err := r.addTarget(ctx, report); err != nil {
		return nil, err
	}
	markBest(report.Results, c.Seeds)
	sortResults(report.Results)
	return report, nil
}

func (r *runner) report(w *store.Writer, loaded *Loaded, results []Result) *Report {
	return &Report{Run: w.ID(), Data: loaded.Summary, Model: r.problem.Network.String(), Score: r.problem.ScoreName(), Seeds: r.config.Seeds, Results: results}
}

// trialsPlanned is the number of trials of one method before any widening.
func (c *Config) trialsPlanned() int {
	if c.LearningRate != nil {
		return c.Seeds
	}
	return gridSize + c.Seeds - 1
}

// method runs all trials of one method, with one schedule if there are several.
func (r *runner) method(ctx context.Context, method string) (Result, error) {
	seeds := r.config.seeds()
	result := Result{Method: method, Status: StatusOK}
	var outcomes []outcome
	if r.config.LearningRate != nil {
		result.LearningRate = *r.config.LearningRate
	} else {
		best, err := r.tune(ctx, method)
		if err != nil {
			return result, err
		}
		result.LearningRate, result.OnEdge = best.rate, best.onEdge
		outcomes = append(outcomes, best.outcome)
		seeds = seeds[1:]
	}
	others, err := r.seeds(ctx, method, result.LearningRate, seeds)
	if err != nil {
		return result, err
	}
	result.fill(append(outcomes, others...))
	return result, nil
}

// best is a tuned learning rate with the outcome of its trial.
type best struct {
	outcome
	rate   float64
	onEdge bool
}

// scoreError is the standard error of a task's score over count examples.
func scoreError(task data.Task, count int) func(score float64) float64 {
	if task == data.Classification {
		return accuracyError(count)
	}
	return noError
}

// usualRate is the default learning rate of a method's specification.
func usualRate(specification string) float64 {
	name, _, _ := strings.Cut(specification, scheduleMark)
	name, _, _ = strings.Cut(name, ":")
	for _, m := range method.Methods() {
		if m.Name == name {
			return m.DefaultLearningRate
		}
	}
	panic("experiment: method " + specification + " was not checked")
}

// tune searches a method's learning rate with the first seed.
func (r *runner) tune(ctx context.Context, method string) (best, error) {
	outcomes := map[int]outcome{}
	_, found, onEdge, err := search(usualRate(method), scoreError(r.problem.Task, r.problem.Validation.Count), func(grid []tuned) error {
		if len(grid) == 1 {
			r.progress.plan(1)
		}
		results := make([]outcome, len(grid))
		group, groupContext := errgroup.WithContext(ctx)
		for i := range grid {
			group.Go(func() (err error) {
				results[i], err = r.trial(groupContext, store.Tune, method, grid[i].rate, r.config.Seed, nil)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for i, o := range results {
			grid[i].score, grid[i].loss, grid[i].diverged = float64(o.ValidationScore), float64(o.ValidationLoss), o.Diverged
			outcomes[grid[i].position] = o
		}
		return nil
	})
	return best{outcome: outcomes[found.position], rate: found.rate, onEdge: onEdge}, err
}

// seeds trains a method once for every given seed.
func (r *runner) seeds(ctx context.Context, method string, rate float64, seeds []uint64) ([]outcome, error) {
	outcomes := make([]outcome, len(seeds))
	group, groupContext := errgroup.WithContext(ctx)
	for i, seed := range seeds {
		group.Go(func() (err error) {
			outcomes[i], err = r.trial(groupContext, store.Final, method, rate, seed, nil)
			return err
		})
	}
	return outcomes, group.Wait()
}

// fill sets what a method's outcomes say. One diverged seed makes it diverged.
func (r *Result) fill(outcomes []outcome) {
	var scores, losses, seconds, gradients, evaluations, separated []float64
	for _, o := range outcomes {
		gradients = append(gradients, float64(o.Gradients))
		evaluations = append(evaluations, float64(o.Evaluations))
		if o.Separated > 0 {
			separated = append(separated, float64(o.Separated))
		}
		scores = append(scores, float64(o.TestScore))
		losses = append(losses, float64(o.TrainLoss))
		seconds = append(seconds, o.Seconds)
		if o.Diverged {
			r.Status = StatusDiverged
		}
	}
	r.Seconds, r.Gradients, r.Evaluations = newSpread(seconds).Mean, newSpread(gradients).Mean, newSpread(evaluations).Mean
	if len(separated) == len(outcomes) {
		mean := newSpread(separated).Mean
		r.Separated = &mean
	}
	if r.Status == StatusOK {
		score, loss := newSpread(scores), newSpread(losses).Mean
		r.TestScore, r.TrainLoss = &score, &loss
	}
}

// addTarget sets the target loss and every method's epochs to it.
func (r *runner) addTarget(ctx context.Context, report *Report) error {
	curves := make([][]Curve, len(report.Results))
	var reached []float64
	for i, result := range report.Results {
		if result.Status != StatusOK {
			continue
		}
		var err error
		if curves[i], err = Curves(ctx, r.store, r.writer.ID(), result.Method, result.LearningRate); err != nil {
			return err
		}
		reached = append(reached, reachedLoss(curves[i]))
	}
	report.TargetLoss = r.config.TargetLoss
	if report.TargetLoss == nil && len(reached) > 0 {
		middle := middleLoss(reached)
		report.TargetLoss = &middle
	}
	for i := range report.Results {
		if curves[i] != nil {
			report.Results[i].EpochsToTarget = meanEpochsTo(curves[i], *report.TargetLoss)
		}
	}
	return nil
}

// sortResults puts the best test score first and diverged methods last, and
// keeps the order of equals.
func sortResults(results []Result) {
	slices.SortStableFunc(results, func(a, b Result) int {
		switch {
		case a.TestScore == nil && b.TestScore == nil:
			return 0
		case a.TestScore == nil:
			return 1
		case b.TestScore == nil:
			return -1
		case a.TestScore.Mean > b.TestScore.Mean:
			return -1
		case a.TestScore.Mean < b.TestScore.Mean:
			return 1
		}
		return 0
	})
}
