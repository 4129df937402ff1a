package ops_test

import (
	"math"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"pgregory.net/rapid"
)

func TestConvertFloatToIntegerSaturates(t *testing.T) {
	in := []float64{nan, positiveInf, negativeInf, 3.9, -3.9, 1e30, -1e30}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.BFloat16} {
		for _, test := range []struct {
			dtype     dtypes.DType
			low, high float64
			negative  float64 // of -3.9
		}{
			{dtypes.Int8, -128, 127, -3},
			{dtypes.Int32, math.MinInt32, math.MaxInt32, -3},
			{dtypes.Int64, math.MinInt64, math.MaxInt64, -3},
			{dtypes.Uint8, 0, 255, 0},
			{dtypes.Uint64, 0, math.MaxUint64, 0},
		} {
			out := empty(t, test.dtype, len(in))
			must(t, ops.ConvertDType(out, filled(t, dtype, []int{len(in)}, in...)))
			expect(t, out, 0, 0, test.high, test.low, 3, test.negative, test.high, test.low)
		}
	}
}

func TestConvertFloatAtTheBounds(t *testing.T) {
	for dtype, want := range map[dtypes.DType][2]uint64{dtypes.Int64: {1<<63 - 1, 1 << 63}, dtypes.Uint64: {1 << 63, 0}} {
		out, bits := empty(t, dtype, 2), empty(t, dtypes.Uint64, 2)
		must(t, ops.ConvertDType(out, filled(t, dtypes.Float64, []int{2}, 1<<63, -1<<63)))
		must(t, ops.Bitcast(bits, out))
		if got := [2]uint64(tensor.Of[uint64](bits)); got != want {
			t.Errorf("%s: got %x, want %x", dtype, got, want)
		}
	}
}

func TestConvertKeepsSmallIntegersBetweenAllTypes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawType(t, numberTypes), drawType(t, numberTypes)
		in := draw(t, "in", dtypes.Uint8, rapid.IntRange(0, 1200).Draw(t, "length"))
		middle, out := empty(t, from, in.Shape.Dimensions...), empty(t, to, in.Shape.Dimensions...)
		must(t, ops.ConvertDType(middle, in))
		must(t, ops.ConvertDType(out, middle))
		expect(t, out, 0, values(t, in)...)
	})
}

func TestConvertBooleans(t *testing.T) {
	forTypes(t, numberTypes, func(t *testing.T, dtype dtypes.DType) {
		booleans, numbers := empty(t, dtypes.Bool, 3), empty(t, dtype, 3)
		must(t, ops.ConvertDType(booleans, filled(t, dtype, []int{3}, 0, 1, 2)))
		must(t, ops.ConvertDType(numbers, booleans))
		expect(t, numbers, 0, 0, 1, 1)
	})
	booleans := empty(t, dtypes.Bool, 1)
	must(t, ops.ConvertDType(booleans, filled(t, dtypes.Float32, []int{1}, nan)))
	expect(t, booleans, 0, 1)
}

func TestConvertPackedIntegers(t *testing.T) {
	for _, test := range []struct {
		dtype dtypes.DType
		bytes []uint8
		want  []float64
	}{
		{dtypes.Int4, []uint8{0x71, 0xF8, 0x0A}, []float64{1, 7, -8, -1, -6}},
		{dtypes.Uint4, []uint8{0x71, 0xF8, 0x0A}, []float64{1, 7, 8, 15, 10}},
		{dtypes.Int2, []uint8{0b11100100, 0b10}, []float64{0, 1, -2, -1, -2}},
		{dtypes.Uint2, []uint8{0b11100100, 0b10}, []float64{0, 1, 2, 3, 2}},
	} {
		in, err := tensor.FromFlat(shapes.Make(test.dtype, 5), test.bytes)
		must(t, err)
		for _, dtype := range []dtypes.DType{dtypes.Int8, dtypes.Int32, dtypes.Float32, dtypes.BFloat16} {
			out := empty(t, dtype, 5)
			must(t, ops.ConvertDType(out, in))
			expect(t, out, 0, test.want...)
		}
	}
}
