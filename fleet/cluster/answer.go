package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/descentml/descent/fleet/cluster/frame"
)

// origin is where the tensors of a call come from.
type origin struct {
	owner, where string
	references   []reference
}

// carryOut gets what the call needs, does it and answers.
func (s *serving) carryOut(ctx context.Context, task Task, work Work, f *frame.Frame, from origin, reply string) {
	used, err := s.gather(ctx, &work, f, from)
	defer func() {
		for _, entry := range used {
			s.shared.leave(entry)
		}
	}()
	if err != nil {
		s.failUnless(ctx, reply, f, err)
		return
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	started := time.Now()
	result, err := do(ctx, task, work)
	took := time.Since(started)
	<-s.slots
	if err != nil {
		s.failUnless(ctx, reply, f, err)
		return
	}
	if ctx.Err() != nil {
		return
	}
	for _, shared := range work.Shared {
		result.Tensor.Data = apartFrom(result.Tensor.Data, shared.Data)
	}
	if err := s.answer(reply, f, result, took); err != nil {
		s.fail(reply, f, err)
		return
	}
	s.done.Add(1)
}

// apartFrom copies a result that lies in the memory of a shared tensor, which
// is used again.
func apartFrom(result, shared []byte) []byte {
	if len(result) == 0 || len(shared) == 0 {
		return result
	}
	at, begin := uintptr(unsafe.Pointer(&result[0])), uintptr(unsafe.Pointer(&shared[0]))
	if at >= begin && at < begin+uintptr(len(shared)) {
		return bytes.Clone(result)
	}
	return result
}

// gather fetches the tensors that the call does not carry.
func (s *serving) gather(ctx context.Context, work *Work, f *frame.Frame, from origin) (used []*cached, err error) {
	way := s.ways.to(ctx, s.endpoint, from.where)
	if f.Detached {
		if work.Tensor, err = s.fetch(ctx, way, from.owner, f.Blob, f.Tensor.Layout); err != nil {
			return nil, err
		}
	}
	for _, r := range from.references {
		if r.layout.Bytes() == 0 {
			work.Shared = append(work.Shared, frame.Tensor{Layout: r.layout})
			continue
		}
		entry, err := s.shared.get(ctx, cacheKey{from.owner, r.number}, func() (frame.Tensor, error) { return s.fetch(ctx, way, from.owner, r.number, r.layout) })
		if err != nil {
			return used, err
		}
		used = append(used, entry)
		work.Shared = append(work.Shared, entry.tensor)
	}
	return used, nil
}

// do carries a task out; a panic is an error of the task.
func do(ctx context.Context, task Task, work Work) (result Result, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("the task broke down: %v", caught)
		}
	}()
	return task(ctx, work)
}

// answer sends a result, its tensor in the message or to be fetched.
func (s *serving) answer(reply string, f *frame.Frame, result Result, took time.Duration) error {
	if len(result.Arguments) > MaxArguments {
		return fmt.Errorf("a result with %d bytes of arguments: expected at most %d", len(result.Arguments), MaxArguments)
	}
	out := frame.Frame{
		Kind: frame.Reply, Job: f.Job, Task: f.Task, Round: f.Round, Part: f.Part, Attempt: f.Attempt,
		Arguments: append(binary.LittleEndian.AppendUint64(nil, uint64(took)), result.Arguments...),
	}
	if err := s.load(&out, result.Tensor); err != nil {
		return err
	}
	message, err := frame.Append(nil, &out)
	if err != nil {
		return err
	}
	return s.conn.NATS().PublishRequest(reply, s.endpoint.name, message)
}

// load puts a tensor into a frame, or beside it if it is large.
func (e *endpoint) load(f *frame.Frame, t frame.Tensor) error {
	f.Tensor = t
	if len(t.Data) <= e.inline {
		e.sent.Add(int64(len(t.Data)))
		return nil
	}
	if t.Bytes() != len(t.Data) {
		return fmt.Errorf("%d bytes for a tensor %s", len(t.Data), t.Layout)
	}
	f.Detached, f.Tensor = true, frame.Tensor{Layout: t.Layout}
	f.Blob = e.keep(t.Data, false, nil)
	return nil
}

// failUnless reports an error unless it is that nobody waits any more.
func (s *serving) failUnless(ctx context.Context, reply string, f *frame.Frame, err error) {
	if ctx.Err() == nil {
		s.fail(reply, f, err)
	}
}

// fail answers that a call cannot be carried out.
func (s *serving) fail(reply string, f *frame.Frame, reason error) {
	text := reason.Error()
	message, err := frame.Append(nil, &frame.Frame{
		Kind: frame.Failure, Job: f.Job, Task: f.Task, Round: f.Round, Part: f.Part, Attempt: f.Attempt, Arguments: []byte(text[:min(len(text), 1000)]),
	})
	if err == nil {
		err = s.conn.NATS().PublishRequest(reply, s.endpoint.name, message)
	}
	s.Log.Warn("task failed", "worker", s.Name, "task", f.Task, "job", f.Job, "round", f.Round, "part", f.Part, "error", errors.Join(reason, err))
}
