package model

import (
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// newCNN is LeNet-5 (LeCun et al. 1998) with ReLU and max pooling: a padded
// convolution, pool, a convolution without padding, pool, then dense layers of
// 120 and 84 units. Kernels are 5x5. On images below 16 pixels a side they are
// 3x3, both padded.
func newCNN(in Input, filters []int) (*Network, error) {
	switch {
	case in.Image == nil:
		return nil, errors.New("a cnn needs image data (digits, fashion-mnist or an IDX file)")
	case in.Image.Height*in.Image.Width*in.Image.Channels != in.Width:
		return nil, fmt.Errorf("an image of %dx%dx%d has %d values, not %d", in.Image.Height, in.Image.Width,
			in.Image.Channels, in.Image.Height*in.Image.Width*in.Image.Channels, in.Width)
	case min(in.Image.Height, in.Image.Width) < 4:
		return nil, fmt.Errorf("an image of %dx%d pixels is too small to be pooled twice", in.Image.Height, in.Image.Width)
	}
	name := "cnn"
	switch len(filters) {
	case 0:
		filters = []int{6, 16}
	case 2:
		name = "cnn:" + joinSizes(filters)
	default:
		return nil, errors.New("a cnn takes two numbers of filters, as in cnn:6,16")
	}
	image := *in.Image
	small := min(image.Height, image.Width) < 16
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
			x = graph.MaxPool(activation.Relu(convolution.Done())).Window(2).Done()
		}
		x = graph.Reshape(x, batch, -1)
		return denseStack(scope, x, []int{120, 84}, outputs)
	}
	return &Network{name: name, build: build}, nil
}
