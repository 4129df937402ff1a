package model

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// newCNN is LeNet-5 (LeCun et al. 1998) with max pooling and, by default, ReLU:
// a padded convolution, pool, a convolution without padding, pool, then dense
// layers of 120 and 84 units. Kernels are 5x5. On images below 16 pixels a side
// they are 3x3, both padded.
func newCNN(in Input, o options) (*Network, error) {
	if err := in.checkImage("cnn"); err != nil {
		return nil, err
	}
	name, filters := "cnn", o.sizes
	switch len(filters) {
	case 0:
		filters = []int{6, 16}
	case 2:
		name += ":" + joinSizes(filters)
	default:
		return nil, errors.New("a cnn takes two numbers of filters, as in cnn:6,16")
	}
	image, act := *in.Image, o.activation
	small := min(image.Height, image.Width) < smallImage
	kernel := 5
	if small {
		kernel = 3
	}
	build := func(scope *model.Scope, x *graph.Node, outputs int) *graph.Node {
		scope = scope.WithInitializer(initializer.HeFn(scope))
		batch := x.Shape().Dimensions[0]
		x = graph.Reshape(x, batch, image.Height, image.Width, image.Channels)
		for i, count := range filters {
			convolution := layers.Convolution(scope.In("conv_%d", i+1), x).Channels(count).KernelSize(kernel)
			if i == 0 || small {
				convolution.PadSame()
			}
			x = graph.MaxPool(act.apply(convolution.Done())).Window(2).Done()
		}
		x = graph.Reshape(x, batch, -1)
		return denseStack(scope, x, []int{120, 84}, outputs, act)
	}
	return &Network{name: name + act.suffix(), build: build}, nil
}

// smallImage is the number of pixels a side below which an image is small.
const smallImage = 16

// checkImage finds out why the input does not suit a network for images.
func (in Input) checkImage(network string) error {
	image := in.Image
	switch {
	case image == nil:
		return fmt.Errorf("a %s needs image data (digits, fashion-mnist or an IDX file)", network)
	case image.Height*image.Width*image.Channels != in.Width:
		return fmt.Errorf("an image of %dx%dx%d has %d values, not %d", image.Height, image.Width, image.Channels,
			image.Height*image.Width*image.Channels, in.Width)
	case min(image.Height, image.Width) < 4:
		return fmt.Errorf("an image of %dx%d pixels is too small: expected at least 4x4", image.Height, image.Width)
	}
	return nil
}
