//go:build unix

package main

import (
	"context"
	"math/rand/v2"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/objective"
)

// The network of the work and its quadrature.
var slqSizes = []int{64, 256, 128, 10}

const (
	slqExamples = 1000
	slqProbes   = 10
	slqSteps    = 60
)

// hessianDensity is the density of the Hessian's eigenvalues of a network with
// 50,826 parameters on 1000 examples, by stochastic Lanczos quadrature with
// full reorthogonalisation, twice in each step. The peer does the same with double backward, and keeps the graph of the first one.
func hessianDensity() work {
	return work{name: "slq mlp 50k f32", prepare: func() (func() error, error) {
		outputs := func(scope *model.Scope, x *Node) *Node {
			for i := range len(slqSizes) - 1 {
				layer := scope.In("layer_%d", i+1)
				w := layer.VariableWithValue("weights", spread(slqSizes[i], slqSizes[i+1]))
				b := layer.VariableWithValue("biases", tensors.FromFlatDataAndDimensions(make([]float32, slqSizes[i+1]), 1, slqSizes[i+1]))
				x = Add(MatMul(x, w.NodeValue(x)), b.NodeValue(x))
				if i < len(slqSizes)-2 {
					x = MaxScalar(x, 0)
				}
			}
			return x
		}
		f, err := objective.NewRisk(objective.Model{
			Backend: compute.MustNew(), Store: model.NewStore(), DType: dtypes.Float32, Outputs: outputs, Loss: objective.CrossEntropy,
		}, values(dtypes.Float32, slqExamples, slqSizes[0]), values(dtypes.Int32, slqExamples, 1), objective.Options{})
		if err != nil {
			return nil, err
		}
		ctx := context.Background()
		return func() error {
			_, err := spectrum.Quadrature(ctx, f.Hessian(ctx), spectrum.Quadratures{Probes: slqProbes, Steps: slqSteps}, rand.New(rand.NewPCG(1, 1)))
			return err
		}, nil
	}}
}

// spread is a tensor of values with about the variance of He's initialisation.
func spread(rows, columns int) *tensors.Tensor {
	t := values(dtypes.Float32, rows, columns)
	tensors.MustMutableFlatData(t, func(flat []float32) {
		for i := range flat {
			flat[i] *= 4 / float32(rows)
		}
	})
	return t
}
