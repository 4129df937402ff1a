package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/analysis/randommatrix"
	"github.com/descentml/descent/method/firstorder"
	"github.com/descentml/descent/method/stepper"
)

const (
	// trialSteps is the length of a trial. Near the edge the distance grows by a
	// few per cent a step, which is large after as many.
	trialSteps = 100
	// lookEvery is how many steps are taken between two looks at the loss.
	lookEvery = 5
	// grown is the multiple of the loss at the start from which on it has grown.
	grown = 2
)

// trials are short trainings by SGD from one point.
type trials struct {
	subject *subject
	start   []float64 // weights
	loss    float64   // there
	measure *gomodel.Exec
	x, y    *tensors.Tensor // all examples
	seed    uint64
	repeats int
}

func newTrials(ctx context.Context, s *subject, seed uint64, repeats int) (*trials, error) {
	t := &trials{subject: s, start: make([]float64, s.Dim()), seed: seed, repeats: repeats}
	s.Parameters(t.start)
	t.x, t.y = s.tensors(nil)
	m := t.model()
	var err error
	t.measure, err = gomodel.NewExec(m.Backend, m.Store, func(scope *gomodel.Scope, x, y *graph.Node) *graph.Node {
		m.Store.SetTraining(x.Graph(), false)
		return m.Loss(m.Cast(y), m.Outputs(scope, m.Cast(x)))
	})
	if err != nil {
		return nil, err
	}
	if t.loss, err = t.subject.Value(ctx); err == nil && !isFinite(t.loss) {
		err = fmt.Errorf("the loss is %g at these weights: expected a finite one", t.loss)
	}
	return t, err
}

func (t *trials) model() *stepper.Model {
	m := t.subject.Model()
	return &stepper.Model{Backend: m.Backend, Store: m.Store, DType: m.DType, Outputs: m.Outputs, Loss: m.Loss}
}

// largest is the largest rate at which no trial with a batch size is unstable. It
// leaves the weights where they began. count is told of every rate tried.
func (t *trials) largest(ctx context.Context, batch int, from float64, count func(rate float64, stable bool)) (float64, error) {
	sgd, err := stepper.Optimizer(*t.model(), &firstorder.SGD{})
	if err != nil {
		return 0, err
	}
	found, err := randommatrix.Search{From: from, Stable: func(ctx context.Context, rate float64) (bool, error) {
		for i := range t.repeats {
			stable, err := t.stable(ctx, sgd, batch, rate, uint64(i))
			if err != nil {
				return false, err
			}
			if !stable {
				count(rate, false)
				return false, nil
			}
		}
		count(rate, true)
		return true, nil
	}}.Largest(ctx)
	return found, errors.Join(err, t.subject.SetParameters(t.start), t.subject.Save())
}

// stable trains from the start and reports whether the loss has stayed below a
// multiple of that at the start.
func (t *trials) stable(ctx context.Context, sgd stepper.Stepper, batch int, rate float64, repeat uint64) (bool, error) {
	if err := errors.Join(t.subject.SetParameters(t.start), t.subject.Save()); err != nil {
		return false, err
	}
	rng := rand.New(rand.NewPCG(t.seed, 0x1a7e+repeat))
	for step := range trialSteps {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		rows := rng.Perm(t.subject.Examples())[:batch]
		x, y := t.subject.tensors(rows)
		taken, err := sgd.Step(rate, x, y)
		if err = errors.Join(err, x.FinalizeAll(), y.FinalizeAll()); err != nil {
			return false, err
		}
		if !isFinite(taken.Loss) || !isFinite(taken.GradientL2) {
			return false, nil
		}
		if step%lookEvery != lookEvery-1 {
			continue
		}
		outputs, err := t.measure.Exec(t.x, t.y)
		if err != nil {
			return false, fmt.Errorf("the loss cannot be measured: %w", err)
		}
		loss, err := stepper.Scalar(outputs[0])
		if err != nil {
			return false, err
		}
		if !(loss <= grown*t.loss) {
			return false, nil
		}
	}
	return true, nil
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
