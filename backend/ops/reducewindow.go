package ops

import (
	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
)

// ReduceWindow combines the elements that a window covers, at each of its
// places, by ReduceOpSum, ReduceOpProduct, ReduceOpMax or ReduceOpMin. Padding and
// holes count as nothing.
func ReduceWindow(out, in tensor.Tensor, reduction compute.ReduceOpType, window Window) error {
	const op = "reduce window"
	if err := checkTensors(op, out, in); err != nil {
		return err
	}
	w, err := window.normalized(op, in.Shape.Rank())
	if err != nil {
		return err
	}
	if err := checkShape(op, "output", out, in.Shape.DType, w.outputs(in.Shape.Dimensions)); err != nil {
		return err
	}
	switch in.Shape.DType {
	case dtypes.Int8:
		return reduceWindow[int8](op, out, in, reduction, w)
	case dtypes.Int16:
		return reduceWindow[int16](op, out, in, reduction, w)
	case dtypes.Int32:
		return reduceWindow[int32](op, out, in, reduction, w)
	case dtypes.Int64:
		return reduceWindow[int64](op, out, in, reduction, w)
	case dtypes.Uint8:
		return reduceWindow[uint8](op, out, in, reduction, w)
	case dtypes.Uint16:
		return reduceWindow[uint16](op, out, in, reduction, w)
	case dtypes.Uint32:
		return reduceWindow[uint32](op, out, in, reduction, w)
	case dtypes.Uint64:
		return reduceWindow[uint64](op, out, in, reduction, w)
	case dtypes.Float32:
		return reduceWindow[float32](op, out, in, reduction, w)
	case dtypes.Float64:
		return reduceWindow[float64](op, out, in, reduction, w)
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(op, out, []tensor.Tensor{in}, func(out tensor.Tensor, in []tensor.Tensor) error {
			return ReduceWindow(out, in[0], reduction, window)
		})
	}
	return unsupported(op, in.Shape.DType)
}

// reductions maps the kinds of windowed reductions to those of Reduce.
var reductions = map[compute.ReduceOpType]compute.OpType{
	compute.ReduceOpSum:     compute.OpTypeReduceSum,
	compute.ReduceOpProduct: compute.OpTypeReduceProduct,
	compute.ReduceOpMax:     compute.OpTypeReduceMax,
	compute.ReduceOpMin:     compute.OpTypeReduceMin,
}

func reduceWindow[T gotype.NumericNotComplex](op string, out, in tensor.Tensor, reduction compute.ReduceOpType, w Window) error {
	r := numberReducer[T](reductions[reduction], in)
	if r.merge == nil {
		return unsupported(op+" by "+reduction.String(), in.Shape.DType)
	}
	to, from := tensor.Of[T](out), tensor.Of[T](in)
	fill(to, r.identity)
	places := out.Shape.Dimensions
	s, lane := windowOver(w, in, places)
	place := make([]int, len(s.axes))
	for start := 0; start < len(to); start += lane {
		result := to[start : start+lane]
		s.visit(place, func(input, _ int) {
			r.merge(result, result, from[input:input+lane])
		})
		advance(place, places[:len(place)])
	}
	return nil
}

// SelectAndScatterMax adds each element of source to that element of out which
// the window selects in in at the same place: the highest, as ArgMinMax does.
// out starts from zero and has the shape of in. Dilations are not defined.
func SelectAndScatterMax(out, in, source tensor.Tensor, window Window) error {
	return selectAndScatter("select and scatter max", out, in, source, window, false)
}

// SelectAndScatterMin is SelectAndScatterMax for the lowest elements.
func SelectAndScatterMin(out, in, source tensor.Tensor, window Window) error {
	return selectAndScatter("select and scatter min", out, in, source, window, true)
}

func selectAndScatter(op string, out, in, source tensor.Tensor, window Window, isMin bool) error {
	if err := checkTensors(op, out, in, source); err != nil {
		return err
	}
	window.InputDilations, window.WindowDilations = nil, nil
	w, err := window.normalized(op, in.Shape.Rank())
	if err != nil {
		return err
	}
	if err := checkShape(op, "output", out, in.Shape.DType, in.Shape.Dimensions); err != nil {
		return err
	}
	if err := checkShape(op, "source", source, in.Shape.DType, w.outputs(in.Shape.Dimensions)); err != nil {
		return err
	}
	switch in.Shape.DType {
	case dtypes.Int8:
		scatterSelected[int8](out, in, source, w, isMin)
	case dtypes.Int16:
		scatterSelected[int16](out, in, source, w, isMin)
	case dtypes.Int32:
		scatterSelected[int32](out, in, source, w, isMin)
	case dtypes.Int64:
		scatterSelected[int64](out, in, source, w, isMin)
	case dtypes.Uint8:
		scatterSelected[uint8](out, in, source, w, isMin)
	case dtypes.Uint16:
		scatterSelected[uint16](out, in, source, w, isMin)
	case dtypes.Uint32:
		scatterSelected[uint32](out, in, source, w, isMin)
	case dtypes.Uint64:
		scatterSelected[uint64](out, in, source, w, isMin)
	case dtypes.Float32:
		scatterSelected[float32](out, in, source, w, isMin)
	case dtypes.Float64:
		scatterSelected[float64](out, in, source, w, isMin)
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(op, out, []tensor.Tensor{in, source}, func(out tensor.Tensor, in []tensor.Tensor) error {
			return selectAndScatter(op, out, in[0], in[1], window, isMin)
		})
	default:
		return unsupported(op, in.Shape.DType)
	}
	return nil
}

func scatterSelected[T gotype.NumericNotComplex](out, in, source tensor.Tensor, w Window, isMin bool) {
	to, from, updates := tensor.Of[T](out), tensor.Of[T](in), tensor.Of[T](source)
	clear(to)
	places := source.Shape.Dimensions
	s, lane := windowOver(w, in, places)
	place := make([]int, len(s.axes))
	selected := make([]int, lane)
	for start := 0; start < len(updates); start += lane {
		fill(selected, -1)
		s.visit(place, func(input, _ int) {
			for i, value := range from[input : input+lane] {
				if selected[i] < 0 || better(value, from[selected[i]], isMin) {
					selected[i] = input + i
				}
			}
		})
		for i, position := range selected {
			if position >= 0 {
				to[position] += updates[start+i]
			}
		}
		advance(place, places[:len(place)])
	}
}
