package experiment

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/method/stepper"
)

// Names of the series that a trial records.
const (
	SeriesTrainLoss       = "train_loss"
	SeriesValidationLoss  = "validation_loss"
	SeriesValidationScore = "validation_score"
	SeriesLearningRate    = "learning_rate"
	SeriesGradients       = "gradients"        // of the loss that were computed so far
	SeriesEvaluations     = "evaluations"      // of the model so far, with and without a gradient
	SeriesGradientL2      = "gradient_norm"    // l2 norm of the gradient that each step used
	SeriesGradientL1      = "gradient_norm_l1" // l1 norm of the same
)

// runner runs the trials of one run, several at a time.
type runner struct {
	backend  compute.Backend
	store    *store.Store
	writer   *store.Writer
	config   *Config
	problem  *driver.Problem
	slots    chan struct{} // holds one token per trial under way
	progress *progress
}

// outcome is a trial's summary with, if it ran now, its weights.
type outcome struct {
	summary
	weights *model.Store
}

// trial returns the outcome of a trial, from the store if it has ended before,
// else by running it, from its checkpoint if it has one. beforeEnd, if not nil,
// is called with the outcome before the trial is recorded as ended.
func (r *runner) trial(ctx context.Context, phase store.Phase, method string, rate float64, seed uint64, beforeEnd func(outcome) error) (outcome, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
	record, err := r.writer.StartTrial(ctx, store.TrialKey{Phase: phase, Method: method, LearningRate: rate, Seed: seed})
	if err != nil {
		return outcome{}, err
	}
	ended := Ended{Method: method, LearningRate: rate, Seed: seed}
	if record.State == store.Done {
		var known summary
		if err := json.Unmarshal(record.Summary, &known); err != nil {
			return outcome{}, fmt.Errorf("reading trial %d from the store: %w", record.ID, err)
		}
		r.progress.skip()
		return outcome{summary: known}, nil
	}
	from, err := r.checkpoint(ctx, record.ID)
	if err != nil {
		return outcome{}, err
	}
	trial := r.config.trial(method, rate, seed)
	told := newTeller(r, trial, from)
	recorded := &recorder{writer: r.writer, trial: record.ID, perEpoch: float64(trial.StepsPerEpoch(r.problem))}
	result, err := driver.Train(ctx, r.backend, r.problem, trial, from, driver.Hooks{
		Step: func(step int, taken stepper.Step) {
			told.step(step)
			recorded.step(step, taken)
		},
		Epoch: func(e driver.Epoch) error { return recorded.epoch(ctx, e) },
		Checkpoint: func(c driver.Checkpoint) error {
			if err := recorded.write(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			return r.saveCheckpoint(ctx, record.ID, c)
		},
	})
	if err != nil {
		return outcome{}, err
	}
	o := outcome{summary: summarise(result), weights: result.Weights}
	if beforeEnd != nil {
		if err := beforeEnd(o); err != nil {
			return outcome{}, err
		}
	}
	if err := r.finish(ctx, record.ID, o.summary); err != nil {
		return outcome{}, err
	}
	r.progress.end(1-told.part, ended.with(o.summary))
	return o, nil
}

// finish records a trial as done even when ctx has just ended.
func (r *runner) finish(ctx context.Context, trial int64, s summary) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return r.writer.FinishTrial(context.WithoutCancel(ctx), trial, store.Done, store.Outcome{
		Epochs: int(s.Epochs), Steps: s.Steps, Seconds: s.Seconds, Summary: text,
	})
}

func (e Ended) with(s summary) Ended {
	e.Score, e.Diverged, e.Seconds = float64(s.ValidationScore), s.Diverged, s.Seconds
	return e
}

// teller tells the progress about the steps of one trial, now and then.
type teller struct {
	runner *runner
	steps  float64 // of the whole trial; 0 if only the time ends it
	part   float64 // that the progress has seen
	began  time.Time
	last   time.Time
	before time.Duration // training time of earlier processes
}

// tellInterval is the least time between two reports from one trial.
const tellInterval = 100 * time.Millisecond

func newTeller(r *runner, trial driver.Trial, from *driver.Checkpoint) *teller {
	t := &teller{runner: r, began: time.Now(), last: time.Now()}
	t.steps = float64(r.config.Epochs) * float64(trial.StepsPerEpoch(r.problem))
	if from != nil {
		t.before = time.Duration(from.Seconds * float64(time.Second))
	}
	return t
}

func (t *teller) step(step int) {
	now := time.Now()
	if now.Sub(t.last) < tellInterval {
		return
	}
	t.last = now
	part := 0.0
	if t.steps > 0 {
		part = float64(step) / t.steps
	}
	if limit := t.runner.config.Time; limit > 0 {
		part = max(part, (t.before+now.Sub(t.began)).Seconds()/limit.Seconds())
	}
	part = min(part, 1)
	t.runner.progress.advance(part - t.part)
	t.part = part
}

// checkpoint reads a trial's checkpoint and drops what was recorded after it.
func (r *runner) checkpoint(ctx context.Context, trial int64) (*driver.Checkpoint, error) {
	saved, found, err := r.store.Checkpoint(ctx, trial)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, r.writer.Truncate(ctx, trial, -1)
	}
	var c driver.Checkpoint
	if err := c.UnmarshalBinary(saved.Blob); err != nil {
		return nil, err
	}
	return &c, r.writer.Truncate(ctx, trial, int64(c.Step))
}

// saveCheckpoint keeps a checkpoint even when ctx has just ended.
func (r *runner) saveCheckpoint(ctx context.Context, trial int64, c driver.Checkpoint) error {
	blob, err := c.MarshalBinary()
	if err != nil {
		return err
	}
	return r.writer.SaveCheckpoint(context.WithoutCancel(ctx), trial, store.Checkpoint{Step: int64(c.Step), Blob: blob})
}

func summarise(o driver.Outcome) summary {
	s := summary{
		Diverged: o.Diverged, Epochs: o.Last.Epoch, Steps: o.Last.Step, Seconds: o.Last.Seconds,
		Gradients: o.Last.Gradients, Evaluations: o.Last.Evaluations, Separated: o.Last.Separated,
		TrainLoss: number(o.Last.TrainLoss), ValidationLoss: number(o.Last.Validation.Loss),
		ValidationScore: number(o.Last.Validation.Score), TestLoss: number(o.Test.Loss), TestScore: number(o.Test.Score),
	}
	if s.Diverged { // what NaN weights happen to predict is no score
		s.ValidationScore, s.TestScore = number(math.NaN()), number(math.NaN())
	}
	return s
}
