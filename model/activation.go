package model

import (
	"fmt"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"

	"github.com/descentml/descent/internal/nearest"
)

// nonlinearity is the function that the hidden units of a network apply.
type nonlinearity struct {
	name  string // as in "mlp:64:activation=elu"
	apply func(*graph.Node) *graph.Node
}

// nonlinearities lists the functions, the default first.
var nonlinearities = []nonlinearity{
	{"relu", activation.Relu},
	{"leaky_relu", func(x *graph.Node) *graph.Node { return activation.LeakyReluWith(x, 0.1) }},
	{"elu", func(x *graph.Node) *graph.Node { return elu(x, 1) }},
	{"selu", func(x *graph.Node) *graph.Node {
		return graph.MulScalar(elu(x, activation.SeluAlpha), activation.SeluScale)
	}},
}

// elu is x above zero and alpha (exp(x) - 1) elsewhere (Clevert et al. 2016).
// The exponential never sees a positive number: where it overflows, its
// gradient would be infinite times zero.
func elu(x *graph.Node, alpha float64) *graph.Node {
	positive := graph.GreaterThan(x, graph.ScalarZero(x.Graph(), x.DType()))
	below := graph.Where(positive, graph.ZerosLike(x), x)
	return graph.Where(positive, x, graph.MulScalar(graph.MinusOne(graph.Exp(below)), alpha))
}

// parseNonlinearity returns the function of a name.
func parseNonlinearity(name string) (nonlinearity, error) {
	var known []string
	for _, n := range nonlinearities {
		if n.name == name {
			return n, nil
		}
		known = append(known, n.name)
	}
	expected := "expected " + strings.Join(known, ", ")
	if near := nearest.Name(name, known); near != "" {
		expected = "did you mean " + near + "? " + expected
	}
	return nonlinearity{}, fmt.Errorf("unknown activation %q: %s", name, expected)
}

// suffix is what a specification ends with that asks for the function; nothing
// for the default.
func (n nonlinearity) suffix() string {
	if n.name == nonlinearities[0].name {
		return ""
	}
	return ":activation=" + n.name
}
