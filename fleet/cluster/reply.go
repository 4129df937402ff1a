package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/descentml/descent/fleet/cluster/frame"
)

// refuse logs and counts a message that is not taken.
func (p *Pool) refuse(reason string, id ID, worker string, err error) {
	p.metrics.refusals.Add(1)
	p.metrics.refused.WithLabelValues(reason).Inc()
	p.config.Log.Warn("message refused", "reason", reason, "call", id.String(), "worker", worker, "error", err)
}

// noResponders is the status by which a server says that nobody listens.
const noResponders = "503"

// unheard is told that nobody listens to what was sent to a worker: it is gone,
// before its silence shows it.
func (p *Pool) unheard(subject string) {
	p.state.Lock()
	defer p.state.Unlock()
	for _, w := range p.workers {
		if w.alive && taskSubject(w.Name, w.Instance) == subject {
			p.bury(w, "nobody listens to it")
			p.setAlive(w, false)
		}
	}
	p.schedule()
}

// take is told of an answer. Only one to a call that is awaited, in this
// attempt and from the worker that has it, gets further.
func (p *Pool) take(m *nats.Msg) {
	if len(m.Data) == 0 && m.Header.Get("Status") == noResponders {
		p.unheard(m.Header.Get("Nats-Subject"))
		return
	}
	f, err := frame.Decode(m.Data)
	if err != nil {
		var bad *frame.Error
		errors.As(err, &bad)
		p.refuse(bad.Reason, ID{}, "", err)
		return
	}
	id := ID{f.Job, f.Round, f.Part, f.Attempt}
	p.state.Lock()
	defer p.state.Unlock()
	q := p.pending[id.key()]
	switch {
	case f.Kind != frame.Reply && f.Kind != frame.Failure:
		p.refuse("kind", id, "", nil)
		return
	case q == nil || q.worker == nil || q.call.ID != id || q.fetching:
		p.refuse("late or replayed", id, "", nil)
		return
	case m.Reply != q.instance || f.Task != q.call.Task:
		p.refuse("not from the worker that was asked", id, q.worker.Name, nil)
		return
	}
	if f.Kind == frame.Failure {
		q.worker.late++
		worker := q.worker.Name
		p.end(q, Reply{Worker: worker, Err: &TaskError{worker, f.Task, string(f.Arguments)}})
		p.schedule()
		return
	}
	if expect := q.call.Expect; expect.DType != frame.None && !expect.Equal(f.Tensor.Layout) {
		reason := "shape"
		if expect.DType != f.Tensor.DType {
			reason = "dtype"
		}
		p.malformed(q, reason)
		return
	}
	if len(f.Arguments) < 8 {
		p.malformed(q, "size")
		return
	}
	r := Reply{Work: time.Duration(binary.LittleEndian.Uint64(f.Arguments)), Result: Result{Arguments: f.Arguments[8:], Tensor: f.Tensor}}
	if !f.Detached {
		p.received.Add(int64(len(f.Tensor.Data)))
		p.accept(q, r)
		return
	}
	q.fetching = true
	ctx, stop := context.WithCancel(context.Background())
	q.stop = stop
	go p.fetchReply(ctx, q, id, f, r)
}

// malformed refuses an answer that its worker meant so, and asks again.
func (p *Pool) malformed(q *pending, reason string) {
	p.refuse(reason, q.call.ID, q.worker.Name, nil)
	p.again(q, "its answer has the wrong "+reason)
	p.schedule()
}

// fetchReply gets the tensor of an answer.
func (p *Pool) fetchReply(ctx context.Context, q *pending, id ID, f frame.Frame, r Reply) {
	tensor, err := p.fetch(ctx, p.streams.peer(q.instance), q.instance, f.Blob, f.Tensor.Layout)
	p.state.Lock()
	defer p.state.Unlock()
	if p.pending[id.key()] != q || q.call.ID != id {
		return // given up meanwhile
	}
	if err != nil {
		p.config.Log.Warn("answer not fetched", "call", id.String(), "error", err)
		p.again(q, "its answer could not be fetched")
		p.schedule()
		return
	}
	r.Tensor = tensor
	p.accept(q, r)
}

func (p *Pool) accept(q *pending, r Reply) {
	r.Worker = q.worker.Name
	q.worker.answers++
	q.worker.work += r.Work
	p.metrics.answers.Inc()
	p.metrics.seconds.Observe(time.Since(q.begun).Seconds())
	p.end(q, r)
	p.schedule()
}
