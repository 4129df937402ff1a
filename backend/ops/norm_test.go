package ops_test

import (
	"math"
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"pgregory.net/rapid"
)

func TestSoftmax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, floatTypes)
		x := draw(t, "x", dtype, drawDimensions(t, 1, 3)...)
		dimensions := x.Shape.Dimensions
		axis := rapid.IntRange(0, len(dimensions)-1).Draw(t, "axis")
		a := arrayOf(t, x)
		totals := map[int]float64{}
		key := func(index []int) int { return flat(without(dimensions, []int{axis}), without(index, []int{axis})) }
		eachIndex(dimensions, func(index []int) { totals[key(index)] += math.Exp(a.at(index...)) })
		var want []float64
		eachIndex(dimensions, func(index []int) { want = append(want, math.Exp(a.at(index...))/totals[key(index)]) })
		must(t, ops.FusedSoftmax(x, x, axis))
		expect(t, x, precision(dtype), want...)
	})
}

func TestSoftmaxOfExtremes(t *testing.T) {
	x := filled(t, dtypes.Float32, []int{3, 2}, 1000, 1000, negativeInf, 5, nan, 1)
	must(t, ops.FusedSoftmax(x, x, 1))
	expect(t, x, 0, 0.5, 0.5, 0, 1, nan, nan)
}

func TestLayerNorm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := drawType(t, floatTypes)
		x := draw(t, "x", dtype, drawDimensions(t, 1, 3)...)
		dimensions := x.Shape.Dimensions
		axes := drawPermutation(t, len(dimensions))
		axes = axes[:rapid.IntRange(1, len(axes)).Draw(t, "number of axes")]
		var gamma, beta tensor.Tensor
		if rapid.Bool().Draw(t, "scaled") {
			gamma = draw(t, "gamma", dtype, permuted(dimensions, axes)...)
		}
		if rapid.Bool().Draw(t, "shifted") {
			beta = draw(t, "beta", dtype, permuted(dimensions, axes)...)
		}
		const epsilon = 0.5
		out := empty(t, dtype, dimensions...)
		must(t, ops.FusedLayerNorm(out, x, axes, epsilon, gamma, beta))

		a := arrayOf(t, x)
		outer := without(dimensions, axes)
		count := float64(len(a.values) / sizeOf(outer))
		mean, variance := make([]float64, sizeOf(outer)), make([]float64, sizeOf(outer))
		eachIndex(dimensions, func(index []int) { mean[flat(outer, without(index, axes))] += a.at(index...) / count })
		eachIndex(dimensions, func(index []int) {
			group := flat(outer, without(index, axes))
			variance[group] += math.Pow(a.at(index...)-mean[group], 2) / count
		})
		var want []float64
		eachIndex(dimensions, func(index []int) {
			group := flat(outer, without(index, axes))
			value := (a.at(index...) - mean[group]) / math.Sqrt(variance[group]+epsilon)
			if gamma.Flat != nil {
				value *= arrayOf(t, gamma).at(permuted(index, axes)...)
			}
			if beta.Flat != nil {
				value += arrayOf(t, beta).at(permuted(index, axes)...)
			}
			want = append(want, value)
		})
		expect(t, out, 2*precision(dtype), want...)
	})
}

func TestBatchNormForTrainingNormalizes(t *testing.T) {
	forTypes(t, floatTypes, func(t *testing.T, dtype dtypes.DType) {
		// Feature 0 holds 1, 2, 5, 8; feature 1 holds 3, 3, 4, 4.
		x := filled(t, dtype, []int{2, 2, 2}, 1, 2, 3, 3, 5, 8, 4, 4)
		scale, offset := filled(t, dtype, []int{2}, 1, 2), filled(t, dtype, []int{2}, 0, 10)
		out, mean, variance := empty(t, dtype, 2, 2, 2), empty(t, dtype, 2), empty(t, dtype, 2)
		must(t, ops.BatchNormForTraining(out, mean, variance, x, scale, offset, 0.75, 1))
		expect(t, mean, precision(dtype), 4, 3.5)
		expect(t, variance, precision(dtype), 7.5, 0.25)
		d := math.Sqrt(8.25)
		want := []float64{-3 / d, -2 / d, 9, 9, 1 / d, 4 / d, 11, 11}
		expect(t, out, precision(dtype), want...)

		again := empty(t, dtype, 2, 2, 2)
		must(t, ops.BatchNormForInference(again, x, scale, offset, mean, variance, 0.75, 1))
		expect(t, again, precision(dtype), want...)
	})
}

func TestBatchNormGradientIsThatOfTraining(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dimensions := drawDimensions(t, 1, 3)
		axis := rapid.IntRange(0, len(dimensions)-1).Draw(t, "axis")
		features := dimensions[axis]
		x, weights := draw(t, "x", dtypes.Float64, dimensions...), draw(t, "weights", dtypes.Float64, dimensions...)
		scale, offset := draw(t, "scale", dtypes.Float64, features), draw(t, "offset", dtypes.Float64, features)
		mean, variance := empty(t, dtypes.Float64, features), empty(t, dtypes.Float64, features)
		out := empty(t, dtypes.Float64, dimensions...)
		// The loss is the inner product of weights with the output.
		loss := func() float64 {
			must(t, ops.BatchNormForTraining(out, mean, variance, x, scale, offset, 0.5, axis))
			total := 0.0
			for i, weight := range tensor.Of[float64](weights) {
				total += weight * tensor.Of[float64](out)[i]
			}
			return total
		}
		loss()
		gradX, gradScale, gradOffset := empty(t, dtypes.Float64, dimensions...), empty(t, dtypes.Float64, features), empty(t, dtypes.Float64, features)
		must(t, ops.BatchNormGradient(gradX, gradScale, gradOffset, x, scale, mean, variance, weights, 0.5, axis))
		for _, pair := range []struct{ variable, gradient tensor.Tensor }{{x, gradX}, {scale, gradScale}, {offset, gradOffset}} {
			for i := range tensor.Of[float64](pair.variable) {
				slope := centralDifference(&tensor.Of[float64](pair.variable)[i], loss)
				if got := tensor.Of[float64](pair.gradient)[i]; !near(got, slope, 1e-6) {
					t.Fatalf("gradient %d is %v, finite difference %v", i, got, slope)
				}
			}
		}
	})
}

// centralDifference returns the slope of f with respect to a variable it reads.
func centralDifference(variable *float64, f func() float64) float64 {
	const step = 1e-5
	original := *variable
	*variable = original + step
	above := f()
	*variable = original - step
	below := f()
	*variable = original
	return (above - below) / (2 * step)
}
