// Package observe looks at running fleets: which workers are alive, how far the
// jobs are, and whom the last round went on without. It sends no work.
package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/descentml/descent/fleet/cluster"
	"github.com/descentml/descent/fleet/cluster/link"
)

// ErrNone says that no fleet is up.
var ErrNone = errors.New("no fleet is up")

// Fleet is what is known of the fleet on one server.
type Fleet struct {
	Server  string                 `json:"server"` // its URL
	Workers []cluster.WorkerStatus `json:"workers"`
	Jobs    []cluster.Progress     `json:"jobs"`
	Queued  int                    `json:"queued"` // calls that wait for a worker
}

// Alive is how many workers are alive.
func (f Fleet) Alive() int {
	alive := 0
	for _, w := range f.Workers {
		if w.Alive {
			alive++
		}
	}
	return alive
}

// Straggler reports whether a job that is not done went on without a worker in
// its last round.
func (f Fleet) Straggler(worker string) bool {
	return slices.ContainsFunc(f.Jobs, func(job cluster.Progress) bool { return !job.Done && slices.Contains(job.Stragglers, worker) })
}

// Observer looks at fleets. Its methods may be called from many goroutines.
type Observer struct {
	find  func() []link.Address
	mutex sync.Mutex
	known map[string]*server // by URL
	asked time.Time          // when the fleets were asked last
	heard []Fleet            // what they said
	err   error
}

// server is a connection with a pool that hears the workers and calls none.
type server struct {
	conn *link.Conn
	pool *cluster.Pool
}

// New makes an observer of the servers that find finds, which is asked every
// time. It connects when it is asked first.
func New(find func() []link.Address) *Observer {
	return &Observer{find: find, known: map[string]*server{}}
}

// Times to wait for those who answer: heartbeats come twice a second.
const (
	answers    = 300 * time.Millisecond
	heartbeats = 700 * time.Millisecond

	patience = 3 * time.Second // for all fleets together
	fresh    = time.Second     // how long an answer serves all who ask
)

// Fleets returns what is known of all fleets, or ErrNone. Fleets are asked at
// most once a second, however many look at them. The slice is shared, and not
// to be changed.
func (o *Observer) Fleets(ctx context.Context) ([]Fleet, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if time.Since(o.asked) < fresh {
		return o.heard, o.err
	}
	// Should the one who asks go away, others wait for the same answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	o.heard, o.err = o.ask(ctx)
	o.asked = time.Now()
	return o.heard, o.err
}

func (o *Observer) ask(ctx context.Context) ([]Fleet, error) {
	found := o.find()
	o.forget(found)
	var fleets []Fleet
	var failures error
	for _, address := range found {
		f, err := o.look(ctx, address)
		if err != nil {
			failures = errors.Join(failures, fmt.Errorf("%s: %w", address.URL, err))
			continue
		}
		fleets = append(fleets, f)
	}
	if len(found) == 0 {
		return nil, ErrNone
	}
	return fleets, failures
}

// Close ends all connections.
func (o *Observer) Close() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.forget(nil)
}

// forget leaves the servers that are not found any more.
func (o *Observer) forget(found []link.Address) {
	for url, s := range o.known {
		if !slices.ContainsFunc(found, func(a link.Address) bool { return a.URL == url }) {
			s.close()
			delete(o.known, url)
		}
	}
}

func (s *server) close() {
	s.pool.Close()
	s.conn.Close()
}

func (o *Observer) look(ctx context.Context, address link.Address) (Fleet, error) {
	wait := answers
	s, ok := o.known[address.URL]
	if !ok {
		var err error
		if s, err = open(ctx, address); err != nil {
			return Fleet{}, err
		}
		o.known[address.URL] = s
		wait = heartbeats
	}
	all, err := cluster.Ask(ctx, s.conn, wait)
	if err != nil {
		s.close()
		delete(o.known, address.URL)
		return Fleet{}, err
	}
	return merge(s.conn.URL(), s.pool.Status(), all), nil
}

func open(ctx context.Context, address link.Address) (*server, error) {
	quiet := slog.New(slog.DiscardHandler)
	address.Name, address.Log = "workbench", quiet
	conn, err := link.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	pool, err := cluster.NewPool(conn, cluster.PoolConfig{Log: quiet})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &server{conn, pool}, nil
}

// merge puts together what an observer hears and what coordinators say. Those
// without jobs are observers too.
func merge(url string, own cluster.Status, all []cluster.Status) Fleet {
	f := Fleet{Server: url, Workers: own.Workers, Jobs: []cluster.Progress{}}
	for _, coordinator := range all {
		if coordinator.Coordinator == own.Coordinator || len(coordinator.Jobs) == 0 {
			continue
		}
		f.Jobs = append(f.Jobs, coordinator.Jobs...)
		f.Queued += coordinator.Queued
		for _, known := range coordinator.Workers {
			at := slices.IndexFunc(f.Workers, func(w cluster.WorkerStatus) bool { return w.Name == known.Name })
			if at < 0 {
				f.Workers = append(f.Workers, known)
				continue
			}
			w := &f.Workers[at]
			w.InFlight, w.Answers, w.Late = w.InFlight+known.InFlight, w.Answers+known.Answers, w.Late+known.Late
			w.Work = max(w.Work, known.Work)
		}
	}
	return f
}
