package ir

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/tensor"
)

// Attribute types, one for each operation or family that needs settings. They
// are plain data, held by value; slices in them are never changed once a node
// has them.
type (
	// Constant is the value of an OpTypeConstant.
	Constant struct{ Data tensor.Tensor }

	// DType is the result's data type for ConvertDType and Bitcast.
	DType struct{ DType dtypes.DType }

	// Target is the result's shape for Reshape and RNGBitGenerator's values.
	// Dynamic axes are named.
	Target struct{ Shape shapes.Shape }

	// BroadcastInDim maps axis i of the operand to axis Axes[i] of the target.
	BroadcastInDim struct {
		Target shapes.Shape
		Axes   []int
	}

	// Iota fills the target with the index along Axis.
	Iota struct {
		Target shapes.Shape
		Axis   int
	}

	// DynamicReshape has one entry per axis of the result.
	DynamicReshape struct{ Axes []DynamicAxis }

	// DynamicAxis is an axis of a DynamicReshape. With a Name its size is either
	// given by the next of the node's inputs (FromInput) or inferred; without,
	// it is Size.
	DynamicAxis struct {
		Name      string
		FromInput bool
		Size      int
	}

	// Axis is the axis of Concatenate, DynamicDimensionSize and FusedSoftmax.
	Axis struct{ Axis int }

	// Axes are those of the reductions (all axes, in increasing order) and of
	// Reverse, and the permutation of Transpose.
	Axes struct{ Axes []int }

	// Slice takes elements Starts, Starts+Strides, ... below Limits.
	Slice struct{ Starts, Limits, Strides []int }

	// Pad has one entry for each axis.
	Pad struct{ Axes []compute.PadAxis }

	// ArgMinMax finds the index of the extreme along Axis.
	ArgMinMax struct {
		Axis  int
		DType dtypes.DType
		IsMin bool
	}

	// Window is the moving window of ReduceWindow and SelectAndScatter (which
	// have no dilations). All slices have one entry per axis.
	Window struct {
		Reduction                       compute.ReduceOpType
		Dimensions, Strides             []int
		InputDilations, WindowDilations []int
		Paddings                        [][2]int
	}

	// Gather is described at compute.StandardOps.
	Gather struct {
		IndexVectorAxis                                     int
		OffsetOutputAxes, CollapsedSliceAxes, StartIndexMap []int
		SliceSizes                                          []int
		IndicesAreSorted                                    bool
	}

	// Scatter is described at compute.StandardOps.
	Scatter struct {
		IndexVectorAxis                                                int
		UpdateWindowAxes, InsertedWindowAxes, ScatterAxesToOperandAxes []int
		IndicesAreSorted, UniqueIndices                                bool
	}

	// DynamicSlice has the size of the slice in each axis.
	DynamicSlice struct{ Sizes []int }

	// Dot says which axes of the two operands of DotGeneral are contracted, and
	// which are paired.
	Dot struct {
		LHSContracting, LHSBatch []int
		RHSContracting, RHSBatch []int
		Config                   compute.DotGeneralConfig
	}

	// Conv has one stride, padding and dilation per spatial axis.
	Conv struct {
		Axes                               compute.ConvolveAxesConfig
		Strides                            []int
		Paddings                           [][2]int
		InputDilations, KernelDilations    []int
		ChannelGroupCount, BatchGroupCount int
	}

	// BatchNorm serves the three batch normalization operations.
	BatchNorm struct {
		Epsilon     float32
		FeatureAxis int
	}

	// Gelu computes with the error function if Exact, else with an approximation.
	Gelu struct{ Exact bool }

	// LayerNorm normalizes over Axes; gamma and beta are further inputs.
	LayerNorm struct {
		Axes              []int
		Epsilon           float64
		HasGamma, HasBeta bool
	}

	// Quantized describes the weights of FusedQuantizedDense and
	// QuantizedEmbeddingLookup. The scale and the zero point are further inputs.
	Quantized struct {
		Scheme       compute.QuantizationScheme
		BlockAxis    int
		BlockSize    int
		GGMLType     compute.GGMLQuantType
		HasZeroPoint bool
	}

	// Sort has the sorted axis. Inputs beyond Operands are the comparator's.
	Sort struct {
		Axis     int
		Stable   bool
		Operands int
	}

	// While has the length of its state; the inputs after it are those of the
	// condition, CondArguments of them, then those of the body.
	While struct{ State, CondArguments int }

	// If has the number of inputs of its first branch; the first input of the
	// node is the predicate, the last ones are the second branch's.
	If struct{ TrueArguments int }
)
