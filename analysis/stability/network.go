package stability

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/objective"
)

// largestDesign bounds the numbers of a network's gradients: 512 MiB.
const largestDesign = 1 << 26

// OfModel makes the design of a GoMLX model with one output on inputs [n, ...],
// at the weights in its store: the gradients of the output by all trainable
// variables. The model's loss plays no part. It returns an error for a model
// with several outputs, and for more than 2^26 gradients times parameters.
func OfModel(ctx context.Context, m objective.Model, inputs *tensors.Tensor) (*Design, error) {
	if inputs.Rank() < 1 || inputs.Shape().Dimensions[0] < 1 {
		return nil, fmt.Errorf("inputs of shape %s: expected at least one example", inputs.Shape())
	}
	n := inputs.Shape().Dimensions[0]
	outputs := 0
	m.Loss = func(_, z *graph.Node) *graph.Node { // the gradients of its terms are those of the outputs
		outputs = z.Shape().Size() / z.Shape().Dimensions[0]
		return graph.ReduceAllMean(z)
	}
	f, err := objective.NewRisk(m, inputs, tensors.FromFlatDataAndDimensions(make([]float64, n), n, 1), objective.Options{})
	if err != nil {
		return nil, err
	}
	if outputs != 1 {
		return nil, fmt.Errorf("a model with %d outputs: expected 1", outputs)
	}
	if n*f.Dim() > largestDesign {
		return nil, fmt.Errorf("the gradients of %d examples by %d parameters: expected at most %d numbers", n, f.Dim(), largestDesign)
	}
	gradients := mat.NewDense(n, f.Dim(), nil)
	err = f.ExampleGradients(ctx, func(first int, rows *mat.Dense) error {
		count, _ := rows.Dims()
		gradients.Slice(first, first+count, 0, f.Dim()).(*mat.Dense).Copy(rows)
		return nil
	})
	if err := errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	return NewDesign(gradients)
}
