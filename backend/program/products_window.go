package program

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/pooling"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// pooledReductions are those of package pooling.
var pooledReductions = map[compute.ReduceOpType]vector.Reduction{
	compute.ReduceOpSum: vector.Sum,
	compute.ReduceOpMax: vector.Largest,
	compute.ReduceOpMin: vector.Smallest,
}

// buildReduceWindow returns the kernel of a ReduceWindow: that of package
// pooling for windows over one or two neighbouring axes of float32 or float64,
// else that of package ops.
func buildReduceWindow(f *ir.Function, n *ir.Node) (kernel, error) {
	a, ok := n.Attributes.(ir.Window)
	if !ok {
		return nil, fmt.Errorf("%s has attributes %T, expected %T", n.Op, n.Attributes, a)
	}
	in := f.Shape(n.Inputs[0])
	reduction, known := pooledReductions[a.Reduction]
	if g, ok := imagesOf(a, in, f.Shape(n.Outputs[0])); ok && known {
		switch in.DType {
		case dtypes.Float32:
			return newPooling[float32](g, reduction)
		case dtypes.Float64:
			return newPooling[float64](g, reduction)
		}
	}
	return alone(func(out, in []tensor.Tensor) error {
		return ops.ReduceWindow(out[0], in[0], a.Reduction, window(a))
	}), nil
}

func newPooling[T vector.Float](g pooling.Geometry, reduction vector.Reduction) (kernel, error) {
	plan, err := pooling.New[T](g, reduction)
	if err != nil {
		return nil, err
	}
	var s spreader
	return func(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
		return plan.Reduce(s.parallel(pool), tensor.Of[T](outputs[0]), tensor.Of[T](inputs[0]))
	}, nil
}

// buildSelectAndScatterMax returns the kernel of a SelectAndScatterMax, chosen
// as that of a ReduceWindow.
func buildSelectAndScatterMax(f *ir.Function, n *ir.Node) (kernel, error) {
	a, ok := n.Attributes.(ir.Window)
	if !ok {
		return nil, fmt.Errorf("%s has attributes %T, expected %T", n.Op, n.Attributes, a)
	}
	in := f.Shape(n.Inputs[0])
	if g, ok := imagesOf(a, in, f.Shape(n.Inputs[1])); ok {
		switch in.DType {
		case dtypes.Float32:
			return newScatterMax[float32](g), nil
		case dtypes.Float64:
			return newScatterMax[float64](g), nil
		}
	}
	return alone(func(out, in []tensor.Tensor) error {
		return ops.SelectAndScatterMax(out[0], in[0], in[1], window(a))
	}), nil
}

func newScatterMax[T vector.Float](g pooling.Geometry) kernel {
	var s spreader
	return func(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
		return pooling.ScatterMax(s.parallel(pool), g, tensor.Of[T](outputs[0]), tensor.Of[T](inputs[0]), tensor.Of[T](inputs[1]))
	}
}

// imagesOf views tensors as images over which the window moves: the axes ahead
// of those in which it does are the batch, those behind are channels. ok is
// false if that is not possible.
func imagesOf(a ir.Window, in, out shapes.Shape) (g pooling.Geometry, ok bool) {
	rank := in.Rank()
	first, last := rank, -1
	for axis := range rank {
		if at(a.InputDilations, axis, 1) != 1 || at(a.WindowDilations, axis, 1) != 1 {
			return g, false
		}
		if !still(a, axis) {
			first, last = min(first, axis), axis
		}
	}
	if in.Size() == 0 || out.Size() == 0 || last < first || last > first+1 {
		return g, false
	}
	g = pooling.Geometry{
		Batch: product(in.Dimensions[:first]), Channels: product(in.Dimensions[last+1:]),
		In: pair(in.Dimensions[first:last+1], 1), Out: pair(out.Dimensions[first:last+1], 1),
		Window: [2]int{1, 1}, Stride: [2]int{1, 1},
	}
	for axis := first; axis <= last; axis++ {
		i := 1 - (last - axis)
		g.Window[i] = at(a.Dimensions, axis, 1)
		g.Stride[i] = at(a.Strides, axis, g.Window[i])
		if len(a.Paddings) > 0 {
			g.Padding[i] = a.Paddings[axis][0]
		}
	}
	return g, true
}

// still tells whether a window does nothing along an axis.
func still(a ir.Window, axis int) bool {
	size := at(a.Dimensions, axis, 1)
	return size == 1 && at(a.Strides, axis, size) == 1 && (len(a.Paddings) == 0 || a.Paddings[axis] == [2]int{})
}

// at returns an element of a list that may be missing.
func at(list []int, i, missing int) int {
	if len(list) == 0 {
		return missing
	}
	return list[i]
}
