package backend

import (
	"slices"

	"github.com/gomlx/compute"

	"github.com/descentml/descent/backend/ir"
)

// FusedSoftmax returns exp(x) divided by its sum along an axis.
func (f *Function) FusedSoftmax(x compute.Value, axis int) (compute.Value, error) {
	return f.add(compute.OpTypeFusedSoftmax, ir.Axis{Axis: axis}, x)
}

// FusedLayerNorm returns (x-mean)/sqrt(variance+epsilon)*gamma+beta with mean
// and variance over the axes. Negative axes count from the end; gamma and beta
// may be nil.
func (f *Function) FusedLayerNorm(x compute.Value, axes []int, epsilon float64, gamma, beta compute.Value) (compute.Value, error) {
	operand, err := f.shape(compute.OpTypeFusedLayerNorm, x)
	if err != nil {
		return nil, err
	}
	a := ir.LayerNorm{Axes: slices.Clone(axes), Epsilon: epsilon, HasGamma: gamma != nil, HasBeta: beta != nil}
	for i, axis := range a.Axes {
		if axis < 0 {
			a.Axes[i] += operand.Rank()
		}
	}
	slices.Sort(a.Axes)
	inputs := []compute.Value{x}
	if a.HasGamma {
		inputs = append(inputs, gamma)
	}
	if a.HasBeta {
		inputs = append(inputs, beta)
	}
	return f.add(compute.OpTypeFusedLayerNorm, a, inputs...)
}

// BatchNormForInference normalizes each feature with the given mean and
// variance.
func (f *Function) BatchNormForInference(operand, scale, offset, mean, variance compute.Value, epsilon float32, featureAxis int) (compute.Value, error) {
	return f.add(compute.OpTypeBatchNormForInference, ir.BatchNorm{Epsilon: epsilon, FeatureAxis: featureAxis}, operand, scale, offset, mean, variance)
}

// BatchNormForTraining normalizes each feature with the mean and variance of
// the batch, which it also returns.
func (f *Function) BatchNormForTraining(operand, scale, offset compute.Value, epsilon float32, featureAxis int) (normalized, batchMean, batchVariance compute.Value, err error) {
	outputs, err := f.addMany(compute.OpTypeBatchNormForTraining, ir.BatchNorm{Epsilon: epsilon, FeatureAxis: featureAxis}, []compute.Value{operand, scale, offset})
	if err != nil {
		return nil, nil, nil, err
	}
	return outputs[0], outputs[1], outputs[2], nil
}

// BatchNormGradient returns the gradients of BatchNormForTraining.
func (f *Function) BatchNormGradient(
	operand, scale, mean, variance, gradOutput compute.Value, epsilon float32, featureAxis int,
) (gradOperand, gradScale, gradOffset compute.Value, err error) {
	inputs := []compute.Value{operand, scale, mean, variance, gradOutput}
	outputs, err := f.addMany(compute.OpTypeBatchNormGradient, ir.BatchNorm{Epsilon: epsilon, FeatureAxis: featureAxis}, inputs)
	if err != nil {
		return nil, nil, nil, err
	}
	return outputs[0], outputs[1], outputs[2], nil
}
