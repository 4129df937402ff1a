package curriculum

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/descentml/descent/fleet/federated"
)

// Check 4: whatever the order and pacing, the number of steps is in
// [S, S + ceil(n/batch)), every pass is over the first samples of the order,
// each once, and the subset is at least the minimum.
func TestSamplerBudget(t *testing.T) {
	o := newSoftmax(120, 1)
	rapid.Check(t, func(t *rapid.T) {
		n, batch := rapid.IntRange(1, 120).Draw(t, "n"), rapid.IntRange(1, 40).Draw(t, "batch")
		plan := Samples{
			Order: rapid.SampledFrom(Orders()).Draw(t, "order"), Score: rapid.SampledFrom(Scores()).Draw(t, "score"),
			Pacing: Pacing{
				Family: rapid.SampledFrom(Families()).Draw(t, "family"),
				Full:   rapid.Float64Range(0.05, 1).Draw(t, "a"), Start: rapid.Float64Range(0.01, 1).Draw(t, "b"),
			},
			Minimum: rapid.IntRange(1, 50).Draw(t, "minimum"),
		}
		s, err := NewSampler(plan, randomParameters(9))
		if err != nil {
			t.Fatal(err)
		}
		epochs := rapid.IntRange(1, 6).Draw(t, "epochs")
		task := &federated.Task{Seed: rapid.Uint64().Draw(t, "seed"), Parameters: randomParameters(1), Local: federated.Local{Batch: batch, Epochs: epochs}}
		if err := s.Begin(task, rand.New(rand.NewPCG(task.Seed, 5)).Perm(n), o); err != nil {
			t.Fatal(err)
		}
		taken, pass, budget := 0, []int{}, Budget(n, batch, epochs)
		for rows := s.Next(taken); rows != nil; rows = s.Next(taken) {
			pass = append(pass, rows...)
			taken++
			if len(pass) < s.InUse() {
				continue
			}
			checkPass(t, pass, s.order, min(n, s.plan.Minimum))
			pass = pass[:0]
		}
		if len(pass) != 0 || taken < budget || taken >= budget+(n+batch-1)/batch {
			t.Fatalf("%d steps for a budget of %d and %d samples in batches of %d; %d samples of an unfinished pass", taken, budget, n, batch, len(pass))
		}
	})
}

func checkPass(t *rapid.T, pass, order []int, least int) {
	rows := map[int]bool{}
	for _, row := range pass {
		rows[row] = true
	}
	if len(rows) != len(pass) || len(pass) < least {
		t.Fatalf("a pass of %d samples, %d different, at least %d wanted", len(pass), len(rows), least)
	}
	for _, row := range order[:len(pass)] {
		if !rows[row] {
			t.Fatalf("the pass lacks row %d of the first %d", row, len(pass))
		}
	}
}

// The subset grows as the pacing says at the steps at which passes begin, and
// holds the samples of least loss.
func TestSamplerSubsets(t *testing.T) {
	o := newSoftmax(100, 1)
	s := newTestSampler(t, Samples{Order: Curriculum, Minimum: 1}, nil)
	rows := rand.New(rand.NewPCG(1, 1)).Perm(100)
	task := &federated.Task{Parameters: randomParameters(4), Local: federated.Local{Batch: 10, Steps: 50}}
	if err := s.Begin(task, rows, o); err != nil {
		t.Fatal(err)
	}
	losses := make([]float64, 100)
	if err := o.Evaluate(task.Parameters, rows, losses, nil); err != nil {
		t.Fatal(err)
	}
	byLoss := map[int]float64{}
	for i, row := range rows {
		byLoss[row] = losses[i]
	}
	slices.Sort(losses)
	// By hand: 20 + 2 k samples at step k, in whole passes of ceil(size/10) steps.
	var sizes []int
	for k := 0; ; {
		batch := s.Next(k)
		if batch == nil {
			break
		}
		if k++; s.at == len(batch) { // the first of a pass
			sizes = append(sizes, s.InUse())
			for _, row := range s.pass {
				if byLoss[row] > losses[s.InUse()-1] {
					t.Fatalf("row %d with loss %g is among the %d easiest", row, byLoss[row], s.InUse())
				}
			}
		}
	}
	if want := []int{20, 24, 30, 36, 44, 54, 66, 80, 96, 100}; !slices.Equal(sizes, want) {
		t.Errorf("sizes %v, want %v", sizes, want)
	}
	if o.passes != 2 {
		t.Errorf("%d forward passes, want one of the sampler and one of the test", o.passes)
	}
}

// trainWith trains softmax regression over clients and returns the parameters.
func trainWith(t *testing.T, sampler federated.Sampler, shards [][]int, local federated.Local, rounds int) []float64 {
	t.Helper()
	trainer, err := federated.NewTrainer(newSoftmax(200, 3), shards, sampler)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := federated.NewPool(trainer)
	if err != nil {
		t.Fatal(err)
	}
	return drive(t, federated.Config{Clients: len(shards), Local: local, Seed: 5, Executor: pool}, rounds)
}

// drive takes rounds of all clients.
func drive(t *testing.T, config federated.Config, rounds int) []float64 {
	t.Helper()
	if config.Schedule == nil {
		config.Schedule = &federated.Synchronous{Times: unitTimes(t, config.Clients)}
	}
	engine, err := federated.NewEngine(config, make([]float64, 3*testClasses))
	if err != nil {
		t.Fatal(err)
	}
	for range rounds {
		if _, err := engine.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	return slices.Clone(engine.State().Parameters)
}

func unitTimes(t *testing.T, clients int) federated.Times {
	t.Helper()
	times, err := federated.NewFixed(slices.Repeat([]float64{1}, clients))
	if err != nil {
		t.Fatal(err)
	}
	return times
}

// The rest of check 4: vanilla is plain FedAvg, to the bit. The other orders
// are not.
func TestVanillaIsFedAvg(t *testing.T) {
	local := federated.Local{Epochs: 3, Batch: 10, LearningRate: 0.05, Decay: 0.001, Power: 0.75, Momentum: 0.9, WeightDecay: 5e-4}
	shards := shardsOf(4, 47)
	plain := trainWith(t, nil, shards, local, 5)
	for _, order := range Orders() {
		paced := trainWith(t, newTestSampler(t, Samples{Order: order, Minimum: 8}, nil), shards, local, 5)
		if same := slices.Equal(plain, paced); same != (order == Vanilla) {
			t.Errorf("%s: the same parameters as FedAvg: %t", order, same)
		}
	}
	if !slices.Equal(trainWith(t, nil, shards, federated.Local{Steps: 6, LearningRate: 0.1}, 3), trainWith(t, newTestSampler(t, Samples{Order: Vanilla}, nil), shards, federated.Local{Steps: 6, LearningRate: 0.1}, 3)) {
		t.Error("full batches: not FedAvg")
	}
}

// Check 5: with one client, a round is paced training on all data, written out
// here.
func TestOneClientIsCentralisedTraining(t *testing.T) {
	const n, batch, epochs, rounds = 60, 8, 2, 3
	local := federated.Local{Epochs: epochs, Batch: batch, LearningRate: 0.05, Decay: 0.001, Power: 0.75, Momentum: 0.9, WeightDecay: 5e-4}
	got := trainWith(t, newTestSampler(t, Samples{Order: Anti, Minimum: 8}, nil), shardsOf(1, n), local, rounds)

	o, w := newSoftmax(200, 3), make([]float64, 3*testClasses)
	gradient, losses := make([]float64, len(w)), make([]float64, n)
	for round := range rounds {
		rows := shardsOf(1, n)[0]
		if err := o.Evaluate(w, rows, losses, nil); err != nil {
			t.Fatal(err)
		}
		slices.SortStableFunc(rows, func(i, j int) int { // the hard ones first, and of equal ones the last
			if losses[i] != losses[j] {
				return map[bool]int{true: 1, false: -1}[losses[i] < losses[j]]
			}
			return j - i
		})
		task := federated.Task{Seed: 5, Work: round}
		rng, velocity := task.Random(0), make([]float64, len(w))
		var pass []int
		for step, budget := 0, Budget(n, batch, epochs); step < budget; {
			size := max(8, min(n, int(12+48*float64(step)/(0.8*float64(budget)))))
			pass = append(pass, rows[len(pass):size]...)
			if size > batch {
				rng.Shuffle(size, func(i, j int) { pass[i], pass[j] = pass[j], pass[i] })
			}
			for part := range slices.Chunk(pass, batch) {
				if _, err := o.Gradient(w, gradient, part); err != nil {
					t.Fatal(err)
				}
				for j := range w {
					velocity[j] = 0.9*velocity[j] + gradient[j] + 5e-4*w[j]
				}
				rate := 0.05 * math.Pow(1+0.001*float64(step), -0.75)
				for j := range w {
					w[j] -= rate * velocity[j]
				}
				step++
			}
		}
	}
	for j := range w {
		if math.Abs(got[j]-w[j]) > 1e-12 {
			t.Errorf("parameter %d: %g, want %g", j, got[j], w[j])
		}
	}
}

// A client's own model is the score of its later works, if the engine keeps it.
func TestLocalScoresNeedMemory(t *testing.T) {
	local := federated.Local{Epochs: 2, Batch: 10, LearningRate: 0.1}
	run := func(score Score, remember bool) []float64 {
		trainer, err := federated.NewTrainer(newSoftmax(200, 3), shardsOf(4, 47), newTestSampler(t, Samples{Score: score, Minimum: 5}, nil))
		if err != nil {
			t.Fatal(err)
		}
		pool, err := federated.NewPool(trainer)
		if err != nil {
			t.Fatal(err)
		}
		return drive(t, federated.Config{Clients: 4, Local: local, Executor: pool, Remember: remember}, 3)
	}
	global := run(GlobalLoss, true)
	if !slices.Equal(global, run(LocalLoss, false)) {
		t.Error("without memory the local score is not the global one")
	}
	if slices.Equal(global, run(LocalLoss, true)) {
		t.Error("with memory the local score is the global one")
	}
}

func TestSamplerRefuses(t *testing.T) {
	for _, plan := range []Samples{{Score: ExpertLoss}, {Pacing: Pacing{Start: 1.5}}, {Pacing: Pacing{Full: -1}}, {Minimum: -1}, {Order: 9}, {Score: 12}, {Pacing: Pacing{Family: 7}}} {
		if s, err := NewSampler(plan, nil); err == nil {
			t.Errorf("%+v: accepted as %s", plan, s.Plan())
		}
	}
	s := newTestSampler(t, Samples{}, nil)
	if err := s.Begin(&federated.Task{Local: federated.Local{Epochs: 1, Batch: 3}}, nil, newSoftmax(3, 1)); err != nil || s.Next(0) != nil {
		t.Errorf("a client without samples: %v", err)
	}
}

func BenchmarkSampler(b *testing.B) {
	o, rows := newSoftmax(70, 1), rand.New(rand.NewPCG(1, 1)).Perm(70)
	s := newTestSampler(b, Samples{Minimum: 8}, nil)
	task := &federated.Task{Parameters: randomParameters(1), Local: federated.Local{Batch: 10, Epochs: 5}}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Begin(task, rows, o); err != nil {
			b.Fatal(err)
		}
		for k := 0; s.Next(k) != nil; k++ {
		}
	}
}

// The number of workers changes nothing, though each has a sampler with buffers
// of its own, and neither does the strategy's rule stand in the way.
func TestWorkersAndStrategies(t *testing.T) {
	var shards [][]int // of 20 to 60 samples, so that FedNova has something to normalise
	for i, rows := range shardsOf(5, 40) {
		shards = append(shards, append(rows, shardsOf(1, 200)[0][:10*i]...)[20:])
	}
	seen := map[float64]string{}
	for _, policy := range []federated.Policy{federated.FedAvg, federated.FedProx, federated.SCAFFOLD, federated.FedNova} {
		var single []float64
		for _, workers := range []int{1, 3} {
			var clients []federated.Client
			for range workers {
				trainer, err := federated.NewTrainer(newSoftmax(200, 3), shards, newTestSampler(t, Samples{Score: BothLoss, Minimum: 5}, nil))
				if err != nil {
					t.Fatal(err)
				}
				clients = append(clients, trainer)
			}
			pool, err := federated.NewPool(clients...)
			if err != nil {
				t.Fatal(err)
			}
			config := federated.Config{
				Clients: 5, Local: federated.Local{Epochs: 2, Batch: 8, LearningRate: 0.05, Momentum: 0.5}, Seed: 2, Executor: pool, Remember: true,
				Importance: []float64{0.1, 0.15, 0.2, 0.25, 0.3},
			}
			strategy := federated.Strategy{Policy: policy, Clients: 3, Mu: 0.5}
			if err := strategy.Configure(context.Background(), &config, unitTimes(t, 5), 0); err != nil {
				t.Fatal(err)
			}
			end := drive(t, config, 6)
			if workers == 1 {
				single = end
			} else if !slices.Equal(single, end) {
				t.Errorf("%s: other parameters with %d workers", policy, workers)
			}
		}
		if other, same := seen[single[0]]; same {
			t.Errorf("%s has the parameters of %s", policy, other)
		}
		seen[single[0]] = string(policy)
	}
}
