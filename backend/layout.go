package backend

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
)

// ConvertDType converts the elements to another data type.
func (f *Function) ConvertDType(x compute.Value, dtype dtypes.DType) (compute.Value, error) {
	if err := checkDType(compute.OpTypeConvertDType, dtype); err != nil {
		return nil, err
	}
	return f.add(compute.OpTypeConvertDType, ir.DType{DType: dtype}, x)
}

// Bitcast reinterprets the bits of x as elements of another data type. An axis
// for the parts of an element is added or removed at the end.
func (f *Function) Bitcast(x compute.Value, dtype dtypes.DType) (compute.Value, error) {
	if err := checkDType(compute.OpTypeBitcast, dtype); err != nil {
		return nil, err
	}
	return f.add(compute.OpTypeBitcast, ir.DType{DType: dtype}, x)
}

func checkDType(op compute.OpType, dtype dtypes.DType) error {
	if !capabilities.DTypes[dtype] {
		return fmt.Errorf("%s: data type %s: %w", op, dtype, compute.ErrNotImplemented)
	}
	return nil
}

// Reshape gives x other dimensions for the same elements in the same order.
func (f *Function) Reshape(x compute.Value, dimensions ...int) (compute.Value, error) {
	operand, err := f.shape(compute.OpTypeReshape, x)
	if err != nil {
		return nil, err
	}
	for axis, size := range dimensions {
		if size < 0 && size != shapes.DynamicDim {
			return nil, fmt.Errorf("Reshape: axis %d has size %d, expected at least 0", axis, size)
		}
	}
	target, err := shapeinference.Reshape(operand, dimensions)
	if err != nil {
		return nil, fmt.Errorf("Reshape: %w", err)
	}
	return f.add(compute.OpTypeReshape, ir.Target{Shape: target}, x)
}

// BroadcastInDim repeats x along new axes and along axes of size 1.
func (f *Function) BroadcastInDim(x compute.Value, outputShape shapes.Shape, broadcastAxes []int) (compute.Value, error) {
	operand, err := f.shape(compute.OpTypeBroadcastInDim, x)
	if err != nil {
		return nil, err
	}
	if err := shapeinference.BroadcastInDim(operand, outputShape, broadcastAxes, f.root().dynamicNames); err != nil {
		return nil, fmt.Errorf("BroadcastInDim: %w", err)
	}
	return f.add(compute.OpTypeBroadcastInDim, ir.BroadcastInDim{Target: outputShape.Clone(), Axes: slices.Clone(broadcastAxes)}, x)
}

// Iota returns the index along an axis.
func (f *Function) Iota(shape shapes.Shape, axis int) (compute.Value, error) {
	if err := checkDType(compute.OpTypeIota, shape.DType); err != nil {
		return nil, err
	}
	return f.add(compute.OpTypeIota, ir.Iota{Target: shape.Clone(), Axis: axis})
}

// Transpose permutes the axes.
func (f *Function) Transpose(x compute.Value, permutation ...int) (compute.Value, error) {
	return f.add(compute.OpTypeTranspose, ir.Axes{Axes: slices.Clone(permutation)}, x)
}

// Reverse reverses the order along the axes.
func (f *Function) Reverse(x compute.Value, axes ...int) (compute.Value, error) {
	return f.add(compute.OpTypeReverse, ir.Axes{Axes: slices.Clone(axes)}, x)
}

// Concatenate joins the operands along an axis.
func (f *Function) Concatenate(axis int, operands ...compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeConcatenate, ir.Axis{Axis: axis}, operands...)
}

// Slice takes every strides-th element from starts up to, not including, limits
// along each axis. The strides default to 1. On a dynamic axis the limit
// shapes.DynamicDim means its end.
func (f *Function) Slice(x compute.Value, starts, limits, strides []int) (compute.Value, error) {
	if len(strides) == 0 {
		strides = slices.Repeat([]int{1}, len(starts))
	}
	a := ir.Slice{Starts: slices.Clone(starts), Limits: slices.Clone(limits), Strides: slices.Clone(strides)}
	return f.add(compute.OpTypeSlice, a, x)
}

// Pad adds copies of fillValue before, between and after the elements. Axes
// without a configuration stay as they are.
func (f *Function) Pad(x, fillValue compute.Value, axesConfig ...compute.PadAxis) (compute.Value, error) {
	operand, err := f.shape(compute.OpTypePad, x)
	if err != nil {
		return nil, err
	}
	axes := make([]compute.PadAxis, max(operand.Rank(), len(axesConfig)))
	copy(axes, axesConfig)
	return f.add(compute.OpTypePad, ir.Pad{Axes: axes}, x, fillValue)
}

// DynamicDimensionSize returns the size of an axis as an Int32.
func (f *Function) DynamicDimensionSize(x compute.Value, axis int) (compute.Value, error) {
	return f.add(compute.OpTypeDynamicDimensionSize, ir.Axis{Axis: axis}, x)
}

// DynamicShape returns the sizes of all axes as Int32.
func (f *Function) DynamicShape(x compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeDynamicShape, nil, x)
}

// DynamicReshape reshapes to sizes that may be values computed from the shapes
// of parameters.
func (f *Function) DynamicReshape(x compute.Value, dimensions ...compute.DynamicDimensionSpec) (compute.Value, error) {
	axes := make([]ir.DynamicAxis, len(dimensions))
	inputs := []compute.Value{x}
	for i, d := range dimensions {
		axes[i] = ir.DynamicAxis{Name: d.Name, Size: d.Static}
		if d.Value != nil {
			axes[i].FromInput = true
			inputs = append(inputs, d.Value)
		}
	}
	return f.add(compute.OpTypeDynamicReshape, ir.DynamicReshape{Axes: axes}, inputs...)
}

// OptimizationBarrier returns its operands.
func (f *Function) OptimizationBarrier(operands ...compute.Value) ([]compute.Value, error) {
	if len(operands) == 0 {
		return nil, fmt.Errorf("OptimizationBarrier: expected at least one operand")
	}
	outputs := make([]compute.Value, len(operands))
	for i, x := range operands {
		var err error
		if outputs[i], err = f.add(compute.OpTypeOptimizationBarrier, nil, x); err != nil {
			return nil, err
		}
	}
	return outputs, nil
}

// SchedulingBarrier returns operand once the dependencies are computed.
func (f *Function) SchedulingBarrier(operand compute.Value, dependencies ...compute.Value) (compute.Value, error) {
	return f.add(compute.OpTypeSchedulingBarrier, nil, append([]compute.Value{operand}, dependencies...)...)
}
