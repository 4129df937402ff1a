// Package model holds what is trained: named networks as GoMLX graph functions.
//
// A network is named by a specification, "linear", "mlp:64,32", "cnn" or
// "resnet:8,16:activation=elu", and turns a batch of encoded examples into one
// row of outputs per example: the logits of the classes, or the value of a
// regression. It knows nothing of losses, methods or data files.
package model

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/internal/nearest"
)

// Input says what a network is fed.
type Input struct {
	Width int         // encoded features per example
	Image *data.Image // set when the features are the pixels of an image
}

// Network is a model ready to be built into a graph. It has no state: its
// weights live in the GoMLX store behind the scope that Logits is given.
type Network struct {
	name  string
	input Input
	build func(scope *model.Scope, x *graph.Node, outputs int) *graph.Node
}

// Kind describes one family of networks for listings.
type Kind struct {
	Name    string `json:"name"`    // what the specification starts with
	Usage   string `json:"usage"`   // the form of the specification
	Summary string `json:"summary"` // one line
}

// family is a registered kind with its constructor.
type family struct {
	Kind
	construct func(Input, options) (*Network, error)
}

// options are what a specification says after the name.
type options struct {
	sizes      []int // the numbers, if any
	activation nonlinearity
}

// families is the one place where networks are registered.
var families = []family{
	{Kind{"linear", "linear", "one linear layer: logistic, softmax or least-squares regression; starts at zero"}, newLinear},
	{Kind{"mlp", "mlp:H1,H2,...", "fully connected layers of H1, H2, ... units; ReLU, or another activation as in mlp:64:activation=elu (leaky_relu, elu, selu); He initialisation"}, newMLP},
	{Kind{"cnn", "cnn | cnn:F1,F2", "LeNet-like for images: two convolutions (6 and 16 filters, or F1 and F2) with max pooling, then 120 and 84 units; activation as for mlp"}, newCNN},
	{Kind{"resnet", "resnet | resnet:F1,F2,...", "residual network for images: a block of two convolutions for each number of filters (16 and 32, or F1, F2, ...), half the resolution where it changes; activation as for mlp"}, newResNet},
}

// Kinds lists the networks that New knows, in a fixed order.
func Kinds() []Kind {
	kinds := make([]Kind, len(families))
	for i, f := range families {
		kinds[i] = f.Kind
	}
	return kinds
}

// New makes the network that a specification names for the given input. Any but
// the linear one takes ":activation=NAME" at the end: relu (the default),
// leaky_relu (slope 0.1), elu or selu. New fails on an unknown name, on sizes
// that are not positive integers, and where the network does not fit the input
// (a cnn without an image).
func New(specification string, in Input) (*Network, error) {
	if in.Width <= 0 {
		return nil, fmt.Errorf("model %q: the data has no features", specification)
	}
	name, rest, given := strings.Cut(specification, ":")
	o, err := parseOptions(rest, given)
	if err != nil {
		return nil, fmt.Errorf("model %q: %w", specification, err)
	}
	for _, f := range families {
		if f.Name == name {
			n, err := f.construct(in, o)
			if err != nil {
				return nil, fmt.Errorf("model %q: %w", specification, err)
			}
			n.input = in
			return n, nil
		}
	}
	if near := nearest.Name(name, names()); near != "" {
		return nil, fmt.Errorf("unknown model %q: did you mean %s? expected %s", specification, near, usages())
	}
	return nil, fmt.Errorf("unknown model %q: expected %s", specification, usages())
}

// parseOptions reads what follows the name of a network: sizes, an activation,
// or both in this order.
func parseOptions(text string, given bool) (options, error) {
	o := options{activation: nonlinearities[0]}
	if !given {
		return o, nil
	}
	for i, part := range strings.Split(text, ":") {
		name, value, assigned := strings.Cut(part, "=")
		var err error
		switch {
		case !assigned && i == 0:
			o.sizes, err = parseSizes(part)
		case assigned && strings.TrimSpace(name) == "activation":
			o.activation, err = parseNonlinearity(strings.TrimSpace(value))
		default:
			err = fmt.Errorf("%q is no option: expected activation=NAME", part)
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func parseSizes(list string) ([]int, error) {
	var sizes []int
	for _, field := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > maxLayerSize {
			return nil, fmt.Errorf("%q is not a size between 1 and %d", field, maxLayerSize)
		}
		sizes = append(sizes, n)
	}
	return sizes, nil
}

// maxLayerSize bounds one layer, so that a slip of the finger is an error and
// not an allocation of the whole memory.
const maxLayerSize = 1 << 16

func names() []string {
	var list []string
	for _, f := range families {
		list = append(list, f.Name)
	}
	return list
}

func usages() string {
	var list []string
	for _, f := range families {
		list = append(list, f.Usage)
	}
	return strings.Join(list, ", ")
}

// String returns the canonical specification of the network.
func (n *Network) String() string { return n.name }

// Scope is the name under which a network keeps its weights, apart from the
// state of optimizers.
const Scope = "network"

// Logits builds the network's outputs into a graph: x has shape [batch, width]
// and the result [batch, outputs]. The weights are trainable variables in
// Scope below the given scope, made with the store's random state on first
// use, in x's number type. It is a graph-building function and panics as
// GoMLX's do.
func (n *Network) Logits(scope *model.Scope, x *graph.Node, outputs int) *graph.Node {
	x.AssertDims(-1, n.input.Width)
	return n.build(scope.In(Scope), x, outputs)
}
