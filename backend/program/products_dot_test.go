package program_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// drawDot returns a DotGeneral with its operands' axes in any order.
func drawDot(t *rapid.T) (ir.Dot, []int, []int) {
	sizes := func(name string, most int) []int {
		return rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 3, 5, 17}), 0, most).Draw(t, name)
	}
	batch, contracting := sizes("batch", 2), sizes("contracting", 2)
	leftCross, rightCross := sizes("left cross", 2), sizes("right cross", 2)
	var a ir.Dot
	place := func(name string, cross []int, batchAxes, contractingAxes *[]int) []int {
		all := slices.Concat(batch, contracting, cross)
		order := rapid.Permutation(indices(len(all))).Draw(t, name)
		dimensions := make([]int, len(all))
		for i, axis := range order {
			dimensions[axis] = all[i]
		}
		*batchAxes, *contractingAxes = order[:len(batch)], order[len(batch):len(batch)+len(contracting)]
		return dimensions
	}
	left := place("left order", leftCross, &a.LHSBatch, &a.LHSContracting)
	right := place("right order", rightCross, &a.RHSBatch, &a.RHSContracting)
	return a, left, right
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// integers returns a tensor of small integers, whose sums of products are exact
// in any order.
func integers(t testing.TB, dtype dtypes.DType, dimensions []int, generator *rand.Rand) tensor.Tensor {
	t.Helper()
	x, err := tensor.New(shapes.Make(dtype, dimensions...))
	if err != nil {
		t.Fatal(err)
	}
	switch flat := x.Flat.(type) {
	case []float32:
		for i := range flat {
			flat[i] = float32(generator.IntN(9) - 4)
		}
	case []float64:
		for i := range flat {
			flat[i] = float64(generator.IntN(9) - 4)
		}
	case []int32:
		for i := range flat {
			flat[i] = int32(generator.IntN(9) - 4)
		}
	case []bfloat16.BFloat16:
		for i := range flat {
			flat[i] = bfloat16.FromFloat32(float32(generator.IntN(9) - 4))
		}
	}
	return x
}

// runNode runs a program of one operation.
func runNode(t testing.TB, pool *workers.Pool, op compute.OpType, attributes any, inputs ...tensor.Tensor) tensor.Tensor {
	t.Helper()
	g := newGraph(t)
	var values []ir.Value
	for _, x := range inputs {
		values = append(values, g.AddParameter("x", x.Shape))
	}
	g.Outputs = []ir.Value{g.add(op, attributes, values...)}
	p := g.compile()
	result, err := tensor.New(p.Outputs()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(pool, inputs, []tensor.Tensor{result}); err != nil {
		t.Fatal(err)
	}
	return result
}

// same fails unless both have the same shape and bits.
func same(t rapid.TB, got, want tensor.Tensor) {
	t.Helper()
	if !got.Shape.Equal(want.Shape) || !slices.Equal(got.Bytes(), want.Bytes()) {
		t.Fatalf("got %s %.200s, want %s %.200s", got.Shape, fmt.Sprint(got.Flat), want.Shape, fmt.Sprint(want.Flat))
	}
}

func TestDotGeneralIsThatOfOps(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	rapid.Check(t, func(r *rapid.T) {
		a, left, right := drawDot(r)
		dtype := rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.BFloat16, dtypes.Int32}).Draw(r, "type")
		if dtype == dtypes.Float32 && rapid.Bool().Draw(r, "wider") {
			a.Config.AccumulatorDType = dtypes.Float64
		}
		generator := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(r, "seed")))
		x, y := integers(t, dtype, left, generator), integers(t, dtype, right, generator)
		got := runNode(t, pool, compute.OpTypeDotGeneral, a, x, y)
		want, err := tensor.New(got.Shape)
		if err != nil {
			r.Fatal(err)
		}
		axes := ops.DotAxes{LHSContracting: a.LHSContracting, LHSBatch: a.LHSBatch, RHSContracting: a.RHSContracting, RHSBatch: a.RHSBatch}
		if err := ops.DotGeneral(want, x, y, axes, a.Config.AccumulatorDType); err != nil {
			r.Fatal(err)
		}
		same(r, got, want)
	})
}

// TestDotGeneralHasTheSameBits compares products of real numbers, alone and in
// batches, without workers and with three.
func TestDotGeneralHasTheSameBits(t *testing.T) {
	pool := workers.New(3)
	defer pool.Close()
	generator := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		a           ir.Dot
		left, right []int
	}{
		{ir.Dot{LHSContracting: []int{1}, RHSContracting: []int{0}}, []int{130, 300}, []int{300, 70}},
		{ir.Dot{LHSContracting: []int{0}, RHSContracting: []int{1}}, []int{300, 130}, []int{70, 300}},
		{ir.Dot{LHSContracting: []int{3}, LHSBatch: []int{0, 2}, RHSContracting: []int{3}, RHSBatch: []int{0, 2}}, []int{5, 33, 4, 32}, []int{5, 40, 4, 32}},
		{ir.Dot{LHSContracting: []int{0, 2}, RHSContracting: []int{2, 0}}, []int{30, 50, 20}, []int{20, 60, 30}},
	} {
		x, y := integers(t, dtypes.Float32, c.left, generator), integers(t, dtypes.Float32, c.right, generator)
		for _, flat := range [][]float32{tensor.Of[float32](x), tensor.Of[float32](y)} {
			for i := range flat {
				flat[i] += generator.Float32()
			}
		}
		same(t, runNode(t, pool, compute.OpTypeDotGeneral, c.a, x, y), runNode(t, nil, compute.OpTypeDotGeneral, c.a, x, y))
	}
}

func TestDotGeneralPropagatesNaNAndInfinity(t *testing.T) {
	a := ir.Dot{LHSContracting: []int{1}, RHSContracting: []int{0}}
	x, y := integers(t, dtypes.Float32, []int{2, 3}, rand.New(rand.NewPCG(1, 1))), integers(t, dtypes.Float32, []int{3, 2}, rand.New(rand.NewPCG(1, 2)))
	copy(x.Flat.([]float32), []float32{0, 1, 2, 3, 4, 5})
	copy(y.Flat.([]float32), []float32{float32(math.Inf(1)), 1, 2, float32(math.NaN()), 4, 5})
	got := tensor.Of[float32](runNode(t, nil, compute.OpTypeDotGeneral, a, x, y))
	if got[0] == got[0] || got[1] == got[1] || !math.IsInf(float64(got[2]), 1) || got[3] == got[3] {
		t.Errorf("got %v, want [NaN NaN +Inf NaN]", got)
	}
}
