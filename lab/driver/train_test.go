package driver_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	_ "github.com/descentml/descent/backend"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
)

func newBackend() compute.Backend {
	backend, err := compute.New()
	if err != nil {
		panic(err)
	}
	return backend
}

// problem loads an embedded set, split by a fixed seed.
func problem(t testing.TB, set, network string, dtype dtypes.DType) *driver.Problem {
	t.Helper()
	table, err := data.Open(t.Context(), set, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	split, err := data.NewSplit(table, 0.2, 0.2, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := data.Fit(table, split.Train)
	if err != nil {
		t.Fatal(err)
	}
	p, err := driver.NewProblem(table, split, encoder, network, dtype)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// history is everything that a trial measured, without times.
type history []driver.Epoch

func (h *history) hook(e driver.Epoch) error {
	e.Seconds = 0
	*h = append(*h, e)
	return nil
}

func trial(method string) driver.Trial {
	return driver.Trial{Method: method, LearningRate: 0.01, Schedule: "cosine:warmup=3", Seed: 5, BatchSize: 16, Epochs: 4}
}

func TestSameSeedSameBits(t *testing.T) {
	p := problem(t, "iris", "mlp:8", dtypes.Float32)
	run := func(seed uint64) (history, driver.Outcome) {
		var h history
		spec := trial("adam")
		spec.Seed = seed
		o, err := driver.Train(t.Context(), newBackend(), p, spec, nil, driver.Hooks{Epoch: h.hook})
		if err != nil {
			t.Fatal(err)
		}
		return h, o
	}
	first, a := run(5)
	again, b := run(5)
	other, _ := run(6)
	if fmt.Sprint(first) != fmt.Sprint(again) || a.Test != b.Test {
		t.Errorf("the same seed gave\n%v\n%v", first, again)
	}
	if fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("another seed gave the same numbers")
	}
	if len(first) != 5 || first[0].Epoch != 0 || first[4].Epoch != 4 || first[4].TrainLoss >= first[0].TrainLoss {
		t.Errorf("measured %v: want epochs 0 to 4 with a falling loss", first)
	}
}

func TestAllMethodsStartFromTheSameWeights(t *testing.T) {
	p := problem(t, "iris", "mlp:8", dtypes.Float32)
	var losses []float64
	for _, method := range []string{"sgd", "adam", "diffgrad", "adadelta"} {
		var h history
		if _, err := driver.Train(t.Context(), newBackend(), p, trial(method), nil, driver.Hooks{Epoch: h.hook}); err != nil {
			t.Fatal(err)
		}
		losses = append(losses, h[0].TrainLoss)
	}
	for _, loss := range losses {
		if loss != losses[0] {
			t.Fatalf("losses before training %v: want them equal", losses)
		}
	}
}

// TestCheckpointContinuesToTheSameBits stops every method at every moment of a
// training at which it looks at its context, between steps and inside
// measurements, and continues from there.
func TestCheckpointContinuesToTheSameBits(t *testing.T) {
	p := problem(t, "iris", "mlp:4", dtypes.Float32)
	backend := newBackend()
	for _, method := range []string{"sgd", "nesterov", "adadelta", "amsgrad", "diffgrad"} {
		spec := trial(method)
		spec.Epochs, spec.BatchSize = 2, 32 // 6 steps
		var want history
		whole, err := driver.Train(t.Context(), backend, p, spec, nil, driver.Hooks{Epoch: want.hook})
		if err != nil {
			t.Fatal(err)
		}
		stops := 0
		for stop := 3; ; stop++ {
			from, before, stopped := stopAt(t, backend, p, spec, stop)
			if !stopped {
				break
			}
			stops++
			after := before
			outcome, err := driver.Train(t.Context(), backend, p, spec, from, driver.Hooks{Epoch: after.hook})
			if err != nil {
				t.Fatal(err)
			}
			if outcome.Test != whole.Test || outcome.Last.TrainLoss != whole.Last.TrainLoss {
				t.Fatalf("%s stopped at moment %d: %v, want %v", method, stop, outcome, whole)
			}
			for _, e := range after {
				if !contains(want, e) {
					t.Errorf("%s stopped at moment %d: measured %+v, which the whole run did not", method, stop, e)
				}
			}
		}
		if stops < 10 {
			t.Errorf("%s was stopped %d times, want at least 10", method, stops)
		}
	}
}

// stopAt runs a trial until it has looked at its context a number of times, and
// returns its checkpoint after a round trip through bytes, or a nil checkpoint
// if there was nothing to save yet. stopped is false if the trial ended before.
func stopAt(t *testing.T, backend compute.Backend, p *driver.Problem, spec driver.Trial, looks int) (from *driver.Checkpoint, before history, stopped bool) {
	t.Helper()
	var saved []byte
	ctx := &countdown{Context: t.Context(), left: looks}
	_, err := driver.Train(ctx, backend, p, spec, nil, driver.Hooks{Epoch: before.hook, Checkpoint: func(c driver.Checkpoint) (err error) {
		saved, err = c.MarshalBinary()
		return err
	}})
	if err == nil {
		return nil, before, false
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if saved == nil {
		return nil, before, true
	}
	from = new(driver.Checkpoint)
	if err := from.UnmarshalBinary(saved); err != nil {
		t.Fatal(err)
	}
	return from, before, true
}

// countdown is a context that ends when it has been asked a number of times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func contains(h history, e driver.Epoch) bool {
	for _, other := range h {
		if other == e {
			return true
		}
	}
	return false
}

// TestFullBatchGradientDescentMatchesItsFormula trains least squares with one
// batch per epoch and compares with gradient descent in plain Go.
func TestFullBatchGradientDescentMatchesItsFormula(t *testing.T) {
	p := problem(t, "diabetes", "linear", dtypes.Float64)
	const steps, rate = 25, 0.1
	o, err := driver.Train(t.Context(), newBackend(), p, driver.Trial{Method: "sgd", LearningRate: rate, BatchSize: p.Train.Count, Epochs: steps}, nil, driver.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	weights, bias := make([]float64, p.Width), 0.0
	for range steps {
		gradient, gradientOfBias := make([]float64, p.Width), 0.0
		for i := range p.Train.Count {
			x := p.Train.Features[i*p.Width : (i+1)*p.Width]
			residual := bias - float64(p.Train.Targets[i])
			for j, w := range weights {
				residual += w * float64(x[j])
			}
			for j := range gradient {
				gradient[j] += 2 * residual * float64(x[j]) / float64(p.Train.Count)
			}
			gradientOfBias += 2 * residual / float64(p.Train.Count)
		}
		for j := range weights {
			weights[j] -= rate * gradient[j]
		}
		bias -= rate * gradientOfBias
	}
	got := tensors.MustCopyFlatData[float64](o.Weights.GetVariable("/network/output/dense/weights").MustValue())
	for j, w := range weights {
		if math.Abs(got[j]-w) > 1e-10 {
			t.Errorf("weight %d is %.15g, want %.15g", j, got[j], w)
		}
	}
	if o.Test.Score < 0.3 || o.Test.Score > 0.7 {
		t.Errorf("test R² %g, want about 0.45", o.Test.Score)
	}
}

func TestZeroLearningRateChangesNothing(t *testing.T) {
	p := problem(t, "wine", "mlp:4", dtypes.Float32)
	for _, method := range []string{"sgd", "momentum", "adam", "diffgrad"} {
		var h history
		spec := trial(method)
		spec.LearningRate = 0
		if _, err := driver.Train(t.Context(), newBackend(), p, spec, nil, driver.Hooks{Epoch: h.hook}); err != nil {
			t.Fatal(err)
		}
		if h[0].TrainLoss != h[len(h)-1].TrainLoss {
			t.Errorf("%s: the loss went from %g to %g", method, h[0].TrainLoss, h[len(h)-1].TrainLoss)
		}
	}
}

func TestDivergenceEndsTheTrial(t *testing.T) {
	p := problem(t, "diabetes", "linear", dtypes.Float32)
	for _, rate := range []float64{1e4, 1e30} { // growth beyond tenfold, and overflow
		spec := driver.Trial{Method: "sgd", LearningRate: rate, BatchSize: 16, Epochs: 50}
		o, err := driver.Train(t.Context(), newBackend(), p, spec, nil, driver.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		if !o.Diverged || o.Last.Epoch > 2 {
			t.Errorf("rate %g: diverged %v after %g epochs, want it to end at once", rate, o.Diverged, o.Last.Epoch)
		}
	}
}

func TestTimeLimitEndsTheTrial(t *testing.T) {
	p := problem(t, "digits", "mlp:16", dtypes.Float32)
	spec := driver.Trial{Method: "adam", LearningRate: 1e-3, BatchSize: 16, Time: 20 * time.Millisecond}
	o, err := driver.Train(t.Context(), newBackend(), p, spec, nil, driver.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if o.Last.Step == 0 || o.Last.Seconds < 0.02 {
		t.Errorf("%d steps in %g s, want it to use up its 20 ms", o.Last.Step, o.Last.Seconds)
	}
}

func TestHookErrorsEndTheTrial(t *testing.T) {
	p := problem(t, "iris", "linear", dtypes.Float32)
	failure := errors.New("disk full")
	_, err := driver.Train(t.Context(), newBackend(), p, trial("sgd"), nil, driver.Hooks{Epoch: func(driver.Epoch) error { return failure }})
	if !errors.Is(err, failure) {
		t.Errorf("error %v, want that of the hook", err)
	}
}

func TestDamagedCheckpointIsRefused(t *testing.T) {
	p := problem(t, "iris", "mlp:4", dtypes.Float32)
	from, _, _ := stopAt(t, newBackend(), p, trial("adam"), 6)
	for _, length := range []int{0, 1, len(from.Variables) / 2, len(from.Variables) - 1} {
		damaged := *from
		damaged.Variables = from.Variables[:length]
		if _, err := driver.Train(t.Context(), newBackend(), p, trial("adam"), &damaged, driver.Hooks{}); err == nil || !strings.Contains(err.Error(), "checkpoint") {
			t.Errorf("%d of %d bytes: error %v", length, len(from.Variables), err)
		}
	}
}

func TestCheckRejects(t *testing.T) {
	p := problem(t, "iris", "linear", dtypes.Float32)
	for says, change := range map[string]func(*driver.Trial){
		"did you mean":  func(s *driver.Trial) { s.Method = "adm" },
		"batch size":    func(s *driver.Trial) { s.BatchSize = 0 },
		"epochs":        func(s *driver.Trial) { s.Epochs = 0 },
		"learning rate": func(s *driver.Trial) { s.LearningRate = math.NaN() },
		"schedule":      func(s *driver.Trial) { s.Schedule = "zigzag" },
	} {
		spec := trial("adam")
		change(&spec)
		if err := spec.Check(p); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one with %q", err, says)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	p := problem(b, "digits", "mlp:64", dtypes.Float32)
	b.ReportAllocs()
	spec := driver.Trial{Method: "adam", LearningRate: 1e-3, BatchSize: 32, Epochs: 1 + b.N/34}
	o, err := driver.Train(b.Context(), newBackend(), p, spec, nil, driver.Hooks{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(o.Last.Seconds/float64(o.Last.Step)*1e6, "µs/step")
}

// The hook sees the weights of every measurement, and a look at them changes nothing.
func TestWeightsHook(t *testing.T) {
	p := problem(t, "iris", "mlp:8", dtypes.Float32)
	var plain, watched history
	without, err := driver.Train(t.Context(), newBackend(), p, trial("adam"), nil, driver.Hooks{Epoch: plain.hook})
	if err != nil {
		t.Fatal(err)
	}
	var stores []*model.Store
	var sums []float64
	with, err := driver.Train(t.Context(), newBackend(), p, trial("adam"), nil, driver.Hooks{Epoch: watched.hook, Weights: func(e driver.Epoch, store *model.Store) error {
		if e.Step != watched[len(watched)-1].Step {
			t.Errorf("weights of step %d after the measurement of step %d", e.Step, watched[len(watched)-1].Step)
		}
		stores = append(stores, store)
		sum := 0.0
		for v := range store.IterVariables() {
			if v.Trainable {
				tensors.MustConstFlatData(v.MustValue(), func(flat []float32) {
					for _, x := range flat {
						sum += float64(x)
					}
				})
			}
		}
		sums = append(sums, sum)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(plain) != fmt.Sprint(watched) || without.Test != with.Test {
		t.Error("the training differs when its weights are looked at")
	}
	if len(sums) != 5 || sums[0] == sums[1] || stores[4] != with.Weights {
		t.Errorf("sums of weights %v: expected five that differ, the last of the outcome's store", sums)
	}
	stop := errors.New("stop")
	if _, err := driver.Train(t.Context(), newBackend(), p, trial("adam"), nil, driver.Hooks{Weights: func(driver.Epoch, *model.Store) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("error %v, want that of the hook", err)
	}
}
