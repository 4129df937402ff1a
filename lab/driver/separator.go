package driver

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/backend/kernel/sparse"
	"github.com/descentml/descent/backend/kernel/vector"
	"github.com/descentml/descent/backend/kernel/workers"
	"github.com/descentml/descent/data"
	"github.com/descentml/descent/method/separation"
	"github.com/descentml/descent/method/stepper"
)

// Sparse tells whether a method trains a network on sparse examples: a linear
// model of two classes, by a method of package separation. It does so in
// float64 and in memory for what is not 0.
func Sparse(method, network string, task data.Task, classes int) bool {
	_, closed := separation.ClosedForm(method)
	return closed && network == "linear" && task == data.Classification && classes == 2
}

// separator is a linear model of two classes over sparse rows. What it trains
// is the difference of the weights of both classes, the last number of which is
// that of the biases. A step of softmax regression moves both classes, so the
// difference moves twice as far.
type separator struct {
	store     *model.Store
	descent   *separation.Descent
	steps     int64
	evaluator map[*Examples]*separation.Evaluator
	labels    map[*Examples][]float64
}

// Names of the variables that a separator continues from.
const (
	separatorWeights = "/separation/weights"
	separatorSteps   = "/separation/steps"
)

// pool is the workers of all sparse products, which one trial at a time has.
var pool = sync.OnceValue(func() *workers.Pool { return workers.New(0) })

func newSeparator(p *Problem, store *model.Store, text string) (*separator, error) {
	method, closed := separation.ClosedForm(text)
	if !closed || !Sparse(text, p.Network.String(), p.Task, p.Outputs) {
		return nil, fmt.Errorf("method %s with a %s model of %d outputs on sparse examples: expected a method of two classes that separates, and a linear model", text, p.Network, p.Outputs)
	}
	s := &separator{store: store, evaluator: map[*Examples]*separation.Evaluator{}, labels: map[*Examples][]float64{}}
	for _, e := range []*Examples{&p.Train, &p.Validation, &p.Test} {
		labels := make([]float64, e.Count)
		for i, label := range e.Labels {
			labels[i] = 2*float64(label) - 1
		}
		problem, err := separationProblem(e, labels)
		if err != nil {
			return nil, err
		}
		s.evaluator[e], s.labels[e] = separation.NewEvaluator(problem), labels
	}
	problem, err := separationProblem(&p.Train, s.labels[&p.Train])
	if err != nil {
		return nil, err
	}
	if s.descent, err = separation.NewDescent(problem, method); err != nil {
		return nil, err
	}
	return s, s.restore()
}

func separationProblem(e *Examples, labels []float64) (*separation.Problem, error) {
	products, err := sparse.NewMultiplier(e.Sparse, pool().Run)
	if err != nil {
		return nil, err
	}
	return separation.NewProblem(newBiased(products), labels)
}

// restore takes up what the store has of an earlier part of the training.
func (s *separator) restore() error {
	weights, steps := s.store.GetVariable(separatorWeights), s.store.GetVariable(separatorSteps)
	if weights == nil || steps == nil {
		return nil
	}
	state, err := weights.Value()
	if err != nil {
		return err
	}
	count, err := steps.Value()
	if err != nil {
		return err
	}
	values, err := tensors.CopyFlatData[float64](state)
	if err != nil {
		return err
	}
	s.steps = tensors.ToScalar[int64](count)
	return s.descent.Restore(values, int(s.steps))
}

func (s *separator) variables() (*model.Store, error) {
	for path, value := range map[string]*tensors.Tensor{
		separatorWeights: tensors.FromValue(s.descent.State()),
		separatorSteps:   tensors.FromValue(s.steps),
	} {
		if v := s.store.GetVariable(path); v != nil {
			if err := v.SetValue(value); err != nil {
				return nil, err
			}
			continue
		}
		v, err := s.store.CreateVariable(path, value)
		if err != nil {
			return nil, err
		}
		v.SetTrainable(false)
	}
	return s.store, nil
}

func (s *separator) compile(int) error { return nil }

// advance takes a step on all training examples, in their order.
func (s *separator) advance(rate float64, _ *Examples, _ []int) (stepper.Step, error) {
	it := s.descent.Measure()
	l2, l1 := s.descent.StepNorms()
	s.descent.Advance(2 * rate)
	s.steps++
	// Of both classes' weights, of which one has the gradient of the other with
	// the opposite sign.
	return stepper.Step{Loss: it.Loss, GradientL2: math.Sqrt2 * l2, GradientL1: 2 * l1, Gradients: 1, Evaluations: 1, Wrong: it.Wrong}, nil
}

// measure evaluates all rows. Of a tie the first class is predicted, as by the
// largest of equal logits.
func (s *separator) measure(ctx context.Context, e *Examples, _ []int) (Measure, error) {
	if err := ctx.Err(); err != nil {
		return Measure{}, err
	}
	loss, margins := s.evaluator[e].Evaluate(s.descent.State())
	right, labels := 0, s.labels[e]
	for i, margin := range margins {
		if margin > 0 || margin == 0 && labels[i] < 0 {
			right++
		}
	}
	return Measure{Loss: loss, Score: float64(right) / float64(e.Count)}, nil
}

// biased is sparse rows with a constant feature, the last, which is not stored.
type biased struct {
	*sparse.Multiplier
	bias    float64 // of the call under way
	between func(first int, y []float64)
	add     func(first int, y []float64) // made once because it allocates
}

func newBiased(m *sparse.Multiplier) *biased {
	b := &biased{Multiplier: m}
	b.add = func(first int, y []float64) {
		for i := range y {
			y[i] += b.bias
		}
		b.between(first, y)
	}
	return b
}

func (b *biased) Dims() (rows, columns int) {
	rows, columns = b.Multiplier.Dims()
	return rows, columns + 1
}

func (b *biased) Mul(dst, x []float64) {
	last := len(x) - 1
	b.Multiplier.Mul(dst, x[:last])
	for i := range dst {
		dst[i] += x[last]
	}
}

func (b *biased) MulTrans(dst, y []float64) {
	last := len(dst) - 1
	b.Multiplier.MulTrans(dst[:last], y)
	dst[last] = vector.Reduce(vector.Sum, y)
}

func (b *biased) Through(dst, y, x []float64, between func(first int, y []float64)) {
	last := len(x) - 1
	b.bias, b.between = x[last], between
	b.Multiplier.Through(dst[:last], y, x[:last], b.add)
	dst[last] = vector.Reduce(vector.Sum, y)
	b.between = nil
}
