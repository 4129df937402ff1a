package ir

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapeinference"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/compute/support/sets"
)

// rules has the inference of every operation that is neither element-wise nor
// control flow.
var rules = map[compute.OpType]rule{
	compute.OpTypeConvertDType:   with(1, convertShape),
	compute.OpTypeBitcast:        with(1, func(a DType, in []shapes.Shape) (shapes.Shape, error) { return shapeinference.Bitcast(in[0], a.DType) }),
	compute.OpTypeReshape:        with(1, reshapeShape),
	compute.OpTypeBroadcastInDim: with(1, broadcastShape),
	compute.OpTypeIota:           with(0, iotaShape),
	compute.OpTypeTranspose:      with(1, func(a Axes, in []shapes.Shape) (shapes.Shape, error) { return shapeinference.Transpose(in[0], a.Axes) }),
	compute.OpTypeReverse:        with(1, reverseShape),
	compute.OpTypeSlice: with(1, func(a Slice, in []shapes.Shape) (shapes.Shape, error) {
		return shapeinference.Slice(in[0], a.Starts, a.Limits, a.Strides)
	}),
	compute.OpTypePad: with(2, padShape),
	compute.OpTypeConcatenate: withMany(func(a Axis, in []shapes.Shape) ([]shapes.Shape, error) {
		shape, err := shapeinference.Concatenate(in, a.Axis)
		return []shapes.Shape{shape}, err
	}),

	compute.OpTypeReduceSum:        with(1, reduceNumberShape),
	compute.OpTypeReduceProduct:    with(1, reduceNumberShape),
	compute.OpTypeReduceMax:        with(1, reduceNumberShape),
	compute.OpTypeReduceMin:        with(1, reduceNumberShape),
	compute.OpTypeReduceBitwiseAnd: with(1, reduceIntegerShape),
	compute.OpTypeReduceBitwiseOr:  with(1, reduceIntegerShape),
	compute.OpTypeReduceBitwiseXor: with(1, reduceIntegerShape),
	compute.OpTypeReduceLogicalAnd: with(1, reduceBooleanShape),
	compute.OpTypeReduceLogicalOr:  with(1, reduceBooleanShape),
	compute.OpTypeReduceLogicalXor: with(1, reduceBooleanShape),
	compute.OpTypeArgMinMax: with(1, func(a ArgMinMax, in []shapes.Shape) (shapes.Shape, error) {
		return shapeinference.ArgMinMax(in[0], a.Axis, a.DType)
	}),
	compute.OpTypeReduceWindow: with(1, func(a Window, in []shapes.Shape) (shapes.Shape, error) {
		return shapeinference.ReduceWindow(in[0], a.Dimensions, a.Strides, a.InputDilations, a.WindowDilations, a.Paddings)
	}),
	compute.OpTypeSelectAndScatterMax: with(2, selectAndScatterShape),
	compute.OpTypeSelectAndScatterMin: with(2, selectAndScatterShape),

	compute.OpTypeGather: with(2, func(a Gather, in []shapes.Shape) (shapes.Shape, error) {
		return shapeinference.Gather(in[0], in[1], a.IndexVectorAxis, a.OffsetOutputAxes, a.CollapsedSliceAxes,
			a.StartIndexMap, a.SliceSizes, a.IndicesAreSorted)
	}),
	compute.OpTypeScatterSum:         with(3, scatterShape),
	compute.OpTypeScatterMax:         with(3, scatterShape),
	compute.OpTypeScatterMin:         with(3, scatterShape),
	compute.OpTypeDynamicSlice:       withMany(dynamicSliceShape),
	compute.OpTypeDynamicUpdateSlice: dynamicUpdateSliceShape,

	compute.OpTypeDotGeneral: with(2, func(a Dot, in []shapes.Shape) (shapes.Shape, error) {
		return shapeinference.DotGeneral(in[0], a.LHSContracting, a.LHSBatch, in[1], a.RHSContracting, a.RHSBatch, a.Config)
	}),
	compute.OpTypeConvGeneral: with(2, func(a Conv, in []shapes.Shape) (shapes.Shape, error) {
		if in[0].DType != in[1].DType {
			return shapes.Invalid(), fmt.Errorf("input and kernel must have the same data type")
		}
		return shapeinference.ConvGeneral(in[0], in[1], a.Axes, a.Strides, a.Paddings, a.InputDilations,
			a.KernelDilations, a.ChannelGroupCount, a.BatchGroupCount)
	}),

	compute.OpTypeRNGBitGenerator:          checked(1, withMany(randomShapes)),
	compute.OpTypeOptimizationBarrier:      checked(1, barrierShape),
	compute.OpTypeSchedulingBarrier:        barrierShape,
	compute.OpTypeDynamicDimensionSize:     with(1, dimensionSizeShape),
	compute.OpTypeDynamicShape:             checked(1, single(func(in []shapes.Shape) (shapes.Shape, error) { return shapes.Make(dtypes.Int32, in[0].Rank()), nil })),
	compute.OpTypeDynamicReshape:           withMany(dynamicReshapeShape),
	compute.OpTypeFusedSoftmax:             with(1, softmaxShape),
	compute.OpTypeFusedGelu:                with(1, geluShape),
	compute.OpTypeFusedLayerNorm:           withMany(layerNormShape),
	compute.OpTypeBatchNormForInference:    checked(5, withMany(batchNormInferenceShape)),
	compute.OpTypeBatchNormForTraining:     checked(3, withMany(batchNormTrainingShapes)),
	compute.OpTypeBatchNormGradient:        checked(5, withMany(batchNormGradientShapes)),
	compute.OpTypeFusedQuantizedDense:      withMany(quantizedDenseShape),
	compute.OpTypeQuantizedEmbeddingLookup: with(2, quantizedLookupShape),
}

func isFiniteShape(in []shapes.Shape) (shapes.Shape, error) {
	if !in[0].DType.IsFloat() && !in[0].DType.IsComplex() {
		return shapes.Invalid(), fmt.Errorf("expected a float or complex operand")
	}
	return withDType(in[0], dtypes.Bool), nil
}

func withDType(shape shapes.Shape, dtype dtypes.DType) shapes.Shape {
	shape = shape.Clone()
	shape.DType = dtype
	return shape
}

func convertShape(a DType, in []shapes.Shape) (shapes.Shape, error) {
	if a.DType == dtypes.InvalidDType {
		return shapes.Invalid(), fmt.Errorf("expected a valid data type")
	}
	return withDType(in[0], a.DType), nil
}

func reshapeShape(a Target, in []shapes.Shape) (shapes.Shape, error) {
	shape, err := shapeinference.Reshape(in[0], a.Shape.Dimensions)
	if err == nil && shape.AxisNames == nil {
		shape.AxisNames = a.Shape.AxisNames
	}
	return shape, err
}

// broadcastShape accepts any name of a dynamic axis: whether a parameter
// defines it is the business of who builds the node.
func broadcastShape(a BroadcastInDim, in []shapes.Shape) (shapes.Shape, error) {
	if a.Target.DType != in[0].DType {
		return shapes.Invalid(), fmt.Errorf("target %s must have the operand's data type", a.Target)
	}
	for i := 1; i < len(a.Axes); i++ {
		if a.Axes[i] <= a.Axes[i-1] {
			return shapes.Invalid(), fmt.Errorf("axes %v must be increasing", a.Axes)
		}
	}
	return a.Target, shapeinference.BroadcastInDim(in[0], a.Target, a.Axes, sets.MakeWith(a.Target.AxisNames...))
}

func iotaShape(a Iota, _ []shapes.Shape) (shapes.Shape, error) {
	if a.Axis < 0 || a.Axis >= a.Target.Rank() {
		return shapes.Invalid(), fmt.Errorf("axis %d must be between 0 and the rank of %s", a.Axis, a.Target)
	}
	return a.Target, nil
}

func reverseShape(a Axes, in []shapes.Shape) (shapes.Shape, error) {
	return in[0], checkAxes(a.Axes, in[0])
}

// checkAxes wants distinct axes of shape.
func checkAxes(axes []int, shape shapes.Shape) error {
	seen := make([]bool, shape.Rank())
	for _, axis := range axes {
		if axis < 0 || axis >= shape.Rank() {
			return fmt.Errorf("axis %d must be between 0 and the rank of %s", axis, shape)
		}
		if seen[axis] {
			return fmt.Errorf("axis %d stands twice in %v", axis, axes)
		}
		seen[axis] = true
	}
	return nil
}

func padShape(a Pad, in []shapes.Shape) (shapes.Shape, error) {
	if in[1].DType != in[0].DType || in[1].Rank() != 0 {
		return shapes.Invalid(), fmt.Errorf("fill value must be a scalar %s", in[0].DType)
	}
	return shapeinference.Pad(in[0], a.Axes...)
}

func reduceShape(a Axes, in []shapes.Shape) (shapes.Shape, error) {
	if err := checkAxes(a.Axes, in[0]); err != nil {
		return shapes.Invalid(), err
	}
	return shapeinference.Reduce(in[0], a.Axes)
}

func reduceNumberShape(a Axes, in []shapes.Shape) (shapes.Shape, error) {
	if in[0].DType == dtypes.Bool {
		return shapes.Invalid(), fmt.Errorf("expected an operand of numbers")
	}
	return reduceShape(a, in)
}

func reduceIntegerShape(a Axes, in []shapes.Shape) (shapes.Shape, error) {
	if !in[0].DType.IsInt() {
		return shapes.Invalid(), fmt.Errorf("expected an integer operand")
	}
	return reduceShape(a, in)
}

func reduceBooleanShape(a Axes, in []shapes.Shape) (shapes.Shape, error) {
	if in[0].DType != dtypes.Bool {
		return shapes.Invalid(), fmt.Errorf("expected a boolean operand")
	}
	return reduceShape(a, in)
}

func selectAndScatterShape(a Window, in []shapes.Shape) (shapes.Shape, error) {
	return shapeinference.SelectAndScatter(in[0], in[1], a.Dimensions, a.Strides, a.Paddings)
}

func scatterShape(a Scatter, in []shapes.Shape) (shapes.Shape, error) {
	return shapeinference.Scatter(in[0], in[1], in[2], a.IndexVectorAxis, a.UpdateWindowAxes, a.InsertedWindowAxes, a.ScatterAxesToOperandAxes)
}

func dynamicSliceShape(a DynamicSlice, in []shapes.Shape) ([]shapes.Shape, error) {
	if err := checkStarts(in, 1); err != nil {
		return nil, err
	}
	shape, err := shapeinference.DynamicSlice(in[0], a.Sizes)
	return []shapes.Shape{shape}, err
}

func dynamicUpdateSliceShape(_ any, in []shapes.Shape) ([]shapes.Shape, error) {
	if err := checkStarts(in, 2); err != nil {
		return nil, err
	}
	shape, err := shapeinference.DynamicUpdateSlice(in[0], in[1])
	if err != nil {
		return nil, err
	}
	for axis, size := range in[1].Dimensions {
		if size > shape.Dimensions[axis] {
			return nil, fmt.Errorf("update has size %d in axis %d, expected at most the operand's", size, axis)
		}
	}
	return []shapes.Shape{shape}, nil
}

// checkStarts wants one integer scalar per axis of the first input after the
// first operands inputs.
func checkStarts(in []shapes.Shape, operands int) error {
	if len(in) < operands || len(in)-operands != in[0].Rank() {
		return fmt.Errorf("got %d inputs, expected %d and one start index per axis of the first", len(in), operands)
	}
	for _, start := range in[operands:] {
		if start.Rank() != 0 || !start.DType.IsInt() {
			return fmt.Errorf("start index %s must be an integer scalar", start)
		}
	}
	return nil
}

func randomShapes(a Target, in []shapes.Shape) ([]shapes.Shape, error) {
	if !in[0].Equal(compute.RNGStateShape) {
		return nil, fmt.Errorf("state must be %s", compute.RNGStateShape)
	}
	return []shapes.Shape{in[0], a.Shape}, nil
}

func barrierShape(_ any, in []shapes.Shape) ([]shapes.Shape, error) {
	if len(in) == 0 {
		return nil, fmt.Errorf("expected at least one operand")
	}
	return in[:1:1], nil
}

func dimensionSizeShape(a Axis, in []shapes.Shape) (shapes.Shape, error) {
	return shapes.Make(dtypes.Int32), checkAxes([]int{a.Axis}, in[0])
}

func dynamicReshapeShape(a DynamicReshape, in []shapes.Shape) ([]shapes.Shape, error) {
	specs := make([]compute.DynamicDimensionSpec, len(a.Axes))
	given := 1
	for i, axis := range a.Axes {
		specs[i] = compute.DynamicDimensionSpec{Name: axis.Name, Static: axis.Size}
		if !axis.FromInput {
			continue
		}
		if given >= len(in) || in[given].Rank() != 0 || !in[given].DType.IsInt() {
			return nil, fmt.Errorf("the size of axis %d must be an integer scalar", i)
		}
		specs[i].Value = given
		given++
	}
	if given != len(in) {
		return nil, fmt.Errorf("got %d inputs, expected %d", len(in), given)
	}
	shape, err := shapeinference.DynamicReshape(in[0], specs)
	return []shapes.Shape{shape}, err
}
