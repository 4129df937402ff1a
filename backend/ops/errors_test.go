package ops_test

import (
	"testing"

	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"pgregory.net/rapid"
)

// A wild call runs an operation on tensors and integers that fit nothing. It
// may succeed or give an error; it must not panic.
type wildCall func(t []tensor.Tensor, ints [][]int) error

var wildCalls = map[string]wildCall{
	"unary":       func(t []tensor.Tensor, _ [][]int) error { return ops.Unary(compute.OpTypeExp, t[0], t[1]) },
	"is finite":   func(t []tensor.Tensor, _ [][]int) error { return ops.IsFinite(t[0], t[1]) },
	"binary":      func(t []tensor.Tensor, _ [][]int) error { return ops.Binary(compute.OpTypeRem, t[0], t[1], t[2]) },
	"compare":     func(t []tensor.Tensor, _ [][]int) error { return ops.Compare(compute.OpTypeLessThan, t[0], t[1], t[2]) },
	"convert":     func(t []tensor.Tensor, _ [][]int) error { return ops.ConvertDType(t[0], t[1]) },
	"where":       func(t []tensor.Tensor, _ [][]int) error { return ops.Where(t[0], t[1], t[2], t[3]) },
	"reshape":     func(t []tensor.Tensor, _ [][]int) error { return ops.Reshape(t[0], t[1]) },
	"bitcast":     func(t []tensor.Tensor, _ [][]int) error { return ops.Bitcast(t[0], t[1]) },
	"transpose":   func(t []tensor.Tensor, i [][]int) error { return ops.Transpose(t[0], t[1], i[0]) },
	"broadcast":   func(t []tensor.Tensor, i [][]int) error { return ops.BroadcastInDim(t[0], t[1], i[0]) },
	"reverse":     func(t []tensor.Tensor, i [][]int) error { return ops.Reverse(t[0], t[1], i[0]) },
	"concatenate": func(t []tensor.Tensor, i [][]int) error { return ops.Concatenate(t[0], first(i), t[1:]...) },
	"slice":       func(t []tensor.Tensor, i [][]int) error { return ops.Slice(t[0], t[1], i[0], i[1], i[2]) },
	"pad": func(t []tensor.Tensor, i [][]int) error {
		var config []compute.PadAxis
		for _, value := range i[0] {
			config = append(config, compute.PadAxis{Start: value, End: first(i[1:]), Interior: first(i[2:])})
		}
		return ops.Pad(t[0], t[1], t[2], config)
	},
	"dynamic slice":        func(t []tensor.Tensor, _ [][]int) error { return ops.DynamicSlice(t[0], t[1], t[2:]) },
	"dynamic update slice": func(t []tensor.Tensor, _ [][]int) error { return ops.DynamicUpdateSlice(t[0], t[1], t[2], t[3:]) },
	"reduce":               func(t []tensor.Tensor, i [][]int) error { return ops.Reduce(compute.OpTypeReduceMax, t[0], t[1], i[0]) },
	"argminmax":            func(t []tensor.Tensor, i [][]int) error { return ops.ArgMinMax(t[0], t[1], first(i), true) },
	"iota":                 func(t []tensor.Tensor, i [][]int) error { return ops.Iota(t[0], first(i)) },
	"dot": func(t []tensor.Tensor, i [][]int) error {
		axes := ops.DotAxes{LHSContracting: i[0], LHSBatch: i[1], RHSContracting: i[2], RHSBatch: i[3]}
		return ops.DotGeneral(t[0], t[1], t[2], axes, dtypes.InvalidDType)
	},
	"convolution": func(t []tensor.Tensor, i [][]int) error {
		axes := compute.ConvolveAxesConfig{
			InputBatch: 0, InputChannels: 1, InputSpatial: i[0], KernelInputChannels: 0, KernelOutputChannels: 1, KernelSpatial: i[0],
			OutputBatch: 0, OutputChannels: 1, OutputSpatial: i[0],
		}
		return ops.ConvGeneral(t[0], t[1], t[2], ops.Convolution{Axes: axes, Strides: i[1], InputDilations: i[2], KernelDilations: i[3], BatchGroups: first(i)})
	},
	"reduce window": func(t []tensor.Tensor, i [][]int) error {
		return ops.ReduceWindow(t[0], t[1], compute.ReduceOpSum, ops.Window{Size: i[0], Strides: i[1], InputDilations: i[2], WindowDilations: i[3]})
	},
	"select and scatter": func(t []tensor.Tensor, i [][]int) error {
		return ops.SelectAndScatterMax(t[0], t[1], t[2], ops.Window{Size: i[0], Strides: i[1]})
	},
	"gather": func(t []tensor.Tensor, i [][]int) error {
		return ops.Gather(t[0], t[1], t[2], ops.GatherAxes{IndexVectorAxis: first(i), OffsetOutputAxes: i[0], CollapsedSliceAxes: i[1], StartIndexMap: i[2], SliceSizes: i[3]})
	},
	"scatter": func(t []tensor.Tensor, i [][]int) error {
		return ops.Scatter(compute.OpTypeScatterSum, t[0], t[1], t[2], t[3], ops.ScatterAxes{IndexVectorAxis: first(i), UpdateWindowAxes: i[0], InsertedWindowAxes: i[1], ScatterAxesToOperandAxes: i[2]})
	},
	"random bits": func(t []tensor.Tensor, _ [][]int) error { return ops.RandomBits(t[0], t[1], t[2]) },
	"sort": func(t []tensor.Tensor, i [][]int) error {
		return ops.Sort(t[:2], t[2:4], first(i), func(a, b int) (bool, error) { return a < b, nil })
	},
	"softmax":    func(t []tensor.Tensor, i [][]int) error { return ops.FusedSoftmax(t[0], t[1], first(i)) },
	"layer norm": func(t []tensor.Tensor, i [][]int) error { return ops.FusedLayerNorm(t[0], t[1], i[0], 1, t[2], t[3]) },
	"batch norm": func(t []tensor.Tensor, i [][]int) error {
		return ops.BatchNormForTraining(t[0], t[1], t[2], t[3], t[2], t[1], 1, first(i))
	},
	"gelu": func(t []tensor.Tensor, _ [][]int) error { return ops.FusedGelu(t[0], t[1], true) },
	"quantized dense": func(t []tensor.Tensor, i [][]int) error {
		q := ops.Quantization{Scheme: compute.QuantizationScheme(first(i)), Scale: t[0], ZeroPoint: t[1], BlockSize: first(i[1:])}
		return ops.FusedQuantizedDense(t[0], t[1], t[2], q)
	},
	"embedding lookup": func(t []tensor.Tensor, i [][]int) error {
		return ops.QuantizedEmbeddingLookup(t[0], t[1], t[2], compute.GGMLQuantType(first(i)))
	},
	"element": func(t []tensor.Tensor, i [][]int) error { return ops.Element(t[0], t[1], first(i)) },
}

// first returns the first integer there is.
func first(lists [][]int) int {
	for _, list := range lists {
		if len(list) > 0 {
			return list[0]
		}
	}
	return 0
}

// wildTensor draws a tensor of few shapes and types, so that some calls fit;
// now and then its elements do not fit its shape.
func wildTensor(t *rapid.T) tensor.Tensor {
	dtype := wildType(t)
	dimensions := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 4).Draw(t, "dimensions")
	x := empty(t, dtype, dimensions...)
	switch rapid.IntRange(0, 20).Draw(t, "damage") {
	case 0:
		x.Flat = []float32{1}
	case 1:
		x.Flat = nil
	case 2:
		x.Shape = shapes.MakeDynamic(dtype, []int{shapes.DynamicDim, 2}, []string{"batch", ""})
	case 3:
		x.Shape.DType = dtypes.F8E4M3FN
	}
	return x
}

func wildType(t *rapid.T) dtypes.DType {
	return drawType(t, []dtypes.DType{
		dtypes.Float32, dtypes.Float32, dtypes.BFloat16, dtypes.Int32, dtypes.Int32, dtypes.Uint64, dtypes.Uint8,
		dtypes.Int4, dtypes.Bool, dtypes.Complex64,
	})
}

func TestNoCallPanics(t *testing.T) {
	for name, call := range wildCalls {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			tensors := make([]tensor.Tensor, 4)
			for i := range tensors {
				tensors[i] = wildTensor(t)
				if i == 0 || tensors[i-1].Check() != nil {
					continue
				}
				switch rapid.IntRange(0, 3).Draw(t, "as before") {
				case 0, 1:
					tensors[i] = tensors[i-1]
				case 2:
					tensors[i] = empty(t, wildType(t), tensors[i-1].Shape.Dimensions...)
				}
			}
			integers := make([][]int, 4)
			for i := range integers {
				integers[i] = rapid.SliceOfN(rapid.IntRange(-1, 3), 0, 4).Draw(t, "integers")
			}
			defer func() {
				if problem := recover(); problem != nil {
					t.Fatalf("panic: %v", problem)
				}
			}()
			if err := call(tensors, integers); err != nil && err.Error() == "" {
				t.Fatalf("the error says nothing")
			}
		}))
	}
}

func TestOperationsRefuseTypesTheyAreNotDefinedFor(t *testing.T) {
	booleans, floats := empty(t, dtypes.Bool, 2), empty(t, dtypes.Float32, 2)
	integers, packed := empty(t, dtypes.Int32, 2), empty(t, dtypes.Int4, 2)
	for name, err := range map[string]error{
		"add booleans":       ops.Binary(compute.OpTypeAdd, booleans, booleans, booleans),
		"shift floats":       ops.Binary(compute.OpTypeShiftLeft, floats, floats, floats),
		"and of integers":    ops.Binary(compute.OpTypeLogicalAnd, integers, integers, integers),
		"mixed types":        ops.Binary(compute.OpTypeAdd, floats, floats, integers),
		"order of booleans":  ops.Compare(compute.OpTypeLessThan, booleans, booleans, booleans),
		"exp of integers":    ops.Unary(compute.OpTypeExp, integers, integers),
		"clz of floats":      ops.Unary(compute.OpTypeClz, floats, floats),
		"finite integers":    ops.IsFinite(booleans, integers),
		"sum of booleans":    ops.Reduce(compute.OpTypeReduceSum, empty(t, dtypes.Bool), booleans, nil),
		"softmax of ints":    ops.FusedSoftmax(integers, integers, 0),
		"reverse of packed":  ops.Reverse(packed, packed, []int{0}),
		"convert to packed":  ops.ConvertDType(packed, integers),
		"iota of booleans":   ops.Iota(booleans, 0),
		"positions in float": ops.ArgMinMax(empty(t, dtypes.Float32), floats, 0, true),
	} {
		if err == nil {
			t.Errorf("%s gave no error", name)
		}
	}
}
