package driver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/stepper"
)

// Trial is one training run: everything that decides its numbers, next to the problem.
type Trial struct {
	Method       string        // specification for method.New
	LearningRate float64       // base rate
	Schedule     string        // specification for schedule.New; "" is constant
	Seed         uint64        // of initial weights and batches
	BatchSize    int           // examples per step
	Epochs       int           // passes over the training part; 0 without limit
	Time         time.Duration // of training proper; 0 without limit
}

// divergedFactor: a trial whose train loss at the end of an epoch is above
// this multiple of the untrained network's has diverged.
const divergedFactor = 10

// checkpointInterval is the least training time between two checkpoints.
const checkpointInterval = 5 * time.Second

// Epoch is what is measured before the first step and after every epoch, with
// the weights of that moment.
type Epoch struct {
	Epoch        float64 // 0 before training; fractional if the time ran out inside an epoch
	Step         int
	Seconds      float64 // of training, without evaluation
	LearningRate float64 // of the last step
	TrainLoss    float64 // over the training part, or 10,000 random examples of a larger one
	Validation   Measure
	Counts
}

// Counts are what a training has used so far.
type Counts struct {
	// Gradients counts the gradients of the loss, Evaluations all evaluations
	// of the model in training steps, with and without a gradient.
	Gradients, Evaluations int
	// Separated is the number of steps after which the weights had every
	// training example on the right side for the first time, for methods that
	// look at all of them; 0 if that has not been seen.
	Separated int
}

// add counts one more step, the one after the given number of steps.
func (c *Counts) add(before int, taken stepper.Step) {
	c.Gradients += taken.Gradients
	c.Evaluations += taken.Evaluations
	if taken.Wrong == 0 && c.Separated == 0 {
		c.Separated = before
	}
}

// Hooks receive what happens during a trial; nil ones are skipped. An error
// from a hook ends the trial with that error.
type Hooks struct {
	Step       func(step int, taken stepper.Step) // after every step, with the number of steps so far
	Epoch      func(Epoch) error
	Checkpoint func(Checkpoint) error
	// Weights is called after Epoch with the variables at that moment, which it
	// may look at and must leave as they are.
	Weights func(Epoch, *model.Store) error
}

// Outcome is how a trial ended.
type Outcome struct {
	Diverged bool
	Last     Epoch   // the last measurement
	Test     Measure // over the test part, with the last weights
	Weights  *model.Store
}

// Train runs a trial, from a checkpoint if one is given. When ctx ends it
// hands a checkpoint of the present step to the hook and returns ctx's error.
// A loss that is not finite, or that grows beyond ten times its initial value,
// ends the trial as diverged, without an error.
func Train(ctx context.Context, backend compute.Backend, p *Problem, t Trial, from *Checkpoint, hooks Hooks) (Outcome, error) {
	var outcome Outcome
	var err error
	if caught := exceptions.TryCatch[error](func() { outcome, err = train(ctx, backend, p, t, from, hooks) }); caught != nil {
		err = caught
	}
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s at learning rate %g, seed %d: %w", t.Method, t.LearningRate, t.Seed, err)
	}
	return outcome, err
}

// machine is a problem's model with its weights and a method that trains it.
type machine interface {
	// compile makes ready for batches of a size.
	compile(batchSize int) error
	// advance takes one step on the given rows.
	advance(rate float64, e *Examples, rows []int) (stepper.Step, error)
	// measure evaluates the given rows, or all if there are none given.
	measure(ctx context.Context, e *Examples, rows []int) (Measure, error)
	// variables holds all that a training continues from.
	variables() (*model.Store, error)
}

// newMachine makes a machine over the given store, whose variables are kept.
func newMachine(backend compute.Backend, p *Problem, store *model.Store, builder *method.Builder, t Trial) (machine, error) {
	if p.Train.Sparse != nil {
		return newSeparator(p, store, t.Method)
	}
	return newNetwork(backend, p, store, builder, t)
}

// session is a trial under way.
type session struct {
	problem  *Problem
	trial    Trial
	hooks    Hooks
	network  machine
	schedule schedule.Func

	batch         int // examples per step
	stepsPerEpoch int
	step          int
	trained       time.Duration
	saved         time.Duration // value of trained at the last checkpoint
	initialLoss   float64
	counts        Counts
	diverged      bool
	anyLoss       bool // a loss that rises is no divergence
	last          Epoch
	order         []int // of the present epoch
	epochOfOrder  int
}

func train(ctx context.Context, backend compute.Backend, p *Problem, t Trial, from *Checkpoint, hooks Hooks) (Outcome, error) {
	s, err := newSession(backend, p, t, from, hooks)
	if err != nil {
		return Outcome{}, err
	}
	for {
		if s.diverged || s.finished() || s.step%s.stepsPerEpoch == 0 {
			if err := s.measure(ctx); err != nil {
				return Outcome{}, s.interrupted(ctx, err)
			}
		}
		if s.diverged || s.finished() {
			break
		}
		if s.trained-s.saved >= checkpointInterval {
			if err := s.checkpoint(); err != nil {
				return Outcome{}, err
			}
		}
		if ctx.Err() != nil {
			return Outcome{}, s.interrupted(ctx, ctx.Err())
		}
		if err := s.advance(); err != nil {
			return Outcome{}, err
		}
	}
	test, err := s.network.measure(ctx, &p.Test, nil)
	if err != nil {
		return Outcome{}, s.interrupted(ctx, err)
	}
	weights, err := s.network.variables()
	return Outcome{Diverged: s.diverged, Last: s.last, Test: test, Weights: weights}, err
}

// Check finds what is wrong with a trial on a problem before it is run: an
// unknown method or schedule, a setting out of its range, an empty part.
func (t Trial) Check(p *Problem) error {
	switch {
	case t.BatchSize < 1:
		return fmt.Errorf("batch size %d: expected at least 1", t.BatchSize)
	case t.Epochs < 1 && t.Time <= 0:
		return errors.New("neither epochs nor a time limit are given")
	case t.Epochs > maxEpochs:
		return fmt.Errorf("%d epochs: expected at most %d", t.Epochs, maxEpochs)
	case !isFinite(t.LearningRate) || t.LearningRate < 0:
		return fmt.Errorf("learning rate %g: expected a finite number, 0 or above", t.LearningRate)
	case p.Train.Count == 0 || p.Validation.Count == 0 || p.Test.Count == 0:
		return errors.New("the training, validation or test part is empty")
	}
	builder, err := method.New(t.Method)
	if err != nil {
		return err
	}
	if builder.Method.Classification && p.Task != data.Classification {
		return fmt.Errorf("method %s trains classifiers, and the target has values: expected a target with classes", t.Method)
	}
	_, err = t.schedule(t.StepsPerEpoch(p))
	return err
}

// maxEpochs keeps the number of steps far from overflow.
const maxEpochs = 1_000_000

// StepsPerEpoch is the number of batches in one pass over the training part.
func (t Trial) StepsPerEpoch(p *Problem) int { return (p.Train.Count-1)/t.batchSize(p) + 1 }

// batchSize is the number of examples that a step takes.
func (t Trial) batchSize(p *Problem) int {
	if b, err := method.New(t.Method); err == nil && b.Method.FullBatch {
		return p.Train.Count
	}
	return min(t.BatchSize, p.Train.Count)
}

// schedule makes the trial's schedule. Without a number of epochs the length of
// the run is not known to it.
func (t Trial) schedule(stepsPerEpoch int) (schedule.Func, error) {
	specification := t.Schedule
	if specification == "" {
		specification = "constant"
	}
	return schedule.New(specification, t.Epochs*stepsPerEpoch)
}

func newSession(backend compute.Backend, p *Problem, t Trial, from *Checkpoint, hooks Hooks) (*session, error) {
	if err := t.Check(p); err != nil {
		return nil, err
	}
	builder, err := method.New(t.Method)
	if err != nil {
		return nil, err
	}
	s := &session{problem: p, trial: t, hooks: hooks, epochOfOrder: -1, batch: t.batchSize(p), stepsPerEpoch: t.StepsPerEpoch(p)}
	if s.schedule, err = t.schedule(s.stepsPerEpoch); err != nil {
		return nil, err
	}
	store := model.NewStore()
	if from != nil {
		if store, err = decodeVariables(from.Variables); err != nil {
			return nil, err
		}
		s.step, s.initialLoss, s.counts = from.Step, from.InitialLoss, from.Counts
		s.trained = time.Duration(from.Seconds * float64(time.Second))
		s.saved = s.trained
	}
	if s.network, err = newMachine(backend, p, store, builder, t); err != nil {
		return nil, err
	}
	s.anyLoss = builder.Method.LossMayRise
	return s, s.network.compile(s.batch)
}

func (s *session) finished() bool {
	return (s.trial.Epochs > 0 && s.step >= s.trial.Epochs*s.stepsPerEpoch) ||
		(s.trial.Time > 0 && s.trained >= s.trial.Time)
}

// advance takes one step on the next batch.
func (s *session) advance() error {
	epoch := s.step / s.stepsPerEpoch
	if epoch != s.epochOfOrder {
		s.order = data.EpochOrder(s.problem.Train.Count, s.trial.Seed, epoch)
		s.epochOfOrder = epoch
	}
	first := s.step % s.stepsPerEpoch * s.batch
	rows := s.order[first:min(first+s.batch, len(s.order))]
	start := time.Now()
	step, err := s.network.advance(s.rateAt(s.step), &s.problem.Train, rows)
	s.trained += time.Since(start)
	if err != nil {
		return err
	}
	s.counts.add(s.step, step)
	s.step++
	if s.hooks.Step != nil {
		s.hooks.Step(s.step, step)
	}
	s.diverged = !isFinite(step.Loss)
	return nil
}

func (s *session) rateAt(step int) float64 { return s.trial.LearningRate * s.schedule(step) }

// measure evaluates the present weights and tells the hook.
func (s *session) measure(ctx context.Context) error {
	train, err := s.network.measure(ctx, &s.problem.Train, s.problem.lossRows)
	if err != nil {
		return err
	}
	validation, err := s.network.measure(ctx, &s.problem.Validation, nil)
	if err != nil {
		return err
	}
	if s.step == 0 {
		s.initialLoss = train.Loss
	}
	if !isFinite(train.Loss) || !s.anyLoss && train.Loss > divergedFactor*s.initialLoss {
		s.diverged = true
	}
	s.last = Epoch{
		Epoch: float64(s.step) / float64(s.stepsPerEpoch), Step: s.step, Seconds: s.trained.Seconds(),
		LearningRate: s.rateAt(max(s.step-1, 0)), TrainLoss: train.Loss, Validation: validation, Counts: s.counts,
	}
	if s.hooks.Epoch != nil {
		if err := s.hooks.Epoch(s.last); err != nil {
			return err
		}
	}
	if s.hooks.Weights == nil {
		return nil
	}
	store, err := s.network.variables()
	if err != nil {
		return err
	}
	return s.hooks.Weights(s.last, store)
}

// interrupted saves the present state if err comes from the end of ctx.
func (s *session) interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return errors.Join(s.checkpoint(), err)
}

// checkpoint hands the present state to the hook.
func (s *session) checkpoint() error {
	s.saved = s.trained
	if s.hooks.Checkpoint == nil || s.step == 0 {
		return nil
	}
	store, err := s.network.variables()
	if err != nil {
		return err
	}
	variables, err := encodeVariables(store)
	if err != nil {
		return err
	}
	return s.hooks.Checkpoint(Checkpoint{Step: s.step, Seconds: s.trained.Seconds(), InitialLoss: s.initialLoss, Counts: s.counts, Variables: variables})
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
