package backend

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
)

// Gather collects slices of operand; see compute.StandardOps.
func (f *Function) Gather(
	operand, startIndices compute.Value, indexVectorAxis int,
	offsetOutputAxes, collapsedSliceAxes, startIndexMap, sliceSizes []int, indicesAreSorted bool,
) (compute.Value, error) {
	return f.add(compute.OpTypeGather, ir.Gather{
		IndexVectorAxis:    indexVectorAxis,
		OffsetOutputAxes:   slices.Clone(offsetOutputAxes),
		CollapsedSliceAxes: slices.Clone(collapsedSliceAxes),
		StartIndexMap:      slices.Clone(startIndexMap),
		SliceSizes:         slices.Clone(sliceSizes),
		IndicesAreSorted:   indicesAreSorted,
	}, operand, startIndices)
}

// ScatterSum adds updates to slices of operand; see compute.StandardOps.
func (f *Function) ScatterSum(
	operand, scatterIndices, updates compute.Value, indexVectorAxis int,
	updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes []int, indicesAreSorted, uniqueIndices bool,
) (compute.Value, error) {
	a := scatterAttributes(indexVectorAxis, updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes, indicesAreSorted, uniqueIndices)
	return f.add(compute.OpTypeScatterSum, a, operand, scatterIndices, updates)
}

// ScatterMax takes the greater of updates and slices of operand; see
// compute.StandardOps.
func (f *Function) ScatterMax(
	operand, scatterIndices, updates compute.Value, indexVectorAxis int,
	updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes []int, indicesAreSorted, uniqueIndices bool,
) (compute.Value, error) {
	a := scatterAttributes(indexVectorAxis, updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes, indicesAreSorted, uniqueIndices)
	return f.add(compute.OpTypeScatterMax, a, operand, scatterIndices, updates)
}

// ScatterMin takes the smaller of updates and slices of operand; see
// compute.StandardOps.
func (f *Function) ScatterMin(
	operand, scatterIndices, updates compute.Value, indexVectorAxis int,
	updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes []int, indicesAreSorted, uniqueIndices bool,
) (compute.Value, error) {
	a := scatterAttributes(indexVectorAxis, updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes, indicesAreSorted, uniqueIndices)
	return f.add(compute.OpTypeScatterMin, a, operand, scatterIndices, updates)
}

func scatterAttributes(indexVectorAxis int, updateWindowAxes, insertedWindowAxes, scatterAxesToOperandAxes []int, sorted, unique bool) ir.Scatter {
	return ir.Scatter{
		IndexVectorAxis:          indexVectorAxis,
		UpdateWindowAxes:         slices.Clone(updateWindowAxes),
		InsertedWindowAxes:       slices.Clone(insertedWindowAxes),
		ScatterAxesToOperandAxes: slices.Clone(scatterAxesToOperandAxes),
		IndicesAreSorted:         sorted,
		UniqueIndices:            unique,
	}
}

// DynamicSlice takes the part of operand that begins at startIndices, moved to
// lie within it. The indices are scalars, one per axis, or one vector of them.
func (f *Function) DynamicSlice(operand compute.Value, startIndices []compute.Value, sliceDims []int) (compute.Value, error) {
	starts, err := f.scalars(compute.OpTypeDynamicSlice, startIndices)
	if err != nil {
		return nil, err
	}
	inputs := append([]compute.Value{operand}, starts...)
	return f.add(compute.OpTypeDynamicSlice, ir.DynamicSlice{Sizes: slices.Clone(sliceDims)}, inputs...)
}

// DynamicUpdateSlice replaces the part of operand that begins at startIndices,
// moved so that update lies within it. The indices are scalars, one per axis,
// or one vector of them.
func (f *Function) DynamicUpdateSlice(operand, update compute.Value, startIndices []compute.Value) (compute.Value, error) {
	starts, err := f.scalars(compute.OpTypeDynamicUpdateSlice, startIndices)
	if err != nil {
		return nil, err
	}
	inputs := append([]compute.Value{operand, update}, starts...)
	return f.add(compute.OpTypeDynamicUpdateSlice, nil, inputs...)
}

// scalars returns the elements of a vector that stands alone in a list, and any
// other list as it is.
func (f *Function) scalars(op compute.OpType, list []compute.Value) ([]compute.Value, error) {
	if len(list) != 1 {
		return list, nil
	}
	vector, err := f.shape(op, list[0])
	if err != nil || vector.Rank() != 1 || vector.IsDynamic() {
		return list, err
	}
	e := &expression{f: f, op: op}
	elements := make([]compute.Value, vector.Dimensions[0])
	for i := range elements {
		element := e.sliceLast(list[0], i, i+1)
		elements[i] = e.add(compute.OpTypeReshape, ir.Target{Shape: shapes.Make(vector.DType)}, element)
	}
	return elements, e.err
}

// RNGBitGenerator returns random bits and the state for the next call.
func (f *Function) RNGBitGenerator(state compute.Value, shape shapes.Shape) (newState, values compute.Value, err error) {
	outputs, err := f.addMany(compute.OpTypeRNGBitGenerator, ir.Target{Shape: shape.Clone()}, []compute.Value{state})
	if err != nil {
		return nil, nil, err
	}
	return outputs[0], outputs[1], nil
}
