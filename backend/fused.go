package backend

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
)

// FusedGelu returns x times the normal distribution function of x: with the
// error function if exact, else with the approximation
// 0.5*(1+tanh(sqrt(2/pi)*(x+0.044715*x^3))).
func (f *Function) FusedGelu(x compute.Value, exact bool) (compute.Value, error) {
	e := &expression{f: f, op: compute.OpTypeFusedGelu}
	return e.result(e.gelu(x, exact))
}

// FusedDense returns activation(x @ weight + bias); bias may be nil.
func (f *Function) FusedDense(x, weight, bias compute.Value, options compute.DenseConfig) (compute.Value, error) {
	e := &expression{f: f, op: compute.OpTypeFusedDense}
	operand, weights := e.shape(x), e.shape(weight)
	if e.err != nil {
		return nil, e.err
	}
	if operand.Rank() < 1 || weights.Rank() < 2 {
		return nil, fmt.Errorf("FusedDense: got x %s and weight %s, expected ranks of at least 1 and 2", operand, weights)
	}
	contracting := 0
	if options.WeightLayout == compute.DenseLayoutOutputsInput {
		contracting = weights.Rank() - 1
	}
	return e.result(e.activate(e.addBias(e.dot(x, operand.Rank()-1, weight, contracting), bias), options.Activation))
}

// FusedQuantizedDense returns activation(x @ weights + bias) for quantized
// weights; bias may be nil.
func (f *Function) FusedQuantizedDense(x, weights, bias compute.Value, quantization *compute.Quantization, activation compute.ActivationType) (compute.Value, error) {
	if quantization == nil {
		return nil, fmt.Errorf("FusedQuantizedDense: expected a quantization")
	}
	inputs := []compute.Value{x, weights}
	a := quantizedAttributes(quantization)
	if a.Scheme != compute.QuantGGML {
		inputs = append(inputs, quantization.Scale)
		if a.HasZeroPoint {
			inputs = append(inputs, quantization.ZeroPoint)
		}
	}
	e := &expression{f: f, op: compute.OpTypeFusedQuantizedDense}
	product := e.add(compute.OpTypeFusedQuantizedDense, a, inputs...)
	return e.result(e.activate(e.addBias(product, bias), activation))
}

// QuantizedEmbeddingLookup returns the dequantized rows of data at the indices.
func (f *Function) QuantizedEmbeddingLookup(data, indices compute.Value, quantization *compute.Quantization) (compute.Value, error) {
	if quantization == nil || quantization.Scheme != compute.QuantGGML {
		return nil, fmt.Errorf("QuantizedEmbeddingLookup is for GGML quantization only: %w", compute.ErrNotImplemented)
	}
	return f.add(compute.OpTypeQuantizedEmbeddingLookup, quantizedAttributes(quantization), data, indices)
}

func quantizedAttributes(q *compute.Quantization) ir.Quantized {
	if q.Scheme == compute.QuantGGML {
		return ir.Quantized{Scheme: q.Scheme, GGMLType: q.GGMLType}
	}
	return ir.Quantized{Scheme: q.Scheme, BlockAxis: q.BlockAxis, BlockSize: q.BlockSize, HasZeroPoint: q.ZeroPoint != nil}
}

// FusedAttentionQKVProjection multiplies x by wQKV and splits the result, with
// an optional bias for each part.
func (f *Function) FusedAttentionQKVProjection(x, wQKV, biasQ, biasK, biasV compute.Value, queryDim, keyValueDim int) (query, key, value compute.Value, err error) {
	e := &expression{f: f, op: compute.OpTypeFusedAttentionQKVProjection}
	operand, weights := e.shape(x), e.shape(wQKV)
	if e.err != nil {
		return nil, nil, nil, e.err
	}
	if operand.Rank() < 1 || weights.Rank() != 2 || queryDim < 0 || keyValueDim < 0 || weights.Dimensions[1] != queryDim+2*keyValueDim {
		return nil, nil, nil, fmt.Errorf("FusedAttentionQKVProjection: got x %s and weights %s, expected weights with %d+2*%d columns",
			operand, weights, queryDim, keyValueDim)
	}
	product := e.dot(x, operand.Rank()-1, wQKV, 0)
	query = e.addBias(e.sliceLast(product, 0, queryDim), biasQ)
	key = e.addBias(e.sliceLast(product, queryDim, queryDim+keyValueDim), biasK)
	value = e.addBias(e.sliceLast(product, queryDim+keyValueDim, queryDim+2*keyValueDim), biasV)
	if e.err != nil {
		return nil, nil, nil, e.err
	}
	return query, key, value, nil
}

// expression builds a formula out of operations and keeps the first error.
type expression struct {
	f   *Function
	op  compute.OpType
	err error
}

func (e *expression) result(x compute.Value) (compute.Value, error) {
	if e.err != nil {
		return nil, e.err
	}
	return x, nil
}

func (e *expression) add(op compute.OpType, attributes any, inputs ...compute.Value) compute.Value {
	if e.err != nil {
		return nil
	}
	x, err := e.f.add(op, attributes, inputs...)
	if err != nil {
		e.err = fmt.Errorf("%s: %w", e.op, err)
	}
	return x
}

func (e *expression) shape(x compute.Value) shapes.Shape {
	if e.err != nil {
		return shapes.Invalid()
	}
	shape, err := e.f.shape(e.op, x)
	e.err = err
	return shape
}

// scalar is a constant of x's data type.
func (e *expression) scalar(x compute.Value, number float64) compute.Value {
	dtype := e.shape(x).DType
	if e.err != nil {
		return nil
	}
	c, err := e.f.Constant(shapes.CastAsDType([]float64{number}, dtype))
	e.err = err
	return c
}

func (e *expression) convert(x compute.Value, dtype dtypes.DType) compute.Value {
	if e.shape(x).DType == dtype {
		return x
	}
	return e.add(compute.OpTypeConvertDType, ir.DType{DType: dtype}, x)
}

// widen converts 16-bit floats to float32.
func (e *expression) widen(x compute.Value) compute.Value {
	if e.shape(x).DType.IsHalfPrecision() {
		return e.convert(x, dtypes.Float32)
	}
	return x
}

func (e *expression) mul(lhs, rhs compute.Value) compute.Value {
	return e.add(compute.OpTypeMul, nil, lhs, rhs)
}

func (e *expression) sum(lhs, rhs compute.Value) compute.Value {
	return e.add(compute.OpTypeAdd, nil, lhs, rhs)
}

// gelu computes 16-bit floats in float32, for which there is a kernel.
func (e *expression) gelu(x compute.Value, exact bool) compute.Value {
	y := e.add(compute.OpTypeFusedGelu, ir.Gelu{Exact: exact}, e.widen(x))
	return e.convert(y, e.shape(x).DType)
}

func (e *expression) activate(x compute.Value, activation compute.ActivationType) compute.Value {
	switch activation {
	case compute.ActivationNone:
		return x
	case compute.ActivationRelu:
		return e.add(compute.OpTypeMax, nil, x, e.scalar(x, 0))
	case compute.ActivationTanh:
		return e.add(compute.OpTypeTanh, nil, x)
	case compute.ActivationSilu:
		return e.mul(x, e.add(compute.OpTypeLogistic, nil, x))
	case compute.ActivationGelu:
		return e.gelu(x, true)
	case compute.ActivationHardSwish:
		slope := e.sum(e.mul(x, e.scalar(x, 1./6)), e.scalar(x, 0.5))
		return e.mul(x, e.add(compute.OpTypeMin, nil, e.add(compute.OpTypeMax, nil, slope, e.scalar(x, 0)), e.scalar(x, 1)))
	}
	if e.err == nil {
		e.err = fmt.Errorf("%s: activation %s: %w", e.op, activation, compute.ErrNotImplemented)
	}
	return nil
}

// dot contracts one axis of each operand.
func (e *expression) dot(lhs compute.Value, lhsAxis int, rhs compute.Value, rhsAxis int) compute.Value {
	return e.add(compute.OpTypeDotGeneral, ir.Dot{LHSContracting: []int{lhsAxis}, RHSContracting: []int{rhsAxis}}, lhs, rhs)
}

// addBias adds bias, if there is one, to the last axes of x.
func (e *expression) addBias(x, bias compute.Value) compute.Value {
	if bias == nil {
		return x
	}
	shape, biasShape := e.shape(x), e.shape(bias)
	if e.err != nil {
		return nil
	}
	if shape.IsDynamic() {
		e.err = fmt.Errorf("%s: dynamic shape %s: %w", e.op, shape, compute.ErrNotImplemented)
		return nil
	}
	axes := make([]int, biasShape.Rank())
	for i := range axes {
		axes[i] = shape.Rank() - len(axes) + i
	}
	return e.sum(x, e.add(compute.OpTypeBroadcastInDim, ir.BroadcastInDim{Target: shape, Axes: axes}, bias))
}

// sliceLast takes a range of the last axis.
func (e *expression) sliceLast(x compute.Value, start, limit int) compute.Value {
	shape := e.shape(x)
	if e.err != nil {
		return nil
	}
	a := ir.Slice{Starts: make([]int, shape.Rank()), Limits: shape.Clone().Dimensions, Strides: make([]int, shape.Rank())}
	for axis := range a.Strides {
		a.Strides[axis] = 1
	}
	a.Starts[shape.Rank()-1], a.Limits[shape.Rank()-1] = start, limit
	return e.add(compute.OpTypeSlice, a, x)
}
