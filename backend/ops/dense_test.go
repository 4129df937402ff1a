package ops_test

import (
	"math"
	"slices"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

func TestGelu(t *testing.T) {
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		in := []float64{-100, -1, 0, 1, 100}
		for exact, one := range map[bool]float64{true: 0.8413447460685429, false: 0.8411919906082768} {
			out := empty(t, dtype, 5)
			must(t, ops.FusedGelu(out, filled(t, dtype, []int{5}, in...), exact))
			expect(t, out, precision(dtype), 0, one-1, 0, one, 100)
		}
	})
}

func TestActivate(t *testing.T) {
	in := []float64{-4, -1, 0, 1, 4}
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		for activation, function := range map[compute.ActivationType]func(x float64) float64{
			compute.ActivationNone:      func(x float64) float64 { return x },
			compute.ActivationRelu:      func(x float64) float64 { return max(x, 0) },
			compute.ActivationSilu:      func(x float64) float64 { return x / (1 + math.Exp(-x)) },
			compute.ActivationHardSwish: func(x float64) float64 { return x * min(max(x+3, 0), 6) / 6 },
			compute.ActivationTanh:      math.Tanh,
			compute.ActivationGelu:      func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 },
		} {
			var want []float64
			for _, x := range in {
				want = append(want, function(x))
			}
			out := filled(t, dtype, []int{5}, in...)
			must(t, ops.Activate(out, out, activation))
			expect(t, out, precision(dtype), want...)
		}
	})
}

func TestDenseIsAMatrixProductPlusBias(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, floatTypes)
		batch, outputs := drawDimensions(t, 0, 2), drawDimensions(t, 1, 2)
		inputs := rapid.IntRange(1, 5).Draw(t, "inputs")
		layout := rapid.SampledFrom([]compute.DenseLayout{compute.DenseLayoutInputOutputs, compute.DenseLayoutOutputsInput}).Draw(t, "layout")
		weightDimensions, weightAxis := append([]int{inputs}, outputs...), 0
		if layout == compute.DenseLayoutOutputsInput {
			weightDimensions, weightAxis = append(slices.Clone(outputs), inputs), len(outputs)
		}
		x, weight := draw(t, "x", dtype, append(slices.Clone(batch), inputs)...), draw(t, "weight", dtype, weightDimensions...)
		want := dotReference(arrayOf(t, x), arrayOf(t, weight), ops.DotAxes{LHSContracting: []int{len(batch)}, RHSContracting: []int{weightAxis}})
		var bias tensor.Tensor
		if rapid.Bool().Draw(t, "bias") {
			bias = draw(t, "bias", dtype, outputs...)
			for i := range want.values {
				want.values[i] += values(t, bias)[i%sizeOf(outputs)]
			}
		}
		for i, value := range want.values {
			want.values[i] = max(value, 0)
		}
		out := empty(t, dtype, want.dimensions...)
		must(t, ops.FusedDense(out, x, weight, bias, compute.DenseConfig{Activation: compute.ActivationRelu, WeightLayout: layout}))
		expect(t, out, precision(dtype), want.values...)
	})
}

func TestAttentionProjectionSplitsADenseLayer(t *testing.T) {
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		x := filled(t, dtype, []int{2, 2}, 1, 2, 3, 4)
		weight := filled(t, dtype, []int{2, 4}, 1, 0, 1, 2, 0, 1, 1, 1)
		query, key, value := empty(t, dtype, 2, 2), empty(t, dtype, 2, 1), empty(t, dtype, 2, 1)
		bias := filled(t, dtype, []int{1}, 10)
		must(t, ops.FusedAttentionQKVProjection(query, key, value, x, weight, tensor.Tensor{}, bias, tensor.Tensor{}))
		expect(t, query, 0, 1, 2, 3, 4)
		expect(t, key, 0, 13, 17)
		expect(t, value, 0, 4, 10)
	})
}
