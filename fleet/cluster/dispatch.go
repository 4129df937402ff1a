package cluster

import (
	"slices"
	"strings"
	"time"

	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// giveUp ends a call without a reply.
func (p *Pool) giveUp(q *pending) {
	if q.worker != nil {
		q.worker.late++
	}
	p.metrics.cancelled.Inc()
	p.sendCancel(q)
	p.remove(q)
	p.schedule()
}

// sendCancel tells the worker that nobody waits any more.
func (p *Pool) sendCancel(q *pending) {
	if q.worker == nil {
		return
	}
	id := q.call.ID
	message, err := frame.Append(nil, &frame.Frame{Kind: frame.Cancel, Job: id.Job, Round: id.Round, Part: id.Part, Attempt: id.Attempt})
	if err == nil {
		err = p.conn.NATS().Publish(taskSubject(q.worker.Name, q.instance), message)
	}
	if err != nil {
		p.config.Log.Warn("worker not told that nobody waits", "call", id.String(), "error", err)
	}
}

func taskSubject(name, instance string) string { return link.SubjectTask + "." + name + "." + instance }

// remove forgets a call.
func (p *Pool) remove(q *pending) {
	delete(p.pending, q.call.key())
	q.stop()
	p.drop(q.apart)
	if q.timer != nil {
		q.timer.Stop()
	}
	p.unassign(q)
	if i := slices.Index(p.queue, q); i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
	}
}

// unassign takes a call from its worker.
func (p *Pool) unassign(q *pending) {
	if q.worker != nil {
		// A new process of the worker counts anew.
		if q.worker.Instance == q.instance {
			q.worker.inFlight--
		}
		q.worker = nil
	}
}

// end delivers the last word on a call.
func (p *Pool) end(q *pending, r Reply) {
	r.ID, r.Total = q.call.ID, time.Since(q.begun)
	p.remove(q)
	select {
	case q.to <- r:
	default: // the caller made the channel too small; nothing else shall wait
		go func() {
			select {
			case q.to <- r:
			case <-p.stop:
			}
		}()
	}
}

// expire ends a call whose deadline has passed.
func (p *Pool) expire(q *pending) {
	p.state.Lock()
	defer p.state.Unlock()
	if p.pending[q.call.key()] != q {
		return
	}
	worker := ""
	if q.worker != nil {
		worker = q.worker.Name
		q.worker.late++
	}
	p.config.Log.Warn("no answer by the deadline", "call", q.call.ID.String(), "worker", worker, "deadline", q.call.Deadline)
	p.metrics.expired.Inc()
	p.sendCancel(q)
	p.end(q, Reply{Worker: worker, Err: ErrDeadline})
	p.schedule()
}

// schedule sends what can be sent: to each worker no more than it may have.
func (p *Pool) schedule() {
	rest := p.queue[:0]
	for i, q := range p.queue {
		m := p.choose(q)
		if m == nil {
			rest = append(rest, q)
			continue
		}
		if err := p.send(q, m); err != nil {
			// The connection is down: it is tried again with the next heartbeat.
			p.config.Log.Warn("call not sent", "call", q.call.ID.String(), "worker", m.Name, "error", err)
			rest = append(rest, p.queue[i:]...)
			break
		}
	}
	clear(p.queue[len(rest):])
	p.queue = rest
}

// choose is the worker for a call: the one that it names, else the one with the
// most room; nil if there is no room.
func (p *Pool) choose(q *pending) *member {
	if q.call.Worker != "" {
		if m := p.workers[q.call.Worker]; m != nil && p.room(m) > 0 {
			return m
		}
		return nil
	}
	var best *member
	for _, m := range p.workers {
		if room := p.room(m); room > 0 && slices.Contains(m.Tasks, q.call.Task) &&
			(best == nil || room > p.room(best) || room == p.room(best) && strings.Compare(m.Name, best.Name) < 0) {
			best = m
		}
	}
	return best
}

// room is how many more calls a worker may have.
func (p *Pool) room(m *member) int {
	if !m.alive {
		return 0
	}
	limit := p.config.InFlight
	if limit == 0 {
		limit = m.Capacity + 1
	}
	return limit - m.inFlight
}

// send sends a call to a worker, as a new attempt.
func (p *Pool) send(q *pending, m *member) error {
	p.attempt++
	q.call.Attempt = p.attempt
	deadline := q.call.Deadline
	if deadline > 0 {
		deadline = max(deadline-time.Since(q.begun), time.Millisecond)
	}
	references := make([]reference, len(q.call.Shared))
	for i, s := range q.call.Shared {
		references[i] = s.reference
	}
	c := &q.call
	f := frame.Frame{
		Kind: frame.Call, Job: c.Job, Task: c.Task, Round: c.Round, Part: c.Part, Attempt: c.Attempt,
		Arguments: envelope(deadline, p.where(), references, c.Arguments),
	}
	if f.Tensor = c.Tensor; q.apart != 0 {
		f.Tensor.Data, f.Detached, f.Blob = nil, true, q.apart
	}
	message, err := frame.Append(nil, &f)
	if err == nil {
		err = p.conn.NATS().PublishRequest(taskSubject(m.Name, m.Instance), link.SubjectReply+"."+p.name, message)
	}
	if err != nil {
		return err
	}
	q.sent, q.worker, q.instance, q.missing = time.Now(), m, m.Instance, 0
	q.sendings++
	p.endpoint.sent.Add(int64(len(f.Tensor.Data)))
	m.inFlight++
	p.metrics.sent.Inc()
	return nil
}

// where is what calls say of the streams.
func (p *Pool) where() string {
	if p.streams == nil {
		return ""
	}
	return p.streams.where
}

// again puts a call back into the queue, in front.
func (p *Pool) again(q *pending, reason string) {
	worker := ""
	if q.worker != nil {
		worker = q.worker.Name
	}
	p.unassign(q)
	q.stop()
	q.stop, q.fetching = func() {}, false
	p.metrics.lost.Inc()
	p.config.Log.Warn("call is sent again", "call", q.call.ID.String(), "worker", worker, "reason", reason)
	if q.sendings >= p.config.Sendings {
		p.end(q, Reply{Worker: worker, Err: ErrLost})
		return
	}
	p.queue = slices.Insert(p.queue, 0, q)
}
