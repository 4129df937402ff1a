package surrogate

import (
	"errors"
	"math"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method/stepper"
)

// The limits of the published line searches.
const (
	mostTrials    = 100
	smallestStep  = 1e-6
	smallestSlope = 1e-6
)

// lineSearch moves the weights along a direction to a point where a function
// has fallen enough.
type lineSearch struct {
	t *trained
	// direction takes the operands to [value, fall, l2, l1] and the direction d
	// of each weight. fall is <grad, d>, the rate at which the value falls along
	// -d, and l2 and l1 are norms of the gradient.
	direction *model.Exec
	trial     *model.Exec       // operands, alpha and d to the value at theta - alpha d
	move      *model.Exec       // alpha and d: theta -= alpha d
	weights   []*model.Variable // known when direction is built
	shrink    float64
	decrease  float64
	arguments []any
}

// newLineSearch makes a search for the least of value, which reads count
// operands and the targets of the first one. toDirection makes of the targets
// and the value's gradients the directions.
func newLineSearch(t *trained, count int, shrink, decrease float64,
	value func(in []*Node, z *Node) *Node,
	toDirection func(scope *model.Scope, in []*Node, z *Node) (gradients, directions []*Node),
) (*lineSearch, error) {
	l := &lineSearch{t: t, shrink: shrink, decrease: decrease}
	var err error
	l.direction, err = model.NewExec(t.Backend, t.Store, func(scope *model.Scope, in []*Node) []*Node {
		z := t.outputs(scope, in[0], false)
		l.weights = t.weights(z.Graph())
		gradients, directions := toDirection(scope, in, z)
		l2, l1 := stepper.Norms(gradients)
		fall := ConvertDType(dot(gradients, directions), l2.DType())
		head := Stack([]*Node{ConvertDType(value(in, z), l2.DType()), fall, l2, l1}, 0)
		return append([]*Node{head}, directions...)
	})
	if err != nil {
		return nil, err
	}
	l.trial, err = model.NewExec(t.Backend, t.Store, func(scope *model.Scope, in []*Node) *Node {
		return value(in, t.moved(scope, in[0], in[count], l.weights, in[count+1:]))
	})
	if err != nil {
		return nil, err
	}
	l.move, err = model.NewExec(t.Backend, t.Store, func(_ *model.Scope, in []*Node) {
		descend(nil, l.weights, in[1:], in[0])
	})
	return l, err
}

// dot is the sum of products of the entries of all nodes.
func dot(a, b []*Node) *Node {
	sum := ReduceAllSum(Mul(a[0], b[0]))
	for i := 1; i < len(a); i++ {
		sum = Add(sum, ConvertDType(ReduceAllSum(Mul(a[i], b[i])), sum.DType()))
	}
	return sum
}

func (l *lineSearch) compile(operands []shapes.Shape) error {
	if _, err := l.direction.Compile(operands...); err != nil {
		return err
	}
	var directions []shapes.Shape
	for _, v := range l.weights {
		directions = append(directions, v.Shape())
	}
	alpha := shapes.Make(l.t.DType)
	arguments := append(append(append([]shapes.Shape(nil), operands...), alpha), directions...)
	if _, err := l.trial.Compile(arguments...); err != nil {
		return err
	}
	_, err := l.move.Compile(arguments[len(operands):]...)
	return err
}

// found is the outcome of a search.
type found struct {
	value, l2, l1 float64 // before the step
	alpha         float64
	moved         bool
}

// step looks from theta along a new direction, first at alpha, and moves there
// or to the first shorter step that falls enough, times a factor. It counts as
// one evaluation and one for each trial.
func (l *lineSearch) step(in inputs, alpha, factor float64, step *stepper.Step) (result found, err error) {
	outputs, err := l.direction.Exec(in...)
	if err != nil {
		return found{}, err
	}
	directions := outputs[1:]
	defer func() { err = errors.Join(err, release(directions...)) }()
	head, err := stepper.Values(outputs[0])
	if err != nil {
		return found{}, err
	}
	step.Evaluations++
	fall := head[1]
	result = found{value: head[0], l2: head[2], l1: head[3], alpha: alpha}
	if !(result.l2 > smallestSlope) || math.IsInf(result.l2, 1) || math.IsNaN(result.value) {
		return result, nil
	}
	for range mostTrials {
		value, err := l.try(in, result.alpha, directions)
		if err != nil {
			return found{}, err
		}
		step.Evaluations++
		if value <= result.value-l.decrease*result.alpha*fall {
			result.moved = true
			break
		}
		if result.alpha *= l.shrink; result.alpha < smallestStep {
			return result, nil
		}
	}
	if !result.moved {
		return result, nil
	}
	return result, l.apply(result.alpha*factor, directions)
}

// try is the value at theta - alpha d.
func (l *lineSearch) try(in inputs, alpha float64, directions []*tensors.Tensor) (float64, error) {
	l.arguments = append(l.arguments[:0], in...)
	size, err := l.with(alpha, directions)
	if err != nil {
		return 0, err
	}
	defer size.FinalizeAll()
	value, err := values(l.trial.Exec(l.arguments...))
	if err != nil {
		return 0, err
	}
	return value[0], nil
}

func (l *lineSearch) apply(alpha float64, directions []*tensors.Tensor) error {
	l.arguments = l.arguments[:0]
	size, err := l.with(alpha, directions)
	if err != nil {
		return err
	}
	_, err = l.move.Exec(l.arguments...)
	return errors.Join(err, size.FinalizeAll())
}

// with puts the step size and directions behind the arguments.
func (l *lineSearch) with(alpha float64, directions []*tensors.Tensor) (*tensors.Tensor, error) {
	size, err := l.t.number(alpha)
	if err != nil {
		return nil, err
	}
	l.arguments = append(l.arguments, size)
	for _, d := range directions {
		l.arguments = append(l.arguments, d)
	}
	return size, nil
}

// searching takes inner steps with a line search each.
type searching struct {
	search *lineSearch
	steps  int
	start  float64
	expand float64    // from one inner step to the next
	last   remembered // step size, for a search that carries it over
	carry  bool
}

func newArmijo(t *trained, shape geometry, n Inner) (solver, error) {
	search, err := searchOnSurrogate(t, shape, n.Shrink, n.Decrease, func(scope *model.Scope, in []*Node, z *Node) (gradients, directions []*Node) {
		gradients = t.pullBack(scope, z, shape.slope(t, t.operands(in), z))
		return gradients, gradients
	})
	if err != nil {
		return nil, err
	}
	s := &searching{search: search, steps: n.Steps, start: n.Start, carry: n.Carry}
	s.expand = math.Pow(n.Expand, 1/float64(max(1, t.StepsPerEpoch)))
	if s.carry {
		s.last, err = t.remember("inner_step", n.Start)
	}
	return s, err
}

func searchOnSurrogate(t *trained, shape geometry, shrink, decrease float64,
	toDirection func(scope *model.Scope, in []*Node, z *Node) (gradients, directions []*Node),
) (*lineSearch, error) {
	value := func(in []*Node, z *Node) *Node {
		return MulScalar(shape.value(t, t.operands(in), z), 1/batchSize(z))
	}
	return newLineSearch(t, operandCount, shrink, decrease, value, toDirection)
}

func (s *searching) compile(operands []shapes.Shape) error { return s.search.compile(operands) }

func (s *searching) solve(in inputs, step *stepper.Step) error {
	alpha := s.start
	var err error
	if s.carry {
		if alpha, err = s.last.get(); err != nil {
			return err
		}
	}
	for k := range s.steps {
		if k > 0 {
			alpha *= s.expand
		}
		result, err := s.search.step(in, alpha, 1, step)
		if err != nil {
			return err
		}
		if k == 0 {
			step.GradientL2, step.GradientL1 = result.l2, result.l1
		}
		if !result.moved {
			break
		}
		alpha = result.alpha
	}
	if s.carry {
		return s.last.set(alpha)
	}
	return nil
}
