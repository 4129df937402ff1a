package coded

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/coding"
)

// Optimizer changes parameters by gradients: an [SGD], or a [Method]. Its state
// belongs to a checkpoint.
type Optimizer interface {
	// Step changes the parameters of a model, numbered from 0, by a gradient of the
	// same length, which it leaves as it is. What it remembers it keeps for each
	// model by itself. An error ends the training.
	Step(model int, parameters, gradient []float64) error
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// Config says what is trained and for whom the master waits.
type Config struct {
	// Scheme is new or resumed; the master drives it from then on.
	Scheme coding.Scheme
	// Models are the initial parameters of each model, at least T+1 of them for a
	// scheme of delay T. The master copies them.
	Models [][]float64
	// Optimizer applies the gradients.
	Optimizer  Optimizer
	Arithmetic Arithmetic

	// Tolerance is mu: who has not answered after (1+mu) times the time of the
	// fastest worker is late. Default 1.
	Tolerance float64
	// Grace is the least time between the fastest answer and the deadline, for
	// rounds so short that chance rules. Default 0.
	Grace time.Duration
	// WaitOut is what is done when the scheme cannot go on without the late.
	WaitOut coding.WaitOut
	// Patience bounds a round. A round that takes longer is an error that names
	// who is missing. Default: no bound.
	Patience time.Duration

	// Save keeps a checkpoint after every round; what it points to is valid during
	// the call. Optional.
	Save func(context.Context, *Checkpoint) error
	// Observe is told of every round. Optional.
	Observe func(Report)
}

// Report is what happened in a round. Workers are numbered from 0.
type Report struct {
	Round   int           `json:"round"`
	Idle    bool          `json:"idle,omitempty"`   // nobody had anything to do
	First   time.Duration `json:"first"`            // time of the fastest answer
	Took    time.Duration `json:"took"`             // time of the round
	Late    []int         `json:"late,omitempty"`   // who missed the deadline
	Waited  []int         `json:"waited,omitempty"` // of these, who was waited for
	Around  []int         `json:"around,omitempty"` // of these, whose answers are done without
	Decoded []int         `json:"decoded"`          // jobs whose gradients were applied
	Refused []string      `json:"refused,omitempty"`
}

// Master drives a scheme and trains with its gradients.
type Master struct {
	config Config
	models [][]float64
	jobs   map[int]*job
}

// job is a gradient in the making.
type job struct {
	number     int
	parameters []float64
	sum        Vector              // of plain results and of decoded groups
	coded      map[int]*codedGroup // by part, until decoded
}

type codedGroup struct {
	received coding.Set
	sums     map[int]Vector // by worker
}

// NewMaster makes a master before the first round.
func NewMaster(c Config) (*Master, error) {
	if c.Scheme == nil || c.Optimizer == nil {
		return nil, errors.New("training with a code: expected a scheme and an optimizer")
	}
	if c.Tolerance == 0 {
		c.Tolerance = 1
	}
	delay := c.Scheme.Spec().Delay()
	switch {
	case !(c.Tolerance > 0) || math.IsInf(c.Tolerance, 1):
		return nil, fmt.Errorf("tolerance %g of late workers: expected a number above 0", c.Tolerance)
	case c.Arithmetic != Exact && c.Arithmetic != Real:
		return nil, fmt.Errorf("arithmetic %d: expected Exact or Real", c.Arithmetic)
	case len(c.Models) <= delay:
		return nil, fmt.Errorf("%d models with scheme %s, whose gradients may come %d rounds late: expected at least %d models", len(c.Models), c.Scheme.Spec(), delay, delay+1)
	case c.Scheme.Round() != 0:
		return nil, fmt.Errorf("a scheme that has ended round %d: expected a new one, or Resume", c.Scheme.Round())
	}
	m := &Master{config: c, jobs: map[int]*job{}}
	for i, parameters := range c.Models {
		if len(parameters) == 0 {
			return nil, fmt.Errorf("model %d has no parameters", i)
		}
		m.models = append(m.models, slices.Clone(parameters))
	}
	return m, nil
}

// Parameters are those of a model as they are; not to be changed.
func (m *Master) Parameters(model int) []float64 { return m.models[model] }

// Scheme is the scheme that the master drives, for looking at.
func (m *Master) Scheme() coding.Scheme { return m.config.Scheme }

// Train runs the rounds that are left. When ctx ends it returns its error at once;
// the last checkpoint stands for the state then.
func (m *Master) Train(ctx context.Context, workers Workers) error {
	scheme := m.config.Scheme
	for scheme.Round() < scheme.Rounds() {
		if err := m.step(ctx, workers); err != nil {
			return err
		}
		if m.config.Save != nil {
			checkpoint, err := m.checkpoint()
			if err != nil {
				return err
			}
			if err := m.config.Save(ctx, checkpoint); err != nil {
				return fmt.Errorf("keeping the state after round %d: %w", scheme.Round(), err)
			}
		}
	}
	return nil
}

// step is one round.
func (m *Master) step(ctx context.Context, workers Workers) error {
	scheme := m.config.Scheme
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := scheme.Begin(); err != nil {
		return err
	}
	number := scheme.Round() + 1
	if number <= scheme.Jobs() {
		parameters := slices.Clone(m.models[m.modelOf(number)])
		m.jobs[number] = &job{number: number, parameters: parameters, sum: make(Vector, len(parameters)), coded: map[int]*codedGroup{}}
	}
	report := Report{Round: number, Idle: scheme.Busy().Empty()}
	late := coding.NewSet(scheme.Workers())
	if !report.Idle {
		round := m.assign(number)
		c := newCollection(m, round, &report)
		if err := c.collect(ctx, workers); err != nil {
			return err
		}
		late = c.missing
		if err := m.deliver(round, c); err != nil {
			return err
		}
	}
	decodable, err := scheme.End(late)
	if err != nil {
		return err
	}
	report.Decoded = decodable
	for _, number := range decodable {
		if err := m.apply(number); err != nil {
			return err
		}
	}
	if m.config.Observe != nil {
		m.config.Observe(report)
	}
	return nil
}

func (m *Master) modelOf(job int) int { return (job - 1) % len(m.models) }

// assign writes the scheme's tasks in the form in which they travel.
func (m *Master) assign(number int) Round {
	scheme, a := m.config.Scheme, m.config.Arithmetic
	round := Round{Number: number, Arithmetic: a, Tasks: make([][]Task, scheme.Workers())}
	used := map[int]bool{}
	for worker := range round.Tasks {
		for _, t := range scheme.Tasks(worker) {
			task := Task{Job: t.Job, Part: t.Part, Chunks: t.Chunks, Weights: []uint64{a.one()}}
			if t.Work.Coded() {
				task.Weights = a.row(scheme.Code(), worker)
			}
			round.Tasks[worker] = append(round.Tasks[worker], task)
			used[t.Job] = true
		}
	}
	for number := range used {
		round.Jobs = append(round.Jobs, Job{number, m.modelOf(number), m.jobs[number].parameters})
	}
	slices.SortFunc(round.Jobs, func(a, b Job) int { return a.Number - b.Number })
	return round
}

// deliver adds the sums of the workers whose answers count to their jobs.
func (m *Master) deliver(round Round, c *collection) error {
	scheme, a := m.config.Scheme, m.config.Arithmetic
	for worker, sums := range c.sums {
		if sums == nil || c.missing.Has(worker) {
			continue
		}
		for k, task := range scheme.Tasks(worker) {
			j := m.jobs[task.Job]
			if j == nil { // decoded before: nothing of it is needed
				continue
			}
			if !task.Work.Coded() {
				a.addSum(j.sum, a.one(), sums[k])
				continue
			}
			group := j.coded[task.Part]
			if group == nil {
				group = &codedGroup{coding.NewSet(scheme.Workers()), map[int]Vector{}}
				j.coded[task.Part] = group
			}
			group.received.Add(worker)
			group.sums[worker] = sums[k]
		}
	}
	for _, offered := range round.Jobs {
		if err := m.decode(m.jobs[offered.Number]); err != nil {
			return err
		}
	}
	return nil
}

// decode adds what the coded groups of a job give to its sum, each as soon as it
// is decodable, so that its results need not be kept.
func (m *Master) decode(j *job) error {
	code, a := m.config.Scheme.Code(), m.config.Arithmetic
	for _, part := range sortedKeys(j.coded) {
		group := j.coded[part]
		if !code.Decodable(group.received) {
			continue
		}
		weights, err := a.combination(code, group.received)
		if err != nil {
			return fmt.Errorf("job %d, part %d: %w", j.number, part, err)
		}
		for _, worker := range group.received.Members() {
			if weights[worker] != 0 {
				a.addSum(j.sum, weights[worker], group.sums[worker])
			}
		}
		delete(j.coded, part)
	}
	return nil
}

func sortedKeys[T any](m map[int]T) []int {
	keys := make([]int, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// apply changes the model of a decoded job.
func (m *Master) apply(number int) error {
	j, model := m.jobs[number], m.modelOf(number)
	if len(j.coded) > 0 {
		return fmt.Errorf("job %d is decodable, but %d coded groups are not decoded", number, len(j.coded))
	}
	recipe, err := m.config.Scheme.Recipe(number)
	if err != nil {
		return err
	}
	gradient := make([]float64, len(j.sum))
	if err := m.config.Arithmetic.gradient(gradient, j.sum); err != nil {
		return fmt.Errorf("job %d, model %d: %w", number, model, err)
	}
	if recipe.Scale != 1 {
		floats.Scale(recipe.Scale, gradient)
	}
	if err := m.config.Optimizer.Step(model, m.models[model], gradient); err != nil {
		return fmt.Errorf("job %d, model %d: %w", number, model, err)
	}
	delete(m.jobs, number)
	return nil
}

// impatient is the error of a round that takes too long.
func impatient(round int, missing []int, patience time.Duration) error {
	words := make([]string, len(missing))
	for i, worker := range missing {
		words[i] = fmt.Sprint(worker)
	}
	return fmt.Errorf("round %d: workers %s have not answered within %v, and the scheme cannot go on without them", round, strings.Join(words, ", "), patience)
}
