package ops_test

import (
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

// drawDot draws operands with up to two axes of each role, shuffled.
func drawDot(t *rapid.T) (lhs, rhs []int, axes ops.DotAxes) {
	batch := drawDimensions(t, 0, 2)
	contracting := drawDimensions(t, 0, 2)
	lhsCross, rhsCross := drawDimensions(t, 0, 2), drawDimensions(t, 0, 2)
	lhs, axes.LHSBatch, axes.LHSContracting = shuffled(t, batch, contracting, lhsCross)
	rhs, axes.RHSBatch, axes.RHSContracting = shuffled(t, batch, contracting, rhsCross)
	return lhs, rhs, axes
}

// shuffled returns dimensions in random order, and where the first two groups went.
func shuffled(t *rapid.T, batch, contracting, cross []int) (dimensions, batchAxes, contractingAxes []int) {
	all := slices.Concat(batch, contracting, cross)
	order := drawPermutation(t, len(all))
	for i := range all {
		place := slices.Index(order, i)
		switch {
		case i < len(batch):
			batchAxes = append(batchAxes, place)
		case i < len(batch)+len(contracting):
			contractingAxes = append(contractingAxes, place)
		}
	}
	return permuted(all, order), batchAxes, contractingAxes
}

// dotReference computes a DotGeneral by its definition.
func dotReference(a, b array, axes ops.DotAxes) array {
	batch := permuted(a.dimensions, axes.LHSBatch)
	contracting := permuted(a.dimensions, axes.LHSContracting)
	lhsUsed, rhsUsed := slices.Concat(axes.LHSBatch, axes.LHSContracting), slices.Concat(axes.RHSBatch, axes.RHSContracting)
	lhsCross, rhsCross := without(a.dimensions, lhsUsed), without(b.dimensions, rhsUsed)
	place := func(rank int, batchAxes, contractingAxes, batchIndex, contractingIndex, crossIndex []int) []int {
		index := make([]int, rank)
		used := slices.Concat(batchAxes, contractingAxes)
		for i, value := range slices.Concat(batchIndex, contractingIndex) {
			index[used[i]] = value
		}
		for axis := range index {
			if !slices.Contains(used, axis) {
				index[axis], crossIndex = crossIndex[0], crossIndex[1:]
			}
		}
		return index
	}
	result := array{dimensions: slices.Concat(batch, lhsCross, rhsCross)}
	eachIndex(result.dimensions, func(index []int) {
		sum := 0.0
		eachIndex(contracting, func(inner []int) {
			left := index[len(batch) : len(batch)+len(lhsCross)]
			right := index[len(batch)+len(lhsCross):]
			sum += a.at(place(len(a.dimensions), axes.LHSBatch, axes.LHSContracting, index[:len(batch)], inner, left)...) *
				b.at(place(len(b.dimensions), axes.RHSBatch, axes.RHSContracting, index[:len(batch)], inner, right)...)
		})
		result.values = append(result.values, sum)
	})
	return result
}

func TestDotGeneral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, []dtypes.DType{
			dtypes.Float32, dtypes.Float64, dtypes.Float16, dtypes.BFloat16,
			dtypes.Int16, dtypes.Int32, dtypes.Int64, dtypes.Uint16, dtypes.Uint32, dtypes.Uint64,
		})
		lhsDimensions, rhsDimensions, axes := drawDot(t)
		lhs, rhs := draw(t, "lhs", dtype, lhsDimensions...), draw(t, "rhs", dtype, rhsDimensions...)
		want := dotReference(arrayOf(t, lhs), arrayOf(t, rhs), axes)
		out := empty(t, dtype, want.dimensions...)
		must(t, ops.DotGeneral(out, lhs, rhs, axes, dtypes.InvalidDType))
		expect(t, out, 0, want.values...)
	})
}

func TestDotGeneralAccumulator(t *testing.T) {
	axes := ops.DotAxes{LHSContracting: []int{0}, RHSContracting: []int{0}}
	x := filled(t, dtypes.Int8, []int{2}, 100, 100)
	narrow, wide := empty(t, dtypes.Int8), empty(t, dtypes.Int32)
	must(t, ops.DotGeneral(narrow, x, x, axes, dtypes.InvalidDType))
	expect(t, narrow, 0, 32) // 20000 modulo 256
	must(t, ops.DotGeneral(wide, x, x, axes, dtypes.Int32))
	expect(t, wide, 0, 20000)

	// In bfloat16 the sum would stay at 256, where adding 1 changes nothing.
	ones := empty(t, dtypes.BFloat16, 1000)
	must(t, ops.BroadcastInDim(ones, filled(t, dtypes.BFloat16, nil, 1), nil))
	out := empty(t, dtypes.Float32)
	must(t, ops.DotGeneral(out, ones, ones, axes, dtypes.InvalidDType))
	expect(t, out, 0, 1000)
}

func TestDotGeneralOfNothingIsZero(t *testing.T) {
	axes := ops.DotAxes{LHSContracting: []int{1}, RHSContracting: []int{0}}
	out := filled(t, dtypes.Float32, []int{2, 2}, 1, 2, 3, 4)
	must(t, ops.DotGeneral(out, empty(t, dtypes.Float32, 2, 0), empty(t, dtypes.Float32, 0, 2), axes, dtypes.InvalidDType))
	expect(t, out, 0, 0, 0, 0, 0)
}
