// Package driver trains: one loop for every method, with the same split, the
// same initial weights and the same batches for the same seed. It stops when
// asked, hands out checkpoints from which training continues bit for bit, and
// reports divergence as an outcome.
package driver

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/backend/kernel/sparse"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/model"
	"github.com/descentml/descent/objective"
)

// Examples is an encoded part of a data set. Exactly one of Features and Sparse
// is set, and exactly one of Labels (class indices) and Targets (standardised
// values), with Count entries.
type Examples struct {
	Count    int
	Features []float32 // Count x width, row by row
	Sparse   *sparse.Matrix
	Labels   []int32
	Targets  []float32
}

// Problem is what every method of a comparison is given: encoded data, a
// network and a loss. It is read-only while trials run on it.
type Problem struct {
	Task                    data.Task
	Train, Validation, Test Examples
	Network                 *model.Network
	Width                   int          // encoded features
	Outputs                 int          // classes, or 1 for regression
	DType                   dtypes.DType // of weights and computation

	lossRows []int // training examples that the train loss is measured on; nil: all
}

// trainLossExamples bounds the examples on which the train loss is measured
// after each epoch.
const trainLossExamples = 10_000

// NewProblem encodes the three parts of a table with a fitted encoder, and
// makes the network that the specification names, computing in dtype (float32
// or float64; the features are encoded in float32).
func NewProblem(t *data.Table, split data.Split, encoder *data.Encoder, network string, dtype dtypes.DType) (*Problem, error) {
	p := &Problem{Task: encoder.Task(), Width: encoder.Width(), Outputs: 1, DType: dtype}
	if p.Task == data.Classification {
		p.Outputs = len(encoder.Classes())
	}
	var err error
	p.Network, err = model.New(network, model.Input{Width: encoder.Width(), Image: encoder.Image()})
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		examples *Examples
		rows     []int
	}{{&p.Train, split.Train}, {&p.Validation, split.Validation}, {&p.Test, split.Test}} {
		if *part.examples, err = Encode(t, part.rows, encoder); err != nil {
			return nil, err
		}
	}
	if p.Train.Count > trainLossExamples {
		// A random part, the same for every trial: files are often sorted.
		p.lossRows = data.EpochOrder(p.Train.Count, 0, 0)[:trainLossExamples]
	}
	return p, p.checkTargets(t.Name)
}

// checkTargets refuses parts whose targets are all the same: R² has no value
// there.
func (p *Problem) checkTargets(name string) error {
	if p.Task != data.Regression {
		return nil
	}
	for part, e := range map[string]*Examples{"validation": &p.Validation, "test": &p.Test} {
		if !(totalSumOfSquares(e.Targets) > 0) {
			return fmt.Errorf("%s: the target is constant over the %s part (%d rows), which leaves no R² to measure: use more rows or a larger part",
				name, part, e.Count)
		}
	}
	return nil
}

// Encode encodes the given rows of a table with their labels or targets.
func Encode(t *data.Table, rows []int, encoder *data.Encoder) (Examples, error) {
	e := Examples{Count: len(rows)}
	var err error
	if t.Sparse != nil {
		e.Sparse, err = encoder.SparseFeatures(t, rows)
	} else {
		e.Features, err = encoder.Features(t, rows)
	}
	if err != nil {
		return e, err
	}
	switch encoder.Task() {
	case data.Classification:
		e.Labels, err = encoder.Labels(t, rows)
	case data.Regression:
		e.Targets, err = encoder.Targets(t, rows)
	default:
		err = fmt.Errorf("task %q: expected %s or %s", encoder.Task(), data.Classification, data.Regression)
	}
	return e, err
}

// ParseDType reads the number type of weights and computation, float32 or float64.
func ParseDType(name string) (dtypes.DType, error) {
	switch name {
	case "float32":
		return dtypes.Float32, nil
	case "float64":
		return dtypes.Float64, nil
	}
	return dtypes.InvalidDType, fmt.Errorf("number type %q: expected float32 or float64", name)
}

func (p *Problem) loss() objective.Loss {
	if p.Task == data.Classification {
		return objective.CrossEntropy
	}
	return objective.SquaredError
}

// ScoreName is what the problem's score is called: "accuracy" for
// classification, "R²" (the coefficient of determination) for regression.
// Both are better when higher.
func (p *Problem) ScoreName() string {
	if p.Task == data.Classification {
		return "accuracy"
	}
	return "R²"
}
