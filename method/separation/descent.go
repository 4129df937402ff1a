package separation

import (
	"fmt"
	"math"

	"github.com/descentml/descent/backend/kernel/vector"
)

// Descent is a method on its way from 0, one step at a time, for programs that
// have a loop of their own; [Run] is a loop. Each iteration reads the rows once
// or twice and allocates nothing.
type Descent struct {
	problem *Problem
	method  Method
	state   []float64 // s_t, the model divided by the learning rate
	t       int       // steps taken so far

	// Of the present iterate, after Measure:
	measured  bool
	margins   []float64 // z_i . s_t
	losses    []float64
	weights   []float64 // w_i y_i
	direction []float64 // sum_i w_i z_i
	divisor   float64

	between func(first int, y []float64) // weighBlock, made once because it allocates
}

// Iterate is what there is to know of the model after some steps.
type Iterate struct {
	Step  int     // number of steps before it
	Loss  float64 // mean logistic loss of the model
	Wrong int     // examples that are not on the right side
}

// NewDescent starts a method at 0.
func NewDescent(p *Problem, m Method) (*Descent, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", m, err)
	}
	rows, columns := p.Dims()
	d := &Descent{
		problem: p, method: m, state: make([]float64, columns), direction: make([]float64, columns),
		margins: make([]float64, rows), losses: make([]float64, rows), weights: make([]float64, rows),
	}
	d.between = d.weighBlock
	return d, nil
}

// State is the model divided by the learning rate, theta_t/gamma, one number a
// feature. It is the descent's own and changes with the next step.
func (d *Descent) State() []float64 { return d.state }

// Restore makes state, which is copied, the iterate after the given number of
// steps.
func (d *Descent) Restore(state []float64, steps int) error {
	if len(state) != len(d.state) || steps < 0 {
		return fmt.Errorf("a state of %d numbers after %d steps: expected %d numbers and at least 0 steps", len(state), steps, len(d.state))
	}
	copy(d.state, state)
	d.t, d.measured = steps, false
	return nil
}

// Measure looks at all examples with the present model.
func (d *Descent) Measure() Iterate {
	if !d.measured {
		d.pass()
		d.measured = true
	}
	count := 0
	for _, u := range d.margins {
		if wrong(u) {
			count++
		}
	}
	return Iterate{Step: d.t, Loss: sum(d.losses) / float64(len(d.losses)), Wrong: count}
}

// pass computes margins, losses and the direction of the step.
func (d *Descent) pass() {
	rows := d.problem.rows
	fused, ok := rows.(through)
	if _, single := d.method.(Perceptron); ok && !single { // which looks at all margins at once
		fused.Through(d.direction, d.weights, d.state, d.between)
	} else {
		rows.Mul(d.weights, d.state)
		d.weighBlock(0, d.weights)
		rows.MulTrans(d.direction, d.weights)
	}
	d.divisor = float64(len(d.margins))
	if d.method.normalized() {
		d.divisor = vector.Dot(d.weights, d.problem.labels)
		if _, ok := d.method.(NormalizedGradientDescent); ok && d.divisor < leastWeight {
			d.weighFromNearest()
		}
	}
}

// weighBlock makes of y_i = a_i . s the signed weights of some rows, and keeps
// their margins and losses.
func (d *Descent) weighBlock(first int, y []float64) {
	last := first + len(y)
	margins, losses, labels := d.margins[first:last], d.losses[first:last], d.problem.labels[first:last]
	mul(margins, y, labels)
	d.method.weigh(d.t, y, margins)
	mul(y, y, labels)
	logisticLosses(losses, margins, d.method.rate())
}

// logisticLosses sets log(1 + exp(-m)) = max(0, -m) + log1p(exp(-|m|)) for
// m = rate u.
func logisticLosses(losses, margins []float64, rate float64) {
	for i, u := range margins {
		losses[i] = -math.Abs(rate * u)
	}
	exp(losses, losses)
	log1p(losses, losses)
	for i, u := range margins {
		if u < 0 {
			losses[i] -= rate * u
		}
	}
}

// leastWeight is the sum of weights below which some may have lost digits.
const leastWeight = 1e-280

// weighFromNearest computes the direction where all probabilities of error are
// so small that they underflow, long after the examples are separated. There
// p_i = exp(-gamma u_i), of which only ratios matter.
func (d *Descent) weighFromNearest() {
	nearest := vector.Reduce(vector.Smallest, d.margins)
	for i, u := range d.margins {
		d.weights[i] = d.method.rate() * (nearest - u)
	}
	exp(d.weights, d.weights)
	d.divisor = sum(d.weights)
	mul(d.weights, d.weights, d.problem.labels)
	d.problem.rows.MulTrans(d.direction, d.weights)
}

// Advance takes the step from the present iterate at share times the method's
// learning rate, 1 without a schedule. A perceptron that has separated stays.
func (d *Descent) Advance(share float64) {
	if !d.measured {
		d.pass()
	}
	if d.divisor > 0 {
		factor := share / d.divisor
		for i, x := range d.direction {
			d.state[i] += factor * x
		}
	}
	d.t++
	d.measured = false
}

// StepNorms are the l2 and the l1 norm of the step from the present iterate
// divided by the learning rate: of the gradient as the method uses it.
func (d *Descent) StepNorms() (l2, l1 float64) {
	if !d.measured {
		d.pass()
		d.measured = true
	}
	if !(d.divisor > 0) {
		return 0, 0
	}
	for _, x := range d.direction {
		l2 += x * x
		l1 += math.Abs(x)
	}
	return math.Sqrt(l2) / d.divisor, l1 / d.divisor
}

// Evaluator measures models on a problem without stepping. It has buffers of its
// own and allocates nothing after it is made.
type Evaluator struct {
	problem         *Problem
	margins, losses []float64
}

// NewEvaluator makes an evaluator.
func NewEvaluator(p *Problem) *Evaluator {
	rows, _ := p.Dims()
	return &Evaluator{p, make([]float64, rows), make([]float64, rows)}
}

// Evaluate returns the mean logistic loss of a model, one number a feature, and
// the margins of all examples, which stay until the next call.
func (e *Evaluator) Evaluate(weights []float64) (loss float64, margins []float64) {
	e.problem.rows.Mul(e.margins, weights)
	mul(e.margins, e.margins, e.problem.labels)
	logisticLosses(e.losses, e.margins, 1)
	return sum(e.losses) / float64(len(e.losses)), e.margins
}
