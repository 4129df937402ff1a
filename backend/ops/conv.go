package ops

import (
	"fmt"
	"slices"

	"github.com/descentml/descent/backend/tensor"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/gotype"
	"github.com/gomlx/compute/shapes"
)

// Convolution holds the attributes of ConvGeneral.
type Convolution struct {
	// Axes tells which axes are batch, channels and spatial.
	Axes compute.ConvolveAxesConfig
	// Strides, Paddings, InputDilations and KernelDilations have one value per
	// spatial axis; a missing list means 1, or no padding.
	Strides         []int
	Paddings        [][2]int
	InputDilations  []int
	KernelDilations []int
	// ChannelGroups and BatchGroups split the input's channels or batch into
	// groups that each meet an equal part of the output channels. At most 1
	// means no groups; only one of them may be above 1.
	ChannelGroups, BatchGroups int
}

// ConvGeneral computes the convolution of in with kernel in the sense of neural
// networks: the kernel is not reversed. Products are computed and added in the
// operands' data type, float32 for half precision.
func ConvGeneral(out, in, kernel tensor.Tensor, attributes Convolution) error {
	const op = "convolution"
	if err := checkTensors(op, out, in, kernel); err != nil {
		return err
	}
	if err := checkSameType(op, out, in, kernel); err != nil {
		return err
	}
	c, err := newConvolution(op, in.Shape, kernel.Shape, attributes)
	if err != nil {
		return err
	}
	if err := checkShape(op, "output", out, in.Shape.DType, c.outputDimensions()); err != nil {
		return err
	}
	switch in.Shape.DType {
	case dtypes.Int8:
		return convolve[int8](op, out, in, kernel, c)
	case dtypes.Int16:
		return convolve[int16](op, out, in, kernel, c)
	case dtypes.Int32:
		return convolve[int32](op, out, in, kernel, c)
	case dtypes.Int64:
		return convolve[int64](op, out, in, kernel, c)
	case dtypes.Uint8:
		return convolve[uint8](op, out, in, kernel, c)
	case dtypes.Uint16:
		return convolve[uint16](op, out, in, kernel, c)
	case dtypes.Uint32:
		return convolve[uint32](op, out, in, kernel, c)
	case dtypes.Uint64:
		return convolve[uint64](op, out, in, kernel, c)
	case dtypes.Float32:
		return convolve[float32](op, out, in, kernel, c)
	case dtypes.Float64:
		return convolve[float64](op, out, in, kernel, c)
	case dtypes.Float16, dtypes.BFloat16:
		return throughFloat32(op, out, []tensor.Tensor{in, kernel}, func(out tensor.Tensor, in []tensor.Tensor) error {
			return ConvGeneral(out, in[0], in[1], attributes)
		})
	}
	return unsupported(op, in.Shape.DType)
}

// A convolution is a checked Convolution of operands of known shapes.
type convolution struct {
	axes                       compute.ConvolveAxesConfig
	window                     Window
	spatial                    []int // sizes of the input's spatial axes
	places                     []int // sizes of the output's spatial axes
	batch                      int   // of the output
	inChannels, outChannels    int   // of the kernel: those of one group, and all
	channelGroups, batchGroups int
}

func newConvolution(op string, in, kernel shapes.Shape, attributes Convolution) (convolution, error) {
	axes := attributes.Axes
	c := convolution{axes: axes, channelGroups: max(1, attributes.ChannelGroups), batchGroups: max(1, attributes.BatchGroups)}
	rank := in.Rank()
	if rank < 2 || kernel.Rank() != rank {
		return c, fmt.Errorf("%s: input %s and kernel %s, expected one rank of at least 2", op, in, kernel)
	}
	for name, roles := range map[string][]int{
		"input":  append([]int{axes.InputBatch, axes.InputChannels}, axes.InputSpatial...),
		"kernel": append([]int{axes.KernelInputChannels, axes.KernelOutputChannels}, axes.KernelSpatial...),
		"output": append([]int{axes.OutputBatch, axes.OutputChannels}, axes.OutputSpatial...),
	} {
		if err := checkLength(op, name+" axes", len(roles), rank); err != nil {
			return c, err
		}
		if err := checkAxes(op, name+" axes", roles, rank); err != nil {
			return c, err
		}
	}
	strides := attributes.Strides
	if len(strides) == 0 {
		strides = make([]int, rank-2)
		fill(strides, 1)
	}
	var err error
	c.window, err = Window{
		Size:            permuted(kernel.Dimensions, axes.KernelSpatial),
		Strides:         strides,
		InputDilations:  attributes.InputDilations,
		WindowDilations: attributes.KernelDilations,
		Paddings:        attributes.Paddings,
	}.normalized(op, rank-2)
	if err != nil {
		return c, err
	}
	c.spatial = permuted(in.Dimensions, axes.InputSpatial)
	c.places = c.window.outputs(c.spatial)
	c.batch = in.Dimensions[axes.InputBatch] / c.batchGroups
	c.inChannels, c.outChannels = kernel.Dimensions[axes.KernelInputChannels], kernel.Dimensions[axes.KernelOutputChannels]
	return c, c.checkGroups(op, in)
}

// checkGroups returns an error if batch and channels cannot be split evenly.
func (c convolution) checkGroups(op string, in shapes.Shape) error {
	groups := c.channelGroups * c.batchGroups
	switch {
	case c.channelGroups > 1 && c.batchGroups > 1:
		return fmt.Errorf("%s: both channels and batch are in groups, expected at most one of them", op)
	case in.Dimensions[c.axes.InputChannels] != c.inChannels*c.channelGroups:
		return fmt.Errorf("%s: input has %d channels, expected %d groups of the kernel's %d", op, in.Dimensions[c.axes.InputChannels], c.channelGroups, c.inChannels)
	case in.Dimensions[c.axes.InputBatch]%c.batchGroups != 0 || c.outChannels%groups != 0:
		return fmt.Errorf("%s: input batch %d and %d output channels cannot be split into %d groups", op, in.Dimensions[c.axes.InputBatch], c.outChannels, groups)
	}
	return nil
}

func (c convolution) outputDimensions() []int {
	dimensions := make([]int, len(c.places)+2)
	dimensions[c.axes.OutputBatch] = c.batch
	dimensions[c.axes.OutputChannels] = c.outChannels
	for i, axis := range c.axes.OutputSpatial {
		dimensions[axis] = c.places[i]
	}
	return dimensions
}

// convolve sums, for each place and group, the input's channels at each tap
// times the tap's matrix of input by output channels.
func convolve[T gotype.NumericNotComplex](op string, out, in, kernel tensor.Tensor, c convolution) error {
	order := append(slices.Clone(c.axes.KernelSpatial), c.axes.KernelInputChannels, c.axes.KernelOutputChannels)
	arrangedKernel, err := arranged(op, kernel, order, kernel.Shape.DType)
	if err != nil {
		return err
	}
	to, from, weights := tensor.Of[T](out), tensor.Of[T](in), tensor.Of[T](arrangedKernel)
	if len(to) == 0 || len(weights) == 0 {
		clear(to)
		return nil
	}
	inStrides, outStrides := rowMajor(in.Shape.Dimensions), rowMajor(out.Shape.Dimensions)
	tapStrides := rowMajor(arrangedKernel.Shape.Dimensions)[:len(c.places)]
	s := newSweep(c.window, c.spatial, c.places, permuted(inStrides, c.axes.InputSpatial), tapStrides)
	groups := c.channelGroups * c.batchGroups
	width := c.outChannels / groups
	channelStep, outChannelStep := inStrides[c.axes.InputChannels], outStrides[c.axes.OutputChannels]
	sums, channels := make([]T, width), make([]T, c.inChannels)
	place := make([]int, len(c.places))
	for batch := range c.batch {
		for range product(c.places) {
			target := batch * outStrides[c.axes.OutputBatch]
			for i, axis := range c.axes.OutputSpatial {
				target += place[i] * outStrides[axis]
			}
			for group := range groups {
				base := (batch + group%c.batchGroups*c.batch) * inStrides[c.axes.InputBatch]
				base += group % c.channelGroups * c.inChannels * channelStep
				clear(sums)
				s.visit(place, func(input, tap int) {
					for channel := range channels {
						channels[channel] = from[base+input+channel*channelStep]
					}
					rowProduct(sums, channels, weights[tap+group*width:], c.outChannels)
				})
				for i, value := range sums {
					to[target+(group*width+i)*outChannelStep] = value
				}
			}
			advance(place, c.places)
		}
	}
	return nil
}
