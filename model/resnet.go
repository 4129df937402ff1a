package model

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// newResNet is a residual network in pre-activation form (He et al. 2016): a
// 3x3 convolution, a block for each number of filters, and a linear output that
// sees every pixel of the last maps. A block with another number of filters
// than the one before halves the sides of the image. Images of 16 pixels a side
// and more are first brought to a quarter, by a stride and by max pooling.
//
// It has no batch normalisation, so that the loss of an example does not depend
// on its batch and every method can train it. What normalisation does for the
// size of the signal, a factor on the branch of each block does: 1/sqrt(blocks),
// with which the variance stays bounded at any depth (Hayou et al. 2021).
func newResNet(in Input, o options) (*Network, error) {
	if err := in.checkImage("resnet"); err != nil {
		return nil, err
	}
	name, filters := "resnet", o.sizes
	switch {
	case len(filters) == 0:
		filters = []int{16, 32}
	case len(filters) > maxBlocks:
		return nil, fmt.Errorf("%d blocks are too many for a resnet: expected at most %d", len(filters), maxBlocks)
	default:
		name += ":" + joinSizes(filters)
	}
	image, act := *in.Image, o.activation
	build := func(scope *model.Scope, x *graph.Node, outputs int) *graph.Node {
		scope = scope.WithInitializer(initializer.HeFn(scope))
		batch := x.Shape().Dimensions[0]
		x = graph.Reshape(x, batch, image.Height, image.Width, image.Channels)
		if min(image.Height, image.Width) < smallImage {
			x = convolve(scope.In("stem"), x, filters[0], 3, 1)
		} else {
			x = graph.MaxPool(convolve(scope.In("stem"), x, filters[0], 3, 2)).Window(2).Done()
		}
		for i, count := range filters {
			x = residual(scope.In("block_%d", i+1), x, count, 1/math.Sqrt(float64(len(filters))), act)
		}
		x = graph.Reshape(act.apply(x), batch, -1)
		return layers.DenseWithBias(scope.In("output"), x, outputs)
	}
	return &Network{name: name + act.suffix(), build: build}, nil
}

// maxBlocks bounds the depth of a residual network, and with it the time that
// building its graph takes.
const maxBlocks = 64

// residual is a block: shortcut(x) + scale branch(x), where the branch is two
// 3x3 convolutions, each after the activation. x has shape [batch, height,
// width, channels]. With count channels the result is shaped as x and the
// shortcut is the identity; else height and width are halved, rounded up, and
// the shortcut is a 1x1 convolution.
func residual(scope *model.Scope, x *graph.Node, count int, scale float64, act nonlinearity) *graph.Node {
	active := act.apply(x)
	shortcut, stride := x, 1
	if x.Shape().Dimensions[3] != count {
		stride = 2
		shortcut = convolve(scope.In("shortcut"), active, count, 1, stride)
	}
	branch := convolve(scope.In("conv_1"), active, count, 3, stride)
	branch = convolve(scope.In("conv_2"), act.apply(branch), count, 3, 1)
	return graph.Add(shortcut, graph.MulScalar(branch, scale))
}

// convolve is a padded convolution with bias.
func convolve(scope *model.Scope, x *graph.Node, filters, kernel, stride int) *graph.Node {
	return layers.Convolution(scope, x).Channels(filters).KernelSize(kernel).PadSame().Strides(stride).Done()
}
