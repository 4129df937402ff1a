package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
	"github.com/gomlx/compute/shapes"
)

// FusedGelu computes x·Φ(x) of floats, with Φ the normal distribution function if
// exact, else the approximation (1 + tanh(√(2/π)·(x + 0.044715·x³)))/2. out may be
// in.
func FusedGelu(out, in tensor.Tensor, exact bool) error {
	const op = "gelu"
	if err := checkShape(op, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	function := geluTanh
	if exact {
		function = gelu
	}
	return inFloats(op, 1, []tensor.Tensor{out, in}, func(t []tensor.Tensor) {
		mapFloats[float32](t[0], t[1], function)
	}, func(t []tensor.Tensor) {
		mapFloats[float64](t[0], t[1], function)
	})
}

func mapFloats[T gotype.Float](out, in tensor.Tensor, function func(float64) float64) {
	to := tensor.Of[T](out)
	for i, value := range tensor.Of[T](in) {
		to[i] = T(function(float64(value)))
	}
}

func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

// activations are the functions of the activation types.
var activations = map[compute.ActivationType]func(float64) float64{
	compute.ActivationGelu: gelu,
	compute.ActivationRelu: func(x float64) float64 { return max(x, 0) },
	compute.ActivationSilu: func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	compute.ActivationHardSwish: func(x float64) float64 {
		return x * min(max(x/6+0.5, 0), 1)
	},
	compute.ActivationTanh: math.Tanh,
}

// Activate applies an activation function to floats. out may be in.
func Activate(out, in tensor.Tensor, activation compute.ActivationType) error {
	op := "activation " + activation.String()
	if err := checkShape(op, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	if activation == compute.ActivationNone {
		return Identity(out, in)
	}
	function := activations[activation]
	if function == nil {
		return unsupported(op, in.Shape.DType)
	}
	return inFloats(op, 1, []tensor.Tensor{out, in}, func(t []tensor.Tensor) {
		mapFloats[float32](t[0], t[1], function)
	}, func(t []tensor.Tensor) {
		mapFloats[float64](t[0], t[1], function)
	})
}

// FusedDense computes activation(in·weight + bias) of floats, contracting the
// last axis of in with the first of weight, or with its last if the layout is
// DenseLayoutOutputsInput. bias has the other axes of weight; the zero Tensor
// means none.
func FusedDense(out, in, weight, bias tensor.Tensor, config compute.DenseConfig) error {
	const op = "dense"
	inRank, weightRank := in.Shape.Rank(), weight.Shape.Rank()
	if inRank < 1 || weightRank < 2 {
		return fmt.Errorf("%s: input %s and weight %s, expected ranks of at least 1 and 2", op, in.Shape, weight.Shape)
	}
	axes := DotAxes{LHSContracting: []int{inRank - 1}, RHSContracting: []int{0}}
	switch config.WeightLayout {
	case compute.DenseLayoutInputOutputs:
	case compute.DenseLayoutOutputsInput:
		axes.RHSContracting[0] = weightRank - 1
	default:
		return fmt.Errorf("%s: unknown weight layout %d", op, config.WeightLayout)
	}
	if !in.Shape.DType.IsFloat() {
		return unsupported(op, in.Shape.DType)
	}
	if err := checkSameType(op, out, in, weight); err != nil {
		return err
	}
	result := out
	if out.Shape.DType.IsHalfPrecision() {
		var err error
		if result, err = scratch(op, withType(out.Shape, dtypes.Float32)); err != nil {
			return err
		}
	}
	if err := DotGeneral(result, in, weight, axes, dtypes.InvalidDType); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if given(bias) {
		outputs := slices.Delete(slices.Clone(weight.Shape.Dimensions), axes.RHSContracting[0], axes.RHSContracting[0]+1)
		if err := checkShape(op, "bias", bias, in.Shape.DType, outputs); err != nil {
			return err
		}
		if err := addRows(op, result, bias); err != nil {
			return err
		}
	}
	if err := Activate(result, result, config.Activation); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if out.Shape.DType.IsHalfPrecision() {
		return ConvertDType(out, result)
	}
	return nil
}

// addRows adds bias to each row of its size of out.
func addRows(op string, out, bias tensor.Tensor) error {
	if err := checkTensors(op, bias); err != nil {
		return err
	}
	wide, err := converted(op, bias, out.Shape.DType)
	if err != nil {
		return err
	}
	size := bias.Shape.Size()
	if size == 0 {
		return nil
	}
	matrix := shapes.Make(out.Shape.DType, out.Shape.Size()/size, size)
	rows := tensor.Tensor{Shape: matrix, Flat: out.Flat}
	wide.Shape = shapes.Make(out.Shape.DType, 1, size)
	return Binary(compute.OpTypeAdd, rows, rows, wide)
}

// FusedAttentionQKVProjection computes in·weight and splits the result along its
// last axis into query, key and value, adding to each its bias if there is one;
// the zero Tensor means none. The last axes of key and value are of one size.
func FusedAttentionQKVProjection(query, key, value, in, weight, queryBias, keyBias, valueBias tensor.Tensor) error {
	const op = "attention projection"
	if err := checkTensors(op, query, key, value, in); err != nil {
		return err
	}
	rank := in.Shape.Rank()
	if rank < 1 || query.Shape.Rank() != rank || key.Shape.Rank() != rank || value.Shape.Rank() != rank {
		return fmt.Errorf("%s: query %s, key %s and value %s, expected the rank of the input %s, at least 1", op, query.Shape, key.Shape, value.Shape, in.Shape)
	}
	dimensions := slices.Clone(in.Shape.Dimensions)
	dimensions[rank-1] = query.Shape.Dim(-1) + key.Shape.Dim(-1) + value.Shape.Dim(-1)
	joined, err := scratch(op, shapes.Make(in.Shape.DType, dimensions...))
	if err != nil {
		return err
	}
	if err := FusedDense(joined, in, weight, tensor.Tensor{}, compute.DenseConfig{}); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	starts, limits := make([]int, rank), slices.Clone(dimensions)
	limits[rank-1] = 0
	for _, part := range []struct{ out, bias tensor.Tensor }{{query, queryBias}, {key, keyBias}, {value, valueBias}} {
		starts[rank-1] = limits[rank-1]
		limits[rank-1] += part.out.Shape.Dim(-1)
		if err := Slice(part.out, joined, starts, limits, nil); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		if !given(part.bias) {
			continue
		}
		if err := checkShape(op, "bias", part.bias, in.Shape.DType, []int{part.out.Shape.Dim(-1)}); err != nil {
			return err
		}
		if err := addRows(op, part.out, part.bias); err != nil {
			return err
		}
	}
	return nil
}
