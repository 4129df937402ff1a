package model

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// newLinear is x W + b. It starts at zero, as generalised linear models do:
// the problem is convex, so the start only has to be the same for everybody.
func newLinear(_ Input, parameters []int) (*Network, error) {
	if len(parameters) > 0 {
		return nil, errors.New("a linear model takes no sizes")
	}
	build := func(scope *model.Scope, x *graph.Node, outputs int) *graph.Node {
		return layers.DenseWithBias(scope.In("output").WithInitializer(initializer.Zero), x, outputs)
	}
	return &Network{name: "linear", build: build}, nil
}

// newMLP is a stack of ReLU layers of the given sizes and a linear output,
// with He's initialisation (normal, variance 2/fan-in) and zero biases.
func newMLP(_ Input, hidden []int) (*Network, error) {
	if len(hidden) == 0 {
		return nil, errors.New("the sizes of the hidden layers are missing, as in mlp:64,32")
	}
	build := func(scope *model.Scope, x *graph.Node, outputs int) *graph.Node {
		return denseStack(scope.WithInitializer(initializer.HeFn(scope)), x, hidden, outputs)
	}
	return &Network{name: "mlp:" + joinSizes(hidden), build: build}, nil
}

// denseStack builds ReLU layers of the hidden sizes, then the linear output.
// x has shape [batch, features].
func denseStack(scope *model.Scope, x *graph.Node, hidden []int, outputs int) *graph.Node {
	for i, size := range hidden {
		x = activation.Relu(layers.DenseWithBias(scope.In("hidden_%d", i+1), x, size))
	}
	return layers.DenseWithBias(scope.In("output"), x, outputs)
}

func joinSizes(sizes []int) string {
	list := make([]string, len(sizes))
	for i, size := range sizes {
		list[i] = strconv.Itoa(size)
	}
	return strings.Join(list, ",")
}
