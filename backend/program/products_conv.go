package program

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/descentml/descent/backend/ir"
	"github.com/descentml/descent/backend/kernel/conv"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/backend/ops"
	"github.com/descentml/descent/backend/tensor"
)

// buildConvolution returns the kernel of a ConvGeneral: that of package conv
// for float32 and float64 with one or two spatial axes and no groups, else
// that of package ops.
func buildConvolution(f *ir.Function, n *ir.Node) (kernel, error) {
	a, ok := n.Attributes.(ir.Conv)
	if !ok {
		return nil, fmt.Errorf("%s has attributes %T, expected %T", n.Op, n.Attributes, a)
	}
	in, weights, out := f.Shape(n.Inputs[0]), f.Shape(n.Inputs[1]), f.Shape(n.Outputs[0])
	l := layoutOf(a, in, weights, out)
	if grouped := max(a.ChannelGroupCount, a.BatchGroupCount) > 1; !grouped && (in.Rank() == 3 || in.Rank() == 4) && l.geometry.Supported() {
		switch in.DType {
		case dtypes.Float32:
			return newConvolution[float32](l)
		case dtypes.Float64:
			return newConvolution[float64](l)
		}
	}
	attributes := ops.Convolution{
		Axes:            a.Axes,
		Strides:         a.Strides,
		Paddings:        a.Paddings,
		InputDilations:  a.InputDilations,
		KernelDilations: a.KernelDilations,
		ChannelGroups:   a.ChannelGroupCount,
		BatchGroups:     a.BatchGroupCount,
	}
	return alone(func(out, in []tensor.Tensor) error { return ops.ConvGeneral(out[0], in[0], in[1], attributes) }), nil
}

// A convolutionLayout says how a ConvGeneral becomes one of package conv.
type convolutionLayout struct {
	geometry conv.Geometry
	gradient bool // with respect to the kernel of the geometry
	// The orders of axes in which the operands are read and the result is
	// written, if they are not their own; else nil.
	in, weights, out *permutation
}

// layoutOf finds the layout. A kernel with more taps than the output has pixels
// is the gradient of an output: see convVJPWrtKernel in GoMLX's graph package.
func layoutOf(a ir.Conv, in, weights, out shapes.Shape) convolutionLayout {
	x := a.Axes
	inSpatial, taps, outSpatial := gathered(in.Dimensions, x.InputSpatial), gathered(weights.Dimensions, x.KernelSpatial), gathered(out.Dimensions, x.OutputSpatial)
	var paddings []int
	for _, p := range a.Paddings {
		paddings = append(paddings, p[0])
	}
	g := conv.Geometry{
		Batch:           in.Dimensions[x.InputBatch],
		InChannels:      in.Dimensions[x.InputChannels],
		OutChannels:     out.Dimensions[x.OutputChannels],
		In:              pair(inSpatial, 1),
		Out:             pair(outSpatial, 1),
		Kernel:          pair(taps, 1),
		Stride:          pair(a.Strides, 1),
		Padding:         pair(paddings, 0),
		InputDilation:   pair(a.InputDilations, 1),
		KernelDilation:  pair(a.KernelDilations, 1),
		OutChannelsLast: true,
	}
	l := convolutionLayout{geometry: g}
	if product(taps) > product(outSpatial) && g.InputDilation == [2]int{1, 1} {
		l.gradient = true
		l.geometry.Batch, l.geometry.InChannels = g.InChannels, g.Batch
		l.geometry.Out, l.geometry.Kernel = g.Kernel, g.Out
		l.geometry.Stride, l.geometry.KernelDilation = g.KernelDilation, g.Stride
		l.in = ordered(in, around(x.InputChannels, x.InputSpatial, x.InputBatch))
		l.weights = ordered(weights, around(x.KernelInputChannels, x.KernelSpatial, x.KernelOutputChannels))
		l.out = restored(out, slices.Concat(x.OutputSpatial, []int{x.OutputBatch, x.OutputChannels}))
		return l
	}
	l.in = ordered(in, around(x.InputBatch, x.InputSpatial, x.InputChannels))
	l.out = restored(out, around(x.OutputBatch, x.OutputSpatial, x.OutputChannels))
	if swapped := slices.Concat(x.KernelSpatial, []int{x.KernelOutputChannels, x.KernelInputChannels}); slices.IsSorted(swapped) {
		l.geometry.OutChannelsLast = false
		return l
	}
	l.weights = ordered(weights, slices.Concat(x.KernelSpatial, []int{x.KernelInputChannels, x.KernelOutputChannels}))
	return l
}

// pair returns the last two of a list, with missing ahead if it is shorter.
func pair(list []int, missing int) [2]int {
	switch len(list) {
	case 0:
		return [2]int{missing, missing}
	case 1:
		return [2]int{missing, list[0]}
	}
	return [2]int(list[len(list)-2:])
}

func around(first int, middle []int, last int) []int {
	return slices.Concat([]int{first}, middle, []int{last})
}

// ordered returns what brings the axes of a shape into an order, or nil if they
// are.
func ordered(shape shapes.Shape, order []int) *permutation {
	if slices.IsSorted(order) {
		return nil
	}
	return newPermutation(shape.Dimensions, order)
}

// restored undoes what ordered does.
func restored(shape shapes.Shape, order []int) *permutation {
	if slices.IsSorted(order) {
		return nil
	}
	return newPermutation(gathered(shape.Dimensions, order), sortedPlaces(order))
}

// A convolution computes one in the layout of package conv.
type convolution[T vector.Float] struct {
	layout   convolutionLayout
	plan     *conv.Plan[T]
	scratch  scratch[T]
	spreader spreader
}

func newConvolution[T vector.Float](l convolutionLayout) (kernel, error) {
	plan, err := conv.New[T](l.geometry)
	if err != nil {
		return nil, err
	}
	return (&convolution[T]{layout: l, plan: plan}).run, nil
}

func (c *convolution[T]) run(pool *workers.Pool, outputs, inputs []tensor.Tensor) error {
	in, err := c.ordered(pool, c.layout.in, tensor.Of[T](inputs[0]))
	if err != nil {
		return err
	}
	defer c.release(c.layout.in, in)
	weights, err := c.ordered(pool, c.layout.weights, tensor.Of[T](inputs[1]))
	if err != nil {
		return err
	}
	defer c.release(c.layout.weights, weights)
	out := tensor.Of[T](outputs[0])
	if c.layout.out == nil {
		return c.compute(pool, out, *in, *weights)
	}
	result := c.scratch.get(len(out))
	defer c.scratch.put(result)
	if err := c.compute(pool, *result, *in, *weights); err != nil {
		return err
	}
	return permute(c.layout.out, pool, out, *result)
}

func (c *convolution[T]) compute(pool *workers.Pool, out, in, weights []T) error {
	parallel := c.spreader.parallel(pool)
	if c.layout.gradient {
		return c.plan.KernelGradient(parallel, out, in, weights)
	}
	return c.plan.Convolve(parallel, out, in, weights)
}

// ordered returns the elements in another order, in scratch memory, or as they
// are if order is nil.
func (c *convolution[T]) ordered(pool *workers.Pool, order *permutation, elements []T) (*[]T, error) {
	if order == nil {
		return &elements, nil
	}
	memory := c.scratch.get(len(elements))
	return memory, permute(order, pool, *memory, elements)
}

// release gives back what ordered returned for an order.
func (c *convolution[T]) release(order *permutation, memory *[]T) {
	if order != nil {
		c.scratch.put(memory)
	}
}
