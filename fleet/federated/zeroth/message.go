package zeroth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	blackbox "github.com/descentml/descent/method/zeroth"
)

// Phase is what a task asks for.
type Phase uint8

// The phases of a round, in their order. Not every strategy has all.
const (
	// Local asks for local steps from the task's point.
	Local Phase = 1 + iota
	// Value asks for the value at a point; for the safeguard and for measuring.
	Value
	// Share asks for what the client shares: weights fitted around the point
	// (FZooS) or a control variate there (SCAFFOLD type I).
	Share
)

// ErrMessage says that a message is not one that was expected: of another
// round, shape or other features, damaged, or with numbers that are not finite.
var ErrMessage = errors.New("not the message that was expected")

// Task is what the server sends to a client.
type Task struct {
	Phase Phase
	Round int       // from 1
	X     []float64 // the point, d numbers
	// Shared is the mean of what clients shared: weights w (M numbers) or a
	// control variate c (d); nil as long as there is none.
	Shared []float64
	// Features are the ones that Shared is meant for; zero if it is no weights.
	Features blackbox.FeatureSpec
}

// Reply is a client's answer.
type Reply struct {
	Phase   Phase
	Round   int
	Client  int
	X       []float64 // Local: where its steps ended
	Value   float64   // of its function at the task's point
	Queries int64     // that the answer took
	// Shared is what the client shares: see Task.
	Shared   []float64
	Features blackbox.FeatureSpec
}

// check finds what is wrong with a task for a plan.
func (t *Task) check(p *Plan) error {
	switch {
	case t.Phase < Local || t.Phase > Share || t.Phase == Share && !p.sharesAtEnd():
		return fmt.Errorf("phase %d for %s: %w", t.Phase, p.Strategy, ErrMessage)
	case t.Round < 1:
		return fmt.Errorf("round %d: expected one from 1 on: %w", t.Round, ErrMessage)
	case len(t.X) != p.Dim || !finite(t.X):
		return fmt.Errorf("a point of %d numbers: expected %d finite ones: %w", len(t.X), p.Dim, ErrMessage)
	}
	return checkShared(t.Shared, t.Features, p)
}

// checkShared finds what is wrong with shared numbers.
func checkShared(shared []float64, f blackbox.FeatureSpec, p *Plan) error {
	switch {
	case len(shared) != 0 && len(shared) != p.sharedLen() || !finite(shared):
		return fmt.Errorf("%d shared numbers: expected %d finite ones: %w", len(shared), p.sharedLen(), ErrMessage)
	case len(shared) != 0 && f != p.spec():
		return fmt.Errorf("weights of features %+v: expected %+v: %w", f, p.spec(), ErrMessage)
	}
	return nil
}

// check finds what is wrong with the reply of a client to a task.
func (r *Reply) check(t *Task, client int, p *Plan) error {
	wants := t.Phase == Share || t.Phase == Local && p.Strategy == Scaffold2
	switch {
	case r.Phase != t.Phase || r.Round != t.Round || r.Client != client:
		return fmt.Errorf("a reply of client %d to phase %d of round %d: expected client %d, phase %d, round %d: %w",
			r.Client, r.Phase, r.Round, client, t.Phase, t.Round, ErrMessage)
	case t.Phase == Local && (len(r.X) != p.Dim || !finite(r.X)):
		return fmt.Errorf("client %d ended at a point of %d numbers: expected %d finite ones: %w", client, len(r.X), p.Dim, ErrMessage)
	case math.IsNaN(r.Value) || math.IsInf(r.Value, 0) || r.Queries < 0:
		return fmt.Errorf("client %d replied the value %g after %d queries: expected a finite number: %w", client, r.Value, r.Queries, ErrMessage)
	case wants != (len(r.Shared) != 0):
		return fmt.Errorf("client %d shared %d numbers in phase %d: %w", client, len(r.Shared), t.Phase, ErrMessage)
	}
	if err := checkShared(r.Shared, r.Features, p); err != nil {
		return fmt.Errorf("client %d: %w", client, err)
	}
	return nil
}

func finite(values []float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// Messages in binary form, all little endian: 'T' or 'R', the phase, the round,
// the client (replies), the features' dimension, count, length scale and seed,
// the value and queries (replies), the lengths of X and Shared, and these.
const (
	taskHeader  = 2 + 4 + 4 + 4 + 8 + 8 + 4 + 4
	replyHeader = taskHeader + 4 + 8 + 8
	maxMessage  = 1 << 30
)

// Bytes is the size of the binary form.
func (t *Task) Bytes() int64 { return taskHeader + 8*int64(len(t.X)+len(t.Shared)) }

// Bytes is the size of the binary form.
func (r *Reply) Bytes() int64 { return replyHeader + 8*int64(len(r.X)+len(r.Shared)) }

// MarshalBinary writes the task; it has no error to return.
func (t *Task) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, t.Bytes())
	b = append(b, 'T', byte(t.Phase))
	b = binary.LittleEndian.AppendUint32(b, uint32(t.Round))
	b = appendFeatures(b, t.Features)
	return appendNumbers(b, t.X, t.Shared), nil
}

// MarshalBinary writes the reply; it has no error to return.
func (r *Reply) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, r.Bytes())
	b = append(b, 'R', byte(r.Phase))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Round))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.Client))
	b = appendFeatures(b, r.Features)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(r.Value))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Queries))
	return appendNumbers(b, r.X, r.Shared), nil
}

func appendFeatures(b []byte, f blackbox.FeatureSpec) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(f.Dim))
	b = binary.LittleEndian.AppendUint32(b, uint32(f.Count))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f.LengthScale))
	return binary.LittleEndian.AppendUint64(b, f.Seed)
}

func appendNumbers(b []byte, lists ...[]float64) []byte {
	for _, list := range lists {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(list)))
	}
	for _, list := range lists {
		for _, v := range list {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}

// UnmarshalBinary reads what MarshalBinary wrote; anything else is ErrMessage.
func (t *Task) UnmarshalBinary(b []byte) error {
	r, err := newReader(b, 'T', taskHeader)
	if err != nil {
		return err
	}
	read := Task{Phase: Phase(r.byte()), Round: int(r.uint32()), Features: r.features()}
	if err := r.numbers(&read.X, &read.Shared); err != nil {
		return err
	}
	*t = read
	return nil
}

// UnmarshalBinary reads what MarshalBinary wrote; anything else is ErrMessage.
func (r *Reply) UnmarshalBinary(b []byte) error {
	in, err := newReader(b, 'R', replyHeader)
	if err != nil {
		return err
	}
	read := Reply{Phase: Phase(in.byte()), Round: int(in.uint32()), Client: int(in.uint32()), Features: in.features()}
	read.Value, read.Queries = in.float64(), int64(in.uint64())
	if err := in.numbers(&read.X, &read.Shared); err != nil {
		return err
	}
	*r = read
	return nil
}

// reader takes numbers off bytes that have been found long enough.
type reader struct{ b []byte }

func newReader(b []byte, kind byte, header int) (*reader, error) {
	if len(b) < header || len(b) > maxMessage || b[0] != kind {
		return nil, fmt.Errorf("a message of %d bytes: expected %q and at least %d: %w", len(b), kind, header, ErrMessage)
	}
	return &reader{b[1:]}, nil
}

func (r *reader) byte() byte {
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uint32() uint32 {
	v := binary.LittleEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *reader) uint64() uint64 {
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *reader) float64() float64 { return math.Float64frombits(r.uint64()) }

func (r *reader) features() blackbox.FeatureSpec {
	return blackbox.FeatureSpec{Dim: int(r.uint32()), Count: int(r.uint32()), LengthScale: r.float64(), Seed: r.uint64()}
}

func (r *reader) numbers(lists ...*[]float64) error {
	lengths, total := make([]uint32, len(lists)), uint64(0)
	for i := range lists {
		lengths[i] = r.uint32()
		total += uint64(lengths[i])
	}
	if uint64(len(r.b)) != 8*total {
		return fmt.Errorf("%d bytes for %d numbers: %w", len(r.b), total, ErrMessage)
	}
	for i, list := range lists {
		if lengths[i] == 0 {
			continue
		}
		*list = make([]float64, lengths[i])
		for j := range *list {
			(*list)[j] = r.float64()
		}
	}
	return nil
}
