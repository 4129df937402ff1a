package ops_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

// without returns the values whose position is not among the axes.
func without(values, axes []int) []int {
	var result []int
	for axis, value := range values {
		if !slices.Contains(axes, axis) {
			result = append(result, value)
		}
	}
	return result
}

// checkReduction compares a reduction with its fold over random dimensions.
func checkReduction(t *rapid.T, op compute.OpType, dtype dtypes.DType, identity float64, fold func(a, b float64) float64) {
	in := draw(t, "in", dtype, drawDimensions(t, 0, 4)...)
	axes := drawPermutation(t, in.Shape.Rank())
	axes = axes[:rapid.IntRange(0, len(axes)).Draw(t, "number of axes")]
	reduced := axes
	if len(axes) == 0 {
		reduced = drawPermutation(t, in.Shape.Rank())
	}
	dimensions := without(in.Shape.Dimensions, reduced)
	out := empty(t, dtype, dimensions...)
	must(t, ops.Reduce(op, out, in, axes))
	want := make([]float64, sizeOf(dimensions))
	for i := range want {
		want[i] = identity
	}
	a := arrayOf(t, in)
	eachIndex(a.dimensions, func(index []int) {
		target := flat(dimensions, without(index, reduced))
		want[target] = fold(want[target], a.at(index...))
	})
	expect(t, out, precision(dtype), want...)
}

func TestReduceNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, append(slices.Clone(floatTypes), dtypes.Int32, dtypes.Int64, dtypes.Uint32, dtypes.Uint64))
		checkReduction(t, compute.OpTypeReduceSum, dtype, 0, func(a, b float64) float64 { return a + b })
		dtype = drawType(t, numberTypes)
		checkReduction(t, compute.OpTypeReduceMax, dtype, math.Inf(-1), math.Max)
		checkReduction(t, compute.OpTypeReduceMin, dtype, math.Inf(1), math.Min)
	})
}

func TestReduceProduct(t *testing.T) {
	forTypes(t, numberTypes, func(t *testing.T, dtype dtypes.DType) {
		in := filled(t, dtype, []int{3, 2}, 1, 2, 3, 4, 5, 6)
		columns, rows := empty(t, dtype, 2), empty(t, dtype, 3)
		must(t, ops.Reduce(compute.OpTypeReduceProduct, columns, in, []int{0}))
		expect(t, columns, 0, 15, 48)
		must(t, ops.Reduce(compute.OpTypeReduceProduct, rows, in, []int{1}))
		expect(t, rows, 0, 2, 12, 30)
	})
}

func TestReduceIntegersByBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, integerTypes)
		checkReduction(t, compute.OpTypeReduceBitwiseOr, dtype, 0, func(a, b float64) float64 { return float64(int(a) | int(b)) })
		checkReduction(t, compute.OpTypeReduceBitwiseXor, dtype, 0, func(a, b float64) float64 { return float64(int(a) ^ int(b)) })
		signed := drawType(t, integerTypes[:4])
		checkReduction(t, compute.OpTypeReduceBitwiseAnd, signed, -1, func(a, b float64) float64 { return float64(int(a) & int(b)) })
	})
}

func TestReduceBooleans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkReduction(t, compute.OpTypeReduceLogicalAnd, dtypes.Bool, 1, math.Min)
		checkReduction(t, compute.OpTypeReduceLogicalOr, dtypes.Bool, 0, math.Max)
		checkReduction(t, compute.OpTypeReduceLogicalXor, dtypes.Bool, 0, func(a, b float64) float64 { return math.Abs(a - b) })
	})
}

func TestReduceNothing(t *testing.T) {
	in, out := empty(t, dtypes.Float32, 2, 0), empty(t, dtypes.Float32, 2)
	for op, want := range map[compute.OpType]float64{
		compute.OpTypeReduceSum: 0, compute.OpTypeReduceProduct: 1,
		compute.OpTypeReduceMax: negativeInf, compute.OpTypeReduceMin: positiveInf,
	} {
		must(t, ops.Reduce(op, out, in, []int{1}))
		expect(t, out, 0, want, want)
	}
}

func TestReducePropagatesNaN(t *testing.T) {
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		in := filled(t, dtype, []int{2, 3}, 1, nan, 2, 1, 2, 3)
		for _, op := range []compute.OpType{compute.OpTypeReduceSum, compute.OpTypeReduceMax, compute.OpTypeReduceMin} {
			rows, columns := empty(t, dtype, 2), empty(t, dtype, 3)
			must(t, ops.Reduce(op, rows, in, []int{1}))
			must(t, ops.Reduce(op, columns, in, []int{0}))
			if !math.IsNaN(values(t, rows)[0]) || !math.IsNaN(values(t, columns)[1]) {
				t.Errorf("%s lost NaN: %v, %v", op, values(t, rows), values(t, columns))
			}
			if math.IsNaN(values(t, rows)[1]) || math.IsNaN(values(t, columns)[0]) {
				t.Errorf("%s spread NaN: %v, %v", op, values(t, rows), values(t, columns))
			}
		}
	})
}

func TestSumOfManyFloatsIsAccurate(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	in, out := empty(t, dtypes.Float32, 1<<20), empty(t, dtypes.Float32)
	want := 0.0
	for i := range tensor.Of[float32](in) {
		tensor.Of[float32](in)[i] = random.Float32()
		want += float64(tensor.Of[float32](in)[i])
	}
	must(t, ops.Reduce(compute.OpTypeReduceSum, out, in, nil))
	expect(t, out, 1e-6, want)
}

func TestArgMinMax(t *testing.T) {
	for _, dtype := range numberTypes {
		in := filled(t, dtype, []int{2, 4}, 3, 1, 1, 3, 2, 2, 5, 0)
		for _, outType := range []dtypes.DType{dtypes.Int32, dtypes.Int64, dtypes.Uint8} {
			rows, columns := empty(t, outType, 2), empty(t, outType, 4)
			must(t, ops.ArgMinMax(rows, in, 1, true))
			expect(t, rows, 0, 1, 3)
			must(t, ops.ArgMinMax(rows, in, 1, false))
			expect(t, rows, 0, 0, 2)
			must(t, ops.ArgMinMax(columns, in, 0, false))
			expect(t, columns, 0, 0, 1, 1, 0)
		}
	}
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		out := empty(t, dtypes.Int32)
		for _, isMin := range []bool{false, true} {
			must(t, ops.ArgMinMax(out, filled(t, dtype, []int{4}, 1, nan, 3, 0), 0, isMin))
			expect(t, out, 0, 1)
			must(t, ops.ArgMinMax(out, filled(t, dtype, []int{2}, nan, 3), 0, isMin))
			expect(t, out, 0, 0)
		}
	})
}
