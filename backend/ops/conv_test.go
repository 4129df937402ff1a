package ops_test

import (
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

// drawWindow draws one value per axis for a window over the given sizes such
// that it has at least one place.
func drawWindow(t *rapid.T, sizes []int) ops.Window {
	var w ops.Window
	for _, size := range sizes {
		before, after := rapid.IntRange(0, 2).Draw(t, "padding before"), rapid.IntRange(0, 2).Draw(t, "padding after")
		inputDilation := rapid.IntRange(1, 3).Draw(t, "input dilation")
		room := (size-1)*inputDilation + 1 + before + after
		window := rapid.IntRange(1, min(room, 4)).Draw(t, "window")
		dilation := 1
		if window > 1 {
			dilation = rapid.IntRange(1, (room-1)/(window-1)).Draw(t, "window dilation")
		}
		w.Size = append(w.Size, window)
		w.Strides = append(w.Strides, rapid.IntRange(1, 3).Draw(t, "stride"))
		w.InputDilations = append(w.InputDilations, inputDilation)
		w.WindowDilations = append(w.WindowDilations, dilation)
		w.Paddings = append(w.Paddings, [2]int{before, after})
	}
	return w
}

// places returns the number of places of a window with all lists given.
func places(w ops.Window, sizes []int) []int {
	var result []int
	for axis, size := range sizes {
		room := (size-1)*w.InputDilations[axis] + 1 + w.Paddings[axis][0] + w.Paddings[axis][1]
		result = append(result, (room-(w.Size[axis]-1)*w.WindowDilations[axis]-1)/w.Strides[axis]+1)
	}
	return result
}

// covered returns the index of the input under a tap of a window at a place; ok
// is false over padding and holes.
func covered(w ops.Window, sizes, place, tap []int) (index []int, ok bool) {
	for axis, size := range sizes {
		position := place[axis]*w.Strides[axis] + tap[axis]*w.WindowDilations[axis] - w.Paddings[axis][0]
		if position < 0 || position%w.InputDilations[axis] != 0 || position/w.InputDilations[axis] >= size {
			return nil, false
		}
		index = append(index, position/w.InputDilations[axis])
	}
	return index, true
}

// arrange puts batch, channels and spatial values where their axes say.
func arrange(first, second int, spatial []int, firstAxis, secondAxis int, spatialAxes []int) []int {
	result := make([]int, len(spatial)+2)
	result[firstAxis], result[secondAxis] = first, second
	for i, axis := range spatialAxes {
		result[axis] = spatial[i]
	}
	return result
}

func TestConvGeneral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, []dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.BFloat16, dtypes.Int32, dtypes.Uint64})
		spatial := drawDimensions(t, 0, 3)
		w := drawWindow(t, spatial)
		out := places(w, spatial)
		channelGroups, batchGroups := 1, 1
		switch rapid.IntRange(0, 2).Draw(t, "groups") {
		case 1:
			channelGroups = rapid.IntRange(1, 3).Draw(t, "channel groups")
		case 2:
			batchGroups = rapid.IntRange(1, 3).Draw(t, "batch groups")
		}
		batch := rapid.IntRange(1, 2).Draw(t, "batch")
		inChannels := rapid.IntRange(1, 3).Draw(t, "input channels")
		width := rapid.IntRange(1, 2).Draw(t, "output channels per group")
		outChannels := width * channelGroups * batchGroups
		rank := len(spatial) + 2
		i, k, o := drawPermutation(t, rank), drawPermutation(t, rank), drawPermutation(t, rank)
		axes := compute.ConvolveAxesConfig{
			InputBatch: i[0], InputChannels: i[1], InputSpatial: i[2:],
			KernelInputChannels: k[0], KernelOutputChannels: k[1], KernelSpatial: k[2:],
			OutputBatch: o[0], OutputChannels: o[1], OutputSpatial: o[2:],
		}
		in := draw(t, "in", dtype, arrange(batch*batchGroups, inChannels*channelGroups, spatial, i[0], i[1], i[2:])...)
		kernel := draw(t, "kernel", dtype, arrange(inChannels, outChannels, w.Size, k[0], k[1], k[2:])...)
		got := empty(t, dtype, arrange(batch, outChannels, out, o[0], o[1], o[2:])...)
		must(t, ops.ConvGeneral(got, in, kernel, ops.Convolution{
			Axes: axes, Strides: w.Strides, Paddings: w.Paddings, InputDilations: w.InputDilations, KernelDilations: w.WindowDilations,
			ChannelGroups: channelGroups, BatchGroups: batchGroups,
		}))

		a, b := arrayOf(t, in), arrayOf(t, kernel)
		want := make([]float64, got.Shape.Size())
		eachIndex(slices.Concat([]int{batch, outChannels}, out), func(index []int) {
			group := index[1] / width
			sum := 0.0
			eachIndex(w.Size, func(tap []int) {
				position, ok := covered(w, spatial, index[2:], tap)
				if !ok {
					return
				}
				for channel := range inChannels {
					from := arrange(index[0]+group%batchGroups*batch, channel+group%channelGroups*inChannels, position, i[0], i[1], i[2:])
					sum += a.at(from...) * b.at(arrange(channel, index[1], tap, k[0], k[1], k[2:])...)
				}
			})
			want[flat(got.Shape.Dimensions, arrange(index[0], index[1], index[2:], o[0], o[1], o[2:]))] = sum
		})
		tolerance := 0.0
		if dtype == dtypes.BFloat16 {
			tolerance = 1.0 / 128
		}
		expect(t, got, tolerance, want...)
	})
}

func TestConvGeneralDefaults(t *testing.T) {
	axes := compute.ConvolveAxesConfig{
		InputBatch: 0, InputChannels: 2, InputSpatial: []int{1},
		KernelInputChannels: 1, KernelOutputChannels: 2, KernelSpatial: []int{0},
		OutputBatch: 0, OutputChannels: 2, OutputSpatial: []int{1},
	}
	in, kernel := filled(t, dtypes.Float32, []int{1, 4, 1}, 1, 2, 3, 4), filled(t, dtypes.Float32, []int{2, 1, 1}, 10, 1)
	out := empty(t, dtypes.Float32, 1, 3, 1)
	must(t, ops.ConvGeneral(out, in, kernel, ops.Convolution{Axes: axes}))
	expect(t, out, 0, 12, 23, 34)
}

func TestConvGeneralOfNoChannelsIsZero(t *testing.T) {
	axes := compute.ConvolveAxesConfig{
		InputBatch: 0, InputChannels: 1, InputSpatial: []int{2},
		KernelInputChannels: 0, KernelOutputChannels: 1, KernelSpatial: []int{2},
		OutputBatch: 0, OutputChannels: 1, OutputSpatial: []int{2},
	}
	out := filled(t, dtypes.Float32, []int{1, 2, 1}, 5, 6)
	must(t, ops.ConvGeneral(out, empty(t, dtypes.Float32, 2, 0, 3), empty(t, dtypes.Float32, 0, 2, 3), ops.Convolution{Axes: axes, BatchGroups: 2}))
	expect(t, out, 0, 0, 0)
}

func TestReduceWindow(t *testing.T) {
	reductions := map[compute.ReduceOpType]struct {
		identity float64
		fold     func(a, b float64) float64
	}{
		compute.ReduceOpSum:     {0, func(a, b float64) float64 { return a + b }},
		compute.ReduceOpProduct: {1, func(a, b float64) float64 { return a * b }},
		compute.ReduceOpMax:     {negativeInf, func(a, b float64) float64 { return max(a, b) }},
		compute.ReduceOpMin:     {positiveInf, func(a, b float64) float64 { return min(a, b) }},
	}
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, []dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.BFloat16})
		in := draw(t, "in", dtype, drawDimensions(t, 1, 3)...)
		sizes := in.Shape.Dimensions
		w := drawWindow(t, sizes)
		if rapid.Bool().Draw(t, "last axis is left alone") {
			last := len(sizes) - 1
			w.Size[last], w.Strides[last], w.InputDilations[last], w.WindowDilations[last], w.Paddings[last] = 1, 1, 1, 1, [2]int{}
		}
		kind := rapid.SampledFrom([]compute.ReduceOpType{compute.ReduceOpSum, compute.ReduceOpProduct, compute.ReduceOpMax, compute.ReduceOpMin}).Draw(t, "reduction")
		out := empty(t, dtype, places(w, sizes)...)
		must(t, ops.ReduceWindow(out, in, kind, w))
		a := arrayOf(t, in)
		var want []float64
		eachIndex(out.Shape.Dimensions, func(place []int) {
			result := reductions[kind].identity
			eachIndex(w.Size, func(tap []int) {
				if index, ok := covered(w, sizes, place, tap); ok {
					result = reductions[kind].fold(result, a.at(index...))
				}
			})
			want = append(want, result)
		})
		expect(t, out, precision(dtype), want...)
	})
}

func TestReduceWindowOfIntegers(t *testing.T) {
	forTypes(t, integerTypes, func(t *testing.T, dtype dtypes.DType) {
		in, out := filled(t, dtype, []int{4}, 1, 5, 2, 3), empty(t, dtype, 2)
		must(t, ops.ReduceWindow(out, in, compute.ReduceOpMax, ops.Window{Size: []int{2}}))
		expect(t, out, 0, 5, 3)
	})
}

func TestSelectAndScatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, []dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.Float16, dtypes.Int32})
		in := draw(t, "in", dtype, drawDimensions(t, 1, 3)...)
		sizes := in.Shape.Dimensions
		w := drawWindow(t, sizes)
		for axis, size := range sizes {
			w.InputDilations[axis], w.WindowDilations[axis] = 1, 1
			w.Size[axis] = min(w.Size[axis], size)
		}
		source := draw(t, "source", dtype, places(w, sizes)...)
		isMin := rapid.Bool().Draw(t, "min")
		out := empty(t, dtype, sizes...)
		run := ops.SelectAndScatterMax
		if isMin {
			run = ops.SelectAndScatterMin
		}
		must(t, run(out, in, source, ops.Window{Size: w.Size, Strides: w.Strides, Paddings: w.Paddings}))
		a, s := arrayOf(t, in), arrayOf(t, source)
		want := make([]float64, len(a.values))
		eachIndex(s.dimensions, func(place []int) {
			best := -1
			eachIndex(w.Size, func(tap []int) {
				index, ok := covered(w, sizes, place, tap)
				if !ok {
					return
				}
				position := flat(sizes, index)
				if best < 0 || isMin && a.values[position] < a.values[best] || !isMin && a.values[position] > a.values[best] {
					best = position
				}
			})
			if best >= 0 {
				want[best] += s.at(place...)
			}
		})
		expect(t, out, precision(dtype), want...)
	})
}
