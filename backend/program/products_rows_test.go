package program_test

import (
	"math/rand/v2"
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

func TestTransposeIsThatOfOps(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	rapid.Check(t, func(r *rapid.T) {
		dimensions := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 2, 3, 8, 33}), 0, 4).Draw(r, "dimensions")
		order := rapid.Permutation(indices(len(dimensions))).Draw(r, "order")
		dtype := rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.Int32, dtypes.BFloat16}).Draw(r, "type")
		x := integers(t, dtype, dimensions, rand.New(rand.NewPCG(1, 2)))
		got := runNode(t, pool, compute.OpTypeTranspose, ir.Axes{Axes: order}, x)
		want, err := tensor.New(got.Shape)
		if err != nil {
			r.Fatal(err)
		}
		if err := ops.Transpose(want, x, order); err != nil {
			r.Fatal(err)
		}
		same(r, got, want)
	})
}

// TestRowsOfTables gathers rows and adds them up again, with indices of which
// some are out of range.
func TestRowsOfTables(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	rapid.Check(t, func(r *rapid.T) {
		row := rapid.SliceOfN(rapid.IntRange(1, 5), 0, 2).Draw(r, "row")
		rows := rapid.IntRange(1, 9).Draw(r, "rows")
		count := rapid.SampledFrom([]int{0, 1, 7, 9000}).Draw(r, "indices")
		generator := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(r, "seed")))
		table := integers(t, rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64}).Draw(r, "type"), append([]int{rows}, row...), generator)
		flat := make([]int32, count)
		for i := range flat {
			flat[i] = int32(generator.IntN(rows+2) - 1)
		}
		index := tensor.Tensor{Shape: shapes.Make(dtypes.Int32, count, 1), Flat: flat}

		g := ops.GatherAxes{IndexVectorAxis: 1, CollapsedSliceAxes: []int{0}, StartIndexMap: []int{0}, SliceSizes: append([]int{1}, row...)}
		s := ops.ScatterAxes{IndexVectorAxis: 1, InsertedWindowAxes: []int{0}, ScatterAxesToOperandAxes: []int{0}}
		for axis := range row {
			g.OffsetOutputAxes = append(g.OffsetOutputAxes, axis+1)
			s.UpdateWindowAxes = append(s.UpdateWindowAxes, axis+1)
		}
		gathered := runNode(t, pool, compute.OpTypeGather, ir.Gather{
			IndexVectorAxis: g.IndexVectorAxis, OffsetOutputAxes: g.OffsetOutputAxes, CollapsedSliceAxes: g.CollapsedSliceAxes,
			StartIndexMap: g.StartIndexMap, SliceSizes: g.SliceSizes,
		}, table, index)
		want, err := tensor.New(gathered.Shape)
		if err != nil {
			r.Fatal(err)
		}
		if err := ops.Gather(want, table, index, g); err != nil {
			r.Fatal(err)
		}
		same(r, gathered, want)

		sum := runNode(t, pool, compute.OpTypeScatterSum, ir.Scatter{
			IndexVectorAxis: s.IndexVectorAxis, UpdateWindowAxes: s.UpdateWindowAxes,
			InsertedWindowAxes: s.InsertedWindowAxes, ScatterAxesToOperandAxes: s.ScatterAxesToOperandAxes,
		}, table, index, gathered)
		if want, err = tensor.New(sum.Shape); err != nil {
			r.Fatal(err)
		}
		if err := ops.Scatter(compute.OpTypeScatterSum, want, table, index, gathered, s); err != nil {
			r.Fatal(err)
		}
		same(r, sum, want)
	})
}
