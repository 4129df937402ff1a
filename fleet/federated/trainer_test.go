package federated_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/fleet/federated"
	"github.com/descentml/descent/model"
)

// A work with every setting against the formula of [federated.Local], written
// out.
func TestTrainerFollowsItsFormula(t *testing.T) {
	o := softmax(t, 60)
	local := federated.Local{Epochs: 3, Batch: 7, LearningRate: 0.3, Decay: 0.1, Power: 0.75, Momentum: 0.8, WeightDecay: 0.05, Proximal: 0.2, Clip: 0.4}
	start, correction := make([]float64, o.Dim()), make([]float64, o.Dim())
	for i := range start {
		start[i], correction[i] = float64(i%5-2)/4, float64(i%3-1)/9
	}
	task := &federated.Task{Client: 1, Work: 4, Seed: 3, Local: local, Parameters: start, Correction: correction}
	shards := [][]int{nil, sequence(60)[10:45]}
	trainer, err := federated.NewTrainer(o.Clone(), shards, nil)
	if err != nil {
		t.Fatal(err)
	}
	var r federated.Result
	if err := trainer.Work(t.Context(), task, &r); err != nil {
		t.Fatal(err)
	}

	var s federated.Shuffled
	if err := s.Begin(task, shards[1], o); err != nil {
		t.Fatal(err)
	}
	y, v, g := slices.Clone(start), make([]float64, o.Dim()), make([]float64, o.Dim())
	rates, steps, clipped, seen := 0.0, 0, 0, map[int]int{}
	for rows := s.Next(0); len(rows) > 0; rows = s.Next(steps) {
		for _, row := range rows {
			seen[row]++
		}
		if _, err := o.Gradient(y, g, rows); err != nil {
			t.Fatal(err)
		}
		if norm := floats.Norm(g, 2); norm > local.Clip {
			floats.Scale(local.Clip/norm, g)
			clipped++
		}
		rate := 0.3 * math.Pow(1+0.1*float64(steps), -0.75)
		for i := range y {
			v[i] = 0.8*v[i] + g[i] + 0.05*y[i] + 0.2*(y[i]-start[i]) + correction[i]
		}
		floats.AddScaled(y, -rate, v)
		rates += rate
		steps++
	}
	floats.Sub(y, start)
	if !floats.EqualApprox(r.Difference, y, 1e-12) || r.Steps != steps || math.Abs(r.Rates-rates) > 1e-12 || r.Examples != 35 {
		t.Errorf("%d steps of rates %g: %v, want %d of %g: %v", r.Steps, r.Rates, r.Difference[:3], steps, rates, y[:3])
	}
	if steps != 15 || clipped == 0 || clipped == steps {
		t.Errorf("%d steps, %d of them clipped: want 15, some of them", steps, clipped)
	}
	for _, row := range shards[1] {
		if seen[row] != 3 {
			t.Errorf("row %d is seen %d times in 3 epochs", row, seen[row])
		}
	}
	// A client without examples has nothing to say.
	task.Client = 0
	if err := trainer.Work(t.Context(), task, &r); err != nil || r.Steps != 0 || floats.Norm(r.Difference, 2) != 0 || !math.IsNaN(r.Loss) {
		t.Errorf("a client without examples: %+v, %v", r, err)
	}
}

func TestTrainerRefuses(t *testing.T) {
	o := softmax(t, 20)
	trainer, err := federated.NewTrainer(o, deal(20, 2), nil)
	if err != nil {
		t.Fatal(err)
	}
	good := federated.Task{Local: small, Parameters: make([]float64, o.Dim())}
	for name, change := range map[string]func(*federated.Task){
		"client":        func(t *federated.Task) { t.Client = 2 },
		"parameters":    func(t *federated.Task) { t.Parameters = t.Parameters[1:] },
		"correction":    func(t *federated.Task) { t.Correction = []float64{1} },
		"learning rate": func(t *federated.Task) { t.Local.LearningRate = math.NaN() },
		"momentum":      func(t *federated.Task) { t.Local.Momentum = 1 },
		"steps":         func(t *federated.Task) { t.Local.Steps = 0 },
		"epochs":        func(t *federated.Task) { t.Local.Epochs = -1 },
	} {
		task := good
		change(&task)
		var r federated.Result
		if err := trainer.Work(t.Context(), &task, &r); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a task with a wrong %s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var r federated.Result
	if err := trainer.Work(ctx, &good, &r); !errors.Is(err, context.Canceled) {
		t.Errorf("a work after the end of its context: %v", err)
	}
	_, noObjective := federated.NewTrainer(nil, deal(20, 2), nil)
	_, noWorkers := federated.NewPool()
	if noObjective == nil || noWorkers == nil {
		t.Error("a trainer without an objective or a pool without workers is made")
	}
}

func TestObjectivesRefuse(t *testing.T) {
	backend, err := compute.NewWithConfig("descent")
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.New("linear", model.Input{Width: 2})
	if err != nil {
		t.Fatal(err)
	}
	good := federated.NetworkConfig{Backend: backend, Network: net, Width: 2, Outputs: 2, Features: []float32{1, 2, 3, 4}, Labels: []int32{0, 1}}
	for name, change := range map[string]func(*federated.NetworkConfig){
		"backend":  func(c *federated.NetworkConfig) { c.Backend = nil },
		"features": func(c *federated.NetworkConfig) { c.Features = c.Features[1:] },
		"targets":  func(c *federated.NetworkConfig) { c.Targets = []float32{1, 2} },
		"class 5":  func(c *federated.NetworkConfig) { c.Labels = []int32{0, 5} },
		"batches":  func(c *federated.NetworkConfig) { c.Batch = -1 },
		"type":     func(c *federated.NetworkConfig) { c.DType = 3 },
	} {
		c := good
		change(&c)
		if _, err := federated.NewNetwork(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a network with a wrong %s: %v", name, err)
		}
	}
	_, classes := federated.NewSoftmax(mat.NewDense(2, 1, nil), []int{0, 2}, 2)
	_, ragged := federated.NewQuadratic([][]float64{{1, 2}, {1}}, nil)
	_, curved := federated.NewQuadratic([][]float64{{1}}, []float64{math.Inf(1)})
	for what, err := range map[string]error{"class": classes, "centre": ragged, "curvature": curved} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("a wrong %s: %v", what, err)
		}
	}
}

func TestEngineRefuses(t *testing.T) {
	o := softmax(t, 20)
	trainer, err := federated.NewTrainer(o, deal(20, 3), nil)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := federated.NewPool(trainer)
	if err != nil {
		t.Fatal(err)
	}
	good := federated.Config{Clients: 3, Schedule: &federated.Synchronous{Times: spread(t, 3, 50)}, Local: small, Executor: pool}
	initial := make([]float64, o.Dim())
	for name, change := range map[string]func(*federated.Config){
		"0 clients":    func(c *federated.Config) { c.Clients = 0 },
		"schedule":     func(c *federated.Config) { c.Schedule = nil },
		"server":       func(c *federated.Config) { c.ServerRate = -1 },
		"sum":          func(c *federated.Config) { c.Importance = []float64{1, 1, 1} },
		"importance":   func(c *federated.Config) { c.Importance = []float64{2, -1, 0} },
		"coefficients": func(c *federated.Config) { c.Coefficients = []float64{1} },
		"finite":       func(c *federated.Config) { c.Rates = []float64{1, 1, math.NaN()} },
		"local work":   func(c *federated.Config) { c.Local = federated.Local{} },
	} {
		c := good
		change(&c)
		if _, err := federated.NewEngine(c, initial); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("an engine with a wrong %s: %v", name, err)
		}
	}
	if _, err := federated.NewEngine(good, []float64{math.NaN()}); err == nil {
		t.Error("an engine begins with NaN")
	}
	for name, chosen := range map[string][]int{"no clients": {}, "client 3": {0, 3}, "ascending": {1, 1}} {
		c := good
		c.Schedule = &federated.Synchronous{Times: spread(t, 3, 50), Select: func(context.Context, *federated.State) ([]int, error) { return chosen, nil }}
		e, err := federated.NewEngine(c, initial)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Step(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a round of %v: %v, want an error about %s", chosen, err, name)
		}
	}
}

// A round of some clients weighs them by their importance among each other, and
// the slowest of them decides how long it takes.
func TestRoundsOfSomeClients(t *testing.T) {
	points := [][]float64{{1}, {2}, {4}}
	p := problem{strategy: "fedavg", times: mustTimes(t, "3,2,1", 3), clients: 3, importance: []float64{0.5, 0.2, 0.3}, local: federated.Local{Steps: 1, LearningRate: 1},
		change: func(c *federated.Config) {
			c.Schedule = &federated.Synchronous{Times: mustTimes(t, "3,2,1", 3), Select: func(context.Context, *federated.State) ([]int, error) { return []int{2, 1}, nil }}
		}}
	e := p.quadratic(t, points, nil)
	a, err := e.Step(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (0.2*2 + 0.3*4) / 0.5; math.Abs(e.State().Parameters[0]-want) > 1e-12 || a.Time != 2 || !slices.Equal(a.Clients, []int{1, 2}) {
		t.Errorf("x = %g at time %g of clients %v, want %g at 2", e.State().Parameters[0], a.Time, a.Clients, want)
	}
}

func TestTimeAverage(t *testing.T) {
	a := federated.NewTimeAverage(1)
	for _, p := range [][2]float64{{2, 10}, {2, 1}, {5, 3}, {6, 0}} {
		a.Add(p[0], []float64{p[1]})
	}
	if mean := a.Mean(10)[0]; math.Abs(mean-(3*1+1*3+4*0)/8.0) > 1e-15 {
		t.Errorf("mean %g, want 0.75", mean)
	}
	if mean := federated.NewTimeAverage(1).Mean(0)[0]; !math.IsNaN(mean) {
		t.Errorf("the mean of nothing is %g", mean)
	}
}
