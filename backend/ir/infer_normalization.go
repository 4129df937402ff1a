package ir

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

func softmaxShape(a Axis, in []shapes.Shape) (shapes.Shape, error) {
	if err := wantFloat(in[0]); err != nil {
		return shapes.Invalid(), err
	}
	return in[0], checkAxes([]int{a.Axis}, in[0])
}

func geluShape(_ Gelu, in []shapes.Shape) (shapes.Shape, error) { return in[0], wantFloat(in[0]) }

func wantFloat(shape shapes.Shape) error {
	if !shape.DType.IsFloat() {
		return fmt.Errorf("expected a float operand, got %s", shape)
	}
	return nil
}

func layerNormShape(a LayerNorm, in []shapes.Shape) ([]shapes.Shape, error) {
	want := 1
	for _, has := range []bool{a.HasGamma, a.HasBeta} {
		if has {
			want++
		}
	}
	if len(in) != want {
		return nil, fmt.Errorf("got %d inputs, expected %d", len(in), want)
	}
	if err := wantFloat(in[0]); err != nil {
		return nil, err
	}
	if err := checkAxes(a.Axes, in[0]); err != nil {
		return nil, err
	}
	size := 1
	for _, axis := range a.Axes {
		if in[0].IsAxisDynamic(axis) {
			return nil, fmt.Errorf("axis %d is dynamic: %w", axis, compute.ErrNotImplemented)
		}
		size *= in[0].Dimensions[axis]
	}
	for _, parameter := range in[1:] {
		if parameter.DType != in[0].DType || parameter.IsDynamic() || parameter.Size() != size {
			return nil, fmt.Errorf("gamma and beta must be %s with the %d elements of axes %v", in[0].DType, size, a.Axes)
		}
	}
	return in[:1:1], nil
}

// checkFeatures wants the shapes to be vectors over the feature axis.
func checkFeatures(a BatchNorm, operand shapes.Shape, vectors []shapes.Shape) error {
	if err := wantFloat(operand); err != nil {
		return err
	}
	if err := checkAxes([]int{a.FeatureAxis}, operand); err != nil {
		return err
	}
	want := featureShape(a, operand)
	for _, vector := range vectors {
		if vector.DType != want.DType || !vector.EqualDimensions(want) {
			return fmt.Errorf("got %s for a value per feature, expected %s", vector, want)
		}
	}
	return nil
}

func featureShape(a BatchNorm, operand shapes.Shape) shapes.Shape {
	return shapes.Shape{DType: operand.DType, Dimensions: []int{operand.Dimensions[a.FeatureAxis]}}
}

func batchNormInferenceShape(a BatchNorm, in []shapes.Shape) ([]shapes.Shape, error) {
	return in[:1:1], checkFeatures(a, in[0], in[1:])
}

func batchNormTrainingShapes(a BatchNorm, in []shapes.Shape) ([]shapes.Shape, error) {
	if err := checkFeatures(a, in[0], in[1:]); err != nil {
		return nil, err
	}
	return []shapes.Shape{in[0], featureShape(a, in[0]), featureShape(a, in[0])}, nil
}

func batchNormGradientShapes(a BatchNorm, in []shapes.Shape) ([]shapes.Shape, error) {
	if err := checkFeatures(a, in[0], in[1:4]); err != nil {
		return nil, err
	}
	if in[4].DType != in[0].DType || !in[4].EqualDimensions(in[0]) {
		return nil, fmt.Errorf("the output's gradient is %s, expected %s", in[4], in[0])
	}
	return []shapes.Shape{in[0], featureShape(a, in[0]), featureShape(a, in[0])}, nil
}

// quantizedDenseShape is for inputs x, weights, then scale and zero point as far
// as there are any.
func quantizedDenseShape(a Quantized, in []shapes.Shape) ([]shapes.Shape, error) {
	want := 2
	for _, has := range []bool{a.Scheme != compute.QuantGGML, a.HasZeroPoint} {
		if has {
			want++
		}
	}
	if len(in) != want {
		return nil, fmt.Errorf("got %d inputs, expected %d", len(in), want)
	}
	x, weights := in[0], in[1]
	if x.DType != dtypes.Float32 || x.Rank() < 1 || weights.Rank() != 2 {
		return nil, fmt.Errorf("expected a Float32 operand of at least one axis and weights of two axes")
	}
	features, outputs := weights.Dimensions[0], weights.Dimensions[1]
	if a.Scheme == compute.QuantGGML {
		var err error
		if outputs, features, err = ggmlSize(a, weights); err != nil {
			return nil, err
		}
	}
	if last := x.Dimensions[x.Rank()-1]; last != features {
		return nil, fmt.Errorf("the operand's last axis has size %d, expected the weights' %d", last, features)
	}
	if a.Scheme != compute.QuantGGML {
		if a.BlockAxis != 1 || a.BlockSize < 1 {
			return nil, fmt.Errorf("blocks must lie on axis 1 and have at least one element, got axis %d and size %d", a.BlockAxis, a.BlockSize)
		}
		scale := []int{features, (outputs + a.BlockSize - 1) / a.BlockSize}
		if !slices.Equal(in[2].Dimensions, scale) {
			return nil, fmt.Errorf("scale is %s, expected dimensions %v", in[2], scale)
		}
	}
	return []shapes.Shape{replaceLast(x, outputs)}, nil
}

// ggmlSize returns rows and unpacked columns of weights in GGML blocks.
func ggmlSize(a Quantized, weights shapes.Shape) (rows, columns int, err error) {
	if weights.DType != dtypes.Uint8 || weights.Rank() != 2 {
		return 0, 0, fmt.Errorf("GGML weights are %s, expected Uint8 with two axes", weights)
	}
	bytes := a.GGMLType.BytesPerBlock()
	if bytes == 0 || weights.Dimensions[1]%bytes != 0 {
		return 0, 0, fmt.Errorf("GGML rows of %s have %d bytes, expected a multiple of %d", a.GGMLType, weights.Dimensions[1], bytes)
	}
	return weights.Dimensions[0], weights.Dimensions[1] / bytes * a.GGMLType.ValuesPerBlock(), nil
}

func quantizedLookupShape(a Quantized, in []shapes.Shape) (shapes.Shape, error) {
	_, columns, err := ggmlSize(a, in[0])
	if err != nil {
		return shapes.Invalid(), err
	}
	indices := in[1]
	if !indices.DType.IsInt() || indices.Rank() < 1 || indices.Dimensions[indices.Rank()-1] != 1 {
		return shapes.Invalid(), fmt.Errorf("indices are %s, expected integers whose last axis has size 1", indices)
	}
	return withDType(replaceLast(indices, columns), dtypes.Float32), nil
}

func replaceLast(shape shapes.Shape, size int) shapes.Shape {
	shape = shape.Clone()
	shape.Dimensions[shape.Rank()-1] = size
	return shape
}
