package coded_test

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"

	_ "github.com/descentml/descent/backend"
	"github.com/descentml/descent/fleet/coded"
)

// method makes an optimizer of its text.
func method(t testing.TB, text string, rate float64) *coded.Method {
	t.Helper()
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	m, err := coded.NewMethod(backend, text, rate)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Two steps of Adam worked out by hand, two models apart from each other, the
// second step of one after its state was read; and momentum as SGD has it.
func TestMethodSteps(t *testing.T) {
	const rate = 0.1
	gradients := [][]float64{{3, -0.5}, {1, 2}}
	want := []float64{1, -1}
	m1, m2 := make([]float64, 2), make([]float64, 2)
	for step, g := range gradients {
		for i := range g {
			m1[i], m2[i] = 0.9*m1[i]+0.1*g[i], 0.999*m2[i]+0.001*g[i]*g[i]
			first, second := m1[i]/(1-math.Pow(0.9, float64(step+1))), m2[i]/(1-math.Pow(0.999, float64(step+1)))
			want[i] -= rate * first / (math.Sqrt(second) + 1e-8)
		}
	}
	adam := method(t, "adam", rate)
	one, other := []float64{1, -1}, []float64{1, -1}
	step := func(o coded.Optimizer, model int, x, g []float64) {
		t.Helper()
		if err := o.Step(model, x, g); err != nil {
			t.Fatal(err)
		}
	}
	step(adam, 0, one, gradients[0])
	step(adam, 1, other, gradients[0])
	step(adam, 1, other, gradients[1])
	state, err := adam.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	again := method(t, "adam", rate)
	if err := again.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	if state, err = again.MarshalBinary(); err != nil { // of models that have not stepped again
		t.Fatal(err)
	}
	if err := again.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	step(again, 0, one, gradients[1])
	for i := range want {
		if one[i] != other[i] || math.Abs(one[i]-want[i]) > 1e-12 {
			t.Errorf("coordinate %d: %g, the other model %g, want %g", i, one[i], other[i], want[i])
		}
	}
	momentum, plain := method(t, "momentum:momentum=0.5", rate), &coded.SGD{LearningRate: rate, Momentum: 0.5}
	x, y := []float64{1, 2}, []float64{1, 2}
	for range 3 {
		for _, g := range gradients {
			step(momentum, 0, x, g)
			step(plain, 0, y, g)
		}
	}
	for i := range x {
		if math.Abs(x[i]-y[i]) > 1e-12 {
			t.Errorf("coordinate %d: %g, SGD %g", i, x[i], y[i])
		}
	}
}

// A training with Adam has the same bits whoever is late, and goes on from a
// checkpoint to them.
func TestTrainingWithAMethod(t *testing.T) {
	const workers, jobs = 4, 8
	x, y := digits(t, 40)
	initial := models(2, 650)
	// In real time, as a backend may have goroutines of its own.
	delays := func(seed uint64, share float64) func(round, worker int) time.Duration {
		delay := sometimes(seed, share)
		return func(round, worker int) time.Duration { return delay(round, worker) / 1000 }
	}
	run := func(share float64, save func(context.Context, *coded.Checkpoint) error) [][]float64 {
		s := scheme(t, "m-sgc:B=1,W=2,lambda=2", workers, jobs)
		return train(t, coded.Config{Scheme: s, Models: initial, Optimizer: method(t, "adam", 0.01), Save: save}, fleetOf(s, x, y, delays(3, share)))
	}
	var kept bytes.Buffer
	want := run(0, func(_ context.Context, c *coded.Checkpoint) error {
		if round, err := c.Round(); round != 5 || err != nil {
			return err
		}
		return c.Write(&kept)
	})
	if !same(run(0.4, nil), want) {
		t.Error("the bits depend on who was late")
	}
	from, err := coded.ReadCheckpoint(&kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := coded.Resume(coded.Config{Optimizer: method(t, "adagrad", 0.01)}, from); err == nil || !strings.Contains(err.Error(), `belongs to "adam"`) {
		t.Errorf("resumed with another method: %v", err)
	}
	m, err := coded.Resume(coded.Config{Optimizer: method(t, "adam", 0.01)}, from)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Train(t.Context(), fleetOf(m.Scheme(), x, y, delays(9, 0.3))); err != nil {
		t.Fatal(err)
	}
	if !same(parameters(m, 2), want) {
		t.Error("other bits from the checkpoint")
	}
}

func TestMethodsThatCannotStep(t *testing.T) {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	for text, rate := range map[string]float64{"adma": 1, "adam:beta1=x": 1, "adam": 0} {
		if _, err := coded.NewMethod(backend, text, rate); err == nil {
			t.Errorf("%s with rate %g was made", text, rate)
		}
	}
	sgd := method(t, "sgd", 1e300)
	if err := sgd.Step(0, []float64{1}, []float64{1e300}); err == nil || !strings.Contains(err.Error(), "diverged") {
		t.Errorf("a step beyond all numbers: %v", err)
	}
	state, err := sgd.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := sgd.UnmarshalBinary(state); err != nil {
		t.Fatal(err)
	}
	if err := sgd.Step(0, []float64{1, 2}, []float64{1, 2}); err == nil || !strings.Contains(err.Error(), "expected 2") {
		t.Errorf("the state of a model of another size was taken up: %v", err)
	}
	if err := sgd.UnmarshalBinary(state[:len(state)/2]); err == nil {
		t.Error("half of a state was read")
	}
}
