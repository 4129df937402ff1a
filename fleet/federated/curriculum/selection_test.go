package curriculum

import (
	"context"
	"encoding"
	"errors"
	"slices"
	"testing"

	"github.com/descentml/descent/fleet/federated"
)

// selectionConfig has six clients, the harder the higher their number: client i
// has the wrong label on a share of i/6 of its samples.
func selectionConfig(t *testing.T, plan Clients) (SelectionConfig, *softmax, [][]int) {
	o, shards := newSoftmax(240, 8), shardsOf(6, 40)
	for i, rows := range shards {
		for _, row := range rows[:len(rows)*i/6] {
			o.labels[row] = (o.labels[row] + 1) % testClasses
		}
	}
	return SelectionConfig{Plan: plan, Clients: 6, Group: 2, Budget: 30, Seed: 3, Times: unitTimes(t, 6), Objective: o, Shards: shards}, o, shards
}

func selectionEngine(t *testing.T, c SelectionConfig, o *softmax, shards [][]int) (*Selection, *federated.Engine) {
	t.Helper()
	s, err := NewSelection(c)
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := federated.NewTrainer(o, shards, newTestSampler(t, Samples{Minimum: 4}, nil))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := federated.NewPool(trainer)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := federated.NewEngine(federated.Config{
		Clients: 6, Schedule: s, Local: federated.Local{Epochs: 1, Batch: 8, LearningRate: 0.1}, Seed: 3, Executor: pool,
	}, goodParameters())
	if err != nil {
		t.Fatal(err)
	}
	return s, engine
}

// The engine trains the clients that the pool hands out, as many updates as the
// budget, from easy to hard: those of the second half never come first.
func TestSelectionDrivesAnEngine(t *testing.T) {
	config, o, shards := selectionConfig(t, Clients{})
	s, engine := selectionEngine(t, config, o, shards)
	var early []int
	for s.More() {
		a, err := engine.Step(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Clients) > 2 || !a.Fresh {
			t.Fatalf("an aggregation of %v", a.Clients)
		}
		if s.InUse() < 3 {
			early = append(early, a.Clients...)
		}
	}
	if got := engine.State().Contributions; got != 30 {
		t.Errorf("%d updates, want the budget of 30", got)
	}
	if len(early) == 0 || slices.Max(early) > 2 {
		t.Errorf("clients of the early rounds: %v, want some, and easy ones alone", early)
	}
	if _, err := engine.Step(context.Background()); err == nil {
		t.Error("a step beyond the budget")
	}
}

// A restored engine goes on to the same bits in the middle of a pass.
func TestSelectionGoesOn(t *testing.T) {
	for _, order := range Orders() {
		config, o, shards := selectionConfig(t, Clients{Order: order})
		s, engine := selectionEngine(t, config, o, shards)
		var image []byte
		for s.More() {
			if _, err := engine.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
			if engine.State().Round == 8 {
				var err error
				if image, err = engine.Snapshot(); err != nil {
					t.Fatal(err)
				}
			}
		}
		s2, again := selectionEngine(t, config, o, shards)
		if err := again.Restore(image); err != nil {
			t.Fatal(err)
		}
		for s2.More() {
			if _, err := again.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(engine.State().Parameters, again.State().Parameters) {
			t.Errorf("%s: other parameters after a restart", order)
		}
	}
}

// An endless selection goes on with everybody.
func TestEndlessSelection(t *testing.T) {
	config, o, shards := selectionConfig(t, Clients{})
	config.Budget, config.Endless = 5, true
	s, engine := selectionEngine(t, config, o, shards)
	for engine.State().Contributions < 40 {
		if !s.More() {
			t.Fatal("it ended")
		}
		if _, err := engine.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if s.InUse() != 6 {
		t.Errorf("%d clients in the pool, want all 6", s.InUse())
	}
}

func TestSelectionRefuses(t *testing.T) {
	good, _, _ := selectionConfig(t, Clients{})
	for name, change := range map[string]func(*SelectionConfig){
		"local scores": func(c *SelectionConfig) { c.Plan.Score = LocalLoss },
		"no expert":    func(c *SelectionConfig) { c.Plan.Score = ExpertLoss },
		"no objective": func(c *SelectionConfig) { c.Objective = nil },
		"few shards":   func(c *SelectionConfig) { c.Shards = c.Shards[1:] },
		"large groups": func(c *SelectionConfig) { c.Group = 7 },
		"no times":     func(c *SelectionConfig) { c.Times = nil },
	} {
		config := good
		change(&config)
		if _, err := NewSelection(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	s, err := NewSelection(good)
	if err != nil {
		t.Fatal(err)
	}
	var unmarshaler encoding.BinaryUnmarshaler = s
	for _, p := range [][]byte{nil, {1, 2, 3}, encoded(t, position{Done: 99}), encoded(t, position{Pass: []int{6}}), encoded(t, position{At: 1})} {
		if err := unmarshaler.UnmarshalBinary(p); err == nil {
			t.Errorf("%v: accepted as a position", p)
		}
	}
}

// A context that has ended stops the scoring.
func TestSelectionStops(t *testing.T) {
	config, o, shards := selectionConfig(t, Clients{})
	_, engine := selectionEngine(t, config, o, shards)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := engine.Step(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

// An expert is better than what it began with, and the same for the same seed.
func TestExpert(t *testing.T) {
	o, rows := newSoftmax(300, 2), shardsOf(1, 300)[0]
	local := federated.Local{Epochs: 1, LearningRate: 0.05, Momentum: 0.9}
	initial := randomParameters(1)
	expert, err := Expert(context.Background(), o, rows, initial, local, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Expert(context.Background(), o, rows, initial, local, 1)
	if err != nil || !slices.Equal(expert, again) {
		t.Errorf("two experts of one seed, %v", err)
	}
	gradient := make([]float64, len(initial))
	before, _ := o.Gradient(initial, gradient, rows)
	after, _ := o.Gradient(expert, gradient, rows)
	if !(after < before) {
		t.Errorf("loss %g after %g", after, before)
	}
	if _, err := Expert(context.Background(), o, nil, initial, local, 1); err == nil {
		t.Error("an expert of nothing: accepted")
	}
}
