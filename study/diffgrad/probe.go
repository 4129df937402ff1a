package diffgrad

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/schedule"
	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/objective"
	"github.com/descentml/descent/study"
)

// probe is a training by the driver's rules, with the same weights, batches
// and steps, that also multiplies the loss by a factor and measures friction.
type probe struct {
	problem *driver.Problem
	trial   driver.Trial
	factor  float64
}

// run trains and measures the loss, without the factor, the accuracy and the
// mean friction that diffGrad has on the gradients.
func (p probe) run(ctx context.Context, backend compute.Backend) (study.Measured, error) {
	m := stepper.Model{
		Backend: backend, Store: model.NewStore(), DType: p.problem.DType,
		Outputs: func(scope *model.Scope, x *graph.Node) *graph.Node {
			return p.problem.Network.Logits(scope, x, p.problem.Outputs)
		},
		Loss: func(y, outputs *graph.Node) *graph.Node {
			return graph.MulScalar(objective.CrossEntropy(y, outputs), p.factor)
		},
	}
	if err := m.Store.SetRNGStateFromSeed(int64(p.trial.Seed)); err != nil {
		return study.Measured{}, err
	}
	optimizer, err := firstorder.New(p.trial.Method)
	if err != nil {
		return study.Measured{}, err
	}
	gauge := &frictionGauge{method: optimizer.(train.OptimizeWithGradients)}
	s, err := stepper.Optimizer(m, gauge)
	if err != nil {
		return study.Measured{}, err
	}
	if err := p.train(ctx, s); err != nil {
		return study.Measured{}, err
	}
	loss, score, err := p.evaluate(m)
	return study.Measured{Values: map[string]float64{trainLoss: loss, accuracy: score, meanXi: gauge.mean(m.Store)}}, err
}

func (p probe) train(ctx context.Context, s stepper.Stepper) error {
	t, examples := p.trial, &p.problem.Train
	total := t.Epochs * t.StepsPerEpoch(p.problem)
	factor, err := schedule.New(t.Schedule, total)
	if err != nil {
		return err
	}
	step := 0
	for epoch := range t.Epochs {
		for rows := range slices.Chunk(data.EpochOrder(examples.Count, t.Seed, epoch), t.BatchSize) {
			if err := ctx.Err(); err != nil {
				return err
			}
			x, y := p.batch(examples, rows)
			_, err := s.Step(t.LearningRate*factor(step), x, y)
			if err := errors.Join(err, x.FinalizeAll(), y.FinalizeAll()); err != nil {
				return err
			}
			step++
		}
	}
	return nil
}

// batch is the given examples as tensors [len(rows), width] and [len(rows), 1].
func (p probe) batch(e *driver.Examples, rows []int) (x, y *tensors.Tensor) {
	width := p.problem.Width
	var features []float32
	var labels []int32
	for _, row := range rows {
		features = append(features, e.Features[row*width:(row+1)*width]...)
		labels = append(labels, e.Labels[row])
	}
	return tensors.FromFlatDataAndDimensions(features, len(rows), width), tensors.FromFlatDataAndDimensions(labels, len(rows), 1)
}

// evaluate measures the loss over the training part and the accuracy on the
// test part.
func (p probe) evaluate(m stepper.Model) (loss, score float64, err error) {
	exec, err := model.NewExec(m.Backend, m.Store, func(scope *model.Scope, x, y *graph.Node) (loss, score *graph.Node) {
		outputs := m.Outputs(scope, x)
		hit := graph.Equal(graph.ArgMax(outputs, -1, dtypes.Int32), graph.Squeeze(y, -1))
		return objective.CrossEntropy(y, outputs), graph.ReduceAllMean(graph.ConvertDType(hit, m.DType))
	})
	if err != nil {
		return 0, 0, err
	}
	both := func(e *driver.Examples) (loss, score float64, err error) {
		x, y := tensors.FromFlatDataAndDimensions(e.Features, e.Count, p.problem.Width), tensors.FromFlatDataAndDimensions(e.Labels, e.Count, 1)
		outputs, err := exec.Exec(x, y)
		if err != nil {
			return 0, 0, err
		}
		loss, lossErr := stepper.Scalar(outputs[0])
		score, scoreErr := stepper.Scalar(outputs[1])
		return loss, score, errors.Join(lossErr, scoreErr, x.FinalizeAll(), y.FinalizeAll())
	}
	loss, _, err = both(&p.problem.Train)
	if err != nil {
		return 0, 0, err
	}
	_, score, err = both(&p.problem.Test)
	return loss, score, err
}

// frictionGauge lets a method step and measures, beside it, the friction xi =
// 1/(1 + exp(-|g_{t-1} - g_t|)) of the gradients that pass.
type frictionGauge struct {
	method train.OptimizeWithGradients
}

const (
	gaugeScope = "friction_gauge"
	gaugeSum   = "sum"   // of the mean friction of each step
	gaugeSteps = "steps" // how many there were
)

// UpdateGraphWithGradients implements train.OptimizeWithGradients.
func (f *frictionGauge) UpdateGraphWithGradients(scope *model.Scope, gradients []*graph.Node, lossDType dtypes.DType) {
	memory := scope.Store().Scope("/" + gaugeScope).WithInitializer(initializer.Zero)
	total := graph.ScalarZero(gradients[0].Graph(), lossDType)
	size := 0
	for i, gradient := range gradients {
		previous := memory.VariableWithShape(fmt.Sprintf("gradient_%d", i), gradient.Shape()).SetTrainable(false)
		xi := graph.Sigmoid(graph.Abs(graph.Sub(previous.NodeValue(gradient), gradient)))
		total = graph.Add(total, graph.ReduceAllSum(xi))
		size += gradient.Shape().Size()
		previous.SetNodeValue(gradient)
	}
	for name, amount := range map[string]*graph.Node{
		gaugeSum: graph.DivScalar(total, float64(size)), gaugeSteps: graph.OnesLike(total),
	} {
		sum := memory.VariableWithShape(name, total.Shape()).SetTrainable(false)
		sum.SetNodeValue(graph.Add(sum.NodeValue(total), amount))
	}
	f.method.UpdateGraphWithGradients(scope, gradients, lossDType)
}

// mean is the mean friction over all weights and steps.
func (f *frictionGauge) mean(store *model.Store) float64 {
	number := func(name string) float64 {
		return float64(tensors.ToScalar[float32](store.GetVariable("/" + gaugeScope + "/" + name).MustValue()))
	}
	return number(gaugeSum) / number(gaugeSteps)
}
