package ops_test

import (
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"pgregory.net/rapid"
)

func drawPermutation(t *rapid.T, rank int) []int {
	axes := make([]int, rank)
	for axis := range axes {
		axes[axis] = axis
	}
	return rapid.Permutation(axes).Draw(t, "permutation")
}

func permuted(values, permutation []int) []int {
	result := make([]int, len(permutation))
	for i, axis := range permutation {
		result[i] = values[axis]
	}
	return result
}

func TestTransposeMovesEachElement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, movableTypes)
		in := draw(t, "in", dtype, drawDimensions(t, 0, 5)...)
		permutation := drawPermutation(t, in.Shape.Rank())
		out := empty(t, dtype, permuted(in.Shape.Dimensions, permutation)...)
		must(t, ops.Transpose(out, in, permutation))
		a, result := arrayOf(t, in), arrayOf(t, out)
		eachIndex(a.dimensions, func(index []int) {
			if result.at(permuted(index, permutation)...) != a.at(index...) {
				t.Fatalf("element %v is lost", index)
			}
		})
	})
}

func TestTransposeOfLargeMatrices(t *testing.T) {
	for _, dimensions := range [][]int{{100, 70}, {1, 200}, {3, 65, 33}, {40, 2, 50}} {
		in := empty(t, dtypes.Float32, dimensions...)
		for i := range tensor.Of[float32](in) {
			tensor.Of[float32](in)[i] = float32(i)
		}
		permutation := []int{1, 0}
		if len(dimensions) == 3 {
			permutation = []int{2, 0, 1}
		}
		out := empty(t, dtypes.Float32, permuted(dimensions, permutation)...)
		must(t, ops.Transpose(out, in, permutation))
		eachIndex(dimensions, func(index []int) {
			got := tensor.Of[float32](out)[flat(out.Shape.Dimensions, permuted(index, permutation))]
			if got != float32(flat(dimensions, index)) {
				t.Fatalf("element %v of %v is %v", index, dimensions, got)
			}
		})
	}
}

func TestBroadcastInDim(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, movableTypes)
		dimensions := drawDimensions(t, 0, 4)
		var axes, inDimensions []int
		for axis, size := range dimensions {
			switch rapid.IntRange(0, 2).Draw(t, "use of axis") {
			case 0:
				axes, inDimensions = append(axes, axis), append(inDimensions, size)
			case 1:
				axes, inDimensions = append(axes, axis), append(inDimensions, 1)
			}
		}
		in, out := draw(t, "in", dtype, inDimensions...), empty(t, dtype, dimensions...)
		must(t, ops.BroadcastInDim(out, in, axes))
		a := arrayOf(t, in)
		var want []float64
		eachIndex(dimensions, func(index []int) {
			want = append(want, a.at(within(permuted(index, axes), inDimensions)...))
		})
		expect(t, out, 0, want...)
	})
}

func TestReverseTwiceIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, movableTypes)
		in := draw(t, "in", dtype, drawDimensions(t, 1, 4)...)
		dimensions := in.Shape.Dimensions
		axes := drawPermutation(t, len(dimensions))
		axes = axes[:rapid.IntRange(0, len(axes)).Draw(t, "number of axes")]
		once, twice := empty(t, dtype, dimensions...), empty(t, dtype, dimensions...)
		must(t, ops.Reverse(once, in, axes))
		must(t, ops.Reverse(twice, once, axes))
		expect(t, twice, 0, values(t, in)...)
		a, reversed := arrayOf(t, in), arrayOf(t, once)
		eachIndex(dimensions, func(index []int) {
			mirrored := slices.Clone(index)
			for _, axis := range axes {
				mirrored[axis] = dimensions[axis] - 1 - index[axis]
			}
			if reversed.at(mirrored...) != a.at(index...) {
				t.Fatalf("element %v is not at %v", index, mirrored)
			}
		})
	})
}

func TestSliceUndoesConcatenate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, movableTypes)
		dimensions := drawDimensions(t, 1, 4)
		axis := rapid.IntRange(0, len(dimensions)-1).Draw(t, "axis")
		var parts []tensor.Tensor
		joined := slices.Clone(dimensions)
		joined[axis] = 0
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			part := slices.Clone(dimensions)
			part[axis] = rapid.IntRange(0, 3).Draw(t, "size of part")
			parts = append(parts, draw(t, "part", dtype, part...))
			joined[axis] += part[axis]
		}
		out := empty(t, dtype, joined...)
		must(t, ops.Concatenate(out, axis, parts...))
		starts, limits := make([]int, len(joined)), slices.Clone(joined)
		for _, part := range parts {
			limits[axis] = starts[axis] + part.Shape.Dimensions[axis]
			got := empty(t, dtype, part.Shape.Dimensions...)
			must(t, ops.Slice(got, out, starts, limits, nil))
			expect(t, got, 0, values(t, part)...)
			starts[axis] = limits[axis]
		}
	})
}

func TestSliceWithStrides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, movableTypes)
		in := draw(t, "in", dtype, drawDimensions(t, 0, 4)...)
		var starts, limits, strides, dimensions []int
		for _, size := range in.Shape.Dimensions {
			start := rapid.IntRange(0, size).Draw(t, "start")
			limit := rapid.IntRange(start, size).Draw(t, "limit")
			stride := rapid.IntRange(1, 3).Draw(t, "stride")
			starts, limits, strides = append(starts, start), append(limits, limit), append(strides, stride)
			dimensions = append(dimensions, (limit-start+stride-1)/stride)
		}
		out := empty(t, dtype, dimensions...)
		must(t, ops.Slice(out, in, starts, limits, strides))
		a := arrayOf(t, in)
		var want []float64
		eachIndex(dimensions, func(index []int) {
			source := slices.Clone(index)
			for axis := range source {
				source[axis] = starts[axis] + index[axis]*strides[axis]
			}
			want = append(want, a.at(source...))
		})
		expect(t, out, 0, want...)
	})
}

func TestPadPutsEachElementAndFillsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, numberTypes)
		in := draw(t, "in", dtype, drawDimensions(t, 0, 3)...)
		var config []compute.PadAxis
		dimensions := slices.Clone(in.Shape.Dimensions)
		for axis, size := range in.Shape.Dimensions[:rapid.IntRange(0, len(dimensions)).Draw(t, "configured axes")] {
			pad := compute.PadAxis{
				Start:    rapid.IntRange(-size, 2).Draw(t, "start"),
				End:      rapid.IntRange(-size, 2).Draw(t, "end"),
				Interior: rapid.IntRange(0, 2).Draw(t, "interior"),
			}
			dimensions[axis] = max(0, size+(size-1)*pad.Interior+pad.Start+pad.End)
			config = append(config, pad)
		}
		out := empty(t, dtype, dimensions...)
		must(t, ops.Pad(out, in, filled(t, dtype, nil, 7), config))
		want := make([]float64, sizeOf(dimensions))
		for i := range want {
			want[i] = 7
		}
		a := arrayOf(t, in)
		eachIndex(a.dimensions, func(index []int) {
			target := slices.Clone(index)
			for axis, pad := range config {
				target[axis] = pad.Start + index[axis]*(1+pad.Interior)
				if target[axis] < 0 || target[axis] >= dimensions[axis] {
					return
				}
			}
			want[flat(dimensions, target)] = a.at(index...)
		})
		expect(t, out, 0, want...)
	})
}

func TestDynamicSliceClampsItsStart(t *testing.T) {
	in := filled(t, dtypes.Int32, []int{2, 3}, 1, 2, 3, 4, 5, 6)
	for _, test := range []struct {
		starts [2]float64
		want   []float64
	}{
		{[2]float64{0, 1}, []float64{2, 3}},
		{[2]float64{-5, -5}, []float64{1, 2}},
		{[2]float64{100, 100}, []float64{5, 6}},
	} {
		starts := []tensor.Tensor{filled(t, dtypes.Int64, nil, test.starts[0]), filled(t, dtypes.Int8, nil, test.starts[1])}
		out := empty(t, dtypes.Int32, 1, 2)
		must(t, ops.DynamicSlice(out, in, starts))
		expect(t, out, 0, test.want...)

		updated, back := empty(t, dtypes.Int32, 2, 3), empty(t, dtypes.Int32, 1, 2)
		update := filled(t, dtypes.Int32, []int{1, 2}, 8, 9)
		must(t, ops.DynamicUpdateSlice(updated, in, update, starts))
		must(t, ops.DynamicSlice(back, updated, starts))
		expect(t, back, 0, 8, 9)
		if changed := countDifferent(values(t, in), values(t, updated)); changed != 2 {
			t.Errorf("%d elements changed, want 2", changed)
		}
	}
}

func TestDynamicSliceOfHugeUnsignedStart(t *testing.T) {
	in := filled(t, dtypes.Float32, []int{3}, 1, 2, 3)
	start, err := tensor.FromFlat(shapes.Make(dtypes.Uint64), []uint64{1 << 63})
	must(t, err)
	out := empty(t, dtypes.Float32, 1)
	must(t, ops.DynamicSlice(out, in, []tensor.Tensor{start}))
	expect(t, out, 0, 3)
}

func countDifferent(a, b []float64) (different int) {
	for i := range a {
		if a[i] != b[i] {
			different++
		}
	}
	return different
}

func TestBitcast(t *testing.T) {
	in, err := tensor.FromFlat(shapes.Make(dtypes.Uint32, 1), []uint32{0xdeadbeef})
	must(t, err)
	pairs, back := empty(t, dtypes.Uint16, 1, 2), empty(t, dtypes.Uint32, 1)
	must(t, ops.Bitcast(pairs, in))
	expect(t, pairs, 0, 0xbeef, 0xdead)
	must(t, ops.Bitcast(back, pairs))
	expect(t, back, 0, 0xdeadbeef)

	nibbles := empty(t, dtypes.Uint4, 8)
	must(t, ops.Bitcast(nibbles, in))
	expect(t, nibbles, 0, 0xf, 0xe, 0xe, 0xb, 0xd, 0xa, 0xe, 0xd)
}

func TestReshapeKeepsOrder(t *testing.T) {
	in := filled(t, dtypes.Int16, []int{2, 3}, 1, 2, 3, 4, 5, 6)
	out := empty(t, dtypes.Int16, 3, 1, 2)
	must(t, ops.Reshape(out, in))
	expect(t, out, 0, 1, 2, 3, 4, 5, 6)
}

func TestIotaIsTheIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, numberTypes)
		dimensions := drawDimensions(t, 1, 4)
		axis := rapid.IntRange(0, len(dimensions)-1).Draw(t, "axis")
		out := empty(t, dtype, dimensions...)
		must(t, ops.Iota(out, axis))
		var want []float64
		eachIndex(dimensions, func(index []int) { want = append(want, float64(index[axis])) })
		expect(t, out, 0, want...)
	})
}
