package sso

import (
	"context"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/surrogate/linear"
	"github.com/descentml/descent/study"
)

// The axes that progress is drawn over.
var axes = []string{"gradients", "evaluations", "seconds"}

// track collects a run's curves over all axes, thinned out as it gets longer.
type track struct {
	gradients, evaluations, seconds, losses []float64
	next                                    int // step to be recorded
}

// due says whether a step is to be recorded.
func (t *track) due(step int) bool {
	if step < t.next {
		return false
	}
	t.next = max(step+1, int(float64(step)*1.1))
	return true
}

func (t *track) add(gradients, evaluations int, seconds, loss float64) {
	t.gradients = append(t.gradients, float64(gradients))
	t.evaluations = append(t.evaluations, float64(evaluations))
	t.seconds = append(t.seconds, seconds)
	t.losses = append(t.losses, loss)
}

// record adds the curves to what is measured, as "gradients: NAME" and so on.
func (t *track) record(m study.Measured, name string) {
	for i, x := range [][]float64{t.gradients, t.evaluations, t.seconds} {
		m.Curves[axes[i]+": "+name] = study.Curve{X: x, Y: t.losses}
	}
}

func newMeasured() study.Measured {
	return study.Measured{Values: map[string]float64{}, Curves: map[string]study.Curve{}}
}

// run minimises from zero and records the gap to the lowest value under a
// name: its curves, and the value "gap NAME at STEP" after each given step.
func run(ctx context.Context, m study.Measured, p *linear.Problem, lowest float64, name string, method linear.Method, plan linear.Plan, at ...int) error {
	var t track
	var seconds float64
	wanted := map[int]bool{plan.Steps: true}
	for _, step := range at {
		wanted[step] = true
	}
	started := time.Now()
	plan.Observe = func(now linear.Progress) {
		seconds += time.Since(started).Seconds()
		if due := t.due(now.Step); due || wanted[now.Step] {
			gap := p.Value(now.Theta) - lowest
			t.add(now.Count.Gradients, now.Count.Evaluations, seconds, gap)
			if wanted[now.Step] {
				m.Values[fmt.Sprintf("gap %s at %d", name, now.Step)] = gap
				m.Values[fmt.Sprintf("evaluations %s at %d", name, now.Step)] = float64(now.Count.Evaluations)
			}
		}
		started = time.Now()
	}
	if _, err := linear.Run(ctx, p, p.Zero(), method, plan); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t.record(m, name)
	return nil
}

// callsTo is the number of steps until the gap is at most a limit; NaN if it
// takes more than the given steps.
func callsTo(ctx context.Context, p *linear.Problem, lowest, limit float64, method linear.Method, steps int) (float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	calls := math.NaN()
	_, err := linear.Run(ctx, p, p.Zero(), method, linear.Plan{Steps: steps, Observe: func(now linear.Progress) {
		if math.IsNaN(calls) && p.Value(now.Theta)-lowest <= limit {
			calls = float64(now.Step)
			cancel()
		}
	}})
	if !math.IsNaN(calls) {
		return calls, nil
	}
	return calls, err
}

// distance is the Frobenius norm of a difference.
func distance(a, b mat.Matrix) float64 {
	var difference mat.Dense
	difference.Sub(a, b)
	return mat.Norm(&difference, 2)
}
