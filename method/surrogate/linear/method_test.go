package linear_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/descentml/descent/method/surrogate/linear"
)

// identity is a problem whose targets are its parameters, so that an exact
// step shows what the rule chose: z - G/w.
func identity(t testing.TB, loss linear.Loss, labels []float64) *linear.Problem {
	t.Helper()
	features := mat.NewDense(len(labels), len(labels), nil)
	for i := range labels {
		features.Set(i, i, 1)
	}
	p, err := linear.NewProblem(features, labels, loss)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Check 7: the step of the line search on targets meets its inequality, and the
// one before it in the search does not; on (z-y)^2/2 with c = 1/2 all up to 1 do.
func TestTargetLineSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.Float64Range(-3, 3), 4, 4).Draw(t, "labels")
		start := rapid.Float64Range(1e-3, 100).Draw(t, "first trial")
		p := identity(&testing.T{}, linear.Squared{}, labels)
		theta := mat.NewDense(4, 1, []float64{5, -4, 6, 4}) // away from the labels
		before := mat.DenseCopyOf(theta)
		if _, err := linear.Run(t.Context(), p, theta, linear.Surrogate{Rate: start, Rule: linear.TargetLineSearch{}}, linear.Plan{Steps: 1}); err != nil {
			t.Fatal(err)
		}
		g := before.At(0, 0) - labels[0]
		eta := (before.At(0, 0) - theta.At(0, 0)) / g
		switch {
		case start < 1-1e-9 && math.Abs(eta-start) > 1e-9*start:
			t.Fatalf("step %g, expected the first trial %g", eta, start)
		case start >= 1-1e-9 && (eta > 1+1e-9 || eta < 0.9-1e-9):
			t.Fatalf("step %g from %g, expected the first trial of at most 1", eta, start)
		}
	})
}

func TestTargetLineSearchOnLogisticMeetsArmijo(t *testing.T) {
	labels := []float64{0, 1, 1, 0, 1}
	p := identity(t, linear.Logistic{}, labels)
	before := p.Zero()
	eta := 0.0
	run(t, p, p.Zero(), linear.Surrogate{Rate: 1000, Rule: linear.TargetLineSearch{Shrink: 0.5}}, linear.Plan{Steps: 8, Observe: func(at linear.Progress) {
		if at.Step > 0 {
			g := 1/(1+math.Exp(-before.At(0, 0))) - labels[0]
			eta = (before.At(0, 0) - at.Theta.At(0, 0)) / g
			squared := 0.0 // (1/n) |G|^2
			for i, y := range labels {
				d := 1/(1+math.Exp(-before.At(i, 0))) - y
				squared += d * d / 5
			}
			if p.Value(at.Theta) > p.Value(before)-0.5*eta*squared+1e-12 {
				t.Errorf("step %d of %g does not meet the inequality", at.Step, eta)
			}
		}
		before.Copy(at.Theta)
	}})
	if eta <= 4 {
		t.Errorf("last step %g, expected the search to find steps above 1/L", eta)
	}
}

// The other rules against their formulas, on the first step.
func TestRulesAgainstTheirFormulas(t *testing.T) {
	labels := []float64{0, 1, 1, 0}
	z := []float64{1, -2, 0.5, -1}
	p := identity(t, linear.Logistic{}, labels)
	norm := 0.0
	for i := range z {
		d := 1/(1+math.Exp(-z[i])) - labels[i]
		norm += d * d
	}
	for name, c := range map[string]struct {
		rule   linear.Rule
		weight func(p, g float64) float64
	}{
		"adagrad":  {linear.TargetAdagrad{}, func(_, _ float64) float64 { return math.Sqrt(norm) / 2 }},
		"diagonal": {linear.TargetAdagrad{Diagonal: true}, func(_, g float64) float64 { return math.Abs(g) / 2 }},
		"newton":   {linear.TargetNewton{}, func(p, _ float64) float64 { return (p*(1-p) + 1e-5) / 2 }},
	} {
		theta := mat.NewDense(4, 1, append([]float64(nil), z...))
		run(t, p, theta, linear.Surrogate{Rate: 2, Rule: c.rule}, linear.Plan{Steps: 1})
		long := mat.NewDense(4, 1, append([]float64(nil), z...))
		run(t, p, long, linear.Surrogate{Rate: 2, Rule: c.rule, Inner: 3000}, linear.Plan{Steps: 1})
		for i := range z {
			probability := 1 / (1 + math.Exp(-z[i]))
			g := probability - labels[i]
			expected := z[i] - g/c.weight(probability, g)
			if math.Abs(theta.At(i, 0)-expected) > 1e-9*(1+math.Abs(expected)) {
				t.Errorf("%s: target %d is %g, expected %g", name, i, theta.At(i, 0), expected)
			}
			if math.Abs(long.At(i, 0)-expected) > 1e-4*(1+math.Abs(expected)) {
				t.Errorf("%s: target %d is %g after the inner loop, expected %g", name, i, long.At(i, 0), expected)
			}
		}
	}
}

// The sums of SSO-Adagrad belong to examples, whatever batch they come in.
func TestDiagonalSumsFollowTheirExamples(t *testing.T) {
	p := identity(t, linear.Squared{}, []float64{1, 2, 3, 4})
	p.Loss = constantSlope{}
	theta := p.Zero()
	run(t, p, theta, linear.Surrogate{Rate: 1, Rule: linear.TargetAdagrad{Diagonal: true}}, linear.Plan{Steps: 8, Batch: 1, Random: generator(9)})
	for i := range 4 { // each example twice, with G = 1: steps of 1 and 1/sqrt(2)
		if expected := -1 - 1/math.Sqrt2; math.Abs(theta.At(i, 0)-expected) > 1e-12 {
			t.Errorf("target %d is %g, expected %g", i, theta.At(i, 0), expected)
		}
	}
}

// constantSlope is the loss z.
type constantSlope struct{ linear.Squared }

func (constantSlope) Value(z []float64, _ float64, gradient []float64) float64 {
	if gradient != nil {
		gradient[0] = 1
	}
	return z[0]
}

func TestBaselinesAgainstTheirFormulas(t *testing.T) {
	random := generator(10)
	p := problem(t, random, linear.Logistic{}, 24, 3)
	theta, _ := sameStart(p, random)
	gradient := p.Zero()
	p.Gradient(gradient, theta)
	for name, c := range map[string]struct {
		method linear.Method
		step   func(g float64) float64 // of the first step
	}{
		"gd":      {linear.Descent{}, func(g float64) float64 { return g / p.LargestCurvature() }},
		"svrg":    {linear.SVRG{Rate: 0.3}, func(g float64) float64 { return 0.3 * g }},
		"adam":    {linear.Adam{}, func(g float64) float64 { return 1e-3 * g / (math.Abs(g) + 1e-8) }},
		"adagrad": {linear.Adagrad{}, func(g float64) float64 { return 1e-2 * g / (math.Abs(g) + 1e-10) }},
		"norm":    {linear.Adagrad{Scalar: true}, func(g float64) float64 { return 1e-2 * g / (mat.Norm(gradient, 2) + 1e-10) }},
	} {
		after := mat.DenseCopyOf(theta)
		run(t, p, after, c.method, linear.Plan{Steps: 1})
		for j := range 3 {
			expected := theta.At(j, 0) - c.step(gradient.At(j, 0))
			if math.Abs(after.At(j, 0)-expected) > 1e-12 {
				t.Errorf("%s: theta_%d is %.15g, expected %.15g", name, j, after.At(j, 0), expected)
			}
		}
	}
}

// SVRG's noise goes with the distance to its snapshot: a constant step goes to
// the minimum, where that of SGD stays away from it.
func TestSVRGConvergesWithAConstantStep(t *testing.T) {
	p := problem(t, generator(11), linear.Logistic{}, 60, 4)
	best, _, err := p.Minimize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]float64{}
	for name, m := range map[string]linear.Method{"sgd": linear.Descent{Rate: 0.5}, "svrg": linear.SVRG{Rate: 0.5}} {
		theta := run(t, p, p.Zero(), m, linear.Plan{Steps: 2000, Batch: 6, Random: generator(12)})
		ends[name] = distance(theta, best)
	}
	if ends["svrg"] > 1e-9 || ends["sgd"] < 1e-3 {
		t.Errorf("distances to the minimum %v", ends)
	}
}

func TestLineSearchMeetsArmijo(t *testing.T) {
	p := problem(t, generator(13), linear.Softmax{Classes: 3}, 40, 5)
	before, gradient := p.Zero(), p.Zero()
	run(t, p, p.Zero(), linear.LineSearch{}, linear.Plan{Steps: 30, Observe: func(at linear.Progress) {
		if at.Step > 0 {
			h := p.Gradient(gradient, before)
			squared := math.Pow(mat.Norm(gradient, 2), 2)
			alpha := distance(before, at.Theta) / math.Sqrt(squared)
			if p.Value(at.Theta) > h-0.5*alpha*squared+1e-12 {
				t.Errorf("step %d: the inequality fails for %g", at.Step, alpha)
			}
		}
		before.Copy(at.Theta)
	}})
}

func TestCounts(t *testing.T) {
	p := problem(t, generator(14), linear.Logistic{}, 20, 2)
	for name, c := range map[string]struct {
		method linear.Method
		want   linear.Count
	}{
		"gd":       {linear.Descent{}, linear.Count{Gradients: 8, Evaluations: 8}},
		"svrg":     {linear.SVRG{}, linear.Count{Gradients: 16 + 8, Evaluations: 16 + 8}}, // 2 passes of 4 batches
		"fixed":    {linear.Surrogate{Inner: 5, Solver: linear.Fixed{Step: 0.1}}, linear.Count{Gradients: 8, Evaluations: 48}},
		"exact":    {linear.Surrogate{}, linear.Count{Gradients: 8, Evaluations: 8}},
		"targets":  {linear.Surrogate{Rule: linear.TargetLineSearch{}}, linear.Count{Gradients: 8, Evaluations: 8}},
		"one step": {linear.Surrogate{Inner: 1, Solver: linear.Armijo{Start: 1e-3}}, linear.Count{Gradients: 8, Evaluations: 24}},
	} {
		got, err := linear.Run(t.Context(), p, p.Zero(), c.method, linear.Plan{Steps: 8, Batch: 5, Random: generator(15)})
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; expected %+v", name, got, err, c.want)
		}
	}
}

func TestSmoothnessIsTheLargestCurvature(t *testing.T) {
	for loss, at := range map[linear.Loss][]float64{
		linear.Logistic{}: {0}, linear.Squared{}: {3}, linear.SquaredError{}: {-2}, linear.Softmax{Classes: 4}: {30, 30, 0, 0},
	} {
		direction := make([]float64, len(at))
		direction[0] = 1
		if len(at) > 1 {
			direction[0], direction[1] = math.Sqrt(0.5), -math.Sqrt(0.5)
		}
		const h = 1e-5
		curvature := 0.0
		for _, side := range []float64{1, -1} {
			moved, gradient := make([]float64, len(at)), make([]float64, len(at))
			for k := range at {
				moved[k] = at[k] + side*h*direction[k]
			}
			loss.Value(moved, 1, gradient)
			for k := range at {
				curvature += side * gradient[k] * direction[k] / (2 * h)
			}
		}
		if math.Abs(curvature-loss.Smoothness()) > 1e-6 {
			t.Errorf("%T: curvature %.8f, expected %g", loss, curvature, loss.Smoothness())
		}
	}
}

func TestRunIsTheSameForTheSameSeed(t *testing.T) {
	p := problem(t, generator(16), linear.Logistic{}, 30, 4)
	end := func(seed uint64) *mat.Dense {
		return run(t, p, p.Zero(), linear.Surrogate{Inner: 5}, linear.Plan{Steps: 20, Batch: 7, Random: generator(seed)})
	}
	if !mat.Equal(end(1), end(1)) || mat.Equal(end(1), end(2)) {
		t.Error("expected the same bits for the same seed, and others for another")
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	p := problem(t, generator(17), linear.Logistic{}, 10, 2)
	ctx, cancel := context.WithCancel(t.Context())
	count, err := linear.Run(ctx, p, p.Zero(), linear.Descent{}, linear.Plan{Steps: 1 << 40, Observe: func(at linear.Progress) {
		if at.Step == 3 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || count.Gradients != 3 {
		t.Errorf("%v after %d gradients, expected a cancelled run after 3", err, count.Gradients)
	}
}

func TestErrorsSayWhatWasExpected(t *testing.T) {
	p := problem(t, generator(18), linear.Softmax{Classes: 3}, 6, 2)
	attempt := func(m linear.Method, plan linear.Plan) error {
		_, err := linear.Run(t.Context(), p, p.Zero(), m, plan)
		return err
	}
	_, labels := linear.NewProblem(mat.NewDense(2, 1, nil), []float64{0, 2}, linear.Logistic{})
	_, count := linear.NewProblem(mat.NewDense(2, 1, nil), []float64{0}, linear.Logistic{})
	_, nan := linear.NewProblem(mat.NewDense(1, 1, []float64{math.NaN()}), []float64{0}, linear.Logistic{})
	_, classes := linear.NewProblem(mat.NewDense(1, 1, nil), []float64{0}, linear.Softmax{})
	_, _, newton := p.Minimize(t.Context())
	_, size := linear.IllConditioned(3, 4, generator(0))
	_, shape := linear.Run(t.Context(), p, mat.NewDense(1, 1, nil), linear.Descent{}, linear.Plan{})
	for expected, err := range map[string]error{
		"label 1 is 2: expected 0 or 1":       labels,
		"1 labels":                            count,
		"expected finite numbers":             nan,
		"expected at least 2":                 classes,
		"expected a loss of one target":       newton,
		"as many examples":                    size,
		"expected [2, 3]":                     shape,
		"batch of 9 examples":                 attempt(linear.Descent{}, linear.Plan{Batch: 9}),
		"without a generator":                 attempt(linear.Descent{}, linear.Plan{Batch: 2}),
		"-1 inner steps":                      attempt(linear.Surrogate{Inner: -1}, linear.Plan{}),
		"target step size -1":                 attempt(linear.Surrogate{Rate: -1}, linear.Plan{}),
		"inner step size 0":                   attempt(linear.Surrogate{Inner: 1, Solver: linear.Fixed{}}, linear.Plan{}),
		"shrinking 2":                         attempt(linear.Surrogate{Solver: linear.Armijo{Shrink: 2}}, linear.Plan{}),
		"target Newton for linear.Softmax":    attempt(linear.Surrogate{Rule: linear.TargetNewton{}}, linear.Plan{}),
		"line search from -1 with":            attempt(linear.LineSearch{Armijo: linear.Armijo{Start: -1}}, linear.Plan{}),
		"expansion 0.5, shrinking 0.9 and de": attempt(linear.Surrogate{Rule: linear.TargetLineSearch{Expand: 0.5}}, linear.Plan{}),
	} {
		if err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("error %v, expected one with %q", err, expected)
		}
	}
}

func TestMinimizeNeedsAMinimum(t *testing.T) {
	separable, err := linear.NewProblem(mat.NewDense(2, 1, []float64{-1, 1}), []float64{0, 1}, linear.Logistic{})
	if err != nil {
		t.Fatal(err)
	}
	if theta, value, err := separable.Minimize(t.Context()); err == nil && value > 1e-12 {
		t.Errorf("theta %v with the loss %g, expected an error or a loss of zero", theta, value)
	}
	p := problem(t, generator(19), linear.Logistic{}, 100, 5)
	theta, _, err := p.Minimize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gradient := p.Zero()
	if p.Gradient(gradient, theta); mat.Norm(gradient, 2) > 1e-12 {
		t.Errorf("gradient %g at the minimum", mat.Norm(gradient, 2))
	}
}
