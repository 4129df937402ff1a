package federated

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// Local says how a client works on the parameters that it is sent: local SGD,
//
//	v ← Momentum v + g + WeightDecay y + Proximal (y - θ) + correction
//	y ← y - rate(k) v
//
// for the steps k = 0, 1, ..., from y = θ, v = 0. Momentum does not survive
// between works.
type Local struct {
	// Steps is the number K of steps of a work. If it is 0, the work is Epochs
	// passes over the client's examples.
	Steps  int `json:"steps,omitempty"`
	Epochs int `json:"epochs,omitempty"`
	// Batch is the number of examples of a step; 0 is all of the client's.
	Batch int `json:"batch,omitempty"`
	// LearningRate is that of the first step; that of step k is
	// LearningRate (1 + Decay k)^-Power.
	LearningRate float64 `json:"learning_rate"`
	Decay        float64 `json:"decay,omitempty"`
	Power        float64 `json:"power,omitempty"`
	Momentum     float64 `json:"momentum,omitempty"`
	WeightDecay  float64 `json:"weight_decay,omitempty"`
	// Proximal is FedProx's weight µ of |y - θ|²/2.
	Proximal float64 `json:"proximal,omitempty"`
	// Clip bounds the norm of a step's gradient before everything else; 0 is no
	// bound.
	Clip float64 `json:"clip,omitempty"`
}

// Rate is the learning rate of the local step k, counted from 0.
func (l Local) Rate(k int) float64 {
	if l.Decay == 0 || l.Power == 0 {
		return l.LearningRate
	}
	return l.LearningRate * math.Pow(1+l.Decay*float64(k), -l.Power)
}

// Check finds a setting out of its range.
func (l Local) Check() error {
	for _, s := range []struct {
		name  string
		value float64
		below float64
	}{
		{"learning rate", l.LearningRate, math.Inf(1)}, {"decay", l.Decay, math.Inf(1)}, {"power", l.Power, math.Inf(1)},
		{"momentum", l.Momentum, 1}, {"weight decay", l.WeightDecay, math.Inf(1)}, {"proximal weight", l.Proximal, math.Inf(1)},
		{"clip", l.Clip, math.Inf(1)},
	} {
		if !(s.value >= 0 && s.value < s.below) {
			return fmt.Errorf("%s %g of local work: expected a finite number from 0 to below %g", s.name, s.value, s.below)
		}
	}
	switch {
	case l.Steps < 0 || l.Epochs < 0 || l.Batch < 0:
		return fmt.Errorf("local work of %d steps, %d epochs and batches of %d: expected none below 0", l.Steps, l.Epochs, l.Batch)
	case l.Steps == 0 && l.Epochs == 0:
		return errors.New("local work of neither steps nor epochs: expected one of them above 0")
	}
	return nil
}

// Task is one local work that a client is asked for. Its fields are all that
// the result depends on besides the client's examples. Receivers do not change
// the slices, which belong to the engine.
type Task struct {
	Client int    // from 0
	Work   int    // number of the client's work, from 0; with Client the identity of the update
	Round  int    // number of aggregations that the parameters have seen
	Seed   uint64 // of the training
	Local  Local
	// Parameters θ [P] are those of the global model.
	Parameters []float64
	// Previous are the client's own parameters [P] at the end of its work
	// before; nil at first, and unless [Config.Remember] is set.
	Previous []float64
	// Correction [P] is added to every gradient; nil for none. SCAFFOLD's is
	// c - c_i.
	Correction []float64
	// Message is what a [Rule] of another package tells the client.
	Message []float64
}

// Random returns a generator for this task. Generators of different seeds,
// clients, works or streams are independent, and the same on every machine.
// Streams from 0 to 15 are this package's own.
func (t *Task) Random(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(t.Seed, key(t.Client, t.Work, stream)))
}

// The streams of random numbers.
const (
	streamBatches = iota
	streamTimes
	streamSelection
)

// key mixes what identifies a generator (the finaliser of splitmix64).
func key(client, work int, stream uint64) uint64 {
	x := stream
	for _, next := range [...]uint64{uint64(client), uint64(work)} {
		x += 0x9e3779b97f4a7c15 * (next + 1)
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}

// Result is what a client answers to a task.
type Result struct {
	Client, Work int       // those of the task
	Difference   []float64 // Δ [P]: the client's parameters at the end less those of the task
	Examples     int       // of the client
	Steps        int       // local steps that were taken
	Rates        float64   // sum of the learning rates of these steps
	Loss         float64   // mean over the steps of the batch's loss; NaN if there is none
	Message      []float64 // what a [Rule] of another package is told
}

// Client carries out tasks, one at a time. The engine's simulated clients need
// not be one Client each: a [Trainer] stands for all of them.
type Client interface {
	// Work carries out a task and fills the result, whose slices may be reused
	// from an earlier one. It returns within a second of the end of ctx.
	Work(ctx context.Context, task *Task, result *Result) error
}

// Executor carries out independent tasks.
type Executor interface {
	// Run sets results[i] to the result of tasks[i], whose slices may be reused
	// from an earlier one, and returns when all are there.
	Run(ctx context.Context, tasks []Task, results []Result) error
}

// Pool is the [Executor] of this process: a number of workers with a client
// each. The number does not change any result.
type Pool struct{ workers []Client }

// NewPool makes an executor of at least one client, each of which has a
// goroutine of its own during Run.
func NewPool(workers ...Client) (*Pool, error) {
	if len(workers) == 0 {
		return nil, errors.New("a pool without workers: expected at least one client")
	}
	return &Pool{workers}, nil
}

// Run implements [Executor]. The first error in the order of tasks is returned.
func (p *Pool) Run(ctx context.Context, tasks []Task, results []Result) error {
	if len(tasks) == 1 || len(p.workers) == 1 {
		for i := range tasks {
			if err := p.workers[0].Work(ctx, &tasks[i], &results[i]); err != nil {
				return workError(&tasks[i], err)
			}
		}
		return nil
	}
	var next atomic.Int64
	errs := make([]error, len(tasks))
	var wait sync.WaitGroup
	for _, worker := range p.workers[:min(len(p.workers), len(tasks))] {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(tasks); i = int(next.Add(1)) - 1 {
				if errs[i] = worker.Work(ctx, &tasks[i], &results[i]); errs[i] != nil {
					next.Store(int64(len(tasks))) // no more work
				}
			}
		})
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			return workError(&tasks[i], err)
		}
	}
	return nil
}

func workError(t *Task, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("client %d, work %d: %w", t.Client, t.Work, err)
}

// ErrUpdate says that a result is not one that the engine waits for: of another
// work of the client, which has been counted or was never asked for, or of the
// wrong shape.
var ErrUpdate = errors.New("not the update that was asked for")

// Check reports whether a result answers a task: the same client and work, and
// a difference as long as the parameters. An error wraps [ErrUpdate].
func (t *Task) Check(r *Result) error {
	switch {
	case r.Client != t.Client || r.Work != t.Work:
		return fmt.Errorf("an update of client %d, work %d: expected client %d, work %d: %w", r.Client, r.Work, t.Client, t.Work, ErrUpdate)
	case len(r.Difference) != len(t.Parameters):
		return fmt.Errorf("an update of %d numbers from client %d: expected %d: %w", len(r.Difference), t.Client, len(t.Parameters), ErrUpdate)
	case r.Steps < 0 || r.Examples < 0:
		return fmt.Errorf("an update of %d steps over %d examples from client %d: expected none below 0: %w", r.Steps, r.Examples, t.Client, ErrUpdate)
	}
	return nil
}
