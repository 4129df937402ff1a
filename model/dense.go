package model

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// newLinear is x W + b. It starts at zero, as generalised linear models do:
// the problem is convex, so the start only has to be the same for everybody.
func newLinear(_ Input, o options) (*Network, error) {
	switch {
	case len(o.sizes) > 0:
		return nil, errors.New("a linear model takes no sizes")
	case o.activation.name != nonlinearities[0].name:
		return nil, errors.New("a linear model has no activation")
	}
	build := func(scope *model.Scope, x *graph.Node, outputs int) *graph.Node {
		return layers.DenseWithBias(scope.In("output").WithInitializer(initializer.Zero), x, outputs)
	}
	return &Network{name: "linear", build: build}, nil
}

// newMLP is a stack of dense layers of the given sizes, ReLU by default, and a
// linear output, with He's initialisation (normal, variance 2/fan-in) and zero
// biases.
func newMLP(_ Input, o options) (*Network, error) {
	if len(o.sizes) == 0 {
		return nil, errors.New("the sizes of the hidden layers are missing, as in mlp:64,32")
	}
	build := func(scope *model.Scope, x *graph.Node, outputs int) *graph.Node {
		return denseStack(scope.WithInitializer(initializer.HeFn(scope)), x, o.sizes, outputs, o.activation)
	}
	return &Network{name: "mlp:" + joinSizes(o.sizes) + o.activation.suffix(), build: build}, nil
}

// denseStack builds layers of the hidden sizes, then the linear output. x has
// shape [batch, features].
func denseStack(scope *model.Scope, x *graph.Node, hidden []int, outputs int, act nonlinearity) *graph.Node {
	for i, size := range hidden {
		x = act.apply(layers.DenseWithBias(scope.In("hidden_%d", i+1), x, size))
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
