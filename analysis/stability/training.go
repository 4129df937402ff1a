package stability

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Model is a model of one output at the examples that it holds. Training, and
// the second moments, need nothing else of it.
type Model interface {
	// Examples is the number n of examples.
	Examples() int
	// Parameters are the p parameters themselves, not a copy.
	Parameters() []float64
	// Output is the model's output at example i, and the squared norm of its
	// gradient with respect to the parameters.
	Output(i int) (value, square float64)
	// AddGradient adds weight times the gradient at example i to a vector,
	// which may be the parameters themselves. Output(i) was called before,
	// and the parameters have not changed since.
	AddGradient(i int, weight float64, to []float64)
}

// wholeGradient is what a model has that finds the gradient of the whole loss
// faster than example by example.
type wholeGradient interface {
	// addLossGradient adds the gradient of [Loss] to a vector of p elements.
	addLossGradient(targets, to []float64)
}

// Gradients are those of a model's output, n x p, for [NewDesign].
func Gradients(m Model) *mat.Dense {
	gradients := mat.NewDense(m.Examples(), len(m.Parameters()), nil)
	for i := range m.Examples() {
		m.Output(i)
		m.AddGradient(i, 1, gradients.RawRowView(i))
	}
	return gradients
}

// Loss is 1/(2n) sum (f(x_i) - y_i)^2 for n targets.
func Loss(m Model, targets []float64) float64 {
	sum := 0.0
	for i, y := range targets {
		value, _ := m.Output(i)
		sum += (value - y) * (value - y)
	}
	return sum / (2 * float64(len(targets)))
}

// Training says how a model is trained on the loss of [Loss].
type Training struct {
	// Rate is the learning rate, constant, above 0.
	Rate float64
	// Sampling draws each step's examples. Default: one example, with
	// replacement where that matters. Use [FullBatch] for gradient descent.
	Sampling Sampling
	// Steps is how many steps are taken, at least 1.
	Steps int
	// Clip is the largest norm that a step's gradient may have; longer ones are
	// shortened to it. It is a guard against divergence from a large start:
	// as it changes what is stable, a result counts only if late steps were not
	// clipped, see [Outcome.LastClipped]. Default, 0: no limit.
	Clip float64
	// Every is the number of steps between evaluations of the loss, at the cost
	// of n examples each. Default, 0: at the start and at the end alone.
	Every int
	// Tolerance ends training where the gradient of the whole loss has a norm
	// below it, which is looked at when the loss is. Default, 0: never.
	Tolerance float64
	// Observe is given the steps taken and the loss at each evaluation. It may
	// be nil; its error ends the training.
	Observe func(step int, loss float64) error
}

// Outcome is how a training ended.
type Outcome struct {
	Steps       int     // taken
	Start       float64 // loss before the first step
	Peak        float64 // largest loss evaluated, the start among them
	Loss        float64 // at the end; NaN or infinite if diverged
	Clipped     int     // steps whose gradient was shortened
	LastClipped int     // number of the last of them, from 1 on; 0 for none
	Diverged    bool    // a gradient or the loss was not finite
}

// checkEvery is how many examples pass between two looks at the context.
const checkEvery = 1 << 12

// Train trains a model in place. The generator draws the examples; gradient
// descent does not use it, and it may be nil. It returns an error for settings
// out of range and when ctx ends; divergence is an outcome.
func Train(ctx context.Context, m Model, targets []float64, t Training, rng *rand.Rand) (Outcome, error) {
	if err := t.check(m, targets, rng); err != nil {
		return Outcome{}, err
	}
	w := newTrainer(m, targets, t, rng)
	w.outcome.Start = Loss(m, targets)
	w.outcome.Peak, w.outcome.Loss = w.outcome.Start, w.outcome.Start
	if stop, err := w.evaluated(); stop || err != nil {
		return w.outcome, err
	}
	seen := checkEvery
	for w.outcome.Steps < t.Steps {
		if seen >= checkEvery {
			if err := ctx.Err(); err != nil {
				return w.outcome, err
			}
			seen = 0
		}
		seen += w.size
		w.outcome.Steps++
		if !w.step() {
			w.outcome.Diverged, w.outcome.Loss = true, math.NaN()
			return w.outcome, nil
		}
		if w.outcome.Steps == t.Steps || t.Every > 0 && w.outcome.Steps%t.Every == 0 {
			w.outcome.Loss = Loss(m, targets)
			seen += m.Examples()
			if stop, err := w.evaluated(); stop || err != nil {
				return w.outcome, err
			}
		}
	}
	return w.outcome, nil
}

func (t Training) check(m Model, targets []float64, rng *rand.Rand) error {
	switch n := m.Examples(); {
	case len(targets) != n:
		return fmt.Errorf("%d targets: expected %d", len(targets), n)
	case !(t.Rate > 0) || math.IsInf(t.Rate, 1):
		return fmt.Errorf("learning rate %g: expected a finite one above 0", t.Rate)
	case t.Steps < 1:
		return fmt.Errorf("%d steps: expected at least 1", t.Steps)
	case !(t.Clip >= 0) || !(t.Tolerance >= 0) || t.Every < 0:
		return fmt.Errorf("clip %g, tolerance %g, every %d: expected none below 0", t.Clip, t.Tolerance, t.Every)
	case rng == nil && t.Sampling != FullBatch(n):
		return fmt.Errorf("batches of %d: expected a generator to draw them", t.Sampling.batch())
	default:
		return t.Sampling.check(n)
	}
}

// trainer takes the steps of one training.
type trainer struct {
	Training
	model    Model
	targets  []float64
	rng      *rand.Rand
	size     int       // of a batch
	order    []int     // all examples; the first of them are the batch
	gradient []float64 // of the batch; nil if that is one example
	whole    wholeGradient
	outcome  Outcome
}

func newTrainer(m Model, targets []float64, t Training, rng *rand.Rand) *trainer {
	w := &trainer{Training: t, model: m, targets: targets, rng: rng, size: t.Sampling.batch()}
	w.whole, _ = m.(wholeGradient)
	if w.size > 1 || t.Tolerance > 0 {
		w.gradient = make([]float64, len(m.Parameters()))
	}
	w.order = make([]int, m.Examples())
	for i := range w.order {
		w.order[i] = i
	}
	return w
}

// evaluated looks at the loss and says whether training is over.
func (w *trainer) evaluated() (bool, error) {
	o := &w.outcome
	o.Peak = max(o.Peak, o.Loss)
	if w.Observe != nil {
		if err := w.Observe(o.Steps, o.Loss); err != nil {
			return true, err
		}
	}
	if math.IsNaN(o.Loss) || math.IsInf(o.Loss, 0) {
		o.Diverged = true
		return true, nil
	}
	if w.Tolerance == 0 {
		return false, nil
	}
	w.sumAll()
	return floats.Norm(w.gradient, 2) < w.Tolerance, nil
}

// sumAll sets the gradient to that of the whole loss.
func (w *trainer) sumAll() {
	clear(w.gradient)
	if w.whole != nil {
		w.whole.addLossGradient(w.targets, w.gradient)
		return
	}
	for i := range w.order {
		w.add(i, len(w.order))
	}
}

// step takes one step, and reports whether its gradient was finite.
func (w *trainer) step() bool {
	if w.size == 1 {
		return w.stepOne()
	}
	if w.Sampling == FullBatch(len(w.order)) {
		w.sumAll()
	} else {
		clear(w.gradient)
		for k := range w.size {
			w.add(w.draw(k), w.size)
		}
	}
	norm := floats.Norm(w.gradient, 2)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return false
	}
	floats.AddScaled(w.model.Parameters(), -w.Rate*w.shorten(norm), w.gradient)
	return true
}

// stepOne is the step of one example, without a detour over a gradient.
func (w *trainer) stepOne() bool {
	i := 0
	if len(w.order) > 1 {
		i = w.rng.IntN(len(w.order))
	}
	value, square := w.model.Output(i)
	residual := value - w.targets[i]
	norm := math.Abs(residual) * math.Sqrt(square)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return false
	}
	w.model.AddGradient(i, -w.Rate*w.shorten(norm)*residual, w.model.Parameters())
	return true
}

// add adds an example's gradient of the loss, divided by a count.
func (w *trainer) add(i, count int) {
	value, _ := w.model.Output(i)
	w.model.AddGradient(i, (value-w.targets[i])/float64(count), w.gradient)
}

// draw is the k-th example of a batch.
func (w *trainer) draw(k int) int {
	n := len(w.order)
	if !w.Sampling.WithoutReplacement {
		return w.rng.IntN(n)
	}
	other := k + w.rng.IntN(n-k)
	w.order[k], w.order[other] = w.order[other], w.order[k]
	return w.order[k]
}

// shorten is the factor for a gradient of a norm.
func (w *trainer) shorten(norm float64) float64 {
	if w.Clip == 0 || norm <= w.Clip {
		return 1
	}
	w.outcome.Clipped++
	w.outcome.LastClipped = w.outcome.Steps
	return w.Clip / norm
}
