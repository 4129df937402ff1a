package ops

import (
	"fmt"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
)

// Quantization tells how the weights of FusedQuantizedDense become float32.
type Quantization struct {
	// Scheme is QuantLinear, QuantNF4 or QuantGGML.
	Scheme compute.QuantizationScheme
	// Scale holds float32 factors of shape [inputs, blocks], for blocks of
	// BlockSize outputs, the last of which may be smaller. Not for QuantGGML.
	Scale tensor.Tensor
	// ZeroPoint is added after scaling and has the shape of Scale; the zero
	// Tensor means none. Only for QuantLinear.
	ZeroPoint tensor.Tensor
	// BlockSize is the number of outputs that share a factor. Not for QuantGGML.
	BlockSize int
	// GGMLType is the block format, only for QuantGGML.
	GGMLType compute.GGMLQuantType
}

// FusedQuantizedDense computes in·weights in float32, with in of shape
// [batch..., inputs].
// QuantLinear and QuantNF4 have weights [inputs, outputs] of integers of at most
// 8 bits; QuantGGML has bytes [outputs, bytes per row].
func FusedQuantizedDense(out, in, weights tensor.Tensor, quantization Quantization) error {
	const op = "quantized dense"
	if err := checkTensors(op, out, in, weights); err != nil {
		return err
	}
	if in.Shape.DType != dtypes.Float32 || in.Shape.Rank() < 1 || weights.Shape.Rank() != 2 {
		return fmt.Errorf("%s: input %s and weights %s, expected float32 of rank 1 or more, and a matrix", op, in.Shape, weights.Shape)
	}
	rank := in.Shape.Rank()
	inputs, outputs := weights.Shape.Dimensions[0], weights.Shape.Dimensions[1]
	if quantization.Scheme == compute.QuantGGML {
		var err error
		if inputs, err = ggmlValues(op, weights, quantization.GGMLType); err != nil {
			return err
		}
		outputs = weights.Shape.Dimensions[0]
	}
	if in.Shape.Dimensions[rank-1] != inputs {
		return fmt.Errorf("%s: input %s, expected a last axis of size %d", op, in.Shape, inputs)
	}
	want := append(append([]int(nil), in.Shape.Dimensions[:rank-1]...), outputs)
	if err := checkShape(op, "output", out, dtypes.Float32, want); err != nil {
		return err
	}
	to, from := tensor.Of[float32](out), tensor.Of[float32](in)
	clear(to)
	if quantization.Scheme == compute.QuantGGML {
		denseByOutput(to, from, tensor.Of[uint8](weights), inputs, outputs, quantization.GGMLType)
		return nil
	}
	return denseByInput(op, to, from, weights, quantization)
}

// denseByOutput dequantizes the weights of one output at a time.
func denseByOutput(to, from []float32, weights []uint8, inputs, outputs int, format compute.GGMLQuantType) {
	if inputs == 0 {
		return
	}
	row := make([]float32, inputs)
	width := len(weights) / max(1, outputs)
	for output := range outputs {
		dequantize(row, weights[output*width:(output+1)*width], format)
		for batch := range len(from) / inputs {
			to[batch*outputs+output] = innerProduct(from[batch*inputs:(batch+1)*inputs], row)
		}
	}
}

// innerProduct returns the inner product of two vectors of one length.
func innerProduct(a, b []float32) float32 {
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// denseByInput dequantizes the weights of one input at a time.
func denseByInput(op string, to, from []float32, weights tensor.Tensor, quantization Quantization) error {
	dequantized, err := newRows(op, weights, quantization)
	if err != nil {
		return err
	}
	inputs, outputs := weights.Shape.Dimensions[0], weights.Shape.Dimensions[1]
	row := make([]float32, outputs)
	for input := range inputs {
		dequantized(row, input)
		for batch := range len(from) / inputs {
			value := from[batch*inputs+input]
			result := to[batch*outputs : (batch+1)*outputs]
			for i, weight := range row {
				result[i] += value * weight
			}
		}
	}
	return nil
}

// newRows returns a function that dequantizes a row of [inputs, outputs].
func newRows(op string, weights tensor.Tensor, quantization Quantization) (func(row []float32, input int), error) {
	inputs, outputs := weights.Shape.Dimensions[0], weights.Shape.Dimensions[1]
	blockSize := quantization.BlockSize
	if blockSize < 1 {
		return nil, fmt.Errorf("%s: block size is %d, expected at least 1", op, blockSize)
	}
	blocks := ceilDiv(outputs, blockSize)
	for _, t := range []tensor.Tensor{quantization.Scale, quantization.ZeroPoint} {
		if !given(t) {
			continue
		}
		if err := checkTensors(op, t); err != nil {
			return nil, err
		}
		if err := checkShape(op, "scale or zero point", t, dtypes.Float32, []int{inputs, blocks}); err != nil {
			return nil, err
		}
	}
	scale, zero := tensor.Of[float32](quantization.Scale), tensor.Of[float32](quantization.ZeroPoint)
	if !given(quantization.Scale) {
		return nil, fmt.Errorf("%s: no scale given, expected one", op)
	}
	dtype := weights.Shape.DType
	if !dtype.IsInt() || dtype.Bits() > 8 {
		return nil, unsupported(op, dtype)
	}
	integers, err := converted(op, weights, dtypes.Int16)
	if err != nil {
		return nil, err
	}
	flat := tensor.Of[int16](integers)
	switch quantization.Scheme {
	case compute.QuantLinear:
		return func(row []float32, input int) {
			for i, value := range flat[input*outputs : (input+1)*outputs] {
				at := input*blocks + i/blockSize
				row[i] = float32(value) * scale[at]
				if zero != nil {
					row[i] += zero[at]
				}
			}
		}, nil
	case compute.QuantNF4:
		if zero != nil {
			return nil, fmt.Errorf("%s: a zero point is given, expected none for scheme %s", op, quantization.Scheme)
		}
		return func(row []float32, input int) {
			for i, value := range flat[input*outputs : (input+1)*outputs] {
				row[i] = compute.NF4LookupTable[value&0xF] * scale[input*blocks+i/blockSize]
			}
		}, nil
	}
	return nil, fmt.Errorf("%s: unknown quantization scheme %d", op, quantization.Scheme)
}

// QuantizedEmbeddingLookup dequantizes the rows of data [rows, bytes per row], in
// a GGML block format, that indices [batch..., 1] name, into float32 out [batch...,
// values per row]. An index out of range is an error.
func QuantizedEmbeddingLookup(out, data, rows tensor.Tensor, format compute.GGMLQuantType) error {
	const op = "quantized embedding lookup"
	if err := checkTensors(op, out, data); err != nil {
		return err
	}
	positions, err := indices(op, rows)
	if err != nil {
		return err
	}
	rank := rows.Shape.Rank()
	if rank < 1 || rows.Shape.Dimensions[rank-1] != 1 || data.Shape.Rank() != 2 {
		return fmt.Errorf("%s: indices %s of data %s, expected a last axis of size 1 and a matrix", op, rows.Shape, data.Shape)
	}
	values, err := ggmlValues(op, data, format)
	if err != nil {
		return err
	}
	want := append(append([]int(nil), rows.Shape.Dimensions[:rank-1]...), values)
	if err := checkShape(op, "output", out, dtypes.Float32, want); err != nil {
		return err
	}
	to, bytes, width := tensor.Of[float32](out), tensor.Of[uint8](data), data.Shape.Dimensions[1]
	for i, position := range positions {
		if position < 0 || position >= data.Shape.Dimensions[0] {
			return fmt.Errorf("%s: index %d is out of range, expected 0 to %d", op, position, data.Shape.Dimensions[0]-1)
		}
		dequantize(to[i*values:(i+1)*values], bytes[position*width:(position+1)*width], format)
	}
	return nil
}

// ggmlValues returns the number of values in a row of GGML blocks.
func ggmlValues(op string, t tensor.Tensor, format compute.GGMLQuantType) (int, error) {
	if dequantizers[format] == nil {
		return 0, fmt.Errorf("%s: GGML format %s: %w", op, format, compute.ErrNotImplemented)
	}
	size := format.BytesPerBlock()
	if t.Shape.DType != dtypes.Uint8 || t.Shape.Dimensions[1]%size != 0 {
		return 0, fmt.Errorf("%s: %s, expected bytes in rows of a multiple of %d", op, t.Shape, size)
	}
	return t.Shape.Dimensions[1] / size * format.ValuesPerBlock(), nil
}

// dequantize turns a row of GGML blocks into values.
func dequantize(values []float32, blocks []uint8, format compute.GGMLQuantType) {
	width, size := format.ValuesPerBlock(), format.BytesPerBlock()
	for len(values) > 0 {
		dequantizers[format](values[:width], blocks[:size])
		values, blocks = values[width:], blocks[size:]
	}
}
