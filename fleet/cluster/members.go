package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// heard takes a worker's heartbeat.
func (p *Pool) heard(m *nats.Msg) {
	var h heartbeat
	f, err := frame.Decode(m.Data)
	if err == nil && f.Kind == frame.Heartbeat {
		err = json.Unmarshal(f.Arguments, &h)
	}
	if err != nil || !token(h.Name) || !token(h.Instance) || h.Capacity < 1 || m.Subject != link.SubjectHeartbeat+"."+h.Name {
		p.refuse("heartbeat", ID{}, h.Name, err)
		return
	}
	p.state.Lock()
	defer p.state.Unlock()
	w := p.workers[h.Name]
	switch {
	case w == nil:
		w = &member{heartbeat: h}
		p.workers[h.Name] = w
	case w.Instance != h.Instance && h.Started < w.Started:
		p.refuse("older process of a worker", ID{}, h.Name, nil)
		return
	case w.Instance != h.Instance:
		p.bury(w, "the worker was started anew")
		w.inFlight, w.alive = 0, false
	}
	w.heartbeat, w.seen = h, time.Now()
	if h.Leaving {
		p.bury(w, "the worker leaves")
		p.setAlive(w, false)
	} else {
		p.setAlive(w, true)
		p.findMissing(w)
	}
	p.schedule()
}

func (p *Pool) setAlive(w *member, alive bool) {
	if w.alive == alive {
		return
	}
	w.alive = alive
	word := "worker is gone"
	if alive {
		word = "worker is here"
	}
	p.config.Log.Info(word, "worker", w.Name, "process", w.Process, "tasks", w.Tasks)
	close(p.changed)
	p.changed = make(chan struct{})
}

// bury sends the calls of a worker again.
func (p *Pool) bury(w *member, reason string) {
	p.streams.drop(w.Instance)
	for _, q := range p.ofWorker(w) {
		p.again(q, reason)
	}
}

func (p *Pool) ofWorker(w *member) []*pending {
	var list []*pending
	for _, q := range p.pending {
		if q.worker == w {
			list = append(list, q)
		}
	}
	slices.SortFunc(list, func(a, b *pending) int { return b.begun.Compare(a.begun) }) // they go to the front one by one
	return list
}

// findMissing sends calls again that the worker does not know of: a message was
// lost. Three heartbeats in a row must say so, for answers overtake heartbeats
// and the reverse.
func (p *Pool) findMissing(w *member) {
	for _, q := range p.ofWorker(w) {
		switch {
		case q.fetching || slices.Contains(w.Calls, q.call.ID) || time.Since(q.sent) < 2*heartbeatEvery:
			q.missing = 0
		case q.missing == 0:
			q.missing = w.Sequence
		case w.Sequence >= q.missing+2:
			p.again(q, "the worker does not have it")
		}
	}
}

// watch notices workers that are silent.
func (p *Pool) watch() {
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
		}
		p.state.Lock()
		for _, w := range p.workers {
			if w.alive && time.Since(w.seen) > p.config.Silence {
				p.setAlive(w, false)
				p.bury(w, "the worker is silent")
			}
		}
		p.schedule()
		p.state.Unlock()
	}
}

// Workers are the names of the workers that are there, sorted.
func (p *Pool) Workers() []string {
	p.state.Lock()
	defer p.state.Unlock()
	var names []string
	for _, w := range p.workers {
		if w.alive {
			names = append(names, w.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Wait returns when there are at least so many workers.
func (p *Pool) Wait(ctx context.Context, count int) error {
	for {
		p.state.Lock()
		changed := p.changed
		p.state.Unlock()
		alive := p.alive()
		if alive >= count {
			return nil
		}
		select {
		case <-changed:
		case <-p.stop:
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("waiting for workers: %d of %d are there: %w", alive, count, ctx.Err())
		}
	}
}
