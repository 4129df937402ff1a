package backend

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/backend/ir"
)

// ReduceSum returns the sum over the axes; all of them if none is given.
func (f *Function) ReduceSum(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceSum, x, axes)
}

// ReduceProduct returns the product over the axes; all of them if none is given.
func (f *Function) ReduceProduct(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceProduct, x, axes)
}

// ReduceMax returns the greatest element, NaN if there is one, over the axes; all of them if none is given.
func (f *Function) ReduceMax(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceMax, x, axes)
}

// ReduceMin returns the least element, NaN if there is one, over the axes; all of them if none is given.
func (f *Function) ReduceMin(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceMin, x, axes)
}

// ReduceBitwiseAnd returns the bits set in all elements over the axes; all of them if none is given.
func (f *Function) ReduceBitwiseAnd(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceBitwiseAnd, x, axes)
}

// ReduceBitwiseOr returns the bits set in any element over the axes; all of them if none is given.
func (f *Function) ReduceBitwiseOr(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceBitwiseOr, x, axes)
}

// ReduceBitwiseXor returns the bits set in an odd number of elements over the axes; all of them if none is given.
func (f *Function) ReduceBitwiseXor(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceBitwiseXor, x, axes)
}

// ReduceLogicalAnd returns whether all elements are true over the axes; all of them if none is given.
func (f *Function) ReduceLogicalAnd(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceLogicalAnd, x, axes)
}

// ReduceLogicalOr returns whether any element is true over the axes; all of them if none is given.
func (f *Function) ReduceLogicalOr(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceLogicalOr, x, axes)
}

// ReduceLogicalXor returns whether an odd number of elements is true over the axes; all of them if none is given.
func (f *Function) ReduceLogicalXor(x compute.Value, axes ...int) (compute.Value, error) {
	return f.reduce(compute.OpTypeReduceLogicalXor, x, axes)
}

// reduce adds a reduction over the axes, or over all if there are none.
func (f *Function) reduce(op compute.OpType, x compute.Value, axes []int) (compute.Value, error) {
	operand, err := f.shape(op, x)
	if err != nil {
		return nil, err
	}
	if operand.DType == dtypes.Bool { // false is less than true
		switch op {
		case compute.OpTypeReduceMax:
			op = compute.OpTypeReduceLogicalOr
		case compute.OpTypeReduceMin:
			op = compute.OpTypeReduceLogicalAnd
		}
	}
	if len(axes) == 0 {
		axes = make([]int, operand.Rank())
		for axis := range axes {
			axes[axis] = axis
		}
	}
	return f.add(op, ir.Axes{Axes: slices.Sorted(slices.Values(axes))}, x)
}

// ArgMinMax returns the index of the least or greatest element along an axis, or
// of the first NaN.
func (f *Function) ArgMinMax(x compute.Value, axis int, outputDType dtypes.DType, isMin bool) (compute.Value, error) {
	if !outputDType.IsInt() || !capabilities.DTypes[outputDType] {
		return nil, fmt.Errorf("ArgMinMax: output data type is %s, expected an integer", outputDType)
	}
	e := &expression{f: f, op: compute.OpTypeArgMinMax}
	if e.shape(x).DType == dtypes.Bool {
		x = e.convert(x, dtypes.Uint8)
	}
	return e.result(e.add(compute.OpTypeArgMinMax, ir.ArgMinMax{Axis: axis, DType: outputDType, IsMin: isMin}, x))
}

// ReduceWindow reduces what lies in a moving window. Strides default to the
// window's dimensions, dilations to 1, paddings to 0.
func (f *Function) ReduceWindow(
	x compute.Value, reduction compute.ReduceOpType,
	windowDimensions, strides, inputDilations, windowDilations []int, paddings [][2]int,
) (compute.Value, error) {
	operand, err := f.shape(compute.OpTypeReduceWindow, x)
	if err != nil {
		return nil, err
	}
	if reduction <= compute.ReduceOpUndefined || reduction > compute.ReduceOpMin {
		return nil, fmt.Errorf("ReduceWindow: reduction %s is not one of sum, product, max and min", reduction)
	}
	ones := slices.Repeat([]int{1}, operand.Rank())
	a := ir.Window{Reduction: reduction, Dimensions: orDefault(windowDimensions, ones)}
	a.Strides = orDefault(strides, a.Dimensions)
	a.InputDilations = orDefault(inputDilations, ones)
	a.WindowDilations = orDefault(windowDilations, ones)
	a.Paddings = orDefault(paddings, make([][2]int, operand.Rank()))
	if operand.DType == dtypes.Bool {
		return f.reduceWindowOfBooleans(a, x)
	}
	return f.add(compute.OpTypeReduceWindow, a, x)
}

// reduceWindowOfBooleans takes false as 0 and true as 1.
func (f *Function) reduceWindowOfBooleans(a ir.Window, x compute.Value) (compute.Value, error) {
	if a.Reduction != compute.ReduceOpMax && a.Reduction != compute.ReduceOpMin {
		return nil, fmt.Errorf("ReduceWindow: reduction %s is not defined for booleans", a.Reduction)
	}
	e := &expression{f: f, op: compute.OpTypeReduceWindow}
	return e.result(e.convert(e.add(compute.OpTypeReduceWindow, a, e.convert(x, dtypes.Uint8)), dtypes.Bool))
}

// orDefault returns a copy of list, or of the default if it is empty.
func orDefault[T any](list, byDefault []T) []T {
	if len(list) == 0 {
		list = byDefault
	}
	return slices.Clone(list)
}

// SelectAndScatterMax adds each element of source to where the greatest element
// of its window lies, the first of equals.
func (f *Function) SelectAndScatterMax(x, source compute.Value, windowDimensions, windowStrides []int, paddings [][2]int) (compute.Value, error) {
	return f.selectAndScatter(compute.OpTypeSelectAndScatterMax, x, source, windowDimensions, windowStrides, paddings)
}

// SelectAndScatterMin adds each element of source to where the least element of
// its window lies, the first of equals.
func (f *Function) SelectAndScatterMin(x, source compute.Value, windowDimensions, windowStrides []int, paddings [][2]int) (compute.Value, error) {
	return f.selectAndScatter(compute.OpTypeSelectAndScatterMin, x, source, windowDimensions, windowStrides, paddings)
}

func (f *Function) selectAndScatter(op compute.OpType, x, source compute.Value, window, strides []int, paddings [][2]int) (compute.Value, error) {
	operand, err := f.shape(op, x)
	if err != nil {
		return nil, err
	}
	a := ir.Window{Dimensions: orDefault(window, slices.Repeat([]int{1}, operand.Rank()))}
	a.Strides = orDefault(strides, a.Dimensions)
	a.Paddings = orDefault(paddings, make([][2]int, operand.Rank()))
	return f.add(op, a, x, source)
}
