package backend

import (
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/tensor"
)

// Buffer is a tensor in the machine's memory. Its slice is shared with the
// caller by Data.
type Buffer struct {
	backend *Backend
	mu      sync.Mutex
	data    tensor.Tensor // Flat is nil once the buffer is finalized or donated
}

var _ compute.Buffer = (*Buffer)(nil)

// BufferFromFlatData copies flat into a new buffer.
func (b *Backend) BufferFromFlatData(device compute.DeviceNum, flat any, shape shapes.Shape) (compute.Buffer, error) {
	if err := b.check(device); err != nil {
		return nil, err
	}
	data, err := b.memory.get(shape)
	if err != nil {
		return nil, err
	}
	if err := copyFrom(data, flat); err != nil {
		return nil, err
	}
	return &Buffer{backend: b, data: data}, nil
}

// HasSharedBuffers returns true.
func (b *Backend) HasSharedBuffers() bool { return true }

// NewSharedBuffer returns a buffer of zeros and the slice that it shares.
func (b *Backend) NewSharedBuffer(device compute.DeviceNum, shape shapes.Shape) (compute.Buffer, any, error) {
	if err := b.check(device); err != nil {
		return nil, nil, err
	}
	data, err := b.memory.get(shape)
	if err != nil {
		return nil, nil, err
	}
	clear(data.Bytes())
	return &Buffer{backend: b, data: data}, data.Flat, nil
}

// Backend returns the backend that made the buffer.
func (u *Buffer) Backend() compute.Backend { return u.backend }

// Finalize gives the memory back. Finalizing a donated or finalized buffer does
// nothing.
func (u *Buffer) Finalize() error {
	if data, ok := u.take(); ok && !u.backend.finalized.Load() {
		u.backend.memory.put(data)
	}
	return nil
}

// Shape returns the shape.
func (u *Buffer) Shape() (shapes.Shape, error) {
	data, err := u.tensor()
	return data.Shape, err
}

// DeviceNum returns 0.
func (u *Buffer) DeviceNum() (compute.DeviceNum, error) { return 0, nil }

// ToFlatData copies the elements to flat, a slice of the shape's Go type and
// size.
func (u *Buffer) ToFlatData(flat any) error {
	data, err := u.tensor()
	if err != nil {
		return err
	}
	memory, err := flatBytes(data.Shape, flat)
	if err != nil {
		return err
	}
	copy(memory, data.Bytes())
	return nil
}

// Data returns the slice of elements that the buffer holds.
func (u *Buffer) Data() (any, error) {
	data, err := u.tensor()
	return data.Flat, err
}

// CopyToDevice fails, since there is only one device.
func (u *Buffer) CopyToDevice(device compute.DeviceNum) (compute.Buffer, error) {
	return nil, fmt.Errorf("backend %s cannot copy to device %d, it has only one: %w", Name, device, compute.ErrNotImplemented)
}

// tensor returns the elements, or an error if they are gone.
func (u *Buffer) tensor() (tensor.Tensor, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.data.Flat == nil {
		return tensor.Tensor{}, fmt.Errorf("buffer of backend %s was finalized or donated", Name)
	}
	return u.data, nil
}

// take removes the elements from the buffer, which is invalid from then on.
func (u *Buffer) take() (tensor.Tensor, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	data := u.data
	u.data = tensor.Tensor{}
	return data, data.Flat != nil
}

// copyFrom sets the elements of data to those of flat.
func copyFrom(data tensor.Tensor, flat any) error {
	memory, err := flatBytes(data.Shape, flat)
	if err != nil {
		return err
	}
	copy(data.Bytes(), memory)
	return nil
}

// flatBytes returns the memory of flat, which must be a slice for shape. A
// slice of int is accepted for the integers of its size.
func flatBytes(shape shapes.Shape, flat any) ([]byte, error) {
	size, err := tensor.ByteSize(shape)
	if err != nil {
		return nil, err
	}
	got := reflect.TypeOf(flat)
	want := []reflect.Type{reflect.SliceOf(shape.DType.GoType())}
	if shape.DType.IsPacked() {
		want[0] = reflect.TypeFor[[]byte]()
	} else if shape.DType == dtypes.FromGoType(reflect.TypeFor[int]()) {
		want = append(want, reflect.TypeFor[[]int]())
	}
	if !slices.Contains(want, got) {
		return nil, fmt.Errorf("elements for shape %s are %T, expected %s", shape, flat, want[0])
	}
	memory := dtypes.UnsafeByteSliceFromAny(flat)
	if len(memory) != size {
		return nil, fmt.Errorf("elements for shape %s take %d bytes, expected %d", shape, len(memory), size)
	}
	return memory, nil
}

// memoryPool keeps the memory of finalized buffers for new ones of the same
// data type and size. What is not reused is left to the garbage collector. Its
// zero value is empty.
type memoryPool struct {
	mu      sync.RWMutex
	classes map[memoryClass]*sync.Pool
}

type memoryClass struct {
	dtype dtypes.DType
	size  int // in elements
}

// get returns a tensor of the shape with any contents.
func (p *memoryPool) get(shape shapes.Shape) (tensor.Tensor, error) {
	if _, err := tensor.ByteSize(shape); err != nil {
		return tensor.Tensor{}, err
	}
	if flat := p.class(shape).Get(); flat != nil {
		return tensor.Tensor{Shape: shape, Flat: flat}, nil
	}
	return tensor.New(shape)
}

// put takes the memory of a tensor that nobody uses any more.
func (p *memoryPool) put(t tensor.Tensor) { p.class(t.Shape).Put(t.Flat) }

func (p *memoryPool) class(shape shapes.Shape) *sync.Pool {
	key := memoryClass{dtype: shape.DType, size: shape.Size()}
	p.mu.RLock()
	pool := p.classes[key]
	p.mu.RUnlock()
	if pool != nil {
		return pool
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.classes == nil {
		p.classes = make(map[memoryClass]*sync.Pool)
	}
	if p.classes[key] == nil {
		p.classes[key] = new(sync.Pool)
	}
	return p.classes[key]
}

func (p *memoryPool) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.classes)
}
