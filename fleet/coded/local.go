package coded

import (
	"context"
	"fmt"
	"time"
)

// Local are workers in this process, a goroutine each.
type Local struct {
	// Gradients computes for each worker.
	Gradients []Gradients
	// Delay is how long a worker sleeps in a round before it begins; it is asked
	// from several goroutines. Optional.
	Delay func(round, worker int) time.Duration

	busy []chan struct{} // holds a token while a worker computes
}

// NewLocal makes one worker for each of the gradients.
func NewLocal(gradients []Gradients, delay func(round, worker int) time.Duration) *Local {
	l := &Local{Gradients: gradients, Delay: delay, busy: make([]chan struct{}, len(gradients))}
	for i := range l.busy {
		l.busy[i] = make(chan struct{}, 1)
	}
	return l
}

// Dispatch is that of [Workers]. A worker that is still at an earlier round
// begins when it has dropped that.
func (l *Local) Dispatch(ctx context.Context, round Round) (<-chan Result, error) {
	if len(round.Tasks) != len(l.busy) {
		return nil, fmt.Errorf("a round for %d workers: expected %d", len(round.Tasks), len(l.busy))
	}
	answers := make(chan Result, len(l.busy)) // nobody has to wait for the master
	for worker, tasks := range round.Tasks {
		if len(tasks) > 0 {
			go l.work(ctx, round, worker, answers)
		}
	}
	return answers, nil
}

func (l *Local) work(ctx context.Context, round Round, worker int, answers chan<- Result) {
	select {
	case l.busy[worker] <- struct{}{}:
		defer func() { <-l.busy[worker] }()
	case <-ctx.Done():
		return
	}
	if l.Delay != nil {
		timer := time.NewTimer(l.Delay(round.Number, worker))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
	sums, err := Answer(ctx, l.Gradients[worker], round, worker)
	if ctx.Err() == nil {
		answers <- Result{Round: round.Number, Worker: worker, Sums: sums, Err: err}
	}
}

// Answer computes all tasks of a worker in a round.
func Answer(ctx context.Context, g Gradients, round Round, worker int) ([]Vector, error) {
	jobs := map[int]Job{}
	for _, job := range round.Jobs {
		jobs[job.Number] = job
	}
	var sums []Vector
	var scratch []float64
	for _, task := range round.Tasks[worker] {
		job, ok := jobs[task.Job]
		if !ok {
			return nil, fmt.Errorf("a task of job %d: expected the job in the round", task.Job)
		}
		sum := make(Vector, len(job.Parameters))
		if len(scratch) != len(sum) {
			scratch = make([]float64, len(sum))
		}
		if err := Compute(ctx, round.Arithmetic, g, job, task, sum, scratch); err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, nil
}
