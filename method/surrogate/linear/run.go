package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Method takes the steps of a run: [Surrogate], or one of the baselines.
type Method interface {
	// begin makes ready for one run and returns what takes its steps.
	begin(*state) (stepper, error)
}

// stepper takes one step on the state's batch. The factor is the schedule's.
type stepper func(factor float64) error

// Plan says how long a run is and on what batches.
type Plan struct {
	// Steps is the number of outer steps.
	Steps int
	// Batch is the number of examples of a step; 0 takes all. Batches are
	// parts of an order of the examples that is drawn anew for each pass; a
	// remainder at the end of a pass is left out.
	Batch int
	// Schedule is the factor on the step size at a step from 0 on. nil: 1.
	Schedule func(step int) float64
	// Random draws the orders. It may be nil for full batches.
	Random *rand.Rand
	// Observe is told of theta [d, c] at the start and after each step; it
	// must not change or keep it. May be nil.
	Observe func(Progress)
}

// Progress is what a run has come to.
type Progress struct {
	Step  int // taken so far
	Count Count
	Theta *mat.Dense
}

// Count is the cost of a run so far in calls on a batch; a call on all
// examples counts as the number of batches in them.
type Count struct {
	// Gradients are gradients of the loss, the expensive ones.
	Gradients int
	// Evaluations are all evaluations of the model: those, inner steps, and
	// trials of line searches that move the model.
	Evaluations int
}

// state is where a run is.
type state struct {
	problem *Problem
	theta   *mat.Dense
	count   Count
	batches int // in all examples

	rows     []int      // of the batch; nil for a full batch
	features *mat.Dense // of the batch [b, d]
	labels   []float64
	targets  *mat.Dense // z_t [b, c], after evaluate
	signal   *mat.Dense // G_t [b, c], gradient of the sum of losses
	loss     float64    // mean over the batch
	gradient *mat.Dense // of the batch's mean loss by theta [d, c]
}

// Run minimises from theta, which is changed in place, and returns the cost.
func Run(ctx context.Context, p *Problem, theta *mat.Dense, m Method, plan Plan) (Count, error) {
	n, d := p.Features.Dims()
	rows, columns := theta.Dims()
	switch {
	case rows != d || columns != p.Loss.Outputs():
		return Count{}, fmt.Errorf("theta has shape [%d, %d]: expected [%d, %d]", rows, columns, d, p.Loss.Outputs())
	case plan.Batch < 0 || plan.Batch > n:
		return Count{}, fmt.Errorf("batch of %d examples: expected 0 to %d", plan.Batch, n)
	case plan.Batch > 0 && plan.Random == nil:
		return Count{}, errors.New("batches without a generator of random numbers")
	}
	size := n
	if plan.Batch > 0 {
		size = plan.Batch
	}
	c := p.Loss.Outputs()
	s := &state{
		problem: p, theta: theta, batches: n / size, features: p.Features, labels: p.Labels,
		targets: mat.NewDense(size, c, nil), signal: mat.NewDense(size, c, nil), gradient: mat.NewDense(d, c, nil),
	}
	if plan.Batch > 0 {
		s.features, s.labels = mat.NewDense(size, d, nil), make([]float64, size)
	}
	step, err := m.begin(s)
	if err != nil {
		return Count{}, err
	}
	return s.run(ctx, step, plan)
}

func (s *state) run(ctx context.Context, step stepper, plan Plan) (Count, error) {
	observe := func(taken int) {
		if plan.Observe != nil {
			plan.Observe(Progress{taken, s.count, s.theta})
		}
	}
	observe(0)
	var order []int
	for t := range plan.Steps {
		if err := ctx.Err(); err != nil {
			return s.count, err
		}
		if plan.Batch > 0 {
			if len(order) < plan.Batch {
				order = plan.Random.Perm(s.problem.Examples())
			}
			s.take(order[:plan.Batch])
			order = order[plan.Batch:]
		}
		factor := 1.0
		if plan.Schedule != nil {
			factor = plan.Schedule(t)
		}
		if err := step(factor); err != nil {
			return s.count, fmt.Errorf("step %d: %w", t+1, err)
		}
		observe(t + 1)
	}
	return s.count, nil
}

// take makes the examples of the given rows the batch.
func (s *state) take(rows []int) {
	s.rows = rows
	for i, row := range rows {
		copy(s.features.RawRowView(i), s.problem.Features.RawRowView(row))
		s.labels[i] = s.problem.Labels[row]
	}
}

// evaluate makes the expensive call: targets, loss and signal of the batch at
// theta, and from the signal the gradient by theta.
func (s *state) evaluate() {
	multiply(s.targets, blas.NoTrans, s.features, s.theta)
	s.loss = meanLoss(s.problem.Loss, s.targets, s.labels, s.signal)
	multiply(s.gradient, blas.Trans, s.features, s.signal)
	floats.Scale(1/float64(len(s.labels)), s.gradient.RawMatrix().Data)
	s.count.Gradients++
	s.count.Evaluations++
}

// move adds factor times direction to theta.
func (s *state) move(factor float64, direction *mat.Dense) { axpy(s.theta, factor, direction) }

// axpy adds factor times x to y.
func axpy(y *mat.Dense, factor float64, x *mat.Dense) {
	rows, _ := y.Dims()
	for i := range rows {
		floats.AddScaled(y.RawRowView(i), factor, x.RawRowView(i))
	}
}

// multiply writes A x, or A'x, to out: as a product with a vector where x is
// one, for which the product of matrices is slow.
func multiply(out *mat.Dense, transpose blas.Transpose, a, x *mat.Dense) {
	if _, c := x.Dims(); c == 1 {
		blas64.Gemv(transpose, 1, a.RawMatrix(), column(x), 0, column(out))
		return
	}
	if transpose == blas.Trans {
		out.Mul(a.T(), x)
		return
	}
	out.Mul(a, x)
}

// column is the only column of x.
func column(x *mat.Dense) blas64.Vector {
	raw := x.RawMatrix()
	return blas64.Vector{N: raw.Rows, Inc: raw.Stride, Data: raw.Data}
}

// orDefault is x, or the standard where x is zero.
func orDefault(x, standard float64) float64 {
	if x == 0 {
		return standard
	}
	return x
}
