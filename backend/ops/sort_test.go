package ops_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

func TestSortIsStableAndMovesAllInputsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := draw(t, "key", drawType(t, numberTypes), drawDimensions(t, 1, 3)...)
		dimensions := keys.Shape.Dimensions
		axis := rapid.IntRange(0, len(dimensions)-1).Draw(t, "axis")
		positions := empty(t, dtypes.Int32, dimensions...)
		must(t, ops.Iota(positions, axis))
		sorted, moved := empty(t, keys.Shape.DType, dimensions...), empty(t, dtypes.Int32, dimensions...)
		a := arrayOf(t, keys)
		less := func(i, j int) (bool, error) { return a.values[i] < a.values[j], nil }
		must(t, ops.Sort([]tensor.Tensor{sorted, moved}, []tensor.Tensor{keys, positions}, axis, less))

		got, order := arrayOf(t, sorted), arrayOf(t, moved)
		eachIndex(dimensions, func(index []int) {
			source := slices.Clone(index)
			source[axis] = int(order.at(index...))
			if got.at(index...) != a.at(source...) {
				t.Fatalf("key and position differ at %v", index)
			}
			if index[axis] == 0 {
				return
			}
			before := slices.Clone(index)
			before[axis]--
			switch previous, current := got.at(before...), got.at(index...); {
			case previous > current:
				t.Fatalf("%v comes before %v", previous, current)
			case previous == current && order.at(before...) >= order.at(index...):
				t.Fatalf("equal elements changed order at %v", index)
			}
		})
	})
}

func TestSortReturnsTheComparisonsError(t *testing.T) {
	x, out := filled(t, dtypes.Int32, []int{5}, 3, 1, 2, 5, 4), empty(t, dtypes.Int32, 5)
	failure, calls := errors.New("failure"), 0
	err := ops.Sort([]tensor.Tensor{out}, []tensor.Tensor{x}, 0, func(_, _ int) (bool, error) {
		calls++
		return false, failure
	})
	if !errors.Is(err, failure) || calls != 1 {
		t.Errorf("got error %v after %d calls", err, calls)
	}
}

func TestElement(t *testing.T) {
	forTypes(t, movableTypes, func(t *testing.T, dtype dtypes.DType) {
		x, out := filled(t, dtype, []int{2, 2}, 0, 0, 1, 0), empty(t, dtype)
		must(t, ops.Element(out, x, 2))
		expect(t, out, 0, 1)
		for _, position := range []int{-1, 4} {
			if err := ops.Element(out, x, position); err == nil {
				t.Errorf("position %d gave no error", position)
			}
		}
	})
}
