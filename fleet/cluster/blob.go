package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/descentml/descent/fleet/cluster/frame"
	"github.com/descentml/descent/fleet/cluster/link"
)

// Tensors above apart stay with their sender. The receiver asks for a batch of
// chunks at a time and has window batches under way: so it gets what it can take,
// and one that comes back after a break asks for what is missing.
//
// A chunk with all that is around it fits the 32 KiB up to which Go keeps memory
// by size and which the buffers of client and server hold: twice the throughput
// of chunks of 512 KiB.
const (
	apart     = 256 << 10
	chunkSize = 32<<10 - 128
	batch     = 16
	window    = 4
	// patience is how long nothing may come before chunks are asked for again.
	patience = 2 * time.Second
	// tries is how often in a row that may be so before a fetch fails.
	tries = 5
	// hold is how long a tensor is kept that nobody asks for any more.
	hold = 2 * time.Minute
)

// release is the index that a request has when the tensor is not needed any
// more.
const release = ^uint32(0)

// nonce is a name that nobody else has.
func nonce() string {
	var b [12]byte
	rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// endpoint gives out tensors and fetches those of other endpoints.
type endpoint struct {
	conn   *link.Conn
	name   string
	inline int // bytes of a tensor up to which it goes with its message
	subs   []*nats.Subscription
	next   atomic.Uint64

	sent, received atomic.Int64 // bytes of tensors

	scratch []byte // of give, which is called by one goroutine

	mutex sync.Mutex
	blobs map[uint64]*blob
	free  [][]byte // memory for tensors to come
}

// blob is a tensor that is given out.
type blob struct {
	data  []byte
	asked time.Time
	kept  bool   // until it is dropped, however long nobody asks
	done  func() // when it is not needed any more

	summed sync.Once
	sum    uint32 // of the data
}

func newEndpoint(conn *link.Conn, name string) (*endpoint, error) {
	e := &endpoint{conn: conn, name: name, blobs: map[uint64]*blob{}}
	limit := int(conn.NATS().MaxPayload()) - frame.Overhead - frame.MaxArguments
	if limit < chunkSize {
		return nil, fmt.Errorf("server %s takes messages of at most %d bytes: expected at least %d (max_payload)", conn.URL(), conn.NATS().MaxPayload(), frame.Overhead+frame.MaxArguments+chunkSize)
	}
	e.inline = min(apart, limit)
	return e, e.listen(link.SubjectBlob+"."+name, e.give)
}

// listen subscribes; close ends it.
func (e *endpoint) listen(subject string, handle nats.MsgHandler) error {
	sub, err := e.conn.NATS().Subscribe(subject, handle)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", subject, err)
	}
	e.subs = append(e.subs, sub)
	return sub.SetPendingLimits(-1, -1) // calls are bounded by their number
}

func (e *endpoint) close() {
	for _, s := range e.subs {
		// It fails if the connection is closed, which ends it too.
		_ = s.Unsubscribe()
	}
}

// keep makes a tensor ready to be given out and returns its number. The data
// must not change until done is called; nil is nobody.
func (e *endpoint) keep(data []byte, forever bool, done func()) uint64 {
	number := e.next.Add(1)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	for old, held := range e.blobs {
		if !held.kept && time.Since(held.asked) > hold {
			e.remove(old)
		}
	}
	e.blobs[number] = &blob{data: data, asked: time.Now(), kept: forever, done: done}
	return number
}

func (e *endpoint) drop(number uint64) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.remove(number)
}

// remove is drop for who holds the mutex.
func (e *endpoint) remove(number uint64) {
	if b := e.blobs[number]; b != nil && b.done != nil {
		go b.done()
	}
	delete(e.blobs, number)
}

// Memory of large tensors is used again: to touch new memory takes longer than
// to copy into old.

// maxFree is how many bytes of memory are kept for tensors to come.
const maxFree = 512 << 20

// allocate returns memory of a size with anything in it.
func (e *endpoint) allocate(size int) []byte {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	for i, b := range e.free {
		if cap(b) >= size && cap(b) <= 2*size {
			last := len(e.free) - 1
			e.free[i] = e.free[last]
			e.free = e.free[:last]
			return b[:size]
		}
	}
	return make([]byte, size)
}

// recycle takes memory back that nobody uses any more.
func (e *endpoint) recycle(b []byte) {
	if cap(b) <= chunkSize {
		return
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	total := cap(b)
	for _, f := range e.free {
		total += cap(f)
	}
	if total <= maxFree {
		e.free = append(e.free, b)
	}
}

// give answers a request for a chunk.
func (e *endpoint) give(m *nats.Msg) {
	f, err := frame.Decode(m.Data)
	if err != nil || f.Kind != frame.Request || m.Reply == "" {
		e.conn.Log().Warn("request for a chunk refused", "error", err, "kind", f.Kind)
		return
	}
	if f.Part == release {
		e.mutex.Lock()
		if b := e.blobs[f.Blob]; b != nil && !b.kept {
			e.remove(f.Blob)
		}
		e.mutex.Unlock()
		return
	}
	for part := f.Part; part < f.Part+min(f.Attempt, batch); part++ {
		if err := e.giveChunk(m.Reply, f.Blob, part); err != nil {
			e.conn.Log().Warn("chunk not sent", "tensor", f.Blob, "chunk", part, "error", err)
			return
		}
	}
}

func (e *endpoint) giveChunk(to string, number uint64, part uint32) error {
	f := frame.Frame{Kind: frame.Chunk, Blob: number, Part: part}
	if data, held := e.part(number, part); held {
		f.Tensor = frame.OfRaw(data)
	} else {
		f.Kind, f.Arguments = frame.Failure, []byte("no such tensor")
	}
	var err error
	if e.scratch, err = frame.Append(e.scratch[:0], &f); err != nil {
		return err
	}
	e.sent.Add(int64(len(f.Tensor.Data)))
	return e.conn.NATS().Publish(to, e.scratch) // which has copied it when it returns
}

// part is the data of a chunk.
func (e *endpoint) part(number uint64, part uint32) ([]byte, bool) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	b := e.blobs[number]
	if b == nil || int(part) >= (len(b.data)+chunkSize-1)/chunkSize {
		return nil, false
	}
	b.asked = time.Now()
	start := int(part) * chunkSize
	return b.data[start:min(start+chunkSize, len(b.data))], true
}

// fetch is a transfer under way.
type fetch struct {
	*endpoint
	owner  string
	number uint64
	inbox  string
	data   []byte
	got    []bool // by chunk
	next   int    // the first chunk that was not asked for
	left   int    // chunks that are not there
}

// fetch gets a tensor of another endpoint: on the way if there is one, and it
// works; else through NATS.
func (e *endpoint) fetch(ctx context.Context, way *stream, owner string, number uint64, layout frame.Layout) (frame.Tensor, error) {
	size := layout.Bytes()
	if size <= 0 || !token(owner) {
		return frame.Tensor{}, fmt.Errorf("tensor %d of %q: there is nothing to fetch", number, owner)
	}
	if way != nil {
		data := e.allocate(size)
		err := way.get(ctx, number, data)
		if err == nil {
			e.received.Add(int64(size))
			return frame.Tensor{Layout: layout, Data: data}, e.release(owner, number)
		}
		e.recycle(data)
		if ctx.Err() != nil {
			return frame.Tensor{}, ctx.Err()
		}
		e.conn.Log().Info("a tensor goes through NATS", "tensor", number, "of", owner, "error", err)
	}
	count := (size + chunkSize - 1) / chunkSize
	f := &fetch{
		endpoint: e, owner: owner, number: number, inbox: link.SubjectChunk + "." + e.name + "." + nonce(),
		data: e.allocate(size), got: make([]bool, count), left: count,
	}
	messages := make(chan *nats.Msg, 2*window*batch)
	sub, err := e.conn.NATS().ChanSubscribe(f.inbox, messages)
	if err != nil {
		return frame.Tensor{}, err
	}
	defer sub.Unsubscribe() //nolint:errcheck // it fails if the connection is closed
	if err := f.run(ctx, messages); err != nil {
		return frame.Tensor{}, fmt.Errorf("fetching tensor %d of %s: %w", number, owner, err)
	}
	e.received.Add(int64(size))
	return frame.Tensor{Layout: layout, Data: f.data}, nil
}

func (f *fetch) run(ctx context.Context, messages <-chan *nats.Msg) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	if err := f.more(); err != nil {
		return err
	}
	for silent := 0; f.left > 0; {
		select {
		case m := <-messages:
			if err := f.take(m); err != nil {
				return err
			}
			silent = 0
			timer.Reset(patience)
		case <-timer.C:
			if silent++; silent == tries {
				return fmt.Errorf("nothing came for %v", tries*patience)
			}
			if err := f.repeat(); err != nil {
				return err
			}
			timer.Reset(patience)
		case <-ctx.Done():
			return ctx.Err()
		case <-f.conn.Closed():
			return f.conn.Gone()
		}
	}
	return f.release(f.owner, f.number)
}

// release says that a tensor is not needed any more.
func (e *endpoint) release(owner string, number uint64) error {
	message, err := frame.Append(nil, &frame.Frame{Kind: frame.Request, Blob: number, Part: release})
	if err != nil {
		return err
	}
	return e.conn.NATS().PublishRequest(link.SubjectBlob+"."+owner, link.SubjectChunk+"."+e.name, message)
}

// more asks for the next batches while fewer than window are under way.
func (f *fetch) more() error {
	for f.next < len(f.got) && f.next-(len(f.got)-f.left) <= (window-1)*batch {
		count := min(batch, len(f.got)-f.next)
		if err := f.request(uint32(f.next), uint32(count)); err != nil {
			return err
		}
		f.next += count
	}
	return nil
}

// repeat asks once more for what was asked for and is not there.
func (f *fetch) repeat() error {
	for part, got := range f.got[:f.next] {
		if got {
			continue
		}
		if err := f.request(uint32(part), 1); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetch) request(first, count uint32) error {
	message, err := frame.Append(nil, &frame.Frame{Kind: frame.Request, Blob: f.number, Part: first, Attempt: count})
	if err != nil {
		return err
	}
	return f.conn.NATS().PublishRequest(link.SubjectBlob+"."+f.owner, f.inbox, message)
}

// take puts a chunk in its place. What is damaged or was not asked for is
// ignored; the chunk is asked for again when it is late.
func (f *fetch) take(m *nats.Msg) error {
	c, err := frame.Decode(m.Data)
	switch {
	case err != nil:
		f.conn.Log().Warn("chunk refused", "tensor", f.number, "error", err)
		return nil
	case c.Kind == frame.Failure && c.Blob == f.number:
		return errors.New("its sender does not have it any more")
	case c.Kind != frame.Chunk || c.Blob != f.number || int(c.Part) >= f.next || f.got[c.Part]:
		return nil
	}
	place := f.data[int(c.Part)*chunkSize : min((int(c.Part)+1)*chunkSize, len(f.data))]
	if len(c.Tensor.Data) != len(place) {
		return fmt.Errorf("chunk %d has %d bytes: expected %d", c.Part, len(c.Tensor.Data), len(place))
	}
	copy(place, c.Tensor.Data)
	f.got[c.Part] = true
	f.left--
	return f.more()
}

// token tells whether a name can stand in a subject.
func token(name string) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return name != "" && len(name) <= frame.MaxName
}
