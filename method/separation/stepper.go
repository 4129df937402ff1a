package separation

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"

	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/stepper"
)

// steps is a method of the catalogue at work on a network. Its one graph
// computes the loss, the number of wrong examples, and the update.
type steps struct {
	model stepper.Model
	kind  kind
	exec  *model.Exec
}

func newSteps(m stepper.Model, k kind) (stepper.Stepper, error) {
	s := &steps{model: m, kind: k}
	var err error
	s.exec, err = model.NewExec(m.Backend, m.Store, s.graph)
	return s, err
}

// graph builds one step. It returns the loss, the l2 and the l1 norm of the
// gradient, and the number of wrong examples, -1 for a regression.
func (s *steps) graph(scope *model.Scope, x, y *graph.Node) []*graph.Node {
	s.model.Store.SetTraining(x.Graph(), true)
	outputs := s.model.Outputs(scope, s.model.Cast(x))
	loss := s.model.Loss(s.model.Cast(y), outputs)
	descended, wrong := loss, graph.Scalar(x.Graph(), s.model.DType, -1)
	if !y.DType().IsFloat() {
		c := newClasses(scope.At("%s", s.kind.name), y, outputs, loss)
		if wrong = graph.ReduceAllSum(c.wrong); s.kind.descended != nil {
			descended = s.kind.descended(c)
		}
	}
	gradients := scope.BuildTrainableVariablesGradientsGraph(descended)
	l2, l1 := stepper.Norms(gradients)
	new(firstorder.SGD).UpdateGraphWithGradients(scope, gradients, loss.DType())
	return []*graph.Node{loss, l2, l1, wrong}
}

// Compile implements stepper.Stepper. It is an error if a method that needs
// classes is given values.
func (s *steps) Compile(x, y shapes.Shape) error {
	if y.DType.IsFloat() && s.kind.name != plainName {
		return fmt.Errorf("method %q counts examples on the wrong side of classes, and the targets are values: expected a classification", s.kind.name)
	}
	_, err := s.exec.Compile(x, y)
	return err
}

// Step implements stepper.Stepper.
func (s *steps) Step(learningRate float64, x, y *tensors.Tensor) (stepper.Step, error) {
	if err := schedule.Set(s.model.Store, s.model.DType, learningRate); err != nil {
		return stepper.Step{}, err
	}
	outputs, err := s.exec.Exec(x, y)
	if err != nil {
		return stepper.Step{}, err
	}
	step := stepper.Step{Gradients: 1, Evaluations: 1}
	var wrong float64
	for i, value := range []*float64{&step.Loss, &step.GradientL2, &step.GradientL1, &wrong} {
		if *value, err = stepper.Scalar(outputs[i]); err != nil {
			return stepper.Step{}, err
		}
	}
	step.Wrong = int(wrong)
	return step, nil
}

// classes is a batch of a classification. All nodes but the loss are vectors
// with an element an example.
type classes struct {
	scope *model.Scope // of the method's state
	loss  *graph.Node  // mean of the logistic (cross-entropy) losses

	// hard is the logit of the right class less the largest other one, and soft
	// less the log-sum-exp of all others: with two classes both are z . theta.
	hard, soft *graph.Node
	wrong      *graph.Node // 1 where hard is not above 0, else 0
}

// farBelow is a logit of no class. It is finite, as gradients flow by it.
const farBelow = -1e30

func newClasses(scope *model.Scope, y, logits, loss *graph.Node) *classes {
	count, dtype := logits.Shape().Dim(-1), logits.DType()
	right := graph.OneHot(graph.Squeeze(y, -1), count, dtype)
	own := graph.ReduceSum(graph.Mul(right, logits), -1)
	others := graph.Where(graph.GreaterThan(right, graph.ScalarZero(y.Graph(), dtype)), graph.MulScalar(graph.OnesLike(logits), farBelow), logits)
	// A tie of other classes goes to the first, so the gradient is that of one.
	rival := graph.OneHot(graph.ArgMax(graph.StopGradient(others), -1, dtypes.Int32), count, dtype)
	nearest := graph.ReduceSum(graph.Mul(rival, logits), -1)
	shift := graph.StopGradient(graph.ExpandAxes(nearest, -1))
	rest := graph.Log(graph.ReduceSum(graph.Exp(graph.Sub(others, shift)), -1))
	c := &classes{scope: scope, loss: loss, hard: graph.Sub(own, nearest)}
	c.soft = graph.Sub(own, graph.Add(rest, graph.Squeeze(shift, -1)))
	c.wrong = graph.ConvertDType(graph.LogicalNot(graph.GreaterThan(c.hard, graph.ZerosLike(c.hard))), dtype)
	return c
}

// toward is a function whose gradient is that of the margins, weighted, with
// the opposite sign.
func toward(weights, margins *graph.Node) *graph.Node {
	return graph.Neg(graph.ReduceAllSum(graph.Mul(graph.StopGradient(weights), margins)))
}

// normalizedLoss has the gradient of the loss divided by the mean probability of
// error q: the loss of an example has the derivative -q by its soft margin. The
// weights q_i / sum q come from the logarithms, so none underflows.
func (c *classes) normalizedLoss() *graph.Node {
	logError := graph.Neg(graph.Softplus(c.soft)) // log q = -log(1 + exp(m))
	return toward(graph.Softmax(graph.StopGradient(logError), 0), c.soft)
}

// batchPerceptron is the perceptron loss, and the logistic loss in the first
// step: what gradient descent from there does at an endless learning rate.
func (c *classes) batchPerceptron() *graph.Node {
	count := float64(c.hard.Shape().Size())
	perceptron := toward(graph.DivScalar(c.wrong, count), c.hard)
	step := optimizer.IncrementCounter(c.scope, c.hard.Graph(), "step", dtypes.Int64)
	first := graph.LessOrEqual(step, graph.OnesLike(step))
	return graph.Where(first, c.loss, perceptron)
}

// normalizedBatchPerceptron is the mean over the wrong examples; 0 if there are
// none.
func (c *classes) normalizedBatchPerceptron() *graph.Node {
	some := graph.MaxScalar(graph.ReduceAllSum(c.wrong), 1)
	return toward(graph.Div(c.wrong, some), c.hard)
}

// perceptron is the first wrong example of the batch.
func (c *classes) perceptron() *graph.Node {
	first := graph.OneHot(graph.ArgMax(c.wrong, 0, dtypes.Int32), c.wrong.Shape().Size(), c.wrong.DType())
	return toward(graph.Mul(first, c.wrong), c.hard)
}
