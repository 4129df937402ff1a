package coded

import (
	"context"
	"fmt"
	"time"

	"github.com/descentml/descent/fleet/coding"
)

// collection is the answers to a round as they come in.
type collection struct {
	master  *Master
	round   Round
	report  *Report
	sums    [][]Vector // by worker; nil until answered
	missing coding.Set // who has tasks and has not answered
	failed  coding.Set // of these, who cannot
	failure error      // the first
}

func newCollection(m *Master, round Round, report *Report) *collection {
	n := m.config.Scheme.Workers()
	return &collection{
		master: m, round: round, report: report, sums: make([][]Vector, n),
		missing: m.config.Scheme.Busy().Clone(), failed: coding.NewSet(n),
	}
}

// collect sends the round out and returns when it can end: all have answered; or
// the deadline has passed and the scheme can go on without the late; or it could
// not, and enough of them were waited for.
func (c *collection) collect(ctx context.Context, workers Workers) error {
	config := c.master.config
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := time.Now()
	answers, err := workers.Dispatch(ctx, c.round)
	if err != nil {
		return fmt.Errorf("sending round %d: %w", c.round.Number, err)
	}
	var deadline, patience <-chan time.Time
	if config.Patience > 0 {
		timer := time.NewTimer(config.Patience)
		defer timer.Stop()
		patience = timer.C
	}
	for passed := false; ; {
		if deadline == nil && !passed && c.failed.Count() == c.missing.Count() { // all have failed: no answer sets a deadline
			passed = true
			c.report.Late = c.missing.Members()
		}
		if c.done(passed) {
			c.report.Took = time.Since(start)
			c.report.Around = c.missing.Members()
			for _, worker := range c.report.Late {
				if !c.missing.Has(worker) {
					c.report.Waited = append(c.report.Waited, worker)
				}
			}
			return nil
		}
		if passed && c.failed.Count() == c.missing.Count() {
			return fmt.Errorf("round %d: no worker is left that could answer: %w", c.round.Number, c.failure)
		}
		select {
		case answer, open := <-answers:
			if !open {
				return fmt.Errorf("round %d: the answers ended with workers %v missing", c.round.Number, c.missing.Members())
			}
			if c.take(answer) && deadline == nil && !passed {
				c.report.First = time.Since(start)
				timer := time.NewTimer(max(config.Grace, time.Duration(config.Tolerance*float64(c.report.First))))
				defer timer.Stop()
				deadline = timer.C
			}
		case <-deadline:
			passed, deadline = true, nil
			c.drain(answers)
			c.report.Late = c.missing.Members()
		case <-patience:
			return impatient(c.round.Number, c.missing.Members(), config.Patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drain takes the answers that are there, so that nobody is late who had answered
// when the deadline passed.
func (c *collection) drain(answers <-chan Result) {
	for {
		select {
		case answer, open := <-answers:
			if !open {
				return // the caller finds out too
			}
			c.take(answer)
		default:
			return
		}
	}
}

// done reports whether the round can end. Once the deadline has passed, who is
// missing then is asked about; after that again at each answer if the late are
// released in the order of their answers.
func (c *collection) done(passed bool) bool {
	if c.missing.Empty() {
		return true
	}
	asked := c.missing.Count() == len(c.report.Late) || c.master.config.WaitOut == coding.InOrder
	return passed && asked && c.master.config.Scheme.Conforms(c.missing)
}

// take keeps an answer and returns true, or notes why it is refused. A late answer
// to an earlier round and a second answer change nothing.
func (c *collection) take(r Result) bool {
	refuse := func(err error) {
		c.report.Refused = append(c.report.Refused, fmt.Sprintf("worker %d, round %d: %v", r.Worker, r.Round, err))
	}
	switch {
	case r.Worker < 0 || r.Worker >= len(c.sums):
		refuse(fmt.Errorf("expected a worker from 0 to %d", len(c.sums)-1))
	case r.Round != c.round.Number:
		refuse(fmt.Errorf("this is round %d", c.round.Number))
	case !c.missing.Has(r.Worker):
		refuse(fmt.Errorf("it has answered already, or was not asked"))
	case r.Err != nil:
		c.failed.Add(r.Worker)
		if c.failure == nil {
			c.failure = fmt.Errorf("worker %d: %w", r.Worker, r.Err)
		}
		refuse(r.Err)
	default:
		if err := c.check(r); err != nil {
			refuse(err)
			return false
		}
		c.sums[r.Worker] = r.Sums
		c.missing.Remove(r.Worker)
		c.failed.Remove(r.Worker)
		return true
	}
	return false
}

// check refuses sums that are not those asked for.
func (c *collection) check(r Result) error {
	tasks := c.round.Tasks[r.Worker]
	if len(r.Sums) != len(tasks) {
		return fmt.Errorf("%d sums for %d tasks: expected as many", len(r.Sums), len(tasks))
	}
	for k, task := range tasks {
		if err := c.round.Arithmetic.check(r.Sums[k], len(c.master.jobs[task.Job].parameters)); err != nil {
			return fmt.Errorf("task %d: %w", k, err)
		}
	}
	return nil
}
