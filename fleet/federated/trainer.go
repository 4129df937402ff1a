package federated

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Objective is the loss that clients minimise, a mean over rows of a set of
// examples as a function of flat parameters. It is not safe for concurrent
// use: every [Trainer] has its own.
type Objective interface {
	// Dim is the number P of parameters.
	Dim() int
	// Gradient sets gradient [P] to that of the mean loss over rows at
	// parameters [P], and returns the loss. What is not finite is an outcome.
	Gradient(parameters, gradient []float64, rows []int) (float64, error)
	// Evaluate sets losses[i] to the loss of the example rows[i], and wrong[i]
	// to whether it is classified wrongly, which is false for regression. Either
	// may be nil.
	Evaluate(parameters []float64, rows []int, losses []float64, wrong []bool) error
}

// Sampler chooses the examples of local steps. One is made for every trainer;
// what it remembers from one task to the next must not change a result.
type Sampler interface {
	// Begin begins a task of the client that has the given rows. It may look at
	// the losses of the rows at the task's parameters.
	Begin(t *Task, rows []int, o Objective) error
	// Next returns the rows of the local step k = 0, 1, ..., valid until the
	// next call; none ends the work.
	Next(k int) []int
}

// Trainer is the [Client] of all simulated clients: local SGD as [Local] says,
// on each client's rows of one set of examples. It allocates nothing in local
// steps beyond what its objective does.
type Trainer struct {
	objective Objective
	shards    [][]int
	sampler   Sampler

	local, gradient, velocity []float64
}

// NewTrainer makes a trainer for clients that have the given rows each. A nil
// sampler is [Shuffled].
func NewTrainer(o Objective, shards [][]int, sampler Sampler) (*Trainer, error) {
	if o == nil || len(shards) == 0 {
		return nil, errors.New("a trainer without an objective or clients: expected both")
	}
	if sampler == nil {
		sampler = &Shuffled{}
	}
	dim := o.Dim()
	return &Trainer{objective: o, shards: shards, sampler: sampler, local: make([]float64, dim), gradient: make([]float64, dim), velocity: make([]float64, dim)}, nil
}

// Work implements [Client].
func (w *Trainer) Work(ctx context.Context, t *Task, r *Result) error {
	switch {
	case t.Client < 0 || t.Client >= len(w.shards):
		return fmt.Errorf("no examples: expected a client from 0 to below %d", len(w.shards))
	case len(t.Parameters) != len(w.local):
		return fmt.Errorf("%d parameters: expected %d", len(t.Parameters), len(w.local))
	case t.Correction != nil && len(t.Correction) != len(w.local):
		return fmt.Errorf("a correction of %d numbers: expected %d", len(t.Correction), len(w.local))
	}
	if err := t.Local.Check(); err != nil {
		return err
	}
	rows := w.shards[t.Client]
	r.Client, r.Work, r.Examples, r.Message = t.Client, t.Work, len(rows), nil
	r.Difference = slices.Grow(r.Difference[:0], len(w.local))[:len(w.local)]
	r.Steps, r.Rates, r.Loss = 0, 0, math.NaN()
	copy(w.local, t.Parameters)
	if len(rows) > 0 {
		if err := w.descend(ctx, t, r, rows); err != nil {
			return err
		}
	}
	floats.SubTo(r.Difference, w.local, t.Parameters)
	return nil
}

// descend takes the local steps.
func (w *Trainer) descend(ctx context.Context, t *Task, r *Result, rows []int) error {
	if err := w.sampler.Begin(t, rows, w.objective); err != nil {
		return err
	}
	clear(w.velocity)
	losses := 0.0
	for k := 0; ; k++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch := w.sampler.Next(k)
		if len(batch) == 0 {
			break
		}
		loss, err := w.objective.Gradient(w.local, w.gradient, batch)
		if err != nil {
			return err
		}
		losses += loss
		w.step(t, t.Local.Rate(k))
		r.Steps++
		r.Rates += t.Local.Rate(k)
	}
	if r.Steps > 0 {
		r.Loss = losses / float64(r.Steps)
	}
	return nil
}

// step moves the local parameters along the gradient.
func (w *Trainer) step(t *Task, rate float64) {
	g, l := w.gradient, &t.Local
	if l.Clip > 0 {
		if norm := floats.Norm(g, 2); norm > l.Clip {
			floats.Scale(l.Clip/norm, g)
		}
	}
	if l.WeightDecay > 0 {
		floats.AddScaled(g, l.WeightDecay, w.local)
	}
	if l.Proximal > 0 {
		floats.AddScaled(g, l.Proximal, w.local)
		floats.AddScaled(g, -l.Proximal, t.Parameters)
	}
	if t.Correction != nil {
		floats.Add(g, t.Correction)
	}
	if l.Momentum > 0 {
		floats.Scale(l.Momentum, w.velocity)
		floats.Add(w.velocity, g)
		g = w.velocity
	}
	floats.AddScaled(w.local, -rate, g)
}

// Shuffled passes over the client's rows in one random order after another, in
// batches of the size that is asked for, of which the last of a pass may be
// short. Its random numbers are those of the task's stream 0.
type Shuffled struct {
	source rand.PCG
	random *rand.Rand // of source
	order  []int
	size   int
	steps  int
	next   int
}

// Begin implements [Sampler].
func (s *Shuffled) Begin(t *Task, rows []int, _ Objective) error {
	if s.random == nil {
		s.random = rand.New(&s.source)
	}
	s.source.Seed(t.Seed, key(t.Client, t.Work, streamBatches))
	s.order = append(s.order[:0], rows...)
	s.size = len(rows)
	if t.Local.Batch > 0 {
		s.size = min(t.Local.Batch, len(rows))
	}
	s.steps = t.Local.Steps
	if s.steps == 0 {
		s.steps = t.Local.Epochs * ((len(rows)-1)/s.size + 1)
	}
	s.next = len(rows)
	return nil
}

// Next implements [Sampler].
func (s *Shuffled) Next(k int) []int {
	if k >= s.steps {
		return nil
	}
	if s.size == len(s.order) {
		return s.order // the mean over all does not depend on their order
	}
	if s.next == len(s.order) {
		s.random.Shuffle(len(s.order), s.swap)
		s.next = 0
	}
	first := s.next
	s.next = min(first+s.size, len(s.order))
	return s.order[first:s.next]
}

func (s *Shuffled) swap(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] }
