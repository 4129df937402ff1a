package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/descentml/descent/fleet/cluster/frame"
)

// ID says which piece of work a call or an answer is about.
type ID struct {
	Job   string `json:"job"` // letters, digits, dots, dashes and underscores, at most 64
	Round uint64 `json:"round"`
	Part  uint32 `json:"part"` // of the round: the worker's or the client's number
	// Attempt tells one sending of a call from all others. The pool sets it.
	Attempt uint32 `json:"attempt"`
}

// String is job/round/part#attempt.
func (id ID) String() string {
	return fmt.Sprintf("%s/%d/%d#%d", id.Job, id.Round, id.Part, id.Attempt)
}

// key is an ID without its attempt.
func (id ID) key() ID { id.Attempt = 0; return id }

// MaxArguments is the most bytes of arguments of a call or an answer.
const MaxArguments = 60 << 10

// Call asks a worker for one task.
type Call struct {
	ID
	Task      string       // a name that the worker knows
	Worker    string       // that has to do it; "" for whichever is free
	Arguments []byte       // what the task makes of it, JSON by custom; at most MaxArguments
	Tensor    frame.Tensor // for this call alone; the zero value is none
	// Shared are tensors that go to several workers or with several calls. A
	// worker gets each once and keeps it for later calls. At most 64.
	Shared []*Shared
	// Expect is the type and shape that the answer must have. The zero value
	// takes any.
	Expect frame.Layout
	// Deadline is the longest time from sending to the answer; 0 is no limit.
	Deadline time.Duration
}

// Work is a call as it comes to a task.
type Work struct {
	ID
	Task      string
	Arguments []byte
	Tensor    frame.Tensor   // the task may change it
	Shared    []frame.Tensor // in the order of the call; not to be changed
}

// Result is what a task gives back.
type Result struct {
	Arguments []byte       // at most MaxArguments
	Tensor    frame.Tensor // the zero value is none
}

// Reply is the answer to a call.
type Reply struct {
	ID
	Worker string // that answered; "" if none did
	Result
	Work  time.Duration // that the worker took for the task itself
	Total time.Duration // from the first sending to the last byte of the answer
	Err   error         // ErrDeadline, ErrLost, ErrClosed, or a *TaskError from the worker
}

// Task is what a worker can do. It returns within a second of the end of its
// context, which ends at the call's deadline and when nobody waits any more.
type Task func(ctx context.Context, work Work) (Result, error)

// Tasks are the tasks of a worker by name.
type Tasks map[string]Task

// What a call can end with besides an answer.
var (
	ErrLost     = errors.New("workers were lost with the call again and again")
	ErrDeadline = errors.New("no answer by the deadline")
	ErrClosed   = errors.New("the pool is closed")
)

// TaskError is what went wrong in a task at a worker.
type TaskError struct {
	Worker, Task, Message string
}

// Error names the worker and the task.
func (e *TaskError) Error() string {
	return fmt.Sprintf("worker %s, task %s: %s", e.Worker, e.Task, e.Message)
}

// reference is a tensor that a call names and does not carry.
type reference struct {
	number uint64
	layout frame.Layout
}

// envelope is what a call's frame has in front of the arguments: the deadline
// in nanoseconds, where the coordinator listens for streams, and the references.
func envelope(deadline time.Duration, where string, references []reference, arguments []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(deadline))
	b = append(b, byte(len(where)))
	b = append(b, where...)
	b = append(b, byte(len(references)))
	for _, r := range references {
		b = binary.LittleEndian.AppendUint64(b, r.number)
		b = append(b, byte(r.layout.DType), byte(len(r.layout.Shape)))
		for _, d := range r.layout.Shape {
			b = binary.LittleEndian.AppendUint64(b, uint64(d))
		}
	}
	return append(b, arguments...)
}

var errEnvelope = errors.New("the call ends within its envelope")

// open takes an envelope apart.
func open(b []byte) (deadline time.Duration, where string, references []reference, arguments []byte, err error) {
	if len(b) < 9 || len(b) < 10+int(b[8]) {
		return 0, "", nil, nil, errEnvelope
	}
	deadline, where = time.Duration(binary.LittleEndian.Uint64(b)), string(b[9:9+int(b[8])])
	b = b[9+int(b[8]):]
	count := int(b[0])
	b = b[1:]
	for range count {
		if len(b) < 10 || b[9] > frame.MaxRank || len(b) < 10+8*int(b[9]) {
			return 0, "", nil, nil, errEnvelope
		}
		r := reference{binary.LittleEndian.Uint64(b), frame.Layout{DType: frame.DType(b[8])}}
		rank := int(b[9])
		b = b[10:]
		for i := range rank {
			d := binary.LittleEndian.Uint64(b[8*i:])
			if d > frame.MaxBytes {
				return 0, "", nil, nil, fmt.Errorf("a shared tensor with a dimension of %d", d)
			}
			r.layout.Shape = append(r.layout.Shape, int(d))
		}
		if r.layout.Bytes() < 0 || deadline < 0 {
			return 0, "", nil, nil, fmt.Errorf("a shared tensor %s and a deadline of %v: expected sizes", r.layout, deadline)
		}
		b = b[8*rank:]
		references = append(references, r)
	}
	return deadline, where, references, b, nil
}
