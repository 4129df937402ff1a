package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// PoolConfig is how a coordinator works with its workers.
type PoolConfig struct {
	// Silence is how long a worker may say nothing before it counts as dead; 0
	// is 3 s. Workers speak twice a second.
	Silence time.Duration
	// InFlight bounds the calls that one worker has at a time; 0 is its capacity
	// and one more, which is fetched while the others are computed.
	InFlight int
	// Sendings is how often a call is sent at most; 0 is 20.
	Sendings int
	// Direct is host:port where workers on other machines can reach this
	// process, for large tensors without the detour through NATS, with TLS. ""
	// offers that on this machine alone, if the server is here too.
	Direct string
	// Detour sends all through NATS.
	Detour bool
	Log    *slog.Logger // nil is slog.Default
}

// Pool is a coordinator: it knows the workers, gives them calls and takes their
// answers. Several jobs may use it side by side.
type Pool struct {
	*endpoint
	config  PoolConfig
	metrics *metrics
	streams *streams // nil: all goes through NATS
	stop    chan struct{}
	started time.Time

	state   sync.Mutex
	workers map[string]*member
	pending map[ID]*pending // by ID without attempt
	queue   []*pending      // not sent yet, in the order of their coming
	attempt uint32
	changed chan struct{} // closed and made anew when a worker comes or goes
	jobs    map[string]Progress
	closed  bool
}

// member is a worker as the pool knows it.
type member struct {
	heartbeat
	seen     time.Time
	alive    bool
	inFlight int
	answers  int64
	late     int64 // calls given up or refused
	work     time.Duration
}

// pending is a call that is awaited.
type pending struct {
	call     Call
	to       chan<- Reply
	begun    time.Time
	sent     time.Time // zero: in the queue
	worker   *member
	instance string
	sendings int
	missing  uint64 // first heartbeat without it
	fetching bool   // the answer is being fetched
	stop     context.CancelFunc
	apart    uint64 // number of the call's own tensor, if it is fetched; else 0
	timer    *time.Timer
}

// NewPool makes a coordinator on a connection and calls for workers.
func NewPool(conn *link.Conn, c PoolConfig) (*Pool, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Silence == 0 {
		c.Silence = 3 * time.Second
	}
	if c.Sendings == 0 {
		c.Sendings = 20
	}
	e, err := newEndpoint(conn, nonce())
	if err != nil {
		return nil, err
	}
	p := &Pool{
		endpoint: e, config: c, stop: make(chan struct{}), started: time.Now(), workers: map[string]*member{}, pending: map[ID]*pending{},
		attempt: rand.Uint32() >> 1, // so that answers to a coordinator before this one are told from ours
		changed: make(chan struct{}), jobs: map[string]Progress{},
	}
	p.metrics = newMetrics(p)
	if !c.Detour && (c.Direct != "" || conn.Here()) {
		if p.streams, err = listenStreams(e, c.Direct); err != nil {
			e.close()
			return nil, err
		}
	}
	err = p.listen(link.SubjectHeartbeat+".>", p.heard)
	if err == nil {
		err = p.listen(link.SubjectReply+"."+e.name, p.take)
	}
	if err == nil {
		err = p.listen(link.SubjectStatus, p.report)
	}
	if err == nil {
		err = conn.NATS().Publish(link.SubjectHello, nil)
	}
	if err != nil {
		e.close()
		p.streams.close()
		return nil, err
	}
	go p.watch()
	return p, nil
}

// Close gives up all calls, which end with ErrClosed. The connection stays.
func (p *Pool) Close() {
	p.state.Lock()
	if p.closed {
		p.state.Unlock()
		return
	}
	p.closed = true
	var all []*pending
	for _, q := range p.pending {
		all = append(all, q)
	}
	for _, q := range all {
		p.sendCancel(q)
		p.end(q, Reply{Err: ErrClosed})
	}
	p.state.Unlock()
	close(p.stop)
	p.endpoint.close()
	p.streams.close()
}

// Shared is a tensor that workers fetch and keep.
type Shared struct {
	reference
	pool *Pool
}

// Share gives out a tensor, which must not change until Release.
func (p *Pool) Share(t frame.Tensor) (*Shared, error) {
	if t.Bytes() != len(t.Data) {
		return nil, fmt.Errorf("%d bytes for a tensor %s: expected %d", len(t.Data), t.Layout, t.Bytes())
	}
	return &Shared{reference{p.keep(t.Data, true, nil), t.Layout}, p}, nil
}

// Release ends the giving out. Calls that name the tensor have to be over.
func (s *Shared) Release() {
	s.pool.drop(s.number)
	message, err := frame.Append(nil, &frame.Frame{Kind: frame.Cancel, Job: s.pool.name, Blob: s.number})
	if err == nil {
		err = s.pool.conn.NATS().Publish(link.SubjectDrop, message)
	}
	if err != nil {
		s.pool.config.Log.Warn("workers not told to drop a tensor", "error", err)
	}
}

// Recycle gives the memory of a reply's tensor back, which must not be used any
// more, for replies to come. It is optional.
func (p *Pool) Recycle(t frame.Tensor) { p.recycle(t.Data) }

// Start begins a call. Its reply is sent to the channel, which must have room
// for all replies that may come at a time. A call with the job, round and part
// of another that is awaited is an error.
func (p *Pool) Start(call Call, to chan<- Reply) error {
	if len(call.Arguments) > MaxArguments || len(call.Shared) > 64 {
		return fmt.Errorf("call %s has %d bytes of arguments and %d shared tensors: expected at most %d and 64", call.ID, len(call.Arguments), len(call.Shared), MaxArguments)
	}
	if call.Worker != "" && !token(call.Worker) {
		return fmt.Errorf("call %s is for worker %q: expected letters, digits, dashes and underscores", call.ID, call.Worker)
	}
	q := &pending{call: call, to: to, begun: time.Now(), stop: func() {}}
	if call.Tensor.Bytes() != len(call.Tensor.Data) {
		return fmt.Errorf("call %s has %d bytes for a tensor %s", call.ID, len(call.Tensor.Data), call.Tensor.Layout)
	}
	if len(call.Tensor.Data) > p.inline {
		q.apart = p.keep(call.Tensor.Data, true, nil)
	}
	if err := p.enter(q); err != nil {
		p.drop(q.apart)
		return err
	}
	return nil
}

// enter puts a call into the queue.
func (p *Pool) enter(q *pending) error {
	p.state.Lock()
	defer p.state.Unlock()
	if p.closed {
		return ErrClosed
	}
	call := &q.call
	key := call.key()
	if p.pending[key] != nil {
		return fmt.Errorf("call %s is under way already", call.ID)
	}
	if call.Deadline > 0 {
		q.timer = time.AfterFunc(call.Deadline, func() { p.expire(q) })
	}
	p.pending[key] = q
	p.queue = append(p.queue, q)
	p.schedule()
	return nil
}

// Do carries out one call and waits for its reply, whose error it returns.
func (p *Pool) Do(ctx context.Context, call Call) (Reply, error) {
	to := make(chan Reply, 1)
	if err := p.Start(call, to); err != nil {
		return Reply{}, err
	}
	select {
	case r := <-to:
		return r, r.Err
	case <-ctx.Done():
		p.Cancel(call.ID)
		return Reply{}, ctx.Err()
	}
}

// Cancel gives up a call: no reply to it is taken any more, and the worker is
// told. A reply that is in the channel already stays there.
func (p *Pool) Cancel(id ID) {
	p.state.Lock()
	defer p.state.Unlock()
	if q := p.pending[id.key()]; q != nil {
		p.giveUp(q)
	}
}

// CancelRound gives up all calls of a job's round and returns their parts in
// ascending order.
func (p *Pool) CancelRound(job string, round uint64) []uint32 {
	p.state.Lock()
	defer p.state.Unlock()
	var parts []uint32
	for key, q := range p.pending {
		if key.Job == job && key.Round == round {
			parts = append(parts, key.Part)
			p.giveUp(q)
		}
	}
	slices.Sort(parts)
	return parts
}
