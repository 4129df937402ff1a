package ops_test

import (
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// bench runs an operation that touches a number of bytes.
func bench(b *testing.B, name string, bytes int, run func() error) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(bytes))
		b.ReportAllocs()
		for b.Loop() {
			if err := run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOperations(b *testing.B) {
	const side = 512
	x, y := empty(b, dtypes.Float32, side, side), empty(b, dtypes.Float32, side, side)
	row, column := empty(b, dtypes.Float32, 1, side), empty(b, dtypes.Float32, side, 1)
	vector, half := empty(b, dtypes.Float32, side), empty(b, dtypes.BFloat16, side, side)
	bytes := len(x.Bytes())
	bench(b, "add", 3*bytes, func() error { return ops.Binary(compute.OpTypeAdd, y, x, x) })
	bench(b, "add row", 2*bytes, func() error { return ops.Binary(compute.OpTypeAdd, y, x, row) })
	bench(b, "add column", 2*bytes, func() error { return ops.Binary(compute.OpTypeAdd, y, x, column) })
	bench(b, "add bfloat16", 3*len(half.Bytes()), func() error { return ops.Binary(compute.OpTypeAdd, half, half, half) })
	bench(b, "exp", 2*bytes, func() error { return ops.Unary(compute.OpTypeExp, y, x) })
	bench(b, "transpose", 2*bytes, func() error { return ops.Transpose(y, x, []int{1, 0}) })
	bench(b, "sum of rows", bytes, func() error { return ops.Reduce(compute.OpTypeReduceSum, vector, x, []int{1}) })
	bench(b, "sum of columns", bytes, func() error { return ops.Reduce(compute.OpTypeReduceSum, vector, x, []int{0}) })
	bench(b, "max of rows", bytes, func() error { return ops.Reduce(compute.OpTypeReduceMax, vector, x, []int{1}) })
	bench(b, "softmax", 2*bytes, func() error { return ops.FusedSoftmax(y, x, 1) })
	axes := ops.DotAxes{LHSContracting: []int{1}, RHSContracting: []int{0}}
	bench(b, "matrix product", 2*side*side*side, func() error { return ops.DotGeneral(y, x, x, axes, dtypes.InvalidDType) })
}

func BenchmarkConvolution(b *testing.B) {
	in, kernel := empty(b, dtypes.Float32, 8, 28, 28, 16), empty(b, dtypes.Float32, 3, 3, 16, 32)
	out, pooled := empty(b, dtypes.Float32, 8, 26, 26, 32), empty(b, dtypes.Float32, 8, 14, 14, 16)
	attributes := ops.Convolution{Axes: compute.ConvolveAxesConfig{
		InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
		KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
		OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
	}}
	bench(b, "3x3", 2*8*26*26*32*9*16, func() error { return ops.ConvGeneral(out, in, kernel, attributes) })
	window := ops.Window{Size: []int{1, 2, 2, 1}}
	bench(b, "max pool 2x2", len(in.Bytes()), func() error { return ops.ReduceWindow(pooled, in, compute.ReduceOpMax, window) })
}

func BenchmarkRows(b *testing.B) {
	const rows, width, count = 10_000, 64, 4096
	table, picked := empty(b, dtypes.Float32, rows, width), empty(b, dtypes.Float32, count, width)
	indices := empty(b, dtypes.Int32, count, 1)
	for i := range tensor.Of[int32](indices) {
		tensor.Of[int32](indices)[i] = int32(i * 7919 % rows)
	}
	gather := ops.GatherAxes{IndexVectorAxis: 1, OffsetOutputAxes: []int{1}, CollapsedSliceAxes: []int{0}, StartIndexMap: []int{0}, SliceSizes: []int{1, width}}
	scatter := ops.ScatterAxes{IndexVectorAxis: 1, UpdateWindowAxes: []int{1}, InsertedWindowAxes: []int{0}, ScatterAxesToOperandAxes: []int{0}}
	bytes := len(picked.Bytes())
	bench(b, "gather", 2*bytes, func() error { return ops.Gather(picked, table, indices, gather) })
	bench(b, "scatter sum", 2*bytes, func() error {
		return ops.Scatter(compute.OpTypeScatterSum, table, table, indices, picked, scatter)
	})
	state := newState(b, 1, 0, 0)
	bench(b, "random bits", bytes, func() error { return ops.RandomBits(state, picked, state) })
}
