package program_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// drawConvolution returns attributes with any layout, and the dimensions of the
// input and the kernel.
func drawConvolution(t *rapid.T) (a ir.Conv, in, weights []int) {
	spatial := rapid.IntRange(1, 2).Draw(t, "spatial axes")
	small := func(name string, least, most int) []int {
		return rapid.SliceOfN(rapid.IntRange(least, most), spatial, spatial).Draw(t, name)
	}
	axes := func(name string) []int {
		order := indices(spatial + 2)
		if rapid.Bool().Draw(t, name+" shuffled") {
			order = rapid.Permutation(order).Draw(t, name)
		}
		return order
	}
	i, k, o := axes("input axes"), axes("kernel axes"), axes("output axes")
	a.Axes = compute.ConvolveAxesConfig{
		InputBatch: i[0], InputSpatial: i[1 : spatial+1], InputChannels: i[spatial+1],
		KernelSpatial: k[:spatial], KernelInputChannels: k[spatial], KernelOutputChannels: k[spatial+1],
		OutputBatch: o[0], OutputSpatial: o[1 : spatial+1], OutputChannels: o[spatial+1],
	}
	a.Strides, a.InputDilations, a.KernelDilations = small("strides", 1, 2), small("input dilations", 1, 3), small("kernel dilations", 1, 2)
	if rapid.Bool().Draw(t, "no input dilation") {
		a.InputDilations = slices.Repeat([]int{1}, spatial)
	}
	if rapid.Bool().Draw(t, "no strides") {
		a.Strides = slices.Repeat([]int{1}, spatial)
	}
	a.ChannelGroupCount, a.BatchGroupCount = 1, 1
	taps := small("taps", 1, 6)
	sizes := small("sizes", 4, 9)
	channels := rapid.SampledFrom([]int{1, 2, 5, 16}).Draw(t, "input channels")
	in, weights = make([]int, spatial+2), make([]int, spatial+2)
	in[a.Axes.InputBatch], in[a.Axes.InputChannels] = rapid.IntRange(1, 6).Draw(t, "batch"), channels
	weights[a.Axes.KernelInputChannels], weights[a.Axes.KernelOutputChannels] = channels, rapid.SampledFrom([]int{1, 3, 6, 16, 20}).Draw(t, "output channels")
	for s := range spatial {
		in[a.Axes.InputSpatial[s]], weights[a.Axes.KernelSpatial[s]] = sizes[s], taps[s]
		extent := (taps[s]-1)*a.KernelDilations[s] + 1
		before := rapid.IntRange(-1, extent).Draw(t, "padding before")
		// At least one place must be left.
		a.Paddings = append(a.Paddings, [2]int{before, rapid.IntRange(0, 3).Draw(t, "padding after") + max(0, extent-sizes[s]-before)})
	}
	return a, in, weights
}

func convolved(t rapid.TB, a ir.Conv, like shapes.Shape, in, weights tensor.Tensor) tensor.Tensor {
	t.Helper()
	want, err := tensor.New(like)
	if err != nil {
		t.Fatal(err)
	}
	err = ops.ConvGeneral(want, in, weights, ops.Convolution{
		Axes: a.Axes, Strides: a.Strides, Paddings: a.Paddings, InputDilations: a.InputDilations, KernelDilations: a.KernelDilations,
		ChannelGroups: a.ChannelGroupCount, BatchGroups: a.BatchGroupCount,
	})
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func TestConvGeneralIsThatOfOps(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	rapid.Check(t, func(r *rapid.T) {
		a, in, weights := drawConvolution(r)
		dtype := rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64}).Draw(r, "type")
		generator := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(r, "seed")))
		x, k := integers(t, dtype, in, generator), integers(t, dtype, weights, generator)
		got := runNode(t, pool, compute.OpTypeConvGeneral, a, x, k)
		same(r, got, convolved(r, a, got.Shape, x, k))
	})
}

// lenet is the second convolution of LeNet-5 on 32 images and its two
// gradients, as GoMLX writes them.
func lenet() map[string]struct {
	a           ir.Conv
	in, weights []int
} {
	one, none := []int{1, 1}, [][2]int{{}, {}}
	axes := func(inBatch, inChannels, kernelIn, kernelOut int, kernelSpatial []int, outBatch, outChannels int, outSpatial []int) compute.ConvolveAxesConfig {
		return compute.ConvolveAxesConfig{
			InputBatch: inBatch, InputChannels: inChannels, InputSpatial: []int{1, 2},
			KernelInputChannels: kernelIn, KernelOutputChannels: kernelOut, KernelSpatial: kernelSpatial,
			OutputBatch: outBatch, OutputChannels: outChannels, OutputSpatial: outSpatial,
		}
	}
	conv := func(x compute.ConvolveAxesConfig, paddings [][2]int) ir.Conv {
		return ir.Conv{Axes: x, Strides: one, Paddings: paddings, InputDilations: one, KernelDilations: one, ChannelGroupCount: 1, BatchGroupCount: 1}
	}
	first, last := []int{0, 1}, []int{1, 2}
	return map[string]struct {
		a           ir.Conv
		in, weights []int
	}{
		"forward":         {conv(axes(0, 3, 2, 3, first, 0, 3, last), none), []int{32, 14, 14, 6}, []int{5, 5, 6, 16}},
		"input gradient":  {conv(axes(0, 3, 3, 2, first, 0, 3, last), [][2]int{{4, 4}, {4, 4}}), []int{32, 10, 10, 16}, []int{5, 5, 6, 16}},
		"kernel gradient": {conv(axes(3, 0, 0, 3, last, 2, 3, first), none), []int{32, 14, 14, 6}, []int{32, 10, 10, 16}},
	}
}

func TestConvGeneralHasTheSameBits(t *testing.T) {
	pool := workers.New(3)
	defer pool.Close()
	for name, c := range lenet() {
		generator := rand.New(rand.NewPCG(3, 4))
		in, weights := integers(t, dtypes.Float32, c.in, generator), integers(t, dtypes.Float32, c.weights, generator)
		exact := convolved(t, c.a, runNode(t, nil, compute.OpTypeConvGeneral, c.a, in, weights).Shape, in, weights)
		t.Run(name, func(t *testing.T) { same(t, runNode(t, pool, compute.OpTypeConvGeneral, c.a, in, weights), exact) })
		for _, flat := range [][]float32{tensor.Of[float32](in), tensor.Of[float32](weights)} {
			for i := range flat {
				flat[i] += generator.Float32()
			}
		}
		t.Run(name+" of reals", func(t *testing.T) {
			same(t, runNode(t, pool, compute.OpTypeConvGeneral, c.a, in, weights), runNode(t, nil, compute.OpTypeConvGeneral, c.a, in, weights))
		})
	}
}

func BenchmarkConvGeneral(b *testing.B) {
	pool := workers.New(2)
	defer pool.Close()
	for name, c := range lenet() {
		generator := rand.New(rand.NewPCG(3, 4))
		in, weights := integers(b, dtypes.Float32, c.in, generator), integers(b, dtypes.Float32, c.weights, generator)
		g := newGraph(b)
		g.Outputs = []ir.Value{g.add(compute.OpTypeConvGeneral, c.a, g.AddParameter("x", in.Shape), g.AddParameter("k", weights.Shape))}
		p := g.compile()
		result, err := tensor.New(p.Outputs()[0])
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Run(pool, []tensor.Tensor{in, weights}, []tensor.Tensor{result}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
