package tensor_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
)

func TestNewIsZeroAndAligned(t *testing.T) {
	for _, dtype := range []dtypes.DType{dtypes.Bool, dtypes.Int8, dtypes.BFloat16, dtypes.Float32, dtypes.Float64, dtypes.Complex128} {
		for _, size := range []int{1, 3, 100, 100_000} {
			x, err := tensor.New(shapes.Make(dtype, size))
			if err != nil {
				t.Fatal(err)
			}
			if err := x.Check(); err != nil {
				t.Error(err)
			}
			memory := x.Bytes()
			if len(memory) != size*dtype.Size() {
				t.Errorf("%d elements of %s have %d bytes", size, dtype, len(memory))
			}
			if address := uintptr(unsafe.Pointer(&memory[0])); address%tensor.Alignment != 0 {
				t.Errorf("%d elements of %s are at address %x", size, dtype, address)
			}
			if slices.ContainsFunc(memory, func(b byte) bool { return b != 0 }) {
				t.Errorf("%d elements of %s are not all zero", size, dtype)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for _, test := range []struct {
		shape shapes.Shape
		bytes int
		err   string
	}{
		{shapes.Make(dtypes.Float32), 4, ""},
		{shapes.Make(dtypes.Float64, 2, 3), 48, ""},
		{shapes.Make(dtypes.Int4, 3), 2, ""},
		{shapes.Make(dtypes.Uint2, 5), 2, ""},
		{shapes.Make(dtypes.Float32, 7, 0, math.MaxInt), 0, ""},
		{shapes.Make(dtypes.Float32, math.MaxInt, math.MaxInt), 0, "too many elements"},
		{shapes.Make(dtypes.Float64, math.MaxInt/4), 0, "too many elements"},
		{shapes.Make(dtypes.F8E4M3FN, 2), 0, "data type"},
		{shapes.Make(dtypes.DType(99), 2), 0, "data type"},
		{shapes.MakeDynamic(dtypes.Float32, []int{shapes.DynamicDim}, []string{"batch"}), 0, "known size"},
	} {
		bytes, err := tensor.ByteSize(test.shape)
		if test.err == "" && (err != nil || bytes != test.bytes) {
			t.Errorf("%s has %d bytes and error %v, expected %d", test.shape, bytes, err, test.bytes)
		}
		if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s gives error %v, expected one with %q", test.shape, err, test.err)
		}
		if _, newErr := tensor.New(test.shape); (newErr == nil) != (err == nil) {
			t.Errorf("%s: New gives %v but ByteSize %v", test.shape, newErr, err)
		}
	}
}

func TestNewRefusesMoreThanTheMemory(t *testing.T) {
	if _, err := tensor.New(shapes.Make(dtypes.Float32, 1<<30, 1<<20)); err == nil {
		t.Error("4 petabytes were allocated")
	}
}

func TestFromFlatChecksTypeAndLength(t *testing.T) {
	shape := shapes.Make(dtypes.BFloat16, 2)
	if _, err := tensor.FromFlat(shape, make([]bfloat16.BFloat16, 2)); err != nil {
		t.Error(err)
	}
	for _, flat := range []any{nil, make([]bfloat16.BFloat16, 3), make([]uint16, 2), "text"} {
		if _, err := tensor.FromFlat(shape, flat); err == nil {
			t.Errorf("%T was taken for %s", flat, shape)
		}
	}
}

func TestOfIsNilForAnotherType(t *testing.T) {
	x, err := tensor.FromFlat(shapes.Make(dtypes.Int32, 2), []int32{4, 5})
	if err != nil {
		t.Fatal(err)
	}
	if got := tensor.Of[int32](x); !slices.Equal(got, []int32{4, 5}) {
		t.Errorf("got %v", got)
	}
	if got := tensor.Of[float32](x); got != nil {
		t.Errorf("got %v as float32", got)
	}
}

func TestFromBytesViewsTheMemory(t *testing.T) {
	memory := make([]byte, 64)
	offset := int(-uintptr(unsafe.Pointer(&memory[0])) & 7)
	x, err := tensor.FromBytes(shapes.Make(dtypes.Uint32, 2), memory[offset:])
	if err != nil {
		t.Fatal(err)
	}
	tensor.Of[uint32](x)[1] = math.MaxUint32
	if memory[offset+3] != 0 || memory[offset+4] != 255 {
		t.Errorf("memory is %v", memory[offset:offset+8])
	}
	if _, err := tensor.FromBytes(shapes.Make(dtypes.Uint32, 2), memory[offset+1:]); err == nil {
		t.Error("memory that is not aligned was taken")
	}
	if _, err := tensor.FromBytes(shapes.Make(dtypes.Uint32, 2), memory[offset:offset+7]); err == nil {
		t.Error("memory that is too short was taken")
	}
}
