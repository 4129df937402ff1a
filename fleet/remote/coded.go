package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/coded"
)

// codedCall is what a call of [CodedName] says; its shared tensors are the
// parameters of the jobs.
type codedCall struct {
	Setup      json.RawMessage  `json:"setup"`
	Arithmetic coded.Arithmetic `json:"arithmetic"`
	Jobs       []codedJob       `json:"jobs"`
	Tasks      []coded.Task     `json:"tasks"`
}

type codedJob struct {
	Number int `json:"number"`
	Model  int `json:"model"`
}

// Coded are the workers of a coded training on a cluster: it implements
// [coded.Workers]. One that dies is asked again when it is back; answers to a
// round that has ended are refused by the pool.
type Coded struct {
	pool    *cluster.Pool
	job     string
	setup   json.RawMessage
	workers []string
	shared  map[int]*cluster.Shared // by number of the job
}

// NewCoded makes the workers of the scheme's numbers 0, 1, ... from those of the
// names. The setup is what workers build their gradients from, see [CodedTask].
func NewCoded(pool *cluster.Pool, job string, setup json.RawMessage, workers []string) *Coded {
	return &Coded{pool: pool, job: job, setup: setup, workers: workers, shared: map[int]*cluster.Shared{}}
}

// Dispatch implements [coded.Workers].
func (c *Coded) Dispatch(ctx context.Context, round coded.Round) (<-chan coded.Result, error) {
	if len(round.Tasks) != len(c.workers) {
		return nil, fmt.Errorf("a round for %d workers: expected %d", len(round.Tasks), len(c.workers))
	}
	if err := c.share(round.Jobs); err != nil {
		return nil, err
	}
	replies := make(chan cluster.Reply, len(c.workers))
	asked := 0
	for worker, tasks := range round.Tasks {
		if len(tasks) == 0 {
			continue
		}
		call, err := c.call(round, worker, tasks)
		if err == nil {
			err = c.pool.Start(call, replies)
		}
		if err != nil {
			c.pool.CancelRound(c.job, uint64(round.Number))
			return nil, err
		}
		asked++
	}
	results := make(chan coded.Result, asked)
	go func() {
		for range asked {
			select {
			case r := <-replies:
				results <- result(round, r)
			case <-ctx.Done():
				c.pool.CancelRound(c.job, uint64(round.Number))
				return
			}
		}
	}()
	return results, nil
}

// share gives out the parameters of jobs that are new, and no longer those of
// jobs that are over.
func (c *Coded) share(jobs []coded.Job) error {
	current := map[int]bool{}
	for _, job := range jobs {
		current[job.Number] = true
		if c.shared[job.Number] != nil {
			continue
		}
		s, err := c.pool.Share(frame.Of64(job.Parameters))
		if err != nil {
			return err
		}
		c.shared[job.Number] = s
	}
	for number, s := range c.shared {
		if !current[number] {
			s.Release()
			delete(c.shared, number)
		}
	}
	return nil
}

func (c *Coded) call(round coded.Round, worker int, tasks []coded.Task) (cluster.Call, error) {
	content := codedCall{Setup: c.setup, Arithmetic: round.Arithmetic, Tasks: tasks}
	call := cluster.Call{
		ID:   cluster.ID{Job: c.job, Round: uint64(round.Number), Part: uint32(worker)},
		Task: CodedName, Worker: c.workers[worker],
	}
	length := 0
	for _, job := range round.Jobs {
		count := 0
		for _, task := range tasks {
			if task.Job == job.Number {
				count++
			}
		}
		if count > 0 {
			content.Jobs = append(content.Jobs, codedJob{job.Number, job.Model})
			call.Shared = append(call.Shared, c.shared[job.Number])
			length += count * len(job.Parameters)
		}
	}
	call.Expect = frame.Layout{DType: frame.Uint64, Shape: []int{length}}
	var err error
	call.Arguments, err = json.Marshal(content)
	return call, err
}

// result takes a reply apart into the sums of the worker's tasks.
func result(round coded.Round, r cluster.Reply) coded.Result {
	worker := int(r.Part)
	out := coded.Result{Round: round.Number, Worker: worker, Err: r.Err}
	if r.Err != nil {
		return out
	}
	numbers, err := r.Tensor.Uint64s()
	if err != nil {
		out.Err = err
		return out
	}
	length := map[int]int{}
	for _, job := range round.Jobs {
		length[job.Number] = len(job.Parameters)
	}
	for _, task := range round.Tasks[worker] {
		n := length[task.Job]
		out.Sums = append(out.Sums, numbers[:n:n])
		numbers = numbers[n:]
	}
	return out
}

// Close ends the giving out of parameters, after the last round.
func (c *Coded) Close() {
	for number, s := range c.shared {
		s.Release()
		delete(c.shared, number)
	}
}

// CodedTask is what a worker of a coded training does. build makes the gradients
// of a setup, which is what the coordinator gave to [NewCoded]; the last two are
// kept.
func CodedTask(build func(ctx context.Context, setup json.RawMessage) (coded.Gradients, error)) cluster.Task {
	w := &workshop[coded.Gradients]{build: build, size: 2}
	return func(ctx context.Context, work cluster.Work) (cluster.Result, error) {
		var c codedCall
		if err := json.Unmarshal(work.Arguments, &c); err != nil {
			return cluster.Result{}, fmt.Errorf("reading the tasks of a round: %w", err)
		}
		if len(c.Jobs) != len(work.Shared) {
			return cluster.Result{}, errors.New("a round whose jobs and parameters are not as many")
		}
		round := coded.Round{Number: int(work.Round), Arithmetic: c.Arithmetic, Tasks: [][]coded.Task{c.Tasks}}
		for i, job := range c.Jobs {
			parameters, err := work.Shared[i].Float64s()
			if err != nil {
				return cluster.Result{}, err
			}
			round.Jobs = append(round.Jobs, coded.Job{Number: job.Number, Model: job.Model, Parameters: parameters})
		}
		gradients, err := w.take(ctx, c.Setup)
		if err != nil {
			return cluster.Result{}, err
		}
		defer w.give(gradients)
		sums, err := coded.Answer(ctx, gradients.value, round, 0)
		if err != nil {
			return cluster.Result{}, err
		}
		var all []uint64
		for _, sum := range sums {
			all = append(all, sum...)
		}
		return cluster.Result{Tensor: frame.OfUint64(all)}, nil
	}
}
