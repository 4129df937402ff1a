package ops

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// GatherAxes holds the attributes of Gather, as in compute.StandardOps.
type GatherAxes struct {
	IndexVectorAxis    int
	OffsetOutputAxes   []int
	CollapsedSliceAxes []int
	StartIndexMap      []int
	SliceSizes         []int
}

// Gather copies slices of in, each starting where a vector of startIndices says.
// Starts are moved by as little as puts the slice inside in.
func Gather(out, in, startIndices tensor.Tensor, axes GatherAxes) error {
	const op = "gather"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	if err := checkMovable(op, in); err != nil {
		return err
	}
	vectors, err := newIndexVectors(op, startIndices, axes.IndexVectorAxis, len(axes.StartIndexMap))
	if err != nil {
		return err
	}
	batchAxes, sliceStrides, err := checkGather(op, out, in, vectors, axes)
	if err != nil {
		return err
	}
	inStrides := rowMajor(in.Shape.Dimensions)
	slice := newNest(axes.SliceSizes, sliceStrides, inStrides)
	batch := newNest(vectors.dimensions, permuted(rowMajor(out.Shape.Dimensions), batchAxes), vectors.strides)
	to, from := region{tensor: out}, region{tensor: in}
	length, outStep, indexStep := batch.length(), batch.step(0), batch.step(1)
	offsets := []int{0, 0}
	batch.rows(offsets, func() {
		for i := range length {
			to.start = offsets[0] + i*outStep
			from.start = 0
			for component, axis := range axes.StartIndexMap {
				start := vectors.flat[offsets[1]+i*indexStep+component*vectors.componentStride]
				room := in.Shape.Dimensions[axis] - axes.SliceSizes[axis]
				from.start += max(0, min(start, room)) * inStrides[axis]
			}
			moveNest(to, from, slice)
		}
	})
	return nil
}

// checkGather checks the attributes of Gather. It returns the axes of out that
// follow the index vectors, and the strides in out of the axes of a slice.
func checkGather(op string, out, in tensor.Tensor, vectors indexVectors, axes GatherAxes) (batchAxes, sliceStrides []int, err error) {
	rank, outRank := in.Shape.Rank(), out.Shape.Rank()
	if err := checkLength(op, "slice sizes", len(axes.SliceSizes), rank); err != nil {
		return nil, nil, err
	}
	if err := checkAxes(op, "collapsed axes", axes.CollapsedSliceAxes, rank); err != nil {
		return nil, nil, err
	}
	if err := checkAxes(op, "start index map", axes.StartIndexMap, rank); err != nil {
		return nil, nil, err
	}
	if err := checkAxes(op, "offset axes", axes.OffsetOutputAxes, outRank); err != nil {
		return nil, nil, err
	}
	if err := checkLength(op, "offset axes", len(axes.OffsetOutputAxes), rank-len(axes.CollapsedSliceAxes)); err != nil {
		return nil, nil, err
	}
	batchAxes = remainingAxes(outRank, axes.OffsetOutputAxes, nil)
	if err := checkLength(op, "output axes besides the offset axes", len(batchAxes), len(vectors.dimensions)); err != nil {
		return nil, nil, err
	}
	want := make([]int, outRank)
	for i, axis := range batchAxes {
		want[axis] = vectors.dimensions[i]
	}
	outStrides := rowMajor(out.Shape.Dimensions)
	sliceStrides = make([]int, rank)
	// The axes of a slice appear in the output in ascending order.
	offsets := slices.Sorted(slices.Values(axes.OffsetOutputAxes))
	for axis, size := range axes.SliceSizes {
		collapsed := slices.Contains(axes.CollapsedSliceAxes, axis)
		if size < 0 || size > in.Shape.Dimensions[axis] || collapsed && size != 1 {
			return nil, nil, fmt.Errorf("%s: slice size of axis %d of %s is %d, expected one that fits, 1 if collapsed", op, axis, in.Shape, size)
		}
		if !collapsed {
			want[offsets[0]], sliceStrides[axis] = size, outStrides[offsets[0]]
			offsets = offsets[1:]
		}
	}
	return batchAxes, sliceStrides, checkShape(op, "output", out, in.Shape.DType, want)
}

// indexVectors are the vectors along one axis of an integer tensor.
type indexVectors struct {
	flat            []int
	dimensions      []int // of the tensor without the axis
	strides         []int // of these dimensions
	componentStride int
}

// newIndexVectors reads the vectors of the given size along an axis; the axis
// after the last is one of size 1.
func newIndexVectors(op string, t tensor.Tensor, axis, size int) (indexVectors, error) {
	flat, err := indices(op, t)
	if err != nil {
		return indexVectors{}, err
	}
	dimensions := append(slices.Clone(t.Shape.Dimensions), 1)
	if axis < 0 || axis >= len(dimensions) {
		return indexVectors{}, fmt.Errorf("%s: index vector axis is %d, expected one of 0 to %d", op, axis, len(dimensions)-1)
	}
	if axis < t.Shape.Rank() {
		dimensions = dimensions[:t.Shape.Rank()]
	}
	strides := rowMajor(dimensions)
	v := indexVectors{
		flat:            flat,
		dimensions:      slices.Delete(slices.Clone(dimensions), axis, axis+1),
		strides:         slices.Delete(slices.Clone(strides), axis, axis+1),
		componentStride: strides[axis],
	}
	return v, checkLength(op, "axes for an index vector", size, dimensions[axis])
}

// ScatterAxes holds the attributes of Scatter, as in compute.StandardOps.
type ScatterAxes struct {
	IndexVectorAxis          int
	UpdateWindowAxes         []int
	InsertedWindowAxes       []int
	ScatterAxesToOperandAxes []int
}

// Scatter copies in to out and combines windows of updates with it, each where a
// vector of scatterIndices says, in row-major order of these: ScatterSum, ScatterMax or
// ScatterMin. A window that is not wholly inside in is left out. out may be in.
func Scatter(op compute.OpType, out, in, scatterIndices, updates tensor.Tensor, axes ScatterAxes) error {
	name := op.String()
	if err := checkTensors(name, out, in, updates); err != nil {
		return err
	}
	if err := checkShape(name, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	if err := checkSameType(name, in, updates); err != nil {
		return err
	}
	switch in.Shape.DType {
	case dtypes.Int8:
		return scatter[int8](op, out, in, scatterIndices, updates, axes)
	case dtypes.Int16:
		return scatter[int16](op, out, in, scatterIndices, updates, axes)
	case dtypes.Int32:
		return scatter[int32](op, out, in, scatterIndices, updates, axes)
	case dtypes.Int64:
		return scatter[int64](op, out, in, scatterIndices, updates, axes)
	case dtypes.Uint8:
		return scatter[uint8](op, out, in, scatterIndices, updates, axes)
	case dtypes.Uint16:
		return scatter[uint16](op, out, in, scatterIndices, updates, axes)
	case dtypes.Uint32:
		return scatter[uint32](op, out, in, scatterIndices, updates, axes)
	case dtypes.Uint64:
		return scatter[uint64](op, out, in, scatterIndices, updates, axes)
	case dtypes.Float32:
		return scatter[float32](op, out, in, scatterIndices, updates, axes)
	case dtypes.Float64:
		return scatter[float64](op, out, in, scatterIndices, updates, axes)
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(name, out, []tensor.Tensor{in, updates}, func(out tensor.Tensor, wide []tensor.Tensor) error {
			return Scatter(op, out, wide[0], scatterIndices, wide[1], axes)
		})
	}
	return unsupported(name, in.Shape.DType)
}

func scatter[T gotype.NumericNotComplex](op compute.OpType, out, in, scatterIndices, updates tensor.Tensor, axes ScatterAxes) error {
	name := op.String()
	combine := stridedKernel[T](op)
	if combine == nil {
		return unsupported(name, in.Shape.DType)
	}
	vectors, err := newIndexVectors(name, scatterIndices, axes.IndexVectorAxis, len(axes.ScatterAxesToOperandAxes))
	if err != nil {
		return err
	}
	box, boxStrides, batchAxes, err := checkScatter(name, in, updates, vectors, axes)
	if err != nil {
		return err
	}
	copyAll(out, in)
	to, from := tensor.Of[T](out), tensor.Of[T](updates)
	outStrides := rowMajor(in.Shape.Dimensions)
	window := newNest(box, outStrides, boxStrides)
	batch := newNest(vectors.dimensions, permuted(rowMajor(updates.Shape.Dimensions), batchAxes), vectors.strides)
	length, updateStep, indexStep := batch.length(), batch.step(0), batch.step(1)
	offsets, at := []int{0, 0}, []int{0, 0}
	batch.rows(offsets, func() {
		for i := range length {
			at[0], at[1] = 0, offsets[0]+i*updateStep
			inside := true
			for component, axis := range axes.ScatterAxesToOperandAxes {
				start := vectors.flat[offsets[1]+i*indexStep+component*vectors.componentStride]
				inside = inside && start >= 0 && start <= in.Shape.Dimensions[axis]-box[axis]
				at[0] += start * outStrides[axis]
			}
			if inside {
				window.rows(at, func() {
					combine(to[at[0]:], from[at[1]:], window.length(), window.step(0), window.step(1))
				})
			}
		}
	})
	return nil
}

// checkScatter checks the attributes of Scatter. It returns the dimensions of a
// window in in and its strides in updates, and the axes of updates that follow
// the index vectors.
func checkScatter(op string, in, updates tensor.Tensor, vectors indexVectors, axes ScatterAxes) (box, strides, batchAxes []int, err error) {
	rank := in.Shape.Rank()
	if err := checkAxes(op, "update window axes", axes.UpdateWindowAxes, updates.Shape.Rank()); err != nil {
		return nil, nil, nil, err
	}
	if err := checkAxes(op, "inserted window axes", axes.InsertedWindowAxes, rank); err != nil {
		return nil, nil, nil, err
	}
	if err := checkAxes(op, "scatter axes", axes.ScatterAxesToOperandAxes, rank); err != nil {
		return nil, nil, nil, err
	}
	if err := checkLength(op, "window axes", len(axes.UpdateWindowAxes), rank-len(axes.InsertedWindowAxes)); err != nil {
		return nil, nil, nil, err
	}
	batchAxes = remainingAxes(updates.Shape.Rank(), axes.UpdateWindowAxes, nil)
	if got := permuted(updates.Shape.Dimensions, batchAxes); !slices.Equal(got, vectors.dimensions) {
		return nil, nil, nil, fmt.Errorf("%s: updates have dimensions %v outside the windows, expected the indices' %v", op, got, vectors.dimensions)
	}
	box, strides = make([]int, rank), make([]int, rank)
	fill(box, 1)
	updateStrides := rowMajor(updates.Shape.Dimensions)
	for i, axis := range remainingAxes(rank, axes.InsertedWindowAxes, nil) {
		box[axis] = updates.Shape.Dimensions[axes.UpdateWindowAxes[i]]
		strides[axis] = updateStrides[axes.UpdateWindowAxes[i]]
		if box[axis] > in.Shape.Dimensions[axis] {
			return nil, nil, nil, fmt.Errorf("%s: updates %s do not fit axis %d of %s", op, updates.Shape, axis, in.Shape)
		}
	}
	return box, strides, batchAxes, nil
}

// stridedKernel returns the function that combines length elements of from, in
// steps, into to.
func stridedKernel[T gotype.NumericNotComplex](op compute.OpType) func(to, from []T, length, toStep, fromStep int) {
	switch op {
	case compute.OpTypeScatterSum:
		return func(to, from []T, length, toStep, fromStep int) {
			for i := range length {
				to[i*toStep] += from[i*fromStep]
			}
		}
	case compute.OpTypeScatterMax:
		return func(to, from []T, length, toStep, fromStep int) {
			for i := range length {
				to[i*toStep] = max(to[i*toStep], from[i*fromStep])
			}
		}
	case compute.OpTypeScatterMin:
		return func(to, from []T, length, toStep, fromStep int) {
			for i := range length {
				to[i*toStep] = min(to[i*toStep], from[i*fromStep])
			}
		}
	}
	return nil
}
