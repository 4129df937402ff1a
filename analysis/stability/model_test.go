package stability

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// models are small ones with random parameters.
func models(t testing.TB, seed uint64) map[string]Model {
	t.Helper()
	rng := generator(seed)
	diagonal := NewDiagonal(normal(rng, 6, 5))
	diagonal.InitNormal(1, rng)
	relu, err := NewReLU(normal(rng, 6, 4), 5)
	if err != nil {
		t.Fatal(err)
	}
	relu.InitNormal(1, 0.7, rng)
	d := design(t, normal(rng, 6, 3))
	linear, err := d.Linearised([]float64{1, -2, 0.5})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Model{"diagonal": diagonal, "relu": relu, "linear": linear}
}

func TestGradientsAreThoseOfTheOutput(t *testing.T) {
	for name, m := range models(t, 1) {
		at := slices.Clone(m.Parameters())
		gradients := Gradients(m)
		for i := range m.Examples() {
			want := fd.Gradient(nil, func(w []float64) float64 {
				copy(m.Parameters(), w)
				value, _ := m.Output(i)
				return value
			}, at, &fd.Settings{Formula: fd.Central})
			copy(m.Parameters(), at)
			got := gradients.RawRowView(i)
			if !floats.EqualApprox(got, want, 1e-7) {
				t.Errorf("%s, example %d: %v, want %v", name, i, got, want)
			}
			_, square := m.Output(i)
			near(t, name+": squared norm", square, floats.Dot(got, got), 1e-12*(1+square))
		}
	}
}

// A gradient can be added to the parameters that it depends on.
func TestGradientsCanBeAddedInPlace(t *testing.T) {
	for name, m := range models(t, 2) {
		want := slices.Clone(m.Parameters())
		m.Output(3)
		m.AddGradient(3, -0.3, want)
		m.AddGradient(3, -0.3, m.Parameters())
		if !slices.Equal(want, m.Parameters()) {
			t.Errorf("%s: %v, want %v", name, m.Parameters(), want)
		}
	}
}

func TestPredictionsAreOutputs(t *testing.T) {
	list := models(t, 3)
	diagonal, relu := list["diagonal"].(*Diagonal), list["relu"].(*ReLU)
	for i := range 6 {
		value, _ := diagonal.Output(i)
		near(t, "diagonal", diagonal.Predict(diagonal.inputs.RawRowView(i)), value, 1e-12)
		near(t, "coefficients", floats.Dot(diagonal.Coefficients(), diagonal.inputs.RawRowView(i)), value, 1e-12)
		value, _ = relu.Output(i)
		near(t, "relu", relu.Predict(relu.inputs.RawRowView(i)), value, 1e-12)
	}
}

// Check 5: the trace of a ReLU network on many inputs is near its mean, which
// the path norm bounds; with balanced layers the bound is met.
func TestTraceOfReLUIsAPathNorm(t *testing.T) {
	const d, width = 20, 7
	inputs := 400_000
	if testing.Short() {
		inputs = 100_000
	}
	rng := generator(4)
	network, err := NewReLU(normal(rng, inputs, d), width)
	if err != nil {
		t.Fatal(err)
	}
	network.InitNormal(1, 1, rng)
	near(t, "mean over inputs", network.Trace(), network.ExpectedTrace(), 0.01*network.ExpectedTrace())
	bound, before := math.Sqrt(d)*network.PathNorm(), network.Predict(network.inputs.RawRowView(0))
	if network.ExpectedTrace() < bound {
		t.Errorf("expected trace %g, below %g", network.ExpectedTrace(), bound)
	}
	network.Rebalance()
	near(t, "balanced", network.ExpectedTrace(), bound, 1e-10*bound)
	near(t, "the function", network.Predict(network.inputs.RawRowView(0)), before, 1e-10)
	near(t, "the path norm", math.Sqrt(d)*network.PathNorm(), bound, 1e-10*bound)
	outer, inner := network.Neuron(0)
	*outer = 0
	network.Rebalance()
	if floats.Norm(inner, 2) != 0 {
		t.Errorf("a neuron without output keeps the weights %v", inner)
	}
}

// The trace of a ReLU network is that of its gradients over both layers.
func TestTraceOfReLUIsThatOfItsGradients(t *testing.T) {
	relu := models(t, 5)["relu"].(*ReLU)
	near(t, "trace", relu.Trace(), design(t, Gradients(relu)).Trace(), 1e-12)
}

// Check 6: the trace of a diagonal network has a closed form on any data, the
// 1-norm bounds it, and a balanced start has the balance asked for.
func TestTraceOfDiagonalIsANorm(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rng := generator(rapid.Uint64().Draw(r, "seed"))
		m := NewDiagonal(normal(rng, rapid.IntRange(1, 20).Draw(r, "examples"), rapid.IntRange(1, 20).Draw(r, "features")))
		ratio := rapid.Float64Range(1, 20).Draw(r, "balance")
		if err := m.InitBalance(0.3, ratio, rng); err != nil {
			r.Fatal(err)
		}
		if math.Abs(m.Balance()-ratio) > 1e-10 {
			r.Errorf("balance %g, want %g", m.Balance(), ratio)
		}
		m.InitNormal(1, rng)
		d, err := NewDesign(Gradients(m))
		if err != nil {
			r.Fatal(err)
		}
		if math.Abs(d.Trace()-m.Trace()) > 1e-10 || m.Trace() < m.TraceBound()*(1-1e-12) || m.Balance() < 1-1e-12 {
			r.Errorf("trace %g, in closed form %g, bound %g, balance %g", d.Trace(), m.Trace(), m.TraceBound(), m.Balance())
		}
		// A trace of at most 2/rate bounds the norm.
		if rate := 2 / d.Trace(); m.Norm1() > m.NormLimit(rate)*(1+1e-12) {
			r.Errorf("norm %g above %g", m.Norm1(), m.NormLimit(rate))
		}
	})
	if err := NewDiagonal(mat.NewDense(1, 1, nil)).InitBalance(1, 0.5, generator(1)); err == nil {
		t.Error("a balance below 1 was taken")
	}
}

// Gradient descent moves against the gradient of the loss, and a batch of one
// example has the same step with and without replacement.
func TestStepIsTheGradientOfTheLoss(t *testing.T) {
	targets := []float64{1, -1, 2, 0, 0.5, -2}
	for name, m := range models(t, 6) {
		at := slices.Clone(m.Parameters())
		want := fd.Gradient(nil, func(w []float64) float64 {
			copy(m.Parameters(), w)
			return Loss(m, targets)
		}, at, &fd.Settings{Formula: fd.Central})
		copy(m.Parameters(), at)
		if _, err := Train(t.Context(), m, targets, Training{Rate: 0.01, Steps: 1, Sampling: FullBatch(6)}, nil); err != nil {
			t.Fatal(err)
		}
		floats.AddScaledTo(want, at, -0.01, want)
		if !floats.EqualApprox(m.Parameters(), want, 1e-8) {
			t.Errorf("%s: %v, want %v", name, m.Parameters(), want)
		}
	}
}

// One example a step takes a shorter way than a batch, with the same result.
func TestOneExampleIsABatchOfOne(t *testing.T) {
	targets := []float64{1, -1, 2, 0, 0.5, -2}
	for name, m := range models(t, 7) {
		at := slices.Clone(m.Parameters())
		if _, err := Train(t.Context(), m, targets, Training{Rate: 0.01, Steps: 50, Clip: 2}, generator(1)); err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(m.Parameters())
		copy(m.Parameters(), at)
		w := newTrainer(m, targets, Training{Rate: 0.01, Clip: 2, Tolerance: 1}, generator(1))
		rng := generator(1)
		for range 50 {
			clear(w.gradient)
			w.add(rng.IntN(6), 1)
			floats.AddScaled(m.Parameters(), -0.01*w.shorten(floats.Norm(w.gradient, 2)), w.gradient)
		}
		if !floats.EqualApprox(m.Parameters(), got, 1e-12) {
			t.Errorf("%s: %v, want %v", name, got, m.Parameters())
		}
	}
}

// A batch without replacement is different examples, each as often as another.
func TestBatchesWithoutReplacement(t *testing.T) {
	w := newTrainer(models(t, 8)["linear"], nil, Training{Sampling: Sampling{Batch: 4, WithoutReplacement: true}}, generator(2))
	counts := make([]float64, 6)
	for range 3000 {
		seen := map[int]bool{}
		for k := range 4 {
			i := w.draw(k)
			if seen[i] {
				t.Fatalf("example %d twice in a batch", i)
			}
			seen[i] = true
			counts[i]++
		}
	}
	for _, count := range counts {
		near(t, "draws of an example", count, 2000, 6*math.Sqrt(3000*2.0/9))
	}
}

func TestClippingIsCounted(t *testing.T) {
	m := models(t, 9)["linear"].(*Linearised)
	before := slices.Clone(m.delta)
	outcome, err := Train(t.Context(), m, make([]float64, 6), Training{Rate: 0.5, Steps: 1, Clip: 1e-3}, generator(1))
	if err != nil {
		t.Fatal(err)
	}
	floats.Sub(before, m.delta)
	near(t, "length of the step", floats.Norm(before, 2), 0.5e-3, 1e-15)
	if outcome.Clipped != 1 || outcome.LastClipped != 1 {
		t.Errorf("%+v", outcome)
	}
}

func TestTrainingEnds(t *testing.T) {
	targets := make([]float64, 6)
	m := models(t, 10)["linear"]
	var steps []int
	outcome, err := Train(t.Context(), m, targets, Training{Rate: 0.05, Steps: 100_000, Every: 10, Tolerance: 1e-6, Observe: func(step int, loss float64) error {
		steps = append(steps, step)
		return nil
	}}, generator(1))
	if err != nil || outcome.Steps == 100_000 || outcome.Loss > 1e-10 || outcome.Steps != steps[len(steps)-1] || outcome.Peak < outcome.Start {
		t.Errorf("with a tolerance: %+v, %v", outcome, err)
	}
	m = models(t, 10)["diagonal"]
	outcome, err = Train(t.Context(), m, targets, Training{Rate: 1e3, Steps: 1000}, generator(1))
	if err != nil || !outcome.Diverged || !math.IsNaN(outcome.Loss) || outcome.Steps == 1000 {
		t.Errorf("at a huge rate: %+v, %v", outcome, err)
	}
	m = models(t, 10)["diagonal"]
	outcome, err = Train(t.Context(), m, targets, Training{Rate: 1e3, Steps: 1000, Sampling: FullBatch(6)}, nil)
	if err != nil || !outcome.Diverged {
		t.Errorf("gradient descent at a huge rate: %+v, %v", outcome, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Train(ended, models(t, 10)["relu"], targets, Training{Rate: 1, Steps: 1}, generator(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
	failure := errors.New("full")
	if _, err := Train(t.Context(), models(t, 1)["relu"], targets, Training{Rate: 1, Steps: 1, Observe: func(int, float64) error { return failure }}, generator(1)); !errors.Is(err, failure) {
		t.Errorf("an observer's error: %v", err)
	}
}

func TestTrainingErrors(t *testing.T) {
	m := models(t, 11)["relu"]
	for name, c := range map[string]struct {
		training Training
		targets  int
	}{
		"targets": {Training{Rate: 1, Steps: 1}, 5},
		"rate":    {Training{Rate: math.NaN(), Steps: 1}, 6},
		"steps":   {Training{Rate: 1}, 6},
		"clip":    {Training{Rate: 1, Steps: 1, Clip: -1}, 6},
		"batch":   {Training{Rate: 1, Steps: 1, Sampling: Sampling{Batch: 7, WithoutReplacement: true}}, 6},
	} {
		if _, err := Train(t.Context(), m, make([]float64, c.targets), c.training, generator(1)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Train(t.Context(), m, make([]float64, 6), Training{Rate: 1, Steps: 1}, nil); err == nil {
		t.Error("no generator: no error")
	}
	if _, err := NewReLU(mat.NewDense(1, 1, nil), 0); err == nil {
		t.Error("no neurons: no error")
	}
}

// Same seed, same bits.
func TestTrainingRepeats(t *testing.T) {
	var first []float64
	for range 2 {
		m := models(t, 12)["relu"]
		if _, err := Train(t.Context(), m, make([]float64, 6), Training{Rate: 0.01, Steps: 200, Sampling: Sampling{Batch: 2, WithoutReplacement: true}}, generator(5)); err != nil {
			t.Fatal(err)
		}
		if first != nil && !slices.Equal(first, m.Parameters()) {
			t.Error("two trainings with one seed differ")
		}
		first = m.Parameters()
	}
}

func TestStepsDoNotAllocate(t *testing.T) {
	for name, m := range models(t, 13) {
		for _, s := range []Sampling{{}, {Batch: 3}, {Batch: 3, WithoutReplacement: true}, FullBatch(6)} {
			w := newTrainer(m, make([]float64, 6), Training{Rate: 1e-3, Clip: 1, Sampling: s}, generator(1))
			if count := testing.AllocsPerRun(50, func() { w.step() }); count > 0 {
				t.Errorf("%s, %+v: %g allocations a step", name, s, count)
			}
		}
	}
}

func BenchmarkStep(b *testing.B) {
	rng := generator(1)
	diagonal := NewDiagonal(normal(rng, 300, 1000))
	relu, err := NewReLU(normal(rng, 300, 100), 100)
	if err != nil {
		b.Fatal(err)
	}
	diagonal.InitNormal(1, rng)
	relu.InitNormal(1, 0.3, rng)
	for name, m := range map[string]Model{"diagonal": diagonal, "relu": relu} {
		for sampling, s := range map[string]Sampling{"one": {}, "all": FullBatch(300)} {
			b.Run(name+"/"+sampling, func(b *testing.B) {
				w := newTrainer(m, make([]float64, 300), Training{Rate: 1e-9, Sampling: s}, rng)
				b.ReportAllocs()
				for b.Loop() {
					w.step()
				}
			})
		}
	}
}

func BenchmarkThreshold(b *testing.B) {
	d := design(b, normal(generator(1), 120, 1000))
	b.ReportAllocs()
	for b.Loop() {
		limit(b, d, Sampling{})
	}
}
