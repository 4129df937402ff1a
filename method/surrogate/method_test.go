package surrogate_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/method/stepper"
	"github.com/descentml/descent/method/surrogate"
	"github.com/descentml/descent/objective"
)

// catalogue has every method with the solvers and options that matter.
var catalogue = []string{
	"sso", "sso:solver=gd", "sso:solver=adam", "sso:solver=newton-cg:inner=2", "sso:carry=true",
	"sso:geometry=exponentiated", "sso-sls", "sso-adagrad", "sso-adagrad:by_output=true", "sso-newton",
	"sls", "adagrad-norm", "gulf2:every=3",
}

// Check 1 for a network: from the bound on every step follows that the loss
// falls, and the surrogate lies between.
func TestSurrogateOfANetworkBoundsItsLoss(t *testing.T) {
	for _, text := range []string{"sso:inner=1", "sso:inner=10", "sso:inner=100", "sso:inner=3:solver=newton-cg"} {
		m := classifier(t)
		s := m.stepper(t, text)
		before, z := m.evaluate(t)
		for range 15 {
			m.step(t, s, 2)
			after, moved := m.evaluate(t)
			bound := before
			for i, row := 0, len(z)/12; i < 12; i++ {
				g := softmaxGradient(z[i*row:(i+1)*row], int(m.label(i)))
				for k := range row {
					d := moved[i*row+k] - z[i*row+k]
					bound += (g[k]*d + d*d/4) / 12
				}
			}
			if after > bound+1e-12 || bound > before+1e-12 {
				t.Fatalf("%s: expected %.15g <= %.15g <= %.15g", text, after, bound, before)
			}
			before, z = after, moved
		}
	}
}

func (m *trainee) label(i int) int32 { return m.y.Value().([][]int32)[i][0] }

func softmaxGradient(z []float64, label int) []float64 {
	sum := 0.0
	for _, x := range z {
		sum += math.Exp(x)
	}
	g := make([]float64, len(z))
	for k, x := range z {
		g[k] = math.Exp(x) / sum
	}
	g[label]--
	return g
}

// tabular is a model whose weights are its logits, one row for each example:
// its inner loop has the targets free, and shows what a geometry goes to.
func tabular(t *testing.T, batch, classes int) *trainee {
	net := func(scope *model.Scope, x *Node) *Node {
		one := Iota(x.Graph(), x.Shape(), 1)
		rows := ConvertDType(Equal(one, Iota(x.Graph(), x.Shape(), 0)), x.DType())
		return layers.Dense(scope, rows, false, classes)
	}
	return newTrainee(t, net, objective.CrossEntropy, dtypes.Float64, batch, batch, classes)
}

// The exponentiated geometry goes to p_t exp(-eta G), normalised, with the
// gradient -1/p of the label's probability.
func TestExponentiatedGradient(t *testing.T) {
	m := tabular(t, 4, 3)
	s := m.stepper(t, "sso:geometry=exponentiated:inner=60:solver=newton-cg")
	m.step(t, s, 0)
	_, before := m.evaluate(t)
	const eta = 0.3
	m.step(t, s, eta)
	_, after := m.evaluate(t)
	for i := range 4 {
		old, now := probabilities(before[3*i:3*i+3]), probabilities(after[3*i:3*i+3])
		sum, label := 0.0, int(m.label(i))
		expected := append([]float64(nil), old...)
		expected[label] *= math.Exp(eta / old[label])
		for _, p := range expected {
			sum += p
		}
		for k := range expected {
			if math.Abs(now[k]-expected[k]/sum) > 1e-6 {
				t.Errorf("probability (%d, %d) is %g, expected %g", i, k, now[k], expected[k]/sum)
			}
		}
	}
}

func probabilities(z []float64) []float64 {
	p := softmaxGradient(z, 0)
	p[0]++
	return p
}

// Check 7 on free targets: the step of SSO-SLS meets its inequality.
func TestTargetLineSearchMeetsItsInequality(t *testing.T) {
	m := tabular(t, 5, 3)
	s := m.stepper(t, "sso-sls:solver=newton-cg:inner=1")
	m.step(t, s, 0)
	before, z := m.evaluate(t)
	for range 6 {
		m.step(t, s, 1)
		after, moved := m.evaluate(t)
		squared, eta := 0.0, 0.0
		for i := range 5 {
			g := softmaxGradient(z[3*i:3*i+3], int(m.label(i)))
			for k := range g {
				squared += g[k] * g[k] / 5
				eta = max(eta, (z[3*i+k]-moved[3*i+k])/g[k])
			}
		}
		if after > before-0.5*eta*squared+1e-9 || eta < 1e-4 {
			t.Errorf("loss %g after %g with the step %g: the inequality fails", after, before, eta)
		}
		before, z = after, moved
	}
}

// The sums by output divide the steps of each output by the root of its own.
func TestAdaGradByOutput(t *testing.T) {
	m := tabular(t, 4, 3)
	s := m.stepper(t, "sso-adagrad:by_output=true:solver=newton-cg:inner=1")
	m.step(t, s, 0)
	_, z := m.evaluate(t)
	m.step(t, s, 0.7)
	_, moved := m.evaluate(t)
	var mean [3]float64
	for i := range 4 {
		for k, g := range softmaxGradient(z[3*i:3*i+3], int(m.label(i))) {
			mean[k] += g * g / 4
		}
	}
	for i := range 4 {
		for k, g := range softmaxGradient(z[3*i:3*i+3], int(m.label(i))) {
			expected := z[3*i+k] - 0.7*g/math.Sqrt(mean[k])
			if got := moved[3*i+k]; math.Abs(got-expected) > 1e-9 {
				t.Errorf("target (%d, %d) is %g, expected %g", i, k, got, expected)
			}
		}
	}
}

// A training goes on from a copy of its store to the same bits.
func TestStateIsInTheStore(t *testing.T) {
	for _, text := range catalogue {
		whole := classifier(t)
		s := whole.stepper(t, text)
		for range 4 {
			whole.step(t, s, 0.5)
		}
		store, err := whole.Store.Clone()
		if err != nil {
			t.Fatal(err)
		}
		resumed := classifier(t)
		resumed.Store = store
		again := resumed.stepper(t, text)
		for range 4 {
			a, b := whole.step(t, s, 0.5), resumed.step(t, again, 0.5)
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Fatalf("%s: %+v, and %+v from the copy", text, a, b)
			}
		}
		if far(whole.weights(t), resumed.weights(t)) != 0 {
			t.Errorf("%s: other weights from the copy", text)
		}
	}
}

// The last batch of an epoch may be smaller than what was compiled for.
func TestBatchesOfAnotherSize(t *testing.T) {
	for _, text := range catalogue {
		m := classifier(t)
		s := m.stepper(t, text)
		first := m.step(t, s, 0.1)
		x, y := m.x.Value().([][]float64), m.y.Value().([][]int32)
		small, err := s.Step(0.1, tensors.FromValue(x[:5]), tensors.FromValue(y[:5]))
		if err != nil || math.IsNaN(small.Loss) {
			t.Fatalf("%s: %+v, %v", text, small, err)
		}
		if again := m.step(t, s, 0.1); again.Loss == first.Loss {
			t.Errorf("%s: two steps changed nothing", text)
		}
	}
}

// Every method makes the loss of a network fall, in float32 as well.
func TestEveryMethodTrains(t *testing.T) {
	defaults := map[string]float64{}
	for _, m := range surrogate.Methods() {
		defaults[m.Name] = m.DefaultLearningRate
	}
	for _, text := range catalogue {
		m := newTrainee(t, tanhNetwork(8, 3), objective.CrossEntropy, dtypes.Float32, 16, 5, 3)
		name, _, _ := strings.Cut(text, ":")
		rate := defaults[name]
		if strings.Contains(text, "exponentiated") {
			rate = 0.05 // a step in probabilities
		}
		s := m.stepper(t, text)
		first := m.step(t, s, rate)
		last := first
		for range 30 {
			last = m.step(t, s, rate)
		}
		if !(last.Loss < 0.9*first.Loss) || last.Gradients < 1 || last.Evaluations < last.Gradients {
			t.Errorf("%s: %+v after %+v", text, last, first)
		}
	}
}

func TestCountsOfFixedInnerLoops(t *testing.T) {
	m := classifier(t)
	for text, want := range map[string][2]int{
		"sso:inner=5:solver=gd": {1, 6}, "sso:inner=1:solver=adam": {1, 2}, "adagrad-norm": {1, 1}, "gulf2": {2, 2},
		"sso:inner=3:start=0.0001": {1, 1 + 2*3}, "sls:start=0.0001": {1, 2}, "sso-sls:inner=4:solver=gd": {1, 5},
	} {
		if got := m.step(t, m.stepper(t, text), 2); got.Gradients != want[0] || got.Evaluations != want[1] {
			t.Errorf("%s: %d gradients and %d evaluations, expected %v", text, got.Gradients, got.Evaluations, want)
		}
		m = classifier(t)
	}
}

// Dropout draws once a step: the surrogate starts at the loss with its mask,
// so that no inner step goes up, and the next step has another mask.
func TestDropoutIsTheSameWithinAStep(t *testing.T) {
	net := func(scope *model.Scope, x *Node) *Node {
		hidden := layers.DropoutStatic(scope, Tanh(layers.DenseWithBias(scope.In("hidden"), x, 6)), 0.5)
		return layers.DenseWithBias(scope.In("output"), hidden, 3)
	}
	a := newTrainee(t, net, objective.CrossEntropy, dtypes.Float64, 12, 4, 3)
	b := newTrainee(t, net, objective.CrossEntropy, dtypes.Float64, 12, 4, 3)
	own, sgd := a.stepper(t, "sso:inner=1:solver=gd:rate=0.1"), b.firstOrder(t, "sgd")
	first, same := a.step(t, own, 1), b.step(t, sgd, 0.1)
	if first.Loss != same.Loss || math.Abs(first.GradientL2-same.GradientL2) > 1e-13 {
		t.Errorf("%+v, SGD with the same mask %+v", first, same)
	}
	still := a.step(t, own, 1e-300)
	if again := a.step(t, own, 1e-300); again.Loss == still.Loss {
		t.Error("two steps had the same mask")
	}
}

func TestDivergenceIsAnOutcome(t *testing.T) {
	m := classifier(t)
	s := m.stepper(t, "sso:solver=gd:rate=1e300:inner=3")
	m.step(t, s, 1e10)
	if step := m.step(t, s, 1e10); !math.IsNaN(step.Loss) && !math.IsInf(step.Loss, 0) {
		t.Errorf("loss %g after a step of 1e310", step.Loss)
	}
}

func TestErrorsSayWhatWasExpected(t *testing.T) {
	for text, expected := range map[string]string{
		"ssso":                          `did you mean "sso"?`,
		"sso:iner=3":                    `did you mean "inner"?`,
		"sso:inner=0":                   "an integer of at least 1",
		"sso:solver=newton":             "newton-cg",
		"sso:geometry=flat":             "euclidean",
		"sso:shrink=1":                  "a number in (0, 1)",
		"sso-sls:target_expand=0.5":     "a number in [1, +Inf)",
		"sso:carry=perhaps":             "true or false",
		"gulf2:ahead=0":                 "a number in (0, 1",
		"sso-newton:geometry=euclidean": "unknown option",
	} {
		if _, err := surrogate.New(text); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("%s: %v, expected an error with %q", text, err, expected)
		}
	}
	m := classifier(t)
	for expected, attempt := range map[string]func() error{
		`setting "inner" is -1, expected at least 1`: func() error {
			_, err := (&surrogate.SSO{Inner: surrogate.Inner{Steps: -1}}).Stepper(m.Model)
			return err
		},
		`setting "solver": unknown solver "Solver(9)", expected armijo`: func() error {
			_, err := (&surrogate.SSO{Inner: surrogate.Inner{Solver: 9}}).Stepper(m.Model)
			return err
		},
		"Geometry(5): expected euclidean":               func() error { _, err := (&surrogate.SSO{Geometry: 5}).Stepper(m.Model); return err },
		`setting "target_shrink" is 2`:                  func() error { _, err := (&surrogate.LineSearch{TargetShrink: 2}).Stepper(m.Model); return err },
		`setting "decrease" is 1, expected a number in`: func() error { _, err := (&surrogate.SLS{Decrease: 1}).Stepper(m.Model); return err },
		"logits of at least 2 classes":                  func() error { return stepOnce(binary(t, 5, 2), "sso:geometry=exponentiated") },
		"expected a convex one":                         func() error { return stepOnce(dented(t), "sso-newton") },
	} {
		if err := attempt(); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("%v, expected an error with %q", err, expected)
		}
	}
}

func stepOnce(m *trainee, text string) error {
	build, err := surrogate.New(text)
	if err != nil {
		return err
	}
	s, err := build(m.Model)
	if err != nil {
		return err
	}
	_, err = s.Step(1, m.x, m.y)
	return err
}

// dented has the loss cos(z), which curves down at 0.
func dented(t *testing.T) *trainee {
	return newTrainee(t, linearModel(1), func(_, z *Node) *Node { return ReduceAllMean(Cos(MulScalar(z, 0.1))) }, dtypes.Float64, 5, 2, 0)
}

func TestMethodsAreDescribed(t *testing.T) {
	for _, m := range surrogate.Methods() {
		if m.Title == "" || m.Summary == "" || m.Source == "" || !(m.DefaultLearningRate > 0) {
			t.Errorf("%+v lacks a description or a learning rate", m)
		}
		for _, o := range m.Options {
			if o.Summary == "" || o.Default == "" {
				t.Errorf("%s: option %+v lacks a summary or a default", m.Name, o)
			}
			if _, err := surrogate.New(m.Name + ":" + o.Name + "=" + o.Default); err != nil && o.Default != "0" {
				t.Errorf("%s does not take its default: %v", m.Name, err)
			}
		}
	}
}

// benchmarked are the models of the benchmarks.
func benchmarked(b *testing.B) map[string]*trainee {
	return map[string]*trainee{
		"mlp":  newTrainee(b, reluNetwork(256, 10), objective.CrossEntropy, dtypes.Float32, 128, 784, 10),
		"tanh": newTrainee(b, tanhNetwork(64, 1), objective.SquaredError, dtypes.Float32, 64, 32, 0),
	}
}

func BenchmarkStep(b *testing.B) {
	for name, m := range benchmarked(b) {
		for text, s := range map[string]stepper.Stepper{
			"sgd": m.firstOrder(b, "sgd"), "sso_gd_10": m.stepper(b, "sso:solver=gd"), "sso_armijo_10": m.stepper(b, "sso"),
			"sso_newton-cg_1": m.stepper(b, "sso:solver=newton-cg:inner=1"),
		} {
			b.Run(name+"/"+text, func(b *testing.B) {
				m.step(b, s, 1e-3)
				b.ReportAllocs()
				for b.Loop() {
					m.step(b, s, 1e-3)
				}
			})
		}
	}
}

// BenchmarkInnerStep compares an inner step of SSO with a step of SGD on the
// same model and batch, in turns, so that both meet the same load: "inner/sgd"
// is the ratio of their median times. Eleven inner steps less one are ten.
func BenchmarkInnerStep(b *testing.B) {
	for name, m := range benchmarked(b) {
		b.Run(name, func(b *testing.B) {
			sgd, one, eleven := m.firstOrder(b, "sgd"), m.stepper(b, "sso:inner=1:solver=gd"), m.stepper(b, "sso:inner=11:solver=gd")
			timed := func(s stepper.Stepper, times int) float64 {
				start := time.Now()
				for range times {
					m.step(b, s, 1e-3)
				}
				return time.Since(start).Seconds()
			}
			timed(sgd, 1)
			timed(one, 1)
			timed(eleven, 1)
			var inner, plain []float64
			for b.Loop() {
				plain = append(plain, timed(sgd, 10)/10)
				inner = append(inner, (timed(eleven, 1)-timed(one, 1))/10)
			}
			slices.Sort(plain)
			slices.Sort(inner)
			b.ReportMetric(inner[len(inner)/2]/plain[len(plain)/2], "inner/sgd")
			b.ReportMetric(plain[len(plain)/2]*1e6, "sgd-µs")
		})
	}
}

func reluNetwork(hidden, outputs int) network {
	return func(scope *model.Scope, x *Node) *Node {
		h := MaxScalar(layers.DenseWithBias(scope.In("hidden"), x, hidden), 0)
		return layers.DenseWithBias(scope.In("output"), h, outputs)
	}
}
