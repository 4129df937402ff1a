package program

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapeinference"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// A builder makes the kernel of a node of f.
type builder func(f *ir.Function, n *ir.Node) (kernel, error)

// builders has one entry per operation. Control flow enters itself in init,
// since its kernels are programs again.
var builders = makeBuilders()

// Operations returns the operations that programs can run.
func Operations() map[compute.OpType]bool {
	operations := make(map[compute.OpType]bool, len(builders))
	for op := range builders {
		operations[op] = true
	}
	for _, op := range []compute.OpType{
		compute.OpTypeDynamicDimensionSize, compute.OpTypeDynamicShape, compute.OpTypeDynamicReshape, // by Specialize
	} {
		operations[op] = true
	}
	return operations
}

// newKernel returns what computes a node of f.
func newKernel(f *ir.Function, n *ir.Node) (kernel, error) {
	build, ok := builders[n.Op]
	if !ok {
		return nil, fmt.Errorf("no kernel for %s: %w", n.Op, compute.ErrNotImplemented)
	}
	return build(f, n)
}

func makeBuilders() map[compute.OpType]builder {
	table := map[compute.OpType]builder{
		compute.OpTypeIdentity:            plain(identity),
		compute.OpTypeOptimizationBarrier: plain(identity),
		compute.OpTypeSchedulingBarrier:   plain(identity),
		compute.OpTypeIsFinite:            plain(func(out, in []tensor.Tensor) error { return ops.IsFinite(out[0], in[0]) }),
		compute.OpTypeWhere:               plain(func(out, in []tensor.Tensor) error { return ops.Where(out[0], in[0], in[1], in[2]) }),
		compute.OpTypeConvertDType:        plain(func(out, in []tensor.Tensor) error { return ops.ConvertDType(out[0], in[0]) }),
		compute.OpTypeBitcast:             plain(func(out, in []tensor.Tensor) error { return ops.Bitcast(out[0], in[0]) }),
		compute.OpTypeReshape:             plain(func(out, in []tensor.Tensor) error { return ops.Reshape(out[0], in[0]) }),
		compute.OpTypeBroadcastInDim: with(func(a ir.BroadcastInDim, out, in []tensor.Tensor) error {
			return ops.BroadcastInDim(out[0], in[0], a.Axes)
		}),
		compute.OpTypeIota:        with(func(a ir.Iota, out, _ []tensor.Tensor) error { return ops.Iota(out[0], a.Axis) }),
		compute.OpTypeTranspose:   buildTranspose,
		compute.OpTypeReverse:     with(func(a ir.Axes, out, in []tensor.Tensor) error { return ops.Reverse(out[0], in[0], a.Axes) }),
		compute.OpTypeConcatenate: with(func(a ir.Axis, out, in []tensor.Tensor) error { return ops.Concatenate(out[0], a.Axis, in...) }),
		compute.OpTypeSlice: with(func(a ir.Slice, out, in []tensor.Tensor) error {
			return ops.Slice(out[0], in[0], a.Starts, a.Limits, a.Strides)
		}),
		compute.OpTypePad: with(func(a ir.Pad, out, in []tensor.Tensor) error { return ops.Pad(out[0], in[0], in[1], a.Axes) }),
		compute.OpTypeArgMinMax: with(func(a ir.ArgMinMax, out, in []tensor.Tensor) error {
			return ops.ArgMinMax(out[0], in[0], a.Axis, a.IsMin)
		}),
		compute.OpTypeDotGeneral:          buildDot,
		compute.OpTypeConvGeneral:         buildConvolution,
		compute.OpTypeReduceWindow:        buildReduceWindow,
		compute.OpTypeSelectAndScatterMax: buildSelectAndScatterMax,
		compute.OpTypeSelectAndScatterMin: with(func(a ir.Window, out, in []tensor.Tensor) error {
			return ops.SelectAndScatterMin(out[0], in[0], in[1], window(a))
		}),
		compute.OpTypeGather:          buildGather,
		compute.OpTypeRNGBitGenerator: plain(func(out, in []tensor.Tensor) error { return ops.RandomBits(out[0], out[1], in[0]) }),
		compute.OpTypeFusedSoftmax:    with(func(a ir.Axis, out, in []tensor.Tensor) error { return ops.FusedSoftmax(out[0], in[0], a.Axis) }),
		compute.OpTypeFusedGelu:       with(func(a ir.Gelu, out, in []tensor.Tensor) error { return ops.FusedGelu(out[0], in[0], a.Exact) }),
		compute.OpTypeFusedLayerNorm:  with(layerNorm),
		compute.OpTypeBatchNormForInference: with(func(a ir.BatchNorm, out, in []tensor.Tensor) error {
			return ops.BatchNormForInference(out[0], in[0], in[1], in[2], in[3], in[4], a.Epsilon, a.FeatureAxis)
		}),
		compute.OpTypeBatchNormForTraining: with(func(a ir.BatchNorm, out, in []tensor.Tensor) error {
			return ops.BatchNormForTraining(out[0], out[1], out[2], in[0], in[1], in[2], a.Epsilon, a.FeatureAxis)
		}),
		compute.OpTypeBatchNormGradient: with(func(a ir.BatchNorm, out, in []tensor.Tensor) error {
			return ops.BatchNormGradient(out[0], out[1], out[2], in[0], in[1], in[2], in[3], in[4], a.Epsilon, a.FeatureAxis)
		}),
		compute.OpTypeFusedQuantizedDense: with(quantizedDense),
		compute.OpTypeQuantizedEmbeddingLookup: with(func(a ir.Quantized, out, in []tensor.Tensor) error {
			return ops.QuantizedEmbeddingLookup(out[0], in[0], in[1], a.GGMLType)
		}),
		compute.OpTypeDynamicSlice: plain(func(out, in []tensor.Tensor) error {
			return ops.DynamicSlice(out[0], in[0], in[1:])
		}),
		compute.OpTypeDynamicUpdateSlice: plain(func(out, in []tensor.Tensor) error {
			return ops.DynamicUpdateSlice(out[0], in[0], in[1], in[2:])
		}),
	}
	for op := range shapeinference.StandardUnaryOperations {
		table[op] = plain(func(out, in []tensor.Tensor) error { return ops.Unary(op, out[0], in[0]) })
	}
	for op := range shapeinference.StandardBinaryOperations {
		table[op] = plain(func(out, in []tensor.Tensor) error { return ops.Binary(op, out[0], in[0], in[1]) })
	}
	for op := range shapeinference.ComparisonOperations {
		table[op] = plain(func(out, in []tensor.Tensor) error { return ops.Compare(op, out[0], in[0], in[1]) })
	}
	for _, op := range []compute.OpType{
		compute.OpTypeReduceSum, compute.OpTypeReduceProduct, compute.OpTypeReduceMax, compute.OpTypeReduceMin,
		compute.OpTypeReduceBitwiseAnd, compute.OpTypeReduceBitwiseOr, compute.OpTypeReduceBitwiseXor,
		compute.OpTypeReduceLogicalAnd, compute.OpTypeReduceLogicalOr, compute.OpTypeReduceLogicalXor,
	} {
		table[op] = with(func(a ir.Axes, out, in []tensor.Tensor) error { return ops.Reduce(op, out[0], in[0], a.Axes) })
	}
	for _, op := range []compute.OpType{compute.OpTypeScatterSum, compute.OpTypeScatterMax, compute.OpTypeScatterMin} {
		table[op] = buildScatter
	}
	for _, op := range []compute.OpType{compute.OpTypeReal, compute.OpTypeImag, compute.OpTypeConj} {
		delete(table, op) // there are no complex numbers
	}
	return table
}

// plain is the builder of a kernel without attributes that works alone.
func plain(run func(outputs, inputs []tensor.Tensor) error) builder {
	return func(*ir.Function, *ir.Node) (kernel, error) { return alone(run), nil }
}

// alone makes a kernel of a function that does not use the pool.
func alone(run func(outputs, inputs []tensor.Tensor) error) kernel {
	return func(_ *workers.Pool, outputs, inputs []tensor.Tensor) error { return run(outputs, inputs) }
}

// with is the builder of a kernel with attributes of type A that works alone.
func with[A any](run func(a A, outputs, inputs []tensor.Tensor) error) builder {
	return func(_ *ir.Function, n *ir.Node) (kernel, error) {
		a, ok := n.Attributes.(A)
		if !ok {
			return nil, fmt.Errorf("%s has attributes %T, expected %T", n.Op, n.Attributes, a)
		}
		return alone(func(outputs, inputs []tensor.Tensor) error { return run(a, outputs, inputs) }), nil
	}
}

func identity(out, in []tensor.Tensor) error {
	copyTensor(out[0], in[0])
	return nil
}

func window(a ir.Window) ops.Window {
	return ops.Window{
		Size:            a.Dimensions,
		Strides:         a.Strides,
		InputDilations:  a.InputDilations,
		WindowDilations: a.WindowDilations,
		Paddings:        a.Paddings,
	}
}

func layerNorm(a ir.LayerNorm, out, in []tensor.Tensor) error {
	var gamma, beta tensor.Tensor
	rest := in[1:]
	if a.HasGamma {
		gamma, rest = rest[0], rest[1:]
	}
	if a.HasBeta {
		beta = rest[0]
	}
	return ops.FusedLayerNorm(out[0], in[0], a.Axes, a.Epsilon, gamma, beta)
}

func quantizedDense(a ir.Quantized, out, in []tensor.Tensor) error {
	q := ops.Quantization{Scheme: a.Scheme, BlockSize: a.BlockSize, GGMLType: a.GGMLType}
	if a.Scheme != compute.QuantGGML {
		q.Scale = in[2]
	}
	if a.HasZeroPoint {
		q.ZeroPoint = in[3]
	}
	return ops.FusedQuantizedDense(out[0], in[0], in[1], q)
}
