package surrogate_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"

	"github.com/descentml/descent/method/surrogate/linear"
	"github.com/descentml/descent/objective"
)

// Checks 2 and 6: one inner step of a fixed size is SGD, for networks too,
// whatever the geometry, as the surrogate has the gradient of the loss.
func TestOneInnerStepIsSGD(t *testing.T) {
	for _, text := range []string{"sso:inner=1:solver=gd:rate=0.05", "sso:inner=1:solver=gd:rate=0.05:geometry=exponentiated", "sso-newton:inner=1:solver=gd:rate=0.05"} {
		a, b := classifier(t), classifier(t)
		own, sgd := a.stepper(t, text), b.firstOrder(t, "sgd")
		for range 10 {
			got, want := a.step(t, own, 2), b.step(t, sgd, 0.1)
			if math.Abs(got.Loss-want.Loss) > 1e-14 || math.Abs(got.GradientL2-want.GradientL2) > 1e-13 || math.Abs(got.GradientL1-want.GradientL1) > 1e-13 {
				t.Fatalf("%s: %+v, SGD %+v", text, got, want)
			}
		}
		if gap := far(a.weights(t), b.weights(t)); gap > 1e-14 {
			t.Errorf("%s: %g from SGD", text, gap)
		}
	}
}

func TestOneInnerStepOfAdamIsAdam(t *testing.T) {
	a, b := classifier(t), classifier(t)
	own, adam := a.stepper(t, "sso:inner=1:solver=adam:rate=0.01"), b.firstOrder(t, "adam")
	for range 10 {
		a.step(t, own, 2)
		b.step(t, adam, 0.02)
	}
	if gap := far(a.weights(t), b.weights(t)); gap > 1e-13 {
		t.Errorf("%g from Adam", gap)
	}
}

// The closed form of package linear and the graphs agree: inner loops step by
// step, and newton-cg with the exact minimiser, under every rule.
func TestLinearModelsAgreeWithTheClosedForm(t *testing.T) {
	type pair struct {
		method linear.Surrogate
		rate   float64 // of the stepper
	}
	exact := ":inner=1:solver=newton-cg:cg=20"
	for text, c := range map[string]pair{
		"sso:inner=7:shrink=0.9": {linear.Surrogate{Rate: 3, Inner: 7, Solver: linear.Armijo{Expand: math.Pow(2, 0.25)}}, 3},
		"sso:inner=5:solver=gd":  {linear.Surrogate{Rate: 3, Inner: 5, Solver: linear.Fixed{Step: 0.03}}, 3},
		"sso" + exact:            {linear.Surrogate{Rate: 3}, 3},
		"sso-sls" + exact:        {linear.Surrogate{Rate: 10, Rule: linear.TargetLineSearch{}}, 1},
		"sso-adagrad" + exact:    {linear.Surrogate{Rate: 5, Rule: linear.TargetAdagrad{}}, 5},
		"sso-newton" + exact:     {linear.Surrogate{Rate: 0.5, Rule: linear.TargetNewton{}}, 0.5},
	} {
		m := binary(t, 12, 4)
		s := m.stepper(t, text)
		p, err := linear.NewProblem(mat.NewDense(12, 4, tensors.MustCopyFlatData[float64](m.x)), tensors.MustCopyFlatData[float64](m.y), linear.Logistic{})
		if err != nil {
			t.Fatal(err)
		}
		m.step(t, s, 0) // makes the weights, and stays
		theta := mat.NewDense(4, 1, m.weights(t))
		count, err := linear.Run(t.Context(), p, theta, c.method, linear.Plan{Steps: 6})
		if err != nil {
			t.Fatal(err)
		}
		var got linear.Count
		for range 6 {
			step := m.step(t, s, c.rate)
			got.Gradients += step.Gradients
			got.Evaluations += step.Evaluations
		}
		if gap := far(m.weights(t), theta.RawMatrix().Data); gap > 1e-9 {
			t.Errorf("%s: %g from the closed form", text, gap)
		}
		if c.method.Inner > 0 && got != count {
			t.Errorf("%s: %+v, the closed form %+v", text, got, count)
		}
	}
}

// Check 3 for the graphs: with fewer examples than weights, newton-cg takes the
// shortest of the minimisers, theta - eta X^+ G.
func TestNewtonCGTakesThePseudoInverse(t *testing.T) {
	m := binary(t, 3, 8)
	s := m.stepper(t, "sso:inner=1:solver=newton-cg")
	p, err := linear.NewProblem(mat.NewDense(3, 8, tensors.MustCopyFlatData[float64](m.x)), tensors.MustCopyFlatData[float64](m.y), linear.Logistic{})
	if err != nil {
		t.Fatal(err)
	}
	m.step(t, s, 0)
	theta := mat.NewDense(8, 1, m.weights(t))
	if _, err := linear.Run(t.Context(), p, theta, linear.Surrogate{}, linear.Plan{Steps: 1}); err != nil {
		t.Fatal(err)
	}
	m.step(t, s, 4)
	if gap := far(m.weights(t), theta.RawMatrix().Data); gap > 1e-10 {
		t.Errorf("%g from the pseudo-inverse", gap)
	}
}

// Check 4 for the graphs: eta = 1 on (z-y)^2/2, and 1/2 on (z-y)^2, go to the
// least squares in one step, where the loss cannot fall any more.
func TestOneStepSolvesLeastSquares(t *testing.T) {
	for loss, eta := range map[string]float64{"half": 1, "whole": 0.5} {
		f := objective.SquaredError
		if loss == "half" {
			f = halfSquared
		}
		m := newTrainee(t, linearModel(1), f, dtypes.Float64, 20, 4, 0)
		s := m.stepper(t, "sso:inner=1:solver=newton-cg")
		m.step(t, s, eta)
		if step := m.step(t, s, eta); step.GradientL2 > 1e-13 {
			t.Errorf("%s: gradient %g after a step", loss, step.GradientL2)
		}
	}
}

// SLS is the closed form's, also where the learning rate shortens its steps.
func TestSLSAgreesWithTheClosedForm(t *testing.T) {
	m := binary(t, 12, 4)
	s := m.stepper(t, "sls:shrink=0.8")
	p, err := linear.NewProblem(mat.NewDense(12, 4, tensors.MustCopyFlatData[float64](m.x)), tensors.MustCopyFlatData[float64](m.y), linear.Logistic{})
	if err != nil {
		t.Fatal(err)
	}
	m.evaluate(t) // makes the weights
	theta := mat.NewDense(4, 1, m.weights(t))
	search := linear.LineSearch{Armijo: linear.Armijo{Shrink: 0.8, Expand: math.Pow(2, 0.25)}}
	half := func(int) float64 { return 0.5 }
	if _, err := linear.Run(t.Context(), p, theta, search, linear.Plan{Steps: 8, Schedule: half}); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		m.step(t, s, 0.5)
	}
	if gap := far(m.weights(t), theta.RawMatrix().Data); gap > 1e-12 {
		t.Errorf("%g from the closed form", gap)
	}
}

// AdaGrad-Norm against its formula, which for the first step is the learning
// rate along the gradient.
func TestAdaGradNormAgainstTheClosedForm(t *testing.T) {
	m := binary(t, 12, 4)
	s := m.stepper(t, "adagrad-norm")
	p, err := linear.NewProblem(mat.NewDense(12, 4, tensors.MustCopyFlatData[float64](m.x)), tensors.MustCopyFlatData[float64](m.y), linear.Logistic{})
	if err != nil {
		t.Fatal(err)
	}
	m.evaluate(t)
	theta := mat.NewDense(4, 1, m.weights(t))
	if _, err := linear.Run(t.Context(), p, theta, linear.Adagrad{Rate: 0.3, Scalar: true}, linear.Plan{Steps: 5}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		m.step(t, s, 0.3)
	}
	if gap := far(m.weights(t), theta.RawMatrix().Data); gap > 1e-9 {
		t.Errorf("%g from the closed form", gap)
	}
}

// With a = 1 and no ridge, GULF2 does not look at its stale model: it is SGD. With
// a stale model that is the present one, it is SGD at a times the rate.
func TestGULF2InItsLimits(t *testing.T) {
	for text, rate := range map[string]float64{"gulf2:ahead=1:ridge=0:every=3": 0.2, "gulf2:ahead=0.3:ridge=0:every=1": 0.06} {
		a, b := classifier(t), classifier(t)
		own, sgd := a.stepper(t, text), b.firstOrder(t, "sgd")
		for range 7 {
			a.step(t, own, 0.2)
			b.step(t, sgd, rate)
		}
		if gap := far(a.weights(t), b.weights(t)); gap > 1e-13 {
			t.Errorf("%s: %g from SGD", text, gap)
		}
	}
	a, b := classifier(t), classifier(t) // and else it is not
	own, sgd := a.stepper(t, "gulf2:ridge=0:every=5"), b.firstOrder(t, "sgd")
	for range 3 {
		a.step(t, own, 0.2)
		b.step(t, sgd, 0.06)
	}
	if gap := far(a.weights(t), b.weights(t)); gap < 1e-6 {
		t.Error("a stale model changed nothing")
	}
}
