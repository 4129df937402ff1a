// Package frame is how messages of a fleet look on the wire: a header that says
// what they are about, at most one tensor, and a checksum over all of it.
//
// All integers are little endian. The parts, in order:
//
//	 0  4  magic "DSCF"
//	 4  1  version, 1
//	 5  1  kind
//	 6  1  type of the tensor's numbers
//	 7  1  rank of the tensor, at most 4
//	 8  8  round
//	16  4  part
//	20  4  attempt
//	24  8  size of the tensor in bytes
//	32  1  1 if the tensor comes apart from the frame, in chunks; else 0
//	33  1  length of the job's name
//	34  1  length of the task's name
//	35  1  0
//	36  4  length of the arguments
//	40  8  number of the tensor at its sender, 0 for none
//	48  4  CRC-32C of the frame without these four bytes
//	52  4  0
//	56     dimensions, 8 bytes each; job; task; arguments; zeros up to a
//	       multiple of 8; the tensor
//
// A decoder takes nothing that an encoder would not have written.
package frame

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Limits of a frame.
const (
	MaxRank      = 4
	MaxName      = 64      // bytes of a job's or task's name
	MaxArguments = 1 << 16 // bytes
	MaxBytes     = 1 << 30 // of a tensor

	// Overhead is the most that a frame has besides its tensor and arguments.
	Overhead = headerSize + 8*MaxRank + 2*MaxName + 7

	version    = 1
	headerSize = 56
	checksumAt = 48
)

// Kind is what a frame is.
type Kind uint8

// The kinds.
const (
	Call      Kind = 1 + iota // of a task
	Reply                     // to a call
	Failure                   // of a call; the arguments are the reason
	Cancel                    // of a call: nobody waits any more
	Heartbeat                 // of a worker
	Request                   // of a chunk; Part is its index, Blob the tensor
	Chunk                     // of a tensor; Part and Blob as in the request
	Record                    // of a journal
	lastKind  = Record
)

// Frame is one message.
type Frame struct {
	Kind          Kind
	Job, Task     string
	Round         uint64
	Part, Attempt uint32
	Blob          uint64
	Arguments     []byte
	// Tensor has a layout and no data if it is Detached.
	Tensor   Tensor
	Detached bool
}

// Error is why bytes are no frame.
type Error struct {
	Reason string // "size", "magic", "version", "kind", "checksum", "dtype", "shape" or "name"
	Detail string
}

func (e *Error) Error() string { return "frame refused for its " + e.Reason + ": " + e.Detail }

func refuse(reason, format string, args ...any) error {
	return &Error{reason, fmt.Sprintf(format, args...)}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(frame []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, frame[:checksumAt]), castagnoli, frame[checksumAt+4:])
}

// Append writes a frame behind dst, whose length has to be a multiple of 8 for
// the tensor to be aligned in memory.
func Append(dst []byte, f *Frame) ([]byte, error) {
	if err := f.check(); err != nil {
		return dst, err
	}
	start := len(dst)
	var h [headerSize]byte
	copy(h[:], "DSCF")
	h[4], h[5], h[6], h[7] = version, byte(f.Kind), byte(f.Tensor.DType), byte(len(f.Tensor.Shape))
	binary.LittleEndian.PutUint64(h[8:], f.Round)
	binary.LittleEndian.PutUint32(h[16:], f.Part)
	binary.LittleEndian.PutUint32(h[20:], f.Attempt)
	binary.LittleEndian.PutUint64(h[24:], uint64(f.Tensor.Bytes()))
	if f.Detached {
		h[32] = 1
	}
	h[33], h[34] = byte(len(f.Job)), byte(len(f.Task))
	binary.LittleEndian.PutUint32(h[36:], uint32(len(f.Arguments)))
	binary.LittleEndian.PutUint64(h[40:], f.Blob)
	dst = append(dst, h[:]...)
	for _, d := range f.Tensor.Shape {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(d))
	}
	dst = append(dst, f.Job...)
	dst = append(dst, f.Task...)
	dst = append(dst, f.Arguments...)
	dst = append(dst, make([]byte, padding(len(dst)-start))...)
	dst = append(dst, f.Tensor.Data...)
	binary.LittleEndian.PutUint32(dst[start+checksumAt:], checksum(dst[start:]))
	return dst, nil
}

func padding(length int) int { return -length & 7 }

// check says what keeps a frame from being written.
func (f *Frame) check() error {
	size := f.Tensor.Bytes()
	switch {
	case f.Kind < 1 || f.Kind > lastKind:
		return refuse("kind", "%d is none", f.Kind)
	case size < 0:
		return refuse("shape", "a tensor %s cannot travel", f.Tensor.Layout)
	case f.Detached && (len(f.Tensor.Data) > 0 || size == 0):
		return refuse("size", "a tensor that comes apart has a size and no data in the frame")
	case !f.Detached && size != len(f.Tensor.Data):
		return refuse("size", "%d bytes for a tensor %s: expected %d", len(f.Tensor.Data), f.Tensor.Layout, size)
	case len(f.Arguments) > MaxArguments:
		return refuse("size", "%d bytes of arguments: expected at most %d", len(f.Arguments), MaxArguments)
	}
	for _, name := range []string{f.Job, f.Task} {
		if !validName(name) {
			return refuse("name", "%q: expected at most %d letters, digits, dots, dashes and underscores", name, MaxName)
		}
	}
	return nil
}

// validName tells whether a name is letters, digits, dots, dashes and
// underscores, at most MaxName of them.
func validName(name string) bool {
	if len(name) > MaxName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Decode reads a frame. Its arguments and tensor share the memory of data. The
// error is an *Error.
func Decode(data []byte) (Frame, error) {
	var f Frame
	if len(data) < headerSize {
		return f, refuse("size", "%d bytes: expected at least %d", len(data), headerSize)
	}
	if string(data[:4]) != "DSCF" {
		return f, refuse("magic", "it begins with %x", data[:4])
	}
	if data[4] != version {
		return f, refuse("version", "%d: expected %d", data[4], version)
	}
	if want, got := binary.LittleEndian.Uint32(data[checksumAt:]), checksum(data); got != want {
		return f, refuse("checksum", "%08x: expected %08x", got, want)
	}
	if f.Kind = Kind(data[5]); f.Kind < 1 || f.Kind > lastKind {
		return f, refuse("kind", "%d is none", data[5])
	}
	f.Round = binary.LittleEndian.Uint64(data[8:])
	f.Part = binary.LittleEndian.Uint32(data[16:])
	f.Attempt = binary.LittleEndian.Uint32(data[20:])
	f.Blob = binary.LittleEndian.Uint64(data[40:])
	f.Detached = data[32] == 1
	if data[32] > 1 || data[35] != 0 || binary.LittleEndian.Uint32(data[52:]) != 0 {
		return f, refuse("size", "bytes that have to be 0 are not")
	}
	rest, err := f.decodeLayout(data)
	if err != nil {
		return f, err
	}
	return f, f.decodeParts(data, rest)
}

// decodeLayout reads the layout of the tensor; what follows it is returned.
func (f *Frame) decodeLayout(data []byte) ([]byte, error) {
	rank := int(data[7])
	f.Tensor.DType = DType(data[6])
	if f.Tensor.DType > lastDType {
		return nil, refuse("dtype", "%d is none", data[6])
	}
	if rank > MaxRank || f.Tensor.DType == None && rank > 0 {
		return nil, refuse("shape", "rank %d of a tensor of type %s", rank, f.Tensor.DType)
	}
	rest := data[headerSize:]
	if len(rest) < 8*rank {
		return nil, refuse("size", "it ends within the shape")
	}
	if rank > 0 {
		f.Tensor.Shape = make([]int, rank)
	}
	for i := range rank {
		d := binary.LittleEndian.Uint64(rest[8*i:])
		if d > MaxBytes {
			return nil, refuse("shape", "dimension %d", d)
		}
		f.Tensor.Shape[i] = int(d)
	}
	size, announced := f.Tensor.Bytes(), binary.LittleEndian.Uint64(data[24:])
	if size < 0 || uint64(size) != announced {
		return nil, refuse("shape", "a tensor %s in %d bytes", f.Tensor.Layout, announced)
	}
	return rest[8*rank:], nil
}

// decodeParts reads the names, the arguments and the tensor.
func (f *Frame) decodeParts(data, rest []byte) error {
	job, task := int(data[33]), int(data[34])
	arguments := binary.LittleEndian.Uint32(data[36:])
	if arguments > MaxArguments || len(rest) < job+task+int(arguments) {
		return refuse("size", "names of %d and %d and arguments of %d bytes in %d", job, task, arguments, len(rest))
	}
	f.Job, f.Task = string(rest[:job]), string(rest[job:job+task])
	rest = rest[job+task:]
	if arguments > 0 {
		f.Arguments = rest[:arguments:arguments]
	}
	rest = rest[arguments:]
	pad := padding(len(data) - len(rest))
	if len(rest) < pad {
		return refuse("size", "it ends before the tensor")
	}
	for _, zero := range rest[:pad] {
		if zero != 0 {
			return refuse("size", "bytes that have to be 0 are not")
		}
	}
	if rest = rest[pad:]; len(rest) > 0 {
		f.Tensor.Data = rest[:len(rest):len(rest)]
	}
	return f.check()
}
