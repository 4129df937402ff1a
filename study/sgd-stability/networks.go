package sgdstability

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/analysis/stability"
	"github.com/descentml/descent/study"
)

// The two methods, as they stand in the names of cells.
const (
	sgd = "SGD"
	gd  = "GD"
)

const escapeCell = "escape"

func diagonalCell(method string, rate float64) string {
	return fmt.Sprintf("diagonal %s %g", method, rate)
}
func balanceCell(method string, r0 float64) string {
	return fmt.Sprintf("balance %s %g", method, r0)
}
func reluCell(method string, rate float64) string { return fmt.Sprintf("relu %s %g", method, rate) }

// What is measured of a solution.
const (
	trace       = "trace"
	frobenius   = "frobenius"
	sharpness   = "sharpness"
	threshold   = "threshold" // the exact one, for one example a step
	norm        = "norm"      // 1-norm of the coefficients, or path norm
	balanceName = "balance"
	trainLoss   = "training loss"
	testError   = "test error" // mean square; that of ReLU networks relative to the target's
	clipped     = "clipped"
	lastClipped = "last clipped" // as a share of the steps
	lossCurve   = "loss"
)

// The diagonal network of the headline.
const (
	features   = 1000
	examples   = 300
	truth      = 3 // leading coefficients that are 1
	testSize   = 1000
	gdSteps    = 1000
	clipNorm   = 50
	balancedAt = 0.05 // learning rate of the runs from balanced starts
)

// task is examples with their targets, and more to test on.
type task struct {
	inputs, testInputs   *mat.Dense
	targets, testTargets []float64
}

// draw fills n x d inputs.
func draw(n, d int, fill func([]float64)) *mat.Dense {
	x := mat.NewDense(n, d, nil)
	for i := range n {
		fill(x.RawRowView(i))
	}
	return x
}

func newTask(n, tests, d int, fill func([]float64), target func([]float64) float64) *task {
	t := &task{inputs: draw(n, d, fill), testInputs: draw(tests, d, fill)}
	for i := range n {
		t.targets = append(t.targets, target(t.inputs.RawRowView(i)))
	}
	for i := range tests {
		t.testTargets = append(t.testTargets, target(t.testInputs.RawRowView(i)))
	}
	return t
}

// testError is the mean square error of predictions on the test inputs.
func (t *task) testError(predict func([]float64) float64) float64 {
	sum := 0.0
	for i, y := range t.testTargets {
		sum += math.Pow(predict(t.testInputs.RawRowView(i))-y, 2)
	}
	return sum / float64(len(t.testTargets))
}

// sparseTask is a linear target of three coefficients, on uniform inputs.
func sparseTask(seed uint64) *task {
	rng := generator(seed, diagonalStream)
	fill := func(x []float64) {
		for j := range x {
			x[j] = 2*rng.Float64() - 1
		}
	}
	return newTask(examples, testSize, features, fill, func(x []float64) float64 { return floats.Sum(x[:truth]) })
}

// settings are those of a method at a learning rate.
func settings(method string, n, steps int, rate float64) stability.Training {
	t := stability.Training{Rate: rate, Steps: steps, Clip: clipNorm}
	if method == gd {
		t.Sampling = stability.FullBatch(n)
	}
	return t
}

// solution trains a model and measures where it ends.
func (e *experiment) solution(ctx context.Context, m stability.Model, targets []float64, t stability.Training, rng *rand.Rand) (study.Measured, error) {
	result := newMeasured()
	outcome, err := e.train(ctx, m, targets, t, rng)
	if err != nil {
		return result, err
	}
	v := result.Values
	v[trainLoss], v[clipped], v[lastClipped] = outcome.Loss, float64(outcome.Clipped), float64(outcome.LastClipped)/float64(t.Steps)
	if outcome.Diverged {
		return result, nil
	}
	design, err := stability.NewDesign(stability.Gradients(m))
	if err != nil {
		return result, err
	}
	v[trace], v[frobenius], v[sharpness] = design.Trace(), design.Frobenius(), design.Sharpness()
	v[threshold], err = e.threshold(ctx, design, stability.Sampling{})
	return result, err
}

// diagonal trains the diagonal network from a random start.
func (e *experiment) diagonal(method string, rate float64, steps int) func(context.Context, uint64) (study.Measured, error) {
	return func(ctx context.Context, seed uint64) (study.Measured, error) {
		t := sparseTask(seed)
		m := stability.NewDiagonal(t.inputs)
		m.InitNormal(1, generator(seed, startStream))
		result, err := e.solution(ctx, m, t.targets, settings(method, examples, steps, rate), generator(seed, orderStream))
		result.Values[norm], result.Values[testError] = m.Norm1(), t.testError(m.Predict)
		return result, err
	}
}

// balance trains the diagonal network from a start of a given balance.
func (e *experiment) balance(method string, r0 float64, steps int) func(context.Context, uint64) (study.Measured, error) {
	return func(ctx context.Context, seed uint64) (study.Measured, error) {
		t := sparseTask(seed)
		m := stability.NewDiagonal(t.inputs)
		if err := m.InitBalance(balanceDeviation, r0, generator(seed, startStream)); err != nil {
			return newMeasured(), err
		}
		result := newMeasured()
		outcome, err := e.train(ctx, m, t.targets, settings(method, examples, steps, balancedAt), generator(seed, orderStream))
		result.Values[balanceName], result.Values[trainLoss] = m.Balance(), outcome.Loss
		return result, err
	}
}

// balanceDeviation is that of a in the balanced starts, whose variance is 0.1.
var balanceDeviation = math.Sqrt(0.1)

// What the escape measures: of SGD at a rate too large for the solution of
// gradient descent, and, with "control", at one that is small enough.
const (
	startLoss   = "start loss"
	peakRatio   = "peak ratio" // largest loss by that at the start
	startTrace  = "start trace"
	control     = "control "
	escapeRate  = 0.03
	controlRate = 0.002
)

// escape moves an interpolating solution of gradient descent a little and
// follows SGD from there.
func (e *experiment) escape(ctx context.Context, seed uint64) (study.Measured, error) {
	result := newMeasured()
	t := sparseTask(seed)
	found := stability.NewDiagonal(t.inputs)
	rng := generator(seed, startStream)
	found.InitNormal(1, rng)
	if _, err := e.train(ctx, found, t.targets, settings(gd, examples, 1500, 0.1), nil); err != nil {
		return result, err
	}
	for i := range found.Parameters() {
		found.Parameters()[i] += 1e-3 * rng.NormFloat64()
	}
	for _, run := range []struct {
		label string
		rate  float64
	}{{"", escapeRate}, {control, controlRate}} {
		m := stability.NewDiagonal(t.inputs)
		copy(m.Parameters(), found.Parameters())
		s := settings(sgd, examples, 40_000, run.rate)
		s.Every = 100
		var curve study.Curve
		s.Observe = func(step int, loss float64) error {
			curve.X, curve.Y = append(curve.X, float64(step)), append(curve.Y, loss)
			return nil
		}
		outcome, err := e.train(ctx, m, t.targets, s, generator(seed, orderStream))
		if err != nil {
			return result, err
		}
		v := result.Values
		v[run.label+startLoss], v[run.label+peakRatio], v[run.label+trainLoss] = outcome.Start, outcome.Peak/outcome.Start, outcome.Loss
		v[run.label+startTrace], v[run.label+trace] = found.Trace(), m.Trace()
		v[run.label+clipped], v[run.label+lastClipped] = float64(outcome.Clipped), float64(outcome.LastClipped)/float64(s.Steps)
		result.Curves[run.label+lossCurve] = curve
	}
	return result, nil
}

// The ReLU network of the small experiment.
const (
	reluFeatures = 20
	reluWidth    = 60
	reluTeacher  = 3
	reluExamples = 120
)

// reluTask is a sum of neurons of unit norm, on the sphere of radius sqrt(d).
func reluTask(seed uint64) *task {
	rng := generator(seed, reluStream)
	normal := func(x []float64) {
		for j := range x {
			x[j] = rng.NormFloat64()
		}
	}
	neurons := draw(reluTeacher, reluFeatures, func(w []float64) {
		normal(w)
		floats.Scale(1/floats.Norm(w, 2), w)
	})
	sphere := func(x []float64) {
		normal(x)
		floats.Scale(math.Sqrt(reluFeatures)/floats.Norm(x, 2), x)
	}
	return newTask(reluExamples, testSize, reluFeatures, sphere, func(x []float64) float64 {
		sum := 0.0
		for k := range reluTeacher {
			sum += max(floats.Dot(neurons.RawRowView(k), x), 0)
		}
		return sum
	})
}

// relu trains the two-layer network.
func (e *experiment) relu(method string, rate float64, steps int) func(context.Context, uint64) (study.Measured, error) {
	return func(ctx context.Context, seed uint64) (study.Measured, error) {
		t := reluTask(seed)
		m, err := stability.NewReLU(t.inputs, reluWidth)
		if err != nil {
			return newMeasured(), err
		}
		m.InitNormal(1, math.Pow(reluFeatures, -0.25), generator(seed, startStream))
		result, err := e.solution(ctx, m, t.targets, settings(method, reluExamples, steps, rate), generator(seed, orderStream))
		result.Values[norm] = m.PathNorm()
		result.Values[testError] = t.testError(m.Predict) * float64(testSize) / floats.Dot(t.testTargets, t.testTargets)
		return result, err
	}
}

func newMeasured() study.Measured {
	return study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
}
