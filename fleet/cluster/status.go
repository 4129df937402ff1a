package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/descentml/descent/fleet/cluster/link"
)

// Progress is how far a job is.
type Progress struct {
	Job        string    `json:"job"`
	What       string    `json:"what"`   // for people: scheme or strategy, model, data
	Round      int       `json:"round"`  // that is over
	Rounds     int       `json:"rounds"` // in all; 0 if it is not known
	Loss       *float64  `json:"loss,omitempty"`
	Stragglers []string  `json:"stragglers,omitempty"` // of the last round: workers without which it went on
	Late       int       `json:"late"`                 // such cases in all rounds
	Waited     int       `json:"waited"`               // rounds in which stragglers were waited for
	Seconds    float64   `json:"seconds"`              // at work
	Updated    time.Time `json:"updated"`
	Done       bool      `json:"done,omitempty"`
}

// WorkerStatus is what a coordinator knows of a worker.
type WorkerStatus struct {
	Name     string          `json:"name"`
	Alive    bool            `json:"alive"`
	Host     string          `json:"host,omitempty"`
	Process  int             `json:"process"`
	Tasks    []string        `json:"tasks"`
	Capacity int             `json:"capacity"`
	InFlight int             `json:"in_flight"`
	Answers  int64           `json:"answers"`
	Late     int64           `json:"late"`           // calls that were given up, failed or not answered by the deadline
	Refused  int64           `json:"refused"`        // calls that the worker did not take
	Work     float64         `json:"work_seconds"`   // mean of a task
	Silent   float64         `json:"silent_seconds"` // since the last heartbeat
	Info     json.RawMessage `json:"info,omitempty"`
}

// Status is what a coordinator says of itself.
type Status struct {
	Coordinator string         `json:"coordinator"`
	Seconds     float64        `json:"seconds"` // since it began
	Workers     []WorkerStatus `json:"workers"`
	Jobs        []Progress     `json:"jobs"`
	Queued      int            `json:"queued"`
	Sent        int64          `json:"sent_bytes"` // of tensors
	Received    int64          `json:"received_bytes"`
	Refused     int64          `json:"refused"` // messages
}

// Report tells the pool how far a job is, for [Pool.Status].
func (p *Pool) Report(progress Progress) {
	progress.Updated = time.Now()
	p.state.Lock()
	defer p.state.Unlock()
	p.jobs[progress.Job] = progress
}

// Status is how things stand. Workers and jobs are sorted by name.
func (p *Pool) Status() Status {
	p.state.Lock()
	defer p.state.Unlock()
	s := Status{
		Coordinator: p.name, Seconds: time.Since(p.started).Seconds(), Queued: len(p.queue),
		Sent: p.sent.Load(), Received: p.received.Load(), Refused: p.metrics.refusals.Load(),
		Jobs: slices.SortedFunc(maps.Values(p.jobs), func(a, b Progress) int { return cmp.Compare(a.Job, b.Job) }),
	}
	for _, w := range p.workers {
		status := WorkerStatus{
			Name: w.Name, Alive: w.alive, Host: w.Host, Process: w.Process, Tasks: w.Tasks, Capacity: w.Capacity, InFlight: w.inFlight,
			Answers: w.answers, Late: w.late, Refused: w.Refused, Silent: time.Since(w.seen).Seconds(), Info: w.Info,
		}
		if w.answers > 0 {
			status.Work = w.work.Seconds() / float64(w.answers)
		}
		s.Workers = append(s.Workers, status)
	}
	slices.SortFunc(s.Workers, func(a, b WorkerStatus) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// report answers who asks for the status.
func (p *Pool) report(m *nats.Msg) {
	text, err := json.Marshal(p.Status())
	if err == nil {
		err = m.Respond(text)
	}
	if err != nil {
		p.config.Log.Warn("status not sent", "error", err)
	}
}

// Ask collects the status of all coordinators on a server that answer within a
// time, the busiest first.
func Ask(ctx context.Context, conn *link.Conn, within time.Duration) ([]Status, error) {
	inbox := nats.NewInbox()
	sub, err := conn.NATS().SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // it fails if the connection is closed
	if err := conn.NATS().PublishRequest(link.SubjectStatus, inbox, nil); err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, within)
	defer stop()
	var all []Status
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			break // the time is over
		}
		var s Status
		if len(m.Data) == 0 {
			break // no coordinator is there
		}
		if err := json.Unmarshal(m.Data, &s); err != nil {
			return nil, fmt.Errorf("a coordinator's status: %w", err)
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(len(b.Jobs), len(a.Jobs)), cmp.Compare(b.Seconds, a.Seconds))
	})
	return all, nil
}
