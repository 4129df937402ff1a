package coded

import (
	"context"
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/objective"
)

// Objective is the mean loss over the examples of a chunk: an [objective.Linear]
// or an [objective.Risk].
type Objective interface {
	Dim() int
	Examples() int
	SetParameters([]float64) error
	Gradient(ctx context.Context, dst []float64) (float64, error)
}

// Chunks computes gradients with one objective for each chunk, made when it is
// first asked for. It is not safe for concurrent use.
type Chunks struct {
	// Examples is the number of all examples.
	Examples int
	// Make makes the objective of a model on a chunk; nil for an empty chunk.
	Make func(model, chunk int) (Objective, error)

	made map[[2]int]Objective
}

// Gradient is that of [Gradients].
func (c *Chunks) Gradient(ctx context.Context, model, chunk int, parameters, dst []float64) error {
	o, ok := c.made[[2]int{model, chunk}]
	if !ok {
		var err error
		if o, err = c.Make(model, chunk); err != nil {
			return err
		}
		if c.made == nil {
			c.made = map[[2]int]Objective{}
		}
		c.made[[2]int{model, chunk}] = o
	}
	if o == nil {
		clear(dst)
		return nil
	}
	if o.Dim() != len(dst) {
		return fmt.Errorf("a model with %d parameters for a gradient of %d: expected as many", o.Dim(), len(dst))
	}
	if err := o.SetParameters(parameters); err != nil {
		return err
	}
	if _, err := o.Gradient(ctx, dst); err != nil {
		return err
	}
	floats.Scale(float64(o.Examples())/float64(c.Examples), dst)
	return nil
}

// LinearChunks are the chunks of a generalised linear model, the same for every
// model: features [n, columns] and n targets, split at the bounds that
// [coding.Placement.Bounds] gives for n examples.
func LinearChunks(features *mat.Dense, targets []float64, bounds []int, o objective.LinearOptions) *Chunks {
	shared := map[int]Objective{}
	return &Chunks{Examples: len(targets), Make: func(_, chunk int) (Objective, error) {
		if chunk < 0 || chunk+1 >= len(bounds) {
			return nil, fmt.Errorf("chunk %d: expected one from 0 to %d", chunk, len(bounds)-2)
		}
		if made, ok := shared[chunk]; ok {
			return made, nil
		}
		first, last := bounds[chunk], bounds[chunk+1]
		if first == last {
			return nil, nil
		}
		_, columns := features.Dims()
		l, err := objective.NewLinear(features.Slice(first, last, 0, columns).(*mat.Dense), targets[first:last], o)
		if err != nil {
			return nil, err
		}
		shared[chunk] = l
		return l, nil
	}}
}
