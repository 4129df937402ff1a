// Package largesteplogistic measures the claims of "From Logistic Regression to
// the Perceptron Algorithm: Exploring Gradient Descent with Large Step Sizes"
// (Tyurin, 2024, arXiv 2412.08424): that logistic regression at huge learning
// rates is a batch perceptron, that its loss says nothing of its progress, and
// that dividing the gradient by the mean probability of error makes the number
// of iterations independent of that of examples.
//
// Everything but the synthetic data is without randomness, and the paper's
// worst case has to be met in exact integers.
package largesteplogistic

import (
	"context"
	"fmt"
	"math"

	"github.com/descentml/descent/method/separation"
	"github.com/descentml/descent/study"
)

// name is that of the paper in the catalogue.
const name = "large-step-logistic"

// New is the study.
func New() *study.Study { return newExperiment().study() }

// experiment holds the methods under study, so that a test can break one.
type experiment struct {
	plain, normalized                  func(rate float64) separation.Method
	batch, normalizedBatch, perceptron separation.Method
}

func newExperiment() *experiment {
	return &experiment{
		plain:           func(rate float64) separation.Method { return separation.GradientDescent{LearningRate: rate} },
		normalized:      func(rate float64) separation.Method { return separation.NormalizedGradientDescent{LearningRate: rate} },
		batch:           separation.BatchPerceptron{},
		normalizedBatch: separation.NormalizedBatchPerceptron{},
		perceptron:      separation.Perceptron{},
	}
}

func (e *experiment) study() *study.Study {
	return &study.Study{Paper: name, Claims: claims(), Cells: e.cells, Sections: sections}
}

// A runner is a method under the name that its values have in a cell: "gd 10",
// "normalised 10", "batch".
type runner struct {
	label  string
	method separation.Method
}

// The labels of methods without a learning rate.
const (
	batchLabel           = "batch"
	normalizedBatchLabel = "normalised batch"
	perceptronLabel      = "perceptron"
)

func plainLabel(rate float64) string      { return fmt.Sprintf("gd %g", rate) }
func normalizedLabel(rate float64) string { return fmt.Sprintf("normalised %g", rate) }

// runners are gradient descent at some rates, the same normalised, and the
// perceptrons.
func (e *experiment) runners(plain, normalized []float64) []runner {
	var list []runner
	for _, rate := range plain {
		list = append(list, runner{plainLabel(rate), e.plain(rate)})
	}
	for _, rate := range normalized {
		list = append(list, runner{normalizedLabel(rate), e.normalized(rate)})
	}
	return append(list, runner{batchLabel, e.batch}, runner{normalizedBatchLabel, e.normalizedBatch}, runner{perceptronLabel, e.perceptron})
}

// What is measured of a run, after its label.
const (
	iterations = " iterations" // until separation; infinite if that did not come
	maxLoss    = " max loss"
	increases  = " increases"
	bound      = " bound" // on the iterations, from the paper's theorem
	// Of all runs of a cell together: bounds that were compared, and broken.
	boundsCompared = "bounds compared"
	boundsBroken   = "bounds broken"
	lossCurve      = " loss"
	rightCurve     = " accuracy"
)

// iterationLimit is where attempts to separate end.
const iterationLimit = 20_000

// runAll runs methods on a set and adds what it measures, with curves if asked.
// The geometry may be nil: then there are no bounds.
func runAll(ctx context.Context, m study.Measured, s *set, list []runner, g *separation.Geometry, curves bool) error {
	problem, err := s.problem()
	if err != nil {
		return err
	}
	for _, r := range list {
		result, err := separation.Run(ctx, problem, r.method, separation.Settings{MaxIterations: iterationLimit})
		if err != nil {
			return err
		}
		m.Values[r.label+iterations] = count(result)
		m.Values[r.label+maxLoss] = result.MaxLoss
		m.Values[r.label+increases] = float64(result.Increases)
		if g != nil {
			compareBound(m, r, g)
		}
		if curves {
			addCurves(m, r.label, result)
		}
	}
	return nil
}

// compareBound compares the iterations of a run with what the paper proves.
func compareBound(m study.Measured, r runner, g *separation.Geometry) {
	most := separation.Bound(r.method, g)
	if math.IsInf(most, 1) {
		return
	}
	m.Values[r.label+bound] = most
	m.Values[boundsCompared]++
	if !(m.Values[r.label+iterations] <= most) {
		m.Values[boundsBroken]++
	}
}

func count(r *separation.Result) float64 {
	if !r.Separated {
		return math.Inf(1)
	}
	return float64(r.Iterations)
}

// addCurves keeps loss and accuracy of every iterate but the first, which is
// the same for all.
func addCurves(m study.Measured, label string, r *separation.Result) {
	var loss, right study.Curve
	for t := range r.Losses[1:] {
		x := float64(t + 1)
		loss.X, loss.Y = append(loss.X, x), append(loss.Y, r.Losses[t+1])
		right.X, right.Y = append(right.X, x), append(right.Y, 1-float64(r.Wrong[t+1])/float64(r.Wrong[0]))
	}
	m.Curves[label+lossCurve], m.Curves[label+rightCurve] = loss, right
}

func newMeasured() study.Measured {
	return study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
}
