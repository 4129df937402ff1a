package frame

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// DType is the type of a tensor's numbers.
type DType uint8

// The types. Raw is bytes that are no numbers.
const (
	None DType = iota
	Raw
	Float16
	Float32
	Float64
	Uint64
	lastDType = Uint64
)

// Size is the number of bytes of one number; 0 for None and unknown types.
func (t DType) Size() int {
	switch t {
	case Raw:
		return 1
	case Float16:
		return 2
	case Float32:
		return 4
	case Float64, Uint64:
		return 8
	}
	return 0
}

func (t DType) String() string {
	switch t {
	case None:
		return "none"
	case Raw:
		return "raw"
	case Float16:
		return "float16"
	case Float32:
		return "float32"
	case Float64:
		return "float64"
	case Uint64:
		return "uint64"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// Layout is a type with a shape of at most MaxRank dimensions.
type Layout struct {
	DType DType
	Shape []int
}

// Equal tells whether two layouts are the same.
func (l Layout) Equal(other Layout) bool {
	return l.DType == other.DType && slices.Equal(l.Shape, other.Shape)
}

func (l Layout) String() string { return fmt.Sprintf("%s %v", l.DType, l.Shape) }

// Bytes is the size of a tensor of the layout, -1 if it has none: an unknown
// type, a negative dimension, more than MaxBytes.
func (l Layout) Bytes() int {
	size := l.DType.Size()
	if l.DType == None && len(l.Shape) == 0 {
		return 0
	}
	if size == 0 || len(l.Shape) > MaxRank {
		return -1
	}
	for _, d := range l.Shape {
		if d < 0 || (d > 0 && size > MaxBytes/d) {
			return -1
		}
		size *= d
	}
	return size
}

// Tensor is numbers of one type and shape as they travel: row-major, little
// endian.
type Tensor struct {
	Layout
	Data []byte
}

// IsZero tells whether there is no tensor at all.
func (t Tensor) IsZero() bool { return t.DType == None }

// littleEndian tells whether numbers lie in memory as they travel.
var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

// Of64 is the tensor of float64 numbers. It shares their memory where the
// machine is little endian. Without a shape it is a vector.
func Of64(values []float64, shape ...int) Tensor {
	t := Tensor{Layout: Layout{Float64, shapeOf(len(values), shape)}}
	if littleEndian {
		t.Data = bytesOf(values)
		return t
	}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(v))
	}
	return t
}

// Of32 is Of64 for float32 numbers.
func Of32(values []float32, shape ...int) Tensor {
	t := Tensor{Layout: Layout{Float32, shapeOf(len(values), shape)}}
	if littleEndian {
		t.Data = bytesOf(values)
		return t
	}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
	return t
}

// Of16 is float32 numbers rounded to float16, half the bytes: the nearest
// number with 11 significant bits, infinite beyond 65504.
func Of16(values []float32, shape ...int) Tensor {
	t := Tensor{Layout: Layout{Float16, shapeOf(len(values), shape)}, Data: make([]byte, 0, 2*len(values))}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint16(t.Data, halfOf(v))
	}
	return t
}

// OfUint64 is Of64 for whole numbers.
func OfUint64(values []uint64, shape ...int) Tensor {
	t := Tensor{Layout: Layout{Uint64, shapeOf(len(values), shape)}}
	if littleEndian {
		t.Data = bytesOf(values)
		return t
	}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, v)
	}
	return t
}

// OfRaw is bytes that are no numbers.
func OfRaw(data []byte) Tensor { return Tensor{Layout{Raw, []int{len(data)}}, data} }

func shapeOf(count int, shape []int) []int {
	if len(shape) == 0 {
		return []int{count}
	}
	return slices.Clone(shape)
}

func bytesOf[T float32 | float64 | uint64](values []T) []byte {
	if len(values) == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}

// Float64s are the numbers of a float64 tensor. They share its memory where
// that is aligned and the machine is little endian.
func (t Tensor) Float64s() ([]float64, error) {
	if err := t.check(Float64); err != nil {
		return nil, err
	}
	if view, ok := viewOf[float64](t.Data); ok {
		return view, nil
	}
	values := make([]float64, len(t.Data)/8)
	for i := range values {
		values[i] = math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:]))
	}
	return values, nil
}

// Float32s is Float64s for float32 tensors; float16 tensors are widened.
func (t Tensor) Float32s() ([]float32, error) {
	if t.DType == Float16 {
		if err := t.check(Float16); err != nil {
			return nil, err
		}
		values := make([]float32, len(t.Data)/2)
		for i := range values {
			values[i] = float32OfHalf(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
		return values, nil
	}
	if err := t.check(Float32); err != nil {
		return nil, err
	}
	if view, ok := viewOf[float32](t.Data); ok {
		return view, nil
	}
	values := make([]float32, len(t.Data)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
	}
	return values, nil
}

// Uint64s is Float64s for tensors of whole numbers.
func (t Tensor) Uint64s() ([]uint64, error) {
	if err := t.check(Uint64); err != nil {
		return nil, err
	}
	if view, ok := viewOf[uint64](t.Data); ok {
		return view, nil
	}
	values := make([]uint64, len(t.Data)/8)
	for i := range values {
		values[i] = binary.LittleEndian.Uint64(t.Data[8*i:])
	}
	return values, nil
}

func (t Tensor) check(want DType) error {
	if t.DType != want {
		return fmt.Errorf("tensor is %s: expected %s", t.Layout, want)
	}
	if t.Bytes() != len(t.Data) {
		return fmt.Errorf("tensor %s has %d bytes: expected %d", t.Layout, len(t.Data), t.Bytes())
	}
	return nil
}

func viewOf[T float32 | float64 | uint64](data []byte) ([]T, bool) {
	var zero T
	if len(data) == 0 {
		return []T{}, true
	}
	if !littleEndian || uintptr(unsafe.Pointer(&data[0]))%unsafe.Alignof(zero) != 0 {
		return nil, false
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&data[0])), len(data)/int(unsafe.Sizeof(zero))), true
}
