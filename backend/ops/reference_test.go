package ops_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"pgregory.net/rapid"
)

// reporter is what *testing.T and *rapid.T have in common.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
}

var (
	integerTypes = []dtypes.DType{
		dtypes.Int8, dtypes.Int16, dtypes.Int32, dtypes.Int64,
		dtypes.Uint8, dtypes.Uint16, dtypes.Uint32, dtypes.Uint64,
	}
	floatTypes   = []dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.Float16, dtypes.BFloat16}
	numberTypes  = slices.Concat(integerTypes, floatTypes)
	movableTypes = append(slices.Clone(numberTypes), dtypes.Bool)
)

// empty returns a new tensor.
func empty(t reporter, dtype dtypes.DType, dimensions ...int) tensor.Tensor {
	t.Helper()
	x, err := tensor.New(shapes.Make(dtype, dimensions...))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return x
}

// filled returns a tensor with the given values, converted.
func filled(t reporter, dtype dtypes.DType, dimensions []int, values ...float64) tensor.Tensor {
	t.Helper()
	x := empty(t, dtypes.Float64, dimensions...)
	if copy(tensor.Of[float64](x), values) != len(values) {
		t.Fatalf("%d values for %v", len(values), dimensions)
	}
	result := empty(t, dtype, dimensions...)
	must(t, ops.ConvertDType(result, x))
	return result
}

// values returns the elements of a tensor.
func values(t reporter, x tensor.Tensor) []float64 {
	t.Helper()
	result := empty(t, dtypes.Float64, x.Shape.Dimensions...)
	must(t, ops.ConvertDType(result, x))
	return tensor.Of[float64](result)
}

func must(t reporter, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// expect fails unless x holds the wanted values to within a relative tolerance.
func expect(t reporter, x tensor.Tensor, tolerance float64, want ...float64) {
	t.Helper()
	got := values(t, x)
	if len(got) != len(want) {
		t.Fatalf("got %d elements %v, want %v", len(got), got, want)
	}
	for i, value := range got {
		if !near(value, want[i], tolerance) {
			t.Fatalf("%s: element %d is %v, want %v\ngot  %v\nwant %v", x.Shape, i, value, want[i], got, want)
		}
	}
}

// near compares to within a tolerance relative to max(1, |want|); NaN is near NaN.
func near(got, want, tolerance float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return got == want || math.IsNaN(got) && math.IsNaN(want)
	}
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

// precision is a tolerance for a few operations in a data type.
func precision(dtype dtypes.DType) float64 {
	switch dtype {
	case dtypes.Float64:
		return 1e-12
	case dtypes.Float32:
		return 1e-5
	case dtypes.Float16:
		return 2e-3
	case dtypes.BFloat16:
		return 2e-2
	}
	return 0
}

// draw returns a tensor of small integers, which every number type holds.
func draw(t *rapid.T, label string, dtype dtypes.DType, dimensions ...int) tensor.Tensor {
	low := -3
	if dtype.IsUnsigned() {
		low = 0
	}
	numbers := make([]float64, sizeOf(dimensions))
	for i := range numbers {
		numbers[i] = float64(rapid.IntRange(low, 3).Draw(t, fmt.Sprintf("%s %d", label, i)))
	}
	return filled(t, dtype, dimensions, numbers...)
}

// drawDimensions returns dimensions of a rank in the given range.
func drawDimensions(t *rapid.T, minRank, maxRank int) []int {
	return rapid.SliceOfN(rapid.IntRange(1, 4), minRank, maxRank).Draw(t, "dimensions")
}

func drawType(t *rapid.T, types []dtypes.DType) dtypes.DType {
	return rapid.SampledFrom(types).Draw(t, "data type")
}

func sizeOf(dimensions []int) int {
	size := 1
	for _, dimension := range dimensions {
		size *= dimension
	}
	return size
}

// eachIndex calls body with every index below dimensions in row-major order.
func eachIndex(dimensions []int, body func(index []int)) {
	index := make([]int, len(dimensions))
	for range sizeOf(dimensions) {
		body(index)
		for axis := len(index) - 1; axis >= 0; axis-- {
			if index[axis]++; index[axis] < dimensions[axis] {
				break
			}
			index[axis] = 0
		}
	}
}

// flat returns the position of an index.
func flat(dimensions, index []int) int {
	position := 0
	for axis, i := range index {
		position = position*dimensions[axis] + i
	}
	return position
}

// an array is a reference implementation's tensor.
type array struct {
	dimensions []int
	values     []float64
}

func arrayOf(t reporter, x tensor.Tensor) array {
	return array{x.Shape.Dimensions, values(t, x)}
}

func (a array) at(index ...int) float64 { return a.values[flat(a.dimensions, index)] }

// forTypes runs a test for each data type.
func forTypes(t *testing.T, types []dtypes.DType, test func(t *testing.T, dtype dtypes.DType)) {
	for _, dtype := range types {
		t.Run(dtype.String(), func(t *testing.T) { test(t, dtype) })
	}
}
