package federated_test

import (
	"math"
	"slices"
	"testing"

	"github.com/descentml/descent/fleet/federated"
)

// slope is the objective g'w, whose gradient is that of the row.
type slope [][]float64

func (s slope) Dim() int { return len(s[0]) }

func (s slope) Gradient(_, gradient []float64, rows []int) (float64, error) {
	copy(gradient, s[rows[0]])
	return 0, nil
}

func (s slope) Evaluate([]float64, []int, []float64, []bool) error { return nil }

// SCAFFOLD's controls are the clients' gradients with any momentum: exactly, if
// these are constant. So after a round the correction of a client is the mean
// gradient less its own.
func TestScaffoldControlsAreGradients(t *testing.T) {
	gradients := slope{{1, -2, 3}, {5, 0, -1}}
	for _, momentum := range []float64{0, 0.5, 0.9} {
		trainer, err := federated.NewTrainer(gradients, [][]int{{0}, {1}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		pool, err := federated.NewPool(trainer)
		if err != nil {
			t.Fatal(err)
		}
		times, err := federated.NewFixed([]float64{1, 1})
		if err != nil {
			t.Fatal(err)
		}
		c := federated.Config{Clients: 2, Executor: pool, Local: federated.Local{Steps: 7, LearningRate: 0.1, Momentum: momentum}}
		if err := (federated.Strategy{Policy: federated.SCAFFOLD}).Configure(t.Context(), &c, times, 0); err != nil {
			t.Fatal(err)
		}
		engine, err := federated.NewEngine(c, make([]float64, 3))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		task := federated.Task{Client: 0}
		if err := c.Rule.Begin(engine.State(), &task); err != nil {
			t.Fatal(err)
		}
		want := []float64{2, 1, -2} // (5-1)/2, (0+2)/2, (-1-3)/2
		if !slices.EqualFunc(task.Correction, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) {
			t.Errorf("momentum %g: correction %v, want %v", momentum, task.Correction, want)
		}
	}
}
