// Package tensor holds the values on which the backend computes: a shape with
// a contiguous, row-major Go slice of its elements.
//
// A tensor does not own its memory. It may be allocated with [New], or be a
// view of caller's memory made with [FromFlat] or [FromBytes]. The slice has the Go type of
// the data type ([]float32, []int8, []bfloat16.BFloat16, ...). Data types of
// less than a byte (Int4, Uint2, ...) are packed into a []uint8, first value in
// the lowest bits.
package tensor

import (
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/dtypes/gotype"
	"github.com/gomlx/compute/shapes"
)

// Alignment is the alignment in bytes of the memory that New allocates: a cache
// line, and the width of the widest vector register.
const Alignment = 64

// A Tensor is a typed view of contiguous memory in row-major order. Copying a
// Tensor copies the view, not the elements.
type Tensor struct {
	// Shape is the data type and the dimensions. All dimensions are known.
	Shape shapes.Shape
	// Flat is a slice of Shape.DType.GoType() with one element per value
	// (packed types: one byte per group of values).
	Flat any
}

// New allocates a tensor of zeros whose memory is aligned to Alignment bytes.
// It fails if the shape is dynamic, its data type has no Go type, or it needs
// more bytes than the machine has memory.
func New(shape shapes.Shape) (Tensor, error) {
	size, err := ByteSize(shape)
	if err != nil {
		return Tensor{}, err
	}
	if limit := memoryLimit(); uint64(size) > limit {
		return Tensor{}, fmt.Errorf("shape %s needs %d bytes, expected at most the machine's memory of %d bytes", shape, size, limit)
	}
	memory := make([]byte, size+Alignment)
	start := int(-uintptr(unsafe.Pointer(unsafe.SliceData(memory))) & (Alignment - 1))
	return view(shape, memory[start:start+size]), nil
}

// FromFlat returns a tensor that views flat, a slice of the shape's Go type
// with exactly its number of elements.
func FromFlat(shape shapes.Shape, flat any) (Tensor, error) {
	t := Tensor{Shape: shape, Flat: flat}
	return t, t.Check()
}

// FromBytes returns a tensor that views the first bytes of memory, which must
// hold the whole shape and be aligned for its elements.
func FromBytes(shape shapes.Shape, memory []byte) (Tensor, error) {
	size, err := ByteSize(shape)
	if err != nil {
		return Tensor{}, err
	}
	if len(memory) < size {
		return Tensor{}, fmt.Errorf("shape %s needs %d bytes, got %d", shape, size, len(memory))
	}
	width := uintptr(shape.DType.Size())
	if size > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(memory)))%min(width, 8) != 0 {
		return Tensor{}, fmt.Errorf("memory for shape %s must be aligned to %d bytes", shape, min(width, 8))
	}
	return view(shape, memory[:size]), nil
}

// view reinterprets memory, which has the shape's exact size.
func view(shape shapes.Shape, memory []byte) Tensor {
	if len(memory) == 0 {
		return Tensor{Shape: shape, Flat: dtypes.MakeAnySlice(shape.DType, 0)}
	}
	flat := dtypes.UnsafeAnySliceFromBytes(unsafe.Pointer(unsafe.SliceData(memory)), shape.DType, shape.Size())
	return Tensor{Shape: shape, Flat: flat}
}

// Of returns the elements of t as a slice of T, or nil if T is not the Go type
// of t's data type.
func Of[T gotype.Supported](t Tensor) []T {
	flat, _ := t.Flat.([]T)
	return flat
}

// Bytes returns the memory of t.
func (t Tensor) Bytes() []byte {
	return dtypes.UnsafeByteSliceFromAny(t.Flat)
}

// Check returns an error unless Flat has the Go type and length of Shape.
func (t Tensor) Check() error {
	size, err := storageSize(t.Shape)
	if err != nil {
		return err
	}
	length, ok := flatLength(t.Flat, t.Shape.DType)
	if !ok {
		return fmt.Errorf("elements of shape %s must be []%s, got %T", t.Shape, t.Shape.DType.GoType(), t.Flat)
	}
	if length != size {
		return fmt.Errorf("shape %s needs a slice of length %d, got %d", t.Shape, size, length)
	}
	return nil
}

// flatLength returns the length of flat if it is a slice of dtype's Go type.
func flatLength(flat any, dtype dtypes.DType) (length int, ok bool) {
	switch flat := flat.(type) {
	case []float32:
		return len(flat), dtype == dtypes.Float32
	case []float64:
		return len(flat), dtype == dtypes.Float64
	case []int8:
		return len(flat), dtype == dtypes.Int8
	case []int16:
		return len(flat), dtype == dtypes.Int16
	case []int32:
		return len(flat), dtype == dtypes.Int32
	case []int64:
		return len(flat), dtype == dtypes.Int64
	case []uint8:
		return len(flat), dtype == dtypes.Uint8 || dtype.IsPacked()
	case []uint16:
		return len(flat), dtype == dtypes.Uint16
	case []uint32:
		return len(flat), dtype == dtypes.Uint32
	case []uint64:
		return len(flat), dtype == dtypes.Uint64
	case []bool:
		return len(flat), dtype == dtypes.Bool
	case []bfloat16.BFloat16:
		return len(flat), dtype == dtypes.BFloat16
	case []float16.Float16:
		return len(flat), dtype == dtypes.Float16
	case []complex64:
		return len(flat), dtype == dtypes.Complex64
	case []complex128:
		return len(flat), dtype == dtypes.Complex128
	}
	return 0, false
}

// ByteSize returns the number of bytes that the elements of shape occupy. It
// fails if the shape is a tuple or dynamic, its data type has no Go type, or
// the number does not fit an int.
func ByteSize(shape shapes.Shape) (int, error) {
	size, err := storageSize(shape)
	if err != nil {
		return 0, err
	}
	high, low := bits.Mul64(uint64(size), uint64(shape.DType.Size()))
	if high != 0 || low > maxBytes {
		return 0, fmt.Errorf("shape %s has too many elements to be stored", shape)
	}
	return int(low), nil
}

// maxBytes leaves room for alignment.
const maxBytes = uint64(^uint(0)>>1) - Alignment

// storageSize returns the length of the Go slice that stores shape.
func storageSize(shape shapes.Shape) (int, error) {
	if !hasGoType(shape.DType) {
		return 0, fmt.Errorf("data type %s cannot be stored, expected one with a Go type", shape.DType)
	}
	size, empty := uint64(1), false
	overflow := false
	for axis, dimension := range shape.Dimensions {
		if dimension < 0 {
			return 0, fmt.Errorf("shape %s has dimension %d in axis %d, expected a known size", shape, dimension, axis)
		}
		if dimension == 0 {
			empty = true
			continue
		}
		high, low := bits.Mul64(size, uint64(dimension))
		overflow = overflow || high != 0 || low > maxBytes
		size = low
	}
	if empty {
		return 0, nil
	}
	if overflow {
		return 0, fmt.Errorf("shape %s has too many elements to be stored", shape)
	}
	perUnit := uint64(shape.DType.ValuesPerStorageUnit())
	return int((size + perUnit - 1) / perUnit), nil
}

// hasGoType tells whether dtype.GoType() is defined.
func hasGoType(dtype dtypes.DType) bool {
	switch dtype {
	case dtypes.Int1, dtypes.Uint1, dtypes.Int2, dtypes.Uint2, dtypes.Int4, dtypes.Uint4:
		return true
	}
	return dtype >= dtypes.Bool && dtype <= dtypes.Complex128
}
