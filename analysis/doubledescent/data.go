// Package doubledescent measures how test error depends on the size of a model,
// and why the peak at the interpolation threshold is there or not.
//
// A model whose size just suffices to fit N training examples can have a test
// error far above that of smaller and larger models. The peak belongs to
// solutions of low train loss: an optimizer that stops before the train loss at
// the threshold is small does not show it, whatever made it stop - a small step,
// a small budget, poor conditioning, a ridge. Source: Liu and Flanigan,
// "Understanding the Role of Optimization in Double Descent", OPT 2023. The
// experiments are designed here, as the paper's settings are not known.
//
// [Data] holds numbers to learn from. [Features] draws the frozen first layer of
// a random-feature model, [NewProblem] makes the least-squares problem of its
// head, [Decompose] takes that apart into modes, from which any number of steps
// of gradient descent, ridge regression and the minimum-norm solution follow in
// closed form ([Modes.Solve]); [Modes.Train] covers the optimizers that have
// none. [TrainNetwork] trains both layers. A [Sweep] does this over widths,
// settings and seeds, and [Curve.Shape] says how high the peak is.
package doubledescent

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Part is a set of examples.
type Part struct {
	Inputs  *mat.Dense // examples x inputs
	Targets *mat.Dense // examples x outputs
	// Labels are the classes of the examples from 0 on, from which errors are
	// counted; nil for regression. With one output, class 1 is a prediction
	// above 0.
	Labels []int
}

// Data is what models of all sizes are trained and tested on.
type Data struct{ Train, Test Part }

// Check finds what is wrong with data: shapes that do not fit each other,
// numbers that are not finite.
func (d *Data) Check() error {
	if d == nil {
		return errors.New("no data: expected a training and a test part")
	}
	for _, p := range []struct {
		name string
		part Part
	}{{"training", d.Train}, {"test", d.Test}} {
		if err := p.part.check(); err != nil {
			return fmt.Errorf("%s part: %w", p.name, err)
		}
	}
	_, inputs := d.Train.Inputs.Dims()
	_, outputs := d.Train.Targets.Dims()
	_, testInputs := d.Test.Inputs.Dims()
	_, testOutputs := d.Test.Targets.Dims()
	if inputs != testInputs || outputs != testOutputs {
		return fmt.Errorf("test part has %d inputs and %d outputs: expected %d and %d as in the training part",
			testInputs, testOutputs, inputs, outputs)
	}
	return nil
}

func (p Part) check() error {
	if p.Inputs == nil || p.Targets == nil || p.Inputs.IsEmpty() || p.Targets.IsEmpty() {
		return errors.New("expected inputs and targets")
	}
	rows, _ := p.Inputs.Dims()
	targets, outputs := p.Targets.Dims()
	if rows != targets || p.Labels != nil && len(p.Labels) != rows {
		return fmt.Errorf("%d rows of inputs, %d of targets and %d labels: expected as many of each", rows, targets, len(p.Labels))
	}
	for i, label := range p.Labels {
		if label < 0 || label >= max(outputs, 2) {
			return fmt.Errorf("label %d of row %d: expected one from 0 to %d", label, i, max(outputs, 2)-1)
		}
	}
	if !finite(p.Inputs) || !finite(p.Targets) {
		return errors.New("a number is NaN or infinite: expected finite ones")
	}
	return nil
}

func finite(m *mat.Dense) bool {
	rows, _ := m.Dims()
	for i := range rows {
		for _, x := range m.RawRowView(i) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return false
			}
		}
	}
	return true
}

// OneHot returns the targets of labels from 0 to classes-1, len(labels) x
// classes: 1 for the label and 0 for the others, less 1/classes, so that the
// targets of a row sum to 0. It panics with an index out of range for others.
func OneHot(labels []int, classes int) *mat.Dense {
	targets := mat.NewDense(len(labels), classes, nil)
	for i, label := range labels {
		row := targets.RawRowView(i)
		for j := range row {
			row[j] = -1 / float64(classes)
		}
		row[label]++
	}
	return targets
}

// Signs returns the targets of labels 0 and 1, len(labels) x 1: -1 and +1.
func Signs(labels []int) *mat.Dense {
	targets := mat.NewDense(len(labels), 1, nil)
	for i, label := range labels {
		targets.Set(i, 0, float64(2*label-1))
	}
	return targets
}

// ReplaceLabels returns the labels with round(share len(labels)) of them, drawn
// at random, replaced by uniform random ones from 0 to classes-1, which can be
// the old ones again. Without some noise in the labels even the exact solution
// has a small peak only.
func ReplaceLabels(labels []int, classes int, share float64, rng *rand.Rand) []int {
	noisy := append([]int(nil), labels...)
	for _, i := range chosen(len(labels), share, rng) {
		noisy[i] = rng.IntN(classes)
	}
	return noisy
}

// FlipLabels returns labels 0 and 1 with round(share len(labels)) of them, drawn
// at random, turned over.
func FlipLabels(labels []int, share float64, rng *rand.Rand) []int {
	noisy := append([]int(nil), labels...)
	for _, i := range chosen(len(labels), share, rng) {
		noisy[i] = 1 - noisy[i]
	}
	return noisy
}

// ReplaceValues returns values with round(share len(values)) of them, drawn at
// random, replaced by values of random places: what [ReplaceLabels] is for
// regression.
func ReplaceValues(values []float64, share float64, rng *rand.Rand) []float64 {
	noisy := append([]float64(nil), values...)
	for _, i := range chosen(len(values), share, rng) {
		noisy[i] = values[rng.IntN(len(values))]
	}
	return noisy
}

// chosen draws a share of n places.
func chosen(n int, share float64, rng *rand.Rand) []int {
	return rng.Perm(n)[:int(math.Round(min(max(share, 0), 1)*float64(n)))]
}

// Normalization says how the inputs are scaled, by statistics of the training
// part.
type Normalization string

// The normalizations.
const (
	Raw          Normalization = ""             // as they are
	Centered     Normalization = "centered"     // less the mean of the column
	Standardized Normalization = "standardized" // and divided by its deviation; a constant column becomes 0
)

// Inputs says how inputs are prepared. The zero value leaves them as they are.
type Inputs struct {
	Normalization Normalization
	Shift         float64 // added to every input after that: what lack of centering does
}

// Apply prepares the inputs of both parts.
func (in Inputs) Apply(d *Data) (*Data, error) {
	switch in.Normalization {
	case Raw, Centered, Standardized:
	default:
		return nil, fmt.Errorf("normalization %q: expected none, %s or %s", in.Normalization, Centered, Standardized)
	}
	if in == (Inputs{}) {
		return d, nil
	}
	prepared := &Data{Train: d.Train, Test: d.Test}
	prepared.Train.Inputs, prepared.Test.Inputs = mat.DenseCopyOf(d.Train.Inputs), mat.DenseCopyOf(d.Test.Inputs)
	_, columns := d.Train.Inputs.Dims()
	for j := range columns {
		offset, divisor := in.column(mat.Col(nil, j, d.Train.Inputs))
		for _, m := range []*mat.Dense{prepared.Train.Inputs, prepared.Test.Inputs} {
			rows, _ := m.Dims()
			for i := range rows {
				m.Set(i, j, (m.At(i, j)-offset)/divisor+in.Shift)
			}
		}
	}
	return prepared, nil
}

// column is what a column of training inputs is shifted by and divided by.
func (in Inputs) column(values []float64) (offset, divisor float64) {
	switch in.Normalization {
	case Centered:
		return stat.Mean(values, nil), 1
	case Standardized:
		mean, deviation := stat.PopMeanStdDev(values, nil)
		if deviation <= 1e-12*math.Abs(mean) {
			return mean, math.Inf(1)
		}
		return mean, deviation
	}
	return 0, 1
}
