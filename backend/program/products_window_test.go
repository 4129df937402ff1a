package program_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// drawWindow returns a window over up to three axes of an array.
func drawWindow(t *rapid.T) (a ir.Window, dimensions []int) {
	rank := rapid.IntRange(1, 4).Draw(t, "rank")
	for range rank {
		size, window, stride, padding := rapid.IntRange(1, 7).Draw(t, "size"), 1, 1, [2]int{}
		if rapid.Bool().Draw(t, "moves") {
			window = rapid.IntRange(1, 3).Draw(t, "window")
			stride = rapid.IntRange(1, 3).Draw(t, "stride")
			before := rapid.IntRange(0, 2).Draw(t, "padding before")
			padding = [2]int{before, rapid.IntRange(0, 3).Draw(t, "padding after") + max(0, window-size-before)}
		}
		dimensions = append(dimensions, size)
		a.Dimensions, a.Strides, a.Paddings = append(a.Dimensions, window), append(a.Strides, stride), append(a.Paddings, padding)
		a.InputDilations, a.WindowDilations = append(a.InputDilations, 1), append(a.WindowDilations, 1)
	}
	return a, dimensions
}

// spoil puts a few special values into x. Sums with them are not all exact.
func spoil(t *rapid.T, x tensor.Tensor) {
	for i := range min(3, x.Shape.Size()) {
		special := rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}).Draw(t, "special")
		at := (i*7919 + 5) % x.Shape.Size()
		switch flat := x.Flat.(type) {
		case []float32:
			flat[at] = float32(special)
		case []float64:
			flat[at] = special
		}
	}
}

func windowOf(a ir.Window) ops.Window {
	return ops.Window{Size: a.Dimensions, Strides: a.Strides, InputDilations: a.InputDilations, WindowDilations: a.WindowDilations, Paddings: a.Paddings}
}

func TestReduceWindowIsThatOfOps(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	rapid.Check(t, func(r *rapid.T) {
		a, dimensions := drawWindow(r)
		a.Reduction = rapid.SampledFrom([]compute.ReduceOpType{compute.ReduceOpMax, compute.ReduceOpMin, compute.ReduceOpSum, compute.ReduceOpProduct}).Draw(r, "reduction")
		dtype := rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64, dtypes.Int32}).Draw(r, "type")
		x := integers(t, dtype, dimensions, rand.New(rand.NewPCG(1, rapid.Uint64().Draw(r, "seed"))))
		if rapid.Bool().Draw(r, "spoiled") {
			spoil(r, x)
		}
		got := runNode(t, pool, compute.OpTypeReduceWindow, a, x)
		want, err := tensor.New(got.Shape)
		if err != nil {
			r.Fatal(err)
		}
		if err := ops.ReduceWindow(want, x, a.Reduction, windowOf(a)); err != nil {
			r.Fatal(err)
		}
		sameNumbers(r, got, want)
	})
}

func TestSelectAndScatterIsThatOfOps(t *testing.T) {
	pool := workers.New(2)
	defer pool.Close()
	rapid.Check(t, func(r *rapid.T) {
		a, dimensions := drawWindow(r)
		generator := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(r, "seed")))
		dtype := rapid.SampledFrom([]dtypes.DType{dtypes.Float32, dtypes.Float64}).Draw(r, "type")
		x := integers(t, dtype, dimensions, generator)
		a.Reduction = compute.ReduceOpMax
		source := integers(t, dtype, runNode(t, nil, compute.OpTypeReduceWindow, a, x).Shape.Dimensions, generator)
		if rapid.Bool().Draw(r, "spoiled") {
			spoil(r, x)
		}
		a.InputDilations, a.WindowDilations = nil, nil
		got := runNode(t, pool, compute.OpTypeSelectAndScatterMax, a, x, source)
		want, err := tensor.New(got.Shape)
		if err != nil {
			r.Fatal(err)
		}
		if err := ops.SelectAndScatterMax(want, x, source, windowOf(a)); err != nil {
			r.Fatal(err)
		}
		sameNumbers(r, got, want)
	})
}

// sameNumbers is same, but any NaN is as good as another, as are zeros.
func sameNumbers(t rapid.TB, got, want tensor.Tensor) {
	t.Helper()
	equal := got.Shape.Equal(want.Shape)
	switch g := got.Flat.(type) {
	case []float32:
		for i, w := range tensor.Of[float32](want) {
			equal = equal && (g[i] == w || g[i] != g[i] && w != w)
		}
	case []float64:
		for i, w := range tensor.Of[float64](want) {
			equal = equal && (g[i] == w || g[i] != g[i] && w != w)
		}
	default:
		same(t, got, want)
	}
	if !equal {
		t.Fatalf("got %s %.200s, want %s %.200s", got.Shape, fmt.Sprint(got.Flat), want.Shape, fmt.Sprint(want.Flat))
	}
}
