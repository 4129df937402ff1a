package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/federated"
)

// federatedCall is what a call of [FederatedName] says. Its shared tensor are
// the parameters; its own tensor the other vectors, one after the other.
type federatedCall struct {
	Setup   json.RawMessage `json:"setup"`
	Task    federatedTask   `json:"task"`
	Lengths [3]int          `json:"lengths"` // of previous, correction and message; -1 for none
}

type federatedTask struct {
	Client int             `json:"client"`
	Work   int             `json:"work"`
	Round  int             `json:"round"`
	Seed   uint64          `json:"seed"`
	Local  federated.Local `json:"local"`
}

// federatedReply is what an answer says beside its tensor: difference, then
// message.
type federatedReply struct {
	Client     int     `json:"client"`
	Work       int     `json:"work"`
	Examples   int     `json:"examples"`
	Steps      int     `json:"steps"`
	Rates      float64 `json:"rates"`
	Loss       uint64  `json:"loss"` // bits of the number, which may be none
	Difference int     `json:"difference"`
	Message    int     `json:"message"` // -1 for none
}

// Federated carries out the tasks of a federated training on a cluster: it
// implements [federated.Executor]. With a journal, every result is on disk
// before it counts, and a coordinator that goes on after a crash takes those
// that are there instead of asking again: no update is lost, none counts twice.
type Federated struct {
	pool    *cluster.Pool
	job     string
	setup   json.RawMessage
	journal *cluster.Journal
	log     *slog.Logger
	workers []string // by client; nil: any worker stands for any client
	saved   map[update]cluster.Entry
}

// update identifies a client's contribution.
type update struct {
	work   uint64
	client uint32
}

// NewFederated makes an executor. The setup is what workers build their clients
// from, see [FederatedTask]; journal may be nil, and log is slog.Default then.
func NewFederated(pool *cluster.Pool, job string, setup json.RawMessage, journal *cluster.Journal, log *slog.Logger) *Federated {
	f := &Federated{pool: pool, job: job, setup: setup, journal: journal, log: log, saved: map[update]cluster.Entry{}}
	if f.log == nil {
		f.log = slog.Default()
	}
	if journal != nil {
		for _, e := range journal.Saved().Results {
			f.saved[update{e.Round, e.Part}] = e
		}
	}
	return f
}

// Pin makes every client a worker of its own, by name: for workers whose data is
// theirs alone.
func (f *Federated) Pin(workers []string) { f.workers = workers }

// Run implements [federated.Executor].
func (f *Federated) Run(ctx context.Context, tasks []federated.Task, results []federated.Result) error {
	replies := make(chan cluster.Reply, len(tasks))
	index := map[update]int{}
	shared := map[*float64]*cluster.Shared{}
	defer func() {
		for u := range index {
			f.pool.Cancel(f.id(u))
		}
		for _, s := range shared {
			s.Release()
		}
	}()
	for i := range tasks {
		t := &tasks[i]
		u := update{uint64(t.Work), uint32(t.Client)}
		if e, there := f.saved[u]; there {
			if err := unpack(e.Arguments, e.Tensor, t, &results[i]); err != nil {
				return fmt.Errorf("client %d, work %d, from the journal: %w", t.Client, t.Work, err)
			}
			f.log.Info("update taken from the journal", "job", f.job, "client", t.Client, "work", t.Work)
			continue
		}
		if err := f.start(u, t, shared, replies); err != nil {
			return err
		}
		index[u] = i
	}
	for len(index) > 0 {
		select {
		case r := <-replies:
			u := update{r.Round, r.Part}
			i := index[u]
			if r.Err != nil {
				return fmt.Errorf("client %d, work %d: %w", tasks[i].Client, tasks[i].Work, r.Err)
			}
			if err := unpack(r.Arguments, r.Tensor, &tasks[i], &results[i]); err != nil {
				return fmt.Errorf("client %d, work %d, worker %s: %w", tasks[i].Client, tasks[i].Work, r.Worker, err)
			}
			if err := f.keep(ctx, u, r); err != nil {
				return err
			}
			delete(index, u)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (f *Federated) id(u update) cluster.ID {
	return cluster.ID{Job: f.job, Round: u.work, Part: u.client}
}

// keep puts a result on disk.
func (f *Federated) keep(ctx context.Context, u update, r cluster.Reply) error {
	if f.journal == nil {
		return nil
	}
	e := cluster.Entry{Round: u.work, Part: u.client, Arguments: r.Arguments, Tensor: r.Tensor}
	return f.journal.Result(ctx, e)
}

// start sends a task.
func (f *Federated) start(u update, t *federated.Task, shared map[*float64]*cluster.Shared, replies chan<- cluster.Reply) error {
	if len(t.Parameters) == 0 {
		return errors.New("a task without parameters")
	}
	s := shared[&t.Parameters[0]]
	if s == nil {
		var err error
		if s, err = f.pool.Share(frame.Of64(t.Parameters)); err != nil {
			return err
		}
		shared[&t.Parameters[0]] = s
	}
	content := federatedCall{Setup: f.setup, Task: federatedTask{t.Client, t.Work, t.Round, t.Seed, t.Local}}
	var own []float64
	for i, v := range [][]float64{t.Previous, t.Correction, t.Message} {
		content.Lengths[i] = -1
		if v != nil {
			content.Lengths[i] = len(v)
			own = append(own, v...)
		}
	}
	arguments, err := json.Marshal(content)
	if err != nil {
		return err
	}
	call := cluster.Call{ID: f.id(u), Task: FederatedName, Arguments: arguments, Shared: []*cluster.Shared{s}}
	if f.workers != nil {
		if t.Client < 0 || t.Client >= len(f.workers) {
			return fmt.Errorf("client %d: expected one of %d workers", t.Client, len(f.workers))
		}
		call.Worker = f.workers[t.Client]
	}
	if own != nil {
		call.Tensor = frame.Of64(own)
	}
	return f.pool.Start(call, replies)
}

// unpack reads an answer into a result.
func unpack(arguments []byte, tensor frame.Tensor, t *federated.Task, r *federated.Result) error {
	var reply federatedReply
	if err := json.Unmarshal(arguments, &reply); err != nil {
		return fmt.Errorf("reading an update: %w", err)
	}
	numbers, err := tensor.Float64s()
	if err != nil {
		return err
	}
	if reply.Difference < 0 || reply.Difference+max(reply.Message, 0) != len(numbers) {
		return fmt.Errorf("an update of %d and %d numbers in a tensor of %d", reply.Difference, reply.Message, len(numbers))
	}
	r.Client, r.Work, r.Examples, r.Steps, r.Rates, r.Loss = reply.Client, reply.Work, reply.Examples, reply.Steps, reply.Rates, math.Float64frombits(reply.Loss)
	r.Difference = append(r.Difference[:0], numbers[:reply.Difference]...)
	r.Message = nil
	if reply.Message >= 0 {
		r.Message = slices.Clone(numbers[reply.Difference:])
	}
	return t.Check(r)
}

// Checkpoint records the state of the engine after a round; the results before
// it are not needed any more.
func (f *Federated) Checkpoint(ctx context.Context, engine *federated.Engine) error {
	if f.journal == nil {
		return nil
	}
	state, err := engine.Snapshot()
	if err != nil {
		return err
	}
	if err := f.journal.Checkpoint(ctx, cluster.Entry{Round: uint64(engine.State().Round), Tensor: frame.OfRaw(state)}); err != nil {
		return err
	}
	clear(f.saved)
	return nil
}

// Resume puts an engine into the state of the journal's last checkpoint and
// returns its round; 0 without one.
func (f *Federated) Resume(engine *federated.Engine) (round int, err error) {
	if f.journal == nil || f.journal.Saved().Checkpoint == nil {
		return 0, nil
	}
	if err := engine.Restore(f.journal.Saved().Checkpoint.Tensor.Data); err != nil {
		return 0, err
	}
	return engine.State().Round, nil
}

// FederatedTask is what a worker of a federated training does. build makes the
// client of a setup, which is what the coordinator gave to [NewFederated]; the
// last two are kept.
func FederatedTask(build func(ctx context.Context, setup json.RawMessage) (federated.Client, error)) cluster.Task {
	w := &workshop[federated.Client]{build: build, size: 2}
	return func(ctx context.Context, work cluster.Work) (cluster.Result, error) {
		var c federatedCall
		if err := json.Unmarshal(work.Arguments, &c); err != nil {
			return cluster.Result{}, fmt.Errorf("reading a local work: %w", err)
		}
		task, err := c.task(work)
		if err != nil {
			return cluster.Result{}, err
		}
		client, err := w.take(ctx, c.Setup)
		if err != nil {
			return cluster.Result{}, err
		}
		defer w.give(client)
		var r federated.Result
		if err := client.value.Work(ctx, task, &r); err != nil {
			return cluster.Result{}, err
		}
		return pack(&r)
	}
}

// task is the task that a call describes.
func (c *federatedCall) task(work cluster.Work) (*federated.Task, error) {
	if len(work.Shared) != 1 {
		return nil, fmt.Errorf("a local work with %d shared tensors: expected the parameters", len(work.Shared))
	}
	t := &federated.Task{Client: c.Task.Client, Work: c.Task.Work, Round: c.Task.Round, Seed: c.Task.Seed, Local: c.Task.Local}
	var err error
	if t.Parameters, err = work.Shared[0].Float64s(); err != nil {
		return nil, err
	}
	var own []float64
	if !work.Tensor.IsZero() {
		if own, err = work.Tensor.Float64s(); err != nil {
			return nil, err
		}
	}
	for i, v := range []*[]float64{&t.Previous, &t.Correction, &t.Message} {
		n := c.Lengths[i]
		if n < 0 {
			continue
		}
		if n > len(own) {
			return nil, fmt.Errorf("a local work with vectors of %v numbers in a tensor of %d", c.Lengths, len(own))
		}
		*v, own = own[:n:n], own[n:]
	}
	return t, nil
}

// pack writes a result as an answer.
func pack(r *federated.Result) (cluster.Result, error) {
	reply := federatedReply{Client: r.Client, Work: r.Work, Examples: r.Examples, Steps: r.Steps, Rates: r.Rates, Loss: math.Float64bits(r.Loss), Difference: len(r.Difference), Message: -1}
	numbers := slices.Clone(r.Difference) // the client uses its memory again
	if r.Message != nil {
		reply.Message = len(r.Message)
		numbers = append(numbers, r.Message...)
	}
	arguments, err := json.Marshal(reply)
	return cluster.Result{Arguments: arguments, Tensor: frame.Of64(numbers)}, err
}
