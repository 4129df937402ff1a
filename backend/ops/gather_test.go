package ops_test

import (
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

// A slicing is a random choice of how index vectors address an operand, common
// to Gather and Scatter.
type slicing struct {
	operand     []int // dimensions
	box         []int // of each slice
	collapsed   []int // axes of the operand
	indexed     []int // axes of the operand, by component of the vectors
	batch       []int // dimensions of the indices without the vectors' axis
	vectorAxis  int
	indices     tensor.Tensor
	sliced      []int // dimensions of the batch of slices
	offsetAxes  []int // of these, where the slices' axes went
	offsetSizes []int
}

func drawSlicing(t *rapid.T) slicing {
	s := slicing{operand: drawDimensions(t, 1, 3)}
	for axis, size := range s.operand {
		s.box = append(s.box, rapid.IntRange(1, size).Draw(t, "slice size"))
		if s.box[axis] == 1 && rapid.Bool().Draw(t, "collapsed") {
			s.collapsed = append(s.collapsed, axis)
		} else {
			s.offsetSizes = append(s.offsetSizes, s.box[axis])
		}
	}
	s.indexed = drawPermutation(t, len(s.operand))
	s.indexed = s.indexed[:rapid.IntRange(1, len(s.indexed)).Draw(t, "index vector size")]
	s.batch = drawDimensions(t, 0, 2)
	s.vectorAxis = rapid.IntRange(0, len(s.batch)).Draw(t, "index vector axis")
	dimensions := slices.Insert(slices.Clone(s.batch), s.vectorAxis, len(s.indexed))
	if len(s.indexed) == 1 && s.vectorAxis == len(s.batch) && len(s.batch) > 0 && rapid.Bool().Draw(t, "implicit axis") {
		dimensions = s.batch
	}
	dtype := drawType(t, integerTypes)
	s.indices = draw(t, "index", dtype, dimensions...)

	rank := len(s.batch) + len(s.offsetSizes)
	s.offsetAxes = drawPermutation(t, rank)[:len(s.offsetSizes)]
	slices.Sort(s.offsetAxes)
	batch, offset := s.batch, s.offsetSizes
	for axis := range rank {
		if slices.Contains(s.offsetAxes, axis) {
			s.sliced, offset = append(s.sliced, offset[0]), offset[1:]
		} else {
			s.sliced, batch = append(s.sliced, batch[0]), batch[1:]
		}
	}
	return s
}

// start returns where in the operand the slice of a batch index starts.
func (s slicing) start(a array, batchIndex []int) []int {
	start := make([]int, len(s.operand))
	for component, axis := range s.indexed {
		index := slices.Insert(slices.Clone(batchIndex), s.vectorAxis, component)
		start[axis] = int(a.at(index[:len(a.dimensions)]...))
	}
	return start
}

// split separates an index of the batch of slices.
func (s slicing) split(index []int) (batchIndex, boxIndex []int) {
	boxIndex = make([]int, len(s.operand))
	offset := permuted(index, s.offsetAxes)
	for axis := range s.operand {
		if !slices.Contains(s.collapsed, axis) {
			boxIndex[axis], offset = offset[0], offset[1:]
		}
	}
	return without(index, s.offsetAxes), boxIndex
}

func TestGatherCopiesSlicesAtClampedStarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSlicing(t)
		dtype := drawType(t, movableTypes)
		operand, out := draw(t, "operand", dtype, s.operand...), empty(t, dtype, s.sliced...)
		must(t, ops.Gather(out, operand, s.indices, ops.GatherAxes{
			IndexVectorAxis: s.vectorAxis, OffsetOutputAxes: s.offsetAxes, CollapsedSliceAxes: s.collapsed,
			StartIndexMap: s.indexed, SliceSizes: s.box,
		}))
		a, indices := arrayOf(t, operand), arrayOf(t, s.indices)
		var want []float64
		eachIndex(s.sliced, func(index []int) {
			batchIndex, position := s.split(index)
			for axis, start := range s.start(indices, batchIndex) {
				position[axis] += max(0, min(start, s.operand[axis]-s.box[axis]))
			}
			want = append(want, a.at(position...))
		})
		expect(t, out, 0, want...)
	})
}

func TestScatterCombinesWindowsThatFit(t *testing.T) {
	combine := map[compute.OpType]func(a, b float64) float64{
		compute.OpTypeScatterSum: func(a, b float64) float64 { return a + b },
		compute.OpTypeScatterMax: func(a, b float64) float64 { return max(a, b) },
		compute.OpTypeScatterMin: func(a, b float64) float64 { return min(a, b) },
	}
	rapid.Check(t, func(t *rapid.T) {
		s := drawSlicing(t)
		dtype := drawType(t, append(slices.Clone(floatTypes), dtypes.Int32, dtypes.Int64, dtypes.Uint32))
		op := rapid.SampledFrom([]compute.OpType{compute.OpTypeScatterSum, compute.OpTypeScatterMax, compute.OpTypeScatterMin}).Draw(t, "op")
		operand, updates := draw(t, "operand", dtype, s.operand...), draw(t, "updates", dtype, s.sliced...)
		a, u, indices := arrayOf(t, operand), arrayOf(t, updates), arrayOf(t, s.indices)
		eachIndex(s.sliced, func(index []int) {
			batchIndex, position := s.split(index)
			for axis, start := range s.start(indices, batchIndex) {
				if start < 0 || start+s.box[axis] > s.operand[axis] {
					return
				}
				position[axis] += start
			}
			target := flat(s.operand, position)
			a.values[target] = combine[op](a.values[target], u.at(index...))
		})
		out := operand
		if rapid.Bool().Draw(t, "copy") {
			out = empty(t, dtype, s.operand...)
		}
		must(t, ops.Scatter(op, out, operand, s.indices, updates, ops.ScatterAxes{
			IndexVectorAxis: s.vectorAxis, UpdateWindowAxes: s.offsetAxes, InsertedWindowAxes: s.collapsed,
			ScatterAxesToOperandAxes: s.indexed,
		}))
		expect(t, out, precision(dtype), a.values...)
	})
}

func TestScatterSumIntoRows(t *testing.T) {
	forTypes(t, numberTypes, func(t *testing.T, dtype dtypes.DType) {
		table := filled(t, dtype, []int{3, 2}, 1, 1, 1, 1, 1, 1)
		updates := filled(t, dtype, []int{3, 2}, 1, 2, 3, 4, 5, 6)
		must(t, ops.Scatter(compute.OpTypeScatterSum, table, table, filled(t, dtypes.Int32, []int{3, 1}, 2, 0, 2), updates, ops.ScatterAxes{
			IndexVectorAxis: 1, UpdateWindowAxes: []int{1}, InsertedWindowAxes: []int{0}, ScatterAxesToOperandAxes: []int{0},
		}))
		expect(t, table, 0, 4, 5, 1, 1, 7, 9)
	})
}
