package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// Worker is a process that carries out tasks.
type Worker struct {
	Name     string // letters, digits, dashes and underscores; one that comes back has the same
	Tasks    Tasks
	Capacity int             // tasks at a time; 0 is 1
	Info     json.RawMessage // what coordinators may want to know, such as the number of examples
	Log      *slog.Logger    // nil is slog.Default
}

const (
	heartbeatEvery = 500 * time.Millisecond
	// backlog is how many calls a worker takes beyond those at work.
	backlog = 64
	// memory is how many calls a worker remembers, not to do one twice.
	memory = 4096
	// sharedBytes is how many bytes of shared tensors a worker keeps.
	sharedBytes = 256 << 20
)

// heartbeat is what a worker says of itself.
type heartbeat struct {
	Name     string          `json:"name"`
	Instance string          `json:"instance"` // new in every process
	Started  int64           `json:"started"`  // Unix time in nanoseconds
	Sequence uint64          `json:"sequence"`
	Host     string          `json:"host,omitempty"`
	Process  int             `json:"process"`
	Tasks    []string        `json:"tasks"`
	Capacity int             `json:"capacity"`
	Calls    []ID            `json:"calls,omitempty"` // that it has and has not answered
	Done     int64           `json:"done"`
	Refused  int64           `json:"refused"`
	Leaving  bool            `json:"leaving,omitempty"`
	Info     json.RawMessage `json:"info,omitempty"`
}

// serving is a worker at work.
type serving struct {
	Worker
	*endpoint
	about  heartbeat
	slots  chan struct{}
	shared *cache
	ways   ways
	group  sync.WaitGroup

	done, refused atomic.Int64

	mutex sync.Mutex
	calls map[ID]context.CancelCauseFunc
	seen  map[ID]bool
	order []ID // of seen, the oldest first
}

// Serve carries out tasks until ctx ends, which is no error, or the connection
// is closed for good. Only tasks of the worker's list are carried out. A call
// that cannot be read, comes twice or names another task is refused, counted
// and logged.
func Serve(ctx context.Context, conn *link.Conn, w Worker) error {
	s, err := newServing(conn, w)
	if err != nil {
		return err
	}
	defer s.close()
	defer s.ways.close()
	ctx, stop := context.WithCancel(ctx)
	defer s.group.Wait()
	defer stop()
	name := w.Name + "." + s.about.Instance
	if err := s.listen(link.SubjectTask+"."+name, func(m *nats.Msg) { s.take(ctx, m) }); err != nil {
		return err
	}
	hello := make(chan struct{}, 1)
	if err := s.listen(link.SubjectDrop, s.forgetShared); err != nil {
		return err
	}
	if err := s.listen(link.SubjectHello, func(*nats.Msg) {
		select {
		case hello <- struct{}{}:
		default:
		}
	}); err != nil {
		return err
	}
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		s.beat(false)
		select {
		case <-ticker.C:
		case <-hello:
		case <-conn.Closed():
			return conn.Gone()
		case <-ctx.Done():
			s.beat(true)
			_ = conn.NATS().FlushTimeout(time.Second) // if nobody hears it, silence says the same
			return nil
		}
	}
}

// forgetShared drops a tensor that its owner does not give out any more.
func (s *serving) forgetShared(m *nats.Msg) {
	if f, err := frame.Decode(m.Data); err == nil && f.Kind == frame.Cancel {
		s.shared.drop(cacheKey{f.Job, f.Blob})
	}
}

func newServing(conn *link.Conn, w Worker) (*serving, error) {
	if w.Log == nil {
		w.Log = slog.Default()
	}
	w.Capacity = max(w.Capacity, 1)
	if !token(w.Name) {
		return nil, fmt.Errorf("worker name %q: expected at most %d letters, digits, dashes and underscores", w.Name, frame.MaxName)
	}
	if len(w.Tasks) == 0 {
		return nil, fmt.Errorf("worker %s has no task: expected at least one", w.Name)
	}
	instance := nonce()
	e, err := newEndpoint(conn, instance)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // for people to read
	return &serving{
		Worker: w, endpoint: e, slots: make(chan struct{}, w.Capacity), shared: newCache(sharedBytes, e.recycle),
		calls: map[ID]context.CancelCauseFunc{}, seen: map[ID]bool{},
		about: heartbeat{
			Name: w.Name, Instance: instance, Started: time.Now().UnixNano(), Host: host, Process: os.Getpid(),
			Tasks: slices.Sorted(maps.Keys(w.Tasks)), Capacity: w.Capacity, Info: w.Info,
		},
	}, nil
}

// beat says that the worker is there, and what it has to do.
func (s *serving) beat(leaving bool) {
	s.mutex.Lock()
	h := s.about
	s.about.Sequence++
	h.Calls = slices.Collect(maps.Keys(s.calls))
	s.mutex.Unlock()
	h.Leaving, h.Done, h.Refused = leaving, s.done.Load(), s.refused.Load()
	text, err := json.Marshal(h)
	if err == nil {
		text, err = frame.Append(nil, &frame.Frame{Kind: frame.Heartbeat, Arguments: text})
	}
	if err == nil {
		err = s.conn.NATS().Publish(link.SubjectHeartbeat+"."+s.Name, text)
	}
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		s.Log.Warn("heartbeat not sent", "worker", s.Name, "error", err)
	}
}

func (s *serving) refuse(reason string, id ID, err error) {
	s.refused.Add(1)
	s.Log.Warn("call refused", "worker", s.Name, "reason", reason, "call", id.String(), "error", err)
}

// take begins with what a message asks for.
func (s *serving) take(ctx context.Context, m *nats.Msg) {
	f, err := frame.Decode(m.Data)
	id := ID{f.Job, f.Round, f.Part, f.Attempt}
	if err != nil {
		var bad *frame.Error
		errors.As(err, &bad)
		s.refuse(bad.Reason, id, err)
		return
	}
	switch f.Kind {
	case frame.Cancel:
		s.cancel(id)
		return
	case frame.Call:
	default:
		s.refuse("kind", id, nil)
		return
	}
	deadline, where, references, arguments, err := open(f.Arguments)
	if err != nil {
		s.refuse("size", id, err)
		return
	}
	owner, ok := ownerOf(m.Reply)
	if !ok {
		s.refuse("no reply", id, nil)
		return
	}
	task := s.Tasks[f.Task]
	if task == nil {
		err := fmt.Errorf("unknown task %q: this worker knows %v", f.Task, s.about.Tasks)
		s.refuse("unknown task", id, err)
		s.fail(m.Reply, &f, err)
		return
	}
	ctx, cancel, ok := s.admit(ctx, id, deadline)
	if !ok {
		return
	}
	work := Work{ID: id, Task: f.Task, Arguments: arguments, Tensor: f.Tensor}
	s.group.Go(func() {
		defer s.forget(id, cancel)
		s.carryOut(ctx, task, work, &f, origin{owner, where, references}, m.Reply)
	})
}

// ownerOf is the endpoint that a reply goes to.
func ownerOf(reply string) (string, bool) {
	prefix := link.SubjectReply + "."
	if len(reply) <= len(prefix) || reply[:len(prefix)] != prefix || !token(reply[len(prefix):]) {
		return "", false
	}
	return reply[len(prefix):], true
}

// admit takes a call in unless it is a copy or there are too many.
func (s *serving) admit(ctx context.Context, id ID, deadline time.Duration) (context.Context, context.CancelCauseFunc, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.seen[id]:
		s.refuse("replayed", id, nil)
		return nil, nil, false
	case len(s.calls) >= s.Capacity+backlog:
		s.refuse("busy", id, nil) // the coordinator notices, and sends it again
		return nil, nil, false
	}
	s.seen[id] = true
	if s.order = append(s.order, id); len(s.order) > memory {
		delete(s.seen, s.order[0])
		s.order = s.order[1:]
	}
	ctx, cancel := context.WithCancelCause(ctx)
	if deadline > 0 {
		timer := time.AfterFunc(deadline, func() { cancel(ErrDeadline) })
		context.AfterFunc(ctx, func() { timer.Stop() })
	}
	s.calls[id] = cancel
	return ctx, cancel, true
}

func (s *serving) forget(id ID, cancel context.CancelCauseFunc) {
	cancel(nil)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.calls, id)
}

var errCancelled = errors.New("nobody waits any more")

func (s *serving) cancel(id ID) {
	s.mutex.Lock()
	cancel := s.calls[id]
	s.mutex.Unlock()
	if cancel != nil {
		cancel(errCancelled)
		s.Log.Info("call given up", "worker", s.Name, "call", id.String())
	}
}
