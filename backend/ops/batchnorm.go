package ops

import (
	"math"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// BatchNormForInference computes scale·(in-mean)/√(variance+epsilon) + offset,
// where all but in have one value per feature, the index along featureAxis.
func BatchNormForInference(out, in, scale, offset, mean, variance tensor.Tensor, epsilon float32, featureAxis int) error {
	const op = "batch norm for inference"
	vectors := []tensor.Tensor{scale, offset, mean, variance}
	if err := checkBatchNorm(op, featureAxis, []tensor.Tensor{in, out}, vectors); err != nil {
		return err
	}
	tensors := append([]tensor.Tensor{out, in}, vectors...)
	return inFloats(op, 1, tensors, func(t []tensor.Tensor) {
		normalizeBatch[float32](t, epsilon, featureAxis)
	}, func(t []tensor.Tensor) {
		normalizeBatch[float64](t, epsilon, featureAxis)
	})
}

// BatchNormForTraining sets mean and variance to those of each feature over all
// other axes (the variance is divided by the number of elements), and out to what
// BatchNormForInference computes with them.
func BatchNormForTraining(out, mean, variance, in, scale, offset tensor.Tensor, epsilon float32, featureAxis int) error {
	const op = "batch norm for training"
	if err := checkBatchNorm(op, featureAxis, []tensor.Tensor{in, out}, []tensor.Tensor{mean, variance, scale, offset}); err != nil {
		return err
	}
	tensors := []tensor.Tensor{out, mean, variance, in, scale, offset}
	return inFloats(op, 3, tensors, func(t []tensor.Tensor) {
		trainBatch[float32](t, epsilon, featureAxis)
	}, func(t []tensor.Tensor) {
		trainBatch[float64](t, epsilon, featureAxis)
	})
}

// BatchNormGradient sets gradIn, gradScale and gradOffset to the gradients of
// BatchNormForTraining, where mean and variance are its results and gradOut is
// the gradient with respect to its output.
func BatchNormGradient(gradIn, gradScale, gradOffset, in, scale, mean, variance, gradOut tensor.Tensor, epsilon float32, featureAxis int) error {
	const op = "batch norm gradient"
	if err := checkBatchNorm(op, featureAxis, []tensor.Tensor{in, gradIn, gradOut}, []tensor.Tensor{gradScale, gradOffset, scale, mean, variance}); err != nil {
		return err
	}
	tensors := []tensor.Tensor{gradIn, gradScale, gradOffset, in, scale, mean, variance, gradOut}
	return inFloats(op, 3, tensors, func(t []tensor.Tensor) {
		batchGradient[float32](t, epsilon, featureAxis)
	}, func(t []tensor.Tensor) {
		batchGradient[float64](t, epsilon, featureAxis)
	})
}

// checkBatchNorm checks that all arrays have the first one's shape and vectors
// its data type and as many elements as it has features.
func checkBatchNorm(op string, featureAxis int, arrays, vectors []tensor.Tensor) error {
	first := arrays[0].Shape
	if err := checkAxes(op, "feature axis", []int{featureAxis}, first.Rank()); err != nil {
		return err
	}
	for _, t := range arrays {
		if err := checkShape(op, "array", t, first.DType, first.Dimensions); err != nil {
			return err
		}
	}
	for _, t := range vectors {
		if err := checkShape(op, "vector", t, first.DType, first.Dimensions[featureAxis:featureAxis+1]); err != nil {
			return err
		}
	}
	return nil
}

// inFloats runs one of two forms of an operation on tensors of one type of
// floats, the first outputs of which are results; half precision in float32.
func inFloats(op string, outputs int, tensors []tensor.Tensor, run32, run64 func(tensors []tensor.Tensor)) error {
	if err := checkTensors(op, tensors...); err != nil {
		return err
	}
	if err := checkSameType(op, tensors...); err != nil {
		return err
	}
	switch dtype := tensors[0].Shape.DType; dtype {
	case dtypes.Float32:
		run32(tensors)
	case dtypes.Float64:
		run64(tensors)
	case dtypes.Float16, dtypes.BFloat16:
		wide := make([]tensor.Tensor, len(tensors))
		for i, t := range tensors {
			var err error
			if wide[i], err = widened(op, t); err != nil {
				return err
			}
		}
		run32(wide)
		for i := range outputs {
			if err := ConvertDType(tensors[i], wide[i]); err != nil {
				return err
			}
		}
	default:
		return unsupported(op, dtype)
	}
	return nil
}

// normalizeBatch works on out, in, scale, offset, mean, variance.
func normalizeBatch[T gotype.Float](t []tensor.Tensor, epsilon float32, axis int) {
	to, from := tensor.Of[T](t[0]), tensor.Of[T](t[1])
	scale, offset, mean, variance := tensor.Of[T](t[2]), tensor.Of[T](t[3]), tensor.Of[T](t[4]), tensor.Of[T](t[5])
	outer, features, inner := split(t[1].Shape.Dimensions, axis)
	for o := range outer {
		for feature := range features {
			factor := scale[feature] * inverseDeviation(variance[feature], epsilon)
			start := (o*features + feature) * inner
			for i := start; i < start+inner; i++ {
				to[i] = (from[i]-mean[feature])*factor + offset[feature]
			}
		}
	}
}

func inverseDeviation[T gotype.Float](variance T, epsilon float32) T {
	return T(1 / math.Sqrt(float64(variance)+float64(epsilon)))
}

// trainBatch works on out, mean, variance, in, scale, offset.
func trainBatch[T gotype.Float](t []tensor.Tensor, epsilon float32, axis int) {
	mean, variance, from := tensor.Of[T](t[1]), tensor.Of[T](t[2]), tensor.Of[T](t[3])
	outer, features, inner := split(t[3].Shape.Dimensions, axis)
	for feature := range features {
		total, squares := 0.0, 0.0
		eachOfFeature(outer, features, inner, feature, func(i int) { total += float64(from[i]) })
		average := total / float64(outer*inner)
		eachOfFeature(outer, features, inner, feature, func(i int) {
			difference := float64(from[i]) - average
			squares += difference * difference
		})
		mean[feature], variance[feature] = T(average), T(squares/float64(outer*inner))
	}
	normalizeBatch[T]([]tensor.Tensor{t[0], t[3], t[4], t[5], t[1], t[2]}, epsilon, axis)
}

// eachOfFeature calls body with the flat index of each element of a feature.
func eachOfFeature(outer, features, inner, feature int, body func(i int)) {
	for o := range outer {
		start := (o*features + feature) * inner
		for i := start; i < start+inner; i++ {
			body(i)
		}
	}
}

// batchGradient works on gradIn, gradScale, gradOffset, in, scale, mean,
// variance, gradOut.
func batchGradient[T gotype.Float](t []tensor.Tensor, epsilon float32, axis int) {
	gradIn, gradScale, gradOffset := tensor.Of[T](t[0]), tensor.Of[T](t[1]), tensor.Of[T](t[2])
	from, scale, mean, variance := tensor.Of[T](t[3]), tensor.Of[T](t[4]), tensor.Of[T](t[5]), tensor.Of[T](t[6])
	gradOut := tensor.Of[T](t[7])
	outer, features, inner := split(t[3].Shape.Dimensions, axis)
	number := float64(outer * inner)
	for feature := range features {
		center := float64(mean[feature])
		inverse := 1 / math.Sqrt(float64(variance[feature])+float64(epsilon))
		sumGradient, sumProduct := 0.0, 0.0
		eachOfFeature(outer, features, inner, feature, func(i int) {
			sumGradient += float64(gradOut[i])
			sumProduct += float64(gradOut[i]) * (float64(from[i]) - center) * inverse
		})
		gradOffset[feature], gradScale[feature] = T(sumGradient), T(sumProduct)
		eachOfFeature(outer, features, inner, feature, func(i int) {
			normalized := (float64(from[i]) - center) * inverse
			centered := float64(gradOut[i]) - sumGradient/number - normalized*sumProduct/number
			gradIn[i] = T(float64(scale[feature]) * inverse * centered)
		})
	}
}
