package backend

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/backend/ir"
)

// DotGeneral multiplies and sums over the contracting axes, for each index of
// the batch axes. The result has the batch axes, then the other axes of lhs,
// then those of rhs.
func (f *Function) DotGeneral(
	lhs compute.Value, lhsContractingAxes, lhsBatchAxes []int,
	rhs compute.Value, rhsContractingAxes, rhsBatchAxes []int,
	config compute.DotGeneralConfig,
) (compute.Value, error) {
	for _, dtype := range []dtypes.DType{config.AccumulatorDType, config.OutputDType} {
		if dtype == dtypes.InvalidDType {
			continue
		}
		if err := checkDType(compute.OpTypeDotGeneral, dtype); err != nil {
			return nil, err
		}
	}
	return f.add(compute.OpTypeDotGeneral, ir.Dot{
		LHSContracting: slices.Clone(lhsContractingAxes), LHSBatch: slices.Clone(lhsBatchAxes),
		RHSContracting: slices.Clone(rhsContractingAxes), RHSBatch: slices.Clone(rhsBatchAxes),
		Config: config,
	}, lhs, rhs)
}

// ConvGeneral convolves input with kernel; see compute.StandardOps.
func (f *Function) ConvGeneral(
	input, kernel compute.Value, axes compute.ConvolveAxesConfig,
	strides []int, paddings [][2]int, inputDilations, kernelDilations []int,
	channelGroupCount, batchGroupCount int,
) (compute.Value, error) {
	operand, err := f.shape(compute.OpTypeConvGeneral, input)
	if err != nil {
		return nil, err
	}
	spatial := max(operand.Rank()-2, 0)
	ones := slices.Repeat([]int{1}, spatial)
	return f.add(compute.OpTypeConvGeneral, ir.Conv{
		Axes:              axes.Clone(),
		Strides:           orDefault(strides, ones),
		Paddings:          orDefault(paddings, make([][2]int, spatial)),
		InputDilations:    atLeastOne(orDefault(inputDilations, ones)),
		KernelDilations:   atLeastOne(orDefault(kernelDilations, ones)),
		ChannelGroupCount: max(channelGroupCount, 1),
		BatchGroupCount:   max(batchGroupCount, 1),
	}, input, kernel)
}

func atLeastOne(list []int) []int {
	for i := range list {
		list[i] = max(list[i], 1)
	}
	return list
}
